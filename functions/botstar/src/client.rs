//! Client for the part of BotStar's API that is used. <https://apis.botstar.com/docs/>

use crate::API_URL;
use connector::{App, Problem, client::TIMEOUT};
use serde::Deserialize;

/// A bot of the account. Its other fields are not used.
#[derive(Debug, Deserialize)]
pub struct Bot {
    #[serde(rename = "id")]
    _id: String,
}

/// `GET /bots/`, with the slash: the bots of the token's account.
pub async fn list_bots(app: &App, api_token: &str) -> Result<Vec<Bot>, Problem> {
    let http = app.http();
    let mut url = app.config.platforms.url(&API_URL)?.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["bots", ""]);
    }
    let request = http.request(http::Method::GET, url)?.bearer_auth(api_token).header("accept", "application/json");
    let answer = http.send(request, TIMEOUT).await?.successful(&[api_token])?;
    answer.json("BotStar's list of bots", &[api_token])
}

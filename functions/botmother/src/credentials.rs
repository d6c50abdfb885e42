//! Credentials of a Botmother connection: the URL of one External Event, which is the only secret. Receiving a bot's
//! requests needs none.

use crate::API_URL;
use connector::{
    App, Problem,
    platform::{ConnectionTest, Review},
};
use models::Fault;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Credentials {
    /// The URL that Botmother shows after an External Event is saved, in Settings > Events. Receiving requests needs
    /// none.
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^[!-~]*$"))]
    pub event_url: Option<String>,
}

pub fn schema() -> Schema {
    schemars::schema_for!(Credentials)
}

/// An event's URL if it points to the deployment's Botmother server, or else the fault.
pub fn event_url(origin: &Url, text: &str) -> Result<Url, String> {
    match text.parse::<Url>() {
        Err(_) => Err("is not a valid URL".to_owned()),
        Ok(_) if !text.starts_with(origin.as_str()) => Err(format!("must begin with {origin} (BOTMOTHER_API_URL)")),
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            Err("must have no query and no fragment".to_owned())
        }
        // For example a path with backslashes or `..`: the URL that is called must equal the one that was pasted.
        Ok(url) if url.as_str() != text => Err("must be exactly as Botmother shows it".to_owned()),
        Ok(url) if url.path() == "/" => Err("must have a path".to_owned()),
        Ok(url) => Ok(url),
    }
}

pub fn review(app: &App, credentials: &Map<String, Value>) -> Result<Review, Problem> {
    let Some(text) = credentials.get("event_url").and_then(Value::as_str) else { return Ok(Review::default()) };
    let (mut faults, mut warnings) = (Vec::new(), Vec::new());
    match event_url(app.config.platforms.url(&API_URL)?, text) {
        Err(fault) => faults.push(Fault::new("/event_url", fault)),
        Ok(url) if !looks_known(&url) => {
            let detail = "does not have the known form /api/bot/action/<id>/<token>";
            warnings.push(Fault::new("/event_url", detail));
        }
        Ok(_) => {}
    }
    Ok(Review { faults, warnings })
}

/// The form that all known callers use; Botmother does not document it.
fn looks_known(url: &Url) -> bool {
    let rest = url.path().strip_prefix("/api/bot/action/");
    rest.and_then(|rest| rest.split_once('/'))
        .is_some_and(|(id, token)| !id.is_empty() && token.len() >= 16 && !token.contains('/'))
}

/// An event can't be tested without a recipient.
pub async fn test(app: &App, credentials: Value) -> Result<ConnectionTest, Problem> {
    let Credentials { event_url: text } = serde_json::from_value(credentials).map_err(Problem::internal)?;
    let Some(text) = text else {
        return Ok(ConnectionTest { ok: None, detail: "no URL to test; receiving requests needs none".to_owned() });
    };
    let origin = app.config.platforms.url(&API_URL)?;
    if let Err(fault) = event_url(origin, &text) {
        return Ok(ConnectionTest { ok: Some(false), detail: format!("the event URL {fault}") });
    }
    app.http().reach(origin.clone()).await?;
    let detail = "Botmother is reachable; to check the event URL, send an event \
                  (botmother.send-event)";
    Ok(ConnectionTest { ok: None, detail: detail.to_owned() })
}

//! The test of a BotStar connection: lists the bots that its token reaches.

use crate::{
    client::{Client, id},
    credentials::Credentials,
};
use connector::{App, Problem, client::TIMEOUT, platform::ConnectionTest};
use serde_json::Value;
use std::time::Instant;

/// Most bots that a test names.
const MAX_NAMED: usize = 10;

pub async fn test_connection(app: &App, credentials: Value) -> Result<ConnectionTest, Problem> {
    let credentials: Credentials = serde_json::from_value(credentials).map_err(Problem::internal)?;
    if credentials.api_token.is_none() {
        let detail = "no token to test; receiving webhooks needs none, actions need one";
        return Ok(ConnectionTest { ok: None, detail: detail.to_owned() });
    }
    let own = credentials.bot_id.clone();
    let bots = Client::new(app, credentials, Instant::now() + TIMEOUT)?.bots().await?;
    let named = bots.iter().take(MAX_NAMED).map(|bot| match bot.get("name").and_then(Value::as_str) {
        Some(name) => format!("{name} ({})", id(bot)),
        None => id(bot),
    });
    let mut reached = named.collect::<Vec<_>>().join(", ");
    match bots.len() {
        0 => reached.push_str("the token reaches no bot"),
        1 => reached.insert_str(0, "the token reaches 1 bot: "),
        count => reached.insert_str(0, &format!("the token reaches {count} bots: ")),
    }
    if bots.len() > MAX_NAMED {
        reached.push_str(&format!(" and {} more", bots.len() - MAX_NAMED));
    }
    let ok = own.is_none_or(|own| bots.iter().any(|bot| id(bot) == own));
    let detail = if ok { reached } else { format!("the connection's `bot_id` is not a bot of the token; {reached}") };
    Ok(ConnectionTest { ok: Some(ok), detail })
}

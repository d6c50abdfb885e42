//! A hook as it is answered.

use models::{ConnectionId, HookId, Timestamp};
use runtime::{
    App, Call, Problem,
    store::hooks::{Hook, Settings},
};
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
pub struct HookView {
    pub id: HookId,
    pub trigger: String,
    pub name: String,
    pub connection: ConnectionId,
    pub enabled: bool,
    pub settings: Settings,
    /// Where the platform posts to. It is a secret: null for a key that is not `admin`.
    pub url: Option<String>,
    /// Until when the URL before the last rotation works on.
    pub old_url_until: Option<Timestamp>,
    /// What to do at the platform with the URL.
    pub setup: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

pub async fn view(app: &App, call: &Call, hook: Hook, with_url: bool) -> Result<HookView, Problem> {
    let url = if with_url { Some(url(app, call, &hook).await?) } else { None };
    let old = hook.tokens.iter().skip(1).filter_map(|token| token.expires_at).max();
    let module = registry::trigger(&hook.trigger);
    Ok(HookView {
        id: hook.id,
        trigger: hook.trigger,
        name: hook.name,
        connection: hook.connection,
        enabled: hook.enabled,
        settings: hook.settings,
        url,
        old_url_until: old.filter(|end| call.now < *end),
        setup: module.map_or_else(String::new, |(_, module)| module.setup.to_owned()),
        created_at: hook.created_at,
        updated_at: hook.updated_at,
    })
}

/// The hook's URL, with its newest token.
pub async fn url(app: &App, call: &Call, hook: &Hook) -> Result<String, Problem> {
    let token = hook.tokens.first().ok_or_else(|| Problem::internal("a hook without a token"))?;
    let token = app.sealer()?.open(hook.id.as_str(), &token.sealed).await?;
    let (_, module) = registry::trigger(&hook.trigger).ok_or_else(|| Problem::internal("a hook of no trigger"))?;
    Ok(format!("{}{}/{token}", public_url(app, call)?, module.trigger.path))
}

/// What hook URLs begin with: the setting, or on Lambda the API's own host, which API Gateway writes into the header.
fn public_url(app: &App, call: &Call) -> Result<String, Problem> {
    match &app.config.public_url {
        Some(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        None => match call.header(&http::header::HOST) {
            Some(host) => Ok(format!("https://{host}")),
            None => Err(Problem::internal("PUBLIC_URL is not set, and the request names no host")),
        },
    }
}

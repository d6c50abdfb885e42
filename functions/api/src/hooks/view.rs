//! A hook as it is answered.

use app::App;
use connector::settings;
use models::{ConnectionId, HookId, Timestamp};
use registry::Watch;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use store::hooks::{Hook, Registration, verification_token};
use web::{Problem, Request, RequestExt as _};

#[derive(Serialize, JsonSchema)]
pub struct HookView {
    pub id: HookId,
    pub trigger: String,
    pub name: String,
    pub connection: ConnectionId,
    pub enabled: bool,
    /// As the trigger's schema in the catalogue says.
    pub settings: Map<String, Value>,
    /// Where the platform posts to. It is a secret: null for a key that is not `admin`.
    pub url: Option<String>,
    /// Until when the URL before the last rotation works on.
    pub old_url_until: Option<Timestamp>,
    /// Where the hook stands at a platform that is told of it; null at one where its URL is pasted by hand.
    pub registration: Option<RegistrationView>,
    /// What to do at the platform with the URL.
    pub setup: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Serialize, JsonSchema)]
pub struct RegistrationView {
    pub state: State,
    /// The webhook's id at the platform.
    pub webhook: Option<String>,
    /// What the platform sends back to verify the URL, to be entered where the webhook is made by hand. It is a secret:
    /// null for a key that is not `admin`.
    pub token: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The platform was told and didn't answer: delete the hook and make another.
    Pending,
    Registered,
    /// The platform has the URL from before a rotation: change it there by hand.
    Stale,
    /// The platform has no way to be told: make the webhook there by hand.
    Manual,
}

pub async fn view(app: &App, request: &Request, hook: Hook, with_url: bool) -> Result<HookView, Problem> {
    let token = if with_url { Some(token(app, &hook).await?) } else { None };
    let url = token.as_deref().map(|token| url(app, request, &hook, token)).transpose()?;
    let old = hook.tokens.iter().skip(1).filter_map(|token| token.expires_at).max();
    let watch = watch(&hook)?;
    let (registration, setup) = match (hook.registration, watch.registrar()) {
        (Some(registration), Some(registrar)) => {
            let (state, webhook, setup) = match registration {
                Registration::Pending => (State::Pending, None, registrar.pending),
                Registration::Registered { webhook } => (State::Registered, Some(webhook), registrar.registered),
                Registration::Stale { webhook } => (State::Stale, Some(webhook), registrar.stale),
                Registration::Manual => (State::Manual, None, registrar.manual),
            };
            let token = token.as_deref().map(verification_token);
            (Some(RegistrationView { state, webhook, token }), setup)
        }
        _ => (None, watch.setup),
    };
    Ok(HookView {
        id: hook.id,
        trigger: hook.trigger,
        name: hook.name,
        connection: hook.connection,
        enabled: hook.enabled,
        settings: settings::shown(&hook.settings, &(watch.settings)()),
        url,
        old_url_until: old.filter(|end| request.now() < *end),
        registration,
        setup: setup.to_owned(),
        created_at: hook.created_at,
        updated_at: hook.updated_at,
    })
}

/// The trigger that a hook is of.
pub fn watch(hook: &Hook) -> Result<Watch, Problem> {
    registry::trigger(&hook.trigger).ok_or_else(|| Problem::internal("a hook of no trigger"))
}

/// The hook's newest token.
pub async fn token(app: &App, hook: &Hook) -> Result<String, Problem> {
    let token = hook.tokens.first().ok_or_else(|| Problem::internal("a hook without a token"))?;
    Ok(app.sealer()?.open(hook.id.as_str(), &token.sealed).await?)
}

/// The hook's URL, with one of its tokens.
pub fn url(app: &App, request: &Request, hook: &Hook, token: &str) -> Result<String, Problem> {
    Ok(format!("{}{}/{token}", public_url(app, request)?, watch(hook)?.trigger.path))
}

/// What hook URLs begin with: the setting, or on Lambda the API's own host, which API Gateway writes into the header.
fn public_url(app: &App, request: &Request) -> Result<String, Problem> {
    match &app.config.public_url {
        Some(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        None => match request.header(&http::header::HOST) {
            Some(host) => Ok(format!("https://{host}")),
            None => Err(Problem::internal("PUBLIC_URL is not set, and the request names no host")),
        },
    }
}

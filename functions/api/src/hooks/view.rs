//! A hook as the API returns it.

use app::App;
use connector::settings;
use models::{ConnectionId, HookId, Timestamp};
use registry::TriggerEntry;
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
    /// Settings by the trigger's schema in the catalogue.
    pub settings: Map<String, Value>,
    /// The URL that the platform posts to. It is a secret: null for a key whose scope is not `admin`.
    pub url: Option<String>,
    /// End of the previous URL's validity, after a rotation.
    pub old_url_until: Option<Timestamp>,
    /// Registration at a platform that Switchboard registers hooks with; null if the URL is pasted there by hand.
    pub registration: Option<RegistrationView>,
    /// Steps at the platform that register the URL.
    pub setup: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Serialize, JsonSchema)]
pub struct RegistrationView {
    pub state: State,
    /// The webhook's id at the platform.
    pub webhook: Option<String>,
    /// Verification token, to be entered if the webhook is created by hand: the platform sends it to verify the URL. It
    /// is a secret: null for a key whose scope is not `admin`.
    pub token: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The platform's answer was lost: delete the hook and create another.
    Pending,
    Registered,
    /// The platform still has the URL from before a rotation: change it there by hand.
    Stale,
    /// The platform can't be called: create the webhook there by hand.
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

/// The trigger of a hook.
pub fn watch(hook: &Hook) -> Result<TriggerEntry, Problem> {
    registry::trigger(&hook.trigger).ok_or_else(|| Problem::internal("a hook has an unknown trigger"))
}

/// The hook's newest token.
pub async fn token(app: &App, hook: &Hook) -> Result<String, Problem> {
    let token = hook.tokens.first().ok_or_else(|| Problem::internal("a hook without a token"))?;
    Ok(app.sealer()?.open(hook.id.as_str(), &token.sealed).await?)
}

/// The hook's URL with one of its tokens.
pub fn url(app: &App, request: &Request, hook: &Hook, token: &str) -> Result<String, Problem> {
    Ok(format!("{}{}/{token}", public_url(app, request)?, watch(hook)?.trigger.path))
}

/// Base of hook URLs: the setting, or on Lambda the API's own host, which API Gateway writes into the header.
fn public_url(app: &App, request: &Request) -> Result<String, Problem> {
    match &app.config.public_url {
        Some(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        None => match request.header(&http::header::HOST) {
            Some(host) => Ok(format!("https://{host}")),
            None => Err(Problem::internal("PUBLIC_URL is not set, and the request has no Host header")),
        },
    }
}

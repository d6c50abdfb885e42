//! A route as it is answered.

use app::App;
use client::mask::MASK;
use flow::deliver::breaker;
use models::{ConnectionId, HookId, RouteId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use store::{
    StoreError,
    health::RouteHealth,
    routes::{ActionTarget, DisabledReason, EventRoute, Target, Webhook},
};
use url::Url;
use web::Problem;

#[derive(Serialize, JsonSchema)]
pub struct RouteView {
    pub id: RouteId,
    pub name: String,
    /// Types of events; `*` stands for any run of characters.
    pub events: Vec<String>,
    pub hook: Option<HookId>,
    pub connection: Option<ConnectionId>,
    /// A CEL expression.
    pub filter: Option<String>,
    pub target: TargetView,
    pub enabled: bool,
    /// The reason for which the product disabled it; null while it is enabled, or if a person disabled it.
    pub disabled_reason: Option<DisabledReason>,
    pub health: HealthView,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Health of a route by its latest attempts.
#[derive(Serialize, JsonSchema)]
pub struct HealthView {
    state: HealthState,
    /// Null as long as it has never failed.
    since: Option<Timestamp>,
    /// When the route is disabled, unless an attempt succeeds before; null if it isn't failing, is disabled already, or
    /// `ROUTE_FAILS_DAYS` is 0.
    disables_at: Option<Timestamp>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum HealthState {
    Healthy,
    /// Deliveries wait, and one is tried now and then.
    Failing,
}

#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TargetView {
    Webhook {
        /// To a key of a lesser scope than `admin` without its path, which may be a secret: `https://example.com/••••`.
        url: String,
        /// Masked: `••••`.
        headers: BTreeMap<String, String>,
        /// CEL expressions by the field of the body; null if the body is the event.
        body: Option<BTreeMap<String, String>>,
        /// What requests are signed with (Standard Webhooks): shown when it is made, and to a key of scope `admin` that
        /// gets this route.
        secret: Option<String>,
        /// Until when the secret before the last rotation signs too.
        old_secret_until: Option<Timestamp>,
    },
    Action {
        action: String,
        connection: ConnectionId,
        /// CEL expressions by the field of the action's input.
        input: BTreeMap<String, String>,
    },
}

/// What a caller may see of a webhook. A URL may be a secret: who knows Slack's, say, can post there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Where it leads, without the path.
    Host,
    Url,
    UrlAndSecret,
}

pub async fn view(app: &App, route: EventRoute, sight: Sight) -> Result<RouteView, Problem> {
    let (now, health) = (app.now(), health(app, &route).await?);
    let target = match route.target {
        Target::Action(ActionTarget { action, connection, input, .. }) => {
            TargetView::Action { action, connection, input }
        }
        Target::Webhook(Webhook { url, header_names, body, secrets, .. }) => {
            let newest = secrets.first().filter(|_| sight == Sight::UrlAndSecret);
            let secret = match newest {
                Some(secret) => Some(app.sealer()?.open(route.id.as_str(), &secret.sealed).await?),
                None => None,
            };
            let headers = header_names.into_iter().map(|name| (name, MASK.to_owned())).collect();
            let old_secret_until = secrets.iter().filter_map(|secret| secret.expires_at).filter(|end| now < *end).max();
            let url = if sight == Sight::Host { without_path(&url) } else { url };
            TargetView::Webhook { url, headers, body, secret, old_secret_until }
        }
    };
    Ok(RouteView {
        id: route.id,
        name: route.name,
        events: route.events,
        hook: route.hook,
        connection: route.connection,
        filter: route.filter,
        target,
        enabled: route.enabled,
        disabled_reason: route.disabled_reason,
        health,
        created_at: route.created_at,
        updated_at: route.updated_at,
    })
}

pub fn without_path(url: &str) -> String {
    let origin = url.parse::<Url>().map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    format!("{origin}/{MASK}")
}

async fn health(app: &App, route: &EventRoute) -> Result<HealthView, StoreError> {
    let health: Option<RouteHealth> = app.store.find(route.id.as_str()).await?;
    let failing = health.as_ref().filter(|health| health.failing);
    let state = if failing.is_some() { HealthState::Failing } else { HealthState::Healthy };
    let disables_at = failing.filter(|_| route.enabled).and_then(|health| breaker::disables_at(&app.config, health));
    Ok(HealthView { state, since: health.map(|health| health.since), disables_at })
}

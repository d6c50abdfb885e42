//! A route as the API returns it.

use app::App;
use client::mask::MASK;
use flow::deliver::breaker;
use models::{ConnectionId, HookId, KeyId, RouteId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};
use std::collections::BTreeMap;
use store::{
    StoreError,
    health::RouteHealth,
    routes::{ActionTarget, AwsTarget, DisabledReason, EventRoute, McpTarget, Target, WebhookTarget},
};
use url::Url;
use web::Problem;

#[derive(Serialize, JsonSchema)]
pub struct RouteView {
    pub id: RouteId,
    pub name: String,
    /// Event types; `*` matches any characters.
    pub events: Vec<String>,
    pub hook: Option<HookId>,
    pub connection: Option<ConnectionId>,
    /// A CEL expression.
    pub filter: Option<String>,
    pub target: TargetView,
    pub enabled: bool,
    /// The reason why Switchboard disabled it. Null while it is enabled, or if a user disabled it.
    pub disabled_reason: Option<DisabledReason>,
    pub health: HealthView,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Health of a route by its latest attempts.
#[derive(Serialize, JsonSchema)]
pub struct HealthView {
    state: HealthState,
    /// Null if it has never failed.
    since: Option<Timestamp>,
    /// Time at which the route is disabled, unless an attempt succeeds before. Null if it isn't failing, is already
    /// disabled, or `ROUTE_FAILS_DAYS` is 0.
    disables_at: Option<Timestamp>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum HealthState {
    Healthy,
    /// Deliveries are held back. From time to time one is attempted, to find out whether the target works again.
    Failing,
}

#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TargetView {
    Webhook {
        /// Without its path for a key whose scope is not `admin`, because the path may be a secret:
        /// `https://example.com/••••`.
        url: String,
        /// Masked: `••••`.
        headers: BTreeMap<String, String>,
        /// CEL expressions by the field of the body; null if the body is the event.
        body: Option<BTreeMap<String, String>>,
        /// Signing secret of the requests (Standard Webhooks). It is shown when it is created, and to a key of scope
        /// `admin` that gets this route.
        secret: Option<String>,
        /// End of the previous secret's grace period. Until then it also signs.
        old_secret_until: Option<Timestamp>,
    },
    Action {
        action: String,
        connection: ConnectionId,
        /// CEL expressions by the field of the action's input.
        input: BTreeMap<String, String>,
    },
    Aws {
        arn: String,
        /// CEL expressions by the field of the message; null if the message is the event.
        input: Option<BTreeMap<String, String>>,
        /// A CEL expression for the message group; null unless the target is a FIFO queue or topic.
        group: Option<String>,
    },
    /// An MCP client that has subscribed to events.
    Mcp {
        /// Without its path: `https://example.com/••••`.
        url: String,
        /// The key that subscribed.
        key: KeyId,
        /// The subscription's arguments.
        #[schemars(with = "Map<String, Value>")]
        arguments: Box<RawValue>,
        /// End of the subscription, unless the client renews it.
        expires_at: Timestamp,
    },
}

/// The parts of a webhook that a caller may see. A URL may be a secret: anyone who knows a Slack URL can post there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum UrlVisibility {
    /// The URL without its path.
    Host,
    Url,
    UrlAndSecret,
}

pub async fn view(app: &App, route: EventRoute, sight: UrlVisibility) -> Result<RouteView, Problem> {
    let (now, health) = (app.now(), health(app, &route).await?);
    let target = match route.target {
        Target::Action(ActionTarget { action, connection, input, .. }) => {
            TargetView::Action { action, connection, input }
        }
        Target::Aws(AwsTarget { arn, input, group }) => TargetView::Aws { arn, input, group },
        Target::Mcp(McpTarget { key, origin, arguments, .. }) => TargetView::Mcp {
            url: masked(&origin),
            key,
            arguments: RawValue::from_string(arguments).map_err(Problem::internal)?,
            expires_at: route.expires_at.unwrap_or(now),
        },
        Target::Webhook(WebhookTarget { url, header_names, body, secrets, .. }) => {
            let newest = secrets.first().filter(|_| sight == UrlVisibility::UrlAndSecret);
            let secret = match newest {
                Some(secret) => Some(app.sealer()?.open(route.id.as_str(), &secret.sealed).await?),
                None => None,
            };
            let headers = header_names.into_iter().map(|name| (name, MASK.to_owned())).collect();
            let old_secret_until = secrets.iter().filter_map(|secret| secret.expires_at).filter(|end| now < *end).max();
            let url = if sight == UrlVisibility::Host { without_path(&url) } else { url };
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
    masked(&url.parse::<Url>().map(|url| url.origin().ascii_serialization()).unwrap_or_default())
}

fn masked(origin: &str) -> String {
    format!("{origin}/{MASK}")
}

async fn health(app: &App, route: &EventRoute) -> Result<HealthView, StoreError> {
    let health: Option<RouteHealth> = app.store.find(route.id.as_str()).await?;
    let failing = health.as_ref().filter(|health| health.failing);
    let state = if failing.is_some() { HealthState::Failing } else { HealthState::Healthy };
    let disables_at = failing
        .filter(|_| route.enabled && !route.is_subscription())
        .and_then(|health| breaker::disables_at(&app.config, health));
    Ok(HealthView { state, since: health.map(|health| health.since), disables_at })
}

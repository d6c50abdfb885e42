//! Routes: rules that send matching events to a target.

use super::{
    Store, StoreError,
    control::{Controlled, Ids},
    from_item,
    references::Reference,
    text_of,
};
use models::{ConnectionId, Effect, HookId, KeyId, RouteId, Timestamp, causes, event::EventKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const PAGE: usize = 1_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventRoute {
    pub id: RouteId,
    pub v: u32,
    pub version: u64,
    pub name: String,
    /// Event types; `*` matches any characters.
    pub events: Vec<String>,
    /// Only events of this hook.
    pub hook: Option<HookId>,
    /// Only events of this connection.
    pub connection: Option<ConnectionId>,
    /// A CEL expression.
    pub filter: Option<String>,
    pub target: Target,
    pub enabled: bool,
    /// The reason why Switchboard disabled it. None while it is enabled, or if a user disabled it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub disabled_reason: Option<DisabledReason>,
    /// Version at which its target was last saved or it was last enabled; 0 before the first such change. Outcomes of
    /// attempts of another generation neither disable the route nor close its breaker.
    #[serde(skip_serializing_if = "is_first", default)]
    pub generation: u64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// End of a subscription; none for any other route.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<Timestamp>,
    /// Time at which DynamoDB may delete a subscription, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_first(generation: &u64) -> bool {
    *generation == 0
}

/// The reason why Switchboard disabled a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// The target refused further events, by a 410 or by `webhook-delivery: disable`.
    TargetGone,
    /// Every attempt failed for `ROUTE_FAILS_DAYS`.
    Failing,
    /// Its hook was deleted with `force`.
    HookDeleted,
}

/// Destination of a route's events.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Target {
    Webhook(WebhookTarget),
    Action(ActionTarget),
    Aws(AwsTarget),
    /// The endpoint of an MCP client that has subscribed to events.
    Mcp(McpTarget),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WebhookTarget {
    pub url: String,
    /// Sealed additional headers as JSON; none without any.
    pub headers: Option<String>,
    /// Names of the additional headers, for reads.
    pub header_names: Vec<String>,
    /// CEL expressions by the field of the body; none if the body is the event.
    pub body: Option<BTreeMap<String, String>>,
    /// Newest first; the others also sign until they expire.
    pub secrets: Vec<SealedSecret>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ActionTarget {
    /// The action's name.
    pub action: String,
    /// True if the action takes an idempotency key. All actions that change something do.
    pub keyed: bool,
    /// Absent in routes of earlier releases.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub effect: Option<Effect>,
    pub connection: ConnectionId,
    /// CEL expressions by the field of the action's input.
    pub input: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AwsTarget {
    /// The resource's ARN; its service decides the call.
    pub arn: String,
    /// CEL expressions by the field of the message; none if the message is the event.
    pub input: Option<BTreeMap<String, String>>,
    /// A CEL expression for the message group of a FIFO queue or topic.
    pub group: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct McpTarget {
    /// The key that subscribed.
    pub key: KeyId,
    /// The endpoint's URL, sealed: its path or query may be a secret.
    pub url: String,
    /// The URL's origin, for reads.
    pub origin: String,
    /// The subscription's arguments as canonical JSON.
    pub arguments: String,
    /// Newest first; the others also sign until they expire.
    pub secrets: Vec<SealedSecret>,
}

/// Signing secret of a webhook's requests.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SealedSecret {
    pub sealed: String,
    /// None until the route is rotated.
    pub expires_at: Option<Timestamp>,
}

impl EventRoute {
    /// Ids of routes that users make.
    pub const ROUTES: Ids = Ids::between("rt_", "rt_v");
    /// Ids of subscriptions.
    pub const SUBSCRIPTIONS: Ids = Ids::between("rt_v", "rt_w");

    /// True for the route of an MCP subscription.
    pub const fn is_subscription(&self) -> bool {
        matches!(self.target, Target::Mcp(_))
    }

    /// True from the end of a subscription on.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// True if events are delivered to it: it is enabled, and has not ended.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.enabled && !self.has_ended(now)
    }

    /// The connections and the hook that must not be deleted while the route names them. A subscription ends by itself,
    /// so it keeps none.
    pub fn references(&self) -> BTreeSet<Reference> {
        let runs_on = match &self.target {
            Target::Action(target) => Some(&target.connection),
            Target::Webhook(_) | Target::Aws(_) => None,
            Target::Mcp(_) => return BTreeSet::new(),
        };
        let connections = self.connection.iter().chain(runs_on).map(Reference::from);
        self.hook.iter().map(Reference::from).chain(connections).collect()
    }

    /// True if a route matches an event, without its filter.
    pub fn matches(&self, event: &EventKey, connection: Option<&ConnectionId>) -> bool {
        self.selection().matches(event, connection)
    }

    /// True if a route may match an event, by the parts in a list of events.
    pub fn may_match(&self, event: &EventKey) -> bool {
        self.selection().may_match(event)
    }

    pub fn selection(&self) -> Selection<'_> {
        let Self { id, events, hook, connection, .. } = self;
        Selection { route: Some(id), events, hook: hook.as_ref(), connection: connection.as_ref() }
    }
}

/// Selection of events by a route, without its filter.
#[derive(Clone, Copy)]
pub struct Selection<'a> {
    /// Events about this route never match it.
    pub route: Option<&'a RouteId>,
    pub events: &'a [String],
    pub hook: Option<&'a HookId>,
    pub connection: Option<&'a ConnectionId>,
}

impl Selection<'_> {
    pub fn matches(&self, event: &EventKey, connection: Option<&ConnectionId>) -> bool {
        self.connection.is_none_or(|own| Some(own) == connection) && self.may_match(event)
    }

    fn may_match(&self, event: &EventKey) -> bool {
        self.hook.is_none_or(|hook| Some(hook) == event.origin.hook())
            && (self.route.is_none() || event.origin.route() != self.route)
            && self.selects_type(&event.event_type)
    }

    /// True if the selection has this event type.
    pub fn selects_type(&self, event_type: &str) -> bool {
        self.events.iter().any(|pattern| matches_pattern(pattern, event_type))
    }
}

impl Store {
    /// All readable routes and subscriptions. One that can't be read, for example of a later release, must not block the
    /// others.
    pub async fn readable_routes(&self) -> Result<Vec<EventRoute>, StoreError> {
        self.readable_among(Ids::ALL).await
    }

    /// All readable subscriptions.
    pub async fn subscriptions(&self) -> Result<Vec<EventRoute>, StoreError> {
        self.readable_among(EventRoute::SUBSCRIPTIONS).await
    }

    async fn readable_among(&self, ids: Ids) -> Result<Vec<EventRoute>, StoreError> {
        let (mut routes, mut after) = (Vec::new(), None);
        loop {
            let (items, next) = self.control_items(EventRoute::KIND, ids, PAGE, after.as_deref()).await?;
            for item in items {
                let id = text_of(&item, "sk").to_owned();
                match from_item(item) {
                    Ok(route) => routes.push(route),
                    Err(error) => {
                        tracing::error!(route = id, cause = causes(&error), "a route can't be read; it gets no events")
                    }
                }
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(routes),
            }
        }
    }
}

/// Matches a text against a pattern, in which `*` matches any characters.
pub fn matches_pattern(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').map_or(("", rest), |(middle, end)| (middle, end));
    for part in middle.split('*') {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(end)
}

impl Controlled for EventRoute {
    const KIND: &'static str = "route";
    type Id = RouteId;

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_any_characters_including_dots() {
        for (pattern, text, like) in [
            ("botstar.tag.added", "botstar.tag.added", true),
            ("botstar.tag.added", "botstar.tag.addedx", false),
            ("*", "botstar.tag.added", true),
            ("*", "", true),
            ("botstar.*", "botstar.tag.added", true),
            ("botstar.*", "botstar", false),
            ("*.added", "botstar.tag.added", true),
            ("*.add", "botstar.tag.added", false),
            ("*.tag.*", "botstar.tag.added", true),
            ("b*a*d", "botstar.tag.added", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*a*a*", "xa", false),
            ("**", "x", true),
            ("", "x", false),
            ("é*é", "ééé", true),
        ] {
            assert_eq!(matches_pattern(pattern, text), like, "{pattern} {text}");
        }
    }
}

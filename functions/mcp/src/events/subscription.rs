//! A subscription: checked, then stored as a route, or renewed.

use super::{
    challenge,
    params::{SubscribeParams, canonical, fault},
    types::EventType,
};
use crate::message::RpcError;
use app::App;
use models::{Fault, RouteId, Timestamp};
use serde_json::{Map, Value};
use store::{
    StoreError, back_off,
    connections::Connection,
    hooks::Hook,
    keys::Key,
    routes::{EventRoute, McpTarget, SealedSecret, Target},
    subscriptions::SubscriptionLock,
};
use url::Url;
use web::{Problem, schema::Validator};
use webhook::{Secret, guard::Guard};

const MAX_OF_KEY: usize = 50;
const MAX_OF_DEPLOYMENT: usize = 500;
const MIN_TTL_SECONDS: u64 = 60;
const MAX_TTL_SECONDS: u64 = 86_400;
const DEFAULT_TTL_SECONDS: u64 = 3_600;
/// Time for which a replaced secret also signs.
const GRACE_SECONDS: u64 = 300;
/// Largest number of secrets that sign at a time.
const MAX_SECRETS: usize = 5;
/// Time for which a subscription that has ended is listed, unless a new one takes its place.
const LISTED_SECONDS: u64 = 3_600;
/// Retry limit for concurrent changes.
const ATTEMPTS: u32 = 20;

pub struct Subscription {
    id: RouteId,
    key: Key,
    event_type: EventType,
    arguments: Map<String, Value>,
    url: Url,
    secret: Secret,
    until: Timestamp,
    /// True if the client wants to continue at a position, which is not possible.
    pub is_resumed: bool,
}

pub struct Granted {
    pub id: RouteId,
    pub until: Timestamp,
}

/// Checks the wish of a key that may subscribe to these events.
pub async fn of(app: &App, key: Key, event_type: EventType, asked: SubscribeParams) -> Result<Subscription, RpcError> {
    if asked.delivery.mode != "webhook" {
        return Err(RpcError::unsupported("delivery.mode must be webhook"));
    }
    let arguments = asked.arguments;
    check_arguments(&event_type, &arguments)?;
    let secret: Secret = asked.delivery.secret.parse().map_err(|bad| fault("/delivery/secret", bad))?;
    let guard = Guard::new(app.config.delivery_allow_cidrs.clone());
    let url = guard.check_url(&asked.delivery.url).map_err(|refusal| fault("/delivery/url", refusal))?;
    guard.resolve(&url).await.map_err(|refusal| fault("/delivery/url", refusal))?;
    check_origin(app, &event_type, &arguments).await?;
    let id = RouteId::of_subscription(&key.id, url.as_str(), event_type.name, &canonical(&arguments));
    let until = end(app.now(), asked.ttl_ms, key.expires_at);
    let is_resumed = asked.cursor.is_some();
    Ok(Subscription { id, key, event_type, arguments, url, secret, until, is_resumed })
}

fn check_arguments(event_type: &EventType, arguments: &Map<String, Value>) -> Result<(), RpcError> {
    let schema = event_type.arguments();
    let validator = Validator::compile(&schema).map_err(Problem::internal)?;
    let faults = validator.faults(&Value::Object(arguments.clone()));
    let at = |fault: Fault| Fault { pointer: format!("/arguments{}", fault.pointer), ..fault };
    let faults: Vec<Fault> = faults.into_iter().map(at).collect();
    if faults.is_empty() { Ok(()) } else { Err(RpcError::faulty_params(&faults)) }
}

/// Checks that the hook and the connection exist, and have such events.
async fn check_origin(app: &App, event_type: &EventType, arguments: &Map<String, Value>) -> Result<(), RpcError> {
    let Some((trigger, _)) = event_type.trigger else { return Ok(()) };
    if let Some(id) = arguments.get("hook").and_then(Value::as_str) {
        let hook: Option<Hook> = app.store.find(id).await?;
        if hook.is_none_or(|hook| hook.trigger != trigger.name) {
            return Err(fault("/arguments/hook", "is not a hook with events of this type"));
        }
    }
    if let Some(id) = arguments.get("connection").and_then(Value::as_str) {
        let connection: Option<Connection> = app.store.find(id).await?;
        if connection.is_none_or(|connection| connection.platform != trigger.platform) {
            return Err(fault("/arguments/connection", "is not a connection with events of this type"));
        }
    }
    Ok(())
}

/// The end that is granted, at most that of the key.
fn end(now: Timestamp, wish: Option<Option<u64>>, of_key: Option<Timestamp>) -> Timestamp {
    let seconds = match wish {
        None => DEFAULT_TTL_SECONDS,
        Some(None) => MAX_TTL_SECONDS,
        Some(Some(millis)) => (millis / 1_000).clamp(MIN_TTL_SECONDS, MAX_TTL_SECONDS),
    };
    let end = now.plus_seconds(seconds);
    of_key.map_or(end, |of_key| of_key.min(end))
}

impl Subscription {
    /// Stores or renews the subscription, once its endpoint has passed the challenge.
    pub async fn grant(self, app: &App) -> Result<Granted, RpcError> {
        // A client beyond its limit can't have endpoints challenged.
        if self.stored(app).await?.is_none() {
            self.check_limits(app).await?;
        }
        challenge::pass(app, &self.key.id, &self.id, &self.url, &self.secret).await?;
        for attempt in 0..ATTEMPTS {
            let written = match self.stored(app).await? {
                Some(route) => self.renew(app, route).await?,
                None => self.create(app).await?,
            };
            match written {
                Ok(()) => return Ok(Granted { id: self.id, until: self.until }),
                // Another write came first, or the key was deleted.
                Err(StoreError::Condition(_)) => {
                    super::stored_key(app, &self.key.id).await?;
                    back_off(attempt).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Condition(None).into())
    }

    /// The subscription as it is stored, unless it has ended.
    async fn stored(&self, app: &App) -> Result<Option<EventRoute>, StoreError> {
        let found: Option<EventRoute> = app.store.find(self.id.as_str()).await?;
        Ok(found.filter(|route| !route.has_ended(app.now())))
    }

    /// Fails if a limit is reached. Returns the ended subscriptions that a new one takes the place of.
    async fn check_limits(&self, app: &App) -> Result<Vec<EventRoute>, RpcError> {
        let stored = app.store.subscriptions().await?;
        // `dispatch` also loads those that have ended, until DynamoDB deletes them.
        let excess = (stored.len() + 1).saturating_sub(MAX_OF_DEPLOYMENT);
        let (mut ended, running): (Vec<_>, Vec<_>) = stored.into_iter().partition(|route| route.has_ended(app.now()));
        let is_of_key = |route: &&EventRoute| matches!(&route.target, Target::Mcp(target) if target.key == self.key.id);
        if running.iter().filter(is_of_key).count() >= MAX_OF_KEY {
            return Err(RpcError::exhausted("the key", MAX_OF_KEY));
        }
        if running.len() >= MAX_OF_DEPLOYMENT {
            return Err(RpcError::exhausted("the deployment", MAX_OF_DEPLOYMENT));
        }
        ended.sort_by_key(|route| route.expires_at);
        ended.truncate(excess);
        Ok(ended)
    }

    async fn create(&self, app: &App) -> Result<Result<(), StoreError>, RpcError> {
        let lock: Option<SubscriptionLock> = app.store.find(SubscriptionLock::ID).await?;
        for ended in self.check_limits(app).await? {
            if let Err(error) = app.store.remove_ended_subscription(&ended).await {
                return Ok(Err(error));
            }
        }
        let route = self.route(app).await?;
        Ok(app.store.create_subscription(&route, &self.key.id, &lock.unwrap_or_default()).await)
    }

    async fn route(&self, app: &App) -> Result<EventRoute, RpcError> {
        let now = app.now();
        let id = |name: &str| self.arguments.get(name).and_then(Value::as_str);
        let origin = self.url.origin().ascii_serialization();
        Ok(EventRoute {
            id: self.id.clone(),
            v: 1,
            // `deliver` caches secrets by id and version, and an earlier subscription may have had the same id.
            version: now.millis(),
            name: format!("{} to {origin}", self.event_type.name),
            events: vec![self.event_type.name.to_owned()],
            hook: id("hook").and_then(|id| id.parse().ok()),
            connection: id("connection").and_then(|id| id.parse().ok()),
            filter: self.event_type.filter(&self.arguments),
            target: Target::Mcp(McpTarget {
                key: self.key.id.clone(),
                url: app.sealer()?.seal(self.id.as_str(), self.url.as_str()).await?,
                origin,
                arguments: canonical(&self.arguments),
                secrets: vec![self.sealed_secret(app).await?],
            }),
            enabled: true,
            disabled_reason: None,
            generation: 0,
            created_at: now,
            updated_at: now,
            expires_at: Some(self.until),
            expires: Some(self.until.plus_seconds(LISTED_SECONDS).seconds()),
        })
    }

    /// Gives a subscription its new end, and a new secret if the client has one. The former secret also signs for a while.
    async fn renew(&self, app: &App, mut route: EventRoute) -> Result<Result<(), StoreError>, RpcError> {
        let now = app.now();
        let Target::Mcp(target) = &mut route.target else {
            return Err(Problem::internal("a subscription has the target of another route").into());
        };
        let is_new = match target.secrets.first() {
            Some(newest) => app.sealer()?.open(self.id.as_str(), &newest.sealed).await? != self.secret.to_text(),
            None => true,
        };
        if is_new {
            let end = now.plus_seconds(GRACE_SECONDS);
            for secret in &mut target.secrets {
                secret.expires_at = Some(secret.expires_at.map_or(end, |known| known.min(end)));
            }
            target.secrets.insert(0, self.sealed_secret(app).await?);
        }
        target.secrets.retain(|secret| secret.expires_at.is_none_or(|end| now < end));
        target.secrets.truncate(MAX_SECRETS);
        route.updated_at = now;
        route.expires_at = Some(self.until);
        route.expires = Some(self.until.plus_seconds(LISTED_SECONDS).seconds());
        Ok(app.store.update(&mut route).await)
    }

    async fn sealed_secret(&self, app: &App) -> Result<SealedSecret, RpcError> {
        let sealed = app.sealer()?.seal(self.id.as_str(), &self.secret.to_text()).await?;
        Ok(SealedSecret { sealed, expires_at: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_lasts_from_a_minute_to_a_day_and_no_longer_than_its_key() {
        let now = Timestamp::from_millis(1_767_225_600_000);
        for (wish, of_key, seconds) in [
            (None, None, 3_600),
            (Some(None), None, 86_400),
            (Some(Some(0)), None, 60),
            (Some(Some(59_999)), None, 60),
            (Some(Some(90_500)), None, 90),
            (Some(Some(u64::MAX)), None, 86_400),
            (None, Some(30), 30),
            (Some(None), Some(7_200), 7_200),
            (None, Some(7_200), 3_600),
        ] {
            let of_key = of_key.map(|seconds| now.plus_seconds(seconds));
            assert_eq!(end(now, wish, of_key), now.plus_seconds(seconds), "{wish:?} {of_key:?}");
        }
    }
}

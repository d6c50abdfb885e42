//! MCP Events: a client subscribes an endpoint of its own to a type of events, for a limited time. A subscription is a
//! route that ends by itself. <https://modelcontextprotocol.io/extensions/events/overview>

mod challenge;
mod params;
mod subscription;
mod types;

use crate::{
    message::{Message, RpcError},
    reply::Reply,
};
use app::App;
use models::{KeyId, RouteId};
use params::{SubscribeParams, UnsubscribeParams};
use serde_json::{Value, json};
use store::keys::Key;
use web::{Request, RequestExt as _};
use webhook::guard::Guard;

/// The types of events that the key may subscribe to.
pub async fn list(app: &App, request: &Request, message: &Message) -> Result<Reply, RpcError> {
    message.check_cursor()?;
    let key = key(app, request).await?;
    let listed = types::all().filter(|known| key.may_subscribe_to(known.name));
    Ok(Reply::of(json!({ "events": listed.map(|known| known.describe()).collect::<Value>() })))
}

pub async fn subscribe(app: &App, request: &Request, message: &Message) -> Result<Reply, RpcError> {
    let asked: SubscribeParams = params::read(message)?;
    let key = key(app, request).await?;
    let event_type = types::find(&asked.name).ok_or_else(|| RpcError::unknown_event(&asked.name))?;
    if !key.may_subscribe_to(event_type.name) {
        return Err(RpcError::forbidden("the key was made without this type in `subscribe`"));
    }
    let subscription = subscription::of(app, key, event_type, asked).await?;
    let truncated = subscription.is_resumed;
    let granted = subscription.grant(app).await?;
    let (request_id, subscription) = (request.request_id(), granted.id.as_str());
    tracing::info!(request_id, subscription, until = granted.until.to_string(), "subscribed");
    Ok(Reply::of(json!({
        "id": granted.id,
        "refreshBefore": granted.until,
        "cursor": null,
        "truncated": truncated,
    })))
}

/// Ends a subscription. One that does not exist counts as ended.
pub async fn unsubscribe(app: &App, request: &Request, message: &Message) -> Result<Reply, RpcError> {
    let asked: UnsubscribeParams = params::read(message)?;
    let key = &request.key().ok_or_else(RpcError::without_key)?.id;
    let arguments = params::canonical(&asked.arguments);
    let guard = Guard::new(app.config.delivery_allow_cidrs.clone());
    // No subscription has a URL that is not allowed.
    if let Ok(url) = guard.check_url(&asked.delivery.url) {
        let id = RouteId::of_subscription(key, url.as_str(), &asked.name, &arguments);
        app.store.remove_subscription(&id).await?;
        tracing::info!(request_id = request.request_id(), subscription = id.as_str(), "unsubscribed");
    }
    Ok(Reply::of(json!({})))
}

/// The caller's key as it is stored.
async fn key(app: &App, request: &Request) -> Result<Key, RpcError> {
    let known = request.key().ok_or_else(RpcError::without_key)?;
    stored_key(app, &known.id).await
}

/// A key that was not deleted meanwhile. The request's may come from a cache.
async fn stored_key(app: &App, id: &KeyId) -> Result<Key, RpcError> {
    app.store.find(id.as_str()).await?.ok_or_else(RpcError::without_key)
}

//! Receiving a platform's webhook: one conditional write, and only then 200.

use crate::{
    Access, App, Body, Call, Code, Problem, Reply, Route,
    clock::random,
    function::Handler,
    store::{
        events::{RejectedCall, Taken, rejected_key},
        hooks::Hook,
    },
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use models::{HookId, RejectedId, StoredEvent, Trigger, body, event::Accepted, ids::ContentKey, mapping};
use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;
use std::sync::Arc;

const MAX_BODY_BYTES: usize = 256 * 1024;
const EVENT_HEADER: HeaderName = HeaderName::from_static("x-switchboard-event");
const SECONDS_A_DAY: u64 = 86_400;

/// What a platform is answered.
#[derive(Serialize, JsonSchema)]
struct Receipt<'a> {
    /// `accepted`; `duplicate` of an earlier call, with its event's id; `ignored`, when the hook is disabled.
    status: &'a str,
    event: Option<&'a str>,
}

fn receipt_schema() -> Schema {
    schema_for!(Receipt)
}

/// The route of a trigger's webhook.
pub const fn route(path: &'static str, label: &'static str, handler: Handler) -> Route {
    Route {
        method: Method::POST,
        path,
        access: Access::Public,
        summary: label,
        query: &[],
        body: Body::None,
        success: (StatusCode::OK, Some(receipt_schema)),
        handler,
    }
}

/// Takes a call of a trigger's webhook.
pub async fn receive(app: &App, trigger: &'static Trigger, call: Call) -> Result<Reply, Problem> {
    let hook = find(app, trigger, &call).await?;
    if !hook.enabled {
        keep_rejected(app, &hook, &call, "hook_disabled", "the hook was disabled").await?;
        return receipt("ignored", None);
    }
    if call.body.len() > MAX_BODY_BYTES {
        let problem = Problem::new(Code::BodyTooLarge, "the body has more than 256 KB");
        keep_rejected(app, &hook, &call, problem.code.as_str(), &problem.detail).await?;
        return Err(problem);
    }
    let (format, body) = match body::read(&call.body, call.header(&header::CONTENT_TYPE)) {
        Ok(read) => read,
        Err(unreadable) => {
            let problem = Problem::new(Code::UnreadableBody, unreadable.to_string());
            keep_rejected(app, &hook, &call, problem.code.as_str(), &problem.detail).await?;
            return Err(problem);
        }
    };
    let window = hook.settings.dedupe_seconds.unwrap_or(app.config.dedupe_window_seconds);
    let key = if window == 0 { ContentKey::unique(random()?) } else { ContentKey::digest(&hook.id, &[&call.body]) };
    let event = StoredEvent::new(Accepted {
        at: call.now,
        key,
        hook: &hook.id,
        connection: &hook.connection,
        platform: trigger.platform,
        event_type: trigger.event_type,
        raw: &call.body,
        format,
        body: &body,
        reading: &mapping::resolve(trigger.fields(), &hook.settings.mapping, &body),
        nonce: data_encoding::BASE64URL_NOPAD.encode(&random::<6>()?),
        expires: call.now.plus_seconds(app.config.event_ttl_days * SECONDS_A_DAY),
    });
    match app.store.accept(&event, window.saturating_mul(1000)).await? {
        Taken::Accepted => receipt("accepted", event.sort.split(' ').next()),
        Taken::Duplicate(first) => receipt("duplicate", Some(first.as_str())),
    }
}

/// The hook that the token opens. A wrong token learns nothing: not even whether the hook exists.
async fn find(app: &App, trigger: &Trigger, call: &Call) -> Result<Arc<Hook>, Problem> {
    let unknown = || Problem::not_found("hook");
    let token = call.param("token");
    let id = HookId::of_token(token).ok_or_else(unknown)?;
    let hook = match app.hooks.get(&id, call.now) {
        Some(hook) => hook,
        None => {
            let hook = Arc::new(app.store.find::<Hook>(id.as_str()).await?.ok_or_else(unknown)?);
            app.hooks.put(id, Arc::clone(&hook), call.now);
            hook
        }
    };
    if hook.trigger == trigger.name && hook.takes(token, call.now) { Ok(hook) } else { Err(unknown()) }
}

async fn keep_rejected(app: &App, hook: &Hook, call: &Call, code: &str, detail: &str) -> Result<(), Problem> {
    let id = RejectedId::new(call.now, random()?);
    let rejected = RejectedCall {
        v: 1,
        list: rejected_key(&hook.connection, id.shard()),
        sort: format!("{id} {}", hook.id),
        pk: id,
        code: code.to_owned(),
        detail: detail.to_owned(),
        content_type: call.header(&header::CONTENT_TYPE).map(|value| value.chars().take(200).collect()),
        bytes: call.body.len() as u64,
        body: (call.body.len() <= MAX_BODY_BYTES).then(|| call.body.to_vec()),
        expires: call.now.plus_seconds(app.config.event_ttl_days * SECONDS_A_DAY).seconds(),
    };
    Ok(app.store.reject(&rejected).await?)
}

fn receipt(status: &'static str, event: Option<&str>) -> Result<Reply, Problem> {
    let mut reply = Reply::ok(&Receipt { status, event })?;
    if let Some(value) = event.and_then(|id| HeaderValue::from_str(id).ok()) {
        reply.headers.push((EVENT_HEADER, value));
    }
    reply.outcome = Some(status);
    reply.event = event.map(str::to_owned);
    Ok(reply)
}

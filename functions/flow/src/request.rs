//! What a route makes of an event: a signed request of its webhook, or the input of its action.

use crate::{expression::Fields, webhook};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use models::{ConnectionId, Envelope, Timestamp};
use runtime::{
    App, Problem,
    clock::random,
    store::routes::{EventRoute, Secret, Target, Webhook},
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use url::Url;

pub enum Prepared {
    Webhook { url: Url, headers: HeaderMap, body: Bytes },
    Action { action: String, connection: ConnectionId, input: Map<String, Value> },
}

/// Why nothing could be made of an event.
pub enum Unprepared {
    /// The route's expressions and the event don't go together.
    Event(String),
    Problem(Problem),
}

impl<E: Into<Problem>> From<E> for Unprepared {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// A CloudEvent in structured mode.
const EVENT: HeaderValue = HeaderValue::from_static("application/cloudevents+json");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a route's target is to be sent for an event.
pub async fn prepare(app: &App, route: &EventRoute, event: &Envelope) -> Result<Prepared, Unprepared> {
    let value = serde_json::to_value(event).map_err(Problem::internal)?;
    match &route.target {
        Target::Webhook(webhook) => prepare_webhook(app, route, webhook, event, &value).await,
        Target::Action(target) => {
            let input = filled(&target.input, &value)?;
            Ok(Prepared::Action { action: target.action.clone(), connection: target.connection.clone(), input })
        }
    }
}

async fn prepare_webhook(
    app: &App,
    route: &EventRoute,
    webhook: &Webhook,
    event: &Envelope,
    value: &Value,
) -> Result<Prepared, Unprepared> {
    let now = app.now();
    let (media, body) = match &webhook.body {
        None => (EVENT, serde_json::to_vec(event)),
        Some(fields) => (JSON, serde_json::to_vec(&filled(fields, value)?)),
    };
    let body = Bytes::from(body.map_err(Problem::internal)?);
    let mut headers = own_headers(app, route, webhook).await?;
    headers.insert(header::CONTENT_TYPE, media);
    headers.insert(TRACEPARENT, traceparent()?);
    let secrets = secrets(app, route, &webhook.secrets, now).await?;
    let signed = webhook::headers(&secrets, event.id.as_str(), now.seconds(), &body).map_err(Problem::internal)?;
    headers.extend(signed);
    Ok(Prepared::Webhook { url: webhook.url.parse().map_err(Problem::internal)?, headers, body })
}

/// The values of expressions by field.
fn filled(fields: &BTreeMap<String, String>, event: &Value) -> Result<Map<String, Value>, Unprepared> {
    let fields = fields.iter().map(|(name, text)| (name.clone(), Value::String(text.clone()))).collect();
    let compiled = Fields::compile(&fields, "").map_err(|faults| {
        let first = faults.into_iter().next().map(|fault| format!("{}: {}", fault.pointer, fault.detail));
        Unprepared::Event(first.unwrap_or_default())
    })?;
    compiled.evaluate(event).map_err(Unprepared::Event)
}

async fn own_headers(app: &App, route: &EventRoute, webhook: &Webhook) -> Result<HeaderMap, Problem> {
    let Some(sealed) = &webhook.headers else { return Ok(HeaderMap::new()) };
    let text = app.sealer()?.open(route.id.as_str(), sealed).await?;
    let fields: BTreeMap<String, String> = serde_json::from_str(&text).map_err(Problem::internal)?;
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::try_from(name).map_err(Problem::internal)?;
        let mut value = HeaderValue::try_from(value).map_err(Problem::internal)?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

/// The secrets that sign now, the newest first.
async fn secrets(
    app: &App,
    route: &EventRoute,
    secrets: &[Secret],
    now: Timestamp,
) -> Result<Vec<webhook::Secret>, Problem> {
    let mut opened = Vec::new();
    for secret in secrets.iter().filter(|secret| secret.expires_at.is_none_or(|end| now < end)) {
        let text = app.sealer()?.open(route.id.as_str(), &secret.sealed).await?;
        opened.push(text.parse().map_err(|_| Problem::internal("a route's secret can't be read"))?);
    }
    Ok(opened)
}

/// A trace of its own (W3C Trace Context).
fn traceparent() -> Result<HeaderValue, Problem> {
    let (trace, span) = (HEXLOWER.encode(&random::<16>()?), HEXLOWER.encode(&random::<8>()?));
    HeaderValue::try_from(format!("00-{trace}-{span}-01")).map_err(Problem::internal)
}

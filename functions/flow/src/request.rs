//! Request of a delivery: a signed webhook call, the input of an action, or a message for an AWS target.

use crate::{
    aws_target::{self, AwsMessage, TargetArn},
    mcp,
};
use app::App;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use expression::{EventValues, Expression, Fields};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use models::{ConnectionId, Effect, Envelope, EventId, RouteId, Timestamp, clock::random};
use serde_json::Value;
use std::collections::BTreeMap;
use store::routes::{ActionTarget, AwsTarget, McpTarget, SealedSecret, Target, WebhookTarget};
use url::Url;
use web::{HOPS_HEADER, Problem};

pub enum Prepared {
    Webhook {
        url: Url,
        headers: HeaderMap,
        body: Bytes,
    },
    Action {
        action: String,
        effect: Option<Effect>,
        keyed: bool,
        connection: ConnectionId,
        /// A JSON object.
        input: String,
    },
    Aws(Box<AwsMessage>),
}

/// The reason why no request could be made.
pub enum PrepareError {
    /// The route's expressions can't be applied to the event.
    Event(String),
    /// The deployment does not allow the target, or can't reach it.
    Target(String),
    Problem(Problem),
}

impl<E: Into<Problem>> From<E> for PrepareError {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

/// A route's target with its secrets decrypted and its expressions compiled.
pub enum ReadyTarget {
    Webhook(Box<ReadyWebhook>),
    Action { action: String, effect: Option<Effect>, keyed: bool, connection: ConnectionId, input: ReadyFields },
    Aws(Box<ReadyAws>),
}

pub struct ReadyAws {
    /// The reason if the deployment does not allow it.
    arn: Result<TargetArn, String>,
    input: Option<ReadyFields>,
    group: Option<Result<Expression, String>>,
}

pub struct ReadyWebhook {
    url: Url,
    headers: HeaderMap,
    body: WebhookBody,
    /// Secrets, each with its end if one is set.
    secrets: Vec<(webhook::Secret, Option<Timestamp>)>,
}

enum WebhookBody {
    /// The event as a CloudEvent.
    Event,
    Fields(ReadyFields),
    /// The event as MCP has it, for this subscription.
    Mcp(RouteId),
}

/// Compiled fields, or the reason why they can't be compiled.
type ReadyFields = Result<Fields, String>;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Media type of a CloudEvent in structured mode.
const EVENT_MEDIA: &str = "application/cloudevents+json";
const JSON_MEDIA: &str = "application/json";
const EVENT: HeaderValue = HeaderValue::from_static(EVENT_MEDIA);
const JSON: HeaderValue = HeaderValue::from_static(JSON_MEDIA);

impl ReadyTarget {
    pub async fn open(app: &App, route: &RouteId, target: &Target) -> Result<Self, Problem> {
        Ok(match target {
            Target::Webhook(webhook) => Self::Webhook(Box::new(ReadyWebhook {
                url: webhook.url.parse().map_err(Problem::internal)?,
                headers: route_headers(app, route, webhook).await?,
                body: webhook.body.as_ref().map_or(WebhookBody::Event, |body| WebhookBody::Fields(compile(body))),
                secrets: secrets(app, route, &webhook.secrets).await?,
            })),
            Target::Mcp(McpTarget { url, secrets: sealed, .. }) => Self::Webhook(Box::new(ReadyWebhook {
                url: app.sealer()?.open(route.as_str(), url).await?.parse().map_err(Problem::internal)?,
                headers: HeaderMap::new(),
                body: WebhookBody::Mcp(route.clone()),
                secrets: secrets(app, route, sealed).await?,
            })),
            Target::Action(ActionTarget { action, keyed, effect, connection, input }) => Self::Action {
                action: action.clone(),
                effect: *effect,
                keyed: *keyed,
                connection: connection.clone(),
                input: compile(input),
            },
            Target::Aws(AwsTarget { arn, input, group }) => Self::Aws(Box::new(ReadyAws {
                arn: aws_target::allowed(app, arn),
                input: input.as_ref().map(compile),
                group: group.as_ref().map(|text| Expression::compile_stored(text).map_err(|bad| bad.detail)),
            })),
        })
    }

    /// Builds the request for an event. `hops` is the event's hop count.
    pub fn prepare(&self, now: Timestamp, event: Envelope<'_>, hops: u8) -> Result<Prepared, PrepareError> {
        match self {
            Self::Webhook(webhook) => webhook.prepare(now, event, hops),
            Self::Action { action, effect, keyed, connection, input } => Ok(Prepared::Action {
                action: action.clone(),
                effect: *effect,
                keyed: *keyed,
                connection: connection.clone(),
                input: evaluated("the input", input, &event)?,
            }),
            Self::Aws(aws) => aws.prepare(event),
        }
    }

    /// The webhook, if it sends events as they are, without a body of its own.
    pub fn plain_webhook(&self) -> Option<&ReadyWebhook> {
        match self {
            Self::Webhook(webhook) if matches!(webhook.body, WebhookBody::Event) => Some(webhook),
            Self::Webhook(_) | Self::Action { .. } | Self::Aws(_) => None,
        }
    }
}

impl ReadyWebhook {
    fn prepare(&self, now: Timestamp, event: Envelope<'_>, hops: u8) -> Result<Prepared, PrepareError> {
        let id = event.id.clone();
        let (media, body) = match &self.body {
            WebhookBody::Event => (EVENT, Box::<str>::from(event.shown().map_err(Problem::internal)?).into()),
            WebhookBody::Fields(fields) => (JSON, evaluated("the body", fields, &event)?),
            WebhookBody::Mcp(_) => (JSON, Box::<str>::from(mcp::body(event).map_err(Problem::internal)?).into()),
        };
        self.signed(now, &id, (media, Bytes::from(body)), hops)
    }

    /// Builds the request of a plain webhook: its body is the event as a CloudEvent, `json`.
    pub fn prepare_plain(&self, now: Timestamp, id: &EventId, json: Bytes, hops: u8) -> Result<Prepared, PrepareError> {
        self.signed(now, id, (EVENT, json), hops)
    }

    fn signed(
        &self,
        now: Timestamp,
        id: &EventId,
        (media, body): (HeaderValue, Bytes),
        hops: u8,
    ) -> Result<Prepared, PrepareError> {
        let mut headers = self.headers.clone();
        headers.insert(header::CONTENT_TYPE, media);
        headers.insert(TRACEPARENT, traceparent()?);
        headers.insert(HOPS_HEADER, u16::from(hops.saturating_add(1)).into());
        let signing = self.secrets.iter().filter(|(_, end)| end.is_none_or(|end| now < end));
        let signing: Vec<webhook::Secret> = signing.map(|(secret, _)| secret.clone()).collect();
        let signed = match &self.body {
            WebhookBody::Mcp(subscription) => mcp::headers(subscription, &signing, mcp::message_id(id), now, &body),
            WebhookBody::Event | WebhookBody::Fields(_) => {
                webhook::headers(&signing, id.as_str(), now.seconds(), &body)
            }
        };
        headers.extend(signed.map_err(Problem::internal)?);
        Ok(Prepared::Webhook { url: self.url.clone(), headers, body })
    }
}

impl ReadyAws {
    fn prepare(&self, event: Envelope<'_>) -> Result<Prepared, PrepareError> {
        let arn = self.arn.clone().map_err(|refusal| PrepareError::Target(format!("the target's ARN {refusal}")))?;
        let group = self.group.as_ref().map(|expression| group_of(expression, &event)).transpose();
        let group = group.map_err(|message| PrepareError::Event(format!("the group: {message}")))?;
        let Envelope { id, source, event_type, time, .. } = event.clone();
        let (media_type, body) = match &self.input {
            None => (EVENT_MEDIA, Box::<str>::from(event.shown().map_err(Problem::internal)?).into()),
            Some(fields) => (JSON_MEDIA, evaluated("the input", fields, &event)?),
        };
        let body = aws_target::escaped(body);
        Ok(Prepared::Aws(Box::new(AwsMessage { arn, id, source, event_type, time, body, media_type, group })))
    }
}

fn group_of(expression: &Result<Expression, String>, event: &Envelope<'_>) -> Result<String, String> {
    aws_target::group(&expression.as_ref()?.evaluate(&EventValues::of(event))?)
}

fn compile(fields: &BTreeMap<String, String>) -> ReadyFields {
    let fields = fields.iter().map(|(name, text)| (name.clone(), Value::String(text.clone()))).collect();
    Fields::compile_stored(&fields).map_err(|faults| {
        let first = faults.into_iter().next().map(|fault| format!("{}: {}", fault.pointer, fault.detail));
        first.unwrap_or_default()
    })
}

/// A JSON object of the expressions' values.
fn evaluated(what: &str, fields: &ReadyFields, event: &Envelope<'_>) -> Result<String, PrepareError> {
    let fields = fields.as_ref().map_err(|message| PrepareError::Event(message.clone()))?;
    fields.evaluate(&EventValues::of(event), what).map_err(PrepareError::Event)
}

async fn route_headers(app: &App, route: &RouteId, webhook: &WebhookTarget) -> Result<HeaderMap, Problem> {
    let Some(sealed) = &webhook.headers else { return Ok(HeaderMap::new()) };
    let text = app.sealer()?.open(route.as_str(), sealed).await?;
    let fields: BTreeMap<String, String> = serde_json::from_str(&text).map_err(Problem::internal)?;
    let mut headers = HeaderMap::new();
    // A route of an earlier release may have headers that are no longer allowed.
    for (name, mut value) in fields.iter().filter_map(|(name, value)| webhook::route_header(name, value).ok()) {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The secrets, newest first.
async fn secrets(
    app: &App,
    route: &RouteId,
    secrets: &[SealedSecret],
) -> Result<Vec<(webhook::Secret, Option<Timestamp>)>, Problem> {
    let mut opened = Vec::new();
    for secret in secrets.iter().filter(|secret| secret.expires_at.is_none_or(|end| app.now() < end)) {
        let text = app.sealer()?.open(route.as_str(), &secret.sealed).await?;
        let read = text.parse().map_err(|_| Problem::internal("a route's secret can't be read"))?;
        opened.push((read, secret.expires_at));
    }
    Ok(opened)
}

/// A new trace (W3C Trace Context).
fn traceparent() -> Result<HeaderValue, Problem> {
    let (trace, span) = (HEXLOWER.encode(&random::<16>()?), HEXLOWER.encode(&random::<8>()?));
    HeaderValue::try_from(format!("00-{trace}-{span}-01")).map_err(Problem::internal)
}

#[cfg(test)]
mod tests;

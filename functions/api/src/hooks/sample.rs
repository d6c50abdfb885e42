//! `POST /v1/hooks/{id}/sample`: posts the trigger's sample body to the hook's public URL, so that the same code
//! answers as for the platform.

use super::view::{token, url, watch};
use crate::{ADMIN, control};
use app::{App, Route};
use client::TIMEOUT;
use data_encoding::BASE32_DNSSEC;
use models::clock::random;
use registry::TriggerEntry;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use store::hooks::{Hook, verification_token};
use web::{Code, EVENT_HEADER, Problem, Request, Response, respond};

#[derive(Serialize, JsonSchema)]
pub struct Sent {
    /// The body that was posted.
    body: Value,
    /// HTTP status of the hook's answer.
    status: u16,
    answer: Value,
    /// The event that was created, or that the body is a duplicate of; null while the hook is disabled.
    event: Option<String>,
}

pub const ROUTE: Route =
    Route::post("/v1/hooks/{id}/sample", ADMIN, "Send a sample body to a hook's own URL", |app, request| {
        Box::pin(send(app, request))
    })
    .answers::<Sent>();

pub async fn send(app: &App, request: Request) -> Result<Response, Problem> {
    let hook = control::find::<Hook>(app, &request).await?;
    let watch = watch(&hook)?;
    let sample = sample(&watch)?;
    let unreachable = |detail: String| Problem::new(Code::HookUnreachable, detail);
    let token = token(app, &hook).await?;
    let mut url = url(app, &request, &hook, &token)?;
    if watch.registrar().is_some() {
        url.push_str("?token=");
        url.push_str(&verification_token(&token));
    }
    let url = url.parse().map_err(Problem::internal)?;
    let http = app.http();
    let request =
        http.request(http::Method::POST, url)?.header("content-type", "application/json").body(sample.clone());
    let headers = watch.trigger.headers.iter();
    let request = headers.fold(request, |request, header| request.header(header.name, header.sample));
    let answer = http.send(request, TIMEOUT).await.map_err(|problem| {
        let advice = "check that PUBLIC_URL is this deployment's address";
        Problem { source: problem.source, ..unreachable(format!("{}: {advice}", problem.detail)) }
    })?;
    let event = answer.headers.get(EVENT_HEADER).and_then(|id| id.to_str().ok());
    respond::ok(&Sent {
        event: event.map(str::to_owned),
        body: serde_json::from_str(&sample).map_err(Problem::internal)?,
        status: answer.status.as_u16(),
        answer: serde_json::from_slice(&answer.body)
            .map_err(|_| unreachable(format!("the answer {} did not come from the hook", answer.status)))?,
    })
}

/// The trigger's sample body. If the platform numbers its messages, it gets a new message id.
fn sample(watch: &TriggerEntry) -> Result<String, Problem> {
    let Some(message) = watch.trigger.message else { return Ok(watch.sample.to_owned()) };
    let mut sample: Value = serde_json::from_str(watch.sample).map_err(Problem::internal)?;
    if let Some(id) = sample.pointer_mut(message.sample) {
        *id = Value::String(format!("sample-{}", BASE32_DNSSEC.encode(&random::<10>()?)));
    }
    Ok(sample.to_string())
}

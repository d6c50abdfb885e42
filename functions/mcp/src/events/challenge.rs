//! Challenge of an endpoint: before it gets any event, it must repeat a random text. So nobody can have events sent to
//! an endpoint that does not expect them.

use crate::message::RpcError;
use app::App;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use flow::mcp;
use http::{HeaderValue, header};
use models::{KeyId, RouteId, clock::random, fingerprint};
use serde_json::{Value, json};
use std::{slice, time::Duration};
use store::subscriptions::ProvenEndpoint;
use tokio::time::timeout;
use url::Url;
use web::Problem;
use webhook::{CallFailure, Secret, TargetAnswer, WebhookClient, guard::Guard};

/// Time limit for the answer.
const TIME: Duration = Duration::from_secs(5);
/// Time for which an endpoint need not prove itself again to the same key.
const PROOF_SECONDS: u64 = 86_400;

/// Challenges an endpoint, unless it has repeated a challenge for the same key within a day.
pub async fn pass(app: &App, key: &KeyId, subscription: &RouteId, url: &Url, secret: &Secret) -> Result<(), RpcError> {
    let id = fingerprint(&format!("{key} {url}"));
    let proven: Option<ProvenEndpoint> = app.store.find(&id).await?;
    if proven.is_some_and(|proven| app.now() < proven.until) {
        return Ok(());
    }
    challenge(app, subscription, url, secret).await?;
    let until = app.now().plus_seconds(PROOF_SECONDS);
    let proven = ProvenEndpoint { id, version: 1, until, expires: until.seconds() };
    Ok(app.store.create(&proven).await?)
}

async fn challenge(app: &App, subscription: &RouteId, url: &Url, secret: &Secret) -> Result<(), RpcError> {
    let [id, nonce] = [random::<16>()?, random::<16>()?].map(|bytes| HEXLOWER.encode(&bytes));
    let message_id = format!("msg_verification_{id}");
    let body = Bytes::from(json!({ "type": "verification", "challenge": nonce }).to_string());
    let mut headers = mcp::headers(subscription, slice::from_ref(secret), &message_id, app.now(), &body)
        .map_err(Problem::internal)?;
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let guard = Guard::new(app.config.delivery_allow_cidrs.clone());
    let client = WebhookClient::new(guard, app.config.trusted_roots).map_err(Problem::internal)?;
    match timeout(TIME, client.post(url, headers, body)).await {
        Err(_) => Err(RpcError::endpoint("timeout")),
        Ok(Err(failure)) => Err(RpcError::endpoint(reason_of(&failure))),
        Ok(Ok(answer)) => judge(&answer, &nonce).map_err(RpcError::endpoint),
    }
}

/// The reason as the protocol names it. It says nothing of the endpoint's answer, which the caller must not read.
fn judge(answer: &TargetAnswer, nonce: &str) -> Result<(), &'static str> {
    match answer.status {
        200..=299 => {}
        400..=499 => return Err("http_4xx"),
        500..=599 => return Err("http_5xx"),
        _ => return Err("challenge_failed"),
    }
    let body: Value = serde_json::from_str(&answer.body.text).unwrap_or_default();
    // Digests are compared, so that the time of the comparison says nothing of the text.
    let repeated = body["challenge"].as_str().is_some_and(|text| fingerprint(text) == fingerprint(nonce));
    if repeated { Ok(()) } else { Err("challenge_failed") }
}

const fn reason_of(failure: &CallFailure) -> &'static str {
    match failure {
        CallFailure::ConnectTimeout(_) | CallFailure::Timeout(_) => "timeout",
        CallFailure::NotConnected(_) => "connection_refused",
        CallFailure::Tls(_) => "tls_error",
        CallFailure::Refused(_)
        | CallFailure::ClosedEarly
        | CallFailure::BrokenOff(_)
        | CallFailure::HeadTooLarge
        | CallFailure::BadAnswer(_)
        | CallFailure::Unsendable(_) => "challenge_failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use webhook::Body;

    #[test]
    fn an_endpoint_passes_by_repeating_the_challenge() {
        let judged = |status, text: &str| {
            let body = Body { text: text.to_owned(), is_cut: false };
            judge(&TargetAnswer { status, retry_after: None, webhook_delivery: None, body }, "abc")
        };
        for text in [r#"{"challenge":"abc"}"#, r#"{ "more": 1, "challenge": "abc" }"#] {
            assert_eq!(judged(200, text), Ok(()), "{text}");
            assert_eq!(judged(204, text), Ok(()), "{text}");
        }
        for text in ["", "abc", r#""abc""#, r#"{"challenge":"ab"}"#, r#"{"challenge":["abc"]}"#, "[]", "{"] {
            assert_eq!(judged(200, text), Err("challenge_failed"), "{text}");
        }
        for (status, reason) in [(302, "challenge_failed"), (404, "http_4xx"), (410, "http_4xx"), (503, "http_5xx")] {
            assert_eq!(judged(status, r#"{"challenge":"abc"}"#), Err(reason), "{status}");
        }
    }
}

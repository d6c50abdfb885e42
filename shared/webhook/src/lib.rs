//! Client for the webhooks of routes. It follows no redirect, uses no proxy, and reads no more of an answer than is
//! kept. Everything but the status is parsed leniently.

mod answer;
mod connect;
mod failure;
pub mod guard;
mod headers;
mod signing;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

use crate::guard::{Guard, Refusal};
use answer::read;
pub use answer::{Body, TargetAnswer, kept};
use bytes::Bytes;
use connect::HttpClient;
pub use failure::CallFailure;
use http::{HeaderMap, HeaderName, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use roots::TrustedRoots;
use rustls::pki_types::CertificateDer;
pub use signing::{Secret, sign};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};
use url::Url;
use wire::Observations;
pub use {headers::of_route as route_header, headers::trimmed, signing::headers};

/// Header by which a target refuses further calls: `webhook-delivery: disable`.
pub const DELIVERY: HeaderName = HeaderName::from_static("webhook-delivery");

const TIMES: Timeouts = Timeouts { connect: Duration::from_secs(5), total: Duration::from_secs(15) };
/// Limit on the lines of an answer's head over HTTP/1, the same as in Node.js. Each answer allocates room for so many. The
/// HTTP library limits them to 400 KB.
/// <https://nodejs.org/api/http.html#requestmaxheaderscount>
const MAX_HEAD_LINES: usize = 2_000;
const MAX_HTTP2_HEAD_BYTES: u32 = 400 * 1024;
/// Limit on the bytes that an HTTP/2 target may send ahead of the reader.
const WINDOW_BYTES: u32 = 16 * 1024;
/// Retry limit for kept connections that were closed.
const MAX_STALE: usize = 3;

/// Time limits for connecting, and for a whole call.
#[derive(Debug, Clone, Copy)]
struct Timeouts {
    connect: Duration,
    total: Duration,
}

/// Posts to webhooks.
pub struct WebhookClient {
    guard: Arc<Guard>,
    times: Timeouts,
    https: HttpClient,
    /// For targets without TLS, if the guard allows any.
    plain: Option<HttpClient>,
}

impl WebhookClient {
    pub fn new(guard: Guard, roots: TrustedRoots) -> Result<Self, rustls::Error> {
        Self::build(guard, TIMES, roots, Vec::new())
    }

    /// A client that trusts these issuers in addition to the roots.
    fn build(
        guard: Guard,
        times: Timeouts,
        roots: TrustedRoots,
        issuers: Vec<CertificateDer<'static>>,
    ) -> Result<Self, rustls::Error> {
        let guard = Arc::new(guard);
        let (https, plain) = connect::clients(&guard, times, roots, issuers)?;
        Ok(Self { guard, times, https, plain })
    }

    /// Posts once. Any status is an outcome, even if the rest of the answer is invalid.
    pub async fn post(&self, url: &Url, headers: HeaderMap, body: Bytes) -> Result<TargetAnswer, CallFailure> {
        let plain = self.guard.check(url)?.plain;
        let client = if plain { self.plain.as_ref().ok_or(Refusal::Plain)? } else { &self.https };
        let uri: Uri = url.as_str().parse().map_err(|_| CallFailure::Unsendable("the URL can't be sent".to_owned()))?;
        let headers = headers::of_call(headers);
        let deadline = Instant::now() + self.times.total;
        let sent = timeout_at(deadline, send(client, &uri, &headers, &body)).await;
        match sent.map_err(|_| CallFailure::Timeout(self.times.total))? {
            Ok(response) => Ok(read(response, deadline).await),
            Err(error) => self.without_answer(&error),
        }
    }

    /// The outcome of a call whose answer is not valid HTTP: its status, if one was sent.
    fn without_answer(&self, error: &legacy::Error) -> Result<TargetAnswer, CallFailure> {
        let failure = CallFailure::of(error, self.times);
        match (&failure, observations(error).and_then(|observations| observations.status())) {
            (CallFailure::BadAnswer(_), Some(status)) => Ok(TargetAnswer::of_status(status)),
            _ => Err(failure),
        }
    }
}

/// Sends a request, and repeats it if its kept connection was closed. The target recognises a duplicate by its
/// `webhook-id`.
async fn send(
    client: &HttpClient,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response<Incoming>, legacy::Error> {
    let mut stale = 0;
    loop {
        let mut request = Request::post(uri.clone()).body(Full::new(body.clone())).unwrap_or_default();
        request.headers_mut().extend(headers.clone());
        match client.request(request).await {
            Err(error) if stale < MAX_STALE && is_unread(&error) => stale += 1,
            sent => return sent,
        }
    }
}

fn is_unread(error: &legacy::Error) -> bool {
    !error.is_connect()
        && (failure::is_unprocessed(error) || observations(error).is_some_and(|observations| observations.was_stale()))
}

/// The traffic of the connection on which a call failed.
fn observations(error: &legacy::Error) -> Option<Observations> {
    let mut extensions = http::Extensions::new();
    error.connect_info()?.get_extras(&mut extensions);
    extensions.remove()
}

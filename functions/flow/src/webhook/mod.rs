//! Calls the webhooks that routes lead to. It connects to addresses that the guard has checked and to no others,
//! follows no redirect, uses no proxy, and reads no more of an answer than is kept.

mod failure;
mod signing;
#[cfg(test)]
mod tests;

use crate::guard::{Guard, Refusal};
use bytes::Bytes;
pub use failure::Failure;
use http::{HeaderMap, HeaderName, header};
use reqwest::{
    Certificate, Client, ClientBuilder, Response,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
pub use signing::{Secret, headers, sign};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use url::Url;

/// By which a target asks for no more calls: `webhook-delivery: disable`.
pub const DELIVERY: HeaderName = HeaderName::from_static("webhook-delivery");

const TIMES: Times = Times { connect: Duration::from_secs(5), total: Duration::from_secs(15) };
/// A process that Lambda has frozen wakes to connections that are long gone.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// How much of an answer's body is kept.
const KEPT_BYTES: usize = 1024;
/// How much an HTTP/2 target may send ahead of what is read.
const WINDOW_BYTES: u32 = 16 * 1024;
/// The longest header of an answer that is looked at, in bytes.
const MOST_HEADER: usize = 100;

/// Headers that belong to the connection or to the message's length. No caller sets them.
pub const OWN_HEADERS: [HeaderName; 10] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
];

/// How long a call may take to connect, and as a whole.
#[derive(Debug, Clone, Copy)]
struct Times {
    connect: Duration,
    total: Duration,
}

/// What a target answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub status: u16,
    pub retry_after: Option<String>,
    pub webhook_delivery: Option<String>,
    /// At most the first 1 KB, less if the rest did not come in time.
    pub body: String,
}

/// Posts to webhooks.
pub struct WebhookClient {
    guard: Arc<Guard>,
    times: Times,
    https: Client,
    /// For what is called without TLS, where the guard allows that at all.
    plain: Option<Client>,
}

/// Resolves names for connections: to checked addresses, or not at all.
struct Checked {
    guard: Arc<Guard>,
    plain: bool,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, plain) = (self.guard.clone(), self.plain);
        Box::pin(async move {
            let addresses = guard.look_up(name.as_str(), plain).await?;
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

impl WebhookClient {
    pub fn new(guard: Guard) -> Result<Self, reqwest::Error> {
        Self::build(guard, TIMES, Vec::new())
    }

    /// A client that trusts these issuers besides the system's.
    fn build(guard: Guard, times: Times, issuers: Vec<Certificate>) -> Result<Self, reqwest::Error> {
        let guard = Arc::new(guard);
        let client = |plain| builder(times).dns_resolver(Checked { guard: guard.clone(), plain });
        let https = client(false).https_only(true).tls_certs_merge(issuers).build()?;
        // What speaks no TLS need not know whom to trust, which is most of what a client takes to make.
        let plain = guard.allows_any().then(|| client(true).tls_certs_only([]).build()).transpose()?;
        Ok(Self { guard, times, https, plain })
    }

    /// Posts once. Whatever status the target answers is an outcome, and stands even if the body breaks off.
    pub async fn post(&self, url: &Url, mut headers: HeaderMap, body: Bytes) -> Result<Outcome, Failure> {
        let plain = self.guard.check(url)?.plain;
        let client = if plain { self.plain.as_ref().ok_or(Refusal::Plain)? } else { &self.https };
        for name in OWN_HEADERS {
            headers.remove(name);
        }
        let sent = client.post(url.clone()).headers(headers).body(body).send().await;
        Ok(outcome(sent.map_err(|error| Failure::of(&error, self.times))?).await)
    }
}

fn builder(times: Times) -> ClientBuilder {
    Client::builder()
        .connect_timeout(times.connect)
        .timeout(times.total)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .http2_initial_stream_window_size(WINDOW_BYTES)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")))
}

async fn outcome(mut response: Response) -> Outcome {
    let text = |name: HeaderName| {
        let text = response.headers().get(name)?.to_str().ok()?;
        (text.len() <= MOST_HEADER).then(|| text.to_owned())
    };
    let (status, retry_after, webhook_delivery) =
        (response.status().as_u16(), text(header::RETRY_AFTER), text(DELIVERY));
    let mut body = Vec::new();
    while body.len() <= KEPT_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(KEPT_BYTES + 1)]),
            Ok(None) | Err(_) => break,
        }
    }
    Outcome { status, retry_after, webhook_delivery, body: kept(&body) }
}

/// The beginning of a body as a text that ends with a whole character.
pub(crate) fn kept(body: &[u8]) -> String {
    let mut end = body.len().min(KEPT_BYTES);
    while body.get(end).is_some_and(|next| next & 0xc0 == 0x80) && end > KEPT_BYTES - 4 {
        end -= 1;
    }
    let mut text = String::from_utf8_lossy(&body[..end]).into_owned();
    text.truncate(text.floor_char_boundary(KEPT_BYTES));
    text
}

//! Connections to targets: only to addresses that the guard has checked, and over TLS unless the guard allows plain
//! HTTP.

use super::{MAX_HEAD_LINES, MAX_HTTP2_HEAD_BYTES, Timeouts, WINDOW_BYTES, tls, wire::Wire};
use crate::guard::{Guard, Refusal};
use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use roots::TrustedRoots;
use rustls::pki_types::CertificateDer;
use std::{
    error::Error,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
    vec,
};
use tokio::{net::TcpStream, time::timeout};
use tower_service::Service;

/// Idle time after which a connection is not reused: a frozen Lambda process resumes with connections that are closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

pub type HttpClient = Client<Connector, Full<Bytes>>;

type Pending<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// The clients for targets with TLS and, if the guard allows any, without.
pub fn clients(
    guard: &Arc<Guard>,
    times: Timeouts,
    roots: TrustedRoots,
    issuers: Vec<CertificateDer<'static>>,
) -> Result<(HttpClient, Option<HttpClient>), rustls::Error> {
    let config = tls::config(roots, issuers)?;
    let client = |plain: bool| {
        let mut http = HttpConnector::new_with_resolver(Checked { guard: guard.clone(), plain });
        http.enforce_http(false);
        http.set_nodelay(true);
        let https = HttpsConnectorBuilder::new().with_tls_config(config.clone());
        let https = if plain { https.https_or_http() } else { https.https_only() };
        let https = https.enable_all_versions().wrap_connector(http);
        builder().build(Connector { https, timeout: times.connect })
    };
    Ok((client(false), guard.allows_any().then(|| client(true))))
}

/// A client that parses everything but the status leniently, within limits.
fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_max_headers(MAX_HEAD_LINES)
        .http2_max_header_list_size(MAX_HTTP2_HEAD_BYTES)
        .http2_initial_stream_window_size(WINDOW_BYTES);
    builder
}

/// Connects within a time limit.
#[derive(Clone)]
pub struct Connector {
    https: HttpsConnector<HttpConnector<Checked>>,
    timeout: Duration,
}

impl Service<Uri> for Connector {
    type Response = Wire<MaybeHttpsStream<TokioIo<TcpStream>>>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pending<Self::Response, Self::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = timeout(self.timeout, self.https.call(uri));
        Box::pin(async move { Ok(Wire::new(connecting.await??)) })
    }
}

/// A resolver that returns only checked addresses.
#[derive(Clone)]
struct Checked {
    guard: Arc<Guard>,
    plain: bool,
}

impl Service<Name> for Checked {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Refusal;
    type Future = Pending<Self::Response, Refusal>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (guard, plain) = (self.guard.clone(), self.plain);
        Box::pin(async move {
            let addresses = guard.look_up(name.as_str(), plain).await?;
            // The connector sets the port.
            Ok(addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect::<Vec<_>>().into_iter())
        })
    }
}

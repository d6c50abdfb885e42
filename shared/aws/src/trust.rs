//! HTTPS client of the AWS clients. A few roots sign AWS's endpoints, and loading those takes a tenth of the time of
//! loading all system roots. If they don't verify a server, it is verified against the system's roots. So exactly the
//! system's roots are trusted.

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::{
    Connector, HttpClientError,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{
        HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
        http_client_fn,
    },
    orchestrator::HttpRequest,
    result::ConnectorError,
};
use std::{
    error::Error,
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// The roots of Amazon Trust Services, <https://www.amazontrust.com/repository/>.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon_roots.pem");
/// Time limit of a connection with its TLS handshake: shorter than an attempt, and long enough for the repetition of a
/// lost SYN after 1 s.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Creates a client that is ready for its first request.
pub fn http_client() -> Result<SharedHttpClient, HttpClientError> {
    let connector = http_connector()?;
    Ok(http_client_fn(move |_, _| connector.clone()))
}

/// The client's connector, for requests that no SDK client makes.
pub fn http_connector() -> Result<SharedHttpConnector, HttpClientError> {
    let roots = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    let amazon = connector(TlsContext::builder().with_trust_store(roots).build()?);
    let connectors = RootConnectors { amazon, system: OnceLock::new(), proven: AtomicBool::new(false) };
    Ok(SharedHttpConnector::new(FallbackConnector(Arc::new(connectors))))
}

#[derive(Debug)]
struct FallbackConnector(Arc<RootConnectors>);

#[derive(Debug)]
struct RootConnectors {
    amazon: Connector,
    system: OnceLock<Connector>,
    /// True once the first connector has reached a server. Until then a copy of the request is kept, to be sent by the
    /// second.
    proven: AtomicBool,
}

impl HttpConnector for FallbackConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connectors = Arc::clone(&self.0);
        if let Some(system) = connectors.system.get() {
            return system.call(request);
        }
        let kept = (!connectors.proven.load(Ordering::Relaxed)).then(|| request.try_clone()).flatten();
        let calling = connectors.amazon.call(request);
        HttpConnectorFuture::new(async move {
            let called = calling.await;
            let unknown = called.as_ref().err().is_some_and(is_of_unknown_issuer);
            connectors.proven.store(called.is_ok(), Ordering::Relaxed);
            match kept {
                Some(request) if unknown => {
                    connectors.system.get_or_init(|| connector(TlsContext::default())).call(request).await
                }
                _ => called,
            }
        })
    }
}

fn connector(context: TlsContext) -> Connector {
    Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(context)
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build())
        .sleep_impl(TokioSleep::new())
        .build()
}

/// True if no trusted root signed the server's certificate. In that case no request was sent.
fn is_of_unknown_issuer(error: &ConnectorError) -> bool {
    use rustls::{CertificateError::UnknownIssuer, Error::InvalidCertificate};
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(InvalidCertificate(UnknownIssuer)) = error.downcast_ref() {
            return true;
        }
        // An I/O error hides the error that it wraps: its source is that error's source.
        let wrapped = error.downcast_ref().and_then(io::Error::get_ref);
        cause = wrapped.map_or_else(|| error.source(), |wrapped| Some(wrapped));
    }
    false
}

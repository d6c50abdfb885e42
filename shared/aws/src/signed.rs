//! Signed requests to AWS services that have no SDK client here: a POST with a signature of version 4. An SDK crate for
//! each service would take 70 to 100 KB of a function's zip, this module 20 KB for all.

use crate::{deadline, trust};
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector as _, SharedHttpConnector},
    identity::Identity,
    orchestrator::HttpRequest,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use aws_types::SdkConfig;
use http::{HeaderMap, Method};
use models::{Timestamp, causes};
use std::{
    error::Error,
    time::{Duration, SystemTime},
};

/// Makes signed requests. A process keeps the credentials that it started with.
#[derive(Clone)]
pub struct SignedClient {
    connector: SharedHttpConnector,
    sdk: SdkConfig,
}

/// A request before it is signed.
#[derive(Debug, Clone)]
pub struct UnsignedRequest {
    /// The service's name in signatures.
    pub service: &'static str,
    pub region: String,
    pub url: String,
    pub headers: HeaderMap,
    pub body: String,
}

/// The parts of an answer that callers use.
#[derive(Debug)]
pub struct ServiceAnswer {
    pub status: u16,
    /// Lambda's error code, with its namespace.
    pub error_type: Option<String>,
    pub retry_after: Option<String>,
    pub body: Vec<u8>,
}

type BoxError = Box<dyn Error + Send + Sync>;

impl SignedClient {
    /// Creates a client with a connection pool of its own.
    pub fn new(sdk: &SdkConfig) -> Result<Self, BoxError> {
        Ok(Self::over(trust::http_connector()?, sdk))
    }

    pub fn over(connector: SharedHttpConnector, sdk: &SdkConfig) -> Self {
        Self { connector, sdk: sdk.clone() }
    }

    /// An endpoint other than AWS's own.
    pub fn endpoint(&self) -> Option<&str> {
        self.sdk.endpoint_url()
    }

    /// Sends a request once. The error is the reason why there is no answer; the request may have been carried out.
    pub async fn post(
        &self,
        now: Timestamp,
        request: UnsignedRequest,
        limit: Duration,
    ) -> Result<ServiceAnswer, String> {
        let limit = deadline::within(limit, Duration::ZERO);
        match tokio::time::timeout(limit, self.answer(now, request)).await {
            Ok(answered) => answered.map_err(|error| format!("no answer: {}", causes(&*error))),
            Err(_) => Err(format!("no answer within {} s", limit.as_secs())),
        }
    }

    async fn answer(&self, now: Timestamp, request: UnsignedRequest) -> Result<ServiceAnswer, BoxError> {
        let credentials = self.sdk.credentials_provider().ok_or("there are no credentials")?;
        let identity = credentials.provide_credentials().await?.into();
        let response = self.connector.call(signed(now, request, &identity)?).await?;
        let (status, text) = (response.status().as_u16(), |name| response.headers().get(name).map(str::to_owned));
        let (error_type, retry_after) = (text("x-amzn-errortype"), text("retry-after"));
        let body = ByteStream::new(response.into_body()).collect().await?.to_vec();
        Ok(ServiceAnswer { status, error_type, retry_after, body })
    }
}

fn signed(now: Timestamp, request: UnsignedRequest, identity: &Identity) -> Result<HttpRequest, BoxError> {
    let UnsignedRequest { service, region, url, headers, body } = request;
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(now.millis());
    let params = v4::SigningParams::builder()
        .identity(identity)
        .region(&region)
        .name(service)
        .time(time)
        .settings(SigningSettings::default())
        .build()?
        .into();
    let texts = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let signable =
        SignableRequest::new(Method::POST.as_str(), url.as_str(), texts, SignableBody::Bytes(body.as_bytes()))?;
    let (instructions, _) = sign(signable, &params)?.into_parts();
    let mut request = http::Request::new(SdkBody::from(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.parse()?;
    *request.headers_mut() = headers;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request.try_into()?)
}

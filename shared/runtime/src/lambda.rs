//! The door of Lambda: API Gateway's requests in, answers out.

use crate::{
    App, Function,
    clock::SystemClock,
    config::{BadSetting, Config, Settings},
    function::{Request, Router},
    log,
};
use aws_config::{BehaviorVersion, SdkConfig};
use bytes::Bytes;
use lambda_http::{Body, RequestExt as _, request::RequestContext, service_fn};
pub use lambda_runtime::Error;
use std::{future::Future, sync::Arc};

/// Serves one function until Lambda ends the process. Not generic, so that the heavy code is compiled once.
pub fn serve(function: &'static Function) -> Result<(), Error> {
    block_on(async move {
        let app = Arc::new(start(&sdk_config().await)?);
        let router = Arc::new(Router::new(&[function])?);
        lambda_http::run(service_fn(move |request: lambda_http::Request| {
            let (app, router) = (Arc::clone(&app), Arc::clone(&router));
            async move {
                let response = router.answer(&app, accept(request)).await;
                Ok::<_, Error>(response.map(body))
            }
        }))
        .await
    })
}

/// Runs a function that is not called over HTTP.
pub fn block_on(serving: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serving)
}

/// What every AWS client is made from.
pub async fn sdk_config() -> SdkConfig {
    aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await
}

/// Reads the settings, starts the log and makes the store's client.
pub fn start(sdk: &SdkConfig) -> Result<App, BadSetting> {
    let config = Config::read(&Settings::from_env())?;
    log::start(&config);
    Ok(App::new(config, aws_sdk_dynamodb::Client::new(sdk), Some(sdk.clone()), Arc::new(SystemClock)))
}

fn accept(request: lambda_http::Request) -> Request {
    let request_id = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    };
    let path = request.raw_http_path().to_owned();
    let (parts, body) = request.into_parts();
    let body = match body {
        Body::Text(text) => Bytes::from(text),
        Body::Binary(bytes) => Bytes::from(bytes),
        _ => Bytes::new(),
    };
    let query = parts.uri.query().unwrap_or_default().to_owned();
    Request { request_id, method: parts.method, path, query, headers: parts.headers, body }
}

fn body(bytes: Vec<u8>) -> Body {
    String::from_utf8(bytes).map_or_else(|error| Body::Binary(error.into_bytes()), Body::Text)
}

//! The door of Lambda: API Gateway's requests in, answers out; or bare JSON, for a function that is invoked directly.

use crate::{
    App, Code, Function,
    clock::SystemClock,
    config::{BadSetting, Config, Settings},
    function::{Failed, Request, Router, invoke},
    log,
};
use aws_config::{BehaviorVersion, SdkConfig};
use bytes::Bytes;
use lambda_http::{
    Adapter, Body, RequestExt as _, Service as _,
    request::{LambdaRequest, RequestContext},
};
pub use lambda_runtime::Error;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::{RawValue, to_raw_value};
use std::{future::Future, sync::Arc};

/// Serves one function until Lambda ends the process. Not generic, so that the heavy code is compiled once.
pub fn serve(function: &'static Function) -> Result<(), Error> {
    block_on(async move {
        let app = Arc::new(start(&sdk_config().await)?);
        let router = Arc::new(Router::new(&[function])?);
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
            let (app, router) = (Arc::clone(&app), Arc::clone(&router));
            async move {
                let LambdaEvent { payload, context } = event;
                if is_http(&payload) {
                    answer(&app, &router, LambdaEvent::new(payload, context)).await
                } else {
                    let input = Bytes::from(String::from(Box::<str>::from(payload)));
                    invoke(&app, function, &context.request_id, input).await.map_err(Diagnostic::from).and_then(json)
                }
            }
        }))
        .await
    })
}

/// Whether an event is a request that came through API Gateway, rather than bare JSON.
fn is_http(event: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Event {
        #[serde(rename = "requestContext")]
        _context: Context,
    }
    #[derive(Deserialize)]
    struct Context {
        #[serde(rename = "http")]
        _http: IgnoredAny,
    }
    serde_json::from_str::<Event>(event.get()).is_ok()
}

async fn answer(app: &App, router: &Router, event: LambdaEvent<Box<RawValue>>) -> Result<Box<RawValue>, Diagnostic> {
    let request: LambdaRequest = serde_json::from_str(event.payload.get()).map_err(unreadable)?;
    let mut adapter = Adapter::from(service_fn(|request: lambda_http::Request| async {
        Ok::<_, Diagnostic>(router.answer(app, accept(request)).await.map(body))
    }));
    let response = adapter.call(LambdaEvent::new(request, event.context)).await?;
    to_raw_value(&response).map_err(unreadable)
}

fn json(output: Vec<u8>) -> Result<Box<RawValue>, Diagnostic> {
    let text = String::from_utf8(output).map_err(unreadable)?;
    RawValue::from_string(text).map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> Diagnostic {
    Diagnostic { error_type: Code::Internal.as_str().to_owned(), error_message: error.to_string() }
}

/// Step Functions and other callers tell errors apart by the type.
impl From<Failed> for Diagnostic {
    fn from(failed: Failed) -> Self {
        Self { error_type: failed.code.as_str().to_owned(), error_message: failed.problem }
    }
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

//! Entry point of functions on Lambda: requests from API Gateway, or bare JSON from direct invocations.

use crate::{App, Config, Function, Router, config::LogFormat, log};
use aws::{Environment, deadline};
use aws_types::SdkConfig;
use bytes::Bytes;
pub use lambda_runtime::Error;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use models::clock::SystemClock;
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::value::{RawValue, to_raw_value};
use std::{fmt, future::Future, sync::Arc, time::Instant};
use tracing::Level;
use web::{
    InvocationError, Problem, Service as _, gateway, invoke, refuse,
    settings::{Setting, SettingError, Settings},
};

/// Serves one function until Lambda ends the process. It is not generic, so that the heavy code is compiled once.
pub fn serve(function: &'static Function) -> Result<(), Error> {
    serve_checked(function, |_| Ok(()))
}

/// Serves a function that sends to the delivery queue. A laptop, whose sealing key is a file, has no queue: the sweep
/// finds due deliveries in the table.
pub fn serve_sending(function: &'static Function) -> Result<(), Error> {
    serve_checked(function, |config| match (&config.sealing_key_arn, &config.delivery_queue_url) {
        (Some(_), None) => Err(SettingError::unset("DELIVERY_QUEUE_URL")),
        _ => Ok(()),
    })
}

/// Serves a function that invokes others. A laptop, whose sealing key is a file, may have no others.
pub fn serve_invoking(function: &'static Function) -> Result<(), Error> {
    serve_checked(function, |config| match (&config.sealing_key_arn, &config.action_function_prefix) {
        (Some(_), None) => Err(SettingError::unset("ACTION_FUNCTION_PREFIX")),
        (Some(_), _) if !config.api_functions.contains_key("api-events") => Err(SettingError::unset("EVENTS_FUNCTION")),
        (Some(_), _) if !config.api_functions.contains_key("api-deliveries") => {
            Err(SettingError::unset("DELIVERIES_FUNCTION"))
        }
        _ => Ok(()),
    })
}

/// Serves a function after a further check of its settings.
pub fn serve_checked(function: &'static Function, check: fn(&Config) -> Result<(), SettingError>) -> Result<(), Error> {
    block_on(async move {
        let app = start(&sdk_config()?, &(function.settings)())?;
        check(&app.config)?;
        let router = Router::new(&[function])?;
        let (app, router) = (&app, &router);
        run(app, move |event: LambdaEvent<Box<RawValue>>| async move {
            let (payload, context) = event.into_parts();
            handle(app, router, function, payload, &context.request_id).await.map_err(diagnostic)
        })
        .await
    })
}

/// Passes invocations to a function, each with its deadline, until Lambda ends the process. Metrics are written before
/// the answer, because Lambda may freeze the process afterwards.
pub async fn run<A, R, E, F>(app: &App, handle: impl Fn(LambdaEvent<A>) -> F) -> Result<(), Error>
where
    A: DeserializeOwned,
    R: Serialize,
    E: Into<Diagnostic> + fmt::Debug,
    F: Future<Output = Result<R, E>>,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<A>| {
        let ends = event.context.deadline;
        let handling = deadline::scope(ends, app.now(), handle(event));
        async move {
            let handled = handling.await;
            app.metrics.flush(app.now());
            handled
        }
    }))
    .await
}

async fn handle(
    app: &App,
    router: &Router,
    function: &Function,
    event: Box<RawValue>,
    request_id: &str,
) -> Result<Box<RawValue>, InvocationError> {
    let failed = |problem: Problem| InvocationError::new(&problem, request_id);
    let started = Instant::now();
    let response = match gateway::request(&event) {
        Ok(request) => {
            let (response, log) = router.answer(app, request).await;
            if !(log.is_webhook && log_with_metrics(app, &log)) {
                log.write();
            }
            response
        }
        Err(problem) if is_http(&event) => {
            let refused = refuse(&problem);
            if function.takes_webhooks() {
                app.count_webhook(refused.status(), started.elapsed());
            }
            refused
        }
        Err(_) => {
            let input = Bytes::from(String::from(Box::<str>::from(event)));
            let output = invoke(app, function, request_id, input).await?;
            let output = String::from_utf8(output).map_err(|error| failed(Problem::internal(error)))?;
            return RawValue::from_string(output).map_err(|error| failed(Problem::internal(error)));
        }
    };
    to_raw_value(&gateway::answer(response)).map_err(|error| failed(Problem::internal(error)))
}

/// Adds the end of an invocation to the line of its metrics: a line of its own would be billed with its time and 26 bytes
/// again. False if there is no such line, or if `RUST_LOG` or `LOG_FORMAT` asks for another.
pub fn log_with_metrics(app: &App, fields: &impl Serialize) -> bool {
    let is_asked = app.config.log_format == LogFormat::Json && tracing::enabled!(Level::INFO);
    is_asked && app.metrics.add_fields(fields)
}

/// True for an event from API Gateway that can't be parsed as a request, as opposed to bare JSON.
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
    // serde would accept a list in place of a struct.
    event.get().starts_with('{') && serde_json::from_str::<Event>(event.get()).is_ok()
}

/// A failed invocation for Lambda. Step Functions and other callers branch on the error's type.
fn diagnostic(failed: InvocationError) -> Diagnostic {
    Diagnostic { error_type: failed.code.as_str().to_owned(), error_message: failed.problem }
}

/// Runs a function that is not called over HTTP.
pub fn block_on(serving: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serving)
}

/// Configuration of the AWS clients, from Lambda's environment.
pub fn sdk_config() -> Result<SdkConfig, Error> {
    let settings = Settings::from_env();
    aws::sdk_config(Environment {
        access_key_id: settings.required("AWS_ACCESS_KEY_ID")?,
        secret_access_key: settings.required("AWS_SECRET_ACCESS_KEY")?,
        session_token: settings.get("AWS_SESSION_TOKEN").map(str::to_owned),
        region: settings.required("AWS_REGION")?,
        endpoint_url: settings.url("AWS_ENDPOINT_URL")?.map(String::from),
    })
}

/// Reads the settings, starts the log and creates the app.
pub fn start(sdk: &SdkConfig, platforms: &[&'static Setting]) -> Result<App, SettingError> {
    let config = Config::read(&Settings::from_env(), platforms)?;
    // Every function needs a sealing key, so that none fails in the middle of a call for lack of one.
    if config.sealing_key_arn.is_none() && config.sealing_key_file.is_none() {
        return Err(SettingError::unset("SEALING_KEY_ARN"));
    }
    log::start(&config);
    Ok(App::new(config, aws_sdk_dynamodb::Client::new(sdk), Some(sdk.clone()), Arc::new(SystemClock)))
}

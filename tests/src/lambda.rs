//! Lambda's Runtime API, played to a function that runs as a process of its own, from its real binary.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use crate::{ADMIN_KEY, Bundle, Process, binary};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path, State},
    http::{Response, StatusCode},
    routing::{get, post},
};
use models::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    future::pending,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::{
        Mutex, Notify,
        mpsc::{Receiver, Sender, channel},
    },
    time::timeout,
};
use web::settings::Setting;

/// Lambda's limit for a response.
const MAX_ANSWER_BYTES: usize = 6_291_556;
/// Limit for one invocation, from the event to the outcome.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);
/// Default timeout of a function: that of the actions and of the API's functions.
const TIMEOUT: Duration = Duration::from_secs(29);
const DATABASE_KEY: &str = "a-key-of-the-database-for-tests";

/// Outcome of an invocation.
#[derive(Debug)]
pub enum Outcome {
    Answered(Value),
    /// An error, with its message parsed as JSON.
    Failed {
        error_type: String,
        problem: Value,
    },
}

impl Outcome {
    pub fn answer(self) -> Value {
        match self {
            Self::Answered(answer) => answer,
            Self::Failed { problem, .. } => panic!("it failed: {problem}"),
        }
    }

    /// Problem document of a failure, whose error type must be this code.
    pub fn problem(self, code: &str) -> Value {
        match self {
            Self::Failed { error_type, problem } => {
                assert_eq!((error_type.as_str(), problem["code"].as_str()), (code, Some(code)), "{problem}");
                problem
            }
            Self::Answered(answer) => panic!("it answered: {answer}"),
        }
    }
}

/// Counter of request ids, which are unique over all processes.
static INVOKED: AtomicUsize = AtomicUsize::new(1);

/// Running function that waits for invocations.
pub struct Lambda {
    process: Process,
    api: RuntimeApi,
    folder: TempDir,
}

/// The Runtime API of one function.
pub struct RuntimeApi {
    /// Host and port, in the form of `AWS_LAMBDA_RUNTIME_API`.
    pub address: String,
    invocations: Sender<Invocation>,
    outcomes: Receiver<(String, Outcome)>,
    polled: Arc<Notify>,
    /// Request id of the last invocation.
    id: String,
}

struct Invocation {
    id: String,
    event: Bytes,
    timeout: Duration,
}

struct Played {
    invocations: Mutex<Receiver<Invocation>>,
    outcomes: Sender<(String, Outcome)>,
    polled: Arc<Notify>,
}

impl RuntimeApi {
    pub async fn start() -> Self {
        let (invocations, taken) = channel(1);
        let (given, outcomes) = channel(1);
        let polled = Arc::new(Notify::new());
        let played = Played { invocations: Mutex::new(taken), outcomes: given, polled: Arc::clone(&polled) };
        Self { address: serve(played).await, invocations, outcomes, polled, id: String::new() }
    }

    /// Waits until the function asks for an invocation.
    pub async fn polled(&self) {
        timeout(ANSWER_TIMEOUT, self.polled.notified()).await.expect("a function that starts");
    }

    /// Invokes the function with the bytes of an event.
    pub async fn invoke(&mut self, event: impl Into<Bytes>) -> Outcome {
        self.invoke_for(TIMEOUT, event).await
    }

    /// Invokes a function whose timeout differs from the default.
    pub async fn invoke_for(&mut self, timeout: Duration, event: impl Into<Bytes>) -> Outcome {
        self.id = format!("8476a536-e9f4-11e8-9739-{:012}", INVOKED.fetch_add(1, Ordering::Relaxed));
        self.ask(timeout, event.into()).await
    }

    /// Invokes it under the id of the last invocation.
    pub async fn invoke_again(&mut self, event: impl Into<Bytes>) -> Outcome {
        self.ask(TIMEOUT, event.into()).await
    }

    async fn ask(&mut self, lasting: Duration, event: Bytes) -> Outcome {
        let id = self.id.clone();
        let invocation = Invocation { id: id.clone(), event, timeout: lasting };
        self.invocations.send(invocation).await.expect("a server");
        let answered = timeout(ANSWER_TIMEOUT, self.outcomes.recv()).await;
        let Ok(Some((answers, outcome))) = answered else {
            panic!("the function did not answer within {ANSWER_TIMEOUT:?}")
        };
        assert_eq!(answers, id, "it answers another invocation");
        outcome
    }
}

impl Lambda {
    /// Starts a function on the bundle's database, which it reaches over HTTP, and on its sealing key.
    pub async fn start(function: &str, bundle: &Bundle, settings: &[(&str, &str)]) -> Self {
        let api = RuntimeApi::start().await;
        let database = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", database.local_addr().expect("its address"));
        tokio::spawn(embedded::serve(bundle.local.database.clone(), database, DATABASE_KEY.to_owned(), pending()));

        let config = &bundle.local.app.config;
        let sealing_key = config.sealing_key_file.as_ref().and_then(|file| file.to_str()).expect("a sealing key");
        let own = [
            ("AWS_LAMBDA_RUNTIME_API", api.address.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", function),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "group"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "stream"),
            ("AWS_ENDPOINT_URL", &endpoint),
            ("AWS_REGION", "local"),
            ("AWS_ACCESS_KEY_ID", DATABASE_KEY),
            ("AWS_SECRET_ACCESS_KEY", "not-verified"),
            ("CONTROL_TABLE", &config.tables.control),
            ("EVENTS_TABLE", &config.tables.events),
            ("RECORDS_TABLE", &config.tables.records),
            ("DELIVERIES_TABLE", &config.tables.deliveries),
            ("SEALING_KEY_FILE", sealing_key),
            // Pretty logs go to standard error, which the tests read.
            ("LOG_FORMAT", "pretty"),
        ];
        let of_platform = |setting: &Setting| match config.platforms.url(setting) {
            Ok(url) => (setting.name, url.as_str()),
            Err(_) => (setting.name, config.platforms.text(setting).expect("a setting that every bundle has")),
        };
        let platforms: Vec<_> = registry::settings().into_iter().map(of_platform).collect();
        let settings: Vec<_> = own.iter().chain(&platforms).chain(settings).copied().collect();
        let folder = TempDir::new().expect("a folder");
        let output = File::create(output_of(&folder)).expect("a file");
        let process = Process::spawn_into(output, &binary(function), folder.path(), &settings);
        Self { process, api, folder }
    }

    /// Invokes it with the text of an event.
    pub async fn invoke_text(&mut self, event: impl Into<Bytes>) -> Outcome {
        self.api.invoke(event).await
    }

    pub async fn invoke(&mut self, event: &Value) -> Outcome {
        self.invoke_text(event.to_string()).await
    }

    /// Invokes it with a timeout of its own.
    pub async fn invoke_for(&mut self, timeout: Duration, event: &Value) -> Outcome {
        self.api.invoke_for(timeout, event.to_string()).await
    }

    /// Invokes it under the id of the last invocation, as Lambda does by itself when an asynchronous one has failed.
    pub async fn invoke_again(&mut self, event: &Value) -> Outcome {
        self.api.invoke_again(event.to_string()).await
    }

    /// Standard output so far, as lines of JSON.
    pub fn output(&self) -> Vec<Value> {
        let text = fs::read_to_string(output_of(&self.folder)).expect("its standard output");
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    /// Stops the function and returns its log.
    pub fn log(self) -> String {
        self.process.signal("TERM");
        self.process.ended().1
    }
}

fn output_of(folder: &TempDir) -> PathBuf {
    folder.path().join("stdout")
}

/// API Gateway's event for an HTTP request with the admin key.
pub fn http_event(method: &str, path: &str, body: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": format!("{method} {path}"),
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "accept": "*/*", "authorization": format!("Bearer {ADMIN_KEY}"), "content-length": body.len().to_string(),
            "content-type": "application/json", "host": "abc123.execute-api.eu-central-1.amazonaws.com",
            "user-agent": "curl/8.5.0", "x-amzn-trace-id": "Root=1-67890abc-0123456789abcdef01234567",
            "x-forwarded-for": "203.0.113.7", "x-forwarded-port": "443", "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "123456789012", "apiId": "abc123",
            "domainName": "abc123.execute-api.eu-central-1.amazonaws.com", "domainPrefix": "abc123",
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7",
                "userAgent": "curl/8.5.0",
            },
            "requestId": "JKJaXmPLvHcESHA=", "routeKey": format!("{method} {path}"), "stage": "$default",
            "time": "12/Mar/2026:19:03:58 +0000", "timeEpoch": 1_773_342_238_000_u64,
        },
        "body": body,
        "isBase64Encoded": false,
    })
}

async fn serve(played: Played) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(answered))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(failed))
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::new(played));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn next(State(played): State<Arc<Played>>) -> Response<Body> {
    played.polled.notify_one();
    let Some(invocation) = played.invocations.lock().await.recv().await else { return pending().await };
    let timeout = u64::try_from(invocation.timeout.as_millis()).expect("a timeout in milliseconds");
    let deadline = SystemClock.now().millis() + timeout;
    Response::builder()
        .header("lambda-runtime-aws-request-id", invocation.id)
        .header("lambda-runtime-deadline-ms", deadline)
        .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:123456789012:function:f")
        .header("lambda-runtime-trace-id", "Root=1-67890abc-0123456789abcdef01234567;Sampled=0")
        .body(invocation.event.into())
        .expect("a response")
}

async fn answered(State(played): State<Arc<Played>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    let outcome = |body: &[u8]| Outcome::Answered(serde_json::from_slice(body).expect("JSON"));
    played.take(id, &body, outcome).await
}

async fn failed(State(played): State<Arc<Played>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    let outcome = |body: &[u8]| {
        let error: Value = serde_json::from_slice(body).expect("JSON");
        let message = crate::string(&error["errorMessage"]);
        let problem = serde_json::from_str(&message).unwrap_or(Value::String(message));
        Outcome::Failed { error_type: crate::string(&error["errorType"]), problem }
    };
    played.take(id, &body, outcome).await
}

impl Played {
    /// Accepts a response or an error. An oversized response becomes Lambda's own error.
    async fn take(&self, id: String, body: &[u8], outcome: impl FnOnce(&[u8]) -> Outcome) -> StatusCode {
        let (status, outcome) = if body.len() > MAX_ANSWER_BYTES {
            let error_type = "Function.ResponseSizeTooLarge".to_owned();
            (StatusCode::PAYLOAD_TOO_LARGE, Outcome::Failed { error_type, problem: body.len().into() })
        } else {
            (StatusCode::ACCEPTED, outcome(body))
        };
        // The test may have ended.
        let _ = self.outcomes.send((id, outcome)).await;
        status
    }
}

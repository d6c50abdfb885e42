//! The five AWS services that routes target, and a webhook and a platform beside them, on one server. They answer as a test
//! says, in the form that each service documents, and keep what they are sent. Each request's signature is verified.

use crate::support::signature::{Scope, verify};
use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, Response, Uri},
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tests::Bundle;
use tokio::net::TcpListener;

const SECRET_KEY: &str = "a secret key that signs";
const ACCOUNT: &str = "123456789012";

/// One target of each kind, FIFO ones apart.
pub const BUS: &str = "arn:aws:events:us-east-1:123456789012:event-bus/orders";
pub const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:orders";
pub const FIFO_QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:orders.fifo";
pub const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:orders";
pub const FIFO_TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:orders.fifo";
pub const STATE_MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:orders:live";
pub const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders:$LATEST";
pub const ALL: [&str; 7] = [BUS, QUEUE, FIFO_QUEUE, TOPIC, FIFO_TOPIC, STATE_MACHINE, FUNCTION];

/// Outcome of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Play {
    Taken,
    Throttled,
    /// Refused for its content.
    Refused,
    Gone,
    Forbidden,
    Silent,
    Down,
    /// Refused by Lambda for its size.
    TooLarge,
    /// A repetition: a state machine answers that the execution exists.
    Repeated,
}

/// A request to a service.
#[derive(Debug, Clone)]
pub struct Sent {
    pub service: String,
    pub region: String,
    /// `PutEvents` and so on; none for a webhook and a platform.
    pub operation: String,
    pub headers: HeaderMap,
    pub path: String,
    /// JSON, or an object of a form's fields.
    pub body: Value,
}

#[derive(Clone)]
pub struct Services {
    pub url: String,
    state: Arc<Mutex<Played>>,
}

struct Played {
    play: Play,
    sent: Vec<Sent>,
}

impl Services {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(Played { play: Play::Taken, sent: Vec::new() }));
        let services = Self { url, state };
        let door = axum::Router::new().fallback(Self::take).with_state(services.clone());
        tokio::spawn(async move { axum::serve(listener, door).await });
        services
    }

    /// A bundle whose AWS is this server, and whose routes may target these ARNs. Time passes as the test says.
    pub async fn bundle(&self, targets: &[&str]) -> Bundle {
        let chatbot = format!("{}/platform", self.url);
        let settings = [
            ("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8"),
            ("RETRY_SCHEDULE", "5,60,1200"),
            ("CHATBOT_API_URL", &chatbot),
            ("AWS_ENDPOINT_URL", &self.url),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            ("AWS_TARGETS", &targets.join(",")),
        ];
        let bundle = Bundle::start_with(&settings).await;
        bundle.clock.hold();
        bundle
    }

    /// Sets the outcome of calls from now on.
    pub fn play(&self, play: Play) {
        self.state.lock().unwrap().play = play;
    }

    /// Requests since the last call.
    pub fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.state.lock().unwrap().sent)
    }

    async fn take(State(services): State<Self>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<String> {
        let sent = read(&uri, &headers, &body);
        let play = {
            let mut state = services.state.lock().unwrap();
            state.sent.push(sent.clone());
            state.play
        };
        if play == Play::Silent && sent.operation != "DescribeEventBus" {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        answer(&sent, play)
    }
}

fn read(uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Sent {
    let path = uri.path().to_owned();
    let plain = |service: &str, body: Value| Sent {
        service: service.to_owned(),
        region: String::new(),
        operation: String::new(),
        headers: headers.clone(),
        path: path.clone(),
        body,
    };
    match path.split('/').nth(1) {
        Some("webhook") => return plain("webhook", serde_json::from_slice(body).unwrap()),
        Some("platform") => return plain("platform", Value::Null),
        _ => {}
    }
    let Scope { service, region } = verify(uri, headers, body, SECRET_KEY).unwrap();
    let target = headers.get("x-amz-target").map(|target| target.to_str().unwrap().split('.').nth(1).unwrap());
    let (operation, body) = match service.as_str() {
        "sns" => {
            let fields: HashMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
            (fields["Action"].clone(), json!(fields))
        }
        "lambda" => ("Invoke".to_owned(), serde_json::from_slice(body).unwrap()),
        _ => (target.unwrap().to_owned(), serde_json::from_slice(body).unwrap()),
    };
    Sent { service, region, operation, headers: headers.clone(), path, body }
}

/// A status, and a code or a body.
fn answer(sent: &Sent, play: Play) -> Response<String> {
    let asks = sent.operation == "DescribeEventBus";
    let (status, code) = match (sent.service.as_str(), play) {
        (_, Play::Down) if !asks => (503, "ServiceUnavailable"),
        ("events", Play::Gone) if asks => (400, "ResourceNotFoundException"),
        ("events", Play::Forbidden) if asks => (400, "AccessDeniedException"),
        ("events", _) if asks => return response(200, json!({ "Name": "orders" }).to_string()),
        ("events", Play::Throttled) => return entry("ThrottlingException"),
        ("events", Play::Refused) => return entry("MalformedDetail"),
        ("sqs", Play::Throttled) => (400, "RequestThrottled"),
        ("sqs", Play::Refused) => (400, "InvalidMessageContents"),
        ("sqs", Play::Gone) => (400, "QueueDoesNotExist"),
        ("sns", Play::Throttled) => (400, "Throttling"),
        ("sns", Play::Refused) => (400, "InvalidParameter"),
        ("sns", Play::Gone) => (404, "NotFound"),
        ("sns", Play::Forbidden) => (403, "AuthorizationError"),
        ("states", Play::Refused) => (400, "InvalidExecutionInput"),
        ("states", Play::Gone) => (400, "StateMachineDoesNotExist"),
        ("states", Play::Repeated) => (400, "ExecutionAlreadyExists"),
        ("states", Play::Throttled) => (400, "ThrottlingException"),
        ("lambda", Play::Throttled) => (429, "TooManyRequestsException"),
        ("lambda", Play::Refused) => (400, "InvalidRequestContentException"),
        ("lambda", Play::Gone) => (404, "ResourceNotFoundException"),
        ("webhook" | "platform", Play::Throttled) => (429, ""),
        ("webhook" | "platform", Play::Refused) => (400, ""),
        ("webhook", Play::Gone) => (410, ""),
        ("platform", Play::Gone) => (404, ""),
        ("lambda", Play::TooLarge) => (413, "RequestTooLargeException"),
        (_, Play::Forbidden) => (403, "AccessDeniedException"),
        _ => return taken(sent),
    };
    refused(sent, status, code)
}

fn entry(code: &str) -> Response<String> {
    let entry = json!({ "ErrorCode": code, "ErrorMessage": "said so" });
    response(200, json!({ "FailedEntryCount": 1, "Entries": [entry] }).to_string())
}

fn refused(sent: &Sent, status: u16, code: &str) -> Response<String> {
    match sent.service.as_str() {
        "sns" => {
            let error = format!("<Type>Sender</Type><Code>{code}</Code><Message>said so</Message>");
            let body = format!("<ErrorResponse><Error>{error}</Error><RequestId>1</RequestId></ErrorResponse>");
            response(status, body)
        }
        "lambda" => {
            let mut response = response(status, json!({ "Type": "User", "message": "said so" }).to_string());
            let code = format!("{code}:http://internal.amazonaws.com/coral/com.amazonaws.lambda/");
            response.headers_mut().insert("x-amzn-errortype", code.parse().unwrap());
            if status == 429 {
                response.headers_mut().insert("retry-after", 90.into());
            }
            response
        }
        service => response(
            status,
            json!({ "__type": format!("com.amazonaws.{service}#{code}"), "message": "said so" }).to_string(),
        ),
    }
}

fn taken(sent: &Sent) -> Response<String> {
    match sent.service.as_str() {
        "events" => response(200, json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "id-1" }] }).to_string()),
        "sqs" => response(200, json!({ "MessageId": "id-1", "MD5OfMessageBody": "" }).to_string()),
        "sns" => {
            let result = "<PublishResult><MessageId>id-1</MessageId></PublishResult>";
            response(200, format!("<PublishResponse>{result}</PublishResponse>"))
        }
        "states" => {
            let execution = format!("arn:aws:states:us-east-1:{ACCOUNT}:execution:orders:1");
            response(200, json!({ "executionArn": execution, "startDate": 1.5 }).to_string())
        }
        "lambda" => response(202, String::new()),
        "platform" => response(200, "{}".to_owned()),
        _ => response(204, String::new()),
    }
}

fn response(status: u16, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status.try_into().unwrap();
    response
}

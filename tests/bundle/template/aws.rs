//! AWS as the functions call it, played in this process: the embedded database, a KMS that unwraps a data key for the record
//! that it was made for, queues, and Lambda, which runs the functions. It keeps what each function asked for.

use crate::template::{
    iam::Ask,
    requests::{METRICS_PATH, asks, invoked},
};
use app::App;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_types::SdkConfig;
use data_encoding::BASE64;
use embedded::Database;
use models::{Timestamp, clock::random, delivery::Message};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, mem,
    sync::{Arc, Mutex, OnceLock},
};
use tests::string;

/// The functions, each with an app of its own, as each is a process of its own on Lambda.
pub type Apps = Arc<BTreeMap<String, App>>;

pub struct Aws {
    pub database: Database,
    apps: OnceLock<Apps>,
    /// The requests for data keys, each with its key; the ciphertext of a key is its place here.
    data_keys: Mutex<Vec<Value>>,
    /// Queue and body.
    messages: Mutex<Vec<(String, String)>>,
    asked: Mutex<BTreeMap<String, BTreeSet<Ask>>>,
    /// Requests to KMS by function.
    asked_kms: Mutex<BTreeMap<String, usize>>,
    race: Mutex<Option<(String, &'static str, &'static str)>>,
}

impl Aws {
    pub fn on(database: Database) -> Arc<Self> {
        let (apps, data_keys, messages, asked, asked_kms, race) = Default::default();
        Arc::new(Self { database, apps, data_keys, messages, asked, asked_kms, race })
    }

    /// Says which functions Lambda has.
    pub fn deploy(&self, apps: &Apps) {
        self.apps.get_or_init(|| Arc::clone(apps));
    }

    /// SDK configuration of a function's clients.
    pub fn sdk_config(self: &Arc<Self>, function: &str) -> SdkConfig {
        let credentials = Credentials::new("played", "played", None, None, "played");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .region(Region::new("local"))
            .endpoint_url("http://aws.invalid")
            .http_client(self.http_client(function))
            .build()
    }

    fn http_client(self: &Arc<Self>, function: &str) -> SharedHttpClient {
        let connector = self.connector(function);
        http_client_fn(move |_, _| connector.clone())
    }

    /// HTTP connector of a function's clients.
    pub fn connector(self: &Arc<Self>, function: &str) -> SharedHttpConnector {
        let (function, aws) = (function.to_owned(), Arc::clone(self));
        SharedHttpConnector::new(Caller { function, aws, database: self.database.connector() })
    }

    /// Requests of a function so far.
    pub fn asked(&self, function: &str) -> BTreeSet<Ask> {
        self.asked.lock().unwrap().get(function).cloned().unwrap_or_default()
    }

    /// The number of requests to KMS that a function has made so far.
    pub fn asked_kms(&self, function: &str) -> usize {
        self.asked_kms.lock().unwrap().get(function).copied().unwrap_or_default()
    }

    /// Another process wins the race for what a function next does so: its condition does not hold, or the queue has no time.
    pub fn win_race(&self, function: &str, action: &'static str, resource: &'static str) {
        *self.race.lock().unwrap() = Some((function.to_owned(), action, resource));
    }

    fn is_lost(&self, function: &str, asks: &[Ask]) -> bool {
        let is = |(of, action, resource): &mut (String, &str, &str)| {
            *of == function && asks.iter().any(|ask| ask.action == *action && ask.resource == *resource)
        };
        self.race.lock().unwrap().take_if(is).is_some()
    }

    /// Takes the messages of the delivery queue whose time has come.
    pub fn take_messages(&self, now: Timestamp) -> Vec<String> {
        let is_due = |(queue, body): &mut (String, String)| {
            queue == "DeliveryQueue" && serde_json::from_str::<Message>(body).is_ok_and(|message| message.at <= now)
        };
        self.messages.lock().unwrap().extract_if(.., is_due).map(|(_, body)| body).collect()
    }

    /// Loses every message; what they were.
    pub fn lose_messages(&self) -> Vec<(String, String)> {
        mem::take(&mut self.messages.lock().unwrap())
    }

    /// Invokes a function without HTTP.
    pub async fn invoke(&self, name: &str, input: Vec<u8>) -> Result<Vec<u8>, web::InvocationError> {
        let function = catalog::functions().find(|function| function.name == name).unwrap();
        web::invoke(&self.apps.get().unwrap()[name], function, "invoked", input.into()).await
    }

    fn data_key(&self, mut asked: Value) -> Value {
        assert_eq!(asked["KeySpec"], "AES_256");
        let mut data_keys = self.data_keys.lock().unwrap();
        asked["Plaintext"] = BASE64.encode(&random::<32>().unwrap()).into();
        data_keys.push(asked.clone());
        let ciphertext = BASE64.encode((data_keys.len() - 1).to_string().as_bytes());
        json!({ "CiphertextBlob": ciphertext, "Plaintext": asked["Plaintext"] })
    }

    fn decrypt(&self, asked: &Value) -> Option<Value> {
        let at = String::from_utf8(BASE64.decode(string(&asked["CiphertextBlob"]).as_bytes()).ok()?).ok()?;
        let made = self.data_keys.lock().unwrap().get(at.parse::<usize>().ok()?)?.clone();
        let fits = |field: &str| made[field] == asked[field];
        (fits("KeyId") && fits("EncryptionContext")).then(|| json!({ "Plaintext": made["Plaintext"] }))
    }

    fn send(&self, asked: &Value) -> Value {
        let queue = string(&asked["QueueUrl"]);
        let message = |entry: &Value| (queue.clone(), string(&entry["MessageBody"]));
        let mut messages = self.messages.lock().unwrap();
        let Some(entries) = asked["Entries"].as_array() else {
            messages.push(message(asked));
            return json!({ "MessageId": "played" });
        };
        messages.extend(entries.iter().map(message));
        let sent = |entry: &Value| json!({ "Id": entry["Id"], "MessageId": "played", "MD5OfMessageBody": "" });
        json!({ "Successful": entries.iter().map(sent).collect::<Value>(), "Failed": [] })
    }

    async fn run(&self, name: &str, input: &[u8]) -> HttpResponse {
        match self.invoke(name, input.to_vec()).await {
            Ok(output) => response(200, output),
            Err(failed) => {
                let error = json!({ "errorType": failed.code.as_str(), "errorMessage": failed.problem });
                let mut response = response(200, error.to_string());
                response.headers_mut().insert("x-amz-function-error", "Unhandled");
                response
            }
        }
    }
}

/// HTTP connector of a function's clients.
struct Caller {
    function: String,
    aws: Arc<Aws>,
    database: SharedHttpConnector,
}

impl fmt::Debug for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Caller").field("function", &self.function).finish_non_exhaustive()
    }
}

impl HttpConnector for Caller {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (target, path) = (request.headers().get("x-amz-target").unwrap_or_default(), path(request.uri()));
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let asked: Value = serde_json::from_slice(&body).unwrap_or_else(|_| form(&body));
        let asks = asks(target, path, &asked);
        let is_lost = self.aws.is_lost(&self.function, &asks);
        self.aws.asked.lock().unwrap().entry(self.function.clone()).or_default().extend(asks);
        if target.starts_with("TrentService.") {
            *self.aws.asked_kms.lock().unwrap().entry(self.function.clone()).or_default() += 1;
        }
        let answer = match target.split_once('.') {
            Some(("DynamoDB_20120810", _)) if is_lost => refusal("ConditionalCheckFailedException"),
            Some(("DynamoDB_20120810", _)) => return self.database.call(request),
            Some(("AmazonSQS", _)) if is_lost => refusal("KmsThrottled"),
            Some(("AWSEvents", _)) => {
                let entries = json!([{ "EventId": "played" }]);
                response(200, json!({ "FailedEntryCount": 0, "Entries": entries }).to_string())
            }
            Some(("AWSStepFunctions", _)) => response(200, json!({ "executionArn": "played" }).to_string()),
            Some(("TrentService", "GenerateDataKey")) => response(200, self.aws.data_key(asked).to_string()),
            Some(("TrentService", _)) => match self.aws.decrypt(&asked) {
                Some(opened) => response(200, opened.to_string()),
                None => refusal("InvalidCiphertextException"),
            },
            Some(_) => response(200, self.aws.send(&asked).to_string()),
            None if path == METRICS_PATH => no_metrics(),
            None if path == "/" => response(200, "<MessageId>played</MessageId>"),
            None => {
                let (aws, name) = (Arc::clone(&self.aws), invoked(path).unwrap());
                if name.starts_with("arn:") {
                    return HttpConnectorFuture::ready(Ok(response(202, "")));
                }
                return HttpConnectorFuture::new(async move { Ok(aws.run(&name, &body).await) });
            }
        };
        HttpConnectorFuture::ready(Ok(answer))
    }
}

/// The fields of a form, as SNS takes them.
fn form(body: &[u8]) -> Value {
    json!(form_urlencoded::parse(body).into_owned().collect::<BTreeMap<_, _>>())
}

fn path(uri: &str) -> &str {
    uri.strip_prefix("http://aws.invalid").unwrap()
}

fn refusal(name: &str) -> HttpResponse {
    response(400, json!({ "__type": format!("com.amazonaws#{name}"), "message": "" }).to_string())
}

/// An empty map, in CBOR.
fn no_metrics() -> HttpResponse {
    let mut empty = response(200, [0xA0]);
    empty.headers_mut().insert("smithy-protocol", "rpc-v2-cbor");
    empty
}

fn response(status: u16, body: impl Into<Vec<u8>>) -> HttpResponse {
    HttpResponse::new(status.try_into().unwrap(), body.into().into())
}

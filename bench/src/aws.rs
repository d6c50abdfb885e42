//! AWS for the measured functions: DynamoDB, and a queue that accepts all messages. The database itself reports the
//! cost of each request, in DynamoDB's units.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response},
    response::IntoResponse as _,
};
use embedded::{CONTENT_TYPE, Database};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::net::TcpListener;

/// Requests by operation and table or index.
pub type RequestCounts = BTreeMap<(String, String), RequestCount>;

#[derive(Debug, Default, Clone, Copy)]
pub struct RequestCount {
    pub requests: f64,
    /// Read or write units.
    pub units: f64,
}

#[derive(Clone)]
pub struct Aws {
    database: Database,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    asked: RequestCounts,
    messages: Vec<String>,
}

impl Aws {
    /// Serves on any free port. Also returns the URL.
    pub async fn start(database: Database) -> std::io::Result<(Self, String)> {
        let aws = Self { database, seen: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(answer).with_state(aws.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok((aws, url))
    }

    /// Takes the requests since the last call.
    pub fn asked(&self) -> RequestCounts {
        mem::take(&mut self.seen().asked)
    }

    /// Takes all messages from the queue.
    pub fn messages(&self) -> Vec<String> {
        mem::take(&mut self.seen().messages)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, operation: &str, table: &str, requests: f64, units: f64) {
        let mut seen = self.seen();
        let asks = seen.asked.entry((operation.to_owned(), table.to_owned())).or_default();
        asks.requests += requests;
        asks.units += units;
    }

    /// Answers a request, and counts it under the table's name without the deployment's prefix.
    async fn dynamodb(&self, target: &str, mut asked: Value) -> Response<Body> {
        asked["ReturnConsumedCapacity"] = json!("INDEXES");
        let reply = self.database.answer(target, asked.to_string().into()).await;
        let mut answer: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        let consumed = answer.as_object_mut().and_then(|answer| answer.remove("ConsumedCapacity")).unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let tables = consumed.as_array().cloned().unwrap_or_else(|| vec![consumed]);
        let mut names: Vec<&str> = tables.iter().map(name).collect();
        names.sort_unstable();
        self.count(operation, &names.join("+"), 1.0, 0.0);
        for table in &tables {
            let name = name(table);
            self.count(operation, name, 0.0, units(&table["Table"]));
            for (index, consumed) in table["GlobalSecondaryIndexes"].as_object().into_iter().flatten() {
                self.count(operation, &format!("{name}.{index}"), 0.0, units(consumed));
            }
        }
        (
            axum::http::StatusCode::from_u16(reply.status).unwrap_or_default(),
            [("content-type", CONTENT_TYPE)],
            answer.to_string(),
        )
            .into_response()
    }

    fn sqs(&self, asked: &Value) -> Response<Body> {
        let entries = asked["Entries"].as_array().cloned().unwrap_or_default();
        self.count("SendMessageBatch", "queue", 1.0, 0.0);
        let body = |entry: &Value| entry["MessageBody"].as_str().unwrap_or_default().to_owned();
        self.seen().messages.extend(entries.iter().map(body));
        let sent = |entry: &Value| json!({ "Id": entry["Id"], "MessageId": "sent", "MD5OfMessageBody": "" });
        let answer = json!({ "Successful": entries.iter().map(sent).collect::<Value>(), "Failed": [] });
        ([("content-type", CONTENT_TYPE)], answer.to_string()).into_response()
    }
}

fn name(consumed: &Value) -> &str {
    consumed["TableName"].as_str().unwrap_or_default().rsplit('-').next().unwrap_or_default()
}

fn units(consumed: &Value) -> f64 {
    consumed["CapacityUnits"].as_f64().unwrap_or_default()
}

async fn answer(State(aws): State<Aws>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    if target.starts_with("AmazonSQS.") { aws.sqs(&asked) } else { aws.dynamodb(target, asked).await }
}

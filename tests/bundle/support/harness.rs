//! The bundle's functions on tables that a test names, called without a door, over a store that fails as the test says.
//! Nothing follows the stream of those tables: the test itself brings it to dispatch.

use app::{App, Router};
use aws_sdk_dynamodb::{Client, config::retry::RetryConfig, types::AttributeValue};
use aws_smithy_runtime_api::client::{
    http::{HttpClient as _, HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use axum::{
    body::Bytes,
    http::{HeaderValue, Method, header},
};
use embedded::{Database, IndexSpec, TableSpec};
use flow::{
    dead_letters::{DeadLetter, DeadLetters, SettingAside},
    dispatch::Dispatcher,
};
use serde_json::{Value, json};
use std::{
    fmt,
    sync::{Arc, Mutex},
};
use store::{
    Item, Tables,
    tables::{DELIVERIES, EVENTS, RECORDS, Table},
};
use tests::{ADMIN_KEY, Answer, Bundle, TestHook};
use web::Request;

/// Fault of a request to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// It does not reach the store.
    Unreached,
    /// It is carried out, and its answer is lost.
    AnswerLost,
    /// It is answered with an error of this status and name.
    Error(u16, &'static str),
    /// A BatchGetItem is answered that all its keys are left over.
    LeftOut,
}

/// Says what becomes of a request, by its operation and body.
type Faults = Arc<dyn Fn(&str, &str) -> Fault + Send + Sync>;

pub struct Harness<'b> {
    pub app: App,
    pub bundle: &'b Bundle,
    router: Router,
}

impl<'b> Harness<'b> {
    /// On events, records and deliveries of its own; hooks, routes and keys are the bundle's.
    pub fn beside(bundle: &'b Bundle) -> Self {
        let own = Tables {
            events: "staged-events".to_owned(),
            deliveries: "staged-deliveries".to_owned(),
            ..bundle.local.app.config.tables.clone()
        };
        create(&bundle.local.database, &EVENTS, &own.events);
        create(&bundle.local.database, &DELIVERIES, &own.deliveries);
        Self::on(bundle, own).with_records("staged-records")
    }

    fn on(bundle: &'b Bundle, tables: Tables) -> Self {
        let functions: Vec<_> = catalog::functions().collect();
        let router = Router::new(&functions).expect("routes that don't meet");
        let client = Client::from_conf(bundle.local.database.sdk_config());
        Self { app: app(bundle, tables, client), bundle, router }
    }

    /// The same, with the records in another table.
    pub fn with_records(&self, name: &str) -> Self {
        let tables = Tables { records: name.to_owned(), ..self.app.config.tables.clone() };
        create(&self.bundle.local.database, &RECORDS, name);
        Self::on(self.bundle, tables)
    }

    /// The same, over a store that fails.
    pub fn failing(&self, retry: RetryConfig, faults: impl Fn(&str, &str) -> Fault + Send + Sync + 'static) -> Self {
        let (inner, faults) = (self.bundle.local.database.http_client(), Arc::new(faults) as Faults);
        let client = http_client_fn(move |settings, components| {
            let inner = inner.http_connector(settings, components);
            SharedHttpConnector::new(Failing { inner, faults: Arc::clone(&faults) })
        });
        let config = self.bundle.local.database.sdk_config().to_builder().http_client(client).retry_config(retry);
        let tables = self.app.config.tables.clone();
        Self {
            app: app(self.bundle, tables.clone(), Client::from_conf(config.build())),
            ..Self::on(self.bundle, tables)
        }
    }

    /// Answers a request that has the admin key.
    pub async fn answer(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        let bearer = HeaderValue::from_str(&format!("Bearer {ADMIN_KEY}")).expect("a header");
        let mut request = Request::new(body.into());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().expect("a path");
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        let (parts, body) = self.router.answer(&self.app, request).await.0.into_parts();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(body).expect("text") }
    }

    pub async fn send(&self, hook: &TestHook, body: impl Into<Bytes>) -> Answer {
        let path = hook.url.strip_prefix(&self.bundle.local.url).expect("a hook of the bundle");
        self.answer(Method::POST, path, body).await
    }

    /// Posts a body that becomes an event; the event's id.
    pub async fn accept(&self, hook: &TestHook, body: &Value) -> String {
        let receipt = self.send(hook, body.to_string()).await.json();
        assert_eq!(receipt["status"], "accepted", "{receipt}");
        tests::string(&receipt["event"])
    }

    /// Every item of a list.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let answer = self.answer(Method::GET, &format!("{path}?limit=100"), "").await.json();
        assert_eq!(answer["next"], Value::Null, "one page is enough");
        answer["items"].as_array().cloned().unwrap_or_else(|| panic!("{answer}"))
    }

    /// All records made from the events.
    pub async fn records(&self) -> Value {
        json!({
            "subscribers": self.all("/v1/subscribers").await,
            "checkpoint_records": self.all("/v1/checkpoint-records").await,
            "takeovers": self.all("/v1/takeovers").await,
        })
    }

    /// Records in the stream so far, as dispatch receives them. There must be at least one.
    pub async fn so_far(&self) -> Vec<Value> {
        const MAX_RECORDS: usize = 1_000;
        let follower = self.bundle.local.database.follow(&self.app.config.tables.events, MAX_RECORDS);
        let records = follower.expect("a table with a stream").next().await.expect("its records").records;
        assert!(records.len() < MAX_RECORDS, "there may be more");
        records
    }

    /// Records in the stream, which must be this many.
    pub async fn stream(&self, count: usize) -> Vec<Value> {
        let records = self.so_far().await;
        assert_eq!(records.len(), count);
        records
    }

    /// Brings records to dispatch; those to be tried again, and those set aside.
    pub async fn dispatch(&self, records: &[Value]) -> (Vec<String>, Vec<DeadLetter>) {
        let letters = Arc::new(Letters::default());
        let failed = Dispatcher::new(Arc::clone(&letters) as _).dispatch(&self.app, records.to_vec()).await;
        let letters = letters.0.lock().expect("no test has died with it").clone();
        (failed, letters)
    }

    /// Brings records to dispatch that it can handle.
    pub async fn handle(&self, records: &[Value]) {
        let (failed, letters) = self.dispatch(records).await;
        assert!(failed.is_empty() && letters.is_empty(), "{failed:?} {letters:?}");
    }
}

fn app(bundle: &Bundle, tables: Tables, client: Client) -> App {
    let config = app::Config { tables, ..bundle.local.app.config.clone() };
    let app = App::new(config, client, None, bundle.clock.clone());
    if let Some(client) = bundle.local.app.aws().unwrap() {
        app.set_aws(client.clone());
    }
    app
}

pub fn create(database: &Database, table: &Table, name: &str) {
    let indexes = table.indexes.iter();
    let spec = TableSpec {
        name: name.to_owned(),
        key: table.key,
        sort: table.sort,
        indexes: indexes.map(|index| IndexSpec { name: index.name, key: index.key, sort: Some(index.sort) }).collect(),
        ttl: table.ttl,
        stream: table.stream,
        is_clustered: *table == DELIVERIES,
    };
    database.create_tables(&[spec]).expect("a table");
}

/// The sequence number of a stream record.
pub fn number(record: &Value) -> String {
    tests::string(&record["dynamodb"]["SequenceNumber"])
}

/// Every item of a table as it is kept, its bytes as text.
pub async fn items(app: &App, table: &str) -> Vec<String> {
    let (mut texts, mut next) = (Vec::new(), None);
    loop {
        // The tests' own look at everything: PartiQL, as the database has no Scan.
        let select = app.store.client.execute_statement().statement(format!("SELECT * FROM \"{table}\""));
        let page = select.set_next_token(next).send().await.expect("a page of the table");
        texts.extend(page.items.unwrap_or_default().iter().map(text_of));
        next = page.next_token;
        if next.is_none() {
            return texts;
        }
    }
}

fn text_of(item: &Item) -> String {
    item.iter().map(|(name, value)| format!("{name}: {}\n", value_text(value))).collect()
}

fn value_text(value: &AttributeValue) -> String {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.clone(),
        AttributeValue::B(bytes) => String::from_utf8_lossy(bytes.as_ref()).into_owned(),
        AttributeValue::L(values) => values.iter().map(|value| format!("{}, ", value_text(value))).collect(),
        AttributeValue::M(values) => text_of(values),
        other => format!("{other:?}"),
    }
}

#[derive(Default)]
struct Letters(Mutex<Vec<DeadLetter>>);

impl DeadLetters for Letters {
    fn set_aside(&self, letter: DeadLetter) -> SettingAside<'_> {
        self.0.lock().expect("no test has died with it").push(letter);
        Box::pin(async { Ok(()) })
    }
}

struct Failing {
    inner: SharedHttpConnector,
    faults: Faults,
}

impl fmt::Debug for Failing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Failing")
    }
}

impl HttpConnector for Failing {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
        let fault = (self.faults)(operation, &body);
        let lost = || ConnectorError::io("the connection was reset".into());
        match fault {
            Fault::None => self.inner.call(request),
            Fault::Unreached => HttpConnectorFuture::ready(Err(lost())),
            Fault::Error(status, name) => {
                let body = json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{name}"), "message": "" });
                let status = status.try_into().expect("a status");
                HttpConnectorFuture::ready(Ok(HttpResponse::new(status, body.to_string().into())))
            }
            Fault::LeftOut => {
                let asked: Value = serde_json::from_str(&body).expect("a request");
                let answer = json!({ "Responses": {}, "UnprocessedKeys": asked["RequestItems"] }).to_string();
                let status = 200.try_into().expect("a status");
                HttpConnectorFuture::ready(Ok(HttpResponse::new(status, answer.into())))
            }
            Fault::AnswerLost => {
                let carried_out = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    carried_out.await?;
                    Err(lost())
                })
            }
        }
    }
}

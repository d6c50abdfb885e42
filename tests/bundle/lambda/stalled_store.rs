//! Functions whose store stalls. A request without an answer is repeated within the function's timeout; a function whose
//! store never answers still answers, before Lambda would end it.

use crate::{
    lambda::event_files,
    support::{chatbot::ChatBot, idempotent_calls::ava},
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, State},
    http::{HeaderMap, Response, StatusCode},
    response::IntoResponse as _,
};
use embedded::{CONTENT_TYPE, Database};
use serde_json::{Value, json};
use std::{
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tests::{Bundle, Lambda, TestHook, lambda::http_event, sandbox::FaultKind, string};
use tokio::{join, net::TcpListener};

const TRIGGER: &str = "botstar-watch-checkpoint-record";
/// The timeout of a trigger.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The outcome of a request to the store.
enum Fault {
    None,
    /// It is received, and nothing else.
    Unanswered,
    /// It is carried out, and its answer never arrives.
    AnswerLost,
}

/// Chooses the outcome of a request, by its operation and the number of requests with that operation, it included.
type Faults = fn(&str, usize) -> Fault;

/// A request that the store received: its operation, and the connection by the caller's address.
type Seen = (String, SocketAddr);

/// The bundle's database behind a server that stalls.
#[derive(Clone)]
struct Store {
    database: Database,
    faults: Faults,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Store {
    /// Serves a database; with its URL.
    async fn serve(database: &Database, faults: Faults) -> (Self, String) {
        let store = Self { database: database.clone(), faults, seen: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(store.clone());
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        (store, url)
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn operations(&self) -> Vec<String> {
        self.seen().into_iter().map(|(operation, _)| operation).collect()
    }
}

async fn answer(
    State(store): State<Store>,
    ConnectInfo(caller): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let target = headers["x-amz-target"].to_str().unwrap();
    let operation = target.rsplit('.').next().unwrap();
    let count = {
        let mut seen = store.seen.lock().unwrap();
        seen.push((operation.to_owned(), caller));
        seen.iter().filter(|(seen, _)| seen == operation).count()
    };
    let fault = (store.faults)(operation, count);
    if matches!(fault, Fault::Unanswered) {
        return pending().await;
    }
    let reply = store.database.answer(target, body.into()).await;
    if matches!(fault, Fault::AnswerLost) {
        return pending().await;
    }
    let status = StatusCode::from_u16(reply.status).unwrap();
    (status, [("content-type", CONTENT_TYPE)], reply.body).into_response()
}

/// A trigger's process on a store that stalls, and a hook of it.
struct Trigger {
    function: Lambda,
    store: Store,
    hook: TestHook,
    path: String,
}

impl Trigger {
    async fn start(bundle: &Bundle, faults: Faults) -> Self {
        let hook = bundle.hook("botstar.watch-checkpoint-record").await;
        let (store, url) = Store::serve(&bundle.local.database, faults).await;
        let function = Lambda::start(TRIGGER, bundle, &[("AWS_ENDPOINT_URL", &url)]).await;
        let path = hook.url.trim_start_matches(&bundle.url).to_owned();
        Self { function, store, hook, path }
    }

    /// Sends a webhook; its answer, which came within the timeout.
    async fn send(&mut self, timeout: Duration, n: usize) -> Value {
        let started = Instant::now();
        let event = http_event("POST", &self.path, &json!({ "n": n }).to_string());
        let answer = self.function.invoke_for(timeout, &event).await.answer();
        let took = started.elapsed();
        assert!(took < timeout, "Lambda would have ended it: {took:?}");
        answer
    }

    /// Sends a webhook that is accepted; the event's id.
    async fn accept(&mut self, n: usize) -> String {
        let answer = self.send(TIMEOUT, n).await;
        assert_eq!(answer["statusCode"], 200, "{answer}");
        let receipt: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(receipt["status"], "accepted", "{receipt}");
        string(&receipt["event"])
    }

    /// The ids of the events of its hook.
    async fn events(&self, bundle: &Bundle) -> Vec<String> {
        let events = bundle.all(&format!("/v1/events?hook={}", self.hook.id)).await;
        events.iter().map(|event| string(&event["id"])).collect()
    }
}

#[tokio::test]
async fn a_request_to_the_store_that_stalls_is_repeated_and_the_webhook_accepted() {
    let bundle = Bundle::start().await;
    let cold = async {
        let first = |_: &str, count| if count == 1 { Fault::Unanswered } else { Fault::None };
        let mut trigger = Trigger::start(&bundle, first).await;
        let event = trigger.accept(1).await;
        assert_eq!(trigger.store.operations(), ["GetItem", "GetItem", "PutItem", "PutItem"]);
        assert_eq!(trigger.events(&bundle).await, [event]);
    };
    let warm = async {
        let second_put = |operation: &str, count| match (operation, count) {
            ("PutItem", 2) => Fault::Unanswered,
            _ => Fault::None,
        };
        let mut trigger = Trigger::start(&bundle, second_put).await;
        let events = [trigger.accept(1).await, trigger.accept(2).await];
        let seen = trigger.store.seen();
        assert_eq!(trigger.store.operations(), ["GetItem", "PutItem", "PutItem", "PutItem"]);
        assert_eq!(seen[1].1, seen[2].1, "the connection was kept");
        assert_ne!(seen[2].1, seen[3].1, "the connection that stalled was not used again");
        let mut stored = trigger.events(&bundle).await;
        stored.reverse();
        assert_eq!(stored, events);
    };
    let lost = async {
        let first_put = |operation: &str, count| match (operation, count) {
            ("PutItem", 1) => Fault::AnswerLost,
            _ => Fault::None,
        };
        let mut trigger = Trigger::start(&bundle, first_put).await;
        let event = trigger.accept(1).await;
        assert_eq!(trigger.store.operations(), ["GetItem", "PutItem", "PutItem"]);
        assert_eq!(trigger.events(&bundle).await, [event]);
    };
    join!(cold, warm, lost);
}

#[tokio::test]
async fn a_function_whose_store_never_answers_is_a_503_before_lambda_ends_it() {
    let chatbot = ChatBot::start().await;
    let bundle = &chatbot.bundle;
    // Less than the attempts of one request take.
    let timeout = Duration::from_secs(5);
    let never = |_: &str, _| Fault::Unanswered;
    let webhook = async {
        let mut trigger = Trigger::start(bundle, never).await;
        let answer = trigger.send(timeout, 1).await;
        assert_eq!(answer["statusCode"], 503, "{answer}");
        assert!(answer["body"].as_str().unwrap().contains("store_unavailable"), "{answer}");
        let log = trigger.function.log();
        assert!(log.contains("timeout") && log.contains("answered"), "{log}");
    };
    let direct = async {
        let (_store, url) = Store::serve(&bundle.local.database, never).await;
        let mut create_user = Lambda::start("chatbot-create-user", bundle, &[("AWS_ENDPOINT_URL", &url)]).await;
        let started = Instant::now();
        let outcome = create_user.invoke_for(timeout, &chatbot.input(ava())).await;
        let took = started.elapsed();
        let problem = outcome.problem("store_unavailable");
        assert!(took < timeout && problem["retry"] != "unknown", "{took:?}: {problem}");
    };
    let queue = returns_its_batch("deliver", "/Records/0/messageId", bundle, timeout);
    let stream = returns_its_batch("dispatch", "/Records/0/dynamodb/SequenceNumber", bundle, timeout);
    join!(webhook, direct, queue, stream);
    assert_eq!(chatbot.created(), 0);
}

/// Hands a batch of one to a function whose store never answers. The function returns it as a batch item failure.
async fn returns_its_batch(name: &str, identifier: &str, bundle: &Bundle, timeout: Duration) {
    let (_store, url) = Store::serve(&bundle.local.database, |_, _| Fault::Unanswered).await;
    let settings = event_files::settings();
    let mut settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    settings.push(("AWS_ENDPOINT_URL", &url));
    let mut function = Lambda::start(name, bundle, &settings).await;
    let (started, batch) = (Instant::now(), event_files::event(name));
    let answer = function.invoke_for(timeout, &batch).await.answer();
    assert!(started.elapsed() < timeout, "{answer}");
    let failed = json!([{ "itemIdentifier": batch.pointer(identifier).unwrap() }]);
    assert_eq!(answer, json!({ "batchItemFailures": failed }), "{name}");
}

#[tokio::test]
async fn an_action_whose_platform_hangs_ends_early_enough_to_store_that_its_outcome_is_unknown() {
    let chatbot = ChatBot::start().await;
    let mut create_user = Lambda::start("chatbot-create-user", &chatbot.bundle, &[]).await;
    let mut input = chatbot.input(ava());
    input["idempotency_key"] = json!("k");
    chatbot.sandbox.fault(FaultKind::Hang);
    // With less time than a connection may take, nothing is begun.
    let short = create_user.invoke_for(Duration::from_secs(5), &input).await.problem("platform_timeout");
    assert_eq!((&short["retry"], chatbot.created()), (&json!("after"), 0), "{short}");
    let (started, timeout) = (Instant::now(), Duration::from_secs(10));
    let problem = create_user.invoke_for(timeout, &input).await.problem("platform_timeout");
    assert!(started.elapsed() < timeout, "{problem}");
    assert_eq!(problem["retry"], "unknown", "{problem}");
    let again = create_user.invoke(&input).await.problem("platform_timeout");
    assert_eq!((&again["detail"], &again["retry"]), (&problem["detail"], &problem["retry"]));
    assert_eq!(chatbot.created(), 1);
}

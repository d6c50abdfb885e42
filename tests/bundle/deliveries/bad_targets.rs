//! Targets that misbehave in every way known: each is a failed attempt with the reason in words and then a dead letter,
//! or a success if it has answered one, and none keeps another waiting.

use crate::support::target::{ALLOW, TAKES_ALL, Target, delivery, route_to};
use axum::http::StatusCode;
use models::{DeliveryState, StoredDelivery, delivery::Reason};
use rcgen::{CertificateParams, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};
use tests::{Bundle, eventually};

const EVENTS: usize = 3;
/// More than any answer of a target that means well.
const HUGE: usize = 100 << 20;

/// Expected outcome of deliveries to a bad target: the status, and the beginning of the error.
struct Bad {
    name: &'static str,
    url: String,
    status: Option<u16>,
    error: Option<&'static str>,
}

/// Serves each connection on a thread of its own; the address.
fn serve(with: impl Fn(TcpStream) + Send + Sync + Copy + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || with(stream));
        }
    });
    address.to_string()
}

/// Reads a request, and writes so many bytes of an answer, or until nobody listens any more.
fn answer(stream: &mut (impl Read + Write), head: &str, bytes: usize) {
    let mut request = Vec::new();
    let mut buffer = [0; 64 * 1024];
    while !is_whole(&request) {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    buffer.fill(b'x');
    let mut left = bytes;
    let mut written = stream.write_all(head.as_bytes());
    while left > 0 && written.is_ok() {
        let part = left.min(buffer.len());
        written = stream.write_all(&buffer[..part]);
        left -= part;
    }
}

/// A CloudEvent ends with the end of `data` and its own.
fn is_whole(request: &[u8]) -> bool {
    request.ends_with(b"}}")
}

fn hangs(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
}

/// A certificate that nobody has signed but itself.
fn self_signed(stream: TcpStream) {
    let (params, key) = (CertificateParams::new(["127.0.0.1".to_owned()]).unwrap(), KeyPair::generate().unwrap());
    let chain = vec![params.self_signed(&key).unwrap().der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream);
    answer(&mut stream, "HTTP/1.1 204 No Content\r\n\r\n", 0);
}

fn plain(with: impl Fn(TcpStream) + Send + Sync + Copy + 'static) -> String {
    format!("http://{}/in", serve(with))
}

fn failing(name: &'static str, url: String, error: &'static str) -> Bad {
    Bad { name, url, status: None, error: Some(error) }
}

fn without_answer() -> Vec<Bad> {
    let closed = "the connection was closed before an answer arrived";
    let (refusing, _) = Target::dead(TAKES_ALL);
    vec![
        failing("hangs", plain(hangs), "no answer within 15s"),
        failing("closes at once", plain(drop), closed),
        failing("closes halfway", plain(|mut stream| answer(&mut stream, "HTTP/1.1 200 OK\r\ncont", 0)), closed),
        failing(
            "garbage",
            plain(|mut stream| answer(&mut stream, "I am a teapot\r\n\r\n", 0)),
            "the answer is not HTTP",
        ),
        failing(
            "huge header",
            plain(|mut stream| answer(&mut stream, "HTTP/1.1 200 OK\r\nx-big: ", HUGE)),
            "the answer's headers have more than 2,000 lines or 400 KB",
        ),
        failing("refuses", refusing.url, "cannot connect: connection refused"),
        failing(
            "plain text on https",
            plain(|mut stream| {
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
                hangs(stream);
            })
            .replace("http:", "https:"),
            "TLS: the server at this address does not speak TLS",
        ),
        failing("self-signed", plain(self_signed).replace("http:", "https:"), "TLS: the certificate is self-signed"),
    ]
}

fn with_answer() -> Vec<Bad> {
    let of = |name, url, status, error| Bad { name, url, status: Some(status), error };
    vec![
        of(
            "redirects",
            plain(|mut stream| {
                answer(
                    &mut stream,
                    "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n",
                    0,
                );
            }),
            302,
            Some("the target answered a redirect, which is not followed"),
        ),
        of("refuses it", plain(|mut stream| answer(&mut stream, "HTTP/1.1 418 Teapot\r\n\r\n", 5)), 418, None),
        of("never ends", plain(|mut stream| answer(&mut stream, "HTTP/1.1 200 OK\r\n\r\n", usize::MAX)), 200, None),
        of(
            "100 MB",
            plain(|mut stream| {
                answer(&mut stream, &format!("HTTP/1.1 200 OK\r\ncontent-length: {HUGE}\r\n\r\n"), HUGE);
            }),
            200,
            None,
        ),
        of(
            "breaks off",
            plain(|mut stream| answer(&mut stream, "HTTP/1.1 201 Created\r\ncontent-length: 9000\r\n\r\n", 10)),
            201,
            None,
        ),
    ]
}

async fn over(bundle: &Bundle, event: &str, route: &Value) -> StoredDelivery {
    eventually(|| async {
        delivery(bundle, event, route).await.filter(|delivery| delivery.state != DeliveryState::Pending)
    })
    .await
}

fn assert_is_as_expected(bad: &Bad, delivery: &StoredDelivery) {
    let name = bad.name;
    let taken = bad.status.is_some_and(|status| status < 300);
    let (state, reason, attempts) = match taken {
        true => (DeliveryState::Succeeded, None, 1),
        false => (DeliveryState::Dead, Some(Reason::AttemptsUsedUp), 2),
    };
    assert_eq!((delivery.state, delivery.reason, delivery.attempts.len()), (state, reason, attempts), "{name}");
    for attempt in &delivery.attempts {
        assert_eq!(attempt.status, bad.status, "{name}: {attempt:?}");
        match bad.error {
            Some(error) => assert!(attempt.error.as_deref().is_some_and(|text| text.starts_with(error)), "{attempt:?}"),
            None => assert_eq!(attempt.error, None, "{name}"),
        }
        let body = attempt.body.as_deref().unwrap_or_default();
        assert!(body.len() <= 1024 && body.bytes().all(|byte| byte == b'x'), "{name}: {attempt:?}");
        assert_eq!(attempt.body.is_some(), bad.status.is_some(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_targets_fail_in_words_and_keep_no_other_waiting() {
    let bundle = Bundle::start_with(&[ALLOW, ("RETRY_SCHEDULE", "0")]).await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let (mut bad, mut routes) = (without_answer(), Vec::new());
    bad.extend(with_answer());
    for bad in &bad {
        routes.push(route_to(&bundle, "botstar.*", &bad.url).await);
    }
    let good = Target::start(TAKES_ALL).await;
    route_to(&bundle, "botstar.*", &good.url).await;

    let mut events = Vec::new();
    for number in 0..EVENTS {
        events.push(bundle.accept(&hook, &json!({ "user": { "id": "u-1" }, "tag": format!("{number}") })).await);
    }
    eventually(|| async { (good.taken() == EVENTS).then_some(()) }).await;
    let hanging = delivery(&bundle, &events[0], &routes[0]).await;
    assert_eq!(hanging, None, "the good target had to wait for the one that hangs");

    for (bad, route) in bad.iter().zip(&routes) {
        for event in &events {
            let delivery = over(&bundle, event, route).await;
            assert_is_as_expected(bad, &delivery);
        }
    }
    assert_eq!(good.calls().len(), EVENTS);
}

/// Failures without a retry: an expression that fails on the event, and input that an action refuses.
#[tokio::test]
async fn a_delivery_that_does_not_fit_its_event_is_dead_at_once() {
    let bundle = Bundle::start_with(&[ALLOW, ("RETRY_SCHEDULE", "0,0,0")]).await;
    let (hook, good) = (bundle.hook("botstar.watch-tag").await, Target::start(TAKES_ALL).await);
    let connection = bundle.connection("chatbot").await;
    let webhook = |field: &str| json!({ "type": "webhook", "url": good.url, "body": { "text": field } });
    let action = |user: &str, operation: &str| {
        json!({ "type": "action", "action": "chatbot.ban-user", "connection": connection,
            "input": { "user_id": user, "operation": operation } })
    };
    let expected = [
        (webhook("data.raw.nothing.at.all"), Reason::Unmappable, "`text`: "),
        (webhook("data.tag + 1"), Reason::Unmappable, "`text`: "),
        (webhook("1 / data.raw.zero"), Reason::Unmappable, "`text`: "),
        (webhook("data.raw.list[7]"), Reason::Unmappable, "`text`: "),
        (action("data.raw.nothing", "'ban'"), Reason::Unmappable, "`user_id`: "),
        (action("data.raw.zero", "'ban'"), Reason::ActionRefused, ": /user_id: "),
        (action("data.raw.list", "data.raw.zero"), Reason::ActionRefused, "; /operation: "),
    ];
    let mut routes = Vec::new();
    for (target, _, _) in &expected {
        let new = json!({ "name": "Demo", "events": ["botstar.*"], "target": target });
        routes.push(bundle.post("/v1/routes", &new, 201).await);
    }
    route_to(&bundle, "botstar.*", &good.url).await;

    let body = json!({ "user": { "id": "u-1" }, "tag": "vip", "zero": 0, "list": [] });
    let event = bundle.accept(&hook, &body).await;
    for ((target, reason, expected), route) in expected.iter().zip(&routes) {
        let delivery = over(&bundle, &event, route).await;
        assert_eq!((delivery.state, delivery.reason), (DeliveryState::Dead, Some(*reason)), "{target}");
        assert_eq!(delivery.attempts.len(), 1, "{target}");
        let error = delivery.attempts[0].error.clone().unwrap_or_default();
        assert!(error.contains(expected), "{target}: {error}");
    }
    eventually(|| async { (!good.calls().is_empty()).then_some(()) }).await;
    assert_eq!(good.calls().iter().map(|call| call.status).collect::<Vec<_>>(), [StatusCode::NO_CONTENT]);
    bundle.until_count("/v1/events?type=switchboard.delivery.dead", expected.len()).await;
}

//! Receivers that answer in ways the standard does not have, each called by real deliveries: whatever 2xx they send counts,
//! and anything else is a failed attempt with its reason in words.

use crate::support::{
    raw_socket::{request, serve},
    target::{ALLOW, delivery, route_to},
};
use flate2::{Compression, read::GzEncoder};
use models::{DeliveryState, StoredDelivery, delivery::Reason};
use serde_json::json;
use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};
use tests::{Bundle, eventually};

/// A receiver, and what comes of a delivery to it.
struct Animal {
    name: &'static str,
    address: String,
    /// The status of each attempt; none without an answer.
    status: Option<u16>,
    error: Option<&'static str>,
    body: Option<&'static str>,
}

const CLOSED: &str = "the connection was closed before an answer arrived";

fn animal(
    name: &'static str,
    status: Option<u16>,
    error: Option<&'static str>,
    body: Option<&'static str>,
    with: impl Fn(&mut TcpStream) + Send + Sync + 'static,
) -> Animal {
    Animal { name, address: serve(move |mut stream| with(&mut stream)), status, error, body }
}

/// One that answers the whole request with these bytes, and closes.
fn answers(name: &'static str, status: u16, body: &'static str, answer: impl Into<Vec<u8>>) -> Animal {
    let answer = answer.into();
    animal(name, Some(status), None, Some(body), move |stream| {
        request(stream);
        let _ = stream.write_all(&answer);
    })
}

fn fails(name: &'static str, error: &'static str, answer: impl Into<Vec<u8>>) -> Animal {
    let answer = answer.into();
    animal(name, None, Some(error), None, move |stream| {
        request(stream);
        let _ = stream.write_all(&answer);
    })
}

/// One that reads only the beginning of the request, answers, and closes, which resets the connection.
fn resets(name: &'static str, status: Option<u16>, body: Option<&'static str>, answer: &'static str) -> Animal {
    animal(name, status, status.is_none().then_some(CLOSED), body, move |stream| {
        let _ = stream.read(&mut [0; 1]);
        let _ = stream.write_all(answer.as_bytes());
    })
}

fn ok_with(lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{lines}content-length: 5\r\n\r\ntaken")
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzEncoder::new(text, Compression::default()).read_to_end(&mut bytes).unwrap();
    bytes
}

fn encoded(encoding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn odd_heads() -> Vec<Animal> {
    let numbered = |count: usize| (0..count).map(|number| format!("x-{number}: value\r\n")).collect::<String>();
    vec![
        answers("101 headers", 200, "taken", ok_with(&numbered(101))),
        answers("1,000 headers", 200, "taken", ok_with(&numbered(1_000))),
        answers("a folded header", 200, "taken", ok_with("x-folded: a\r\n b\r\n\tc\r\n")),
        answers("a blank before a colon", 200, "taken", ok_with("x-blank : a\r\n")),
        answers("lines that are no headers", 200, "taken", ok_with("nonsense\r\nx(y): a\r\n: z\r\n")),
        answers(
            "control characters in a header",
            200,
            "",
            "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 5\r\n\r\ntaken",
        ),
        answers("1,000 interim answers", 200, "taken", "HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000) + &ok_with("")),
        answers(
            "early hints",
            200,
            "taken",
            "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".to_owned() + &ok_with(""),
        ),
        answers("two lengths", 200, "", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\ntaken"),
        answers("a length in words", 200, "", "HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\ntaken"),
        answers("chunks over HTTP/1.0", 200, "", "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        answers("HTTP/1.0", 200, "taken", "HTTP/1.0 200 OK\r\n\r\ntaken"),
        answers("a status line in lower case", 202, "", "http/1.1 202 accepted\r\ncontent-length: 5\r\n\r\ntaken"),
        answers("a status line without a reason", 200, "taken", "HTTP/1.1 200\r\ncontent-length: 5\r\n\r\ntaken"),
        answers("lines that end in LF", 200, "taken", "HTTP/1.1 200 OK\ncontent-length: 5\n\ntaken"),
        answers(
            "a failure with a folded header",
            503,
            "",
            "HTTP/1.1 503 No\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n",
        ),
        answers("another protocol from now on", 101, "", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"),
        fails(
            "too many headers",
            "the answer's headers have more than 2,000 lines or 400 KB",
            ok_with(&numbered(20_000)),
        ),
        fails("a frame of HTTP/2", "the answer is not HTTP: ", b"\0\0\0\x04\0\0\0\0\0".repeat(8)),
        fails("garbage", "the answer is not HTTP: ", "I am a teapot\r\n\r\n"),
        fails("half a head", CLOSED, "HTTP/1.1 200 OK\r\nconte"),
        fails("interim answers alone", CLOSED, "HTTP/1.1 100 Continue\r\n\r\n"),
        fails("nothing", CLOSED, ""),
    ]
}

fn odd_bodies() -> Vec<Animal> {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    vec![
        answers("an empty 200", 200, "", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
        answers("a 204", 204, "", "HTTP/1.1 204 No Content\r\n\r\n"),
        answers("a body until the end", 200, "taken", "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\ntaken"),
        answers("trailers", 200, "taken", format!("{chunked}5\r\ntaken\r\n0\r\nx-trailer: 1\r\n\r\n")),
        answers("broken chunks", 200, "taken", format!("{chunked}5\r\ntaken\r\nnonsense")),
        answers("a body that breaks off", 200, "ta", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nta"),
        answers("two answers", 200, "taken", ok_with("") + "HTTP/1.1 500 No\r\n\r\n"),
        answers("gzip", 200, "taken", encoded("gzip", &gzip(b"taken"))),
        answers("half of gzip", 200, "", encoded("gzip", &gzip(b"taken")[..8])),
        answers("gzip in name alone", 200, "", encoded("gzip", b"taken")),
        answers("brotli", 200, "", encoded("br", b"taken")),
        animal("a trickle", Some(200), None, Some("taken"), |stream| {
            request(stream);
            for byte in ok_with("").bytes() {
                let _ = stream.write_all(&[byte]);
                thread::sleep(Duration::from_millis(2));
            }
        }),
    ]
}

fn early() -> Vec<Animal> {
    vec![
        resets(
            "an answer before the request is read",
            Some(200),
            Some("taken"),
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\ntaken",
        ),
        resets(
            "a refusal before the request is read",
            Some(413),
            Some(""),
            "HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n",
        ),
        resets("a reset without an answer", None, None, ""),
        resets("a reset within the status line", None, None, "HTTP/1.1 20"),
        resets("a reset within the head", None, None, "HTTP/1.1 200 OK\r\nx-a: b"),
        resets("a reset within the body", Some(200), Some("ta"), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nta"),
        animal("a connection that is closed at once", None, Some(CLOSED), None, |_| {}),
    ]
}

async fn over(bundle: &Bundle, event: &str, route: &serde_json::Value) -> StoredDelivery {
    eventually(|| async {
        delivery(bundle, event, route).await.filter(|delivery| delivery.state != DeliveryState::Pending)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_2xx_that_was_sent_counts_and_all_else_fails_in_words() {
    let bundle = Bundle::start_with(&[ALLOW, ("RETRY_SCHEDULE", "0")]).await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let animals: Vec<Animal> = [odd_heads(), odd_bodies(), early()].into_iter().flatten().collect();
    let mut routes = Vec::new();
    for animal in &animals {
        routes.push(route_to(&bundle, "botstar.*", &format!("http://{}/in", animal.address)).await);
    }
    let body = json!({ "user": { "id": "u-1" }, "tag": "vip", "note": "x".repeat(200_000) });
    let event = bundle.accept(&hook, &body).await;
    for (animal, route) in animals.iter().zip(&routes) {
        let delivery = over(&bundle, &event, route).await;
        let is_taken = animal.status.is_some_and(|status| (200..300).contains(&status));
        let expected = match is_taken {
            true => (DeliveryState::Succeeded, None, 1),
            false => (DeliveryState::Dead, Some(Reason::AttemptsUsedUp), 2),
        };
        let name = animal.name;
        assert_eq!((delivery.state, delivery.reason, delivery.attempts.len()), expected, "{name}: {delivery:?}");
        for attempt in &delivery.attempts {
            assert_eq!((attempt.status, attempt.body.as_deref()), (animal.status, animal.body), "{name}: {attempt:?}");
            let error = attempt.error.as_deref();
            assert_eq!(error.is_some(), animal.error.is_some(), "{name}: {attempt:?}");
            assert!(error.unwrap_or_default().starts_with(animal.error.unwrap_or_default()), "{name}: {attempt:?}");
        }
    }
}

//! Tests of the client with real listeners on loopback.

mod answers;
mod calls;
mod http2;
mod tls;

use super::*;
use crate::guard::{Special, tests::Names};
use std::{
    io::{self, Read, Write},
    net::{IpAddr, TcpListener, TcpStream},
    process::Command,
    thread::{self, JoinHandle},
};

/// Time limits for calls that must not time out.
const PATIENT: Timeouts = Timeouts { connect: Duration::from_secs(20), total: Duration::from_secs(30) };
const QUICK: Timeouts = Timeouts { connect: Duration::from_millis(200), total: Duration::from_millis(500) };
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Accepts one connection.
fn serve<T: Send + 'static>(with: impl FnOnce(TcpStream) -> T + Send + 'static) -> (u16, JoinHandle<T>) {
    let (listener, port) = listen();
    (port, thread::spawn(move || with(listener.accept().unwrap().0)))
}

/// The result of a listener's thread. The client can close its connections during this wait.
async fn joined<T: Send + 'static>(served: JoinHandle<T>) -> T {
    tokio::task::spawn_blocking(|| served.join().unwrap()).await.unwrap()
}

/// Reads a request with a body of `body` bytes.
fn request(stream: &mut impl Read, body: usize) -> String {
    let (mut text, mut buffer) = (Vec::new(), [0; 1024]);
    loop {
        let head = text.windows(4).position(|end| end == b"\r\n\r\n");
        if head.is_some_and(|head| text.len() >= head + 4 + body) {
            return String::from_utf8(text).unwrap();
        }
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the request ended early");
        text.extend_from_slice(&buffer[..count]);
    }
}

/// Answers one request with these bytes, and closes.
fn answer(bytes: &'static [u8]) -> u16 {
    serve(move |mut stream| {
        request(&mut stream, 2);
        stream.write_all(bytes).unwrap();
    })
    .0
}

fn client(allow: &[&str], names: &[(&str, &[&[&str]])]) -> WebhookClient {
    built(allow, names, PATIENT, Vec::new())
}

fn built(
    allow: &[&str],
    names: &[(&str, &[&[&str]])],
    times: Timeouts,
    issuers: Vec<CertificateDer<'static>>,
) -> WebhookClient {
    let allow = allow.iter().map(|block| block.parse().unwrap()).collect();
    let guard = Guard::new(allow).with_lookup(Names::of(names), Duration::from_millis(100));
    WebhookClient::build(guard, times, TrustedRoots::Bundled, issuers).unwrap()
}

async fn post(client: &WebhookClient, url: &str) -> Result<TargetAnswer, CallFailure> {
    client.post(&url.parse().unwrap(), HeaderMap::new(), Bytes::from_static(b"{}")).await
}

/// The error message of a call to loopback without an answer.
async fn failure(port: u16, times: Timeouts) -> String {
    let client = built(&["127.0.0.0/8"], &[], times, Vec::new());
    let failure = post(&client, &format!("http://127.0.0.1:{port}/p-secret?q=secret")).await;
    let message = failure.unwrap_err().to_string();
    assert!(!message.contains("secret"), "{message}");
    message
}

async fn outcome_of(port: u16, times: Timeouts) -> TargetAnswer {
    post(&built(&["127.0.0.0/8"], &[], times, Vec::new()), &format!("http://127.0.0.1:{port}/")).await.unwrap()
}

fn loopback() -> CallFailure {
    Refusal::Special(Special::of(IpAddr::from([127, 0, 0, 1])).unwrap()).into()
}

fn assert_untouched(listener: &TcpListener) {
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().map(|_| ()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

async fn failure_of(client: &WebhookClient, url: &str) -> CallFailure {
    post(client, url).await.unwrap_err()
}

fn plain_ok(body: &str) -> TargetAnswer {
    TargetAnswer { status: 200, retry_after: None, webhook_delivery: None, body: whole(body) }
}

fn whole(text: &str) -> Body {
    Body { text: text.to_owned(), is_cut: false }
}

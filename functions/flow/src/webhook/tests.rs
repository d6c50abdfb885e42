//! The client against real listeners on loopback.

use super::*;
use crate::guard::{Special, tests::Names};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, date_time_ymd};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};
use std::{
    io::{self, Read, Write},
    net::{IpAddr, TcpListener, TcpStream},
    process::Command,
    thread::{self, JoinHandle},
    time::Instant,
};

/// For what must not time out.
const PATIENT: Times = Times { connect: Duration::from_secs(20), total: Duration::from_secs(30) };
const QUICK: Times = Times { connect: Duration::from_millis(200), total: Duration::from_millis(500) };
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Takes one connection.
fn serve<T: Send + 'static>(with: impl FnOnce(TcpStream) -> T + Send + 'static) -> (u16, JoinHandle<T>) {
    let (listener, port) = listen();
    (port, thread::spawn(move || with(listener.accept().unwrap().0)))
}

/// What a listener's thread ends with. The client goes on closing its connections meanwhile.
async fn joined<T: Send + 'static>(served: JoinHandle<T>) -> T {
    tokio::task::spawn_blocking(|| served.join().unwrap()).await.unwrap()
}

/// Reads a request with a body of so many bytes.
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

fn built(allow: &[&str], names: &[(&str, &[&[&str]])], times: Times, issuers: Vec<Certificate>) -> WebhookClient {
    let allow = allow.iter().map(|block| block.parse().unwrap()).collect();
    let guard = Guard::new(allow).with_lookup(Names::of(names), Duration::from_millis(100));
    WebhookClient::build(guard, times, issuers).unwrap()
}

async fn post(client: &WebhookClient, url: &str) -> Result<Outcome, Failure> {
    client.post(&url.parse().unwrap(), HeaderMap::new(), Bytes::from_static(b"{}")).await
}

/// The words of a call to loopback that has no answer.
async fn failure(port: u16, times: Times) -> String {
    let client = built(&["127.0.0.0/8"], &[], times, Vec::new());
    let failure = post(&client, &format!("http://127.0.0.1:{port}/p-secret?q=secret")).await;
    let words = failure.unwrap_err().to_string();
    assert!(!words.contains("secret"), "{words}");
    words
}

async fn outcome_of(port: u16, times: Times) -> Outcome {
    post(&built(&["127.0.0.0/8"], &[], times, Vec::new()), &format!("http://127.0.0.1:{port}/")).await.unwrap()
}

fn loopback() -> Failure {
    Refusal::Special(Special::of(IpAddr::from([127, 0, 0, 1])).unwrap()).into()
}

fn assert_untouched(listener: &TcpListener) {
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().map(|_| ()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_signed_call_arrives_as_it_was_handed_in() {
    let (port, served) = serve(|mut stream| {
        let request = request(&mut stream, 20);
        stream
            .write_all(
                b"HTTP/1.1 429 Slow\r\nretry-after: 7\r\nwebhook-delivery: disable\r\ncontent-length: 4\r\n\r\nwait",
            )
            .unwrap();
        request
    });
    let (body, secret) = (br#"{"test": 2432232314}"#, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap());
    let mut headers = headers(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).unwrap();
    for (name, value) in
        [("content-type", "application/json"), ("x-own", "1"), ("host", "evil"), ("content-length", "3")]
    {
        headers.insert(HeaderName::from_static(name), value.parse().unwrap());
    }
    let client = client(&["127.0.0.1/32"], &[("target.test", &[&["127.0.0.1"]])]);
    let url = format!("http://target.test:{port}/hook/a%20b?x=1#y").parse().unwrap();
    let outcome = client.post(&url, headers, Bytes::from_static(body)).await.unwrap();
    assert_eq!(
        outcome,
        Outcome {
            status: 429,
            retry_after: Some("7".to_owned()),
            webhook_delivery: Some("disable".to_owned()),
            body: "wait".to_owned()
        }
    );
    let request = joined(served).await;
    let (head, sent) = request.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<&str> = head.lines().collect();
    lines[1..].sort_unstable();
    assert_eq!(sent.as_bytes(), body);
    assert_eq!(
        lines,
        [
            "POST /hook/a%20b?x=1 HTTP/1.1",
            "accept: */*",
            "content-length: 20",
            "content-type: application/json",
            &format!("host: target.test:{port}"),
            concat!("user-agent: switchboard/", env!("CARGO_PKG_VERSION")),
            "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            "webhook-timestamp: 1614265330",
            "x-own: 1",
        ]
    );
}

#[tokio::test]
async fn what_is_not_allowed_is_never_connected_to() {
    let (listener, port) = listen();
    let names: &[(&str, &[&[&str]])] =
        &[("target.test", &[&["127.0.0.1"]]), ("both.test", &[&["127.0.0.2", "127.0.0.1"]])];
    let hosts = ["127.0.0.1", "2130706433", "0x7f.1", "target.test", "both.test", "[::ffff:127.0.0.1]"];
    for client in [client(&[], names), client(&["10.0.0.0/8", "127.0.0.2/32"], names)] {
        for (scheme, host) in hosts.iter().flat_map(|host| [("https", host), ("http", host)]) {
            let failure = post(&client, &format!("{scheme}://{host}:{port}/")).await.unwrap_err();
            assert!(matches!(failure, Failure::Refused(Refusal::Special(_) | Refusal::Plain)), "{host}: {failure}");
        }
    }
    assert_untouched(&listener);
    assert_eq!(failure_of(&client(&[], names), "https://target.test/").await, loopback());
    let words = loopback().to_string();
    assert_eq!(words, "the URL leads to 127.0.0.0/8, Loopback, which is not globally reachable");
}

async fn failure_of(client: &WebhookClient, url: &str) -> Failure {
    post(client, url).await.unwrap_err()
}

#[tokio::test]
async fn a_name_that_changes_its_address_after_the_check_is_refused() {
    let (listener, port) = listen();
    let guard_names: &[(&str, &[&[&str]])] = &[("rebinds.test", &[&["93.184.215.14"], &["127.0.0.1"]])];
    let client = client(&[], guard_names);
    let url = client.guard.check_url(&format!("https://rebinds.test:{port}/")).unwrap();
    assert_eq!(client.guard.resolve(&url).await.unwrap(), [format!("93.184.215.14:{port}").parse().unwrap()]);
    assert_eq!(failure_of(&client, url.as_str()).await, loopback());
    assert_untouched(&listener);
}

/// Both addresses have a listener on the same port; only the first may be called.
#[tokio::test]
async fn a_call_resolves_once_and_connects_to_what_was_checked() {
    let shut = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = shut.local_addr().unwrap().port();
    let open = TcpListener::bind(("127.0.0.2", port)).unwrap();
    let served = thread::spawn(move || {
        let (mut stream, _) = open.accept().unwrap();
        request(&mut stream, 2);
        stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").unwrap();
    });
    let names: &[(&str, &[&[&str]])] = &[("rebinds.test", &[&["127.0.0.2"], &["127.0.0.1"]])];
    let client = client(&["127.0.0.2/32"], names);
    let url = format!("http://rebinds.test:{port}/");
    assert_eq!(post(&client, &url).await.unwrap().status, 204);
    joined(served).await;
    assert_eq!(failure_of(&client, &url).await, loopback());
    assert_untouched(&shut);
}

#[tokio::test]
async fn a_redirect_is_an_outcome() {
    let (listener, port) = listen();
    let (from, _) = serve(move |mut stream| {
        request(&mut stream, 2);
        let to = format!("HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:{port}/\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(to.as_bytes()).unwrap();
    });
    assert_eq!(outcome_of(from, PATIENT).await.status, 307);
    assert_untouched(&listener);
}

#[tokio::test]
async fn no_more_of_an_answer_is_read_than_is_kept() {
    let begun = Instant::now();
    for head in ["", "content-length: 104857600\r\n"] {
        let (port, served) = serve(move |mut stream| {
            request(&mut stream, 2);
            let written = write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n");
            let sent = written.map(|()| (0_u64..).find(|_| stream.write_all(&[b'x'; 64 * 1024]).is_err()));
            sent.unwrap().unwrap()
        });
        assert_eq!(outcome_of(port, PATIENT).await, Outcome { body: "x".repeat(1024), ..plain_ok("") });
        assert!(joined(served).await < 1000, "the target could send more than 64 MB");
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
}

fn plain_ok(body: &str) -> Outcome {
    Outcome { status: 200, retry_after: None, webhook_delivery: None, body: body.to_owned() }
}

#[tokio::test]
async fn the_status_stands_however_the_body_ends() {
    for (bytes, body) in [
        (OK, "ok"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", "half"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nnonsense", "ok"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\xff\0", "\u{fffd}\0"),
    ] {
        assert_eq!(outcome_of(answer(bytes), PATIENT).await, plain_ok(body));
    }
    let (port, served) = serve(|mut stream| {
        request(&mut stream, 2);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").unwrap();
        while stream.write_all(b".").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let outcome = outcome_of(port, QUICK).await;
    assert!(outcome.status == 200 && (1..100).contains(&outcome.body.len()), "{outcome:?}");
    joined(served).await;
}

#[test]
fn what_is_kept_ends_with_a_whole_character() {
    for (body, count) in [("é".repeat(600), 1024), (format!("x{}", "é".repeat(600)), 1023), ("€".repeat(400), 1023)]
    {
        assert_eq!(kept(body.as_bytes()), body[..count]);
    }
    assert!(kept(&[0x80; 2000]).len() <= 1024 && kept(&[0xff; 2000]).len() <= 1024);
}

#[tokio::test]
async fn a_failure_is_told_in_words() {
    for (bytes, words) in [
        (&b""[..], "the connection was closed before an answer came"),
        (b"HTTP/1.1 20", "the connection was closed before an answer came"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "the answer is not HTTP: invalid HTTP version parsed"),
        (b"HTTP/1.1 abc\r\n\r\n", "the answer is not HTTP: invalid HTTP status-code parsed"),
    ] {
        assert_eq!(failure(answer(bytes), PATIENT).await, words);
    }
    let (silent, _) = serve(|mut stream| {
        request(&mut stream, 2);
        // Until the client gives up.
        stream.read(&mut [0])
    });
    assert_eq!(failure(silent, QUICK).await, "no answer came within 500ms");
    let (dripping, _) = serve(|mut stream| {
        request(&mut stream, 2);
        let heads = (0..).map(|_| stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n"));
        heads.inspect(|_| thread::sleep(Duration::from_millis(20))).find(Result::is_err)
    });
    assert_eq!(failure(dripping, QUICK).await, "no answer came within 500ms");
    let (listener, unused) = listen();
    drop(listener);
    assert_eq!(failure(unused, PATIENT).await, "no connection was made: connection refused");
    let client = client(&["10.0.0.0/8"], &[("hangs.test", &[&[]]), ("public.test", &[&["93.184.215.14"]])]);
    for (url, words) in [
        (
            "http://public.test/",
            "the URL is not https, which only addresses that DELIVERY_ALLOW_CIDRS opens may do without",
        ),
        ("https://unknown.test/", "the URL does not resolve: no such name"),
        ("https://hangs.test/", "the URL does not resolve within 100ms"),
        ("ftp://unknown.test/", "the URL is not an https URL"),
    ] {
        assert_eq!(failure_of(&client, url).await.to_string(), words);
    }
}

/// Serves one TLS connection by a certificate for a name, till a day of a year, and tells the protocol agreed upon.
fn serve_tls(name: &str, until: i32, http2: bool) -> (u16, JoinHandle<Option<Vec<u8>>>, Certificate) {
    let mut authority = CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let (mut params, key) = (CertificateParams::new([name.to_owned()]).unwrap(), KeyPair::generate().unwrap());
    params.not_after = date_time_ymd(until, 1, 1);
    let chain = vec![params.signed_by(&key, &issuer).unwrap().der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = if http2 { vec![b"h2".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    let (port, served) = serve(move |stream| {
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).ok()?;
        }
        let agreed = stream.conn.alpn_protocol().map(<[u8]>::to_vec);
        if !http2 {
            request(&mut stream, 2);
            stream.write_all(OK).unwrap();
        }
        agreed
    });
    (port, served, Certificate::from_der(issuer.der()).unwrap())
}

#[tokio::test]
async fn certificates_are_verified_against_the_name_in_the_url() {
    let names: &[(&str, &[&[&str]])] = &[("target.test", &[&["127.0.0.1"]])];
    for (name, until, trusted, expected) in [
        ("target.test", 2100, true, Ok(plain_ok("ok"))),
        ("target.test", 2100, false, Err("TLS: the certificate's issuer is not known")),
        ("target.test", 2020, true, Err("TLS: the certificate has expired")),
        ("other.test", 2100, true, Err("TLS: the certificate is for another name")),
    ] {
        let (port, served, issuer) = serve_tls(name, until, false);
        let client = built(&["127.0.0.1/32"], names, PATIENT, if trusted { vec![issuer] } else { Vec::new() });
        let outcome = post(&client, &format!("https://target.test:{port}/")).await;
        let agreed = if outcome.is_ok() { Some(b"http/1.1".to_vec()) } else { None };
        assert_eq!(outcome.map_err(|failure| failure.to_string()), expected.map_err(str::to_owned));
        assert_eq!(joined(served).await, agreed);
    }
    let (port, served, issuer) = serve_tls("target.test", 2100, true);
    let client = built(&["127.0.0.1/32"], names, PATIENT, vec![issuer]);
    assert!(post(&client, &format!("https://target.test:{port}/")).await.is_err());
    assert_eq!(joined(served).await.as_deref(), Some(&b"h2"[..]));
}

/// The calls of another test, in a process whose environment names a proxy that is not there.
#[test]
fn proxies_of_the_environment_are_ignored() {
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "webhook::tests::a_signed_call_arrives_as_it_was_handed_in"]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        again.env(name, "http://127.0.0.1:1");
    }
    let said = again.env_remove("no_proxy").env_remove("NO_PROXY").output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
async fn what_does_not_speak_tls_is_told_apart() {
    let client = client(&["127.0.0.1/32"], &[]);
    for (bytes, words) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "TLS: what answers there does not speak TLS"),
        (b"", "TLS: the connection was closed during the handshake"),
    ] {
        let (port, served) = serve(move |mut stream| {
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            stream.write_all(bytes).unwrap();
        });
        assert_eq!(failure_of(&client, &format!("https://127.0.0.1:{port}/")).await.to_string(), words);
        joined(served).await;
    }
    let client = built(&["127.0.0.1/32"], &[], QUICK, Vec::new());
    let (port, served) = serve(|mut stream| while stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {});
    let words = failure_of(&client, &format!("https://127.0.0.1:{port}/")).await.to_string();
    assert_eq!(words, "no connection was made within 200ms");
    joined(served).await;
}

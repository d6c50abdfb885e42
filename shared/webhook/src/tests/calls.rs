//! Calls: how they are sent, which targets are allowed, and why they fail.

use super::*;
use std::time::Instant;

#[tokio::test]
async fn a_signed_call_arrives_unchanged() {
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
        TargetAnswer {
            status: 429,
            retry_after: Some("7".to_owned()),
            webhook_delivery: Some("disable".to_owned()),
            body: whole("wait")
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
            "accept-encoding: identity",
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
async fn forbidden_addresses_are_never_connected_to() {
    let (listener, port) = listen();
    let names: &[(&str, &[&[&str]])] =
        &[("target.test", &[&["127.0.0.1"]]), ("both.test", &[&["127.0.0.2", "127.0.0.1"]])];
    let hosts = ["127.0.0.1", "2130706433", "0x7f.1", "target.test", "both.test", "[::ffff:127.0.0.1]"];
    for client in [client(&[], names), client(&["10.0.0.0/8", "127.0.0.2/32"], names)] {
        for (scheme, host) in hosts.iter().flat_map(|host| [("https", host), ("http", host)]) {
            let failure = post(&client, &format!("{scheme}://{host}:{port}/")).await.unwrap_err();
            assert!(matches!(failure, CallFailure::Refused(Refusal::Special(_) | Refusal::Plain)), "{host}: {failure}");
        }
    }
    assert_untouched(&listener);
    assert_eq!(failure_of(&client(&[], names), "https://target.test/").await, loopback());
    let message = loopback().to_string();
    assert_eq!(message, "the URL points to 127.0.0.0/8, Loopback, which is not globally reachable");
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

/// Both addresses have a listener on the same port; only the first is allowed.
#[tokio::test]
async fn a_call_resolves_once_and_connects_to_the_checked_address() {
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
async fn a_redirect_is_not_followed() {
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
async fn an_answer_is_read_only_up_to_the_stored_part() {
    let begun = Instant::now();
    for head in ["", "content-length: 104857600\r\n"] {
        let (port, served) = serve(move |mut stream| {
            request(&mut stream, 2);
            let written = write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n");
            let sent = written.map(|()| (0_u64..).find(|_| stream.write_all(&[b'x'; 64 * 1024]).is_err()));
            sent.unwrap().unwrap()
        });
        assert_eq!(
            outcome_of(port, PATIENT).await,
            TargetAnswer { body: Body { text: "x".repeat(1024), is_cut: true }, ..plain_ok("") }
        );
        assert!(joined(served).await < 1000, "the target could send more than 64 MB");
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn the_status_counts_even_if_the_body_breaks_off() {
    for (bytes, text, is_cut) in [
        (OK, "ok", false),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end", false),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", "half", true),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nnonsense", "ok", true),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-trailer: 1\r\n\r\n", "ok", false),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\xff\0", "\u{fffd}\0", false),
    ] {
        let body = Body { text: text.to_owned(), is_cut };
        assert_eq!(outcome_of(answer(bytes), PATIENT).await, TargetAnswer { body, ..plain_ok("") });
    }
    let (port, served) = serve(|mut stream| {
        request(&mut stream, 2);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").unwrap();
        while stream.write_all(b".").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let outcome = outcome_of(port, QUICK).await;
    assert!(outcome.status == 200 && (1..100).contains(&outcome.body.text.len()), "{outcome:?}");
    joined(served).await;
}

#[test]
fn the_stored_part_ends_with_a_whole_character() {
    for (body, count) in [("é".repeat(600), 1024), (format!("x{}", "é".repeat(600)), 1023), ("€".repeat(400), 1023)]
    {
        assert_eq!(kept(body.as_bytes()), body[..count]);
    }
    assert!(kept(&[0x80; 2000]).len() <= 1024 && kept(&[0xff; 2000]).len() <= 1024);
}

#[tokio::test]
async fn every_failure_has_a_plain_message() {
    for (bytes, message) in [
        (&b""[..], "the connection was closed before an answer arrived"),
        (b"HTTP/1.1 20", "the connection was closed before an answer arrived"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "the answer is not HTTP: invalid HTTP version parsed"),
        (b"HTTP/1.1 abc\r\n\r\n", "the answer is not HTTP: invalid HTTP status-code parsed"),
    ] {
        assert_eq!(failure(answer(bytes), PATIENT).await, message);
    }
    let (silent, _) = serve(|mut stream| {
        request(&mut stream, 2);
        // Until the client gives up.
        stream.read(&mut [0])
    });
    assert_eq!(failure(silent, QUICK).await, "no answer within 500ms");
    let (dripping, _) = serve(|mut stream| {
        request(&mut stream, 2);
        let heads = (0..).map(|_| stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n"));
        heads.inspect(|_| thread::sleep(Duration::from_millis(20))).find(Result::is_err)
    });
    assert_eq!(failure(dripping, QUICK).await, "no answer within 500ms");
    let (listener, unused) = listen();
    drop(listener);
    assert_eq!(failure(unused, PATIENT).await, "cannot connect: connection refused");
    let client = client(&["10.0.0.0/8"], &[("hangs.test", &[&[]]), ("public.test", &[&["93.184.215.14"]])]);
    for (url, message) in [
        ("http://public.test/", "the URL must be https, except for addresses in DELIVERY_ALLOW_CIDRS"),
        ("https://unknown.test/", "the URL does not resolve: no such name"),
        ("https://hangs.test/", "the URL does not resolve within 100ms"),
        ("ftp://unknown.test/", "the URL must be an https URL"),
    ] {
        assert_eq!(failure_of(&client, url).await.to_string(), message);
    }
}

/// The calls of another test, in a process whose environment names a proxy that does not exist.
#[test]
fn proxies_of_the_environment_are_ignored() {
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "tests::calls::a_signed_call_arrives_unchanged"]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        again.env(name, "http://127.0.0.1:1");
    }
    let output = again.env_remove("no_proxy").env_remove("NO_PROXY").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

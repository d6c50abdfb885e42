//! Answers over HTTP/1 that violate the standard.

use super::*;
use flate2::{
    Compression,
    read::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use std::time::Instant;

fn ok_with(lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{lines}content-length: 2\r\n\r\nok")
}

async fn answered(bytes: impl Into<Vec<u8>>) -> TargetAnswer {
    let bytes = bytes.into();
    let (port, served) = serve(move |mut stream| {
        request(&mut stream, 2);
        let _ = stream.write_all(&bytes);
    });
    let outcome = outcome_of(port, PATIENT).await;
    joined(served).await;
    outcome
}

#[tokio::test]
async fn a_2xx_counts_even_with_malformed_headers() {
    let numbered = |count: usize| (0..count).map(|number| format!("x-{number}: value\r\n")).collect::<String>();
    for lines in [
        numbered(101),
        numbered(1_000),
        numbered(1_990),
        "x-long: a\r\n\tb\r\n  c\r\n".to_owned(),
        "x-blank : a\r\n".to_owned(),
        "x(y: a\r\nno colon\r\n: no name\r\n".to_owned(),
        format!("{}: a\r\n", "x".repeat(40_000)),
        format!("x-long: {}\r\n", "x".repeat(100_000)),
        "X-\u{e9}: a\r\nx-latin: \u{e9}\r\n".to_owned(),
        "connection: upgrade\r\nupgrade: h2c\r\n".to_owned(),
        "set-cookie: a\r\nset-cookie: a\r\n".repeat(200),
    ] {
        let outcome = answered(ok_with(&lines)).await;
        assert_eq!(outcome, plain_ok("ok"), "{}", &lines[..lines.floor_char_boundary(60)]);
    }
}

/// The library stops reading; the body is not needed.
#[tokio::test]
async fn a_2xx_counts_even_without_a_valid_body_length() {
    for answer in [
        "HTTP/1.1 200 OK\r\nx-nul: a\0b\r\nx-del: \x7f\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\nok",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "http/1.1 200 ok\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1  200  OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/2 200\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 100 Continue\r\n\r\nhttp/1.1 200 ok\r\n\r\n",
    ] {
        let outcome = answered(answer).await;
        assert_eq!((outcome.status, outcome.body.text.as_str()), (200, ""), "{answer}");
    }
    for (answer, status) in [
        ("http/1.1 503 no\r\n\r\n", 503),
        ("HTTP/1.1 410 Gone\r\ncontent-length: x\r\n\r\n", 410),
        ("HTTP/1.1 429 Slow\r\ncontent-length: x\r\n\r\n", 429),
    ] {
        assert_eq!(answered(answer).await.status, status, "{answer}");
    }
}

#[tokio::test]
async fn status_lines_are_read_leniently() {
    for answer in [
        "HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 Tr\u{e8}s bien\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\ncontent-length: 2\n\nok",
        "HTTP/1.0 200 OK\r\n\r\nok",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok and more",
        "\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ] {
        assert_eq!(answered(answer).await, plain_ok("ok"), "{answer}");
    }
}

#[tokio::test]
async fn any_number_of_interim_answers_is_skipped() {
    for interim in
        ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", "HTTP/1.1 102 P\r\n\r\n"]
    {
        assert_eq!(answered(interim.repeat(1_000) + &ok_with("")).await, plain_ok("ok"), "{interim}");
    }
    assert_eq!(answered("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n").await.status, 101);
}

#[tokio::test]
async fn the_head_has_size_limits() {
    let begun = Instant::now();
    for line in ["x: y\r\n", "a-longer-name-for-a-header: and a longer value for it\r\n"] {
        let (port, served) = serve(move |mut stream| {
            request(&mut stream, 2);
            let written = stream.write_all(b"HTTP/1.1 200 OK\r\n");
            let sent = written.map(|()| (0_u64..).find(|_| stream.write_all(line.repeat(1_000).as_bytes()).is_err()));
            sent.unwrap().unwrap()
        });
        assert_eq!(failure(port, PATIENT).await, "the answer's headers have more than 2,000 lines or 400 KB");
        assert!(joined(served).await < 1_000);
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn an_answer_before_the_request_was_read_counts() {
    let body = Bytes::from(vec![b'x'; 8 << 20]);
    for (answer, status) in
        [(OK, 200), (b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok", 413)]
    {
        let (port, served) = serve(move |mut stream| {
            assert!(stream.read(&mut [0; 16]).unwrap() > 0);
            stream.write_all(answer).unwrap();
            // Closing with unread data resets the connection.
        });
        let client = built(&["127.0.0.0/8"], &[], PATIENT, Vec::new());
        let url = format!("http://127.0.0.1:{port}/").parse().unwrap();
        let outcome = client.post(&url, HeaderMap::new(), body.clone()).await;
        joined(served).await;
        assert_eq!(outcome.unwrap().status, status);
    }
}

/// A server may close a kept connection at any time, even when it is used again.
#[tokio::test]
async fn a_closed_pooled_connection_is_replaced() {
    let (listener, port) = listen();
    let served = thread::spawn(move || {
        for _ in 0..4 {
            let (mut stream, _) = listener.accept().unwrap();
            request(&mut stream, 2);
            stream.write_all(OK).unwrap();
        }
    });
    let client = built(&["127.0.0.0/8"], &[], PATIENT, Vec::new());
    for _ in 0..4 {
        assert_eq!(post(&client, &format!("http://127.0.0.1:{port}/")).await.unwrap(), plain_ok("ok"));
    }
    joined(served).await;
}

#[tokio::test]
async fn a_pooled_connection_closed_by_the_next_request_is_replaced() {
    let (listener, port) = listen();
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        request(&mut stream, 2);
        stream.write_all(OK).unwrap();
        // Only after the next request has arrived.
        assert!(stream.read(&mut [0; 16]).unwrap() > 0);
        drop(stream);
        let (mut stream, _) = listener.accept().unwrap();
        request(&mut stream, 2);
        stream.write_all(OK).unwrap();
    });
    let client = built(&["127.0.0.0/8"], &[], PATIENT, Vec::new());
    for _ in 0..2 {
        assert_eq!(post(&client, &format!("http://127.0.0.1:{port}/")).await.unwrap(), plain_ok("ok"));
    }
    joined(served).await;
}

fn read_all(mut encoder: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoder.read_to_end(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn an_unrequested_compressed_answer_is_decoded() {
    let level = Compression::default();
    let text = "taken, ".repeat(1_000);
    let kept = &text[..1024];
    for (encoding, body) in [
        ("gzip", read_all(GzEncoder::new(text.as_bytes(), level))),
        ("X-GZIP", read_all(GzEncoder::new(text.as_bytes(), level))),
        ("deflate", read_all(ZlibEncoder::new(text.as_bytes(), level))),
        ("deflate", read_all(DeflateEncoder::new(text.as_bytes(), level))),
    ] {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: {}\r\n\r\n", body.len());
        let outcome = answered([head.as_bytes(), &body].concat()).await;
        assert_eq!((outcome.status, outcome.body.text.as_str()), (200, kept), "{encoding}");
    }
    for (encoding, body) in [("gzip", &b"no gzip"[..]), ("gzip", b""), ("br", b"\x0b\x00text"), ("gzip, br", b"text")] {
        let head = format!("HTTP/1.1 201 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: {}\r\n\r\n", body.len());
        let outcome = answered([head.as_bytes(), body].concat()).await;
        assert_eq!((outcome.status, outcome.body.text.as_str()), (201, ""), "{encoding}");
    }
    // A gigabyte of zeros, of which 1 KB is kept.
    let bomb = read_all(GzEncoder::new(io::repeat(0).take(1 << 24), level));
    let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n".as_bytes();
    let outcome = answered([head, &bomb].concat()).await;
    assert_eq!(outcome.body.text, "\0".repeat(1024));
    assert!(outcome.body.is_cut);
}

//! Targets that support only HTTP/2.

use super::{
    tls::{NAMES, config, signed},
    *,
};
use h2::{Reason, RecvStream, server::SendResponse};
use tokio_rustls::TlsAcceptor;

type Respond = SendResponse<Bytes>;
type Connection = h2::server::Connection<tokio_rustls::server::TlsStream<tokio::net::TcpStream>, Bytes>;

/// A target that serves each HTTP/2 connection as the test decides. Returns a client that trusts it, and its URL.
async fn start<F: Future<Output = ()> + Send + 'static>(
    with: impl Fn(Connection, usize) -> F + Send + Sync + 'static,
) -> (WebhookClient, String) {
    let (identity, issuer) = signed("target.test", 2100);
    let acceptor = TlsAcceptor::from(Arc::new(config(identity, b"h2")));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://target.test:{}/in", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        for count in 0.. {
            let stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
            let connection = h2::server::handshake(stream).await.unwrap();
            tokio::spawn(with(connection, count));
        }
    });
    (built(&["127.0.0.1/32"], NAMES, PATIENT, vec![issuer]), url)
}

async fn read(body: &mut RecvStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend_from_slice(&data);
    }
    bytes
}

fn head(status: u16, headers: usize) -> Response<()> {
    let mut head = Response::builder().status(status).body(()).unwrap();
    for number in 0..headers {
        head.headers_mut().insert(HeaderName::try_from(format!("x-{number}")).unwrap(), "value".parse().unwrap());
    }
    head
}

fn answer(respond: &mut Respond, status: u16, body: &'static str) {
    let mut stream = respond.send_response(head(status, 0), false).unwrap();
    stream.send_data(Bytes::from_static(body.as_bytes()), true).unwrap();
}

#[tokio::test]
async fn a_target_with_only_http2_is_called() {
    let (client, url) = start(|mut connection, _| async move {
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            tokio::spawn(async move {
                let (head, mut body) = request.into_parts();
                assert_eq!((head.method.as_str(), head.uri.path()), ("POST", "/in"));
                assert_eq!(head.headers["content-length"], "2");
                assert_eq!(head.headers["accept-encoding"], "identity");
                assert_eq!(read(&mut body).await, b"{}");
                answer(&mut respond, 202, "taken");
            });
        }
    })
    .await;
    for _ in 0..3 {
        assert_eq!(post(&client, &url).await.unwrap(), TargetAnswer { status: 202, ..plain_ok("taken") });
    }
}

#[tokio::test]
async fn an_http2_answer_counts_with_a_long_head_or_a_broken_body() {
    let (client, url) = start(|mut connection, count| async move {
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            match count {
                0 => drop(respond.send_response(head(200, 1_000), true).unwrap()),
                1 => {
                    let mut stream = respond.send_response(head(200, 0), false).unwrap();
                    stream.send_data(Bytes::from(vec![b'x'; 1 << 20]), true).unwrap();
                }
                _ => {
                    let mut stream = respond.send_response(head(200, 0), false).unwrap();
                    stream.send_data(Bytes::from_static(b"with "), false).unwrap();
                    stream.send_data(Bytes::from_static(b"trailers"), false).unwrap();
                    stream.send_trailers(head(200, 3).headers().clone()).unwrap();
                }
            }
            connection.graceful_shutdown();
        }
    })
    .await;
    assert_eq!(post(&client, &url).await.unwrap(), plain_ok(""));
    let body = Body { text: "x".repeat(1024), is_cut: true };
    assert_eq!(post(&client, &url).await.unwrap(), TargetAnswer { body, ..plain_ok("") });
    assert_eq!(post(&client, &url).await.unwrap(), plain_ok("with trailers"));
}

#[tokio::test]
async fn a_stream_reset_has_a_plain_message() {
    for (reason, message) in [
        (Reason::INTERNAL_ERROR, "the target aborted the request: unexpected internal error encountered"),
        (Reason::ENHANCE_YOUR_CALM, "the target aborted the request: detected excessive load generating behavior"),
        (Reason::CANCEL, "the target aborted the request: stream no longer needed"),
        (Reason::HTTP_1_1_REQUIRED, "the target aborted the request: endpoint requires HTTP/1.1"),
    ] {
        let (client, url) = start(move |mut connection, _| async move {
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                respond.send_reset(reason);
            }
        })
        .await;
        assert_eq!(failure_of(&client, &url).await.to_string(), message);
    }
}

/// A refused stream was not processed, so it is sent again immediately.
#[tokio::test]
async fn a_request_that_was_not_processed_is_sent_again() {
    let (client, url) = start(|mut connection, _| async move {
        let mut refused = 0;
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            if refused < 2 {
                refused += 1;
                respond.send_reset(Reason::REFUSED_STREAM);
            } else {
                answer(&mut respond, 200, "taken");
            }
        }
    })
    .await;
    assert_eq!(post(&client, &url).await.unwrap(), plain_ok("taken"));
    let (client, url) = start(|mut connection, _| async move {
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            respond.send_reset(Reason::REFUSED_STREAM);
        }
    })
    .await;
    let message = failure_of(&client, &url).await.to_string();
    assert_eq!(message, "the target aborted the request: refused stream before processing any application logic");
}

#[tokio::test]
async fn a_connection_after_goaway_is_replaced() {
    let (client, url) = start(|mut connection, count| async move {
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            answer(&mut respond, 200, if count == 0 { "first" } else { "second" });
            connection.graceful_shutdown();
        }
    })
    .await;
    assert_eq!(post(&client, &url).await.unwrap(), plain_ok("first"));
    assert_eq!(post(&client, &url).await.unwrap(), plain_ok("second"));
    let (client, url) = start(|mut connection, _| async move {
        let _request = connection.accept().await;
        connection.abrupt_shutdown(Reason::INTERNAL_ERROR);
        let _ = std::future::poll_fn(|context| connection.poll_closed(context)).await;
    })
    .await;
    let message = failure_of(&client, &url).await.to_string();
    assert_eq!(message, "the connection was closed before an answer arrived");
}

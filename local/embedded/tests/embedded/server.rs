use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_smithy_http_client::Builder;
use embedded::{Database, Location};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::{TABLE, open, put, text};

const KEY: &str = "AKrandom0123456789";

async fn served() -> (Database, u16, oneshot::Sender<()>) {
    let (database, _) = open(Location::Temporary);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        stopped.await.ok();
    };
    tokio::spawn(embedded::serve(database.clone(), listener, KEY.to_owned(), shutdown));
    (database, port, stop)
}

fn client(database: &Database, port: u16, key: &str) -> Client {
    let config = database.sdk_config().to_builder();
    let config = config.credentials_provider(Credentials::new(key, "anything", None, None, "test"));
    let config = config.endpoint_url(format!("http://127.0.0.1:{port}")).http_client(Builder::new().build_http());
    Client::from_conf(config.build())
}

/// The status code of the answer to a hand-written request.
async fn status(port: u16, method: &str, target: &str, headers: &str) -> u16 {
    let body = format!(r#"{{"TableName":"{TABLE}"}}"#);
    let request = format!(
        "{method} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Amz-Target: DynamoDB_20120810.{target}\r\n\
         {headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn authorization(key: &str) -> String {
    format!("Authorization: AWS4-HMAC-SHA256 Credential={key}/20260101/local/dynamodb/aws4_request, Signature=0\r\n")
}

#[tokio::test]
async fn the_sdk_works_over_http() {
    let (database, port, stop) = served().await;
    let client = client(&database, port, KEY);
    put(&client, 1).await;
    let answer = client.get_item().table_name(TABLE).key("pk", text("p")).key("sk", text("00001")).send().await;
    assert_eq!(answer.unwrap().item.unwrap()["user"], text("u"));
    #[expect(clippy::disallowed_methods, reason = "the test shows that it is rejected")]
    let error = client.scan().table_name(TABLE).send().await.unwrap_err();
    assert_eq!(error.code(), Some("UnknownOperationException"));
    drop(stop);
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let (database, port, _stop) = served().await;
    let stranger = client(&database, port, "AKrandom0123456780");
    let error = stranger.get_item().table_name(TABLE).key("pk", text("p")).key("sk", text("s")).send().await;
    assert_eq!(error.unwrap_err().code(), Some("UnrecognizedClientException"));
    for key in ["", "AKrandom", "AKrandom01234567890"] {
        assert_eq!(status(port, "POST", "DescribeTable", &authorization(key)).await, 403, "{key}");
    }
    assert_eq!(status(port, "POST", "DescribeTable", "").await, 403);
    assert_eq!(status(port, "POST", "DescribeTable", &format!("Authorization: Bearer {KEY}/\r\n")).await, 403);
    assert!(database.calls().is_empty());
}

#[tokio::test]
async fn a_browser_is_refused_even_with_the_key() {
    let (_, port, _stop) = served().await;
    for origin in ["https://example.com", "null", "http://localhost:3000"] {
        let headers = format!("{}Origin: {origin}\r\n", authorization(KEY));
        assert_eq!(status(port, "POST", "DescribeTable", &headers).await, 403, "{origin}");
        assert_eq!(status(port, "OPTIONS", "DescribeTable", &format!("Origin: {origin}\r\n")).await, 403, "{origin}");
    }
}

#[tokio::test]
async fn only_known_requests_are_answered() {
    let (_, port, _stop) = served().await;
    assert_eq!(status(port, "POST", "DescribeTable", &authorization(KEY)).await, 200);
    assert_eq!(status(port, "GET", "DescribeTable", &authorization(KEY)).await, 404);
    for target in ["Scan", "ListTables", ""] {
        assert_eq!(status(port, "POST", target, &authorization(KEY)).await, 400, "{target}");
    }
}

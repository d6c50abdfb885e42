//! The bytes that `chatbot.call-api` sends, which a library on the other side would mend.

use crate::support::raw_socket::Recorder;
use serde_json::{Value, json};
use tests::Bundle;

/// The request that a call is sent as.
async fn sent(bundle: &Bundle, recorder: &Recorder, connection: &str, mut input: Value) -> String {
    input["connection"] = json!(connection);
    bundle.post("/v1/actions/chatbot/call-api", &input, 200).await;
    recorder.requests().remove(0)
}

async fn start() -> (Bundle, Recorder, String) {
    let recorder = Recorder::start();
    let bundle = Bundle::start_with(&[("CHATBOT_API_URL", &format!("http://{}/v2", recorder.address))]).await;
    let connection = bundle.connection("chatbot").await;
    (bundle, recorder, connection)
}

#[tokio::test]
async fn an_encoded_path_is_sent_as_it_is_written() {
    let (bundle, recorder, connection) = start().await;
    for (path, line) in [
        ("users/a%3Bb", "GET /v2/users/a%3Bb HTTP/1.1"),
        ("users/a%3bb", "GET /v2/users/a%3bb HTTP/1.1"),
        ("/users/%40%24%26%2B%2C%3A%3D", "GET /v2/users/%40%24%26%2B%2C%3A%3D HTTP/1.1"),
        ("users/a;b@c", "GET /v2/users/a;b@c HTTP/1.1"),
        ("users/a%20b c", "GET /v2/users/a%20b%20c HTTP/1.1"),
        ("users/%7Eava", "GET /v2/users/%7Eava HTTP/1.1"),
        ("users/50%", "GET /v2/users/50%25 HTTP/1.1"),
    ] {
        let request = sent(&bundle, &recorder, &connection, json!({ "path": path, "method": "GET" })).await;
        assert_eq!(request.lines().next(), Some(line));
    }
    let input = json!({ "path": "users", "method": "GET", "query": { "q": "a;b", "raw": "a%3Bb" } });
    let request = sent(&bundle, &recorder, &connection, input).await;
    // A value of the query is no encoded text: each of its characters arrives.
    assert_eq!(request.lines().next(), Some("GET /v2/users?q=a%3Bb&raw=a%253Bb HTTP/1.1"));
}

#[tokio::test]
async fn blanks_around_a_header_are_not_sent() {
    let (bundle, recorder, connection) = start().await;
    let headers = json!({ "X-A": "abc ", "X-B": "\t abc", "X-C": " a b ", "X-D": "  " });
    let input = json!({ "path": "users", "method": "GET", "headers": headers });
    let request = sent(&bundle, &recorder, &connection, input).await;
    let mut lines: Vec<&str> = request.lines().filter(|line| line.starts_with("x-")).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["x-a: abc", "x-b: abc", "x-c: a b", "x-d: "]);
}

#[tokio::test]
async fn a_request_without_a_body_says_so_where_it_could_have_one() {
    let (bundle, recorder, connection) = start().await;
    for (method, lengths) in [("POST", 1), ("PUT", 1), ("PATCH", 1), ("GET", 0), ("DELETE", 0)] {
        let request = sent(&bundle, &recorder, &connection, json!({ "path": "users", "method": method })).await;
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let sent: Vec<&str> = head.lines().filter(|line| line.starts_with("content-")).collect();
        assert_eq!((sent, body), (vec!["content-length: 0"; lengths], ""), "{method}");
        assert!(head.contains("\r\naccept-encoding: identity"), "{head}");
    }
}

//! `chatbot.call-api`: any call of ChatBot's API, and none of anything else.

use crate::support::{
    assertions::{pointers, problem},
    chatbot::{ChatBot, line},
};
use axum::http::StatusCode;
use reqwest::Url;
use serde_json::{Map, Value, json};
use tests::{answer, sandbox::Sandbox, string};

fn get(path: &str) -> Value {
    json!({ "path": path, "method": "GET" })
}

#[tokio::test]
async fn no_path_leads_out_of_the_api() {
    let chatbot = ChatBot::start().await;
    let long = "x".repeat(2_049);
    for path in [
        "https://example.com/users",
        "HTTPS://example.com",
        "http:/users",
        "http:users",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "user:pass@example.com",
        "//example.com/users",
        "///example.com",
        "/%2Fexample.com",
        "%2f%2fexample.com",
        "/\\example.com",
        "\\\\example.com",
        "/%5c%5cexample.com",
        "..",
        "../sandbox/faults",
        "/../sandbox/faults",
        "users/../../sandbox/faults",
        "users/..",
        "users/./x",
        "users/%2e%2e/x",
        "users/%2E./x",
        "users/.%2e",
        "users/%252e%252e/x",
        "users/%25252e%25252e/x",
        "users/..%2f..%2fx",
        "users%2f..%2f..",
        "users/%c0%ae%c0%ae/x",
        "users/%e0%80%ae/x",
        "users/..;/x",
        "users/..%3b/x",
        "users/%2e%2e%3bx",
        "users/..\\x",
        "users/x\u{0}",
        "users/x%00",
        "users/x\r\nHost: example.com",
        "users/x%0d%0aX-Evil: 1",
        "users/x\u{85}",
        "users/x\t",
        "users//x",
        "users?limit=1",
        "users%3flimit=1",
        "users#x",
        "users%23x",
        "users/%ff",
        "a%3a//b",
        "",
        &long,
    ] {
        for method in ["GET", "POST"] {
            let input = json!({ "path": path, "method": method });
            let problem = chatbot.refused("call-api", input, 422, "invalid_body").await;
            assert_eq!(pointers(&problem), ["/path"], "{path:?}: {problem}");
        }
    }
    assert_eq!(chatbot.asked().len(), 0);
}

#[tokio::test]
async fn a_path_arrives_as_it_was_meant() {
    let chatbot = ChatBot::start().await;
    chatbot.sandbox.script(|_| "{}");
    for (path, wire) in [
        ("users", "/users"),
        ("/users/segments", "/users/segments"),
        ("users/", "/users/"),
        ("/", "/"),
        ("users/a b", "/users/a%20b"),
        ("users/a%20b", "/users/a%20b"),
        ("users/a%3Bb", "/users/a%3Bb"),
        ("users/a%3bb%40c%2Cd%3D%26e", "/users/a%3bb%40c%2Cd%3D%26e"),
        ("users/%41%7e", "/users/%41%7e"),
        ("users/a%zz%4", "/users/a%25zz%254"),
        ("users/a%3B%", "/users/a%3B%25"),
        ("users/ä☕", "/users/%C3%A4%E2%98%95"),
        ("users/100%", "/users/100%25"),
        ("users/100%25", "/users/100%25"),
        ("users/%2525", "/users/%2525"),
        ("users/...", "/users/..."),
        ("users/..x", "/users/..x"),
        ("users/a:b@c", "/users/a:b@c"),
        ("users/a;b=c,d", "/users/a;b=c,d"),
        ("users/a+b", "/users/a+b"),
        ("users/a&b='\"", "/users/a&b='%22"),
    ] {
        chatbot.act("call-api", get(path), 200).await;
        assert_eq!(chatbot.asked().iter().map(line).collect::<Vec<_>>(), [format!("GET {wire}")], "{path}");
    }
    let long = "x".repeat(2_048);
    chatbot.act("call-api", get(&long), 200).await;
}

#[tokio::test]
async fn the_token_is_added_and_can_not_be_replaced() {
    let chatbot = ChatBot::start().await;
    let forbidden = [
        "Authorization",
        "authorization",
        "AUTHORIZATION",
        "Proxy-Authorization",
        "proxy-x",
        "Proxy-Connection",
        "Host",
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Content-Length",
        "Content-Encoding",
        "content-md5",
        "Content-Disposition",
        "Cookie",
        "Expect",
        "HTTP2-Settings",
        ":authority",
        "a b",
        "",
        "ä",
        "x\r\ny",
        "Authorization ",
    ];
    for name in forbidden {
        let mut input = get("users");
        input["headers"] = json!({ name: "Bearer mine" });
        let problem = chatbot.refused("call-api", input, 422, "invalid_body").await;
        assert_eq!(pointers(&problem), [format!("/headers/{name}")], "{problem}");
    }
    let mut input = get("..");
    let headers: Map<String, Value> = forbidden.iter().map(|name| ((*name).to_owned(), json!("x"))).collect();
    input["headers"] = headers.into();
    input["headers"]["x-value"] = json!("a\r\nAuthorization: b");
    input["headers"]["x/~"] = json!("☕");
    let problem = chatbot.refused("call-api", input, 422, "invalid_body").await;
    let mut expected: Vec<String> = forbidden.iter().map(|name| format!("/headers/{name}")).collect();
    expected.extend(["/headers/x-value", "/headers/x~1~0", "/path"].map(str::to_owned));
    expected.sort();
    assert_eq!(pointers(&problem), expected, "all at once");
    assert_eq!(chatbot.asked().len(), 0);

    chatbot.sandbox.script(|_| "{}");
    let mut input = get("users");
    input["headers"] =
        json!({ "X-Authorization": "Bearer mine", "Accept": "text/csv", "User-Agent": "mine", "X-A": "" });
    input["query"] = json!({ "access_token": "mine", "authorization": "mine" });
    chatbot.act("call-api", input, 200).await;
    let seen = chatbot.asked().remove(0);
    let all: Vec<_> = seen.headers.get_all("authorization").iter().collect();
    assert_eq!(all, [&format!("Bearer {}", Sandbox::TOKEN)]);
    assert_eq!(
        (&seen.headers["accept"], &seen.headers["user-agent"]),
        (&"text/csv".parse().unwrap(), &"mine".parse().unwrap())
    );
    let host = Url::parse(&chatbot.sandbox.url).unwrap();
    assert_eq!(seen.headers["host"], format!("127.0.0.1:{}", host.port().unwrap()));
}

#[tokio::test]
async fn a_content_type_has_to_be_that_of_the_body() {
    let chatbot = ChatBot::start().await;
    for (kind, body) in [
        ("text/plain", json!({ "a": 1 })),
        ("application/x-www-form-urlencoded", json!([])),
        ("application/json; charset=utf-16", json!({ "a": 1 })),
        ("text/plain; Charset=\"latin1\"", json!("text")),
    ] {
        let input = json!({ "path": "x", "method": "POST", "body": body, "headers": { "Content-Type": kind } });
        let problem = chatbot.refused("call-api", input, 422, "invalid_body").await;
        assert_eq!(pointers(&problem), ["/headers/Content-Type"], "{kind}");
    }
    assert_eq!(chatbot.asked().len(), 0);
}

#[tokio::test]
async fn a_header_is_given_once() {
    let chatbot = ChatBot::start().await;
    let mut input = json!({ "path": "users", "method": "POST" });
    input["headers"] =
        json!({ "Content-Type": "text/plain", "content-type": "application/json", "X-A": "1", "x-a": "1" });
    let problem = chatbot.refused("call-api", input, 422, "invalid_body").await;
    assert_eq!(pointers(&problem), ["/headers/content-type", "/headers/x-a"]);
    let many: Map<String, Value> = (0..51).map(|n| (format!("x-{n}"), json!("x"))).collect();
    let problem =
        chatbot.refused("call-api", json!({ "path": "x", "method": "GET", "headers": many }), 422, "invalid_body");
    assert_eq!(pointers(&problem.await), ["/headers"]);
}

#[tokio::test]
async fn a_query_arrives_as_it_was_meant() {
    let chatbot = ChatBot::start().await;
    chatbot.sandbox.script(|_| "{}");
    for (query, expected) in [
        (json!({}), vec![]),
        (json!({ "limit": 1, "all": true, "ratio": 1.5 }), vec![("limit", "1"), ("all", "true"), ("ratio", "1.5")]),
        (json!({ "id": ["a", 2, false], "none": [] }), vec![("id", "a"), ("id", "2"), ("id", "false")]),
        (json!({ "sort[field]": "createdAt" }), vec![("sort[field]", "createdAt")]),
        (json!({ "ä &=+": "?#&=%20+☕", "": "" }), vec![("ä &=+", "?#&=%20+☕"), ("", "")]),
    ] {
        let mut input = get("users");
        input["query"] = query.clone();
        chatbot.act("call-api", input, 200).await;
        let seen = chatbot.asked().remove(0);
        let url = Url::parse(&format!("http://localhost/?{}", seen.query)).unwrap();
        let pairs: Vec<(String, String)> =
            if seen.query.is_empty() { vec![] } else { url.query_pairs().into_owned().collect() };
        let expected: Vec<(String, String)> =
            expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(pairs, expected, "{query}: {}", seen.query);
    }
}

#[tokio::test]
async fn a_body_is_sent_as_json_and_a_text_as_it_is_where_a_header_says_so() {
    let chatbot = ChatBot::start().await;
    chatbot.sandbox.script(|_| "{}");
    let json_type = Some("application/json");
    for (kind, body, content_type, wire) in [
        (None, Value::Null, None, ""),
        (None, json!({ "a": [1, null, "ä"] }), json_type, r#"{"a":[1,null,"ä"]}"#),
        (None, json!([]), json_type, "[]"),
        (None, json!("a text"), json_type, "\"a text\""),
        (None, json!(""), json_type, "\"\""),
        (None, json!(false), json_type, "false"),
        (None, json!(0), json_type, "0"),
        (Some(" text/plain\t"), json!("a text"), Some("text/plain"), "a text"),
        (Some("text/plain; charset=UTF-8"), json!("ä"), Some("text/plain; charset=UTF-8"), "ä"),
        (Some("text/plain"), json!("a text"), Some("text/plain"), "a text"),
        (Some("text/plain"), json!(""), Some("text/plain"), ""),
        (Some("application/x-www-form-urlencoded"), json!("a=b"), Some("application/x-www-form-urlencoded"), "a=b"),
        (Some("Application/JSON; charset=utf-8"), json!("x"), Some("Application/JSON; charset=utf-8"), "\"x\""),
        (Some("application/merge-patch+json"), json!({}), Some("application/merge-patch+json"), "{}"),
    ] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let mut input = json!({ "path": "anything", "method": method, "body": body });
            if let Some(kind) = kind {
                input["headers"] = json!({ "CONTENT-TYPE": kind });
            }
            chatbot.act("call-api", input, 200).await;
            let seen = chatbot.asked().remove(0);
            assert_eq!((seen.method.as_str(), seen.body.as_str()), (method, wire), "{body}");
            let all: Vec<&str> =
                seen.headers.get_all("content-type").iter().map(|value| value.to_str().unwrap()).collect();
            assert_eq!(all, content_type.into_iter().collect::<Vec<_>>(), "{body}");
        }
    }
}

#[tokio::test]
async fn the_answer_is_handed_back_with_status_headers_and_body() {
    let chatbot = ChatBot::start().await;
    for (status, body, expected) in [
        (200, r#"{"b":1,"a":[null]}"#, json!({ "b": 1, "a": [null] })),
        (201, "[]", json!([])),
        (202, "not JSON", json!("not JSON")),
        (200, "null", Value::Null),
        (200, "<p>☕", json!("<p>☕")),
        (204, "", Value::Null),
        (205, "", Value::Null),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        chatbot.sandbox.script(move |_| (status, [("X-Count", "7"), ("x-tags", "a")], body));
        let answer = chatbot.act("call-api", get("users"), 200).await;
        assert_eq!((&answer["status"], &answer["body"]), (&json!(status.as_u16()), &expected), "{body}");
        assert_eq!((&answer["headers"]["x-count"], &answer["headers"]["x-tags"]), (&json!("7"), &json!("a")));
    }
    chatbot.sandbox.script(|_| {
        use axum::response::AppendHeaders;
        (AppendHeaders([("x-a", "1"), ("x-a", "2"), ("x-odd", "\u{e9}")]), "x")
    });
    let answer = chatbot.act("call-api", get("users"), 200).await;
    assert_eq!(answer["headers"]["x-a"], "1, 2");
}

#[tokio::test]
async fn a_failing_answer_is_a_problem_with_the_whole_answer() {
    let chatbot = ChatBot::start().await;
    for (says, status, code) in [
        (300, 502, "platform_unavailable"),
        (304, 502, "platform_unavailable"),
        (307, 502, "platform_unavailable"),
        (400, 422, "platform_rejected"),
        (401, 424, "connection_unauthorized"),
        (403, 424, "connection_unauthorized"),
        (404, 404, "not_found"),
        (405, 422, "platform_rejected"),
        (408, 504, "platform_timeout"),
        (410, 404, "not_found"),
        (418, 422, "platform_rejected"),
        (429, 429, "platform_slow_down"),
        (501, 502, "platform_unavailable"),
        (504, 504, "platform_timeout"),
        (599, 502, "platform_unavailable"),
    ] {
        let long = "words ".repeat(200);
        let body = if says == 304 { Value::Null } else { json!({ "status": { "code": says }, "message": long }) };
        let text = if says == 304 { String::new() } else { body.to_string() };
        chatbot.sandbox.script(move |_| {
            let location = ("location", "https://example.com/elsewhere");
            (StatusCode::from_u16(says).unwrap(), [location, ("retry-after", "9")], text.clone())
        });
        for method in ["GET", "POST"] {
            let input = json!({ "path": "users", "method": method });
            let answer = answer(chatbot.request("call-api", input)).await;
            let problem = problem(&answer, status, code);
            let whole = &problem["answer"];
            assert_eq!((&whole["status"], &whole["body"]), (&json!(says), &body), "{method}");
            assert_eq!(whole["headers"]["location"], "https://example.com/elsewhere");
            assert!(string(&problem["detail"]).len() < 600, "the detail is short");
            let waits = matches!(says, 408 | 429) || (method == "GET" && !(400..500).contains(&says));
            assert_eq!(answer.headers.get("retry-after").is_some(), waits, "{method} {says}");
            assert_eq!(chatbot.asked().len(), 1, "{method} {says}");
        }
    }
}

//! Answers in gzip: JSON of the API, in both doors, and nothing else.

use data_encoding::BASE64;
use flate2::read::GzDecoder;
use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};
use std::io::Read as _;
use tests::{Bundle, Lambda, lambda::http_event};

async fn send(request: RequestBuilder, accepted: &str) -> (u16, HeaderMap, Vec<u8>) {
    let answer = request.header("accept-encoding", accepted).send().await.unwrap();
    (answer.status().as_u16(), answer.headers().clone(), answer.bytes().await.unwrap().to_vec())
}

fn unpacked(body: &[u8]) -> Value {
    let mut text = String::new();
    GzDecoder::new(body).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn is_packed(headers: &HeaderMap) -> bool {
    headers.get("content-encoding").is_some_and(|coding| coding == "gzip")
}

/// A bundle with a hook whose list of events is over 1 KB, and the body of one of them.
async fn filled() -> (Bundle, String, String) {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let body = json!({ "user": { "id": 1, "note": "x".repeat(2_000) }, "tag": "vip" }).to_string();
    let receipt = bundle.send(&hook.url, body.clone()).await;
    (bundle, format!("/v1/events/{}", receipt.json()["event"].as_str().unwrap()), hook.url)
}

#[tokio::test]
async fn large_json_is_sent_in_gzip_to_those_who_take_it() {
    let (bundle, event, _) = filled().await;
    for path in ["/v1/events", &event, "/v1/modules", "/v1/openapi.json"] {
        let plain = bundle.get(path, 200).await;
        for accepted in ["gzip", "br, GZIP;q=0.4", "*"] {
            let (status, headers, body) = send(bundle.request(Method::GET, path), accepted).await;
            assert!(status == 200 && is_packed(&headers), "{path} {accepted}: {headers:?}");
            assert!(
                headers["vary"] == "accept-encoding" && headers["content-type"] == "application/json",
                "{headers:?}"
            );
            assert!(unpacked(&body) == plain && body.len() < plain.to_string().len() / 2, "{path}");
        }
        for accepted in ["", "br", "gzip;q=0", "identity"] {
            let (status, headers, body) = send(bundle.request(Method::GET, path), accepted).await;
            assert!(status == 200 && !is_packed(&headers), "{path} {accepted}: {headers:?}");
            assert!(serde_json::from_slice::<Value>(&body).unwrap() == plain, "{path}");
        }
    }
}

#[tokio::test]
async fn problems_are_sent_in_gzip_once_they_are_large() {
    let bundle = Bundle::start().await;
    let unknown: Value = (0..100).map(|n| (format!("unknown-{n}"), json!(n))).collect::<serde_json::Map<_, _>>().into();
    let post = |body: &Value| bundle.request(Method::POST, "/v1/hooks").json(body);
    let (status, headers, body) = send(post(&unknown), "gzip").await;
    assert!(status == 422 && is_packed(&headers) && headers["content-type"] == "application/problem+json");
    assert_eq!(unpacked(&body)["code"], "invalid_body");
    for request in
        [post(&json!({})), bundle.http.get(format!("{}/v1/hooks", bundle.url)), bundle.request(Method::GET, "/no")]
    {
        let (status, headers, body) = send(request, "gzip").await;
        assert!(status >= 400 && !is_packed(&headers), "{headers:?}");
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["status"], status);
    }
}

#[tokio::test]
async fn small_answers_bodies_answers_to_platforms_and_empty_answers_stay_as_they_are() {
    let (bundle, event, _) = filled().await;
    let reply = json!({ "reply": { "text": "y".repeat(3_000) } });
    let replying = bundle.hook_with("botmother.watch-request", reply).await;
    let key = bundle.post("/v1/keys", &json!({ "name": "n", "scope": "read" }), 201).await;
    let key = format!("/v1/keys/{}", key["id"].as_str().unwrap());
    for (request, status, least) in [
        (bundle.request(Method::GET, "/v1/health"), 200, 10),
        (bundle.request(Method::GET, &format!("{event}/raw")), 200, 2_000),
        (bundle.http.post(&replying.url).json(&json!({ "user_id": 1 })), 200, 3_000),
        (bundle.http.get(&replying.url), 200, 10),
        (bundle.http.head(&replying.url), 200, 0),
        (bundle.request(Method::HEAD, "/v1/events"), 405, 0),
        (bundle.request(Method::DELETE, &key), 204, 0),
        (bundle.http.get(format!("{}/", bundle.url)), 200, 10),
    ] {
        let (answered, headers, body) = send(request, "gzip").await;
        // The page of the console was compressed when it was built.
        let is_console =
            headers.get("content-type").is_some_and(|kind| kind.to_str().unwrap().starts_with("text/html"));
        assert!(answered == status && is_packed(&headers) == is_console, "{answered}: {headers:?}");
        assert!(headers.get_all("vary").iter().count() <= 1 && body.len() >= least, "{headers:?}");
        assert!(least > 0 || body.is_empty(), "{headers:?}");
    }
}

#[tokio::test]
async fn a_function_on_lambda_sends_gzip_in_base64() {
    let bundle = Bundle::start().await;
    for _ in 0..20 {
        bundle.post("/v1/keys", &json!({ "name": "a key among others", "scope": "read" }), 201).await;
    }
    let plain = bundle.get("/v1/keys", 200).await;
    let mut api_keys = Lambda::start("api-keys", &bundle, &[]).await;
    let mut event = http_event("GET", "/v1/keys", "");
    let uncompressed = api_keys.invoke(&event).await.answer();
    assert_eq!(
        (&uncompressed["isBase64Encoded"], &uncompressed["headers"]["content-encoding"]),
        (&json!(false), &Value::Null)
    );
    event["headers"]["accept-encoding"] = json!("gzip, deflate, br");
    let answer = api_keys.invoke(&event).await.answer();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!((&answer["isBase64Encoded"], &answer["headers"]["content-encoding"]), (&json!(true), &json!("gzip")));
    assert_eq!(answer["headers"]["vary"], "accept-encoding");
    assert_eq!(unpacked(&BASE64.decode(answer["body"].as_str().unwrap().as_bytes()).unwrap()), plain);
}

//! Headers of a route: how they are checked when it is saved, and what is sent.

use crate::support::{
    assertions::refused,
    raw_socket::Recorder,
    target::{ALLOW, delivery},
};
use models::DeliveryState;
use reqwest::Method;
use serde_json::{Value, json};
use store::routes::{EventRoute, Target, WebhookTarget};
use tests::{Bundle, eventually, string};

fn route(url: &str, headers: &Value) -> Value {
    let target = json!({ "type": "webhook", "url": url, "headers": headers });
    json!({ "name": "Demo", "events": ["botstar.*"], "target": target })
}

/// The headers of a request that are not the product's own, as they were sent.
fn own_lines(request: &str) -> Vec<&str> {
    let head = request.split("\r\n\r\n").next().unwrap();
    let ours = ["accept", "content-", "host", "switchboard-", "trace", "user-agent", "webhook-"];
    let mut lines: Vec<&str> =
        head.lines().skip(1).filter(|line| !ours.iter().any(|start| line.starts_with(start))).collect();
    lines.sort_unstable();
    lines
}

async fn delivered(bundle: &Bundle, route: &Value) {
    let hook = bundle.hook("botstar.watch-tag").await;
    let event = bundle.accept(&hook, &json!({ "user": { "id": "u-1" }, "tag": "vip" })).await;
    eventually(|| async {
        delivery(bundle, &event, route).await.filter(|delivery| delivery.state == DeliveryState::Succeeded)
    })
    .await;
}

#[tokio::test]
async fn a_header_that_says_how_the_body_is_written_is_refused() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    for name in [
        "Content-Encoding",
        "content-type",
        "CONTENT-LENGTH",
        "Content-MD5",
        "Accept-Encoding",
        "switchboard-hops",
        "Webhook-Signature",
        "Host",
        "Transfer-Encoding",
    ] {
        let new = route("http://127.0.0.1:9/", &json!({ name: "gzip" }));
        let problem = refused(bundle.request(Method::POST, "/v1/routes").json(&new), 422, "invalid_body").await;
        let fault = json!({ "pointer": format!("/target/headers/{name}"), "detail": "is a reserved header" });
        assert_eq!(problem["errors"], json!([fault]), "{name}");
    }
}

#[tokio::test]
async fn a_header_is_given_once_in_any_case() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let made = bundle.post("/v1/routes", &route("http://127.0.0.1:9/", &json!({})), 201).await;
    let path = format!("/v1/routes/{}", string(&made["id"]));
    for (headers, twice) in [
        (json!({ "Authorization": "a", "AUTHORIZATION": "b" }), vec!["AUTHORIZATION"]),
        (json!({ "x-a": "1", "X-A": "1", "X-a": "1" }), vec!["X-A", "X-a"]),
        (json!({ "x-a": "1", "x~b": "1", "X~B": "2" }), vec!["X~0B"]),
    ] {
        let new = route("http://127.0.0.1:9/", &headers);
        let expected: Vec<Value> = twice
            .iter()
            .map(|name| json!({ "pointer": format!("/target/headers/{name}"), "detail": "must not be repeated" }))
            .collect();
        for (method, path) in [(Method::POST, "/v1/routes"), (Method::PATCH, path.as_str())] {
            let problem = refused(bundle.request(method, path).json(&new), 422, "invalid_body").await;
            assert_eq!(problem["errors"], json!(expected), "{headers}");
        }
    }
}

#[tokio::test]
async fn blanks_around_a_header_are_not_sent() {
    let (bundle, recorder) = (Bundle::start_with(&[ALLOW]).await, Recorder::start());
    let headers = json!({ "X-Api-Key": "abc ", "X-Tab": "\t a b\t", "X-Blank": "  ", "X-Fine": "c" });
    let made = bundle.post("/v1/routes", &route(&format!("http://{}/", recorder.address), &headers), 201).await;
    let masked = json!({ "X-Api-Key": "••••", "X-Tab": "••••", "X-Blank": "••••", "X-Fine": "••••" });
    assert_eq!(made["target"]["headers"], masked);
    delivered(&bundle, &made).await;
    let requests = recorder.requests();
    assert_eq!(own_lines(&requests[0]), ["x-api-key: abc", "x-blank: ", "x-fine: c", "x-tab: a b"]);
    assert!(requests[0].contains("\r\naccept-encoding: identity\r\n"), "{}", requests[0]);
}

/// Saved before there were these rules, a route goes on, by the rules.
#[tokio::test]
async fn a_stored_route_sends_what_would_be_saved_now() {
    let (bundle, recorder) = (Bundle::start_with(&[ALLOW]).await, Recorder::start());
    let url = format!("http://{}/", recorder.address);
    let made = bundle.post("/v1/routes", &route(&url, &json!({ "x-a": "1" })), 201).await;
    let app = &bundle.local.app;
    let mut stored: EventRoute = app.store.find(&string(&made["id"])).await.unwrap().unwrap();
    let old = json!({ "X-A": " abc\t", "AUTHORIZATION": "a", "Authorization": "b", "Content-Encoding": "gzip",
        "Content-Type": "text/plain", "accept-encoding": "br", "switchboard-hops": "9", "webhook-id": "mine",
        "X-\u{e9}": "x", "X-Latin": "\u{e9}" });
    let Target::Webhook(WebhookTarget { headers, .. }) = &mut stored.target else { panic!("{made}") };
    *headers = Some(app.sealer().unwrap().seal(stored.id.as_str(), &old.to_string()).await.unwrap());
    app.store.update(&mut stored).await.unwrap();
    delivered(&bundle, &made).await;
    let requests = recorder.requests();
    assert_eq!(own_lines(&requests[0]), ["authorization: b", "x-a: abc"]);
    let head = requests[0].split("\r\n\r\n").next().unwrap();
    for line in ["content-type: application/cloudevents+json", "accept-encoding: identity"] {
        assert_eq!(head.lines().filter(|sent| *sent == line).count(), 1, "{head}");
    }
    for absent in ["gzip", "webhook-id: mine", "switchboard-hops: 9"] {
        assert!(!head.contains(absent), "{head}");
    }
}

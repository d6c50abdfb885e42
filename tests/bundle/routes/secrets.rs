//! Secrets of a route's webhook in what its receiver answers: nobody who reads the attempts sees them.

use crate::support::{
    assertions::{make_key, with_key},
    raw_socket::{request, serve},
    target::{ALLOW, delivery},
};
use models::DeliveryState;
use percent_encoding::percent_decode_str;
use reqwest::Method;
use serde_json::{Value, json};
use std::io::Write as _;
use tests::{Bundle, answer, eventually, string};

/// A receiver's text about the path and query of a request.
type Says = fn(&str) -> String;

/// A receiver that answers 404 with a text about the request.
fn receiver(says: Says) -> String {
    serve(move |mut stream| {
        let Some(request) = request(&mut stream) else { return };
        let body = says(request.split(' ').nth(1).unwrap());
        let head = format!("HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        let _ = stream.write_all((head + &body).as_bytes());
    })
}

const EXPRESS: Says = |target| format!("<pre>Cannot POST {}</pre>", target.replace('&', "&amp;"));
const PLAIN: Says = |target| format!("POST {target} not found");
const JSON: Says = |target| json!({ "path": target, "error": "Not Found" }).to_string().replace('/', "\\/");
const DECODED: Says = |target| format!("No route matches [POST] {:?}", percent_decode_str(target).decode_utf8_lossy());
const STEPS: Says =
    |target| target.split(['/', '?', '&', '=']).filter(|step| step.len() > 5).collect::<Vec<_>>().join(" ");
const RELATIVE: Says = |target| format!("The current path, {}, didn't match", &target[1..]);
const ENCODED: Says = |target| format!("to=%2Flogin%3Fnext%3D{}", target.replace('/', "%2F").replace('?', "%3f"));
const CUT: Says = |target| format!("{}{}", "x".repeat(1_024 - target.len() + 3), target);
const TWICE: Says = |target| format!("{target}{target}").repeat(20);

/// The attempt of a delivery to a URL, as a key of scope `read` sees it.
async fn attempt(bundle: &Bundle, reader: &str, url: &str, headers: &Value) -> Value {
    let target = json!({ "type": "webhook", "url": url, "headers": headers });
    let new = json!({ "name": "Demo", "events": ["botstar.*"], "target": target });
    let route = bundle.post("/v1/routes", &new, 201).await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let event = bundle.accept(&hook, &json!({ "user": { "id": "u-1" }, "tag": "vip" })).await;
    let dead = eventually(|| async {
        delivery(bundle, &event, &route).await.filter(|delivery| delivery.state == DeliveryState::Dead)
    })
    .await;
    let path = format!("/v1/deliveries/{}", dead.id.as_str());
    let shown = answer(with_key(bundle, Method::GET, &path, reader)).await.json();
    let sent = bundle.post(&format!("/v1/routes/{}/test", string(&route["id"])), &json!({ "send": true }), 200).await;
    assert_eq!(sent["attempt"]["body"], shown["attempts"][0]["body"], "the test of a route keeps the same");
    bundle.patch(&format!("/v1/routes/{}", string(&route["id"])), &json!({ "enabled": false }), 200).await;
    shown["attempts"][0].clone()
}

#[tokio::test]
async fn a_receiver_that_repeats_the_url_shows_it_to_nobody() {
    let bundle = Bundle::start_with(&[ALLOW, ("RETRY_SCHEDULE", "0")]).await;
    let (_, reader) = make_key(&bundle, "read").await;
    let (path, query) = ("/api/services/T02AB%20CD/caf%C3%A9-9x8y7z6w", "user=ava&key=s3cr3t-of+ava&n=7");
    let secrets = ["T02AB", "9x8y7z6w", "s3cr3t", "services", "user=ava", "key=", "T02AB CD"];
    for (number, says) in [EXPRESS, PLAIN, JSON, DECODED, STEPS, RELATIVE, ENCODED, CUT, TWICE].into_iter().enumerate()
    {
        let url = format!("http://{}{path}?{query}", receiver(says));
        let attempt = attempt(&bundle, &reader, &url, &json!({})).await;
        let body = string(&attempt["body"]);
        assert_eq!(attempt["status"], 404);
        assert!(body.contains("••••") && body.len() <= 1_024, "{number}: {body}");
        // STEPS leaves words that are not secrets by themselves.
        for secret in secrets.iter().filter(|secret| number != 4 || **secret != "services") {
            assert!(!body.contains(secret), "{number}: {secret} in {body}");
        }
    }
    let kept = attempt(&bundle, &reader, &format!("http://{}/api?v=1", receiver(EXPRESS)), &json!({})).await;
    assert_eq!(kept["body"], "<pre>Cannot POST ••••</pre>");
    let kept =
        attempt(&bundle, &reader, &format!("http://{}/", receiver(|_| "see /api/docs".to_owned())), &json!({})).await;
    assert_eq!(kept["body"], "see /api/docs");
}

#[tokio::test]
async fn a_header_is_masked_in_a_text_unless_it_is_short_and_no_credential() {
    let bundle = Bundle::start_with(&[ALLOW, ("RETRY_SCHEDULE", "0")]).await;
    let (_, reader) = make_key(&bundle, "read").await;
    let url = format!("http://{}/in", receiver(|_| "version 1 of 2 for tenant, k-1 and Zm9v".to_owned()));
    for (headers, expected) in [
        (json!({ "X-Api-Version": "1", "X-Of": "2" }), "version 1 of 2 for tenant, k-1 and Zm9v"),
        (json!({ "X-Api-Version": "1", "X-Tenant": "tenant" }), "version 1 of 2 for ••••, k-1 and Zm9v"),
        (json!({ "X-Api-Key": "k-1" }), "version 1 of 2 for tenant, •••• and Zm9v"),
        (json!({ "Authorization": "Basic Zm9v" }), "version 1 of 2 for tenant, k-1 and ••••"),
        (json!({ "Cookie": "k-1", "x-of-token": " 2 " }), "version 1 of •••• for tenant, •••• and Zm9v"),
    ] {
        assert_eq!(attempt(&bundle, &reader, &url, &headers).await["body"], expected, "{headers}");
    }
}

//! Secrets of Botmother: no event URL in answers, the log or the store, and no personal data in the log.

use crate::support::{
    botmother::{Botmother, to_one},
    log::{Log, contents},
};
use axum::http::StatusCode;
use client::mask::MASK;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{
    Sandbox, answer,
    sandbox::{Fault, FaultKind, Platform},
    string,
};

const TOKEN: &str = Sandbox::EVENT_TOKEN;

/// The secrets, each in every encoding that could leak it.
fn written(botmother: &Botmother) -> Vec<String> {
    let url = botmother.sandbox.event_url();
    let path = url.strip_prefix(&botmother.sandbox.url).unwrap();
    let mut all = Vec::new();
    for secret in [&url, path, &path[1..], &format!("{}/{TOKEN}", Sandbox::EVENT_ID), TOKEN, Sandbox::EVENT_ID] {
        let coded = |code: &dyn Fn(u8) -> String| secret.bytes().map(code).collect::<String>();
        all.extend([
            secret.to_owned(),
            secret.replace('/', "\\/"),
            secret.replace('/', "\\\\\\/"),
            secret.replace('/', "%2F").replace(':', "%3a"),
            coded(&|byte| format!("%{byte:02X}")),
            coded(&|byte| format!("%{byte:02x}")),
            coded(&|byte| format!("\\u{byte:04x}")),
            coded(&|byte| format!("\\\\u{byte:04X}")),
        ]);
    }
    all
}

/// No way of writing the token is in an answer, nor the id before it.
fn assert_clean(text: &str, written: &[String]) {
    let found = written.iter().find(|secret| text.contains(*secret));
    assert_eq!(found, None, "{text}");
    assert!(!text.contains(&TOKEN[..12]), "a part of it: {text}");
}

#[tokio::test]
async fn every_repeat_of_the_event_url_is_removed() {
    let botmother = Botmother::start().await;
    let written = written(&botmother);
    for secret in &written {
        for (status, body, expected) in [
            (400, format!("{{\"message\":\"bad {secret}!\"}}"), 422),
            (404, format!("no route {secret}"), 424),
            (500, format!("{secret}{secret}"), 502),
            (403, format!("{}{secret}", "x".repeat(480)), 424),
            (200, format!("{{\"result\":false,\"message\":\"bad {secret}!\"}}"), 422),
            (200, format!("{{\"result\":true,\"limits\":{{\"exceeded\":true,\"of\":\"{secret}\"}}}}"), 422),
            (200, format!("{{\"result\":\"{secret}\"}}"), 502),
            (200, format!("<a href=\"{secret}\">"), 502),
            (200, format!("{{\"result\":true,\"payload\":[{{\"to\":\"{secret}\"}}],\"limits\":\"{secret}\"}}"), 200),
            (200, format!("{{\"result\":true,\"payload\":[[{{\"{secret}\":1}}]]}}"), 200),
        ] {
            let code = StatusCode::from_u16(status).unwrap();
            let said = body.clone();
            botmother.sandbox.script(move |_| (code, said.clone()));
            let answer = answer(botmother.request(to_one())).await;
            assert_eq!(answer.status, expected, "{body}: {}", answer.text);
            assert_clean(&answer.text, &written);
            let masked = answer.text.contains('•') || body.starts_with('<') || status == 403;
            assert!(masked, "{body}: {}", answer.text);
        }
    }
    // The whole of it is one mask, and what stands around it stays.
    let reported = format!("{{\"result\":false,\"message\":\"bad {}!\"}}", botmother.sandbox.event_url());
    botmother.sandbox.script(move |_| reported.clone());
    let problem = botmother.refused(to_one(), 422, "platform_rejected").await;
    assert!(string(&problem["detail"]).ends_with(&format!("\"bad {MASK}!\"}}")), "{problem}");
}

#[tokio::test]
async fn a_header_with_the_url_in_it_is_not_handed_on() {
    let botmother = Botmother::start().await;
    for reported in [TOKEN.to_owned(), botmother.sandbox.event_url()] {
        let wait = reported.clone();
        botmother.sandbox.script(move |_| {
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", wait.clone()), ("location", wait.clone())])
        });
        let answer = answer(botmother.request(to_one())).await;
        assert_eq!((answer.status.as_u16(), &answer.headers["retry-after"]), (429, &"10".parse().unwrap()));
        assert!(!format!("{answer:?}").contains(TOKEN), "{answer:?}");
    }
}

/// Personal data of one user, over all fields.
const PERSON: [&str; 5] =
    ["zebedee-at-telegram", "a-marker-in-the-data", "a-marker-in-the-extra", "a-marker-of-a-platform", "Zebedee Stone"];

fn inputs() -> Vec<Value> {
    let [id, data, extra, platform, name] = PERSON;
    let whole =
        json!({ "platform": "tg", "users": [id], "data": { "name": name, "x": data }, "extra": { "x": extra } });
    let with = |field: &str, value: Value| {
        let mut input = whole.clone();
        input[field] = value;
        input
    };
    vec![
        whole.clone(),
        with("platform", json!(platform)),
        json!({ "platform": "any", "users": "everyone", "confirm_everyone": true, "data": { "x": data } }),
        // These are refused.
        with("users", json!(name)),
        with("users_bm", json!([id])),
        with("extra", json!({ "data": { "x": extra } })),
        with("data", json!({ "x": format!("{data}{}", "x".repeat(1_000_000)) })),
    ]
}

/// Every route that has to do with a connection, well and badly.
async fn of_connections(botmother: &Botmother) -> Vec<String> {
    let (bundle, url) = (&botmother.bundle, botmother.sandbox.event_url());
    let path = format!("/v1/connections/{}", botmother.connection);
    let new = |url: String| json!({ "platform": "botmother", "name": "Bot", "credentials": { "event_url": url } });
    let post = |body: Value| bundle.request(Method::POST, "/v1/connections").json(&body);
    let patch =
        |url: String| bundle.request(Method::PATCH, &path).json(&json!({ "credentials": { "event_url": url } }));
    let requests: Vec<RequestBuilder> = vec![
        post(new(url.clone())),
        post(new(format!("{url}?a"))),
        post(new(url.replace("127.0.0.1", "127.0.0.2"))),
        post(new(format!("{url}\n"))),
        post(json!({ "platform": "botmother", "name": "Bot", "credentials": { "url": url, "event_url": [url] } })),
        patch(url.clone()),
        patch(format!("{url}#")),
        bundle.request(Method::GET, &path),
        bundle.request(Method::GET, "/v1/connections"),
        bundle.request(Method::POST, &format!("{path}/test")),
    ];
    let mut texts = Vec::new();
    for request in requests {
        texts.push(answer(request).await.text);
    }
    texts
}

#[tokio::test]
async fn neither_the_event_url_nor_a_person_is_logged_and_no_answer_has_the_url() {
    let log = Log::start();
    let folder = tempfile::tempdir().unwrap();
    let botmother = Botmother::start_with(&[("DATA_DIR", folder.path().to_str().unwrap())]).await;
    let written = written(&botmother);
    for text in of_connections(&botmother).await {
        assert_clean(&text, &written);
    }
    let mut statuses = Vec::new();
    for kind in [
        None,
        Some(FaultKind::Echo),
        Some(FaultKind::NotFound),
        Some(FaultKind::SlowDown),
        Some(FaultKind::Error),
        Some(FaultKind::Cut),
        Some(FaultKind::CutBefore),
        Some(FaultKind::Nonsense),
        Some(FaultKind::WrongShape),
        Some(FaultKind::EnvelopeError),
        Some(FaultKind::Redirect),
    ] {
        if let Some(kind) = kind {
            botmother.sandbox.fault(Fault { times: usize::MAX, ..kind.at(Platform::Botmother) });
        }
        for input in inputs() {
            let answer = answer(botmother.request(input)).await;
            assert_clean(&answer.text, &written);
            statuses.push(answer.status.as_u16());
        }
        botmother.sandbox.forget_faults();
    }
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, [200, 413, 422, 424, 429, 502]);
    let sent: String = botmother.asked().into_iter().map(|seen| seen.body).collect();
    for person in PERSON {
        assert!(sent.contains(person), "{person} was sent");
    }

    let log = log.text();
    assert!(log.contains("\"route\":\"POST /v1/actions/botmother/send-event\""), "{log}");
    assert!(log.contains("\"message\":\"failed\"") && log.contains("\"code\":\"platform_unavailable\""), "{log}");
    let stored = contents(folder.path());
    assert!(stored.contains(&botmother.connection), "what is stored is found");
    for secret in &written {
        assert_eq!(log.lines().find(|line| line.contains(secret)), None, "{secret} is logged");
        assert!(!stored.contains(secret), "{secret} is stored in the clear");
    }
    for person in PERSON {
        assert_eq!(log.lines().find(|line| line.contains(person)), None, "{person} is logged");
        assert!(!stored.contains(person), "{person} is stored");
    }
}

//! Connections to BotDistrikt: a domain that is easily guessed is warned of, and a good one is made when asked for.

use crate::support::{
    assertions::{make_key, pointers, refused, with_key},
    botdistrikt::BotDistrikt,
    harness::items,
};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Bundle, expect,
    sandbox::{Fault, FaultKind, Sandbox},
    string,
};

const CONNECTIONS: &str = "/v1/connections";

fn new(credentials: Value) -> Value {
    json!({ "platform": "botdistrikt", "name": "Shop", "credentials": credentials })
}

fn with_domain(domain: &str) -> Value {
    json!({ "webchat_app_id": Sandbox::WEBCHAT_APP_ID, "domain": domain })
}

fn path(connection: &Value) -> String {
    format!("{CONNECTIONS}/{}", string(&connection["id"]))
}

/// The domain is warned of, or not, in an answer that does not show it.
fn check_warnings(connection: &Value, warned: bool) {
    let warnings = connection["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), usize::from(warned), "{connection}");
    for warning in warnings {
        assert_eq!(warning["pointer"], "/credentials/domain");
        assert!(string(&warning["detail"]).starts_with("is guessable"), "{warning}");
    }
}

const WEAK: [&str; 13] = [
    "app.example.com",
    "www.example.com",
    "https://www.example.com",
    "https://app.my-shop.example.com/chat",
    "webchat.internationalization-department.example.com",
    "correct-horse-battery-staple.example.com",
    "My-very-long-company-name-for-the-webchat-of-our-shop.example.com",
    "myshop-webchat-2024.example.com",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com",
    "abcdefghijklmnopqrstuvwxyz0123456789.com",
    "qwertyuiopasdfghjkl.example.com",
    "a8f3k2m9x1.example.com",
    "9f8e7d6c5b4a392.example.com",
];

const STRONG: [&str; 7] = [
    Sandbox::DOMAIN,
    "x7k2m9q4w8z1v5n3.example.com",
    "9f8e7d6c5b4a39281706f5e4.example.com",
    "https://www.example.com/x7k2m9q4w8z1v5n3",
    "f47ac10b-58cc-4372-a567-0e02b2c3d479.example.com",
    "5uPq_fL3xWm-9Zt2KcVh.app.example.com",
    "9f8e7d6c5b4a3928.example.com",
];

#[tokio::test]
async fn a_guessable_domain_is_warned_of_and_a_random_one_is_not() {
    let bundle = Bundle::start().await;
    for (domain, warned) in WEAK.map(|domain| (domain, true)).into_iter().chain(STRONG.map(|domain| (domain, false))) {
        let made = bundle.post(CONNECTIONS, &new(with_domain(domain)), 201).await;
        check_warnings(&made, warned);
        assert!(!made.to_string().contains(domain), "{made}");
        assert_eq!((&made["generated"], &made["credentials"]["webchat_app_id"]), (&Value::Null, &json!("••••")));
        assert_eq!(bundle.get(&path(&made), 200).await, made);
    }
    let listed = bundle.all(CONNECTIONS).await;
    assert_eq!(listed.iter().filter(|one| one["warnings"] != json!([])).count(), WEAK.len());
    for other in ["botstar", "chatbot"] {
        let id = bundle.connection(other).await;
        assert_eq!(bundle.get(&format!("{CONNECTIONS}/{id}"), 200).await["warnings"], json!([]));
    }
}

#[tokio::test]
async fn a_warning_goes_with_the_domain_and_stays_when_the_name_changes() {
    let bundle = Bundle::start().await;
    let made = bundle.post(CONNECTIONS, &new(with_domain(WEAK[0])), 201).await;
    let path = path(&made);
    for (change, warned) in [
        (json!({ "name": "Renamed" }), true),
        (json!({}), true),
        (json!({ "credentials": with_domain(STRONG[0]) }), false),
        (json!({ "name": "Again" }), false),
        (json!({ "credentials": with_domain(WEAK[1]), "name": "Weak" }), true),
        (json!({ "credentials": { "webchat_app_id": 1 }, "generate": true }), false),
    ] {
        let changed = bundle.patch(&path, &change, 200).await;
        check_warnings(&changed, warned);
        assert_eq!(bundle.get(&path, 200).await["warnings"], changed["warnings"]);
        assert_eq!(bundle.all(CONNECTIONS).await[0]["warnings"], changed["warnings"]);
    }
}

/// Generated domain, which only this answer shows in full.
fn generated(connection: &Value) -> String {
    let names: Vec<&String> = connection["generated"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["domain"]);
    let domain = string(&connection["generated"]["domain"]);
    let label = domain.strip_suffix(".invalid").unwrap();
    // 256 bits, five a character.
    assert!(label.len() == 52 && label.chars().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase()), "{domain}");
    let tail: String = domain.chars().skip(domain.len() - 4).collect();
    assert_eq!(connection["credentials"], json!({ "webchat_app_id": "••••", "domain": format!("••••{tail}") }));
    check_warnings(connection, false);
    domain
}

#[tokio::test]
async fn a_domain_is_made_shown_once_and_used() {
    let botdistrikt = BotDistrikt::start().await;
    let bundle = &botdistrikt.bundle;
    let app = json!({ "webchat_app_id": Sandbox::WEBCHAT_APP_ID });
    let mut body = new(app.clone());
    body["generate"] = json!(true);
    let made = bundle.post(CONNECTIONS, &body, 201).await;
    let (path, first) = (path(&made), generated(&made));
    botdistrikt.sandbox.script(|_| r#"{"webchat_id":"u-1"}"#);
    let uses = async |domain: &str| {
        let input = json!({ "connection": made["id"], "webchat_id": "u-1", "reuse": false });
        botdistrikt.act("register-user", input, 200).await;
        assert_eq!(botdistrikt.asked()[0]["domain"], domain);
    };
    uses(&first).await;
    let mut domains = vec![first];
    for credentials in [app.clone(), json!({ "webchat_app_id": 4711, "domain": null })] {
        let change = json!({ "credentials": credentials, "generate": true });
        let changed = bundle.patch(&path, &change, 200).await;
        let domain = generated(&changed);
        assert!(!domains.contains(&domain), "{domain} again");
        uses(&domain).await;
        domains.push(domain);
    }
    let renamed = bundle.patch(&path, &json!({ "name": "Renamed", "generate": false }), 200).await;
    let shown = [renamed, bundle.get(&path, 200).await, json!(bundle.all(CONNECTIONS).await)];
    for answer in &shown {
        assert!(!domains.iter().any(|domain| answer.to_string().contains(domain)), "{answer}");
    }
    assert_eq!((&shown[0]["generated"], &shown[1]["generated"]), (&Value::Null, &Value::Null));
    for item in items(&bundle.local.app, &bundle.local.app.config.tables.control).await {
        assert!(!domains.iter().any(|domain| item.contains(domain)), "{item}");
    }
    uses(&domains[2]).await;
}

#[tokio::test]
async fn a_domain_is_not_made_where_it_can_not_be() {
    let bundle = Bundle::start().await;
    let made = bundle.post(CONNECTIONS, &new(with_domain(STRONG[0])), 201).await;
    let app = json!({ "webchat_app_id": 1 });
    for (credentials, at) in [
        (Some(with_domain(STRONG[1])), "/credentials/domain"),
        (Some(json!({ "webchat_app_id": 1, "domain": "" })), "/credentials/domain"),
        (Some(json!({})), "/credentials/webchat_app_id"),
        (None, "/credentials/webchat_app_id"),
    ] {
        let mut change = json!({ "generate": true });
        if let Some(credentials) = credentials {
            change["credentials"] = credentials;
        }
        let mut body = change.clone();
        (body["platform"], body["name"]) = (json!("botdistrikt"), json!("Shop"));
        for request in [
            bundle.request(Method::POST, CONNECTIONS).json(&body),
            bundle.request(Method::PATCH, &path(&made)).json(&change),
        ] {
            let problem = refused(request, 422, "invalid_body").await;
            assert_eq!(pointers(&problem), [at], "{change}");
            assert!(!problem.to_string().contains(".invalid"), "{problem}");
        }
    }
    for generate in [json!("yes"), json!(1), Value::Null] {
        let mut body = new(app.clone());
        body["generate"] = generate.clone();
        let problem = refused(bundle.request(Method::POST, CONNECTIONS).json(&body), 422, "invalid_body").await;
        assert!(pointers(&problem).contains(&"/generate"), "{generate}: {problem}");
    }
    let event_url = "https://app.botmother.com/api/bot/action/an-event/a-token-of-the-event";
    for (platform, credentials) in [
        ("chatbot", json!({ "access_token": Sandbox::TOKEN })),
        ("chatbot", json!({})),
        ("botstar", json!({})),
        ("botmother", json!({ "event_url": event_url })),
    ] {
        let body = json!({ "platform": platform, "name": "Shop", "credentials": credentials, "generate": true });
        let problem = refused(bundle.request(Method::POST, CONNECTIONS).json(&body), 422, "invalid_body").await;
        assert_eq!(pointers(&problem), ["/generate"], "{platform}: {problem}");
    }
    assert_eq!(bundle.all(CONNECTIONS).await, [made]);
}

#[tokio::test]
async fn credentials_of_another_shape_are_refused_without_being_repeated() {
    let bundle = Bundle::start().await;
    let made = bundle.post(CONNECTIONS, &new(with_domain(STRONG[0])), 201).await;
    let good = STRONG[1];
    for (credentials, at) in [
        (json!({ "webchat_app_id": "4711", "domain": good }), "/credentials/webchat_app_id"),
        (json!({ "webchat_app_id": 0, "domain": good }), "/credentials/webchat_app_id"),
        (json!({ "webchat_app_id": -1, "domain": good }), "/credentials/webchat_app_id"),
        (json!({ "webchat_app_id": 1.5, "domain": good }), "/credentials/webchat_app_id"),
        (json!({ "webchat_app_id": 1e30, "domain": good }), "/credentials/webchat_app_id"),
        (json!({ "webchat_app_id": 18_446_744_073_709_551_616.0, "domain": good }), "/credentials/webchat_app_id"),
        (json!({ "webchat_app_id": null, "domain": good }), "/credentials/webchat_app_id"),
        (json!({ "webchat_app_id": true, "domain": good }), "/credentials/webchat_app_id"),
        (json!({ "domain": good }), "/credentials/webchat_app_id"),
        (json!({ "webchat_app_id": 1 }), "/credentials/domain"),
        (json!({ "webchat_app_id": 1, "domain": null }), "/credentials/domain"),
        (json!({ "webchat_app_id": 1, "domain": [good] }), "/credentials/domain"),
        (json!({ "webchat_app_id": 1, "domain": "short.c" }), "/credentials/domain"),
        (json!({ "webchat_app_id": 1, "domain": format!("{good} x") }), "/credentials/domain"),
        (json!({ "webchat_app_id": 1, "domain": format!("{good}\n") }), "/credentials/domain"),
        (json!({ "webchat_app_id": 1, "domain": good.repeat(40) }), "/credentials/domain"),
        (json!({ "webchat_app_id": 1, "domain": good, "token": good }), "/credentials/token"),
    ] {
        for request in [
            bundle.request(Method::POST, CONNECTIONS).json(&new(credentials.clone())),
            bundle.request(Method::PATCH, &path(&made)).json(&json!({ "credentials": credentials })),
        ] {
            let problem = refused(request, 422, "invalid_body").await;
            assert_eq!(pointers(&problem), [at], "{problem}");
            assert!(!problem.to_string().contains(good), "{problem}");
        }
    }
    assert_eq!(bundle.all(CONNECTIONS).await, [made]);
}

#[tokio::test]
async fn an_app_id_is_a_whole_number_however_it_is_written() {
    let botdistrikt = BotDistrikt::start().await;
    botdistrikt.sandbox.script(|_| r#"{"webchat_id":"u-1"}"#);
    let with = |app: &str| {
        let credentials = with_domain(STRONG[1]).to_string().replace("4711", app);
        let body = format!(r#"{{"platform":"botdistrikt","name":"Shop","credentials":{credentials}}}"#);
        botdistrikt.bundle.request(Method::POST, CONNECTIONS).body(body)
    };
    for app in ["1", "4711", "18446744073709551615"] {
        let made = expect(with(app), 201).await;
        botdistrikt.sandbox.forget_requests();
        botdistrikt.act("register-user", json!({ "connection": made["id"] }), 200).await;
        assert_eq!(botdistrikt.sandbox.requests()[0].path, format!("/webchat_apps/{app}/user"));
    }
    for (app, used) in [("4711.0", "4711"), ("47e2", "4700")] {
        let made = expect(with(app), 201).await;
        botdistrikt.sandbox.forget_requests();
        botdistrikt.act("register-user", json!({ "connection": made["id"] }), 200).await;
        assert_eq!(botdistrikt.sandbox.requests()[0].path, format!("/webchat_apps/{used}/user"));
    }
    for app in ["4711.5", "18446744073709551616", "99999999999999999999999"] {
        let problem = refused(with(app), 422, "invalid_body").await;
        assert_eq!(pointers(&problem), ["/credentials/webchat_app_id"], "{app}");
    }
}

#[tokio::test]
async fn a_connection_test_only_checks_that_botdistrikt_answers() {
    let botdistrikt = BotDistrikt::start().await;
    let bundle = &botdistrikt.bundle;
    let test = || bundle.request(Method::POST, &format!("{CONNECTIONS}/{}/test", botdistrikt.connection));
    let tested = expect(test(), 200).await;
    assert_eq!(tested["ok"], Value::Null, "no documented call checks it");
    assert!(string(&tested["detail"]).contains("botdistrikt.register-user"), "{tested}");
    let asked = botdistrikt.sandbox.requests();
    assert!(asked.iter().all(|seen| seen.method == Method::GET && seen.body.is_empty()), "{asked:?}");
    assert!(!format!("{asked:?}").contains(Sandbox::DOMAIN));
    assert_eq!(botdistrikt.sandbox.registrations(), [""; 0]);
    for kind in [FaultKind::Unauthorized, FaultKind::NotFound, FaultKind::Empty, FaultKind::Nonsense, FaultKind::Error]
    {
        botdistrikt.sandbox.fault(kind);
        assert_eq!(expect(test(), 200).await, tested, "{kind:?}");
    }
    for kind in [FaultKind::Error, FaultKind::Unavailable, FaultKind::CutBefore] {
        botdistrikt.sandbox.fault(Fault { times: usize::MAX, ..kind.into() });
        let problem = refused(test(), 502, "platform_unavailable").await;
        assert_ne!(problem["retry"], "unknown", "{kind:?}");
        botdistrikt.sandbox.forget_faults();
    }
    botdistrikt.sandbox.fault(FaultKind::HangBefore);
    refused(test(), 504, "platform_timeout").await;

    let (nowhere, connection) = (Bundle::start().await, new(with_domain(STRONG[0])));
    let made = nowhere.post(CONNECTIONS, &connection, 201).await;
    refused(nowhere.request(Method::POST, &format!("{}/test", path(&made))), 502, "platform_unavailable").await;
    let (_, act) = make_key(bundle, "act").await;
    let path = format!("{CONNECTIONS}/{}/test", botdistrikt.connection);
    refused(with_key(bundle, Method::POST, &path, &act), 403, "forbidden").await;
}

//! Secrets in calls of actions: credentials and personal data must not leak.

use crate::support::{
    action_calls::uncalled,
    harness::items,
    log::{Log, contents},
    platforms::{GUEST, PLATFORMS, Platforms, SECRETS, credentials, wrong_credentials},
};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tests::{
    answer,
    sandbox::{Fault, FaultKind, Sandbox},
    string,
};

/// Personal data of one user, over all fields.
const PERSON: [&str; 12] = [
    "zebedee@example.org",
    "zebedee-login",
    "Zebedee Quartermain",
    "https://example.org/zebedee",
    "Europe/Zebedee",
    "198.51.100.77",
    "Zebedeeville",
    "customer-zebedee-771",
    "a-marker-of-a-custom-field",
    "a-marker-of-a-story",
    "a-marker-of-a-call",
    "a-marker-of-an-item",
];
/// Personal data of a user who is registered, and then stored as a subscriber.
const REGISTERED: [&str; 3] = ["webchat-of-balthazar-903", "Balthazar Pennyworth", "balthazar@example.net"];
/// Messages to and from a bot, and their recipient.
const SAID: [&str; 5] = [
    "a-marker-of-a-text",
    "a-marker-of-a-message",
    "a-person-of-telegram",
    "a-marker-of-an-event",
    "a-marker-of-something-extra",
];
const OTHER: &str = "another-secret-of-an-account-9876543210";
const MISTYPED: &str = "a-mistyped-secret-of-the-shop";

fn calls(platforms: &Platforms) -> Vec<(&'static str, Value)> {
    let [email, login, name, url, zone, ip, city, id, custom, story, call, item] = PERSON;
    let attributes = json!({
        "email": email, "username": login, "name": name, "url": url, "avatar": url, "timezone": zone, "ip": ip,
        "city": city, "referrer": url, "custom_fields": { "plan": custom, custom: "x" },
    });
    let with = |more: Value| {
        let mut input = attributes.clone();
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let (ava, shop) = (&platforms.sandbox.users()[0]["id"], &platforms.sandbox.stories()[0]["id"]);
    let entity = platforms.sandbox.entity_id();
    let items = json!({ "name": item, "fields": { item: item } });
    let of_item = |more: Value| {
        let mut input = json!({ "entity_id": entity, "item_id": "i-1" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let create_item = {
        let mut input = items.clone();
        input["entity_id"] = json!(entity);
        input
    };
    let api = |method: &str| {
        json!({
            "path": format!("users/{id}"), "method": method, "headers": { "x-call": call }, "query": { "email": email },
            "body": { "name": name },
        })
    };
    let [webchat_id, first_name, address] = REGISTERED;
    let [text, message, user, data, extra] = SAID;
    let register = json!({ "webchat_id": webchat_id, "user": { "first_name": first_name, "email": address } });
    let event = json!({ "platform": "tg", "users": [user], "data": { "text": data }, "extra": { "more": extra } });
    vec![
        ("botstar.list-bots", json!({})),
        ("botstar.get-user", json!({ "user_id": "u-1" })),
        ("botstar.get-user", json!({ "user_id": email })),
        ("botstar.update-user", json!({ "user_id": "u-1", "attributes": { "email": email, custom: name } })),
        ("botstar.send-message", json!({ "user_id": "u-1", "message": SAID[0] })),
        ("botstar.send-message", json!({ "user_id": id, "message": { "cards": [{ "title": SAID[1] }] } })),
        ("botstar.list-entities", json!({ "bot_id": id })),
        ("botstar.list-items", json!({ "entity_id": entity, "name": item })),
        ("botstar.get-item", json!({ "entity_id": id, "item_id": item })),
        ("botstar.create-item", create_item),
        ("botstar.update-item", of_item(items)),
        ("botstar.delete-item", json!({ "entity_id": entity, "item_id": item })),
        ("botstar.call-api", api("GET")),
        ("botstar.call-api", api("PATCH")),
        ("chatbot.create-user", with(json!({ "custom_user_id": id, "segments": [custom] }))),
        ("chatbot.create-user", with(json!({ "custom_user_id": id }))),
        ("chatbot.update-user", with(json!({ "user_id": ava }))),
        ("chatbot.get-user", json!({ "user_id": ava })),
        ("chatbot.get-user", json!({ "user_id": id })),
        ("chatbot.ban-user", json!({ "user_id": ava, "operation": "ban" })),
        ("chatbot.search-users", json!({ "filters": [{ "type": "default_email", "value": email }] })),
        ("chatbot.search-users", json!({ "after": email })),
        ("chatbot.list-stories", json!({})),
        ("chatbot.get-story", json!({ "story_id": shop })),
        ("chatbot.create-story", json!({ "name": story, "description": story })),
        ("chatbot.update-story", json!({ "story_id": shop, "name": story })),
        ("chatbot.delete-story", json!({ "story_id": story })),
        ("chatbot.call-api", api("GET")),
        ("chatbot.call-api", api("POST")),
        ("botdistrikt.register-user", register),
        ("botdistrikt.send-message", json!({ "webchat_id": GUEST, "message": text })),
        ("botdistrikt.send-message", json!({ "webchat_id": GUEST, "message": { "card": message } })),
        ("botdistrikt.send-message", json!({ "webchat_id": id, "message": text })),
        ("botmother.send-event", event),
        ("botmother.send-event", json!({ "users_bm": ["5c517b7773515eaa3078e2f0"], "data": { "text": data } })),
        // Refused calls: the problem names the faults without the values.
        ("botstar.get-user", json!({ "user_id": format!("{email}/{name}"), "bot_id": [name] })),
        ("botstar.send-message", json!({ "user_id": [id], "message": { "text": [text], "buttons": [message] } })),
        ("botstar.create-item", json!({ "entity_id": "e-1", "name": [item], "fields": { "name": item, item: 7 } })),
        (
            "chatbot.create-user",
            with(json!({ "gender": name, "surname": name, "email": name, "city": "x".repeat(2_000) })),
        ),
        ("chatbot.get-user", json!({ "user_id": email })),
        (
            "chatbot.call-api",
            json!({ "path": format!("../{email}"), "method": call, "headers": { "authorization": OTHER } }),
        ),
        ("botdistrikt.register-user", json!({ "webchat_id": name, "user": first_name, "reuse": address })),
        ("botdistrikt.send-message", json!({ "webchat_id": name, "message": [text] })),
        ("botmother.send-event", json!({ "platform": [data], "users": user, "extra": { "data": extra } })),
    ]
}

/// Traces of a platform's credential, right or wrong.
fn secrets(platforms: &Platforms, secret: &str) -> Vec<String> {
    let path = format!("/api/bot/action/{}/{secret}", Sandbox::EVENT_ID);
    vec![secret.to_owned(), format!("{}{path}", platforms.sandbox.url), path]
}

#[tokio::test]
async fn neither_a_credential_nor_a_person_is_logged_and_no_answer_has_a_credential() {
    let log = Log::start();
    let folder = tempfile::tempdir().unwrap();
    let platforms = Platforms::start_with(&[("DATA_DIR", folder.path().to_str().unwrap())]).await;
    let missing = uncalled(calls(&platforms).into_iter().map(|(action, _)| action));
    assert_eq!(missing, [""; 0], "add calls of each to `calls` of this file, with personal data in every text");
    let (bundle, url) = (&platforms.bundle, &platforms.sandbox.url);
    let mut hidden: Vec<String> = SECRETS.map(str::to_owned).into();
    hidden.extend(secrets(&platforms, Sandbox::EVENT_TOKEN));
    hidden.extend(secrets(&platforms, OTHER));
    hidden.extend([MISTYPED.to_owned(), bundle.local.admin_key.secret.clone()]);
    let generated = generated(&platforms, &hidden).await;
    for platform in PLATFORMS {
        let path = format!("/v1/connections/{}", platforms.connections[platform]);
        for wrong in mistyped(platform) {
            let refused = answer(bundle.request(Method::PATCH, &path).json(&json!({ "credentials": wrong }))).await;
            assert_eq!(refused.status, 422, "{}", refused.text);
            assert!(!refused.text.contains(MISTYPED), "{}", refused.text);
        }
    }

    let mut codes = BTreeSet::new();
    let faults = [
        None,
        Some(FaultKind::Echo),
        Some(FaultKind::Unauthorized),
        Some(FaultKind::SlowDown),
        Some(FaultKind::Error),
        Some(FaultKind::Cut),
        Some(FaultKind::CutBefore),
        Some(FaultKind::Nonsense),
        Some(FaultKind::WrongShape),
        Some(FaultKind::EnvelopeError),
    ];
    for (right, faults) in [(true, &faults[..]), (false, &faults[..2])] {
        for platform in PLATFORMS {
            let given = if right { credentials(platform, url) } else { wrong_credentials(platform, url, OTHER) };
            platforms.replace_credentials(platform, given).await;
        }
        // A warm process may know those before for a minute.
        bundle.clock.advance(Duration::from_secs(61));
        for fault in faults {
            if let Some(kind) = *fault {
                platforms.sandbox.fault(Fault { times: usize::MAX, ..kind.into() });
            }
            let connections = platforms.connections.values();
            let tests = connections.map(|id| bundle.request(Method::POST, &format!("/v1/connections/{id}/test")));
            let reads =
                platforms.connections.values().map(|id| bundle.request(Method::GET, &format!("/v1/connections/{id}")));
            let mut requests: Vec<_> = tests.chain(reads).collect();
            requests.push(bundle.request(Method::GET, "/v1/connections"));
            requests.extend(calls(&platforms).into_iter().map(|(action, input)| platforms.request(action, input)));
            for answer in join_all(requests.into_iter().map(answer)).await {
                for secret in hidden.iter().chain([&generated]) {
                    assert!(!answer.text.contains(secret), "{secret}: {}", answer.text);
                }
                if !answer.status.is_success() {
                    codes.insert(string(&answer.json()["code"]));
                }
            }
            platforms.sandbox.forget_faults();
        }
    }
    let sent: String = platforms.asked().iter().map(|seen| format!("{seen:?}")).collect();
    for reported in PERSON.into_iter().chain(REGISTERED).chain(SAID).chain(SECRETS).chain([OTHER]) {
        let coded = reported.replace('@', "%40");
        assert!(sent.contains(reported) || sent.contains(&coded), "{reported} was sent");
    }
    let all =
        "connection_unauthorized invalid_body not_found platform_rejected platform_slow_down platform_unavailable";
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), all.split(' ').collect::<Vec<_>>());

    let log = log.text();
    for action in registry::actions() {
        assert!(log.contains(&format!("\"route\":\"POST {}\"", action.path)), "{} is logged", action.name);
    }
    assert!(log.contains("\"message\":\"failed\"") && log.contains("\"code\":\"platform_unavailable\""), "{log}");
    let tables = &bundle.local.app.config.tables;
    let mut stored = contents(folder.path());
    for table in [&tables.control, &tables.events, &tables.records] {
        stored.extend(items(&bundle.local.app, table).await);
    }
    for kept in platforms.connections.values().map(String::as_str).chain(REGISTERED) {
        assert!(stored.contains(kept), "{kept} is stored");
    }
    for secret in hidden.iter().chain([&generated]) {
        assert!(!stored.contains(secret), "{secret} is stored in the clear");
        assert_eq!(log.lines().find(|line| line.contains(secret)), None, "{secret} is logged");
    }
    for person in PERSON.into_iter().chain(SAID).chain(["ava@example.com", "Zebedee", "zebedee"]) {
        assert_eq!(log.lines().find(|line| line.contains(person)), None, "{person} is logged");
        assert!(!stored.contains(person), "{person} is stored");
    }
    for person in REGISTERED.into_iter().chain([GUEST, "Balthazar"]) {
        assert_eq!(log.lines().find(|line| line.contains(person)), None, "{person} is logged");
    }
}

/// Credentials that can't be, with the secret in them.
fn mistyped(platform: &str) -> Vec<Value> {
    let elsewhere = format!("https://example.org/api/bot/action/x/{MISTYPED}");
    match platform {
        "botstar" => vec![json!({ "api_token": [MISTYPED], "bot_id": format!("../{MISTYPED}"), "token": MISTYPED })],
        "chatbot" => vec![json!({ "access_token": [MISTYPED], "token": MISTYPED })],
        "botdistrikt" => vec![json!({ "webchat_app_id": MISTYPED, "domain": format!("{MISTYPED} ") })],
        _ => vec![
            json!({ "event_url": MISTYPED }),
            json!({ "event_url": elsewhere, "url": MISTYPED }),
            json!({ "event_url": elsewhere }),
        ],
    }
}

/// Has a domain made, which is shown in that answer alone.
async fn generated(platforms: &Platforms, hidden: &[String]) -> String {
    let new = json!({
        "platform": "botdistrikt", "name": "Made", "credentials": { "webchat_app_id": 7 }, "generate": true,
    });
    let made = platforms.bundle.post("/v1/connections", &new, 201).await;
    let path = format!("/v1/connections/{}", string(&made["id"]));
    let domain = string(&made["generated"]["domain"]);
    assert_eq!(made.to_string().matches(&domain).count(), 1, "{made}");
    for later in
        [platforms.bundle.get(&path, 200).await, platforms.bundle.patch(&path, &json!({ "name": "x" }), 200).await]
    {
        assert_eq!(later["generated"], Value::Null);
        assert!(!later.to_string().contains(&domain), "{later}");
    }
    assert!(!hidden.contains(&domain));
    domain
}

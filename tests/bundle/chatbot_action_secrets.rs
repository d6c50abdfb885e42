//! What calls of ChatBot's actions may leave nowhere: the token, and anything of a person.

use crate::{
    chatbot::ChatBot,
    secrets::{Log, contents},
};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::{
    answer,
    sandbox::{Fault, FaultKind, Sandbox},
    string,
};

/// What is told of one person, in one field or another.
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
    "a-mistyped-token-of-the-shop",
];
const TOKEN: &str = "another-token-of-chatbot-9876543210";

fn calls(chatbot: &ChatBot) -> Vec<(&'static str, Value)> {
    let [email, login, name, url, zone, ip, city, id, custom, story, call, _] = PERSON;
    let attributes = json!({
        "email": email, "username": login, "name": name, "url": url, "avatar": url, "timezone": zone, "ip": ip,
        "city": city, "referrer": url, "custom_fields": { "plan": custom, custom: "x" },
    });
    let with = |more: Value| {
        let mut input = attributes.clone();
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let ava = chatbot.ava();
    let api = |method: &str| {
        json!({
            "path": format!("users/{id}"), "method": method, "headers": { "x-call": call }, "query": { "email": email },
            "body": { "name": name },
        })
    };
    vec![
        ("create-user", with(json!({ "custom_user_id": id, "segments": [custom] }))),
        ("create-user", with(json!({ "custom_user_id": id }))),
        ("update-user", with(json!({ "user_id": ava }))),
        ("get-user", json!({ "user_id": ava })),
        ("get-user", json!({ "user_id": id })),
        ("ban-user", json!({ "user_id": ava, "operation": "ban" })),
        ("search-users", json!({ "filters": [{ "type": "default_email", "value": email }] })),
        ("search-users", json!({ "after": email })),
        ("list-stories", json!({})),
        ("get-story", json!({ "story_id": chatbot.story() })),
        ("create-story", json!({ "name": story, "description": story })),
        ("update-story", json!({ "story_id": chatbot.story(), "name": story })),
        ("delete-story", json!({ "story_id": story })),
        ("call-api", api("GET")),
        ("call-api", api("POST")),
        // Refused: the faults are told, and not what was given.
        ("create-user", with(json!({ "gender": name, "surname": name, email: name, "city": "x".repeat(2_000) }))),
        ("get-user", json!({ "user_id": email })),
        ("call-api", json!({ "path": format!("../{email}"), "method": call, "headers": { "authorization": TOKEN } })),
    ]
}

#[tokio::test]
async fn neither_chatbots_token_nor_a_person_is_logged_and_no_answer_has_the_token() {
    let log = Log::start();
    let folder = tempfile::tempdir().unwrap();
    let chatbot = ChatBot::start_with(&[("DATA_DIR", folder.path().to_str().unwrap())]).await;
    let path = format!("/v1/connections/{}", chatbot.connection);
    let set = |token: &str| json!({ "credentials": { "access_token": token } });
    let wrong = json!({ "credentials": { "access_token": [PERSON[11]], "token": PERSON[11] } });
    chatbot.bundle.patch(&path, &wrong, 422).await;

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
    for (token, faults) in [(Sandbox::TOKEN, &faults[..]), (TOKEN, &faults[..2])] {
        chatbot.bundle.patch(&path, &set(token), 200).await;
        // A warm process may know the token before for a minute.
        chatbot.bundle.clock.advance(std::time::Duration::from_secs(61));
        for fault in faults {
            if let Some(kind) = *fault {
                chatbot.sandbox.fault(Fault { times: usize::MAX, ..kind.into() });
            }
            let mut requests = vec![chatbot.bundle.request(Method::POST, &format!("{path}/test"))];
            requests.extend(calls(&chatbot).into_iter().map(|(action, input)| chatbot.request(action, input)));
            for answer in join_all(requests.into_iter().map(answer)).await {
                assert!(!answer.text.contains(token), "{}", answer.text);
                if !answer.status.is_success() {
                    codes.insert(string(&answer.json()["code"]));
                }
            }
            chatbot.sandbox.forget_faults();
        }
    }
    let sent: String = chatbot.asked().iter().map(|seen| format!("{seen:?}")).collect();
    for person in &PERSON[..11] {
        let coded = person.replace('@', "%40");
        assert!(sent.contains(person) || sent.contains(&coded), "{person} was sent");
    }
    let all =
        "connection_unauthorized invalid_body not_found platform_rejected platform_slow_down platform_unavailable";
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), all.split(' ').collect::<Vec<_>>());

    let log = log.text();
    for action in registry::actions().filter(|action| action.platform == "chatbot") {
        assert!(log.contains(&format!("\"route\":\"POST {}\"", action.path)), "{} is logged", action.name);
    }
    assert!(log.contains("\"message\":\"failed\"") && log.contains("\"code\":\"platform_unavailable\""), "{log}");
    let stored = contents(folder.path());
    assert!(stored.contains(&chatbot.connection), "what is stored is found");
    for secret in [Sandbox::TOKEN, TOKEN, chatbot.bundle.local.admin_key.secret.as_str()] {
        assert!(!stored.contains(secret), "{secret} is stored in the clear");
        assert_eq!(log.lines().find(|line| line.contains(secret)), None, "{secret} is logged");
    }
    for person in PERSON.into_iter().chain(["ava@example.com", "Zebedee", "zebedee"]) {
        assert_eq!(log.lines().find(|line| line.contains(person)), None, "{person} is logged");
        assert!(!stored.contains(person), "{person} is stored");
    }
}

//! Idempotency keys under failures of the store or the process, and the content of their records.

use crate::support::{
    assertions::{problem, refused},
    chatbot::ChatBot,
    harness::{Fault, Harness, items},
    idempotent_calls::{ava, is_replayed},
};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use axum::http::Method;
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use store::idempotency::PREFIX;
use tempfile::TempDir;
use tests::{
    Answer, Api, Process, Sandbox, eventually, expect,
    sandbox::{Fault as PlatformFault, FaultKind},
};

/// Longer than a key is held by a call that does not end.
const LEASE: Duration = Duration::from_secs(61);

fn quick() -> RetryConfig {
    RetryConfig::standard().with_initial_backoff(Duration::from_millis(1))
}

fn ended(body: &str) -> bool {
    body.contains("\"ended\"")
}

/// The chatbot bundle over a store in which this becomes of the writes about keys, by their number from 0, the operation
/// and the body.
fn harness(chatbot: &ChatBot, retry: RetryConfig, faults: fn(usize, &str, &str) -> Fault) -> Harness<'_> {
    let seen = AtomicUsize::new(0);
    Harness::beside(&chatbot.bundle).failing(retry, move |operation, body| {
        let about_keys = matches!(operation, "PutItem" | "DeleteItem") && body.contains(PREFIX);
        if about_keys { faults(seen.fetch_add(1, Ordering::SeqCst), operation, body) } else { Fault::None }
    })
}

async fn on(harness: &Harness<'_>, chatbot: &ChatBot, action: &str, fields: Value) -> Answer {
    let mut body = chatbot.input(fields);
    body["idempotency_key"] = json!("k");
    harness.answer(Method::POST, &format!("/v1/actions/chatbot/{action}"), body.to_string()).await
}

fn oslo(chatbot: &ChatBot) -> Value {
    json!({ "user_id": chatbot.ava(), "city": "Oslo" })
}

#[tokio::test]
async fn a_call_is_not_in_its_own_way_when_an_answer_of_the_store_is_lost() {
    let chatbot = ChatBot::start().await;
    let lossy =
        harness(&chatbot, quick(), |number, _, _| if number % 2 == 0 { Fault::AnswerLost } else { Fault::None });
    let done = on(&lossy, &chatbot, "create-user", ava()).await;
    assert_eq!(done.status, 200, "{}", done.text);
    let again = chatbot.answer("create-user", "k", ava()).await;
    assert_eq!((&again.text, is_replayed(&again)), (&done.text, true));
    assert_eq!(chatbot.created(), 1);
}

#[tokio::test]
async fn a_call_that_could_not_take_its_key_leaves_it_free() {
    let chatbot = ChatBot::start().await;
    let failing = harness(&chatbot, RetryConfig::disabled(), |number, _, _| match number {
        0 => Fault::AnswerLost,
        _ => Fault::None,
    });
    let failed = on(&failing, &chatbot, "create-user", ava()).await;
    problem(&failed, 503, "store_unavailable");
    assert_eq!(chatbot.created(), 0);
    let done = chatbot.answer("create-user", "k", ava()).await;
    assert_eq!((done.status.as_u16(), is_replayed(&done)), (200, false), "{}", done.text);
}

#[tokio::test]
async fn a_finished_call_is_answered_even_if_its_answer_can_not_be_kept() {
    let chatbot = ChatBot::start().await;
    chatbot.bundle.clock.hold();
    let forgetful = harness(&chatbot, quick(), |_, _, body| if ended(body) { Fault::Unreached } else { Fault::None });
    let done = on(&forgetful, &chatbot, "create-user", ava()).await;
    assert_eq!(done.status, 200, "{}", done.text);
    refused(chatbot.call("create-user", "k", ava()), 409, "idempotency_in_flight").await;
    chatbot.bundle.clock.advance(LEASE);
    for _ in 0..2 {
        let lost = refused(chatbot.call("create-user", "k", ava()), 409, "outcome_unknown").await;
        assert_eq!(lost["retry"], "unknown", "{lost}");
    }
    refused(chatbot.call("create-user", "k", json!({ "name": "Ben" })), 422, "idempotency_key_reused").await;
    assert_eq!(chatbot.created(), 1);
    chatbot.bundle.clock.advance(Duration::from_secs(86_400));
    let anew = chatbot.answer("create-user", "k", ava()).await;
    assert_eq!((anew.status.as_u16(), is_replayed(&anew)), (200, false), "{}", anew.text);
}

#[tokio::test]
async fn an_idempotent_action_takes_over_from_a_call_that_did_not_end() {
    let chatbot = ChatBot::start().await;
    chatbot.bundle.clock.hold();
    let forgetful = harness(&chatbot, quick(), |_, _, body| if ended(body) { Fault::Unreached } else { Fault::None });
    let path = format!("/users/{}", chatbot.ava());
    let done = on(&forgetful, &chatbot, "update-user", oslo(&chatbot)).await;
    assert_eq!(done.status, 200, "{}", done.text);
    chatbot.bundle.clock.advance(LEASE - Duration::from_secs(2));
    refused(chatbot.call("update-user", "k", oslo(&chatbot)), 409, "idempotency_in_flight").await;

    // The first write finds the key held, the second takes it over.
    chatbot.bundle.clock.advance(LEASE);
    let lossy = harness(&chatbot, quick(), |number, _, _| if number == 1 { Fault::AnswerLost } else { Fault::None });
    let again = on(&lossy, &chatbot, "update-user", oslo(&chatbot)).await;
    assert_eq!((again.status.as_u16(), is_replayed(&again)), (200, false), "{}", again.text);
    assert!(is_replayed(&chatbot.answer("update-user", "k", oslo(&chatbot)).await));
    assert_eq!(chatbot.received("PUT", &path), 2);
}

#[tokio::test]
async fn one_call_alone_takes_over() {
    let chatbot = ChatBot::start().await;
    chatbot.bundle.clock.hold();
    let forgetful = harness(&chatbot, quick(), |_, _, body| if ended(body) { Fault::Unreached } else { Fault::None });
    on(&forgetful, &chatbot, "update-user", oslo(&chatbot)).await;
    chatbot.bundle.clock.advance(LEASE);
    chatbot.sandbox.forget_requests();
    chatbot.sandbox.fault(FaultKind::Slow);
    let calls = (0..10).map(|_| chatbot.answer("update-user", "k", oslo(&chatbot)));
    let statuses: Vec<_> = futures::future::join_all(calls).await.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 9, "{statuses:?}");
    assert_eq!(chatbot.sandbox.requests().len(), 1);
}

#[tokio::test]
async fn a_key_that_could_not_be_given_back_is_free_or_unknown_after_a_minute() {
    let chatbot = ChatBot::start().await;
    chatbot.bundle.clock.hold();
    let forgetful = harness(&chatbot, quick(), |_, operation, _| match operation {
        "DeleteItem" => Fault::Unreached,
        _ => Fault::None,
    });
    chatbot.sandbox.fault(PlatformFault { times: 2, ..FaultKind::BadRequest.into() });
    for (action, input) in [("create-user", ava()), ("update-user", oslo(&chatbot))] {
        let failed = on(&forgetful, &chatbot, action, input.clone()).await;
        problem(&failed, 422, "platform_rejected");
        refused(chatbot.call(action, "k", input), 409, "idempotency_in_flight").await;
    }
    chatbot.bundle.clock.advance(LEASE);
    refused(chatbot.call("create-user", "k", ava()), 409, "outcome_unknown").await;
    assert_eq!(chatbot.answer("update-user", "k", oslo(&chatbot)).await.status, 200);
}

#[tokio::test]
async fn keys_and_inputs_are_kept_as_digests_that_expire() {
    let chatbot = ChatBot::start().await;
    chatbot.bundle.clock.hold();
    let key = "a-key-that-tells-something";
    chatbot.sandbox.fault(FaultKind::Cut);
    chatbot.answer("create-user", "lost", ava()).await;
    let done = chatbot.answer("create-user", key, ava()).await;
    let app = &chatbot.bundle.local.app;
    let kept: Vec<_> = items(app, &app.config.tables.control).await;
    let kept: Vec<_> = kept.into_iter().filter(|item| item.contains(PREFIX)).collect();
    assert_eq!(kept.len(), 2, "a call and its answer are one item: {kept:#?}");
    let expires = format!("expires: {}\n", app.now().seconds() + 86_400);
    for item in &kept {
        assert!(item.contains(&expires), "{item}");
        for secret in [key, "lost\n", "Ava", "ava@example.com", &chatbot.connection, Sandbox::TOKEN, "create-user"] {
            assert!(!item.contains(secret), "{secret}: {item}");
        }
    }
    assert_eq!(kept.iter().filter(|item| item.contains(&done.text)).count(), 1);
    assert_eq!(store::tables::CONTROL.ttl, Some("expires"));
}

#[tokio::test]
async fn a_call_whose_process_was_killed_still_holds_its_key() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let sandbox = Sandbox::start(0).await.unwrap();
    let chatbot = sandbox.chatbot_url();
    let settings = [("PORT", "0"), ("DATA_DIR", data.to_str().unwrap()), ("CHATBOT_API_URL", &chatbot)];
    let mut process = Process::spawn(folder.path(), &settings);
    let api = Api::of(&process.listening(), &data);
    let body = json!({ "connection": api.connection("chatbot").await, "name": "Ava", "idempotency_key": "k" });
    let call = |api: &Api| api.request(Method::POST, "/v1/actions/chatbot/create-user").json(&body);

    sandbox.fault(FaultKind::Hang);
    let first = call(&api);
    let first = tokio::spawn(async move { first.send().await });
    eventually(|| async { (sandbox.requests().len() == 1).then_some(()) }).await;
    process.signal("KILL");
    assert!(first.await.unwrap().is_err());

    drop(process);
    let mut process = Process::spawn(folder.path(), &settings);
    let api = Api::of(&process.listening(), &data);
    refused(call(&api), 409, "idempotency_in_flight").await;
    expect(call(&api).header("idempotency-key", "l"), 422).await;
    assert_eq!(sandbox.requests().len(), 1);
}

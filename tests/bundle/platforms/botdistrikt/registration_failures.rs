//! Registering users when something fails on the way: the process, the store, or BotDistrikt's answer.

use crate::support::{
    assertions::problem,
    botdistrikt::BotDistrikt,
    harness::{Fault as StoreFault, Harness, items},
};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use store::idempotency::PREFIX;
use tempfile::TempDir;
use tests::{
    Answer, Api, Process, eventually, expect,
    sandbox::{FaultKind, Sandbox},
    string,
};

const REGISTER: &str = "register-user";

fn quick() -> RetryConfig {
    RetryConfig::standard().with_initial_backoff(Duration::from_millis(1))
}

async fn on(harness: &Harness<'_>, botdistrikt: &BotDistrikt, input: Value) -> Answer {
    let body = botdistrikt.input(input).to_string();
    harness.answer(Method::POST, "/v1/actions/botdistrikt/register-user", body).await
}

/// A harness whose store fails so when a turn is given back.
fn keeping_turns(botdistrikt: &BotDistrikt) -> Harness<'_> {
    Harness::beside(&botdistrikt.bundle).failing(RetryConfig::disabled(), |operation, body| {
        if operation == "DeleteItem" && body.contains(PREFIX) { StoreFault::Unreached } else { StoreFault::None }
    })
}

#[tokio::test]
async fn a_turn_that_was_not_given_back_is_over_after_a_minute() {
    let botdistrikt = BotDistrikt::start().await;
    botdistrikt.bundle.clock.hold();
    let forgetful = keeping_turns(&botdistrikt);
    for id in ["u-1", "u-2"] {
        botdistrikt.sandbox.fault(FaultKind::BadRequest);
        problem(&on(&forgetful, &botdistrikt, json!({ "webchat_id": id })).await, 422, "platform_rejected");
    }
    assert_eq!(botdistrikt.asked().len(), 2);

    botdistrikt.bundle.clock.advance(Duration::from_millis(59_999));
    let answer = botdistrikt.answer(REGISTER, json!({ "webchat_id": "u-1" })).await;
    let problem = problem(&answer, 409, "conflict");
    assert_eq!((&answer.headers["retry-after"], &problem["retry"]), (&"1".parse().unwrap(), &json!("after")));
    assert_eq!(botdistrikt.asked(), [Value::Null; 0]);
    // Nobody waits for another person, nor where the one that is there would not do.
    botdistrikt.act(REGISTER, json!({ "webchat_id": "u-2", "reuse": false }), 200).await;
    botdistrikt.register("u-3").await;

    botdistrikt.bundle.clock.advance(Duration::from_millis(1));
    let answers = futures::future::join_all((0..5).map(|_| botdistrikt.register("u-1"))).await;
    assert_eq!(answers.iter().filter(|answer| answer["reused"] == false).count(), 1, "{answers:?}");
    assert_eq!(botdistrikt.sandbox.registrations(), ["u-2", "u-3", "u-1"]);
}

#[tokio::test]
async fn a_call_that_waits_goes_on_when_the_minute_is_over() {
    let botdistrikt = BotDistrikt::start().await;
    botdistrikt.bundle.clock.hold();
    let forgetful = keeping_turns(&botdistrikt);
    botdistrikt.sandbox.fault(FaultKind::BadRequest);
    on(&forgetful, &botdistrikt, json!({ "webchat_id": "u-1" })).await;
    let tries = || {
        let calls = botdistrikt.bundle.local.database.calls();
        let control = &botdistrikt.bundle.local.app.config.tables.control;
        calls.get(&("PutItem".to_owned(), control.clone())).copied().unwrap_or_default()
    };
    let before = tries();
    let waiting = botdistrikt.register("u-1");
    let advance = async {
        // It has found the turn taken, and more than once.
        eventually(|| async { (tries() > before + 1).then_some(()) }).await;
        assert_eq!(botdistrikt.sandbox.registrations(), [""; 0]);
        botdistrikt.bundle.clock.advance(Duration::from_secs(60));
    };
    let (registered, ()) = tokio::join!(waiting, advance);
    assert_eq!(registered["reused"], false);
    assert_eq!(botdistrikt.sandbox.registrations(), ["u-1"]);
}

fn start(folder: &Path, data: &Path, sandbox: &Sandbox) -> (Process, Api) {
    let url = sandbox.botdistrikt_url();
    let settings = [("PORT", "0"), ("DATA_DIR", data.to_str().unwrap()), ("BOTDISTRIKT_API_URL", &url)];
    let mut process = Process::spawn(folder, &settings);
    let api = Api::of(&process.listening(), data);
    (process, api)
}

#[tokio::test]
async fn a_killed_process_still_has_its_turn_and_no_other_persons() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let sandbox = Sandbox::start(0).await.unwrap();
    let (process, api) = start(folder.path(), &data, &sandbox);
    let connection = api.connection("botdistrikt").await;
    let call = |api: &Api, id: &str| {
        let body = json!({ "connection": connection, "webchat_id": id });
        api.request(Method::POST, "/v1/actions/botdistrikt/register-user").json(&body)
    };
    sandbox.fault(FaultKind::Hang);
    let first = tokio::spawn(call(&api, "u-1").send());
    eventually(|| async { (sandbox.registrations().len() == 1).then_some(()) }).await;
    process.signal("KILL");
    assert!(first.await.unwrap().is_err());

    drop(process);
    let (_process, api) = start(folder.path(), &data, &sandbox);
    assert_eq!(expect(call(&api, "u-2"), 200).await["reused"], false);
    let answer = tests::answer(call(&api, "u-1")).await;
    problem(&answer, 409, "conflict");
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(sandbox.registrations(), ["u-1", "u-2"]);
}

#[tokio::test]
async fn a_registration_that_can_not_be_stored_names_the_user() {
    let botdistrikt = BotDistrikt::start().await;
    let harness = Harness::beside(&botdistrikt.bundle);
    let forgetful = harness.failing(RetryConfig::disabled(), |operation, body| {
        if operation == "PutItem" && body.contains("staged-records") { StoreFault::Unreached } else { StoreFault::None }
    });
    for input in [json!({ "webchat_id": "u-1" }), json!({})] {
        let answer = on(&forgetful, &botdistrikt, input).await;
        let problem = problem(&answer, 502, "partly_done");
        assert!(answer.headers.get("retry-after").is_none(), "nobody is to repeat it: {problem}");
        let id = botdistrikt.sandbox.registrations().pop().unwrap();
        assert_eq!(problem["retry"], "unknown", "{problem}");
        assert!(string(&problem["detail"]).contains(&format!("is registered as {id},")), "{problem}");
    }
    assert_eq!(botdistrikt.sandbox.registrations().len(), 2);
    assert_eq!(harness.all("/v1/subscribers").await.len(), 0);
    // The turn was given back.
    assert_eq!(on(&harness, &botdistrikt, json!({ "webchat_id": "u-1" })).await.json()["reused"], false);
}

#[tokio::test]
async fn one_person_is_registered_at_any_failure_of_the_store() {
    let botdistrikt = BotDistrikt::start().await;
    let harness = Harness::beside(&botdistrikt.bundle);
    for fault in [StoreFault::Unreached, StoreFault::AnswerLost] {
        for at in 0.. {
            let count = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&count);
            let flaky = harness.failing(quick(), move |_, _| {
                if counted.fetch_add(1, Ordering::SeqCst) == at { fault } else { StoreFault::None }
            });
            let id = format!("u-{fault:?}-{at}");
            let answer = on(&flaky, &botdistrikt, json!({ "webchat_id": id })).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.json()["reused"]),
                (200, &json!(false)),
                "{at}: {}",
                answer.text
            );
            let again = on(&harness, &botdistrikt, json!({ "webchat_id": id })).await.json();
            assert_eq!((&again["user"], &again["reused"]), (&answer.json()["user"], &json!(true)), "request {at}");
            let registered = botdistrikt.sandbox.registrations();
            assert_eq!(registered.iter().filter(|one| **one == id).count(), 1, "request {at}");
            if count.load(Ordering::SeqCst) <= at {
                assert!(at > 5, "{at} requests");
                break;
            }
        }
    }
    let items = items(&botdistrikt.bundle.local.app, &botdistrikt.bundle.local.app.config.tables.control).await;
    assert!(!items.iter().any(|item| item.contains(PREFIX)), "every turn was given back: {items:#?}");
}

#[tokio::test]
async fn an_answer_without_a_user_is_a_bad_gateway_with_an_unknown_outcome() {
    let botdistrikt = BotDistrikt::start().await;
    for body in [
        "",
        "null",
        "5",
        "\"webchat.1\"",
        "[]",
        "[{\"webchat_id\":\"u-1\"}]",
        "{}",
        r#"{"webchat_id":null}"#,
        r#"{"webchat_id":""}"#,
        r#"{"webchat_id":{}}"#,
        r#"{"user":{"webchat_id":"u-1"}}"#,
        r#"{"webchat_id":"u-1""#,
        "<html>",
    ] {
        botdistrikt.sandbox.script(move |_| body);
        for input in [json!({ "webchat_id": "u-1" }), json!({})] {
            let problem = botdistrikt.refused(REGISTER, input, 502, "platform_unavailable").await;
            assert_eq!(problem["retry"], "unknown", "{body}: {problem}");
        }
    }
    assert_eq!(botdistrikt.bundle.all("/v1/subscribers").await.len(), 0);
}

#[tokio::test]
async fn a_user_too_large_to_be_kept_is_not_said_to_be() {
    let botdistrikt = BotDistrikt::start().await;
    let user = |bytes: usize| json!({ "webchat_id": "u-1", "notes": "x".repeat(bytes) }).to_string();
    let (large, too_large) = (user(350_000), user(370_000));
    botdistrikt.sandbox.script(move |_| too_large.clone());
    let problem = botdistrikt.refused(REGISTER, json!({ "webchat_id": "u-1" }), 502, "partly_done").await;
    assert_eq!(problem["retry"], "unknown", "{problem}");
    assert!(string(&problem["detail"]).contains("is registered as u-1"), "{problem}");
    botdistrikt.refused("send-message", json!({ "webchat_id": "u-1", "message": "Hi" }), 404, "not_found").await;
    botdistrikt.sandbox.script(move |_| large.clone());
    let registered = botdistrikt.register("u-1").await;
    assert_eq!(botdistrikt.subscriber(&registered).await["platform_user"], registered["user"]);
    assert_eq!(botdistrikt.register("u-1").await["reused"], true);
}

/// The domain of the connection, wherever BotDistrikt may repeat it.
fn repeating() -> Value {
    json!({
        "webchat_id": "u-1", "first_name": format!("Guest of {0}, {0}", Sandbox::DOMAIN),
        "source": { "domain": Sandbox::DOMAIN, (Sandbox::DOMAIN): [{ "url": format!("https://{}/chat", Sandbox::DOMAIN) }] },
    })
}

#[tokio::test]
async fn a_domain_that_botdistrikt_repeats_is_never_shown_and_sent_back() {
    let botdistrikt = BotDistrikt::start().await;
    let escaped = repeating().to_string().replace("sandbox", "\\u0073andbox");
    botdistrikt.sandbox.script(move |seen| match seen.path.ends_with("/user") {
        true => escaped.clone(),
        false => format!("[\"{}\"]", Sandbox::DOMAIN),
    });
    let registered = botdistrikt.answer(REGISTER, json!({ "webchat_id": "u-1" })).await;
    let user = &registered.json()["user"];
    assert_eq!(user["first_name"], "Guest of ••••, ••••");
    assert_eq!(user["source"], json!({ "domain": "••••", "••••": [{ "url": "https://••••/chat" }] }));
    let app = &botdistrikt.bundle.local.app;
    let mut shown = items(app, &app.config.tables.records).await;
    assert_eq!(shown.len(), 1);
    shown.extend([registered.text.clone(), botdistrikt.subscriber(&registered.json()).await.to_string()]);
    shown.push(botdistrikt.register("u-1").await.to_string());
    botdistrikt.asked();
    let answer = botdistrikt.say("u-1", "Hi").await;
    assert_eq!(answer, json!({ "responses": ["••••"], "body": ["••••"] }));
    shown.push(answer.to_string());
    for text in shown {
        assert!(!text.contains("sandbox-chat"), "{text}");
    }
    let [sent] = botdistrikt.asked().try_into().unwrap();
    assert_eq!(sent["user"], repeating());
}

#[tokio::test]
async fn a_mask_that_a_visitor_writes_is_no_way_to_the_domain() {
    let botdistrikt = BotDistrikt::start().await;
    for (id, dots) in [("u-1", "••••"), ("u-2", "\\u2022•\\u2022•")] {
        let user = format!(r#"{{"webchat_id": "{id}", "first_name": "{dots}", "{dots}": ["a{dots}b"]}}"#);
        botdistrikt.sandbox.script(move |_| user.clone());
        botdistrikt.register(id).await;
        botdistrikt.asked();
        botdistrikt.say(id, "Hi").await;
        let [sent] = botdistrikt.asked().try_into().unwrap();
        assert_eq!(sent["user"], json!({ "webchat_id": id, "first_name": "****", "****": ["a****b"] }));
    }
}

#[tokio::test]
async fn a_user_registered_under_another_id_is_found_by_it_and_the_answer_has_it() {
    let botdistrikt = BotDistrikt::start().await;
    botdistrikt.sandbox.script(|_| r#"{"webchat_id": "webchat.u-1"}"#);
    let problem = botdistrikt.refused(REGISTER, json!({ "webchat_id": "u-1" }), 502, "partly_done").await;
    let detail = "the user is registered as webchat.u-1, but not as u-1, which was requested; use the former id";
    assert_eq!((&problem["detail"], &problem["retry"]), (&json!(detail), &json!("unknown")));
    assert_eq!(botdistrikt.register("webchat.u-1").await["reused"], true);
}

#[tokio::test]
async fn a_user_erased_during_registration_stays_erased() {
    let botdistrikt = BotDistrikt::start().await;
    let first = botdistrikt.register("u-1").await;
    let path = BotDistrikt::subscriber_path(&first);
    botdistrikt.sandbox.fault(FaultKind::Slow);
    let again = botdistrikt.refused(REGISTER, json!({ "webchat_id": "u-1", "reuse": false }), 502, "partly_done");
    let erased = async {
        // The answer takes a second from here on.
        eventually(|| async { (botdistrikt.sandbox.requests().len() > 1).then_some(()) }).await;
        botdistrikt.bundle.delete(&path, 204).await;
    };
    let (problem, ()) = tokio::join!(again, erased);
    assert!(string(&problem["detail"]).contains("is registered as u-1"), "{problem}");
    botdistrikt.bundle.get(&path, 404).await;
}

//! Idempotency keys over HTTP: one key, one call, one answer for a day.

use crate::support::{
    assertions::{BotStar, pointers, problem, refused, with_key},
    chatbot::ChatBot,
    idempotent_calls::{REPLAYED, assert_same_problem, ava, is_replayed},
};
use reqwest::{Method, header::HeaderValue};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tests::{
    Answer, Bundle, Sandbox, answer, eventually, expect,
    sandbox::{Fault, FaultKind},
    string,
};
use tokio::{net::TcpListener, task::JoinSet};

#[tokio::test]
async fn the_same_key_and_body_are_answered_with_the_first_answer() {
    let chatbot = ChatBot::start().await;
    let first = chatbot.answer("create-user", "signup-1", ava()).await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert!(!first.headers.contains_key(REPLAYED));

    let connection = &chatbot.connection;
    let path = "/v1/actions/chatbot/create-user";
    for written in [
        format!(r#"{{"name":"Ava Stone","email":"ava@example.com","connection":"{connection}"}}"#),
        format!(
            "{{\n \"email\" : \"ava@example.com\",\t\"connection\":\"{connection}\", \"name\": \"Ava \\u0053tone\" }}"
        ),
    ] {
        let again = chatbot.bundle.request(Method::POST, path).header("Idempotency-Key", "signup-1").body(written);
        let again = answer(again).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text));
        assert!(is_replayed(&again));
        assert_eq!(again.headers["content-type"], "application/json");
    }
    let mut with_field = chatbot.input(ava());
    with_field["idempotency_key"] = json!("signup-1");
    let again = answer(chatbot.bundle.request(Method::POST, path).json(&with_field)).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    let both = chatbot.bundle.request(Method::POST, path).header("Idempotency-Key", "signup-1").json(&with_field);
    assert_eq!(answer(both).await.text, first.text);
    assert_eq!(chatbot.created(), 1);
}

#[tokio::test]
async fn api_keys_do_not_share_idempotency_keys() {
    let chatbot = ChatBot::start().await;
    let first = chatbot.answer("create-user", "k", ava()).await;
    for scope in ["act", "admin", "act"] {
        let made = chatbot.bundle.post("/v1/keys", &json!({ "name": "Again", "scope": scope }), 201).await;
        let call = || {
            let path = "/v1/actions/chatbot/create-user";
            let request = with_key(&chatbot.bundle, Method::POST, path, &string(&made["key"]));
            request.header("Idempotency-Key", "k").json(&chatbot.input(ava()))
        };
        let own = answer(call()).await;
        assert_eq!((own.status.as_u16(), is_replayed(&own)), (200, false), "{}", own.text);
        assert_ne!(own.text, first.text);
        assert!(is_replayed(&answer(call()).await), "its own repetition is one");
    }
    assert!(is_replayed(&chatbot.answer("create-user", "k", ava()).await));
    assert_eq!(chatbot.created(), 4);
}

#[tokio::test]
async fn the_first_answer_outlives_the_connection() {
    let chatbot = ChatBot::start().await;
    let first = chatbot.answer("create-user", "k", ava()).await;
    chatbot.bundle.delete(&format!("/v1/connections/{}", chatbot.connection), 204).await;
    chatbot.bundle.clock.advance(Duration::from_secs(61));
    assert_eq!(chatbot.answer("create-user", "k", ava()).await.text, first.text);
    refused(chatbot.call("create-user", "l", ava()), 404, "not_found").await;
}

#[tokio::test]
async fn another_body_or_connection_with_the_same_key_is_refused() {
    let chatbot = ChatBot::start().await;
    let first = chatbot.answer("create-user", "k", ava()).await;
    let other = chatbot.bundle.connection("chatbot").await;
    let mut on_other = ava();
    on_other["connection"] = json!(other);
    let request = chatbot.bundle.request(Method::POST, "/v1/actions/chatbot/create-user");
    refused(request.header("idempotency-key", "k").json(&on_other), 422, "idempotency_key_reused").await;
    for body in [json!({ "name": "Ava" }), json!({ "name": "Ava Stone", "email": "ava@example.com", "city": "Oslo" })] {
        refused(chatbot.call("create-user", "k", body), 422, "idempotency_key_reused").await;
    }
    assert_eq!(chatbot.answer("create-user", "k", ava()).await.text, first.text);
    assert_eq!(chatbot.created(), 1);
}

#[tokio::test]
async fn a_second_call_while_the_first_is_under_way_is_a_conflict() {
    let chatbot = ChatBot::start().await;
    chatbot.sandbox.fault(FaultKind::Slow);
    let call = chatbot.call("create-user", "k", ava());
    let first = tokio::spawn(async move { answer(call).await });
    eventually(|| async { (chatbot.created() == 1).then_some(()) }).await;
    let second = chatbot.answer("create-user", "k", ava()).await;
    problem(&second, 409, "idempotency_in_flight");
    assert_eq!(second.headers["retry-after"], "1");
    refused(chatbot.call("create-user", "k", json!({ "name": "Ben" })), 422, "idempotency_key_reused").await;
    let first = first.await.unwrap();
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!(chatbot.answer("create-user", "k", ava()).await.text, first.text);
    assert_eq!(chatbot.created(), 1);
}

#[tokio::test]
async fn a_caller_that_leaves_finds_its_answer_when_it_asks_again() {
    let chatbot = ChatBot::start().await;
    chatbot.sandbox.fault(FaultKind::Slow);
    let call = chatbot.call("create-user", "k", ava()).timeout(Duration::from_millis(500));
    assert!(call.send().await.unwrap_err().is_timeout());
    let found = eventually(|| async {
        let answer = chatbot.answer("create-user", "k", ava()).await;
        (answer.status != 409).then_some(answer)
    });
    assert_eq!(found.await.status, 200);
    assert_eq!(chatbot.created(), 1);
}

#[tokio::test]
async fn of_many_calls_at_once_one_is_made() {
    let chatbot = ChatBot::start().await;
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let call = chatbot.call("create-user", "k", ava());
        calls.spawn(async move { answer(call).await });
    }
    let answers: Vec<Answer> = calls.join_all().await;
    let (done, conflicts): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert!(!done.is_empty());
    assert_eq!(done.iter().map(|answer| &answer.text).collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(done.iter().filter(|answer| !is_replayed(answer)).count(), 1);
    for conflict in conflicts {
        problem(conflict, 409, "idempotency_in_flight");
    }
    assert_eq!(chatbot.created(), 1);
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day_and_no_longer() {
    const MINUTE: Duration = Duration::from_secs(60);
    let chatbot = ChatBot::start().await;
    chatbot.bundle.clock.hold();
    let first = chatbot.answer("create-user", "k", ava()).await;
    chatbot.bundle.clock.advance(24 * 60 * MINUTE - MINUTE);
    assert_eq!(chatbot.answer("create-user", "k", ava()).await.text, first.text);
    refused(chatbot.call("create-user", "k", json!({ "name": "Ben" })), 422, "idempotency_key_reused").await;
    // The database has not deleted it: it goes by the system's clock.
    chatbot.bundle.clock.advance(2 * MINUTE);
    let anew = chatbot.answer("create-user", "k", json!({ "name": "Ben" })).await;
    assert_eq!(anew.status, 200, "{}", anew.text);
    assert!(!is_replayed(&anew) && anew.text != first.text);
    assert_eq!(chatbot.answer("create-user", "k", json!({ "name": "Ben" })).await.text, anew.text);
    assert_eq!(chatbot.created(), 2);
}

#[tokio::test]
async fn a_key_that_can_not_be_is_pointed_at() {
    let chatbot = ChatBot::start().await;
    let path = "/v1/actions/chatbot/create-user";
    let long = "k".repeat(256);
    for header in [&b""[..], "ключ".as_bytes(), b"\xff", long.as_bytes()] {
        let request = chatbot.bundle.request(Method::POST, path).json(&chatbot.input(json!({ "name": 1 })));
        let request = request.header("idempotency-key", HeaderValue::from_bytes(header).unwrap());
        let problem = refused(request, 422, "invalid_body").await;
        assert_eq!(pointers(&problem), ["/idempotency_key", "/name"], "{problem}");
    }
    for (field, header) in [
        (json!(""), None),
        (json!(long), None),
        (json!("ключ"), None),
        (json!("a\nb"), None),
        (json!(7), None),
        (json!("k"), Some("l")),
    ] {
        let mut body = chatbot.input(ava());
        body["idempotency_key"] = field;
        let mut request = chatbot.bundle.request(Method::POST, path).json(&body);
        if let Some(header) = header {
            request = request.header("idempotency-key", header);
        }
        let problem = refused(request, 422, "invalid_body").await;
        assert_eq!(pointers(&problem), ["/idempotency_key"], "{problem}");
    }
    assert_eq!(chatbot.created(), 0);
    let longest = "k".repeat(255);
    for key in ["~", "a b", "\"quoted\"", &longest] {
        assert_eq!(chatbot.answer("create-user", key, ava()).await.status, 200, "{key}");
    }
    let mut without = chatbot.input(ava());
    without["idempotency_key"] = Value::Null;
    expect(chatbot.bundle.request(Method::POST, path).json(&without), 200).await;
    assert_eq!(chatbot.created(), 5);
}

#[tokio::test]
async fn a_reading_action_ignores_the_header_and_refuses_the_field() {
    let chatbot = ChatBot::start().await;
    let story = string(&chatbot.sandbox.stories()[0]["id"]);
    for (action, input) in [
        ("search-users", json!({})),
        ("get-user", json!({ "user_id": chatbot.ava() })),
        ("list-stories", json!({})),
        ("get-story", json!({ "story_id": story })),
        ("call-api", json!({ "method": "GET", "path": "users" })),
    ] {
        chatbot.sandbox.forget_requests();
        for _ in 0..2 {
            let answer = chatbot.answer(action, "k", input.clone()).await;
            assert_eq!(answer.status, 200, "{action}: {}", answer.text);
            assert!(!answer.headers.contains_key(REPLAYED));
        }
        assert_eq!(chatbot.answer(action, "", input.clone()).await.status, 200, "{action}");
        assert_eq!(chatbot.sandbox.requests().len(), 3, "{action}");
        let mut body = chatbot.input(input);
        body["idempotency_key"] = json!("k");
        let answer = answer(chatbot.bundle.request(Method::POST, &format!("/v1/actions/chatbot/{action}")).json(&body));
        let answer = answer.await;
        if action == "call-api" {
            assert_eq!(answer.status, 200, "{}", answer.text);
        } else {
            assert_eq!(pointers(&problem(&answer, 422, "invalid_body")), ["/idempotency_key"]);
        }
    }
}

#[tokio::test]
async fn a_call_that_surely_did_nothing_frees_the_key() {
    let chatbot = ChatBot::start().await;
    for (kind, status) in [
        (FaultKind::BadRequest, 422),
        (FaultKind::EnvelopeError, 422),
        (FaultKind::Unauthorized, 424),
        (FaultKind::NotFound, 404),
        (FaultKind::Conflict, 422),
        (FaultKind::SlowDown, 429),
    ] {
        let key = format!("{kind:?}");
        chatbot.sandbox.forget_requests();
        chatbot.sandbox.fault(kind);
        let failed = chatbot.answer("create-user", &key, ava()).await;
        assert_eq!(failed.status, status, "{}", failed.text);
        assert!(failed.json()["retry"] != "unknown", "{}", failed.text);
        // The key is free for another body as well.
        let done = chatbot.answer("create-user", &key, json!({ "name": "Ben" })).await;
        assert_eq!((done.status.as_u16(), is_replayed(&done)), (200, false), "{}", done.text);
        assert_eq!(chatbot.created(), 2);
    }
}

#[tokio::test]
async fn a_platform_that_is_not_there_gives_the_key_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let bundle = Bundle::start_with(&[("CHATBOT_API_URL", &format!("http://127.0.0.1:{port}/chatbot"))]).await;
    let body = json!({ "connection": bundle.connection("chatbot").await, "name": "Ava", "idempotency_key": "k" });
    let call = || bundle.request(Method::POST, "/v1/actions/chatbot/create-user").json(&body);
    let problem = refused(call(), 502, "platform_unavailable").await;
    assert!(problem["retry"] != "unknown", "{problem}");
    let _sandbox = Sandbox::start(port).await.unwrap();
    expect(call(), 200).await;
}

#[tokio::test]
async fn an_unknown_outcome_is_answered_again_without_another_call() {
    let chatbot = ChatBot::start().await;
    let api =
        json!({ "method": "POST", "path": "users", "body": { "attributes": { "default_email": "a@example.com" } } });
    for (action, input, kind) in [
        ("create-user", ava(), FaultKind::Cut),
        ("create-user", ava(), FaultKind::CutBefore),
        ("create-user", ava(), FaultKind::Error),
        ("create-user", ava(), FaultKind::Unavailable),
        ("create-user", ava(), FaultKind::Nonsense),
        ("create-user", ava(), FaultKind::WrongShape),
        ("create-user", ava(), FaultKind::Empty),
        ("create-user", ava(), FaultKind::Huge),
        ("call-api", api.clone(), FaultKind::Cut),
        ("call-api", api, FaultKind::Error),
    ] {
        let key = format!("{kind:?}");
        chatbot.sandbox.forget_requests();
        chatbot.sandbox.fault(kind);
        let first = chatbot.answer(action, &key, input.clone()).await;
        let reported = problem(&first, 502, "platform_unavailable");
        assert_eq!(reported["retry"], "unknown", "{action} {kind:?}: {reported}");
        let has_answer = action == "call-api" && kind == FaultKind::Error;
        assert_eq!(reported["answer"]["status"], if has_answer { json!(500) } else { Value::Null });
        assert_same_problem(&first, &chatbot.answer(action, &key, input.clone()).await);
        let mut other = input;
        other[if action == "call-api" { "body" } else { "name" }] = json!("other");
        refused(chatbot.call(action, &key, other), 422, "idempotency_key_reused").await;
        assert_eq!(chatbot.created(), 1, "{action} {kind:?}");
    }
}

#[tokio::test]
async fn an_unknown_outcome_of_what_may_be_done_twice_is_tried_again() {
    let chatbot = ChatBot::start().await;
    let input = json!({ "user_id": chatbot.ava(), "city": "Oslo" });
    let path = format!("/users/{}", chatbot.ava());
    chatbot.sandbox.fault(Fault { times: 2, ..FaultKind::Cut.on("/users") });
    for _ in 0..2 {
        let lost = chatbot.answer("update-user", "k", input.clone()).await;
        assert_eq!((lost.status.as_u16(), &lost.json()["retry"]), (502, &json!("unknown")), "{}", lost.text);
    }
    let done = chatbot.answer("update-user", "k", input.clone()).await;
    assert_eq!((done.status.as_u16(), is_replayed(&done)), (200, false), "{}", done.text);
    assert!(is_replayed(&chatbot.answer("update-user", "k", input).await));
    assert_eq!(chatbot.received("PUT", &path), 3);
}

/// Calls a platform that answers so, twice with one key; the answers.
async fn answered_twice(platform_says: &str) -> [Answer; 2] {
    let (platform, url) = BotStar::start().await;
    platform.says(200, &[("content-type", "application/json")], platform_says);
    let bundle = Bundle::start_with(&[("CHATBOT_API_URL", &url)]).await;
    let connection = bundle.connection("chatbot").await;
    let body = json!({ "connection": connection, "method": "POST", "path": "things", "idempotency_key": "k" });
    let call = || bundle.request(Method::POST, "/v1/actions/chatbot/call-api").json(&body);
    let answers = [answer(call()).await, answer(call()).await];
    assert_eq!(platform.asked().len(), 1);
    answers
}

#[tokio::test]
async fn a_large_answer_is_replayed_byte_for_byte() {
    let items: Vec<Value> =
        (0..65_000).map(|n| json!({ "n": n, "text": "a \"quoted\" ü \u{1F600} \\ word" })).collect();
    let [first, second] = answered_twice(&json!(items).to_string()).await;
    assert_eq!(first.status, 200);
    assert!(first.text.len() > 3_000_000, "{}", first.text.len());
    assert!(first.text == second.text && is_replayed(&second));
    assert_eq!(first.json()["body"], json!(items));
}

#[tokio::test]
async fn an_answer_too_large_to_be_handed_on_says_so_each_time() {
    let [first, second] = answered_twice(&json!("x".repeat(4_600_000)).to_string()).await;
    let problem = problem(&first, 502, "answer_too_large");
    assert!(problem["retry"] != "unknown", "{problem}");
    assert!(string(&problem["detail"]).contains("was done"), "{problem}");
    assert_eq!((second.status, &second.json()["code"]), (first.status, &problem["code"]));
}

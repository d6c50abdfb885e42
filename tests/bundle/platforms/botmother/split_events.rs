//! `botmother.send-event` to more users than Botmother takes at once: several calls, one result.

use crate::support::{
    assertions::problem,
    botmother::{Botmother, SEND, to_one},
    idempotent_calls::{assert_same_problem, is_replayed},
};
use axum::http::StatusCode;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use tests::{
    Lambda, Sandbox, answer,
    sandbox::{FaultKind, Platform, Seen},
    string,
};

/// Limit for the body of a call to Botmother.
const MAX_BODY_BYTES: usize = 1_000_000;
/// Limit for the input of the API.
const MAX_INPUT_BYTES: usize = 1024 * 1024;

fn body(seen: &Seen) -> Value {
    serde_json::from_str(&seen.body).unwrap()
}

/// The users of all calls, in order, each call with the rest of the event and none with more than it may have.
fn sent(calls: &[Seen], name: &str, rest: &Value) -> Vec<Value> {
    let mut users = Vec::new();
    for (at, seen) in calls.iter().enumerate() {
        let mut body = body(seen);
        let Some(Value::Array(these)) = body.as_object_mut().unwrap().remove(name) else { panic!("no {name}") };
        assert_eq!(body, *rest);
        assert!(!these.is_empty() && seen.body.len() <= MAX_BODY_BYTES, "{}", seen.body.len());
        if at > 0 {
            let with_one_more = calls[at - 1].body.len() + these[0].to_string().len() + 1;
            assert!(with_one_more > MAX_BODY_BYTES, "there was room for another: {with_one_more}");
        }
        users.extend(these);
    }
    users
}

/// Users that make an input of nearly so many bytes.
fn users(bytes: usize, one: impl Fn(usize) -> Value) -> Vec<Value> {
    let mut left = bytes;
    let fits = |user: &Value| {
        left = left.saturating_sub(user.to_string().len() + 1);
        left > 0
    };
    (0..).map(one).take_while(fits).collect()
}

fn bm_id(number: usize) -> Value {
    json!(format!("5c517b77{number:016x}"))
}

/// Two calls' worth of users.
fn to_many() -> Value {
    json!({ "platform": "tg", "users": users(1_040_000, |n| json!(format!("user-{n:027}"))), "data": { "order": "42" } })
}

#[tokio::test]
async fn as_many_users_as_the_api_takes_are_two_calls_and_one_result() {
    let botmother = Botmother::start().await;
    let data = json!({ "text": "☕ \"é\" \\ \n", "order": [1, { "a": null }] });
    let room = MAX_INPUT_BYTES - 300;
    for (name, users) in [
        ("users", users(room, |n| json!(1_000_000_000 + n))),
        ("users", users(room, |n| json!(format!("ü\"\\{n}")))),
        ("users", users(room, |n| if n % 2 == 0 { json!(n) } else { json!(n.to_string()) })),
        ("users_bm", users(room, bm_id)),
    ] {
        let mut input = json!({ "data": data, "extra": { "close": true } });
        let mut rest = json!({ "data": data, "close": true });
        if name == "users" {
            input["platform"] = json!("viber");
            rest["platform"] = json!("viber");
        }
        input[name] = json!(users);
        let input = botmother.input(input);
        let bytes = input.to_string().len();
        assert!((MAX_INPUT_BYTES - 300..=MAX_INPUT_BYTES).contains(&bytes), "{bytes}");
        let output = botmother.send(input).await;
        assert_eq!((&output["accepted"], &output["calls"]), (&json!(true), &json!(2)));
        let calls = botmother.asked();
        assert_eq!(calls.len(), 2);
        let given: Vec<Value> =
            users.iter().map(|id| json!(id.as_str().map_or(id.to_string(), str::to_owned))).collect();
        assert!(sent(&calls, name, &rest) == given, "each user once and in order");
        let records = output["payload"].as_array().unwrap();
        assert_eq!(records.len(), 2);
        let ids = if name == "users" { "platformIds" } else { "storeIds" };
        let queued = records.iter().flat_map(|record| record["queryOptions"][ids].as_array().unwrap().clone());
        assert!(queued.collect::<Vec<_>>() == given);
        assert_eq!(output["warnings"], json!([]));
    }
    let mut over = json!({ "platform": "tg", "users": users(MAX_INPUT_BYTES, |n| json!(n)) });
    over["data"] = json!({ "x": "x".repeat(1000) });
    botmother.refused(over, 413, "body_too_large").await;
    assert_eq!(botmother.asked().len(), 0);
}

#[tokio::test]
async fn one_body_has_as_much_as_fits() {
    let botmother = Botmother::start().await;
    let of = |bytes: usize| {
        let empty = r#"{"platform":"tg","data":{"x":""},"users":["1"]}"#.len();
        json!({ "platform": "tg", "users": ["1"], "data": { "x": "x".repeat(bytes - empty) } })
    };
    assert_eq!(botmother.send(of(MAX_BODY_BYTES - 1)).await["calls"], 1);
    let [seen] = botmother.asked().try_into().unwrap();
    assert_eq!(seen.body.len(), MAX_BODY_BYTES - 1);
    // Two users of which the second has no room beside the first.
    let mut two = of(MAX_BODY_BYTES - 1);
    two["users"] = json!(["1", "2"]);
    assert_eq!(botmother.send(two).await["calls"], 2);
    let users: Vec<Value> = botmother.asked().iter().map(|seen| body(seen)["users"].clone()).collect();
    assert_eq!(users, [json!(["1"]), json!(["2"])]);
}

#[tokio::test]
async fn more_than_one_megabyte_of_anything_else_is_refused_and_nothing_is_sent() {
    let botmother = Botmother::start().await;
    let large = "x".repeat(MAX_BODY_BYTES);
    let escaped = "\"".repeat(MAX_BODY_BYTES / 2);
    for (field, text) in [("data", &large), ("data", &escaped), ("extra", &large)] {
        for to in [
            json!({ "platform": "any", "users": "everyone", "confirm_everyone": true }),
            json!({ "platform": "tg", "users": ["1"] }),
            json!({ "users_bm": [bm_id(1)] }),
        ] {
            let mut input = to;
            input[field] = json!({ "x": text });
            let problem = problem(&botmother.keyed("k", input).await, 413, "body_too_large");
            assert_eq!(problem["detail"], "Botmother accepts 1 MB per call; data and extra are larger");
        }
    }
    assert_eq!(botmother.keyed("k", to_one()).await.status, 200, "what is refused takes no key");
    assert_eq!(botmother.asked().len(), 1);
    // With so little room for users, these would take hundreds of calls.
    let data = json!({ "x": "x".repeat(MAX_BODY_BYTES - 100) });
    let few = users(200, |n| json!(1_000 + n));
    assert_eq!(botmother.send(json!({ "platform": "tg", "users": few, "data": data })).await["calls"], 5);
    assert_eq!(botmother.asked().len(), 5);
    let many = users(10_000, |n| json!(1_000 + n));
    let too_many = json!({ "platform": "tg", "users": many, "data": data });
    let problem = botmother.refused(too_many, 413, "body_too_large").await;
    assert!(string(&problem["detail"]).starts_with("takes more than 20 calls of 1 MB"), "{problem}");
    assert_eq!(botmother.asked().len(), 0);
}

#[tokio::test]
async fn the_limits_are_those_of_the_last_answer_that_had_any() {
    let botmother = Botmother::start().await;
    for (second, limits) in [
        (json!({ "result": true, "limits": { "queued": 2 } }), json!({ "queued": 2 })),
        (json!({ "result": true, "limits": null }), json!({ "queued": 1 })),
        (json!({ "result": true }), json!({ "queued": 1 })),
    ] {
        let answers =
            [json!({ "result": true, "payload": [[{ "_id": "a" }, null]], "limits": { "queued": 1 } }), second];
        answer_in_turn(&botmother, answers.map(|body| (200, body)));
        let output = botmother.send(to_many()).await;
        assert_eq!((&output["limits"], &output["calls"]), (&limits, &json!(2)));
        assert_eq!(output["payload"][0], json!({ "_id": "a" }));
    }
}

/// From now on Botmother gives these answers, one after the other, and then the last.
fn answer_in_turn<const N: usize>(botmother: &Botmother, answers: [(u16, Value); N]) {
    let turn = AtomicUsize::new(0);
    botmother.sandbox.script(move |_| {
        let (status, body) = &answers[turn.fetch_add(1, Ordering::SeqCst).min(N - 1)];
        (StatusCode::from_u16(*status).unwrap(), [("retry-after", "7")], body.to_string())
    });
}

#[tokio::test]
async fn a_failure_after_the_first_call_reports_its_progress_and_is_not_retried() {
    let botmother = Botmother::start().await;
    let queued = json!({ "result": true });
    for (key, second, code, message) in [
        ("slow", (429, json!({ "message": "not so fast" })), "platform_slow_down", "429: {\"message\":\"not so fast\""),
        ("down", (503, json!({})), "platform_unavailable", "the platform answered 503"),
        ("gone", (404, json!({})), "connection_unauthorized", "the platform answered 404"),
        ("bad", (400, json!({})), "platform_rejected", "the platform answered 400"),
        ("no", (200, json!({ "result": false })), "platform_rejected", "rejected the event"),
        ("full", (200, json!({ "result": true, "limits": { "exceeded": true } })), "platform_rejected", "limits"),
        ("nonsense", (200, json!({ "result": 1 })), "platform_unavailable", "Botmother's answer to an event"),
    ] {
        answer_in_turn(&botmother, [(200, queued.clone()), second, (200, queued.clone())]);
        let first = botmother.keyed(key, to_many()).await;
        let reported = problem(&first, 502, "partly_done");
        assert_eq!(reported["retry"], "unknown", "{reported}");
        assert_eq!(first.headers.get("retry-after"), None, "nobody is to repeat it");
        let rest = if ["full", "nonsense"].contains(&key) { "unknown" } else { "not_done" };
        assert_eq!(
            (&reported["answer"]["calls"], &reported["answer"]["rest"]),
            (&json!(1), &json!(rest)),
            "{reported}"
        );
        let asked = botmother.asked();
        assert_eq!(asked.len(), 2, "none after the one that failed");
        let detail = string(&reported["detail"]);
        let accepted = body(&asked[0])["users"].as_array().unwrap().len();
        assert_eq!(reported["answer"]["users"], accepted, "{reported}");
        let far = format!("1 of 2 calls were accepted, for the first {accepted} users; then {code}: ");
        assert!(detail.starts_with(&far) && detail.contains(message), "{detail}");

        let again = botmother.keyed(key, to_many()).await;
        assert_same_problem(&first, &again);
        assert_eq!(botmother.asked().len(), 0);
    }
}

#[tokio::test]
async fn a_failure_of_the_first_call_sends_no_second() {
    let botmother = Botmother::start().await;
    botmother.sandbox.refuse_events(true);
    let refused = problem(&botmother.keyed("k", to_many()).await, 422, "platform_rejected");
    assert!(refused["retry"] != "unknown", "{refused}");
    assert!(!string(&refused["detail"]).contains("calls"), "{refused}");
    botmother.sandbox.refuse_events(false);
    assert_eq!(botmother.asked().len(), 1);
    let done = botmother.keyed("k", to_many()).await;
    assert_eq!((done.status.as_u16(), is_replayed(&done)), (200, false), "{}", &done.text[..200]);
    assert_eq!(botmother.asked().len(), 2);
    let again = botmother.keyed("k", to_many()).await;
    assert!(is_replayed(&again) && again.text == done.text);
    assert_eq!(botmother.asked().len(), 0);

    botmother.sandbox.fault(FaultKind::Cut.at(Platform::Botmother));
    let lost = botmother.keyed("l", to_many()).await;
    assert_eq!(problem(&lost, 502, "platform_unavailable")["retry"], "unknown");
    assert_same_problem(&lost, &botmother.keyed("l", to_many()).await);
    assert_eq!(botmother.asked().len(), 1);
}

#[tokio::test]
async fn a_direct_invocation_takes_what_lambda_takes() {
    let botmother = Botmother::start().await;
    let mut send_event = Lambda::start("botmother-send-event", &botmother.bundle, &[]).await;
    let users = users(5_500_000, bm_id);
    let data = json!({ "order": "42" });
    let input = botmother.input(json!({ "users_bm": users, "data": data }));
    let over_http = botmother.bundle.request(Method::POST, SEND).json(&input);
    problem(&answer(over_http).await, 413, "body_too_large");

    let output = send_event.invoke(&input).await.answer();
    assert_eq!((&output["accepted"], &output["calls"]), (&json!(true), &json!(6)));
    let calls = botmother.asked();
    assert!(sent(&calls, "users_bm", &json!({ "data": data })) == users, "each user once and in order");
    assert_eq!(calls.len(), 6);
    // The records name every user again.
    let records = output["payload"].as_array().unwrap();
    let (of_first, third) = (&records[0]["queryOptions"]["storeIds"], body(&calls[2])["users_bm"].clone());
    assert!(*of_first == body(&calls[0])["users_bm"] && records[2]["queryOptions"]["storeIds"] == third);
    assert_eq!(records.len(), 3);
    let left_out =
        json!([{ "pointer": "/payload", "detail": "has only the first 3 of 6 records, because more are too large" }]);
    assert_eq!(output["warnings"], left_out);

    // Lambda's own repetition of the invocation is no second event.
    let again = send_event.invoke_again(&input).await.answer();
    assert!(again == output);
    assert_eq!(botmother.asked().len(), 0);

    answer_in_turn(&botmother, [(200, json!({ "result": true })), (200, json!({ "result": true })), (500, json!({}))]);
    let problem = send_event.invoke(&input).await.problem("partly_done");
    let asked = botmother.asked();
    let accepted: usize = asked[..2].iter().map(|seen| body(seen)["users_bm"].as_array().unwrap().len()).sum();
    let far = format!(
        "2 of 6 calls were accepted, for the first {accepted} users; then platform_unavailable: the platform answered 500"
    );
    assert!(string(&problem["detail"]).starts_with(&far), "{problem}");
    assert_eq!((&problem["retry"], asked.len()), (&json!("unknown"), 3));
    let again = send_event.invoke_again(&input).await.problem("partly_done");
    assert_eq!((&again["detail"], &again["retry"]), (&problem["detail"], &problem["retry"]));
    assert_eq!(botmother.asked().len(), 0);
    let log = send_event.log();
    assert!(log.contains("partly_done"), "{}", log.len());
    assert!(!log.contains(users[0].as_str().unwrap()) && !log.contains(Sandbox::EVENT_TOKEN), "{}", log.len());
}

//! `botmother.send-event`: Botmother's answers, and the caller's outcome for each.

use crate::support::{
    assertions::problem,
    botmother::{Botmother, connect, to_one},
    idempotent_calls::{assert_same_problem, is_replayed},
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use tests::{
    Answer, Bundle, answer,
    sandbox::{FaultKind, Platform},
    string,
};

/// From now on Botmother answers so.
fn says(botmother: &Botmother, status: u16, text: impl Into<String>) {
    let text = text.into();
    let status = StatusCode::from_u16(status).unwrap();
    botmother.sandbox.script(move |_| (status, [("retry-after", "17")], text.clone()));
}

fn is_unknown(answer: &Answer) -> bool {
    answer.json()["retry"] == "unknown"
}

/// Sends an event twice under a key of its own: where the outcome is unknown the first answer is repeated, and else the
/// key is free. The first answer.
async fn sent_twice(botmother: &Botmother, key: &str) -> Answer {
    let first = botmother.keyed(key, to_one()).await;
    assert_eq!(botmother.asked().len(), 1, "an event is sent once: {}", first.text);
    let again = botmother.keyed(key, to_one()).await;
    if is_unknown(&first) {
        assert_same_problem(&first, &again);
        assert_eq!(botmother.asked().len(), 0, "{}", first.text);
    } else {
        assert!(!is_replayed(&again), "{}", again.text);
        assert_eq!(botmother.asked().len(), 1, "{}", first.text);
    }
    first
}

#[tokio::test]
async fn a_refusal_inside_a_success_is_an_error_that_says_so() {
    let botmother = Botmother::start().await;
    let exceeded = json!({ "exceeded": true, "queued": { "big": 1 } });
    for (body, unknown, message) in [
        (json!({ "result": false }), false, "Botmother rejected the event: {\"result\":false}"),
        (json!({ "result": false, "message": "no such bot" }), false, "rejected the event: {\"result\":false,\"mess"),
        (json!({ "result": false, "limits": exceeded }), false, "the limits of the bot's queue are exceeded: {"),
        (json!({ "result": false, "limits": { "exceeded": false } }), false, "rejected the event"),
        // These it may have queued.
        (json!({ "result": true, "limits": exceeded }), true, "the limits of the bot's queue are exceeded: {"),
        (json!({ "result": true, "payload": [], "limits": { "exceeded": true } }), true, "are exceeded"),
    ] {
        says(&botmother, 200, body.to_string());
        let first = sent_twice(&botmother, &body.to_string()).await;
        let reported = problem(&first, 422, "platform_rejected");
        assert_eq!(is_unknown(&first), unknown, "{body}");
        assert!(string(&reported["detail"]).contains(message), "{reported}");
    }
    says(&botmother, 200, json!({ "result": false, "message": "x".repeat(5_000) }).to_string());
    let long = botmother.refused(to_one(), 422, "platform_rejected").await;
    assert!(string(&long["detail"]).len() < 600, "{long}");
}

#[tokio::test]
async fn a_refusal_is_answered_and_frees_the_key() {
    let botmother = Botmother::start().await;
    botmother.sandbox.refuse_events(true);
    let refused = problem(&botmother.keyed("k", to_one()).await, 422, "platform_rejected");
    assert!(string(&refused["detail"]).contains("the event is refused"), "{refused}");
    botmother.sandbox.refuse_events(false);
    assert_eq!(botmother.keyed("k", to_one()).await.status, 200);
    assert_eq!(botmother.sandbox.external_events().as_array().unwrap().len(), 1);

    botmother.sandbox.exceed_limits(true);
    let exceeded = botmother.keyed("l", to_one()).await;
    let reported = problem(&exceeded, 422, "platform_rejected");
    assert_eq!((&reported["retry"], &reported["answer"]["limits"]["exceeded"]), (&json!("unknown"), &json!(true)));
    botmother.sandbox.exceed_limits(false);
    assert_same_problem(&exceeded, &botmother.keyed("l", to_one()).await);
    assert_eq!(botmother.sandbox.external_events().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_answer_without_a_result_leaves_the_outcome_unknown() {
    let botmother = Botmother::start().await;
    for (status, text, message) in [
        (200, "", "the answer is empty"),
        (204, "", "the answer is empty"),
        (200, "<!doctype html><p>Please sign in.", "the answer is not JSON"),
        (200, "OK", "the answer is not JSON"),
        (200, "true", "the answer is not JSON"),
        (200, "null", "the answer is not JSON"),
        (200, "{}", "missing field `result`"),
        (201, r#"{"payload":[],"limits":null}"#, "missing field `result`"),
        (200, r#"{"result":null}"#, "invalid type: null"),
        (200, r#"{"result":"true"}"#, "invalid type: string"),
        (200, r#"{"result":1}"#, "invalid type: integer"),
        (200, r#"{"Result":true}"#, "missing field `result`"),
        (200, "[]", "invalid length 0"),
        (200, r#"[{"result":true}]"#, "invalid type: map"),
        (200, r#"{"result":true"#, "EOF"),
        (200, r#"{"result":true}{"result":true}"#, "trailing characters"),
    ] {
        says(&botmother, status, text);
        let first = sent_twice(&botmother, &format!("{status} {text}")).await;
        let reported = problem(&first, 502, "platform_unavailable");
        assert!(is_unknown(&first), "{text}");
        let detail = string(&reported["detail"]);
        assert!(detail.starts_with("Botmother's answer to an event: ") && detail.contains(message), "{detail}");
    }
}

#[tokio::test]
async fn an_answer_is_read_in_every_shape_that_was_seen() {
    let botmother = Botmother::start().await;
    let (a, b, c) = (json!({ "_id": "a", "__v": 0 }), json!({ "_id": "b", "own": [[1]] }), json!({ "_id": "c" }));
    for (status, answer, payload, limits) in [
        (200, json!({ "result": true }), json!([]), Value::Null),
        (202, json!({ "result": true, "payload": null, "limits": null, "more": 1 }), json!([]), Value::Null),
        (200, json!({ "result": true, "payload": [] }), json!([]), Value::Null),
        (200, json!({ "result": true, "payload": [a, b] }), json!([a, b]), Value::Null),
        (200, json!({ "result": true, "payload": [[a], [b, c]] }), json!([a, b, c]), Value::Null),
        (200, json!({ "result": true, "payload": [[a], b] }), json!([a, b]), Value::Null),
        (200, json!({ "result": true, "payload": a }), json!([a]), Value::Null),
        (201, json!({ "result": true, "limits": { "x": [1] } }), json!([]), json!({ "x": [1] })),
        (200, json!({ "result": true, "limits": { "exceeded": null } }), json!([]), json!({ "exceeded": null })),
    ] {
        says(&botmother, status, answer.to_string());
        let output = botmother.send(to_one()).await;
        let reported = json!({ "accepted": true, "calls": 1, "payload": payload, "limits": limits, "warnings": [] });
        assert_eq!(output, reported, "{answer}");
    }
}

#[tokio::test]
async fn every_status_has_its_problem() {
    let botmother = Botmother::start().await;
    for (status, answered, code, unknown) in [
        (301, 502, "platform_unavailable", true),
        (304, 502, "platform_unavailable", true),
        (400, 422, "platform_rejected", false),
        (401, 424, "connection_unauthorized", false),
        (403, 424, "connection_unauthorized", false),
        (404, 424, "connection_unauthorized", false),
        (405, 422, "platform_rejected", false),
        (408, 504, "platform_timeout", false),
        (410, 424, "connection_unauthorized", false),
        (413, 422, "platform_rejected", false),
        (421, 502, "platform_unavailable", false),
        (422, 422, "platform_rejected", false),
        (425, 502, "platform_unavailable", false),
        (429, 429, "platform_slow_down", false),
        (500, 502, "platform_unavailable", true),
        (502, 502, "platform_unavailable", true),
        (503, 502, "platform_unavailable", false),
        (504, 504, "platform_timeout", true),
    ] {
        let bodiless = status == 304;
        says(&botmother, status, if bodiless { "" } else { r#"{"message":"the words of Botmother"}"# });
        let first = sent_twice(&botmother, &status.to_string()).await;
        let reported = problem(&first, answered, code);
        assert_eq!(is_unknown(&first), unknown, "{reported}");
        let detail = string(&reported["detail"]);
        assert!(detail.contains(&status.to_string()), "{detail}");
        assert!(bodiless || detail.contains("the words of Botmother"), "{detail}");
        let wait = first.headers.get("retry-after").map(|wait| wait.to_str().unwrap());
        assert_eq!(wait, [408, 421, 425, 429, 503].contains(&status).then_some("17"), "{status}");
    }
}

#[tokio::test]
async fn every_network_failure_has_its_problem() {
    let botmother = Botmother::start().await;
    for (kind, status, code, unknown, queued) in [
        (FaultKind::CutBefore, 502, "platform_unavailable", true, false),
        (FaultKind::Cut, 502, "platform_unavailable", true, true),
        (FaultKind::Nonsense, 502, "platform_unavailable", true, true),
        (FaultKind::WrongShape, 502, "platform_unavailable", true, true),
        (FaultKind::Empty, 502, "platform_unavailable", true, true),
        (FaultKind::Huge, 502, "platform_unavailable", true, true),
        (FaultKind::Redirect, 502, "platform_unavailable", true, false),
        (FaultKind::EnvelopeError, 422, "platform_rejected", false, false),
        (FaultKind::Echo, 422, "platform_rejected", false, false),
        (FaultKind::SlowDown, 429, "platform_slow_down", false, false),
        (FaultKind::Gone, 424, "connection_unauthorized", false, false),
    ] {
        let key = format!("{kind:?}");
        botmother.sandbox.fault(kind.at(Platform::Botmother));
        let events = || botmother.sandbox.external_events().as_array().unwrap().len();
        let before = events();
        let first = botmother.keyed(&key, to_one()).await;
        problem(&first, status, code);
        assert_eq!((is_unknown(&first), events() - before), (unknown, usize::from(queued)), "{kind:?}");
        // A redirect is not followed.
        assert_eq!(botmother.asked().len(), 1, "{kind:?}");
        let again = botmother.keyed(&key, to_one()).await;
        if unknown {
            assert_same_problem(&first, &again);
        } else {
            assert_eq!((again.status.as_u16(), is_replayed(&again)), (200, false), "{kind:?}: {}", again.text);
        }
        assert_eq!(botmother.asked().len(), usize::from(!unknown), "{kind:?}");
    }
}

#[tokio::test]
async fn a_botmother_that_hangs_is_given_up_and_the_outcome_is_unknown() {
    let botmother = Botmother::start().await;
    botmother.sandbox.fault(FaultKind::Hang.at(Platform::Botmother));
    let first = botmother.keyed("k", to_one()).await;
    assert_eq!(problem(&first, 504, "platform_timeout")["retry"], "unknown");
    assert_same_problem(&first, &botmother.keyed("k", to_one()).await);
    assert_eq!(botmother.asked().len(), 1);
}

#[tokio::test]
async fn nothing_was_sent_without_a_connection() {
    let nowhere = Bundle::start().await;
    let connection = connect(&nowhere, "http://127.0.0.1:9/api/bot/action/q7Rm-4xK_/a-token-of-some-length").await;
    let mut input = to_one();
    input["connection"] = connection["id"].clone();
    let request = nowhere.request(reqwest::Method::POST, crate::support::botmother::SEND).json(&input);
    let answer = answer(request).await;
    let reported = problem(&answer, 502, "platform_unavailable");
    assert_eq!((&reported["detail"], is_unknown(&answer)), (&json!("cannot connect"), false));
}

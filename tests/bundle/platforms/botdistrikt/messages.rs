//! Messages: the requests to BotDistrikt, and its answer, which is returned unchanged.

use crate::support::{action_calls::FAILURES, assertions::pointers, botdistrikt::BotDistrikt};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    sandbox::{FaultKind, Sandbox},
    string,
};

const SEND: &str = "send-message";

fn input(message: Value) -> Value {
    json!({ "webchat_id": "u-1", "message": message })
}

/// With a user.
async fn start() -> (BotDistrikt, Value) {
    let botdistrikt = BotDistrikt::start().await;
    let user = json!({ "first_name": "Ava", "notes": ["vip", { "a": null, "n": 1.5 }] });
    let registered = botdistrikt.act("register-user", json!({ "webchat_id": "u-1", "user": user }), 200).await;
    botdistrikt.sandbox.forget_requests();
    (botdistrikt, registered["user"].clone())
}

#[tokio::test]
async fn a_message_goes_as_it_is_with_the_user_as_registered() {
    let (botdistrikt, user) = start().await;
    let whole = json!({ "type": "image", "url": "https://example.com/a.png", "nested": [{ "a": null, "n": 1.5 }] });
    for (message, sent, echo) in [
        (json!("Hello"), json!({ "text": "Hello" }), "Hello".to_owned()),
        (json!(" é\n\"🎉\" {{x}}"), json!({ "text": " é\n\"🎉\" {{x}}" }), " é\n\"🎉\" {{x}}".to_owned()),
        (json!("{\"text\":1}"), json!({ "text": "{\"text\":1}" }), "{\"text\":1}".to_owned()),
        (json!({ "text": "Hi", "more": 1 }), json!({ "text": "Hi", "more": 1 }), "Hi".to_owned()),
        (whole.clone(), whole.clone(), whole.to_string()),
    ] {
        let answer = botdistrikt.act(SEND, input(message), 200).await;
        let responses = json!([{ "text": format!("You said: {echo}") }]);
        assert_eq!(answer, json!({ "responses": responses, "body": { "responses": responses } }));
        let [seen] = botdistrikt.sandbox.requests().try_into().unwrap();
        assert_eq!((seen.method.clone(), seen.path.as_str()), (Method::POST, "/webchat_apps/4711/message"));
        assert_eq!(
            (seen.authorization(), seen.headers["content-type"].as_bytes()),
            (Some("u-1"), &b"application/json"[..])
        );
        let body = json!({ "domain": Sandbox::DOMAIN, "user": user, "message": sent });
        assert_eq!(botdistrikt.asked(), [body]);
        assert!(seen.body.contains(&user.to_string()), "in the order of BotDistrikt: {}", seen.body);
    }
    assert_eq!(botdistrikt.sandbox.messages()[0]["user"], user);
}

#[tokio::test]
async fn the_bots_answer_is_returned_unchanged() {
    let (botdistrikt, _) = start().await;
    let one = r#"{"z": 1,  "a":[ ], "big": 123456789012345678901234567890, "f": 1.10e+2, "twice":1, "twice":2}"#;
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    for (body, responses) in [
        (format!("[{one}, \"b\" ,3]"), format!("[{one},\"b\",3]")),
        ("[]".to_owned(), "[]".to_owned()),
        (format!("{{\"more\":{one}, \"responses\": [{one}, \"\\u00e9\\/\"]}}"), format!("[{one},\"\\u00e9\\/\"]")),
        ("{\"responses\":[]}".to_owned(), "[]".to_owned()),
        (deep.clone(), deep),
        // No shape that is known.
        (one.to_owned(), "null".to_owned()),
        ("{\"responses\": null}".to_owned(), "null".to_owned()),
        ("{\"responses\": {\"0\": 1}}".to_owned(), "null".to_owned()),
        ("{\"responses\":[1],\"responses\":[2]}".to_owned(), "null".to_owned()),
        ("{\"Responses\": [1]}".to_owned(), "null".to_owned()),
        ("{\"data\": {\"responses\": [1]}}".to_owned(), "null".to_owned()),
        ("\"Hi\"".to_owned(), "null".to_owned()),
        ("12345678901234567890.10".to_owned(), "null".to_owned()),
        ("1e999".to_owned(), "null".to_owned()),
        ("null".to_owned(), "null".to_owned()),
    ] {
        let answered = body.clone();
        botdistrikt.sandbox.script(move |_| answered.clone());
        let answer = botdistrikt.answer(SEND, input(json!("Hi"))).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.text, format!("{{\"responses\":{responses},\"body\":{body}}}"));
    }
    for body in ["", " \r\n"] {
        botdistrikt.sandbox.script(move |_| body);
        let answer = botdistrikt.act(SEND, input(json!("Hi")), 200).await;
        assert_eq!(answer, json!({ "responses": null, "body": null }), "{body}");
    }
    for body in ["Hi \"there\"\n", "<p>Hi", "[1, 2", "[1] [2]", "{'responses': []}"] {
        botdistrikt.sandbox.script(move |_| body);
        let problem = botdistrikt.refused(SEND, input(json!("Hi")), 502, "platform_unavailable").await;
        assert_eq!(problem["retry"], "unknown", "{body}");
    }
    botdistrikt.sandbox.script(|_| [b'"', 0xff, b'"']);
    assert_eq!(botdistrikt.act(SEND, input(json!("Hi")), 200).await["body"], "\u{fffd}");
}

#[tokio::test]
async fn a_bots_answer_of_its_own_shape_comes_back_as_it_is() {
    let (botdistrikt, _) = start().await;
    for (body, responses) in [
        (json!([{ "type": "cards", "cards": [] }]), json!([{ "type": "cards", "cards": [] }])),
        (json!({ "responses": ["Hi"], "memory": {} }), json!(["Hi"])),
        (json!({ "conversation": { "turns": 1 } }), Value::Null),
        (Value::Null, Value::Null),
    ] {
        botdistrikt.sandbox.answer_messages_with(body.clone());
        assert_eq!(botdistrikt.say("u-1", "Hi").await, json!({ "responses": responses, "body": body }));
    }
    assert_eq!(botdistrikt.sandbox.messages().as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn only_a_user_registered_on_the_connection_sends_messages() {
    let (botdistrikt, _) = start().await;
    let other = botdistrikt.bundle.connection("botdistrikt").await;
    for input in [
        json!({ "webchat_id": "u-2", "message": "Hi" }),
        json!({ "webchat_id": "U-1", "message": "Hi" }),
        json!({ "webchat_id": "u-1", "message": "Hi", "connection": other }),
    ] {
        let problem = botdistrikt.refused(SEND, input, 404, "not_found").await;
        assert!(string(&problem["detail"]).contains("botdistrikt.register-user"), "{problem}");
        assert_ne!(problem["retry"], "unknown", "{problem}");
    }
    assert_eq!(botdistrikt.sandbox.requests().len(), 0);
    assert_eq!(botdistrikt.bundle.all("/v1/subscribers").await.len(), 1, "nobody is made by asking");
    // Registered here, but no more at BotDistrikt: what it says then is its own affair.
    botdistrikt.sandbox.fault(FaultKind::NotFound);
    let problem = botdistrikt.refused(SEND, input(json!("Hi")), 404, "not_found").await;
    assert!(string(&problem["detail"]).starts_with("the platform answered 404"), "{problem}");
}

#[tokio::test]
async fn an_input_with_faults_is_refused_before_anything_is_asked() {
    let (botdistrikt, _) = start().await;
    let hi = json!("Hi");
    for (webchat_id, message, at) in [
        (json!(""), hi.clone(), "/webchat_id"),
        (json!("u-1\r\nx-admin: yes"), hi.clone(), "/webchat_id"),
        (json!("u-1\n"), hi.clone(), "/webchat_id"),
        (json!("u\u{0}1"), hi.clone(), "/webchat_id"),
        (json!("u\u{7f}1"), hi.clone(), "/webchat_id"),
        (json!("u 1"), hi.clone(), "/webchat_id"),
        (json!("\tu-1"), hi.clone(), "/webchat_id"),
        (json!("ü"), hi.clone(), "/webchat_id"),
        (json!("x".repeat(257)), hi.clone(), "/webchat_id"),
        (json!(1), hi.clone(), "/webchat_id"),
        (Value::Null, hi, "/webchat_id"),
        (json!("u-1"), json!(""), "/message"),
        (json!("u-1"), json!({}), "/message"),
        (json!("u-1"), json!([]), "/message"),
        (json!("u-1"), json!(["Hi"]), "/message"),
        (json!("u-1"), json!(7), "/message"),
        (json!("u-1"), Value::Null, "/message"),
    ] {
        let input = json!({ "webchat_id": webchat_id, "message": message });
        let problem = botdistrikt.refused(SEND, input.clone(), 422, "invalid_body").await;
        assert_eq!(pointers(&problem), [at], "{input} {problem}");
    }
    let problem = botdistrikt.refused(SEND, json!({ "user": {}, "text": "Hi" }), 422, "invalid_body").await;
    assert_eq!(pointers(&problem), ["/message", "/text", "/user", "/webchat_id"]);
    assert_eq!(botdistrikt.sandbox.requests().len(), 0);
}

#[tokio::test]
async fn after_every_failure_the_next_call_is_heard_at_once() {
    let (botdistrikt, _) = start().await;
    for failure in FAILURES.iter().filter(|failure| failure.kind != FaultKind::EnvelopeError) {
        let kind = failure.kind;
        let new = json!({ "webchat_id": format!("u-{kind:?}") });
        for (action, input) in [("register-user", new), (SEND, input(json!("Hi")))] {
            botdistrikt.sandbox.fault(kind);
            botdistrikt.refused(action, input.clone(), failure.status, failure.code).await;
            let again = botdistrikt.act(action, input, 200).await;
            assert_ne!(again["reused"], true, "{action} under {kind:?}: nobody was kept");
            assert_eq!(botdistrikt.asked().len(), 2, "{action} under {kind:?}: nothing is sent twice");
        }
    }
}

#[tokio::test]
async fn any_answer_to_a_message_counts_and_a_registration_needs_a_user() {
    let (botdistrikt, _) = start().await;
    let error = json!({ "error": { "statusCode": 400, "name": "Error", "message": "this fault was armed" } });
    for (kind, body, responses) in [
        (FaultKind::WrongShape, json!([[1], "x"]), json!([[1], "x"])),
        (FaultKind::Empty, Value::Null, Value::Null),
        (FaultKind::EnvelopeError, error, Value::Null),
    ] {
        botdistrikt.sandbox.fault(kind);
        let answer = botdistrikt.say("u-1", "Hi").await;
        assert_eq!(answer, json!({ "responses": responses, "body": body }), "{kind:?}");
        botdistrikt.sandbox.fault(kind);
        let new = json!({ "webchat_id": format!("u-{kind:?}") });
        let problem = botdistrikt.refused("register-user", new, 502, "platform_unavailable").await;
        assert_eq!(problem["retry"], "unknown", "{kind:?}: {problem}");
    }
    assert_eq!(botdistrikt.bundle.all("/v1/subscribers").await.len(), 1);
}

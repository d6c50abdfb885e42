//! `botmother.send-event`: what goes over the wire, what comes back, and what is refused before anything is sent.

use crate::support::{
    assertions::{pointers, problem, refused},
    botmother::{Botmother, SEND, to_one},
    idempotent_calls::is_replayed,
};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{answer, expect, sandbox::Sandbox, string};

const BM_ID: &str = "5c517b7773515eaa3078e2f0";

#[tokio::test]
async fn each_way_has_a_body_of_its_own() {
    let botmother = Botmother::start().await;
    let data = json!({ "order": "42", "items": [{ "name": "Latte ☕", "n": 1.50 }], "": null });
    let other = "0123456789ABCDEFabcdef01";
    for (input, body) in [
        (
            json!({ "platform": "tg", "users": ["123456", "@ava", "123456"], "data": data }),
            json!({ "platform": "tg", "users": ["123456", "@ava", "123456"], "data": data }),
        ),
        (
            json!({ "platform": "viber", "users": [123_456.0, "7", -1_001_234_567_890_i64, u64::MAX, i64::MIN, 0] }),
            json!({ "platform": "viber", "users": [
                "123456", "7", "-1001234567890", "18446744073709551615", "-9223372036854775808", "0",
            ] }),
        ),
        (
            json!({ "platform": "any", "users": "everyone", "confirm_everyone": true, "data": {} }),
            json!({ "platform": "any", "users": "everyone", "data": {} }),
        ),
        (json!({ "users_bm": [BM_ID, other], "data": data }), json!({ "users_bm": [BM_ID, other], "data": data })),
        (
            json!({
                "users_bm": [BM_ID], "platform": null, "users": null, "data": null, "extra": null,
                "confirm_everyone": null, "idempotency_key": null,
            }),
            json!({ "users_bm": [BM_ID] }),
        ),
        (
            json!({
                "platform": "fb", "users": ["1"], "confirm_everyone": false,
                "extra": { "closeDialogs": true, "tags": ["vip"], "connection": 1, "confirm_everyone": {}, "": null },
            }),
            json!({
                "platform": "fb", "users": ["1"], "closeDialogs": true, "tags": ["vip"], "connection": 1,
                "confirm_everyone": {}, "": null,
            }),
        ),
        (
            json!({ "platform": "vk", "users": ["every one"], "data": { "users": "everyone" }, "extra": {} }),
            json!({ "platform": "vk", "users": ["every one"], "data": { "users": "everyone" } }),
        ),
    ] {
        let output = botmother.send(input.clone()).await;
        assert_eq!((&output["calls"], &output["warnings"]), (&json!(1), &json!([])), "{output}");
        let [seen] = botmother.asked().try_into().unwrap();
        assert_eq!(serde_json::from_str::<Value>(&seen.body).unwrap(), body, "{input}");
        let path = format!("/api/bot/action/{}/{}", Sandbox::EVENT_ID, Sandbox::EVENT_TOKEN);
        assert_eq!((seen.method.as_str(), &seen.path, seen.query.as_str()), ("POST", &path, ""));
        assert_eq!(seen.headers["content-type"], "application/json");
        assert_eq!(seen.authorization(), None);
    }
}

#[tokio::test]
async fn the_output_is_what_botmother_answers() {
    let botmother = Botmother::start().await;
    let (_, module) = registry::modules().find(|(_, module)| module.name() == "botmother.send-event").unwrap();
    let stated = jsonschema::validator_for((module.output)().as_value()).unwrap();
    let input = json!({ "platform": "tg", "users": ["1", 2], "data": { "order": "42" } });
    let mut payload = Value::Null;
    for nested in [false, true] {
        botmother.sandbox.nest_payload(nested);
        let mut output = botmother.send(input.clone()).await;
        assert!(stated.is_valid(&output), "{output}");
        let [record] = output["payload"].as_array().unwrap().as_slice() else { panic!("{output}") };
        assert_eq!((&record["status"], &record["totalCount"]), (&json!("queued"), &json!(2)));
        assert_eq!(record["queryOptions"]["platformIds"], json!(["1", "2"]));
        assert_eq!(record["sendData"]["data"], input["data"]);
        assert_ne!(payload, output["payload"], "each call's own");
        payload = output["payload"].take();
        let limits = json!({
            "exceeded": false, "queued": { "big": 0, "small": 1 }, "remained": { "big": 10, "small": 99 },
        });
        let rest = json!({ "accepted": true, "calls": 1, "payload": null, "limits": limits, "warnings": [] });
        assert_eq!(output, rest);
    }
    assert_eq!(botmother.sandbox.external_events().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_platform_that_no_document_names_is_sent_with_a_warning() {
    let botmother = Botmother::start().await;
    for (platform, documented) in [
        ("tg", true),
        ("fb", true),
        ("viber", true),
        ("vk", true),
        ("any", true),
        ("wa", false),
        ("TG", false),
        (" tg", false),
        ("ключ", false),
    ] {
        let output = botmother.send(json!({ "platform": platform, "users": ["1"] })).await;
        assert_eq!(output["accepted"], true);
        assert_eq!(botmother.sandbox.external_events().as_array().unwrap().last().unwrap()["platform"], platform);
        let warnings = output["warnings"].as_array().unwrap();
        assert_eq!(warnings.is_empty(), documented, "{platform}: {warnings:?}");
        for warning in warnings {
            assert_eq!(warning["pointer"], "/platform");
            assert_eq!(warning["detail"], "is not documented; the documented ones are tg, fb, viber, vk, any");
        }
    }
}

#[tokio::test]
async fn an_event_that_names_nobody_or_names_in_two_ways_is_refused() {
    let botmother = Botmother::start().await;
    let everyone = json!({ "platform": "any", "users": "everyone" });
    for (input, pointer, detail) in [
        (json!({}), "", "has no recipients: give platform and users, or users_bm"),
        (json!({ "data": {}, "confirm_everyone": true, "extra": { "tags": ["vip"] } }), "", "has no recipients"),
        (json!({ "platform": null, "users": null, "users_bm": null }), "", "has no recipients"),
        (json!({ "platform": "tg" }), "/users", "is required with platform"),
        (json!({ "platform": "tg", "users": null }), "/users", "is required with platform"),
        (json!({ "users": ["1"] }), "/platform", "is required with users"),
        (json!({ "platform": "tg", "users_bm": [BM_ID] }), "/users_bm", "can't be combined with platform and users"),
        (json!({ "users": ["1"], "users_bm": [BM_ID] }), "/users_bm", "can't be combined with platform and users"),
        (json!({ "platform": "tg", "users": ["1"], "users_bm": [BM_ID] }), "/users_bm", "can't be combined"),
        (everyone.clone(), "/confirm_everyone", "must be true to send to the bot's whole audience"),
        (with(&everyone, "confirm_everyone", json!(false)), "/confirm_everyone", "must be true"),
        (with(&everyone, "confirm_everyone", Value::Null), "/confirm_everyone", "must be true"),
        (json!({ "platform": "any", "users": ["1", "everyone"] }), "/users/1", "give everyone instead of the list"),
        (
            json!({ "platform": "tg", "users": ["1"], "extra": { "users": "everyone" } }),
            "/extra/users",
            "must be given",
        ),
        (
            json!({ "users_bm": [BM_ID], "extra": { "platform": null } }),
            "/extra/platform",
            "must be given as the field of that name",
        ),
        (
            json!({ "users_bm": [BM_ID], "extra": { "users_bm": [] } }),
            "/extra/users_bm",
            "must be given as the field of that name",
        ),
        (
            json!({ "users_bm": [BM_ID], "extra": { "data": {} } }),
            "/extra/data",
            "must be given as the field of that name",
        ),
    ] {
        let problem = botmother.refused(input.clone(), 422, "invalid_body").await;
        assert_eq!(pointers(&problem), [pointer], "{input}: {problem}");
        assert!(string(&problem["errors"][0]["detail"]).contains(detail), "{input}: {problem}");
    }
    assert_eq!(botmother.asked().len(), 0);
}

/// The same with another field.
fn with(input: &Value, name: &str, value: Value) -> Value {
    let mut input = input.clone();
    input[name] = value;
    input
}

#[tokio::test]
async fn a_value_of_the_wrong_type_has_its_pointer() {
    let botmother = Botmother::start().await;
    let long = "x".repeat(257);
    for (name, values) in [
        ("platform", vec![json!(5), json!(""), json!(["tg"]), json!("x".repeat(65))]),
        ("users", vec![json!("all"), json!("Everyone"), json!("everyone "), json!(""), json!(5), json!({}), json!([])]),
        ("users/0", [json!(1.5), json!(1e19), json!(true), Value::Null, json!({})].into()),
        ("users/0", vec![json!([]), json!(["1"]), json!(""), json!(long)]),
        ("users_bm", vec![json!("everyone"), json!(BM_ID), json!([]), json!({}), json!(5)]),
        ("users_bm/0", vec![json!(""), json!("5c51"), json!(format!("{BM_ID}0")), json!(format!("{}g", &BM_ID[1..]))]),
        ("users_bm/0", vec![json!(5), Value::Null, json!(format!("{BM_ID}\n")), json!(format!(" {BM_ID}"))]),
        ("data", vec![json!([]), json!("x"), json!(5)]),
        ("extra", vec![json!([]), json!("users"), json!(true)]),
        ("confirm_everyone", vec![json!("true"), json!(1), json!({})]),
        ("connection", vec![json!(5), json!(""), Value::Null]),
        ("user", vec![json!("1")]),
    ] {
        for value in values {
            let (field, item) = name.split_once('/').map_or((name, false), |(field, _)| (field, true));
            let mut input = if field == "users_bm" { json!({}) } else { to_one() };
            input[field] = if item { json!([value]) } else { value };
            let problem = botmother.refused(input.clone(), 422, "invalid_body").await;
            assert_eq!(pointers(&problem), [format!("/{name}")], "{input}: {problem}");
            let reported = string(&problem["errors"][0]["detail"]);
            assert!(
                ["value ", "is ", "must be "].iter().any(|message| reported.starts_with(message)),
                "{input}: {reported}"
            );
        }
    }
    // The second of many.
    let problem = botmother.refused(json!({ "platform": "tg", "users": ["1", 2.5, "3"] }), 422, "invalid_body").await;
    assert_eq!(pointers(&problem), ["/users/1"]);
    assert_eq!(botmother.asked().len(), 0);
}

#[tokio::test]
async fn every_fault_of_an_event_is_reported_at_once() {
    let botmother = Botmother::start().await;
    let input = json!({
        "connection": 5, "platform": "", "users": "everyone", "users_bm": ["x", 5, BM_ID], "data": [],
        "extra": { "users": 1, "data": 2, "fine": 3 }, "unknown": true, "a/b": 1, "idempotency_key": "",
    });
    let problem = botmother.refused(input, 422, "invalid_body").await;
    let all = [
        "/a~1b",
        "/confirm_everyone",
        "/connection",
        "/data",
        "/extra/data",
        "/extra/users",
        "/idempotency_key",
        "/platform",
        "/unknown",
        "/users_bm",
        "/users_bm/0",
        "/users_bm/1",
    ];
    assert_eq!(pointers(&problem), all, "{problem}");
    for body in ["[]", "null", "\"everyone\"", "5"] {
        let request = botmother.bundle.request(Method::POST, SEND).body(body);
        assert_eq!(pointers(&refused(request, 422, "invalid_body").await), [""], "{body}");
    }
    assert_eq!(botmother.asked().len(), 0);
}

#[tokio::test]
async fn one_key_is_one_event() {
    let botmother = Botmother::start().await;
    let everyone = json!({ "platform": "any", "users": "everyone", "confirm_everyone": true });
    let first = botmother.keyed("k", everyone.clone()).await;
    assert_eq!((first.status.as_u16(), is_replayed(&first)), (200, false), "{}", first.text);
    let again = botmother.keyed("k", everyone.clone()).await;
    assert_eq!((&again.text, is_replayed(&again)), (&first.text, true));
    problem(&botmother.keyed("k", to_one()).await, 422, "idempotency_key_reused");
    assert_eq!(botmother.asked().len(), 1);
    // Without one, each call is an event.
    for _ in 0..2 {
        expect(botmother.request(to_one()), 200).await;
    }
    assert_eq!(botmother.asked().len(), 2);
    let unconfirmed = json!({ "platform": "any", "users": "everyone" });
    assert_eq!(
        pointers(&problem(&botmother.keyed("l", unconfirmed).await, 422, "invalid_body")),
        ["/confirm_everyone"]
    );
    assert_eq!(botmother.keyed("l", everyone).await.status, 200, "what is refused takes no key");
}

#[tokio::test]
async fn a_connection_without_a_url_sends_nothing_and_says_what_to_do() {
    let botmother = Botmother::start().await;
    for credentials in [json!({}), json!({ "event_url": null })] {
        let new = json!({ "platform": "botmother", "name": "Requests alone", "credentials": credentials });
        let connection = botmother.bundle.post("/v1/connections", &new, 201).await["id"].clone();
        let input = with(&to_one(), "connection", connection);
        let problem = botmother.refused(input, 424, "connection_unauthorized").await;
        assert_eq!(problem["detail"], "the event URL is missing: add it to the connection");
        assert!(problem["retry"] != "unknown", "{problem}");
    }
    let chatbot = json!(botmother.bundle.connection("chatbot").await);
    botmother.refused(with(&to_one(), "connection", chatbot), 422, "connection_mismatch").await;
    let nobody = answer(botmother.request(with(&to_one(), "connection", json!("con_x")))).await;
    problem(&nobody, 404, "not_found");
    assert_eq!(botmother.asked().len(), 0);
}

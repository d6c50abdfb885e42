//! The types of the OpenAPI document: a request that fits them is refused for its content alone.

use crate::support::assertions::pointers;
use jsonschema::Validator;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use tests::{Bundle, answer, string};

/// Visits every object of a document.
pub fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            visit(object);
            object.values().for_each(|inner| walk(inner, visit));
        }
        Value::Array(items) => items.iter().for_each(|inner| walk(inner, visit)),
        _ => {}
    }
}

async fn document(bundle: &Bundle) -> Value {
    answer(bundle.http.get(format!("{}/v1/openapi.json", bundle.local.url))).await.json()
}

fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, operations)| {
        operations
            .as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

fn parameter<'d>(document: &'d Value, path: &str, name: &str) -> &'d Value {
    let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
    &parameters.iter().find(|parameter| parameter["name"] == name).unwrap()["schema"]
}

fn validator(document: &Value, schema: &Value) -> Validator {
    let schema = json!({ "allOf": [schema], "components": document["components"] });
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

fn body(document: &Value, method: &str, path: &str) -> Validator {
    let schema =
        &document["paths"][path][method.to_lowercase()]["requestBody"]["content"]["application/json"]["schema"];
    validator(document, schema)
}

#[tokio::test]
async fn every_parameter_is_typed_and_every_operation_states_its_refusals() {
    let bundle = Bundle::start().await;
    let document = document(&bundle).await;
    assert_eq!(document["servers"], json!([{ "url": bundle.local.url }]));
    let free = ["tag", "platform_id", "checkpoint", "type", "challenge", "token"];
    for (path, method, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().unwrap() {
            let (name, schema) = (string(&parameter["name"]), &parameter["schema"]);
            let is_bounded =
                schema["pattern"].is_string() || schema["enum"].is_array() || schema["maximum"].is_number();
            let is_free = parameter["in"] == "query" && free.contains(&name.as_str());
            assert!(is_bounded || is_free, "{method} {path}: {parameter}");
        }
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.contains_key("default"), "{method} {path}");
        assert!(path.ends_with("health") || responses.keys().any(|status| status.starts_with('4')), "{method} {path}");
    }
    let tags: BTreeSet<String> = document["tags"].as_array().unwrap().iter().map(|tag| string(&tag["name"])).collect();
    let used: BTreeSet<String> = operations(&document).map(|(.., operation)| string(&operation["tags"][0])).collect();
    assert_eq!(tags, used);
}

#[tokio::test]
async fn a_list_refuses_values_that_its_parameters_exclude() {
    let bundle = Bundle::start().await;
    let document = document(&bundle).await;
    let hook = bundle.hook("botstar.watch-tag").await.id;
    for (path, name, value, fits) in [
        ("/v1/events", "limit", json!(1), true),
        ("/v1/events", "limit", json!(100), true),
        ("/v1/events", "limit", json!(0), false),
        ("/v1/events", "limit", json!(101), false),
        ("/v1/events", "limit", json!("x"), false),
        ("/v1/events", "hook", json!(hook), true),
        ("/v1/events", "hook", json!("hook_1"), false),
        ("/v1/events", "hook", json!(hook.to_uppercase()), false),
        ("/v1/events", "hook", json!(format!("{}1", &hook[..hook.len() - 1])), false),
        ("/v1/events", "subscriber", json!("sub_00000000000000000000000000"), true),
        ("/v1/events", "subscriber", json!(hook), false),
        ("/v1/events", "after", json!("2026-01-01T00:00:00Z"), true),
        ("/v1/events", "after", json!("9999-12-31T23:59:59.999999999-23:59"), true),
        ("/v1/events", "after", json!("1971-01-01T00:00:00+23:59"), true),
        ("/v1/events", "after", json!("1969-12-31T23:59:59Z"), false),
        ("/v1/events", "after", json!("2026-13-01T00:00:00Z"), false),
        ("/v1/events", "before", json!("2026-02-30T00:00:00Z"), false),
        ("/v1/events", "before", json!("yesterday"), false),
        ("/v1/events", "view", json!("summary"), true),
        ("/v1/events", "view", json!("whole"), false),
        ("/v1/events", "type", json!("botstar.*"), true),
        ("/v1/deliveries", "state", json!("dead"), true),
        ("/v1/deliveries", "state", json!("gone"), false),
        ("/v1/deliveries", "reason", json!("unmappable"), true),
        ("/v1/deliveries", "reason", json!("gone"), false),
        ("/v1/deliveries", "before", json!("2026-02-28T00:00:00Z"), true),
        ("/v1/deliveries", "after", json!("today"), false),
        ("/v1/deliveries", "expand", json!("event"), true),
        ("/v1/deliveries", "expand", json!("route"), false),
        ("/v1/deliveries", "event", json!("evt_000000000000000000000000000000000000000000"), true),
        ("/v1/deliveries", "event", json!("evt_0"), false),
        ("/v1/takeovers", "state", json!("closed"), true),
        ("/v1/takeovers", "state", json!("dead"), false),
        ("/v1/subscribers", "platform", json!("chatbot"), true),
        ("/v1/subscribers", "platform", json!("telegram"), false),
        ("/v1/events", "cursor", json!("no cursor"), false),
    ] {
        let is_valid = validator(&document, parameter(&document, path, name)).is_valid(&value);
        assert_eq!(is_valid, fits, "{path} {name} {value}");
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let query = form_urlencoded::Serializer::new(String::new()).append_pair(name, &text).finish();
        let asked = answer(bundle.request(Method::GET, &format!("{path}?{query}"))).await;
        let status = if fits { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
        assert_eq!(asked.status, status, "{path} {name} {value}: {}", asked.text);
        assert!(fits || pointers(&asked.json()) == [name], "{}", asked.text);
    }
}

/// A body that fits, and the same with a field each that doesn't.
#[tokio::test]
async fn a_body_that_its_schema_refuses_is_refused_and_one_that_it_takes_is_taken() {
    let bundle = Bundle::start().await;
    let document = document(&bundle).await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let connection = hook.connection.as_str();
    let span = json!({ "after": "2026-01-01T00:00:00Z", "before": "2026-02-01T00:00:00Z" });
    let chatbot = json!({ "platform": "chatbot", "name": "x", "credentials": { "access_token": "12345678" } });
    let generated =
        json!({ "platform": "botdistrikt", "name": "x", "generate": true, "credentials": { "webchat_app_id": 1 } });
    let made = json!({ "trigger": "botstar.watch-tag", "name": "x", "connection": connection });
    let action = json!({ "type": "action", "action": "chatbot.get-user", "connection": connection, "input": { "user_id": "'1'" } });
    let route = json!({ "name": "x", "events": ["botstar.*"], "target": action });
    for (method, path, fitting, changes) in [
        (
            "POST",
            "/v1/events/replay",
            &span,
            vec![json!({ "after": "1950-01-01T00:00:00Z" }), json!({ "hook": "hook_0" })],
        ),
        ("POST", "/v1/events/redispatch", &span, vec![json!({ "before": "soon" }), json!({ "before": null })]),
        (
            "POST",
            "/v1/connections",
            &chatbot,
            vec![
                json!({ "credentials": {} }),
                json!({ "credentials": { "api_token": "12345678" } }),
                json!({ "generate": true }),
            ],
        ),
        ("POST", "/v1/connections", &generated, vec![json!({ "generate": false }), json!({ "credentials": {} })]),
        (
            "POST",
            "/v1/hooks",
            &made,
            vec![json!({ "settings": { "unknown": 1 } }), json!({ "trigger": "botstar.none" })],
        ),
        (
            "POST",
            "/v1/routes",
            &route,
            vec![
                json!({ "target": { "type": "webhook" } }),
                json!({ "target": { "type": "none" } }),
                json!({ "target": { "type": "action", "action": "chatbot.none", "connection": connection, "input": {} } }),
                json!({ "target": { "type": "action", "action": "chatbot.get-user", "connection": connection, "input": {} } }),
            ],
        ),
    ] {
        let schema = body(&document, method, path);
        assert!(schema.is_valid(fitting), "{method} {path} {fitting}");
        let taken = answer(bundle.request(Method::POST, path).json(fitting)).await;
        // The route's connection is of another platform, which no schema can say.
        let is_content = taken.status.is_success() || taken.json()["code"] == "connection_mismatch";
        assert!(is_content, "{method} {path} {fitting}: {}", taken.text);
        for change in changes {
            let mut refused: Map<String, Value> = fitting.as_object().unwrap().clone();
            refused.extend(change.as_object().unwrap().clone());
            let refused = Value::Object(refused);
            assert!(!schema.is_valid(&refused), "{method} {path} {refused}");
            let answered = answer(bundle.request(Method::POST, path).json(&refused)).await;
            assert_eq!(answered.status, 422, "{method} {path} {refused}: {}", answered.text);
        }
    }
}

//! Actions as tools.

use crate::support::{
    action_calls::{ActionCall, cases},
    agent::Agent,
    assertions::{make_key, pointers},
    platforms::{Platforms, SECRETS},
};
use models::Effect;
use serde_json::{Value, json};
use tests::sandbox::FaultKind;

/// The tool of an action.
fn tool_of(case: &ActionCall) -> String {
    case.name().replace(['.', '-'], "_")
}

fn arguments(platforms: &Platforms, case: &ActionCall) -> Value {
    let mut arguments = case.input.clone();
    arguments["connection"] = json!(platforms.connections[case.platform()]);
    arguments
}

#[tokio::test]
async fn every_action_answers_as_its_output_schema_says() {
    let platforms = Platforms::start().await;
    let agent = Agent::of(&platforms.bundle);
    let listed = agent.result("tools/list", json!({})).await;
    let mut called = 0;
    let cases = cases(&platforms.sandbox);
    // Deletions come last, because the other calls name what they delete.
    let (deleting, others): (Vec<_>, Vec<_>) = cases.iter().partition(|case| case.makes() < 0);
    for case in others.into_iter().chain(deleting).filter(|case| !case.is_call_api()) {
        let tool = listed["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == tool_of(case)).unwrap();
        let arguments = arguments(&platforms, case);
        let input = jsonschema::validator_for(&tool["inputSchema"]).unwrap();
        assert!(input.is_valid(&arguments), "{}: {arguments}", case.name());
        let output = agent.output(&tool_of(case), arguments).await;
        let schema = jsonschema::validator_for(&tool["outputSchema"]).unwrap();
        let faults: Vec<String> = schema.iter_errors(&output).map(|error| error.to_string()).collect();
        assert!(faults.is_empty(), "{}: {faults:?} in {output}", case.name());
        for secret in SECRETS {
            assert!(!output.to_string().contains(secret), "{}", case.name());
        }
        called += 1;
    }
    assert_eq!(called, registry::actions().filter(|action| action.effect != Effect::OfMethod).count());
}

#[tokio::test]
async fn arguments_have_the_faults_that_a_body_has() {
    let platforms = Platforms::start().await;
    let agent = Agent::of(&platforms.bundle);
    for (action, arguments) in [
        ("chatbot.create-user", json!({})),
        ("chatbot.create-user", json!({ "connection": 1, "gender": "none", "email": 7, "x~/": 1 })),
        ("chatbot.create-user", json!({ "idempotency_key": "" })),
        ("chatbot.create-user", json!({ "idempotency_key": "é" })),
        ("chatbot.create-user", json!({ "idempotency_key": "x".repeat(256) })),
        ("chatbot.get-user", json!({ "user_id": "u", "idempotency_key": "k" })),
        ("botmother.send-event", json!({ "platform": "any", "users": "everyone" })),
        ("chatbot.search-users", json!({ "limit": 1000, "order": "up" })),
    ] {
        let mut arguments = arguments;
        if arguments.get("connection").is_none() && arguments != json!({}) {
            let platform = action.split('.').next().unwrap();
            arguments["connection"] = json!(platforms.connections[platform]);
        }
        let path = format!("/v1/actions/{}", action.replace('.', "/"));
        let over_http = platforms.bundle.post(&path, &arguments, 422).await;
        let tool = action.replace(['.', '-'], "_");
        let failed = agent.failed(&tool, arguments, "invalid_body").await;
        assert!(!pointers(&failed).is_empty(), "{failed}");
        assert_eq!(failed["errors"], over_http["errors"], "{action}");
    }
    let other = json!({ "connection": platforms.connections["botstar"], "user_id": "u" });
    agent.failed("chatbot_get_user", other, "connection_mismatch").await;
    let missing = json!({ "connection": "con_00000000000000000000000000", "user_id": "u" });
    agent.failed("chatbot_get_user", missing, "not_found").await;
    assert_eq!(platforms.asked().len(), 0);
}

#[tokio::test]
async fn a_platforms_refusal_is_an_error_of_the_tool() {
    let platforms = Platforms::start().await;
    let agent = Agent::of(&platforms.bundle);
    let ada = json!({ "connection": platforms.connections["chatbot"], "name": "Ada" });
    for (fault, code, retry) in [
        (FaultKind::BadRequest, "platform_rejected", "never"),
        (FaultKind::SlowDown, "platform_slow_down", "after"),
        (FaultKind::Cut, "platform_unavailable", "unknown"),
    ] {
        platforms.sandbox.fault(fault);
        let failed = agent.failed("chatbot_create_user", ada.clone(), code).await;
        assert_eq!(failed["retry"], retry, "{failed}");
    }
}

#[tokio::test]
async fn an_idempotency_key_is_honoured_for_each_api_key() {
    let platforms = Platforms::start().await;
    let agent = Agent::of(&platforms.bundle);
    let created = || platforms.sandbox.users().as_array().unwrap().len();
    let before = created();
    let ada = |key: Option<&str>| {
        let mut arguments = json!({ "connection": platforms.connections["chatbot"], "name": "Ada" });
        if let Some(key) = key {
            arguments["idempotency_key"] = json!(key);
        }
        arguments
    };
    let first = agent.output("chatbot_create_user", ada(Some("k"))).await;
    assert_eq!(agent.output("chatbot_create_user", ada(Some("k"))).await, first);
    assert_eq!(created(), before + 1);
    let mut changed = ada(Some("k"));
    changed["name"] = json!("Ava");
    agent.failed("chatbot_create_user", changed, "idempotency_key_reused").await;
    // Without a key, two calls are two users.
    for _ in 0..2 {
        agent.output("chatbot_create_user", ada(None)).await;
    }
    assert_eq!(created(), before + 3);
    let (_, key) = make_key(&platforms.bundle, "act").await;
    let other = Agent::with_key(&platforms.bundle, &key).output("chatbot_create_user", ada(Some("k"))).await;
    assert_ne!(other, first, "another caller's key is another key");
    assert_eq!(created(), before + 4);
}

//! The protocol: both eras, their headers, and the messages that are rejected.

use crate::support::{
    agent::{Agent, MODERN, message, rejected, result},
    assertions::{make_key, problem, with_key},
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{Bundle, answer, string};

const LEGACY: [&str; 2] = ["2025-11-25", "2025-06-18"];
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// A request with other headers than its body has.
fn with_headers(agent: &Agent<'_>, body: &Value, headers: &[(&str, &str)]) -> RequestBuilder {
    headers.iter().fold(agent.bare(body), |request, (name, value)| request.header(*name, *value))
}

fn plain(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params })
}

/// Events are announced twice, as some clients look for one and some for the other.
fn capabilities() -> Value {
    json!({ "tools": {}, "events": {}, "extensions": { "io.modelcontextprotocol/events": {} } })
}

#[tokio::test]
async fn a_modern_client_discovers_lists_and_calls() {
    let bundle = Bundle::start().await;
    let agent = Agent::of(&bundle);
    let discovered = agent.result("server/discover", json!({})).await;
    assert_eq!(discovered["supportedVersions"], json!([MODERN, LEGACY[0], LEGACY[1]]));
    assert_eq!(discovered["capabilities"], capabilities());
    assert!(string(&discovered["instructions"]).contains("list_connections"));
    let listed = agent.result("tools/list", json!({})).await;
    assert!(listed["tools"].as_array().unwrap().len() > 30, "{listed}");
    for cacheable in [&discovered, &listed] {
        assert_eq!((&cacheable["ttlMs"], &cacheable["cacheScope"]), (&json!(300_000), &json!("private")));
    }
    let called = agent.call("list_connections", json!({})).await;
    for result in [&discovered, &listed, &called] {
        assert_eq!(result["resultType"], "complete");
        assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "switchboard");
    }
    assert_eq!(called["structuredContent"], json!({ "items": [], "next": null }));
}

#[tokio::test]
async fn a_legacy_client_shakes_hands_without_a_session() {
    let bundle = Bundle::start().await;
    let agent = Agent::of(&bundle);
    let asked = ["2025-11-25", "2025-06-18", "2025-03-26", "2099-01-01"];
    for (asked, answered) in asked.iter().zip([LEGACY[0], LEGACY[1], LEGACY[0], LEGACY[0]]) {
        let info = json!({ "name": "client", "version": "1" });
        let params = json!({ "protocolVersion": asked, "capabilities": {}, "clientInfo": info });
        let answer = answer(agent.bare(&plain("initialize", params))).await;
        assert!(!answer.headers.contains_key("mcp-session-id"));
        let result = result(&answer);
        assert_eq!(result["protocolVersion"], answered, "{asked}");
        assert_eq!(result["capabilities"], capabilities());
        assert_eq!(result["serverInfo"]["name"], "switchboard");
    }
    for version in [Some(LEGACY[0]), Some(LEGACY[1]), None] {
        let header: Vec<_> = version.iter().map(|version| ("mcp-protocol-version", *version)).collect();
        let ask = async |body: Value| answer(with_headers(&agent, &body, &header)).await;
        let initialized = ask(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        assert_eq!((initialized.status.as_u16(), initialized.text.as_str()), (202, ""));
        assert_eq!(result(&ask(plain("ping", json!({}))).await), json!({}));
        let listed = result(&ask(plain("tools/list", json!({ "_meta": { "progressToken": 1 } }))).await);
        assert!(listed["tools"].as_array().unwrap().len() > 30 && listed.get("resultType").is_none());
        let called = result(&ask(plain("tools/call", json!({ "name": "list_events" }))).await);
        assert_eq!(called["structuredContent"], json!({ "items": [], "next": null }));
        for method in ["resources/list", "prompts/list", "server/discover", "logging/setLevel"] {
            rejected(&ask(plain(method, json!({}))).await, 200, -32601);
        }
        rejected(&ask(plain("initialize", json!({}))).await, 200, -32602);
    }
    for unknown in ["2025-03-26", "2024-11-05", "2099-01-01", "x"] {
        let headers = [("mcp-protocol-version", unknown)];
        let answer = answer(with_headers(&agent, &plain("tools/list", json!({})), &headers)).await;
        let error = rejected(&answer, 400, -32022);
        assert_eq!(error["data"], json!({ "supported": [MODERN, LEGACY[0], LEGACY[1]], "requested": unknown }));
    }
}

#[tokio::test]
async fn a_modern_request_agrees_with_its_headers() {
    let bundle = Bundle::start().await;
    let agent = Agent::of(&bundle);
    let (version, method) = (("mcp-protocol-version", MODERN), ("mcp-method", "tools/call"));
    let named = ("mcp-name", "list_events");
    let call = message("tools/call", json!({ "name": "list_events", "arguments": {} }));
    let without = |field: &str| {
        let mut body = call.clone();
        body["params"]["_meta"].as_object_mut().unwrap().remove(field);
        body
    };
    let mut other = call.clone();
    other["params"]["_meta"][VERSION] = json!("2099-01-01");
    let mut listed = call.clone();
    listed["params"]["_meta"][CAPABILITIES] = json!([]);
    let no_meta = plain("tools/call", json!({ "name": "list_events" }));
    for (body, headers, code) in [
        (&call, &[method, named][..], -32020),
        (&call, &[("mcp-protocol-version", LEGACY[0]), method, named], -32020),
        (&call, &[version, named], -32020),
        (&call, &[version, ("mcp-method", "Tools/Call"), named], -32020),
        (&call, &[version, ("mcp-method", "tools/list"), named], -32020),
        (&call, &[version, method], -32020),
        (&call, &[version, method, ("mcp-name", "get_event")], -32020),
        (&call, &[version, method, ("mcp-name", "=?base64?Z2V0X2V2ZW50?=")], -32020),
        (&call, &[version, method, ("mcp-name", "=?base64?%?=")], -32020),
        (&call, &[version, version, method, named], -32020),
        (&other, &[version, method, named], -32020),
        (&other, &[("mcp-protocol-version", "2099-01-01"), method, named], -32022),
        (&no_meta, &[version, method, named], -32602),
        (&without(VERSION), &[version, method, named], -32602),
        (&without(CAPABILITIES), &[version, method, named], -32602),
        (&listed, &[version, method, named], -32602),
    ] {
        let answer = answer(with_headers(&agent, body, headers)).await;
        rejected(&answer, 400, code);
        assert_eq!(answer.json()["id"], 7, "{headers:?}");
    }
    let encoded = ("mcp-name", "=?base64?bGlzdF9ldmVudHM=?=");
    result(&answer(with_headers(&agent, &call, &[version, method, encoded])).await);
    for gone in ["initialize", "ping", "resources/list", "subscriptions/listen", "nothing", ""] {
        rejected(&agent.ask(gone, json!({})).await, 404, -32601);
    }
}

#[tokio::test]
async fn a_call_of_no_tool_is_an_error_of_the_protocol() {
    let bundle = Bundle::start().await;
    let agent = Agent::of(&bundle);
    for (name, arguments) in [
        (json!("nothing"), json!({})),
        (json!("chatbot_call_api"), json!({})),
        (json!("botstar_call_api"), json!({})),
        (json!("chatbot.create-user"), json!({})),
        (json!("list_events"), json!([])),
        (json!("list_events"), json!("x")),
        (json!("list_events"), json!(null)),
    ] {
        let params = json!({ "name": name, "arguments": arguments });
        rejected(&agent.ask("tools/call", params).await, 200, -32602);
    }
    for name in [json!(null), json!(7), json!(["list_events"])] {
        let request = agent.request("tools/call", json!({ "name": name })).header("mcp-name", "list_events");
        rejected(&answer(request).await, 200, -32602);
    }
    rejected(&agent.ask("tools/list", json!({ "cursor": "x" })).await, 200, -32602);
}

#[tokio::test]
async fn what_is_no_message_is_rejected() {
    let bundle = Bundle::start().await;
    let agent = Agent::of(&bundle);
    let post = |body: &str| agent.bare(&json!({})).body(body.to_owned());
    rejected(&answer(post("{")).await, 400, -32700);
    rejected(&answer(post("")).await, 400, -32700);
    let batch = json!([plain("ping", json!({})), plain("tools/list", json!({}))]);
    rejected(&answer(agent.bare(&batch)).await, 400, -32600);
    let large = json!({ "jsonrpc": "2.0", "id": 7, "method": "ping", "params": { "x": "x".repeat(1024 * 1024) } });
    problem(&answer(agent.bare(&large)).await, 413, "body_too_large");
    let by_query = bundle.http.post(format!("{}/mcp?access_token={}", bundle.url, bundle.key)).json(&batch);
    problem(&answer(by_query).await, 401, "unauthorized");
    problem(&answer(bundle.request(Method::POST, "/mcp?x=1").json(&batch)).await, 422, "invalid_query");
}

#[tokio::test]
async fn only_a_post_with_a_key_and_no_foreign_origin_is_served() {
    let bundle = Bundle::start().await;
    let agent = Agent::of(&bundle);
    for method in [Method::GET, Method::DELETE] {
        let answer = answer(bundle.request(method, "/mcp").header("accept", "text/event-stream")).await;
        problem(&answer, 405, "method_not_allowed");
        assert_eq!(answer.headers["allow"], "POST");
    }
    let ping = plain("ping", json!({}));
    let unknown = answer(Agent::with_key(&bundle, "sbk_unknown").bare(&ping)).await;
    problem(&unknown, 401, "unauthorized");
    let challenge = unknown.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("Bearer ") && !challenge.contains("resource_metadata"), "{challenge}");
    problem(
        &answer(bundle.http.get(format!("{}/.well-known/oauth-protected-resource", bundle.url))).await,
        404,
        "not_found",
    );

    for origin in [bundle.url.as_str(), "http://localhost:3000"] {
        result(&answer(agent.bare(&ping).header("origin", origin)).await);
    }
    for (header, value) in [("origin", "https://evil.example"), ("origin", "null"), ("host", "evil.example:9000")] {
        rejected(&answer(agent.bare(&ping).header(header, value)).await, 403, -32600);
    }
    let open = Bundle::start_with(&[("CORS_ALLOW_ORIGINS", "https://app.example,https://b.example")]).await;
    result(&answer(Agent::of(&open).bare(&ping).header("origin", "https://b.example")).await);
}

#[tokio::test]
async fn tools_are_listed_and_called_by_the_keys_scope() {
    let bundle = Bundle::start().await;
    let mut counts = Vec::new();
    for scope in ["read", "operate", "act", "admin"] {
        let (_, key) = make_key(&bundle, scope).await;
        let agent = Agent::with_key(&bundle, &key);
        let listed = agent.result("tools/list", json!({})).await;
        counts.push(listed["tools"].as_array().unwrap().len());
        if scope == "read" {
            let refused = agent.failed("close_takeover", json!({ "id": "x" }), "forbidden").await;
            assert_eq!(refused["detail"], "the key's scope is read; this requires operate");
            agent.failed("chatbot_create_user", json!({}), "forbidden").await;
        }
    }
    let actions = registry::actions().filter(|action| !action.name.ends_with(".call-api")).count();
    assert_eq!(counts, [8, 12, 12 + actions, 12 + actions]);
    let (id, key) = make_key(&bundle, "read").await;
    bundle.delete(&format!("/v1/keys/{id}"), 204).await;
    problem(&answer(with_key(&bundle, Method::POST, "/mcp", &key).json(&json!({}))).await, 401, "unauthorized");
}

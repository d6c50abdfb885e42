//! The OpenAPI document, held against the routes and against what they answer.

use crate::{
    api::{openapi_routes, openapi_types::walk},
    support::{
        action_calls::cases,
        assertions::{by_hand, make_key},
        platforms::{Platforms, credentials},
    },
};
use catalog::functions as http_functions;
use jsonschema::Validator;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tests::{Answer, Bundle, Sandbox, TestHook, answer, string};

/// Gets the document, as anyone can.
async fn document(bundle: &Bundle) -> Value {
    let answer = answer(bundle.http.get(format!("{}/v1/openapi.json", bundle.local.url))).await;
    assert_eq!((answer.status.as_u16(), &answer.headers["content-type"]), (200, &"application/json".parse().unwrap()));
    answer.json()
}

/// The method and path of every route but those of the console and of the MCP server, which are no REST API.
fn routes() -> BTreeSet<(Method, &'static str)> {
    let others = [console::FUNCTION.name, mcp::FUNCTION.name];
    let routes = http_functions().filter(|function| !others.contains(&function.name));
    let routes = routes.flat_map(|function| function.routes);
    routes.map(|route| (Method::try_from(route.method).unwrap(), route.path)).collect()
}

fn compile(schema: &Value) -> Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .unwrap_or_else(|error| panic!("{error}: {schema}"))
}

/// Lets objects have no fields but those that are listed, so that an answer with more than the document says is found.
/// An event's `data` is open by design: its type says what else it has.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let fields = object.get("properties").and_then(Value::as_object);
            if fields.is_some_and(|fields| !fields.contains_key("unmapped")) {
                object.entry("additionalProperties").or_insert(json!(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_has_every_route_and_no_loose_end() {
    let bundle = Bundle::start().await;
    let document = document(&bundle).await;
    assert!(string(&document["openapi"]).starts_with("3.1."), "{document}");
    let mut stated = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            stated.insert((method.to_uppercase().parse::<Method>().unwrap(), path.as_str()));
            assert!(ids.insert(string(&operation["operationId"])), "{operation}");
            let parameters = operation["parameters"].as_array().unwrap();
            let named: BTreeSet<(&str, &str)> = parameters
                .iter()
                .map(|parameter| (parameter["in"].as_str().unwrap(), parameter["name"].as_str().unwrap()))
                .collect();
            assert_eq!(named.len(), parameters.len(), "{method} {path} states a parameter twice");
            let in_path = path.split(['{', '}']).skip(1).step_by(2);
            for name in in_path {
                assert!(named.contains(&("path", name)), "{method} {path}");
            }
            let public = operation["security"].as_array().unwrap().is_empty();
            let asks = path.starts_with("/v1/") && !matches!(path.as_str(), "/v1/health" | "/v1/openapi.json");
            assert_eq!(public, !asks, "{method} {path}");
            let takes_body = matches!(method.as_str(), "post" | "patch");
            assert!(takes_body || operation.get("requestBody").is_none(), "{method} {path}");
        }
    }
    assert_eq!(stated, routes());

    let mut references = 0;
    walk(&document, &mut |object| {
        if let Some(Value::String(reference)) = object.get("$ref") {
            references += 1;
            let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads out"));
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        assert!(!object.contains_key("$defs") && !object.contains_key("definitions"), "{object:?}");
    });
    assert!(references > 30, "the document refers to its schemas");
    let mut schemas = 0;
    walk(&document["paths"], &mut |object| {
        if let Some(schema) = object.get("schema") {
            schemas += 1;
            compile(&json!({ "allOf": [schema], "components": document["components"] }));
        }
    });
    assert!(schemas > 60, "the paths have schemas");
    for schema in document["components"]["schemas"].as_object().unwrap().values() {
        compile(&json!({ "allOf": [schema], "components": document["components"] }));
    }
}

/// Calls routes and holds what they answer against the document.
pub struct Walker<'a> {
    pub bundle: &'a Bundle,
    document: Value,
    components: Value,
    seen: BTreeSet<(Method, &'static str)>,
}

impl<'a> Walker<'a> {
    async fn new(bundle: &'a Bundle) -> Self {
        let document = document(bundle).await;
        let mut components = document["components"].clone();
        close(&mut components);
        Self { bundle, document, components, seen: BTreeSet::new() }
    }

    fn check(&self, method: &Method, route: &str, answer: &Answer) {
        let (status, text) = (answer.status.as_str(), &answer.text);
        let responses = &self.document["paths"][route][method.as_str().to_lowercase()]["responses"];
        // A caller's fault is stated by its status, any other problem as the default.
        let stated = if answer.status.is_server_error() { &responses["default"] } else { &responses[status] };
        let stated = self.resolved(stated);
        assert!(stated.is_object(), "{method} {route} answers {status}, which it does not state: {text}");
        let Some(content) = stated.get("content") else {
            assert_eq!(text, "", "{method} {route} answers with what it does not state");
            return;
        };
        let media = answer.headers["content-type"].to_str().unwrap();
        let mut schema = content[media]["schema"].clone();
        close(&mut schema);
        let validator = compile(&json!({ "allOf": [schema], "components": self.components }));
        let faults: Vec<String> =
            validator.iter_errors(&answer.json()).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(faults, [""; 0], "{method} {route}: {text}");
    }

    fn resolved<'v>(&'v self, value: &'v Value) -> &'v Value {
        let pointer = value.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
        pointer.map_or(value, |pointer| self.document.pointer(pointer).unwrap())
    }

    async fn send(&mut self, request: RequestBuilder, method: &Method, route: &'static str) -> Answer {
        let answer = answer(request).await;
        assert!(answer.status.is_success(), "{method} {route}: {}", answer.text);
        self.check(method, route, &answer);
        self.seen.insert((method.clone(), route));
        answer
    }

    /// Calls a route whose answer is no JSON.
    pub async fn download(&mut self, route: &'static str, path: &str) {
        let answer = answer(self.bundle.request(Method::GET, path)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let stated = &self.document["paths"][route]["get"]["responses"]["200"]["content"];
        assert!(stated[answer.headers["content-type"].to_str().unwrap()].is_object(), "{stated}");
        self.seen.insert((Method::GET, route));
    }

    /// Calls a route with the admin key, and the body if there is one.
    pub async fn call(&mut self, method: &str, route: &'static str, id: &str, body: Value) -> Value {
        let method: Method = method.parse().unwrap();
        let mut request = self.bundle.request(method.clone(), &route.replace("{id}", id));
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = self.send(request, &method, route).await;
        if answer.text.is_empty() { Value::Null } else { answer.json() }
    }
}

#[tokio::test]
async fn the_routes_answer_as_the_document_says() {
    let platforms = Platforms::start_with(&[("DELIVERY_ALLOW_CIDRS", "127.0.0.1/32")]).await;
    let bundle = &platforms.bundle;
    let mut walker = Walker::new(bundle).await;
    let none = Value::Null;
    for route in ["/v1/health", "/v1/modules"] {
        walker.call("GET", route, "", none.clone()).await;
    }
    // The document itself has no schema in it.
    walker.seen.insert((Method::GET, "/v1/openapi.json"));
    walker.call("POST", "/v1/keys", "", json!({ "name": "x", "scope": "read" })).await;
    let new = json!({ "platform": "botstar", "name": "x", "credentials": credentials("botstar", "") });
    let connection = string(&walker.call("POST", "/v1/connections", "", new).await["id"]);
    walker.call("GET", "/v1/connections/{id}", &connection, none.clone()).await;
    walker.call("PATCH", "/v1/connections/{id}", &connection, json!({ "name": "y" })).await;
    walker.call("POST", "/v1/connections/{id}/test", &connection, none.clone()).await;
    let mut connections = platforms.connections.clone();
    connections.insert("botstar", connection.clone());
    let mut hooks = Vec::new();
    for watch in by_hand() {
        let connection = &connections[watch.trigger.platform];
        let settings = json!({ "mapping": { "subscriber.attributes.plan": "/user/plan" }, "dedupe_seconds": 60 });
        let new = json!({ "trigger": watch.trigger.name, "name": "x", "connection": connection, "settings": settings });
        let made = walker.call("POST", "/v1/hooks", "", new).await;
        let (hook, url) = (string(&made["id"]), string(&made["url"]));
        walker.call("POST", "/v1/hooks/{id}/sample", &hook, none.clone()).await;
        walker.call("POST", "/v1/hooks/{id}/shape", &hook, none.clone()).await;
        let path = format!("{}/{{token}}", watch.trigger.path);
        let of_path = |method: Method| routes().into_iter().find(|(of, at)| *of == method && *at == path).unwrap();
        let route = of_path(Method::POST);
        let probe = of_path(Method::GET);
        walker.send(bundle.http.get(&url), &probe.0, probe.1).await;
        for body in [watch.sample, "[]", "{\"user\":{\"id\":7,\"x\":{}}}"] {
            walker.send(bundle.http.post(&url).body(body), &route.0, route.1).await;
        }
        walker.check(&route.0, route.1, &bundle.send(&url, "broken").await);
        walker.call("GET", "/v1/hooks/{id}", &hook, none.clone()).await;
        walker.call("PATCH", "/v1/hooks/{id}", &hook, json!({ "enabled": false })).await;
        walker.send(bundle.http.post(&url).body(watch.sample), &route.0, route.1).await;
        walker.call("POST", "/v1/hooks/{id}/rotate", &hook, json!({ "grace_seconds": 60 })).await;
        walker.call("POST", "/v1/hooks/{id}/remap", &hook, none.clone()).await;
        let rejected = walker.call("GET", "/v1/hooks/{id}/rejected", &hook, none.clone()).await;
        let raw = format!("/v1/hooks/{hook}/rejected/{}/raw", string(&rejected["items"][0]["id"]));
        walker.download("/v1/hooks/{id}/rejected/{rejected_id}/raw", &raw).await;
        hooks.push(hook);
    }
    // Each hook has an event of its sample, one of the empty list, which has no person, and one of the other body. BotDistrikt's
    // sample has headers, and is another event without them. The user registered there is a subscriber.
    bundle.until_count("/v1/subscribers", 5).await;
    let mut ids = BTreeMap::new();
    for (list, one, count) in [
        ("/v1/checkpoint-records", "/v1/checkpoint-records/{id}", 1),
        ("/v1/takeovers", "/v1/takeovers/{id}", 3),
        ("/v1/subscribers", "/v1/subscribers/{id}", 5),
        ("/v1/events", "/v1/events/{id}", 3 * hooks.len() + 1),
    ] {
        bundle.until_count(list, count).await;
        let page = walker.call("GET", list, "", none.clone()).await;
        for item in page["items"].as_array().unwrap() {
            walker.call("GET", one, item["id"].as_str().unwrap(), none.clone()).await;
            ids.insert(list, string(&item["id"]));
        }
    }
    for case in cases(&platforms.sandbox).into_iter().filter(|case| case.status == 200) {
        let input = with(&platforms.connections[case.platform()], case.input.clone());
        walker.call("POST", case.action.path, "", input).await;
    }
    walker.call("PATCH", "/v1/takeovers/{id}", &ids["/v1/takeovers"], json!({ "state": "claimed" })).await;
    walker.call("DELETE", "/v1/subscribers/{id}", &ids["/v1/subscribers"], none.clone()).await;
    walker.call("GET", "/v1/events", "", none.clone()).await;
    for list in ["/v1/connections", "/v1/hooks", "/v1/keys", "/v1/keys/current", "/v1/metrics"] {
        walker.call("GET", list, "", none.clone()).await;
    }
    for hook in hooks {
        walker.call("DELETE", "/v1/hooks/{id}", &hook, none.clone()).await;
    }
    walker.call("DELETE", "/v1/connections/{id}", &connection, none.clone()).await;
    walker.call("DELETE", "/v1/keys/{id}", &make_key(bundle, "act").await.0, none).await;
    walk_chatbot(&mut walker, &platforms.connections["chatbot"]).await;
    walk_botdistrikt(&mut walker, &platforms.connections["botdistrikt"]).await;
    walk_botmother(&mut walker, &platforms.connections["botmother"]).await;
    openapi_routes::walk(&mut walker, &platforms.connections["botmother"]).await;
    let missing: Vec<_> = routes().difference(&walker.seen).cloned().collect();
    assert_eq!(missing, [], "add a call of each to this test, or of an action to `cases`");

    for (method, route) in routes() {
        let url = format!("{}{route}?unknown=1", bundle.local.url);
        for request in [
            bundle.http.request(method.clone(), &url),
            bundle.http.request(method.clone(), &url).bearer_auth(&bundle.local.admin_key.secret).body("{"),
        ] {
            let refused = answer(request).await;
            if !refused.status.is_success() {
                walker.check(&method, route, &refused);
            }
        }
    }
}

fn with(connection: &str, mut input: Value) -> Value {
    input["connection"] = json!(connection);
    input
}

/// Reads a user that an action creates; then a hook, and its verification.
async fn walk_chatbot(walker: &mut Walker<'_>, connection: &str) {
    let with = |input| with(connection, input);
    let new = with(json!({ "email": "ava@example.com" }));
    let user = string(&walker.call("POST", "/v1/actions/chatbot/create-user", "", new).await["id"]);
    for (route, input) in [
        ("/v1/actions/chatbot/search-users", json!({ "limit": 100 })),
        ("/v1/actions/chatbot/get-user", json!({ "user_id": user })),
    ] {
        walker.call("POST", route, "", with(input)).await;
    }
    let route = "/hooks/chatbot/message/{token}";
    let new = with(json!({ "trigger": "chatbot.watch-message", "name": "x" }));
    let hook = walker.call("POST", "/v1/hooks", "", new).await;
    let (url, token) = (string(&hook["url"]), string(&hook["registration"]["token"]));
    walker.send(walker.bundle.http.post(&url).body("{}"), &Method::POST, route).await;
    let asked = walker.bundle.http.get(format!("{url}?challenge=hello&token={token}"));
    let answer = answer(asked).await;
    let stated = &walker.document["paths"][route]["get"]["responses"]["200"]["content"];
    assert!(stated[answer.headers["content-type"].to_str().unwrap().split(';').next().unwrap()].is_object());
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "hello"));
    walker.seen.insert((Method::GET, route));
    walker.call("DELETE", "/v1/hooks/{id}", hook["id"].as_str().unwrap(), Value::Null).await;
}

/// Makes connections with a good domain and a guessable one. Registers users and says something, with and without what
/// may be left out.
async fn walk_botdistrikt(walker: &mut Walker<'_>, connection: &str) {
    let new =
        json!({ "platform": "botdistrikt", "name": "x", "credentials": { "webchat_app_id": 1 }, "generate": true });
    let made = walker.call("POST", "/v1/connections", "", new).await;
    assert!(made["generated"]["domain"].is_string(), "{made}");
    let id = string(&made["id"]);
    let guessable = json!({ "credentials": { "webchat_app_id": 1, "domain": "shop.example.com" } });
    let changed = walker.call("PATCH", "/v1/connections/{id}", &id, guessable).await;
    assert_eq!(changed["warnings"][0]["pointer"], "/credentials/domain", "{changed}");
    walker.call("GET", "/v1/connections/{id}", &id, Value::Null).await;
    walker.call("GET", "/v1/connections", "", Value::Null).await;
    walker.call("POST", "/v1/connections/{id}/test", connection, Value::Null).await;
    let register = "/v1/actions/botdistrikt/register-user";
    for input in [json!({}), json!({ "webchat_id": "ada-3f9x" }), json!({ "webchat_id": "ada-3f9x" })] {
        walker.call("POST", register, "", with(connection, input)).await;
    }
    for message in [json!("Hello"), json!({ "card": 1 })] {
        let input = json!({ "webchat_id": "ada-3f9x", "message": message });
        walker.call("POST", "/v1/actions/botdistrikt/send-message", "", with(connection, input)).await;
    }
}

async fn walk_botmother(walker: &mut Walker<'_>, connection: &str) {
    walker.call("POST", "/v1/connections/{id}/test", connection, Value::Null).await;
    for input in [
        json!({ "platform": "tg", "users": [771, "772"], "data": { "order": "42" } }),
        json!({ "platform": "any", "users": "everyone", "confirm_everyone": true }),
        json!({ "platform": "a-new-one", "users": ["771"], "extra": { "more": 1 } }),
        json!({ "users_bm": ["5c517b7773515eaa3078e2f0"] }),
    ] {
        walker.call("POST", "/v1/actions/botmother/send-event", "", with(connection, input)).await;
    }
}

/// Posts to a hook, whatever its trigger answers; the event.
async fn event_of(bundle: &Bundle, hook: &TestHook, body: &Value) -> Value {
    let answer = bundle.send(&hook.url, body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let id = answer.headers["x-switchboard-event"].to_str().unwrap();
    bundle.get(&format!("/v1/events/{id}"), 200).await
}

#[tokio::test]
async fn every_module_is_in_the_catalogue_and_every_sample_becomes_an_event_that_its_module_states() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let bundle = Bundle::start_with(&[("CHATBOT_API_URL", &sandbox.chatbot_url())]).await;
    let catalogue = bundle.get("/v1/modules", 200).await;
    assert_eq!(catalogue["next"], Value::Null);
    let platforms = catalogue["items"].as_array().unwrap();
    let modules: Vec<&Value> = platforms.iter().flat_map(|platform| platform["modules"].as_array().unwrap()).collect();
    assert_eq!(modules.len(), registry::modules().count());
    let known = [
        json!({ "api_token": "x" }),
        json!({ "access_token": "xxxxxxxx" }),
        json!({ "webchat_app_id": 1, "domain": "xxxxxxxx" }),
        json!({ "event_url": "x" }),
    ];
    assert_eq!(platforms.len(), known.len());
    for (platform, known) in platforms.iter().zip(known) {
        let credentials = compile(&platform["credentials"]);
        assert!(credentials.is_valid(&known) && !credentials.is_valid(&json!({ "other": "x" })), "{platform}");
    }
    for module in modules {
        let (input, output) = (compile(&module["input"]), compile(&module["output"]));
        assert!(!input.is_valid(&json!({ "other": 1 })), "{module}");
        if module["kind"] == "action" {
            let fields = module["input"]["properties"].as_object().unwrap();
            assert_eq!(fields.keys().next().unwrap(), "connection", "{module}");
            assert!(module["input"]["required"].as_array().unwrap().contains(&json!("connection")), "{module}");
            continue;
        }
        let hook = bundle.hook(module["name"].as_str().unwrap()).await;
        let settings = bundle.get(&format!("/v1/hooks/{}", hook.id), 200).await["settings"].clone();
        assert!(input.is_valid(&settings), "{module}");
        let mut event = event_of(&bundle, &hook, &module["sample"]).await;
        let faults: Vec<String> = output.iter_errors(&event).map(|error| error.to_string()).collect();
        assert_eq!(faults, [""; 0], "{event}");
        assert_eq!((&event["type"], &event["data"]["unmapped"]), (&module["event_type"], &json!([])));
        event["type"] = json!("another.type");
        assert!(!output.is_valid(&event), "the schema is of this type alone");
        // A body without any known field is also an event of the module.
        assert!(output.is_valid(&event_of(&bundle, &hook, &json!({})).await), "{module}");
    }
}

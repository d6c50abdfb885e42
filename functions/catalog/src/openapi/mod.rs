//! The OpenAPI 3.1 document, generated from the definitions of routes and modules.

mod bodies;
mod parameters;

use app::{Function, Route};
use http::StatusCode;
use models::Scope;
use schemars::Schema;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use web::{Access, Body, Code, Query};

/// The parts of a route that the document shows. The compiler copies them from the routes: code that reads a route at
/// run time would link its handler, and with it the clients of all platforms.
#[derive(Clone, Copy)]
struct RouteInfo {
    function: &'static str,
    method: &'static str,
    path: &'static str,
    access: Access,
    summary: &'static str,
    query: &'static [Query],
    body: Body,
    success: (StatusCode, Option<fn() -> Schema>),
}

static ROUTES: [RouteInfo; COUNT] = {
    let mut routes = [RouteInfo::of(&crate::FUNCTION, &crate::FUNCTION.routes[0]); COUNT];
    copy(&mut routes);
    routes
};
const COUNT: usize = copy(&mut []);

/// The functions of a platform, of the API, or of this crate, by their place in the document.
const fn group(place: usize) -> Option<&'static [&'static Function]> {
    let platforms = registry::FUNCTIONS.len();
    if place < platforms {
        Some(registry::FUNCTIONS[place])
    } else if place == platforms {
        Some(api::FUNCTIONS)
    } else if place == platforms + 1 {
        Some(crate::FUNCTIONS)
    } else {
        None
    }
}

/// Copies as many routes as fit, and counts all.
const fn copy(routes: &mut [RouteInfo]) -> usize {
    let (mut count, mut place) = (0, 0);
    while let Some(functions) = group(place) {
        let mut at = 0;
        while at < functions.len() {
            let (function, mut route) = (functions[at], 0);
            while route < function.routes.len() {
                if count < routes.len() {
                    routes[count] = RouteInfo::of(function, &function.routes[route]);
                }
                (count, route) = (count + 1, route + 1);
            }
            at += 1;
        }
        place += 1;
    }
    count
}

impl RouteInfo {
    const fn of(function: &Function, route: &Route) -> Self {
        let Route { method, path, access, summary, query, body, success, .. } = *route;
        Self { function: function.name, method, path, access, summary, query, body, success }
    }
}

/// The document of a deployment. Without a public URL, the server is the address that the document was loaded from.
pub fn document(server: Option<&str>) -> Value {
    let mut components = Map::new();
    let mut paths = Map::new();
    for route in &ROUTES {
        let operation = operation(route, &mut components);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_ascii_lowercase()] = operation;
    }
    components.insert("Problem".to_owned(), problem());
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Switchboard",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Chatbot platforms wired to the rest of a business.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": server.map_or("/", |url| url.trim_end_matches('/')) }],
        "tags": tags(),
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": { "Problem": problem_response() },
            "securitySchemes": {
                "key": { "type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer sbk_…`." },
            },
        },
    })
}

fn operation(route: &RouteInfo, components: &mut Map<String, Value>) -> Value {
    let id = format!("{} {}", route.method, route.path);
    let mut operation = json!({
        "operationId": id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect::<String>(),
        "summary": route.summary,
        "tags": [route.function],
        "parameters": parameters::of(route),
        "responses": responses(route, components),
        "security": security(route.access),
    });
    if let Access::Key(scope) = route.access {
        operation["description"] = Value::String(format!("Requires a key of scope {}.", scope_name(scope)));
    }
    if let Some((required, schema)) = body(route.body) {
        let schema = inline(bodies::refine(route, schema().to_value()), components);
        operation["requestBody"] =
            json!({ "required": required, "content": { "application/json": { "schema": schema } } });
    }
    if route.path.starts_with("/hooks/") && route.method == "POST" {
        let any = json!({ "schema": {} });
        let content = json!({ "application/json": any, "application/x-www-form-urlencoded": any });
        operation["requestBody"] = json!({ "description": "The platform's webhook call.", "content": content });
    }
    operation
}

fn body(body: Body) -> Option<(bool, fn() -> Schema)> {
    match body {
        Body::None => None,
        Body::Optional(schema) => Some((false, schema)),
        Body::Required(schema) => Some((true, schema)),
    }
}

fn scope_name(scope: Scope) -> String {
    format!("`{scope:?}`").to_lowercase()
}

fn security(access: Access) -> Value {
    match access {
        Access::Public | Access::Hook => json!([]),
        Access::Key(_) => json!([{ "key": [] }]),
    }
}

/// A tag for each function that serves operations.
fn tags() -> Vec<Value> {
    let names: BTreeSet<&str> = ROUTES.iter().map(|route| route.function).collect();
    let tag = |name| json!({ "name": name, "description": format!("Served by the function `{name}`.") });
    names.into_iter().map(tag).collect()
}

fn responses(route: &RouteInfo, components: &mut Map<String, Value>) -> Value {
    let mut responses = json!({ "default": problem_reference() });
    for status in refusals(route) {
        responses[status.as_str()] = problem_reference();
    }
    responses[route.success.0.as_str()] = success(route, components);
    responses
}

/// Statuses of rejected requests.
fn refusals(route: &RouteInfo) -> BTreeSet<StatusCode> {
    let is_webhook = route.path.starts_with("/hooks/") && route.method == "POST";
    let is_action = registry::actions().any(|action| action.path == route.path);
    let is_keyed = matches!(route.access, Access::Key(_));
    let takes_body = is_webhook || body(route.body).is_some();
    let mut statuses = BTreeSet::new();
    let mut add = |holds: bool, all: &[StatusCode]| statuses.extend(all.iter().copied().filter(|_| holds));
    add(is_keyed, &[StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN]);
    add(route.path.contains('{') || is_action || takes_body, &[StatusCode::NOT_FOUND]);
    add(takes_body, &[StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::REQUEST_TIMEOUT]);
    add(is_webhook, &[StatusCode::UNSUPPORTED_MEDIA_TYPE]);
    add(!is_webhook, &[StatusCode::UNPROCESSABLE_ENTITY]);
    add(is_keyed && route.method != "GET", &[StatusCode::CONFLICT]);
    // A platform may reject the call.
    let calls_platforms = is_action || (is_keyed && route.method != "GET");
    add(calls_platforms, &[StatusCode::FAILED_DEPENDENCY, StatusCode::TOO_MANY_REQUESTS]);
    statuses
}

fn problem_reference() -> Value {
    json!({ "$ref": "#/components/responses/Problem" })
}

fn problem_response() -> Value {
    json!({
        "description": "A problem (RFC 9457).",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

fn success(route: &RouteInfo, components: &mut Map<String, Value>) -> Value {
    let (status, schema) = route.success;
    let mut response = json!({ "description": status.canonical_reason().unwrap_or("Success") });
    if let Some(schema) = schema {
        let schema = inline(schema().to_value(), components);
        let media = |schema: &Value| schema["contentMediaType"].as_str().unwrap_or("application/json").to_owned();
        // Each alternative with a media type of its own gets its own entry.
        match schema["anyOf"].as_array() {
            Some(all) if all.iter().any(|one| one.get("contentMediaType").is_some()) => {
                for one in all {
                    response["content"][media(one)]["schema"] = one.clone();
                }
            }
            _ => {
                let media = media(&schema);
                response["content"][media]["schema"] = schema;
            }
        }
    }
    response
}

/// A schema for the document: its definitions move to the components.
fn inline(mut schema: Value, components: &mut Map<String, Value>) -> Value {
    move_definitions(&mut schema, components);
    schema
}

fn move_definitions(value: &mut Value, components: &mut Map<String, Value>) {
    match value {
        Value::Object(object) => {
            object.remove("$schema");
            // A field that a PATCH omits stays unchanged, so null is not its default.
            if object.get("default") == Some(&Value::Null) {
                object.remove("default");
            }
            if let Some(Value::Object(definitions)) = object.remove("$defs") {
                for (name, mut definition) in definitions {
                    move_definitions(&mut definition, components);
                    components.insert(name, definition);
                }
            }
            if let Some(Value::String(reference)) = object.get_mut("$ref") {
                *reference = reference.replace("#/$defs/", "#/components/schemas/");
            }
            object.values_mut().for_each(|inner| move_definitions(inner, components));
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| move_definitions(inner, components)),
        _ => {}
    }
}

fn problem() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail", "instance", "code", "retry"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "instance": { "type": "string", "description": "The request's id, which finds its log entries." },
            "code": { "type": "string", "enum": codes },
            "retry": {
                "enum": ["never", "after", "unknown", "running", "done"],
                "description": "never: a retry would be rejected again. after: nothing was done; a retry may succeed, after \
                                `retry_after` seconds if given. unknown: the call may have been done; check before you retry. \
                                running: the first call with this idempotency key is still running. done: the call was done; \
                                only its answer is missing.",
            },
            "retry_after": { "type": "integer", "minimum": 1, "description": "Seconds, as in the Retry-After header." },
            "answer": {
                "type": "object",
                "description": "The platform's answer to `call-api`: status, headers and body. For an event, its `limits`, or the part that \
                                was done: `calls`, `users`, and `rest`, which is `not_done` or `unknown`.",
                "additionalProperties": true,
            },
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["pointer", "detail"],
                    "properties": {
                        "pointer": { "type": "string", "description": "A JSON Pointer into the body, or a parameter's name." },
                        "detail": { "type": "string" },
                    },
                },
            },
        },
    })
}

//! The OpenAPI 3.1 document, made of the routes' and modules' statements.

use http::{Method, StatusCode};
use models::Effect;
use runtime::{Access, Body, Code, Function, Query, Route, auth::Scope};
use schemars::Schema;
use serde_json::{Map, Value, json};

/// What the document says of a route. The compiler copies it out of the statements: at run time whoever reads them has
/// the handlers linked too, and with these the clients of all platforms.
#[derive(Clone, Copy)]
struct Stated {
    function: &'static str,
    method: &'static str,
    path: &'static str,
    access: Access,
    summary: &'static str,
    query: &'static [Query],
    body: Body,
    success: (StatusCode, Option<fn() -> Schema>),
}

static ROUTES: [Stated; COUNT] = {
    let first = group(0)[0];
    let mut routes = [Stated::of(first, &first.routes[0]); COUNT];
    copy(&mut routes);
    routes
};
const COUNT: usize = copy(&mut []);

/// The functions of a platform, or after those of all platforms the API's.
const fn group(at: usize) -> &'static [&'static Function] {
    if at < registry::FUNCTIONS.len() { registry::FUNCTIONS[at] } else { crate::FUNCTIONS }
}

/// Copies as many routes as there is room for, and counts them all.
const fn copy(routes: &mut [Stated]) -> usize {
    let (mut count, mut platform) = (0, 0);
    while platform <= registry::FUNCTIONS.len() {
        let (functions, mut at) = (group(platform), 0);
        while at < functions.len() {
            let (function, mut route) = (functions[at], 0);
            while route < function.routes.len() {
                if count < routes.len() {
                    routes[count] = Stated::of(function, &function.routes[route]);
                }
                (count, route) = (count + 1, route + 1);
            }
            at += 1;
        }
        platform += 1;
    }
    count
}

impl Stated {
    const fn of(function: &Function, route: &Route) -> Self {
        let method = match route.method {
            Method::GET => "GET",
            Method::POST => "POST",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            _ => panic!("the document knows no such method"),
        };
        let Route { path, access, summary, query, body, success, .. } = *route;
        Self { function: function.name, method, path, access, summary, query, body, success }
    }
}

pub fn document() -> Value {
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
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(route: &Stated, components: &mut Map<String, Value>) -> Value {
    let id = format!("{} {}", route.method, route.path);
    let mut operation = json!({
        "operationId": id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect::<String>(),
        "summary": route.summary,
        "tags": [route.function],
        "parameters": parameters(route),
        "responses": {
            route.success.0.as_str(): success(route, components),
            "default": {
                "description": "A problem (RFC 9457).",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
            },
        },
        "security": security(route.access),
    });
    if let Access::Key(scope) = route.access {
        operation["description"] = Value::String(format!("Takes a key of scope {}.", scope_name(scope)));
    }
    if let Some((required, schema)) = body(route.body) {
        let schema = inline(schema(), components);
        operation["requestBody"] =
            json!({ "required": required, "content": { "application/json": { "schema": schema } } });
    }
    if route.path.starts_with("/hooks/") && route.method == "POST" {
        let any = json!({ "schema": {} });
        let content = json!({ "application/json": any, "application/x-www-form-urlencoded": any });
        operation["requestBody"] = json!({ "description": "Whatever the platform sends.", "content": content });
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
        Access::Public => json!([]),
        Access::Key(_) => json!([{ "key": [] }]),
    }
}

fn parameters(route: &Stated) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let path =
        in_path.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let query = route.query.iter().map(|parameter| {
        json!({ "name": parameter.name, "in": "query", "description": parameter.description, "schema": { "type": "string" } })
    });
    let keyed = registry::actions().any(|action| action.path == route.path && action.effect != Effect::Safe);
    let header = keyed.then(|| {
        json!({
            "name": "Idempotency-Key",
            "in": "header",
            "description": "For a day, the same key with the same body is answered with the first answer.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
        })
    });
    path.chain(query).chain(header).collect()
}

fn success(route: &Stated, components: &mut Map<String, Value>) -> Value {
    let (status, schema) = route.success;
    let mut response = json!({ "description": status.canonical_reason().unwrap_or("Success") });
    if let Some(schema) = schema {
        let schema = inline(schema(), components);
        let media = |schema: &Value| schema["contentMediaType"].as_str().unwrap_or("application/json").to_owned();
        // Alternatives of several media types stand each under its own.
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

/// A schema as it stands in the document: its definitions move to the components.
fn inline(schema: Schema, components: &mut Map<String, Value>) -> Value {
    let mut value = schema.to_value();
    move_definitions(&mut value, components);
    value
}

fn move_definitions(value: &mut Value, components: &mut Map<String, Value>) {
    match value {
        Value::Object(object) => {
            object.remove("$schema");
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
            "instance": { "type": "string", "description": "The request's id, under which the log has more." },
            "code": { "type": "string", "enum": codes },
            "retry": {
                "enum": ["never", "after", "unknown", "running", "done"],
                "description": "never: a repetition would be refused again. after: nothing was done, and a repetition may \
                                succeed, not before retry_after seconds. unknown: it may have been done; look before you \
                                repeat it. running: the first call with this idempotency key is still running. done: it \
                                was done, and only its answer is missing.",
            },
            "retry_after": { "type": "integer", "minimum": 1, "description": "Seconds, as in the Retry-After header." },
            "answer": {
                "type": "object",
                "description": "The platform's answer to `call-api`: status, headers and body. Of an event, its `limits`, or of which part \
                                was done: `calls`, `users`, and whether the `rest` is `not_done` or `unknown`.",
                "additionalProperties": true,
            },
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["pointer", "detail"],
                    "properties": {
                        "pointer": { "type": "string", "description": "A JSON Pointer into the body, or a parameter." },
                        "detail": { "type": "string" },
                    },
                },
            },
        },
    })
}

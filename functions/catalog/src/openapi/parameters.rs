//! Parameters of an operation, with their media types and patterns.

use super::RouteInfo;
use models::{
    ConnectionId, DeliveryId, Effect, EventId, HookId, KeyId, RecordId, RejectedId, RouteId, SubscriberId, TakeoverId,
    ids::TOKEN_PATTERN,
};
use serde_json::{Value, json};
use web::Query;

pub fn of(route: &RouteInfo) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let path = in_path.map(|name| {
        let schema = json!({ "type": "string", "pattern": path_pattern(route.path, name) });
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    });
    let query = route.query.iter().map(|Query { name, description, value }| {
        json!({ "name": name, "in": "query", "description": description, "schema": value.schema() })
    });
    let keyed = registry::actions().any(|action| action.path == route.path && action.effect != Effect::Safe);
    let header = keyed.then(|| {
        json!({
            "name": "Idempotency-Key",
            "in": "header",
            "description": "For a day, a repetition with the same key and body gets the answer of the first call.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$" },
        })
    });
    path.chain(query).chain(header).collect()
}

/// The pattern of a path's parameter: a token, or an id of the resource in the path.
fn path_pattern(path: &str, name: &str) -> &'static str {
    match (name, path.split('/').nth(2)) {
        ("token", _) => TOKEN_PATTERN,
        ("rejected_id", _) => RejectedId::PATTERN,
        (_, Some("connections")) => ConnectionId::PATTERN,
        (_, Some("hooks")) => HookId::PATTERN,
        (_, Some("events")) => EventId::PATTERN,
        (_, Some("subscribers")) => SubscriberId::PATTERN,
        (_, Some("checkpoint-records")) => RecordId::PATTERN,
        (_, Some("takeovers")) => TakeoverId::PATTERN,
        (_, Some("routes")) => RouteId::PATTERN,
        (_, Some("deliveries")) => DeliveryId::PATTERN,
        (_, Some("keys")) => KeyId::PATTERN,
        _ => unreachable!("a test covers every path"),
    }
}

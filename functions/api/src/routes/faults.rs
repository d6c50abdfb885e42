//! Checks of a route that its schema can't express: event patterns, expressions, and targets of each kind.

use super::target::{NewAction, NewAws, NewWebhook};
use app::App;
use expression::{Expression, Fields};
use flow::aws_target::allowed;
use models::{Fault, own_event::OWN_TYPES};
use payload::mapping::escape;
use schemars::schema_for;
use serde_json::{Map, Value};
use store::routes::matches_pattern;
use web::{Problem, input};
use webhook::{guard::Guard, route_header};

/// The faults of a new route's body, or of a change.
pub fn of(app: &App, body: &Value) -> Result<Vec<Fault>, Problem> {
    let mut faults = pattern_faults(body, "events");
    faults.extend(of_expression(&body["filter"], "/filter"));
    let target = &body["target"];
    match target["type"].as_str() {
        Some("webhook") => {
            faults.extend(input::part_faults(body, "/target", Some(schema_for!(NewWebhook)))?);
            faults.extend(of_headers(&target["headers"]));
            let guard = Guard::new(app.config.delivery_allow_cidrs.clone());
            let refusal = target["url"].as_str().and_then(|url| guard.check_url(url).err());
            faults.extend(refusal.map(|refusal| Fault::new("/target/url", refusal.to_string())));
            faults.extend(of_expressions(&target["body"], "/target/body"));
        }
        Some("action") => {
            faults.extend(input::part_faults(body, "/target", Some(schema_for!(NewAction)))?);
            faults.extend(of_expressions(&target["input"], "/target/input"));
            faults.extend(of_input(target));
        }
        Some("aws") => {
            faults.extend(input::part_faults(body, "/target", Some(schema_for!(NewAws)))?);
            faults.extend(of_expressions(&target["input"], "/target/input"));
            faults.extend(of_expression(&target["group"], "/target/group"));
            faults.extend(of_arn(app, target));
        }
        _ if target.is_object() => faults.push(Fault::new("/target/type", "must be webhook, action or aws")),
        _ => {}
    }
    Ok(faults)
}

/// The faults of a list of event types.
pub fn pattern_faults(body: &Value, field: &str) -> Vec<Fault> {
    let patterns = body[field].as_array().into_iter().flatten().enumerate();
    let faulty = patterns.filter(|(_, pattern)| pattern.as_str().is_some_and(is_of_nothing));
    faulty.map(|(at, _)| Fault::new(format!("/{field}/{at}"), "matches no event type")).collect()
}

fn is_of_nothing(pattern: &str) -> bool {
    let triggers = registry::triggers().map(|watch| watch.trigger.event_type);
    !triggers.chain(OWN_TYPES).any(|event_type| matches_pattern(pattern, event_type))
}

fn of_expression(text: &Value, at: &str) -> Option<Fault> {
    let bad = Expression::compile(text.as_str()?).err()?;
    Some(Fault::new(at, bad.detail))
}

fn of_expressions(fields: &Value, at: &str) -> Vec<Fault> {
    let compiled = fields.as_object().map(|fields| Fields::compile(fields, at));
    compiled.and_then(Result::err).unwrap_or_default()
}

/// Checks headers by the rules for sending them.
fn of_headers(headers: &Value) -> Vec<Fault> {
    let mut given = Vec::new();
    let headers = headers.as_object().into_iter().flatten();
    let faults = headers.filter_map(|(name, value)| {
        let detail = match route_header(name, value.as_str()?) {
            Ok((header, _)) if given.contains(&header) => "must not be repeated",
            Ok((header, _)) => {
                given.push(header);
                return None;
            }
            Err(detail) => detail,
        };
        Some(Fault::new(format!("/target/headers/{}", escape(name)), detail))
    });
    faults.collect()
}

/// Checks that the deployment allows the ARN, and that a group is given where the service takes one.
fn of_arn(app: &App, target: &Value) -> Option<Fault> {
    let arn = match allowed(app, target["arn"].as_str()?) {
        Ok(arn) => arn,
        Err(refusal) => return Some(Fault::new("/target/arn", refusal)),
    };
    match (arn.is_fifo(), target["group"].is_string()) {
        (true, false) => Some(Fault::new("/target/group", "is required for a FIFO queue or topic")),
        (false, true) => Some(Fault::new("/target/group", "is only possible for a FIFO queue or topic")),
        _ => None,
    }
}

/// Checks the field names of an action's input against its schema.
fn of_input(target: &Value) -> Vec<Fault> {
    let Some(action) = target["action"].as_str() else { return Vec::new() };
    let Some(action) = registry::actions().find(|known| known.name == action) else {
        return vec![Fault::new("/target/action", "is not an action of the catalogue")];
    };
    let schema = (action.input)().to_value();
    let empty = Map::new();
    let (known, given) = (schema["properties"].as_object(), target["input"].as_object());
    let (known, given) = (known.unwrap_or(&empty), given.unwrap_or(&empty));
    let at = |name: &str| format!("/target/input/{}", escape(name));
    let own = |name: &str| name == "connection" || name == "idempotency_key";
    let unknown = given.keys().filter(|name| own(name) || !known.contains_key(*name));
    let mut faults: Vec<Fault> =
        unknown.map(|name| Fault::new(at(name), format!("is not a field of {}'s input", action.name))).collect();
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let missing = required.filter(|name| !own(name) && !given.contains_key(*name));
    faults.extend(missing.map(|name| Fault::new(at(name), "is required")));
    faults
}

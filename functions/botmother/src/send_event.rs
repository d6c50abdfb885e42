//! `botmother.send-event`: a POST to the URL of an External Event, which sends the event's message or screen to users.
//! Botmother accepts up to 1 MB per call, so a larger number of users takes several calls.

use crate::client::Event;
use connector::{ActionContext, Code, Problem, Retry, action};
use models::Fault;
use payload::number;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value, json};

action! {
    platform: "botmother",
    name: "send-event",
    label: "Send an External Event",
    description: "Sends an External Event's message or screen to users of the bot, with data for it.",
    effect: NotIdempotent,
    input: Input,
    check: check,
    records: None,
    output: || schema_for!(Output),
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    /// Platform of the users: `tg`, `fb`, `viber`, `vk` or `any`. Other values are sent as well, with a warning.
    /// Required with `users`.
    #[schemars(length(min = 1, max = 64))]
    platform: Option<String>,
    /// The users' ids on that platform, or `everyone`.
    #[serde(default)]
    #[schemars(schema_with = "users_schema")]
    users: Option<Users>,
    /// The users' ids in Botmother, instead of `platform` and `users`.
    #[schemars(length(min = 1), inner(regex(pattern = "^[0-9a-fA-F]{24}$")))]
    users_bm: Option<Vec<String>>,
    /// Data that the bot reads as `last_request`.
    data: Option<Map<String, Value>>,
    /// Must be true to send to everyone.
    #[serde(rename = "confirm_everyone")]
    _confirm_everyone: Option<bool>,
    /// Further fields of the body, for undocumented features of Botmother.
    extra: Option<Map<String, Value>>,
}

/// A single schema without alternatives, so that a fault names all accepted types.
fn users_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["array", "string", "null"],
        "minItems": 1,
        "items": { "type": ["string", "integer"], "minLength": 1, "maxLength": 256 },
    })
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Users {
    Everyone(Everyone),
    These(Vec<UserId>),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Everyone {
    Everyone,
}

/// Botmother documents ids as texts, so numbers are sent as texts.
#[derive(Deserialize)]
#[serde(untagged)]
enum UserId {
    Text(String),
    Number(Number),
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// Always true: a rejected event is an error. Accepted means queued, not delivered.
    accepted: bool,
    /// Number of calls that it took.
    calls: usize,
    /// Botmother's records of queued messages, from all calls. A warning reports if records are left out.
    payload: Vec<Value>,
    /// State of the bot's queue, from the last call.
    limits: Option<Value>,
    /// The pointer of each warning names a field of the input, or of this output.
    warnings: Vec<Fault>,
}

/// Names of this action's own fields in the body.
const OWN: [&str; 4] = ["platform", "users", "users_bm", "data"];

fn check(input: &Value) -> Vec<Fault> {
    let given = |name: &str| input.get(name).is_some_and(|value| !value.is_null());
    let mut faults = Vec::new();
    let mut fault = |pointer: &str, detail: &str| faults.push(Fault::new(pointer, detail));
    match (given("platform"), given("users"), given("users_bm")) {
        (false, false, false) => fault("", "has no recipients: give platform and users, or users_bm"),
        (true, false, false) => fault("/users", "is required with platform"),
        (false, true, false) => fault("/platform", "is required with users"),
        (platform, users, true) if platform || users => fault("/users_bm", "can't be combined with platform and users"),
        _ => {}
    }
    if input["users"].as_str().is_some_and(|text| text != "everyone") {
        fault("/users", "must be a list of ids or everyone");
    }
    if input["users"] == "everyone" && input["confirm_everyone"] != true {
        fault("/confirm_everyone", "must be true to send to the bot's whole audience");
    }
    // JSON Schema sets no 64-bit limit for integers.
    let inexact = |id: &Value| id.as_number().is_some_and(|id| number::is_whole(id) && !id.is_i64() && !id.is_u64());
    let users = || input["users"].as_array().into_iter().flatten().enumerate();
    for (at, _) in users().filter(|(_, id)| *id == "everyone") {
        fault(&format!("/users/{at}"), "is not an id: give everyone instead of the list");
    }
    for (at, _) in users().filter(|(_, id)| inexact(id)) {
        fault(&format!("/users/{at}"), "must be a whole number of at most 64 bits");
    }
    for name in OWN.iter().filter(|name| input["extra"].get(name).is_some()) {
        fault(&format!("/extra/{name}"), "must be given as the field of that name");
    }
    faults
}

const DOCUMENTED: [&str; 5] = ["tg", "fb", "viber", "vk", "any"];

async fn run(context: ActionContext<'_>, input: Input) -> Result<Output, Problem> {
    let event = Event::of(&context)?;
    let mut warnings = Vec::new();
    if input.platform.as_deref().is_some_and(|platform| !DOCUMENTED.contains(&platform)) {
        let detail = format!("is not documented; the documented ones are {}", DOCUMENTED.join(", "));
        warnings.push(Fault::new("/platform", detail));
    }
    let bodies = bodies(input)?;
    let mut output = Output { accepted: true, calls: 0, payload: Vec::new(), limits: None, warnings };
    let (calls, mut sent_to) = (bodies.len(), 0);
    for Body { text, users } in bodies {
        let queued = event.send(text).await.map_err(|problem| match output.calls {
            0 => problem,
            done => {
                let why = format!("{}: {}", problem.code.as_str(), problem.detail);
                let accepted = format!("{done} of {calls} calls were accepted, for the first {sent_to} users");
                let rest = if problem.retry == Retry::Unknown { "unknown" } else { "not_done" };
                let answer = json!({ "calls": done, "users": sent_to, "rest": rest });
                Problem {
                    source: problem.source,
                    answer: Some(Box::new(answer)),
                    ..Problem::partly_done(format!("{accepted}; then {why}"))
                }
            }
        })?;
        output.calls += 1;
        sent_to += users;
        output.limits = queued.limits.or(output.limits);
        output.payload.extend(flat(queued.payload).into_iter().flat_map(flat));
    }
    output.leave_out_what_is_too_large();
    Ok(output)
}

/// Limit on the returned records, in bytes. They name all users, and an answer has at most 4.5 MB.
const MAX_PAYLOAD_BYTES: usize = 4_000_000;

impl Output {
    fn leave_out_what_is_too_large(&mut self) {
        let mut bytes = 0;
        let fits = |record: &&Value| {
            bytes += record.to_string().len() + 1;
            bytes <= MAX_PAYLOAD_BYTES
        };
        let (kept, all) = (self.payload.iter().take_while(fits).count(), self.payload.len());
        if kept < all {
            self.payload.truncate(kept);
            let detail = format!("has only the first {kept} of {all} records, because more are too large");
            self.warnings.push(Fault::new("/payload", detail));
        }
    }
}

/// Botmother documents records as a list, but sends a list within a list.
fn flat(payload: Value) -> Vec<Value> {
    match payload {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        one => vec![one],
    }
}

/// A body, and its number of users.
struct Body {
    text: String,
    users: usize,
}

/// Botmother's limit on a body, in bytes.
const MAX_BODY_BYTES: usize = 1_000_000;
/// Limit on calls, because of the time limit and of memory.
const MAX_CALLS: usize = 20;

/// The bodies that together send the event to all users.
fn bodies(input: Input) -> Result<Vec<Body>, Problem> {
    let mut rest = input.extra.unwrap_or_default();
    rest.extend(input.platform.map(|platform| ("platform".to_owned(), json!(platform))));
    rest.extend(input.data.map(|data| ("data".to_owned(), Value::Object(data))));
    let (name, users) = match (input.users, input.users_bm) {
        (Some(Users::These(users)), _) => ("users", users.into_iter().map(UserId::into_text).collect()),
        (Some(Users::Everyone(_)), _) => {
            rest.insert("users".to_owned(), json!("everyone"));
            ("users", Vec::new())
        }
        (None, users) => ("users_bm", users.unwrap_or_default()),
    };
    let mut bodies = Vec::new();
    let mut users: &[String] = &users;
    loop {
        if bodies.len() == MAX_CALLS {
            let detail = format!("takes more than {MAX_CALLS} calls of 1 MB: send to fewer users, or send less data");
            return Err(Problem::new(Code::BodyTooLarge, detail));
        }
        let count = how_many_fit(&rest, name, users)?;
        let (these, others) = users.split_at(count);
        let mut body = rest.clone();
        if !these.is_empty() {
            body.insert(name.to_owned(), json!(these));
        }
        bodies.push(Body { text: Value::Object(body).to_string(), users: count });
        users = others;
        if users.is_empty() {
            return Ok(bodies);
        }
    }
}

/// The number of these users that fit into a body with the other fields.
fn how_many_fit(rest: &Map<String, Value>, name: &str, users: &[String]) -> Result<usize, Problem> {
    let mut bytes = json!(rest).to_string().len() + format!(",\"{name}\":[]").len();
    let mut fits = |user: &&String| {
        bytes += json!(user).to_string().len() + 1;
        bytes <= MAX_BODY_BYTES
    };
    let count = users.iter().take_while(&mut fits).count();
    if (count == 0 && !users.is_empty()) || (users.is_empty() && bytes > MAX_BODY_BYTES) {
        return Err(Problem::new(Code::BodyTooLarge, "Botmother accepts 1 MB per call; data and extra are larger"));
    }
    Ok(count)
}

impl UserId {
    fn into_text(self) -> String {
        match self {
            Self::Text(id) => id,
            Self::Number(id) => id.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(value: Value) -> Input {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn users_over_the_limit_are_split_and_each_is_sent_once() {
        let ids: Vec<Value> =
            (0..150_000_u64).map(|n| if n % 2 == 0 { json!(n) } else { json!(format!("u\"{n}")) }).collect();
        let data = json!({ "text": "x".repeat(10_000) });
        let split =
            bodies(input(json!({ "platform": "tg", "users": ids, "data": data, "extra": { "a": 1 } }))).unwrap();
        assert!(split.len() > 1);
        let mut sent = Vec::new();
        for body in &split {
            assert!(body.text.len() <= MAX_BODY_BYTES);
            let body: Value = serde_json::from_str(&body.text).unwrap();
            assert_eq!((&body["platform"], &body["data"], &body["a"]), (&json!("tg"), &data, &json!(1)));
            sent.extend(body["users"].as_array().unwrap().clone());
        }
        let text = |id: &Value| id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        assert_eq!(sent, ids.iter().map(|id| json!(text(id))).collect::<Vec<_>>());
        assert!(split[..split.len() - 1].iter().all(|body| body.text.len() > MAX_BODY_BYTES - 20), "as few as can be");
    }

    #[test]
    fn a_body_too_large_for_a_single_user_is_rejected() {
        let data = json!({ "text": "x".repeat(MAX_BODY_BYTES) });
        for to in
            [json!({ "users_bm": ["5c517b7773515eaa3078e2f0"] }), json!({ "platform": "any", "users": "everyone" })]
        {
            let mut whole = to.clone();
            whole["data"] = data.clone();
            assert_eq!(bodies(input(whole)).err().unwrap().code, Code::BodyTooLarge);
            assert_eq!(bodies(input(to)).unwrap().len(), 1);
        }
    }
}

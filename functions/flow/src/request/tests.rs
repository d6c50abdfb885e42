//! Memory and size of the requests built from an event.

use super::*;
use expression::{Expression, MAX_OUTPUT_BYTES};
use models::{HookId, StoredEvent, event::Accepted, ids::ContentKey};
use payload::{
    Field, Mapping, body,
    mapping::{Reading, resolve},
};
use std::{fmt::Write as _, fs, process::Command};

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Locates the whole body at every path that accepts it.
const FIELDS: &[Field] = &[
    Field::optional("subscriber.id", &["/id"]),
    Field::optional("subscriber.attributes", &[""]),
    Field::optional("subscriber.platform_user", &[""]),
    Field::optional("record.fields", &[""]),
    Field::optional("variables", &[""]),
    Field::optional("message", &[""]),
];

fn event(raw: &[u8], content_type: Option<&str>) -> StoredEvent {
    let hook = HookId::new(NOW, [1; 10]);
    let (format, body) = body::read(raw, content_type).unwrap();
    let reading: Reading = resolve(FIELDS, &Mapping::new(), &body);
    StoredEvent::new(Accepted {
        at: NOW,
        key: ContentKey::digest(&hook, &[raw]),
        hook: &hook,
        connection: &ConnectionId::new(NOW, [2; 10]),
        platform: "botstar",
        event_type: "botstar.tag.added",
        raw,
        format,
        body: &body,
        reading: &reading,
        extra_data: serde_json::Map::new(),
        encoding: None,
        query: None,
        hops: 0,
        nonce: "n".to_owned(),
        expires: NOW,
    })
}

fn webhook(body: Option<&[(&str, &str)]>) -> ReadyTarget {
    let fields = |body: &[(&str, &str)]| {
        compile(&body.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    };
    ReadyTarget::Webhook(Box::new(ReadyWebhook {
        url: "https://example.org/".parse().unwrap(),
        headers: HeaderMap::new(),
        body: body.map_or(WebhookBody::Event, |body| WebhookBody::Fields(fields(body))),
        secrets: Vec::new(),
    }))
}

/// The body of a request for an event, or the reason why there is none.
fn made(target: &ReadyTarget, event: &StoredEvent) -> Result<Bytes, String> {
    let opened = event.open().unwrap();
    match target.prepare(NOW, opened.envelope().unwrap(), 0) {
        Ok(Prepared::Webhook { body, .. }) => Ok(body),
        Err(PrepareError::Event(message)) => Err(message),
        _ => panic!("neither a request nor words"),
    }
}

/// A body of 256 KB: a list of the same item.
fn items(item: &str) -> Vec<u8> {
    let count = 260_000 / (item.len() + 1);
    format!(r#"{{"id":"u-1","s":"abc","l":[{}]}}"#, vec![item; count].join(",")).into_bytes()
}

/// An event whose parsed body takes many times its size.
fn hostile_event(kind: &str) -> StoredEvent {
    let of_items = |item: &str| event(&items(item), None);
    match kind {
        "lists" => of_items("[]"),
        "maps" => of_items(r#"{"a":0}"#),
        "nested maps" => of_items(r#"{"a":{"b":{}}}"#),
        "deep lists" => of_items(&format!("{}{}", "[".repeat(60), "]".repeat(60))),
        "integers" => of_items("0"),
        "long numbers" => of_items("1e-999"),
        "a long number" => event(&a_long_number(), None),
        "escapes" => of_items(r#""\u0001\u0001\u0001\u0001""#),
        "a form of controls" => event(format!("id=u-1&s={}", "\u{1}".repeat(250_000)).as_bytes(), Some(FORM)),
        _ => event(&form_of_fields(), Some(FORM)),
    }
}

const EVENTS: [&str; 10] = [
    "lists",
    "maps",
    "nested maps",
    "deep lists",
    "integers",
    "long numbers",
    "a long number",
    "escapes",
    "a form of controls",
    "a form of fields",
];

const FORM: &str = "application/x-www-form-urlencoded";

fn form_of_fields() -> Vec<u8> {
    let mut raw = "id=u-1".to_owned();
    for at in 0..30_000 {
        let _ = write!(raw, "&{at:x}=");
    }
    raw.into_bytes()
}

/// The longest number that a body may hold, beside items that an expression can combine it with.
fn a_long_number() -> Vec<u8> {
    let items = vec![r#"{"sku":1}"#; 10_000].join(",");
    format!(r#"{{"id":"u-1","s":"abc","n":{},"l":[{items}]}}"#, "7".repeat(120_000)).into_bytes()
}

const HOSTILE: [&str; 7] = [
    "data",
    "{'a': data.raw, 'b': data.variables, 'c': data.message}",
    "data + 1",
    "data.raw.l + data.raw.l + data.raw.l",
    "data.raw.l.map(x, {'a': x, 'b': [x]})",
    "data.raw.l.map(x, {'order': data.raw.n, 'sku': x.sku})",
    "data.raw.s + data.raw.s + data.raw.s + data.raw.s + data.raw.s + data.raw.s",
];

const NAMES: [&str; 50] = {
    let mut names = [""; 50];
    let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX";
    let mut at = 0;
    while at < 50 {
        names[at] = letters.split_at(at).1.split_at(1).0;
        at += 1;
    }
    names
};

/// A line of `/proc/self/status`, in MB.
fn status(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// Memory limit of a process that makes an attempt, in MB.
const MAX_MEMORY: f64 = 64.0;
const KIND: &str = "SWITCHBOARD_TEST_KIND";

/// Builds the requests of hostile routes for hostile events, each event in its own process.
#[test]
#[cfg(target_os = "linux")]
fn an_attempt_takes_less_than_64_megabytes() {
    if let Ok(kind) = std::env::var(KIND) {
        return attempt(&hostile_event(&kind));
    }
    let name = format!("{}::an_attempt_takes_less_than_64_megabytes", module_path!().split_once("::").unwrap().1);
    for kind in EVENTS {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let child = child.args(["--exact", &name, "--nocapture"]).env(KIND, kind);
        let output = String::from_utf8(child.output().unwrap().stdout).unwrap();
        let peak = output.lines().find_map(|line| line.strip_prefix("peak ")?.parse::<f64>().ok());
        println!("{kind}: {peak:?} MB");
        assert!(peak.is_some_and(|peak| peak < MAX_MEMORY), "{kind}: {output}");
    }
}

#[cfg(target_os = "linux")]
fn attempt(event: &StoredEvent) {
    let mut routes = vec![webhook(None)];
    routes.extend(HOSTILE.map(|text| webhook(Some(&NAMES.map(|name| (name, text))))));
    for route in &routes {
        drop(made(route, event));
    }
    let opened = event.open().unwrap();
    Expression::compile("data == data").unwrap().matches(&EventValues::of(&opened.envelope().unwrap()));
    println!("\npeak {:.1}", status("VmHWM"));
}

#[test]
fn a_body_over_a_megabyte_is_unmappable_and_the_error_has_its_size() {
    let text = |bytes: usize| event(format!("{{\"id\":\"u-1\",\"s\":\"{}\"}}", "a".repeat(bytes)).as_bytes(), None);
    let of = |fields: &[(&str, &str)], event: &StoredEvent| made(&webhook(Some(fields)), event);
    // The texts are wrapped in `{"a":"","bb":""}`.
    let (two, three) = ("data.raw.s + data.raw.s", "data.raw.s + data.raw.s + 'a'");
    let event_of_most = text((MAX_OUTPUT_BYTES - 16) / 4);
    assert_eq!(of(&[("a", two), ("bb", two)], &event_of_most).unwrap().len(), MAX_OUTPUT_BYTES);
    for (fields, event, message) in [
        ([("a", two), ("bb", three)], &event_of_most, "the body would have 1048577 bytes; at most 1048576 are allowed"),
        ([("a", two), ("bb", two)], &text(250_000), "the body would have 1000016 bytes"),
    ] {
        match of(&fields, event) {
            Err(error) => assert_eq!(error, message),
            Ok(body) => assert_eq!(format!("the body would have {} bytes", body.len()), message),
        }
    }
    let controls = event(format!("{{\"s\":\"{}\"}}", "\\u0001".repeat(40_000)).as_bytes(), None);
    let error = of(&[("a", "data.raw.s"), ("b", "data.raw.s + data.raw.s + data.raw.s + data.raw.s")], &controls);
    assert_eq!(error, Err("the body would have 1200015 bytes; at most 1048576 are allowed".to_owned()));
    let whole = NAMES.map(|name| (name, "data"));
    let error = of(&whole, &text(240_000)).unwrap_err();
    assert!(
        error.starts_with("the body would have ") && error.ends_with(" bytes; at most 1048576 are allowed"),
        "{error}"
    );
    let input = compile(
        &[("user_id".to_owned(), "data.raw.s + data.raw.s + data.raw.s + data.raw.s + data.raw.s".to_owned())].into(),
    );
    let opened_event = text(240_000);
    let opened = opened_event.open().unwrap();
    let connection = ConnectionId::new(NOW, [2; 10]);
    let target = ReadyTarget::Action {
        action: "chatbot.get-user".to_owned(),
        effect: Some(Effect::Safe),
        keyed: false,
        connection,
        input,
    };
    let prepared = target.prepare(NOW, opened.envelope().unwrap(), 0);
    assert!(
        matches!(prepared, Err(PrepareError::Event(message)) if message == "the input would have 1200014 bytes; at most 1048576 are allowed")
    );
}

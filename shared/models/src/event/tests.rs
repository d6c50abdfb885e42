use super::*;
use payload::mapping::{Field, Mapping, resolve};
use serde_json::json;

const FIELDS: &[Field] = &[
    Field { path: "subscriber.id", expected: true, candidates: &["/user_id"] },
    Field { path: "tag", expected: true, candidates: &["/tag"] },
];

fn stored(raw: &[u8]) -> StoredEvent {
    let at = Timestamp::from_millis(1_767_225_600_000);
    let hook = HookId::new(at, [1; 10]);
    let (format, body) = body::read(raw, None).unwrap();
    StoredEvent::new(Accepted {
        at,
        key: ContentKey::digest(&hook, &[raw]),
        hook: &hook,
        connection: &ConnectionId::new(at, [2; 10]),
        platform: "botstar",
        event_type: "botstar.tag.added",
        raw,
        format,
        body: &body,
        reading: &resolve(FIELDS, &Mapping::new(), &body),
        extra_data: Map::from_iter([("source".to_owned(), json!({ "kind": "human" }))]),
        encoding: None,
        query: None,
        hops: 0,
        nonce: "n".to_owned(),
        expires: at.plus_seconds(60),
    })
}

#[test]
fn the_envelope_is_cloudevents_with_the_body_as_received() {
    let event = stored(br#"{"user_id": "u-1", "tag": "vip", "big": 123456789012345678901234567890, "z": 1, "a": 2}"#);
    let text = serde_json::to_string(&event.open().unwrap().envelope().unwrap()).unwrap();
    assert!(
        text.contains(
            r#""raw":{"user_id": "u-1", "tag": "vip", "big": 123456789012345678901234567890, "z": 1, "a": 2}"#
        )
    );
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["specversion"], "1.0");
    assert_eq!(value["time"], "2026-01-01T00:00:00.000Z");
    assert_eq!(value["subject"], value["data"]["subscriber"]["id"]);
    assert_eq!(value["data"]["subscriber"]["platform_id"], "u-1");
    assert_eq!(value["data"]["tag"], "vip");
    assert_eq!(value["data"]["source"], json!({ "kind": "human" }));
    assert_eq!(value["data"]["unmapped"], json!([]));
    assert!(event.pk.len() == 32 && event.sort.starts_with("evt_"));
}

#[test]
fn a_missing_field_is_null_and_unmapped() {
    let event = stored(b"[1,2]");
    let value = serde_json::to_value(event.open().unwrap().envelope().unwrap()).unwrap();
    assert_eq!(value["data"]["subscriber"], Value::Null);
    assert_eq!(value["data"]["tag"], Value::Null);
    assert_eq!(value["data"]["unmapped"], json!(["subscriber.id", "tag"]));
    assert!(value.get("subject").is_none());
}

#[test]
fn a_scrubbed_event_keeps_only_its_envelope() {
    let event = stored(br#"{"user_id":"u-1","tag":"vip"}"#).scrubbed(Timestamp::from_millis(0));
    let text = serde_json::to_string(&event.open().unwrap().envelope().unwrap()).unwrap();
    assert!(!text.contains("u-1") && !text.contains("vip"), "{text}");
    assert!(text.contains("\"tag\":null"), "{text}");
    assert!(event.subscriber().is_some());
}

#[test]
fn an_event_of_a_later_release_is_refused() {
    let event = StoredEvent { v: PACKED + 1, ..stored(b"{}") };
    assert!(matches!(event.open(), Err(Malformed::Version(3))));
}

#[test]
fn a_key_of_a_later_release_still_has_its_id() {
    let sort = stored(b"[1]").sort;
    let id = EventKey::parse(&sort).unwrap().id;
    let later = format!("{sort} more");
    assert!(EventKey::parse(&later).is_none());
    assert_eq!(EventKey::parse_id(&later), Some(id));
    assert_eq!(EventKey::parse_id("evt_x a b"), None);
}

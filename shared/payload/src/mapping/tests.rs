use super::*;
use proptest::prelude::*;
use serde_json::json;

proptest! {
    #[test]
    fn pointers_follow_rfc_6901(pointer in "(/(a|b|0|1|01|~0|~1|))*", plain in ".*") {
        let leaf = json!({ "a": [[1, { "": 2, "/": 3 }], 4], "b": { "0": 5, "01": [6], "~": 7, "": [8] }, "~": 9 });
        let body = json!({ "a": leaf, "b": [leaf], "": leaf, "0": leaf, "1": [leaf], "/": leaf });
        prop_assert_eq!(at(&pointer, &body), body.pointer(&pointer));
        prop_assert_eq!(at(&plain, &body), body.pointer(&plain));
    }
}

const FIELDS: &[Field] = &[
    Field { path: "subscriber.id", expected: true, candidates: &["/user/id", "/user_id", "/id"] },
    Field { path: "subscriber.name", expected: false, candidates: &["/user/name"] },
    Field { path: "subscriber.attributes", expected: false, candidates: &["/user"] },
    Field { path: "checkpoint.id", expected: false, candidates: &["/checkpoint/id"] },
    Field { path: "checkpoint.name", expected: true, candidates: &["/checkpoint/name", "/checkpoint"] },
    Field {
        path: "record.fields",
        expected: true,
        candidates: &["/record/fields", "/fields", "/record/data", "/record"],
    },
];

fn mapping(pairs: &[(&str, &str)]) -> Mapping {
    pairs.iter().map(|(path, pointer)| ((*path).to_owned(), (*pointer).to_owned())).collect()
}

#[test]
fn candidates_are_tried_in_order() {
    let body = json!({"user": {"id": 7, "name": "Ava", "plan": "gold"}, "checkpoint": "Coffee Order"});
    let reading = resolve(FIELDS, &Mapping::new(), &body);
    assert_eq!(reading.text("subscriber.id", &body).as_deref(), Some("7"));
    assert_eq!(reading.text("checkpoint.name", &body).as_deref(), Some("Coffee Order"));
    assert_eq!(reading.unmapped, ["record.fields"]);
    assert_eq!(
        serde_json::to_value(View::Map(reading.data(&body))).unwrap(),
        json!({"checkpoint": {"id": null, "name": "Coffee Order"}, "record": {"fields": null}})
    );
    assert_eq!(Value::Object(reading.attributes(&body)), json!({"plan": "gold"}));
}

#[test]
fn a_mapping_replaces_the_candidates() {
    let body = json!({"id": "wrong", "who": {"a/b": "u-1"}, "tier": 3});
    let own = mapping(&[
        ("subscriber.id", "/who/a~1b"),
        ("checkpoint.name", "/nowhere"),
        ("subscriber.attributes.tier", "/tier"),
        ("subscriber.attributes.gone", "/gone"),
        ("takeover.reason", "/id"),
    ]);
    let reading = resolve(FIELDS, &own, &body);
    assert_eq!(reading.text("subscriber.id", &body).as_deref(), Some("u-1"));
    assert_eq!(reading.unmapped, ["checkpoint.name", "record.fields", "subscriber.attributes.gone"]);
    assert_eq!(Value::Object(reading.attributes(&body)), json!({"tier": 3}));
    assert!(!reading.fields.contains_key("takeover.reason"), "no field of this trigger");
}

#[test]
fn a_value_of_the_wrong_type_is_not_found() {
    for body in [json!({"id": ""}), json!({"id": null}), json!({"id": {}}), json!([]), json!(5), json!(null)] {
        let reading = resolve(FIELDS, &Mapping::new(), &body);
        assert_eq!(reading.unmapped, ["subscriber.id", "checkpoint.name", "record.fields"], "{body}");
    }
}

#[test]
fn a_number_that_a_float_cannot_represent_is_not_an_id() {
    for (body, id) in [
        (r#"{"id":18446744073709551615}"#, Some("18446744073709551615")),
        (r#"{"id":-9223372036854775808}"#, Some("-9223372036854775808")),
        (r#"{"id":1.5}"#, Some("1.5")),
        (r#"{"id":123456789012345678901}"#, None),
    ] {
        let body = serde_json::from_str(body).unwrap();
        let reading = resolve(FIELDS, &Mapping::new(), &body);
        assert_eq!(reading.text("subscriber.id", &body).as_deref(), id);
    }
}

fn read(body: &str) -> Reading {
    let body: Value = serde_json::from_str(body).unwrap();
    resolve(FIELDS, &Mapping::new(), &body)
}

fn found(path: &str, body: &str) -> Option<Value> {
    read(body).get(path, &serde_json::from_str(body).unwrap())
}

#[test]
fn an_unusable_value_is_not_replaced_by_one_outside_its_object() {
    let long = format!(r#"{{"id":"evt-1","user":{{"id":"{}"}}}}"#, "x".repeat(1025));
    for body in [
        r#"{"id":"evt-1","user":{"id":null},"tag":"t"}"#,
        r#"{"id":"evt-1","user":{"id":[]}}"#,
        r#"{"id":"evt-1","user":{"id":" "}}"#,
        r#"{"id":"evt-1","user":{"id":123456789012345678901}}"#,
        r#"{"id":"evt-1","user":{"id":{"n":1}},"user_id":"u-1"}"#,
        r#"{"id":"evt-1","user":{"id":false}}"#,
        r#"{"id":"evt-1","user_id":null}"#,
        &long,
    ] {
        assert_eq!(found("subscriber.id", body), None, "{body}");
        assert!(read(body).unmapped.contains(&"subscriber.id".to_owned()), "{body}");
    }
    for body in [
        r#"{"user_id":"u-1","user":{"name":"Ava"}}"#,
        r#"{"id":"u-1","user":null}"#,
        r#"{"id":"u-1","user":[]}"#,
        r#"{"id":"u-1","user":"Ava"}"#,
    ] {
        assert_eq!(found("subscriber.id", body), Some("u-1".into()), "{body}");
    }
}

#[test]
fn an_unusable_object_is_not_replaced_by_the_object_around_it() {
    for fields in ["[]", "null", "\"a\"", "7"] {
        let body = format!(r#"{{"record":{{"id":"r","fields":{fields}}},"fields":{{"other":1}}}}"#);
        assert_eq!(found("record.fields", &body), None, "{body}");
        assert!(read(&body).unmapped.contains(&"record.fields".to_owned()));
    }
    assert_eq!(found("record.fields", r#"{"record":{"fields":[],"data":{"a":1}}}"#), Some(json!({"a": 1})));
    assert_eq!(found("record.fields", r#"{"record":{"a":1}}"#), Some(json!({"a": 1})));
    let body = r#"{"user":{"id":"u-1","name":["Ava"]},"name":"a bot"}"#;
    assert_eq!((found("subscriber.name", body), read(body).unmapped[2].as_str()), (None, "subscriber.name"));
}

#[test]
fn an_unusable_value_is_unmapped_but_a_blank_one_is_not() {
    let fields = [Field::optional("subscriber.phone", &["/phone", "/user/phone"])];
    for (value, listed) in [("[\"x\"]", true), ("false", true), ("null", false), ("\"\"", false), ("\" \"", false)] {
        let body = serde_json::from_str(&format!(r#"{{"phone":{value}}}"#)).unwrap();
        for own in [mapping(&[]), mapping(&[("subscriber.phone", "/phone")])] {
            let reading = resolve(&fields, &own, &body);
            assert_eq!(!reading.unmapped.is_empty(), listed, "{body} {own:?}");
        }
    }
    let body = json!({ "phone": ["x"], "user": { "phone": "1" } });
    assert_eq!(resolve(&fields, &mapping(&[]), &body).unmapped, [""; 0], "found elsewhere");
}

#[test]
fn a_boolean_is_not_a_text() {
    for value in ["false", "true"] {
        let body = format!(r#"{{"user":{{"id":"u-1","name":{value}}},"checkpoint":{value}}}"#);
        assert_eq!(found("subscriber.name", &body), None);
        assert_eq!(found("checkpoint.name", &body), None);
        assert_eq!(read(&body).attributes(&serde_json::from_str(&body).unwrap())["name"].to_string(), value);
        assert_eq!(found("subscriber.id", &format!(r#"{{"id":{value}}}"#)), None);
    }
    let tags = r#"{"tags":[false,"a",true,{"name":false},{"name":"b"},null]}"#;
    let reading = resolve(&[Field::optional("subscriber.tags", &["/tags"])], &Mapping::new(), &Value::Null);
    assert!(!reading.has("subscriber.tags"));
    let body: Value = serde_json::from_str(tags).unwrap();
    let reading = resolve(&[Field::optional("subscriber.tags", &["/tags"])], &Mapping::new(), &body);
    assert_eq!(reading.get("subscriber.tags", &body), Some(json!(["a", "b"])));
}

#[test]
fn an_id_is_an_unambiguous_text() {
    let id = |id: &str| found("subscriber.id", &format!(r#"{{"id":{id}}}"#));
    for lossy in [r#""\ud83d""#, r#""a\ud83eb""#, "\"\u{fffd}\"", r#""\ufffd""#] {
        let (_, body) = crate::body::read(format!(r#"{{"id":{lossy}}}"#).as_bytes(), None).unwrap();
        assert_eq!(resolve(FIELDS, &Mapping::new(), &body).get("subscriber.id", &body), None, "{lossy}");
    }
    for (number, text) in [
        ("42", "42"),
        ("42.0", "42"),
        ("4.2e1", "42"),
        ("0", "0"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
        ("1e15", "1000000000000000"),
        ("1.5", "1.5"),
    ] {
        assert_eq!(id(number), Some(text.into()), "{number}");
    }
    assert_eq!(id("9007199254740992.0"), None);
    for (text, is_id) in [("x".repeat(1024), true), ("x".repeat(1025), false), ("\\u0001".repeat(171), false)] {
        assert_eq!(id(&format!("\"{text}\"")).is_some(), is_id, "{} bytes", text.len());
    }
}

#[test]
fn a_large_value_is_not_copied_for_each_of_many_attributes() {
    let body = json!({ "id": "u-1", "numbers": vec![0; 100_000] });
    let own: Mapping = (0..64).map(|n| (format!("subscriber.attributes.a{n:02}"), "/numbers".to_owned())).collect();
    let reading = resolve(FIELDS, &own, &body);
    assert_eq!(reading.attributes(&body).keys().collect::<Vec<_>>(), ["a00", "a01", "a02", "a03", "a04"]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let key = proptest::sample::select(vec!["user", "id", "name", "fields", "checkpoint", "a/b", "~"]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_body_or_mapping_panics_and_every_pointer_found_exists(
        body in any_json(),
        own in proptest::collection::btree_map("(subscriber\\.(id|attributes\\.[a-z.]{0,3})|record\\.fields|.{0,5})", ".{0,8}", 0..5),
    ) {
        let reading = resolve(FIELDS, &own, &body);
        for (path, pointer) in &reading.fields {
            prop_assert_eq!(pointer.is_some(), reading.get(path, &body).is_some());
        }
        for field in FIELDS.iter().filter(|field| field.expected) {
            let missing = reading.unmapped.iter().any(|path| path == field.path);
            prop_assert_eq!(missing, reading.get(field.path, &body).is_none());
        }
        reading.data(&body);
        reading.attributes(&body);
        let stored = serde_json::to_string(&reading).unwrap();
        prop_assert_eq!(serde_json::from_str::<Reading>(&stored).unwrap(), reading);
    }
}

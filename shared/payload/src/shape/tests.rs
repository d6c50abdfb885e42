use super::*;
use proptest::prelude::*;
use serde_json::json;

fn known() -> BTreeSet<String> {
    ["user", "id", "name", "email", "tags", "environment", "record", "fields"].map(str::to_owned).into()
}

fn shape(body: &Value) -> Value {
    of(body, &known())
}

#[test]
fn each_kind_is_replaced_by_one_of_its_kind_and_length_class() {
    for (value, expected) in [
        (json!("Ava"), json!("xxxx")),
        (json!("Zoë Čapek Park"), json!("xxxx xxxx xxxx x")),
        (json!("ava.chen@example.org"), json!("xxxxxxxxxxxxxxxxxxxx@example.com")),
        (json!("a@b.co"), json!("x@example.com")),
        (json!("https://example.org/u/771?x=1"), json!("https://example.com/xxxxxxxxxxxx")),
        (json!("26565d77-dd8f-4f34-bb46-4daaa8a22895"), json!("00000000-0000-4000-8000-000000000000")),
        (json!("2026-11-28"), json!("2026-01-01")),
        (json!("2026-11-28T10:00:16.195Z"), json!("2026-01-01T00:00:00Z")),
        (json!("2019-01-23 13:32:30.163Z"), json!("2026-01-01 00:00:00Z")),
        (json!("+44 20 7946 0958"), json!("+111111111111111")),
        (json!("771"), json!("1111")),
        (json!("s13d85634-366f-11f0"), json!("x0x0x0x0x0x0x0x0x0x0x0x0x0x0x0x0")),
        (json!("日本語"), json!("xxxx")),
        (json!("🙂"), json!("x")),
        (json!(""), json!("")),
        (json!(" "), json!("x")),
        (json!("Live"), json!("Live")),
        (json!("facebook"), json!("facebook")),
        (json!("live wire"), json!("xxxx xxxx xxxx x")),
        (json!(7), json!(1)),
        (json!(-72), json!(-11)),
        (json!(1_785_000_123), json!(1_767_225_600)),
        (json!(1_785_000_123_456_u64), json!(1_767_225_600_000_u64)),
        (json!(-3.25), json!(-1.5)),
        (json!(true), json!(true)),
        (json!(null), json!(null)),
    ] {
        assert_eq!(shape(&value), expected, "{value}");
    }
    let large: Value = serde_json::from_str("987654321098765432109876543210").unwrap();
    assert_eq!(shape(&large).to_string(), "1".repeat(20));
    assert_eq!(shape(&serde_json::from_str("6.5e400").unwrap()).to_string(), "1.5");
    assert_eq!(shape(&json!("x".repeat(100_000))).as_str().unwrap().len(), 4096);
}

#[test]
fn known_keys_stay_and_others_are_replaced_without_losing_one() {
    let body = json!({
        "user": { "id": "u-771", "shoe_size": 42, "771": 1, "772": 2, "773": 3, "live": true },
        "user[id]": "7", "user[shoe]": "7", "[]": 1, "": 2,
    });
    let expected = json!({
        "user": { "id": "x0x0x0x0", "x0x0x0x0x0x0x0x0": 11, "1111": 1, "1111_2": 1, "1111_3": 1, "xxxx": true },
        "user[id]": "1", "x0x0x0x0x0x0x0x0": "1", "x0": 1, "": 1,
    });
    assert_eq!(shape(&body).to_string(), expected.to_string());
}

/// Texts of people, each with a letter that no replacement has.
fn personal() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,6}[kqz][a-z]{0,30}",
        "[A-Z][a-z]{1,8}k [A-Z][a-z]{1,12}",
        "[a-z.]{0,8}q[a-z]{0,8}@[a-z]{1,8}\\.(com|org)",
        "https://[a-z]{1,8}\\.example/[a-z]{0,9}z\\?[a-z]=[0-9]{1,9}",
        "[0-9a-f]{4}-k[0-9a-z_-]{2,40}",
        "\\+4[0-9]{9,12}",
        "[89][0-9]{8,17}",
        "\\PC{0,12}[ЖÄ😀語]\\PC{0,40}",
    ]
}

/// Bodies whose maps are keyed by people's ids and addresses, or by known names.
fn body() -> impl Strategy<Value = Value> {
    let names: Vec<String> = known().into_iter().collect();
    let number = "-?[89][0-9]{4,25}(\\.[0-9]{1,9}[1-9])?";
    let leaf = prop_oneof![
        4 => personal().prop_map(Value::String),
        2 => number.prop_map(|text| serde_json::from_str(&text).unwrap()),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        let key = prop_oneof![personal(), proptest::sample::select(names.clone())];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((key, inner), 0..8).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

/// Every text and number of a body, and every key that is not known.
fn contents(body: &Value, found: &mut Vec<String>) {
    match body {
        Value::String(text) => found.push(text.clone()),
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| contents(item, found)),
        Value::Object(fields) => {
            found.extend(fields.keys().filter(|key| !known().contains(*key)).cloned());
            fields.values().for_each(|value| contents(value, found));
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// The kinds of a body's values, and the number of each object's fields.
fn skeleton(body: &Value) -> Value {
    match body {
        Value::String(_) => json!("text"),
        Value::Number(_) => json!("number"),
        Value::Array(items) => items.iter().map(skeleton).collect(),
        Value::Object(fields) => fields.values().map(skeleton).collect(),
        Value::Null | Value::Bool(_) => body.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_value_and_no_unknown_key_survives_and_the_structure_does(body in body()) {
        let shape = shape(&body);
        prop_assert_eq!(skeleton(&shape), skeleton(&body));
        let (mut before, mut after) = (Vec::new(), Vec::new());
        contents(&body, &mut before);
        contents(&shape, &mut after);
        for content in &before {
            prop_assert!(!after.iter().any(|kept| kept.contains(content.as_str())), "{content} in {shape}");
        }
    }

    #[test]
    fn the_shape_depends_on_the_class_alone(first in "[a-z]{5,7}", second in "[a-z]{5,7}", n in 500..999_u64) {
        let body = |text: &str, n: u64| json!({ "user": { text: n, "name": text }, "x": [format!("{text} {text}"), "a"] });
        prop_assume!(!known().contains(&first) && !known().contains(&second));
        prop_assert_eq!(shape(&body(&first, n)), shape(&body(&second, n + 1)));
    }
}

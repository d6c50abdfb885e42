//! Expressions that users write, and their results.

mod bounds;
mod numbers;
mod times;

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn event() -> Value {
    json!({
        "specversion": "1.0",
        "id": "evt_1",
        "source": "/hooks/hook_1",
        "type": "botstar.tag.added",
        "time": "2026-03-01T08:00:00.000Z",
        "datacontenttype": "application/json",
        "data": {
            "hook": "hook_1",
            "subscriber": { "name": "Анна", "email": "anna@example.org", "tags": ["new", "vip"], "phone": null },
            "tag": "vip",
            "record": { "fields": { "Quantity": "2", "Date of birth": "1990-01-01" } },
            "message": { "text": "Привет, хочу заказ 17" },
            "raw": {
                "small": -3, "odd": 9007199254740993_u64, "most": u64::MAX, "half": 1.5, "huge": 1e300, "one": 1.0,
                "none": null, "yes": true,
                "items": [{ "id": 1, "price": 2.5 }, { "id": 2, "price": 10 }]
            }
        }
    })
}

fn evaluate(text: &str) -> Result<Value, String> {
    let expression = Expression::compile(text).unwrap_or_else(|bad| panic!("{text}: {}", bad.detail));
    value(&expression, &event())
}

fn value(expression: &Expression, event: &Value) -> Result<Value, String> {
    expression.evaluate(&EventValues::of_json(event)).map(|json| serde_json::from_str(&json).unwrap())
}

#[test]
fn usual_expressions_give_their_values() {
    for (text, expected) in [
        // The event itself. `type` is a variable here, not CEL's function.
        (r#"type == "botstar.tag.added""#, json!(true)),
        (r#"type.startsWith("botstar.")"#, json!(true)),
        (r#"type in ["botstar.tag.added", "botstar.takeover.requested"]"#, json!(true)),
        (r#"source == "/hooks/" + data.hook"#, json!(true)),
        (r#"time >= "2026-03-01T00:00:00.000Z" && time < "2026-03-02T00:00:00.000Z""#, json!(true)),
        (r#"time.startsWith("2026-03")"#, json!(true)),
        ("id", json!("evt_1")),
        // An attribute that the event lacks is null, and so never equal to a text.
        ("subject", json!(null)),
        ("subject == null", json!(true)),
        (r#"subject == "sub_1""#, json!(false)),
        // Fields.
        (r#"data.tag == "vip""#, json!(true)),
        ("data.tag == 'vip' // a comment", json!(true)),
        (r#"data.tag in ["a", "vip"]"#, json!(true)),
        (r#""vip" in data.subscriber.tags"#, json!(true)),
        (r#""phone" in data.subscriber"#, json!(true)),
        ("has(data.tag)", json!(true)),
        ("has(data.nothing)", json!(false)),
        ("has(data.subscriber.phone)", json!(true)),
        (r#"has(data.nothing) && data.nothing == "x""#, json!(false)),
        (r#"has(data.nothing) ? data.nothing : "none""#, json!("none")),
        (r#"data.nothing == "x" || data.tag == "vip""#, json!(true)),
        ("data.subscriber.phone == null", json!(true)),
        (r#"data.record.fields.Quantity == "2""#, json!(true)),
        (r#"data.record.fields["Date of birth"]"#, json!("1990-01-01")),
        ("data.raw.items[1].id", json!(2)),
        (r#"data["tag"].size() + size(data.raw.items)"#, json!(5)),
        // Texts.
        (r#""Здравствуйте, " + data.subscriber.name + "!""#, json!("Здравствуйте, Анна!")),
        ("data.subscriber.name.size()", json!(4)),
        (r#"data.message.text.contains("заказ")"#, json!(true)),
        (r#"data.subscriber.email.endsWith("@example.org")"#, json!(true)),
        (r#"data.message.text.matches("(?i)^привет")"#, json!(true)),
        (r#"matches(data.message.text, r"\d+$")"#, json!(true)),
        (r#"data.subscriber.email.matches("^[^@ ]+@[^@ ]+$")"#, json!(true)),
        (r#"data.tag.matches("^(vip|gold)$") ? 1 : 2"#, json!(1)),
        // Numbers: all types can be compared; arithmetic takes two of one type.
        ("data.raw.half > 1", json!(true)),
        ("data.raw.one == 1", json!(true)),
        ("data.raw.small < 0.5", json!(true)),
        ("data.raw.most > data.raw.odd", json!(true)),
        ("double(data.record.fields.Quantity) > 1.5", json!(true)),
        ("int(data.record.fields.Quantity) * 2 + 1", json!(5)),
        ("double(data.raw.items[1].price) * 1.5", json!(15.0)),
        ("data.raw.odd % 10", json!(3)),
        ("-data.raw.small", json!(3)),
        ("int(2.9)", json!(2)),
        (r#""No. " + string(data.raw.odd)"#, json!("No. 9007199254740993")),
        (r#"bool("true") && !false"#, json!(true)),
        ("data.tag == 1", json!(false)),
        // Macros.
        ("data.raw.items.exists(item, item.price > 5)", json!(true)),
        ("data.raw.items.all(item, item.price > 5)", json!(false)),
        ("data.raw.items.exists_one(item, item.id == 2)", json!(true)),
        ("data.raw.items.filter(item, item.id > 1)", json!([{ "id": 2, "price": 10 }])),
        ("data.raw.items.map(item, item.id)", json!([1, 2])),
        (r#"data.raw.items.map(item, item.id > 1, {"n": item.id})"#, json!([{ "n": 2 }])),
        ("data.record.fields.exists(name, name == 'Quantity')", json!(true)),
        ("data.subscriber.tags.exists(data, data == type || data == 'vip')", json!(true)),
        // Objects and lists.
        (r#"{"a": [1, 2u, -0.5, null, true], "b": {}}"#, json!({ "a": [1, 2, -0.5, null, true], "b": {} })),
        ("[1] + [data.tag]", json!([1, "vip"])),
        ("data.raw", event()["data"]["raw"].clone()),
    ] {
        assert_eq!(evaluate(text), Ok(expected), "{text}");
    }
}

#[test]
fn expressions_without_a_value_are_errors() {
    for (text, expected) in [
        ("data.nothing", "there is no field `nothing`"),
        ("has(data.nothing.at.all)", "there is no field `nothing`"),
        // The tag comes from the event and not from the expression's text.
        ("data.raw[data.tag]", "there is no such field"),
        ("data.raw.none.name", "`.` can't be applied to null_type and string"),
        ("subject.startsWith('sub_')", "`startsWith` can't be applied to null_type and string"),
        ("data.raw.half + 1", "`+` can't be applied to double and int"),
        ("data.tag < 1", "`<` can't be applied to string and int"),
        ("data.tag && true", "`&&` can't be applied to string and bool"),
        ("data.raw.small ? 1 : 2", "expected bool, found int"),
        ("data.tag.map(x, x)", "expected iterable, found string"),
        ("data.raw.small.matches('1')", "`matches` can't be applied to int"),
        ("data.raw.items[2]", "the index is past the end of the list"),
        ("data.raw.items[0.5]", "a list index must be an int, and a field name a string"),
        ("1 / 0", "division by zero"),
        ("9223372036854775807 + 1", "a number overflows"),
        ("int(data.tag)", "int: string parse error: invalid digit found in string"),
        ("uint(-1)", "uint: unsigned integer overflow"),
        ("1.0 / 0.0", "JSON has no infinity and no NaN"),
        ("[0.0 / 0.0]", "JSON has no infinity and no NaN"),
        ("{1: 2}", "a field name in JSON must be a string"),
        ("{[]: 2}", "a field name must be a string, not list"),
        ("{'a': 1, 'a': 2}", "a map has a duplicate field"),
    ] {
        assert_eq!(evaluate(text), Err(expected.to_owned()), "{text}");
    }
}

#[test]
fn an_event_matches_if_the_value_is_true() {
    let fits = |text: &str| Expression::compile(text).unwrap().matches(&EventValues::of_json(&event()));
    assert!(fits("data.tag == 'vip'"));
    assert!(!fits("data.tag == 'gold'"));
    assert!(!fits("data.nothing == 'gold'"));
    assert!(!fits("data.nothing != 'gold'"));
    assert!(!fits("data.tag"));
    assert!(!Expression::compile("data.tag == 'vip'").unwrap().matches(&EventValues::of_json(&json!("no event"))));
}

#[test]
fn invalid_expressions_are_errors_with_a_position() {
    for (text, expected) in [
        ("", "1:1: something is missing at the end"),
        ("data.tag ==", "1:12: something is missing at the end"),
        ("data.tag = 'vip'", "1:10: use `==` to compare"),
        ("data.tag == 'vip", "1:13: this string is not closed, or has an invalid escape"),
        (r#""\q""#, "1:1: this string is not closed, or has an invalid escape"),
        ("data.tag == “vip”", "1:13: this character is not allowed here"),
        ("data.`tag`", "1:6: this character is not allowed here"),
        ("(data.tag", "1:10: a bracket is not closed"),
        ("data.tag)", "1:9: this bracket was not opened"),
        ("([1)]", "1:4: this bracket was not opened"),
        ("1 + * 2", "1:5: something is missing before this"),
        ("[1,,2]", "1:4: something is missing before this"),
        ("data.?tag", "1:6: something is missing before this"),
        ("data tag", "1:6: something is missing or out of place here"),
        ("data.tag ? 1", "1:13: expected ':' in conditional expression"),
        ("if", "1:1: reserved identifier: if"),
        ("99999999999999999999", "1:1: invalid int literal"),
        ("has(data)", "invalid argument to has() macro"),
        ("data.raw.map(1, 2)", "argument must be a simple name"),
        (
            "data.tag == 'é' &&\n  tag == 'vip'",
            "2:3: unknown variable `tag`; an event has id, type, source, subject, time, data",
        ),
        ("'é' == tag", "1:8: unknown variable `tag`; an event has id, type, source, subject, time, data"),
        ("data.items.exists(x, y)", "1:22: unknown variable `y`; an event has id, type, source, subject, time, data"),
        (
            "data.a.exists(x, true) && x",
            "1:27: unknown variable `x`; an event has id, type, source, subject, time, data",
        ),
        ("string", "1:1: unknown variable `string`; an event has id, type, source, subject, time, data"),
        ("type(data.tag)", "1:1: unknown function `type`"),
        ("timestamp(time)", "1:1: unknown function `timestamp`"),
        ("data.tag.lowerAscii()", "1:20: unknown function `lowerAscii`"),
        ("optional.of(1)", "1:12: unknown function `of`"),
        ("data.tag.string()", "1:16: `string` is called with the wrong arguments"),
        ("contains(data.tag, 'v')", "1:1: `contains` is called with the wrong arguments"),
        ("data.items.map(x)", "1:15: unknown function `map`"),
        ("data.items.map(x, x.map(y, y))", "1:24: all, exists, exists_one, map and filter: at most one may be used"),
        ("Event{id: 1}", "1:1: unknown type `Event`"),
        ("b'bytes'", "1:2: a string may only follow an `r`"),
        ("data.tag.matches(data.pattern)", "1:22: the pattern of `matches` must be a literal in quotes"),
        ("data.tag.matches('(')", "1:18: invalid pattern: unclosed group"),
    ] {
        let detail = Expression::compile(text).err().map(|bad| bad.detail);
        assert_eq!(detail.as_deref(), Some(expected), "{text}");
    }
    assert!(Expression::compile(&format!("'{}'", "x".repeat(2046))).is_ok());
    assert_eq!(
        Expression::compile(&format!("'{}'", "x".repeat(2047))).err().unwrap().detail,
        "must have at most 2048 bytes"
    );
}

#[test]
fn every_form_of_text_literal_is_parsed() {
    for (text, expected) in [
        (r#""\"a\\b\t\x41\u00e9\U0001f600\101\?""#, "\"a\\b\tAé😀A?"),
        ("'a\"b'", "a\"b"),
        (r#"r"a\b""#, r"a\b"),
        (r"R'\'", r"\"),
        ("\"\"\"a\n\"b\"c\"\"\"", "a\n\"b\"c"),
        ("'''a\n'b''' + ''", "a\n'b"),
        ("r'''(((\\''' ", "(((\\"),
        ("'((((' + \"))\" + '//' // ((((", "(((())//"),
    ] {
        assert_eq!(evaluate(text), Ok(json!(expected)), "{text}");
    }
}

#[test]
fn faults_are_reported_by_field() {
    let compile = |fields: Value| Fields::compile(fields.as_object().unwrap(), "/target/body");
    let fields = compile(json!({ "who": "data.subscriber.name", "a/b": "size(data.raw.items)" })).unwrap();
    let body = fields.evaluate(&EventValues::of_json(&event()), "the body");
    assert_eq!(body.as_deref(), Ok(r#"{"who":"Анна","a/b":2}"#));

    let faults = compile(json!({ "ok": "1", "a/b": "tag", "n": 1, "x": "1 +" })).err().unwrap();
    let faults_by_field: Vec<(&str, &str)> = faults.iter().map(|fault| (&*fault.pointer, &*fault.detail)).collect();
    assert_eq!(
        faults_by_field,
        [
            ("/target/body/a~1b", "1:1: unknown variable `tag`; an event has id, type, source, subject, time, data"),
            ("/target/body/n", "must be a string with an expression"),
            ("/target/body/x", "1:4: something is missing at the end"),
        ]
    );

    let fields = compile(json!({ "ok": "1", "who": "data.nobody" })).unwrap();
    assert_eq!(
        fields.evaluate(&EventValues::of_json(&event()), "the body"),
        Err("`who`: there is no field `nobody`".to_owned())
    );

    let many = (0..51).map(|number| (number.to_string(), json!("1"))).collect();
    assert_eq!(
        Fields::compile(&many, "/input").err().unwrap(),
        [models::Fault::new("/input", "must have at most 50 fields")]
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
    ];
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), number, ".*".prop_map(Value::from)];
    leaf.prop_recursive(4, 40, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(".*", inner, 0..8).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn json_round_trips(data in any_json()) {
        let event = json!({ "data": data });
        for text in ["data", "[data][0]", "{'a': data}.a", "true ? data : id"] {
            prop_assert_eq!(value(&Expression::compile(text).unwrap(), &event), Ok(data.clone()));
        }
        prop_assert_eq!(value(&Expression::compile("data == data").unwrap(), &event), Ok(json!(true)));
    }
}

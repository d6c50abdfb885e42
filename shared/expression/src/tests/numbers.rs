//! Numbers keep their exact values, and compare by them.

use super::{work::TOO_MUCH, *};

/// The JSON of an expression over `data`, which is given as JSON.
fn json_of(text: &str, data: &str) -> Result<String, String> {
    let event = format!("{{\"data\":{data}}}");
    let event = serde_json::from_str(&event).unwrap();
    let expression = Expression::compile(text).unwrap_or_else(|bad| panic!("{text}: {}", bad.detail));
    expression.evaluate(&EventValues::of_json(&event))
}

#[test]
fn a_number_round_trips() {
    for number in [
        "0",
        "-3",
        "9007199254740993",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
        "100000000000000000001",
        "0.1",
        "-1.5",
        "42.0",
        "42.000000000000000001",
        "0.10000000000000001",
        "3.141592653589793238462643383279",
        "1e+400",
        "-1e-400",
        "1e+99999999999999999999",
    ] {
        for text in ["data.a", "[data.a][0]", "{'b': data.a}.b", "data.l.filter(x, true)[0]", "true ? data.a : 0"] {
            let json = json_of(text, &format!("{{\"a\":{number},\"l\":[{number}]}}"));
            assert_eq!(json.as_deref(), Ok(number), "{text}");
        }
    }
    // Written differently, with the same value.
    for (number, expected) in [("0.10", "0.1"), ("1e2", "100.0"), ("1e400", "1e+400"), ("-0", "0")] {
        assert_eq!(json_of("data", number).as_deref(), Ok(expected));
    }
}

#[test]
fn long_numbers_support_comparison_and_text_but_no_arithmetic() {
    let data = r#"{"a": 100000000000000000001, "b": 100000000000000000002, "c": 42.000000000000000001, "d": 42,
        "e": 100000000000000000001.0, "z": 1e99999999999999999999, "l": [100000000000000000001]}"#;
    for (text, expected) in [
        ("data.a == data.b", "false"),
        ("data.a == data.a", "true"),
        ("data.a == data.e", "true"),
        ("data.a < data.b && data.b > data.a", "true"),
        ("data.c == data.d", "false"),
        ("data.c == 42.0", "false"),
        ("data.c > 42", "true"),
        ("data.c > 42.0 && data.c < 42.5", "true"),
        ("data.a > 18446744073709551615u", "true"),
        ("-data.d < data.c", "true"),
        ("data.a > 1.0 / 0.0", "false"),
        ("data.a in data.l", "true"),
        ("data.b in data.l", "false"),
        ("[data.a] == data.l && {'x': data.a} == {'x': data.l[0]}", "true"),
        ("{'x': data.a} == {'x': data.b}", "false"),
        ("data.l.exists(x, x == data.a)", "true"),
        ("string(data.a)", "\"100000000000000000001\""),
        ("'id-' + string(data.c)", "\"id-42.000000000000000001\""),
        ("data.a == 'a'", "false"),
        ("data.a in {'a': 1}", "false"),
    ] {
        assert_eq!(json_of(text, data).as_deref(), Ok(expected), "{text}");
    }
    for (text, expected) in [
        ("data.a + 1", "`+` can't be applied to long number and int"),
        ("1.5 * data.c", "`*` can't be applied to double and long number"),
        ("-data.a", "`-` can't be applied to long number"),
        ("int(data.a)", "`int` can't be applied to long number"),
        ("double(data.c)", "`double` can't be applied to long number"),
        ("data.a < 'a'", "`<` can't be applied to long number and string"),
        ("data.z < 1", "`<` can't be applied to long number and int"),
    ] {
        assert_eq!(json_of(text, data), Err(expected.to_owned()), "{text}");
    }
    // A filter that fails passes no event.
    let event = serde_json::from_str(&format!("{{\"data\":{data}}}")).unwrap();
    assert!(!Expression::compile("data.a + 1 > 0").unwrap().matches(&EventValues::of_json(&event)));
}

#[test]
fn numbers_of_all_types_compare_by_their_exact_values() {
    let ordered = [
        "-1e300",
        "-9223372036854775808",
        "-9223372036854774784.0",
        "-1.5",
        "-1",
        "0",
        "0.5",
        "1u",
        "4503599627370495.5",
        "9007199254740992.0",
        "9007199254740993",
        "9007199254740994.0",
        "9223372036854775807",
        "9223372036854775808.0",
        "9223372036854775809u",
        "18446744073709551615u",
        "18446744073709551616.0",
        "1e300",
    ];
    for (at, left) in ordered.iter().enumerate() {
        for (other, right) in ordered.iter().enumerate() {
            for (operator, expected) in [
                ("==", at == other),
                ("!=", at != other),
                ("<", at < other),
                ("<=", at <= other),
                (">", at > other),
                (">=", at >= other),
            ] {
                let text = format!("{left} {operator} {right}");
                assert_eq!(evaluate(&text), Ok(json!(expected)), "{text}");
            }
            let text =
                format!("{left} in [{right}] || [{left}] == [{right}] || {{'a': [{left}]}} == {{'a': [{right}]}}");
            assert_eq!(evaluate(&text), Ok(json!(at == other)), "{text}");
        }
    }
    for (text, expected) in [
        ("1 == 1u && 1 == 1.0 && 1u == 1.0", true),
        ("-9223372036854775808 == -9223372036854775808.0", true),
        ("18446744073709551615u == 18446744073709551616.0", false),
        ("9007199254740993 in {9007199254740992: 1}", false),
        ("9007199254740992.0 in {9007199254740992: 1}", true),
        ("9007199254740992.0 in {9007199254740993: 1}", false),
        ("-9223372036854775808.0 in {-9223372036854775808: 1}", true),
        ("18446744073709551616.0 in {18446744073709551615u: 1}", false),
        ("0.5 in {0: 1}", false),
        ("{9007199254740993: 1} == {9007199254740992: 1}", false),
        ("{1: 2} == {1u: 2.0}", true),
        ("0.0 / 0.0 == 0.0 / 0.0", false),
        ("[0.0 / 0.0] == [1.0]", false),
        ("data.raw.odd == 9007199254740992.0", false),
        ("data.raw.items.exists(item, data.raw.odd == 9007199254740992.0)", false),
        ("data.raw.items.all(item, data.raw.odd != 9007199254740992.0)", true),
        ("true ? data.raw.odd > 9007199254740992.0 : false", true),
        ("data.tag == 1 || data.tag != 1", true),
        ("false < true && 'a' < 'b'", true),
    ] {
        assert_eq!(evaluate(text), Ok(json!(expected)), "{text}");
    }
    assert_eq!(evaluate("0.0 / 0.0 < 1.0"), Err("`<` can't be applied to double and double".to_owned()));
}

/// A number of `count` digits.
fn digits(count: usize) -> Value {
    serde_json::from_str(&"7".repeat(count)).unwrap()
}

#[test]
fn a_long_number_is_charged_by_its_length() {
    let sku = |number: usize| json!({ "sku": number });
    let skus: Vec<Value> = (0..10_000).map(sku).collect();
    let numbers: Vec<usize> = (0..10_000).collect();
    let event = |count: usize| json!({ "data": { "raw": { "id": digits(count), "n": { "d": [digits(count)] }, "items": skus, "l": numbers } } });
    let error = |text: &str, event: &Value| value(&Expression::compile(text).unwrap(), event).err();
    for text in [
        "data.raw.items.map(i, {'order': data.raw.id, 'sku': i.sku}).size()",
        "data.raw.items.map(i, [i, data.raw.n]).size()",
        "data.raw.l.exists(x, x == data.raw.id)",
        "data.raw.l.exists(x, data.raw.id < x)",
        "data.raw.l.exists(x, {'a': 1} == {'a': data.raw.id})",
        "data.raw.l.exists(x, string(data.raw.id) == '1')",
        "data.raw.l.exists(x, [x] == data.raw.n.d)",
        "data.raw.id in data.raw.l",
    ] {
        let error = error(text, &event(120_000)).unwrap_or_default();
        assert!(error.ends_with(TOO_MUCH), "{text}: {error}");
    }
    for text in ["data.raw.l.exists(x, x == data.raw.id)", "data.raw.id in data.raw.l"] {
        assert_eq!(error(text, &event(30)), None, "{text}");
    }
}

#[test]
fn an_exponent_of_any_size_is_not_written_out() {
    for token in
        ["1e400000000", "1e-400000000", "-1e9223372036854775806", "7e-9223372036854775808", "1e99999999999999999999"]
    {
        let number: Value = serde_json::from_str(token).unwrap();
        let event = json!({ "data": { "raw": { "n": number, "l": [1, 2.5, number] } } });
        let of = |text: &str| value(&Expression::compile(text).unwrap(), &event);
        assert_eq!(of("string(data.raw.n)"), Ok(json!(number.to_string())));
        assert_eq!(of("[data.raw.n]").map(|list| list.to_string()), Ok(format!("[{number}]")));
        assert_eq!(
            of("data.raw.n == 1 || data.raw.n == 2.5 || data.raw.n in [1, 2u, 0.5]"),
            Ok(json!(false)),
            "{token}"
        );
        if !token.ends_with("99999999999") {
            assert_eq!(of("data.raw.n < 1 || data.raw.n > 1"), Ok(json!(true)), "{token}");
        }
    }
}

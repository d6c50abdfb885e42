//! Limits on the stack, time and memory that any text or event can cost.

use super::*;
use proptest::{sample::select, test_runner::TestRunner};
use std::{fmt::Write, time::Instant};

/// Half the stack of the smallest thread.
const STACK_BYTES: usize = 1 << 20;

fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap().join().unwrap();
}

/// Nested expressions, `depth` levels deep.
fn nested(depth: usize) -> Vec<String> {
    let around = |open: &str, inside: &str, close: &str| open.repeat(depth) + inside + &close.repeat(depth);
    vec![
        around("(", "1", ")"),
        around("[", "1", "]"),
        around("{'a':", "1", "}"),
        around("data[", "0", "]"),
        around("size(", "'a'", ")"),
        around("(1,", "1", ")"),
        around("true ? (", "1", ") : 2"),
        around("true && (false || ", "true", ")"),
        around("!(", "true", ")"),
        around("-(", "1", ")"),
        around("", "1", "+1"),
        around("", "1", " * 1"),
        around("1 == ", "1", ""),
        around("1 in ", "[1]", ""),
        around("", "data", ".a"),
        around("", "data", "[0]"),
        around("", "data", ".size()"),
        around("true ? 1 : ", "2", ""),
        around("!", "true", ""),
        around("- ", "1", ""),
        around("", "1", "(1)"),
        around("[1", "", ","),
        around("[1+", "1", ",1]"),
        around("[1 ? [", "1", "] : 1]"),
        around("data.raw.items.map(x, ", "1", ")"),
        around("a+,", "1", ""),
        around("[a+,", "1", ""),
        around("1 - 1 ? ", "1", ""),
    ]
}

#[test]
fn deep_nesting_is_rejected_before_it_overflows_a_stack() {
    on_a_small_stack(|| {
        let mut deepest = 0;
        for depth in (1..80).chain([100, 150, 200, 300, 500, 700, 1000, 2000]) {
            for text in nested(depth) {
                let text = text.get(..MAX_BYTES).unwrap_or(&text);
                if let Ok(expression) = Expression::compile(text) {
                    let _ = value(&expression, &event());
                    deepest = depth;
                }
            }
        }
        assert_eq!(deepest, 64);
    });
}

#[test]
fn the_deepest_accepted_event_fits_a_stack() {
    let text = format!("{}1{}", "[".repeat(126), "]".repeat(126));
    let event = json!({ "data": { "raw": serde_json::from_str::<Value>(&text).unwrap() } });
    on_a_small_stack(move || {
        for text in ["data", "[data] == [data]", "data.raw.map(x, {'a': x})", "data < 1"] {
            let _ = value(&Expression::compile(text).unwrap(), &event);
        }
    });
}

#[test]
fn usual_nesting_is_accepted() {
    let conditions = vec!["data.tag == 'vip'"; 90].join(" || ");
    let parts = vec!["data.subscriber.name"; 60].join(" + ");
    let choices = "data.tag == 'a' ? 1 : ".repeat(60) + "2";
    let list = format!("data.tag in ['{}']", vec!["vip"; 250].join("', '"));
    let map = format!("{}1{}", r#"{"a": "#.repeat(12), "}".repeat(12));
    for text in [conditions, parts, choices, list, map] {
        assert!(Expression::compile(&text).is_ok(), "{text}");
    }
}

const TOKENS: [&str; 52] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    "?",
    ":",
    "+",
    "-",
    "*",
    "/",
    "%",
    "!",
    "&&",
    "||",
    "==",
    "!=",
    "<",
    ">=",
    " in ",
    " ",
    "\n",
    "a",
    "data",
    "data.raw",
    "type",
    "size",
    "has(",
    ".map(x, ",
    ".all(x, ",
    "x",
    "1",
    "1.5",
    "2u",
    "0x",
    "true",
    "null",
    "\"",
    "'",
    "\"\"\"",
    "r\"",
    "b'",
    "\\",
    "'é'",
    "é",
    "//",
    "`",
    "=",
    ".matches('a')",
];

/// Tokens in any order, many times over.
fn soups() -> impl Strategy<Value = String> {
    let repeated = (prop::collection::vec(select(&TOKENS[..]), 1..6), prop_oneof![3 => Just(1), 1 => 1_usize..600]);
    prop::collection::vec(repeated, 1..30)
        .prop_map(|parts| parts.iter().map(|(tokens, times)| tokens.concat().repeat(*times)).collect())
}

/// Concatenated expressions with bytes removed or inserted.
fn spoilt() -> impl Strategy<Value = String> {
    let spoil = (any::<prop::sample::Index>(), 0_usize..4, prop::option::of(select(&TOKENS[..])));
    let sign = select(vec![" + ", "==", ", ", " && ", " ? ", " : ", "[", ".", " - "]);
    let times = prop_oneof![3 => 1_usize..4, 1 => 1_usize..70];
    let parts = prop::collection::vec((expressions(), sign, times), 1..4);
    (parts, prop::collection::vec(spoil, 0..3)).prop_map(|(parts, spoils)| {
        let part = |(part, sign, times): &(String, &str, usize)| {
            vec![part.as_str(); (*times).min(600 / part.len()).max(1)].join(sign)
        };
        let mut text = parts.iter().map(part).collect::<Vec<_>>().join(",");
        text = format!("[{text}]");
        for (place, length, token) in spoils {
            let from = text.floor_char_boundary(place.index(text.len() + 1));
            let to = text.ceil_char_boundary(from + length);
            text.replace_range(from..to.min(text.len()), token.unwrap_or_default());
        }
        text
    })
}

#[test]
fn no_text_panics_or_overflows_a_stack() {
    on_a_small_stack(move || {
        let run = |mut text: String| {
            text.truncate(text.floor_char_boundary(MAX_BYTES));
            if let Ok(expression) = Expression::compile(&text) {
                let _ = value(&expression, &event());
            }
            Ok(())
        };
        TestRunner::default().run(&prop_oneof![1 => soups(), 6 => spoilt(), 1 => ".{0,200}"], run).unwrap();
    });
}

/// Texts that the parser accepts.
fn expressions() -> impl Strategy<Value = String> {
    let leaf = select(vec![
        "data",
        "data.tag",
        "data.raw",
        "data.raw.small",
        "data.raw.most",
        "data.raw.half",
        "data.raw.huge",
        "data.raw.items",
        "data.raw.none",
        "subject",
        "type",
        "1",
        "-1",
        "0",
        "2u",
        "-9223372036854775808",
        "9223372036854775807",
        "18446744073709551615u",
        "0.0",
        "1e308",
        "'a'",
        "''",
        "true",
        "null",
        "[]",
        "{}",
        "'17'",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(5, 24, 3, |inner| {
        let operator =
            select(vec!["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "in", "&&", "||"]);
        let function = select(vec!["size", "string", "int", "uint", "double", "bool", "!", "-"]);
        let method = select(vec!["contains", "startsWith", "endsWith"]);
        let macro_ = select(vec!["all", "exists", "exists_one", "map", "filter"]);
        prop_oneof![
            4 => (inner.clone(), operator, inner.clone()).prop_map(|(left, sign, right)| format!("({left} {sign} {right})")),
            2 => (function, inner.clone()).prop_map(|(name, part)| format!("{name}({part})")),
            1 => (inner.clone(), method, inner.clone()).prop_map(|(left, name, right)| format!("{left}.{name}({right})")),
            1 => (inner.clone(), macro_, inner.clone()).prop_map(|(left, name, body)| format!("{left}.{name}(type, {body})")),
            1 => inner.clone().prop_map(|part| format!("{part}.matches('1+')")),
            1 => (inner.clone(), inner.clone()).prop_map(|(list, index)| format!("{list}[{index}]")),
            1 => (inner.clone(), inner.clone()).prop_map(|(key, value)| format!("{{{key}: {value}}}")),
            1 => (inner.clone(), inner.clone()).prop_map(|(first, second)| format!("[{first}, {second}]")),
            1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(which, yes, no)| format!("({which} ? {yes} : {no})")),
            1 => inner.prop_map(|part| format!("has({part}.a)")),
        ]
    })
}

proptest! {
    #[test]
    fn no_expression_panics(text in expressions()) {
        if let Ok(expression) = Expression::compile(&text) {
            let value = value(&expression, &event());
            prop_assert_eq!(expression.matches(&EventValues::of_json(&event())), value == Ok(json!(true)));
        }
    }
}

/// The longest expression of the form open, part, separator, part, …, close that is still accepted.
fn filled(open: &str, part: &str, separator: &str, close: &str) -> String {
    let count = (MAX_BYTES - open.len() - close.len()) / (part.len() + separator.len());
    format!("{open}{}{close}", vec![part; count].join(separator))
}

/// Expressions that would take minutes or gigabytes on an event of 256 KB. Prints the share of the budget that each
/// used, and its time relative to reading and writing the largest event.
#[test]
fn hostile_expressions_exhaust_their_budget() {
    let event = |raw: Value| json!({ "type": "a", "data": { "raw": raw } });
    let digits = |count: usize| (0..count).map(|number| number % 10).collect::<Vec<_>>();
    let many = event(json!({ "l": digits(120_000) }));
    let half = event(json!({ "l": digits(40_000), "s": "ab".repeat(80_000) }));
    let texts = event(json!({ "l": vec!["ab".repeat(100); 1000], "s": "ab".repeat(20_000) }));
    let mut state = 1_u64;
    let mixed = (0..120_000).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if state >> 63 == 0 { 'a' } else { 'b' }
    });
    let mixed = event(json!({ "s": mixed.collect::<String>() }));
    let cases = [
        ("data.raw.l.exists(x, x > 100)".to_owned(), &many),
        (filled("data.raw.l.all(x, ", "true", "&&", ")"), &many),
        ("data.raw.l.map(x, data.raw)".to_owned(), &half),
        ("data.raw.l.map(x, [data, data, data])".to_owned(), &half),
        ("data.raw.l.exists(x, data.raw == x)".to_owned(), &half),
        ("data.raw.l.exists(x, x > data.raw)".to_owned(), &half),
        ("data.raw.l.exists(x, data.raw.l == data.raw.l && false)".to_owned(), &half),
        ("data.raw.l.exists(x, data.raw.l[0.5])".to_owned(), &half),
        ("data.raw.l.exists(x, data.raw.s.contains('abb'))".to_owned(), &half),
        ("data.raw.l.map(x, data.raw.s + 'a')".to_owned(), &half),
        ("data.raw.l.all(x, data.raw.s.matches('(a|b)+c'))".to_owned(), &half),
        (vec!["data.raw.s"; 60].join("+"), &half),
        (filled("[", "data", ",", "]"), &half),
        (filled("data.raw.l.map(x, [", "x", ",", "])"), &texts),
        (filled("data.raw.l.map(x, [", "x+x+x+x+x+x+x+x+x+x", ",", "])"), &texts),
        (format!("data.raw.l.exists(x, x.contains('{}'))", "x".repeat(1900)), &texts),
        ("data.raw.s.matches('(?-u)[ab]*a[ab]{222}c')".to_owned(), &mixed),
        ("data.raw.s.matches('(?-u)[ab]*a[ab]{904}c')".to_owned(), &mixed),
    ];
    let whole = Expression::compile("data").unwrap();
    let started = Instant::now();
    value(&whole, &many).unwrap();
    let once = started.elapsed();
    let mut report = String::new();
    for (text, event) in cases {
        let expression = Expression::compile(&text).unwrap();
        let (work, event) = (Budget::new(), EventValues::of_json(event));
        let started = Instant::now();
        let variables = Variables::of(&event, &expression.data).unwrap();
        let written = expression.write(&variables, &work);
        let ratio = started.elapsed().as_secs_f64() / once.as_secs_f64();
        let text: String = text.chars().take(60).collect();
        writeln!(report, "{:3.0} % of the work, {ratio:5.1} times the largest event  {text}", work.share() * 100.0)
            .unwrap();
        if let Err(error) = written {
            assert!(error.len() < 100, "{error}");
        }
    }
    print!("{report}");
}

#[test]
fn patterns_are_bounded() {
    let detail = |pattern: &str| {
        let text = format!("id.matches(r'{pattern}')");
        Expression::compile(&text).err().map(|bad| bad.detail).unwrap_or_default()
    };
    for pattern in [r"\w{40}", "((a{100}){100}){100}", r"\p{L}{100}"] {
        assert!(detail(pattern).starts_with("1:12: invalid pattern: it is too large"), "{pattern}");
    }
    for pattern in [r"^\+?\d{10,15}$", r"\w+@\w+\.\w+", "^[0-9]{4}-[0-9]{2}-[0-9]{2}", "(?i)(да|нет|хочу)", r"\p{L}+"]
    {
        assert_eq!(detail(pattern), "", "{pattern}");
    }
    let five = ["id.matches('a')"; 5].join(" && ");
    assert_eq!(
        Expression::compile(&five).err().unwrap().detail,
        "1:87: `matches` may be used at most 4 times; a pattern may have alternatives: `a|b`"
    );
    on_a_small_stack(|| {
        for (open, close) in [("(", ")"), ("(?:a|", ")"), ("[a&&", "]"), ("(?:", ")*")] {
            for depth in [10, 24, 60, 200] {
                let text = format!("id.matches('{}a{}')", open.repeat(depth), close.repeat(depth));
                assert_eq!(Expression::compile(&text).is_ok(), depth < 50, "{text}");
            }
        }
    });
}

#[test]
fn the_fields_share_one_budget() {
    let event = json!({ "data": { "raw": "a".repeat(200_000) } });
    let evaluate = |count: usize| {
        let fields = (0..count).map(|number| (number.to_string(), json!("size(data.raw + data.raw)")));
        Fields::compile(&fields.collect(), "/body").unwrap().evaluate(&EventValues::of_json(&event), "the body")
    };
    assert!(evaluate(20).is_ok());
    let error = evaluate(50).unwrap_err();
    assert!(error.ends_with("`: this exceeds the work limit for one event"), "{error}");
}

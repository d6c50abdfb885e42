use super::*;
use proptest::prelude::*;
use serde_json::json;

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

fn format(syntax: Syntax) -> Format {
    Format { syntax, charset: Charset::UTF_8 }
}

fn form(body: &[u8], content_type: &str) -> Value {
    let (format, value) = read(body, Some(content_type)).unwrap();
    assert_eq!(format.syntax, Syntax::Form);
    assert_eq!(reread(body, format).0, value, "a stored body reads the same");
    value
}

#[test]
fn json_is_recognised_by_its_content() {
    assert_eq!(read(b"{\"a\":1}", FORM), Ok((format(Syntax::Json), json!({"a": 1}))));
    assert_eq!(read("\u{feff}{\"a\":1}".as_bytes(), None), Ok((format(Syntax::Json), json!({"a": 1}))));
    assert_eq!(read(b"[]", None), Ok((format(Syntax::Json), json!([]))));
}

#[test]
fn a_form_is_an_object() {
    let value = form(b"name=Ava+Chen&tag=a&tag=b&tag=c&&empty", "application/x-www-form-urlencoded");
    assert_eq!(value, json!({"name": "Ava Chen", "tag": ["a", "b", "c"], "empty": ""}));
    assert!(read(b"user%5Bid%5D=7", None).is_ok(), "a form without the header");
    assert_eq!(reread(b"a=1", format(Syntax::Form)).1, "{\"a\":\"1\"}");
}

#[test]
fn a_body_that_is_neither_json_nor_a_form_is_rejected() {
    assert_eq!(read(b"", None), Err(Unreadable::Empty));
    assert_eq!(read(b"\xc0\xfe", None), Err(Unreadable::NotText("UTF-8")));
    for body in ["hello", "<a b='c'/>", "{\"a\":", "=x", "{\"a\" = 1}"] {
        assert!(matches!(read(body.as_bytes(), None), Err(Unreadable::Neither(_))), "{body}");
    }
}

#[test]
fn json_nested_more_than_64_deep_is_refused() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(read(nested(64).as_bytes(), None).is_ok());
    let objects = format!("{}1{}", r#"{"a":"#.repeat(65), "}".repeat(65));
    let beside = format!(r#"{{"id":"p1","x":{}}}"#, nested(64));
    for body in [nested(65), nested(127), nested(128), nested(100_000), objects, beside, "[".repeat(100_000)] {
        assert_eq!(read(body.as_bytes(), None), Err(Unreadable::TooDeep), "{} bytes", body.len());
    }
    let stored = nested(120);
    assert_eq!(reread(stored.as_bytes(), format(Syntax::Json)).1, stored, "stored before there was a limit");
}

#[test]
fn a_lone_surrogate_becomes_a_replacement_character() {
    let (_, value) = read(br#"{"name":"Ava \ud83d","ok":"\ud83d\ude00 \\ud83d \" \n"}"#, None).unwrap();
    assert_eq!(value, json!({"name": "Ava \u{fffd}", "ok": "😀 \\ud83d \" \n"}));
}

#[test]
fn a_form_is_decoded_by_its_charset() {
    let declared = |charset: &str| format!("application/x-www-form-urlencoded; charset={charset}");
    for (body, charset, name) in [
        (&b"name=Ren%E9e"[..], "iso-8859-1", "Renée"),
        (b"name=Ren\xe9e", "\"ISO-8859-1\"", "Renée"),
        (b"name=%82%A0", "Shift_JIS", "あ"),
        (b"name=%D0%A4", "utf-8", "Ф"),
        (b"name=%D4", "windows-1251", "Ф"),
        (b"n\0a\0m\0e\0=\0x\0", "utf-16le", "x"),
        (b"name=%1B%24B%24%22%1B%28B", "iso-2022-jp", "あ"),
        (b"name=a%20b", "no-such-charset", "a b"),
    ] {
        assert_eq!(form(body, &declared(charset)), json!({ "name": name }), "{charset}");
    }
    for (body, charset) in [("user_id=%C0", "utf-8"), ("%FF=1", "utf-8"), ("a=%A0", "shift_jis")] {
        assert!(matches!(read(body.as_bytes(), Some(&declared(charset))), Err(Unreadable::NotText(_))), "{body}");
    }
}

#[test]
fn an_unknown_charset_is_rejected() {
    for charset in ["no-such-charset", "cp437", "utf-7", "utf-32", "iso-2022-kr", "replacement"] {
        let declared = format!("application/x-www-form-urlencoded; charset={charset}");
        for body in ["user_id=%C3%A9", "user_id=%C0", "user_id=é"] {
            assert_eq!(read(body.as_bytes(), Some(&declared)), Err(Unreadable::UnknownCharset), "{charset} {body}");
        }
        assert_eq!(form(b"user_id=u-1", &declared), json!({ "user_id": "u-1" }));
    }
}

#[test]
fn json_is_decoded_by_its_declared_charset_unless_it_is_utf_8() {
    for (body, content_type, name) in [
        (&b"{\"name\":\"Ren\xe9e\"}"[..], "application/json; charset=iso-8859-1", "Renée"),
        ("{\"name\":\"Renée\"}".as_bytes(), "application/json; charset=iso-8859-1", "Renée"),
        (b"\xff\xfe{\0\"\0n\0a\0m\0e\0\"\0:\0\"\0x\0\"\0}\0", "application/json", "x"),
        (b"{\0\"\0n\0a\0m\0e\0\"\0:\0\"\0x\0\"\0}\0", "text/plain; charset=utf-16", "x"),
    ] {
        let (format, value) = read(body, Some(content_type)).unwrap();
        assert_eq!(value, json!({ "name": name }), "{content_type}");
        let (again, text) = reread(body, format);
        assert_eq!((&again, serde_json::from_str::<Value>(&text).unwrap()), (&value, value.clone()));
    }
}

#[test]
fn json_xml_and_base64_are_not_forms() {
    for (body, content_type) in [
        (r#"{"user":{"id":"k"},"tag":"a=b"#, FORM),
        (r#" [1, "a=b""#, FORM),
        (r#""a=b"#, FORM),
        ("<a b=\"c\"/>", FORM),
        ("user=1", Some("application/json")),
        ("aGVsbG8=", Some("application/json; charset=utf-8")),
        ("a=1", Some("application/vnd.api+json")),
        ("a=1", Some("text/xml")),
        ("a=1", Some("application/soap+xml")),
        ("aGVsbG8=", None),
        ("aGVsbG8gdGhlcmU==", Some("text/plain")),
        ("aGVsbG8=", Some("application/octet-stream")),
    ] {
        assert!(matches!(read(body.as_bytes(), content_type), Err(Unreadable::Neither(_))), "{body}");
    }
}

#[test]
fn a_byte_order_mark_is_not_part_of_a_forms_first_name() {
    for content_type in ["application/x-www-form-urlencoded", "text/plain"] {
        assert_eq!(form(b"\xef\xbb\xbfuser_id=u1", content_type), json!({"user_id": "u1"}));
    }
    let wide = b"\xff\xfeu\0=\x001\0";
    assert_eq!(form(wide, "application/x-www-form-urlencoded"), json!({"u": "1"}));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, header in proptest::option::of(".*")) {
        if let Ok((format, value)) = read(&bytes, header.as_deref()) {
            let (again, text) = reread(&bytes, format);
            prop_assert_eq!(&again, &value);
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn a_stored_form_is_parsed_again_with_the_same_result(
        bytes in "[a-z%0-9A-F=&+\\xA4-\\xFF]{1,40}", charset in proptest::sample::select(vec!["utf-8", "latin1", "gb18030", "utf-16", "euc-jp", "replacement"]),
    ) {
        let header = format!("application/x-www-form-urlencoded;charset={charset}");
        let bytes: Vec<u8> = bytes.chars().map(|c| c as u8).collect();
        if let Ok((format, value)) = read(&bytes, Some(&header)) {
            prop_assert_eq!(reread(&bytes, format).0, value);
        }
    }

    #[test]
    fn no_json_like_text_panics(text in r#"[\[\]{}",:\\ud89a-f0e+=&-]{0,40}"#) {
        let _ = read(text.as_bytes(), None);
        let _ = replace_lone_surrogates(&text);
    }
}

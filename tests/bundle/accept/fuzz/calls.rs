//! Calls of hooks, as a sender with a right URL might make them.

use flate2::{Compression, read::GzEncoder};
use models::ModuleKind;
use proptest::{prelude::*, sample::select};
use serde::{Deserialize, Serialize};
use std::io::Read as _;

/// One call of a hook.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    pub trigger: String,
    /// Which of the trigger's hooks, by their settings.
    pub hook: usize,
    pub method: String,
    pub query: String,
    /// Names and values; the characters of a value are its bytes.
    pub headers: Vec<(String, String)>,
    #[serde(with = "base64")]
    pub body: Vec<u8>,
}

mod base64 {
    use data_encoding::BASE64;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        BASE64.decode(String::deserialize(deserializer)?.as_bytes()).map_err(D::Error::custom)
    }
}

impl Call {
    /// The call without a piece of its body.
    pub fn without(&self, from: usize, length: usize) -> Self {
        let mut call = self.clone();
        call.body.drain(from..(from + length).min(call.body.len()));
        call
    }
}

pub const HOOKS: usize = 2;

const KEYS: [&str; 40] = [
    "id",
    "user",
    "user_id",
    "userId",
    "subscriber",
    "audience",
    "contact",
    "recipient",
    "name",
    "email",
    "phone",
    "tags",
    "tag",
    "locale",
    "attributes",
    "checkpoint",
    "checkpoint_id",
    "record",
    "fields",
    "data",
    "reason",
    "takeover",
    "message",
    "text",
    "messageId",
    "chatId",
    "node",
    "userAttributes",
    "result",
    "bot_user",
    "webchat_id",
    "bm_id",
    "platform",
    "variables",
    "language",
    "",
    "a/b",
    "~",
    "\\u0000",
    "é",
];

/// JSON texts that are taken in different ways by different readers.
const LEAVES: [&str; 34] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-0.0",
    "1",
    "42",
    "42.0",
    "4.2e1",
    "1.5",
    "1e15",
    "1e16",
    "1e308",
    "9007199254740993",
    "18446744073709551615",
    "-9223372036854775808",
    "123456789012345678901",
    "0.1000000000000000055",
    r#""""#,
    r#"" ""#,
    r#""u-1""#,
    r#""u-2""#,
    r#""ava@example.com""#,
    r#""\u0000""#,
    r#""\u0001\n\t\"\\""#,
    r#""\ud83d""#,
    r#""\ud83d\ude00""#,
    r#""\ufffd""#,
    r#""\ufeffx""#,
    r#""42""#,
    r#""evt_x""#,
    "[]",
    "{}",
];

fn leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => select(&LEAVES[..]).prop_map(str::to_owned),
        2 => ".{0,12}".prop_map(|text| serde_json::Value::from(text).to_string()),
        1 => (1000_usize..6000).prop_map(|length| format!("\"{}\"", "x".repeat(length))),
    ]
}

fn json() -> impl Strategy<Value = String> {
    leaf().prop_recursive(5, 40, 8, |inner| {
        let field = (select(&KEYS[..]), inner.clone()).prop_map(|(key, value)| format!("\"{key}\":{value}"));
        prop_oneof![
            3 => proptest::collection::vec(field, 0..8).prop_map(|fields| format!("{{{}}}", fields.join(","))),
            1 => proptest::collection::vec(inner, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
        ]
    })
}

fn form() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        select(vec!["u-1", "%C0", "%E9", "%C3%A9", "%00", "%82%A0", "a+b", "", "%", "%zz", "%FF%FE", "é"])
            .prop_map(str::to_owned),
        "[a-z%0-9A-F+]{0,8}",
        (100_usize..3000).prop_map(|count| "\u{1}".repeat(count)),
    ];
    let pair = (select(&KEYS[..]), value).prop_map(|(key, value)| format!("{key}={value}"));
    proptest::collection::vec(pair, 1..6).prop_map(|pairs| pairs.join("&"))
}

/// A trigger's sample, with pieces cut out, doubled or overwritten.
fn mutated(sample: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<prop::sample::Index>(), 0_usize..24, 0..4_u8, any::<u8>());
    proptest::collection::vec(edit, 0..4).prop_map(|edits| {
        let mut body = sample.as_bytes().to_vec();
        for (at, length, kind, byte) in edits {
            if body.is_empty() {
                break;
            }
            let from = at.index(body.len());
            let until = (from + length).min(body.len());
            match kind {
                0 => drop(body.drain(from..until)),
                1 => body[from] = byte,
                2 => {
                    let piece = body[from..until].to_vec();
                    body.splice(from..from, piece);
                }
                _ => body.truncate(until),
            }
        }
        body
    })
}

fn deep() -> impl Strategy<Value = String> {
    let levels = prop_oneof![55_usize..70, 118_usize..132, Just(20_000_usize)];
    (levels, any::<bool>()).prop_map(|(levels, of_lists)| {
        let (open, close) = if of_lists { ("[", "]") } else { ("{\"user\":", "}") };
        format!("{{\"id\":\"p1\",\"user\":{{\"id\":\"u-1\",\"x\":{}1{}}}}}", open.repeat(levels), close.repeat(levels))
    })
}

fn large() -> impl Strategy<Value = Vec<u8>> {
    let fill = select(vec![b'x', 1, b'"', 0xe9, b'[']);
    (fill, 200_000_usize..262_200, select(vec!["{\"id\":\"u-1\",\"x\":\"", "user_id=u-1&x=", ""])).prop_map(
        |(fill, length, start)| {
            let mut body = start.as_bytes().to_vec();
            body.resize(length, fill);
            if start.starts_with('{') {
                body.extend(b"\"}");
            }
            body
        },
    )
}

fn body(sample: &'static str) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => json().prop_map(String::into_bytes),
        4 => form().prop_map(String::into_bytes),
        5 => mutated(sample),
        2 => any::<Vec<u8>>(),
        1 => (select(vec![&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"]), json()).prop_map(|(mark, json)| [mark, json.as_bytes()].concat()),
        1 => json().prop_map(|json| json.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        1 => deep().prop_map(String::into_bytes),
        1 => large(),
    ]
}

fn content_type() -> impl Strategy<Value = Option<String>> {
    let known = select(vec![
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=iso-8859-1",
        "text/json",
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=iso-8859-1",
        "application/x-www-form-urlencoded; charset=\"Shift_JIS\"",
        "application/x-www-form-urlencoded;charset=utf-16",
        "application/x-www-form-urlencoded; charset=x-nothing",
        "text/plain",
        "text/plain; charset=utf-16le",
        "text/xml",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        ";",
    ]);
    prop_oneof![
        8 => known.prop_map(|known| Some(known.to_owned())),
        1 => "[ -~]{0,30}".prop_map(Some),
        1 => Just(None),
    ]
}

fn header() -> impl Strategy<Value = (String, String)> {
    let names = ["x-botdistrikt-source", "x-botdistrikt-source-id", "content-type", "x-request-id", "authorization"];
    (select(names.to_vec()), "[ -~\u{80}-\u{ff}]{0,20}").prop_map(|(name, value)| (name.to_owned(), value))
}

pub fn any_call() -> impl Strategy<Value = Call> {
    let triggers: Vec<(&'static str, &'static str)> = registry::PLATFORMS
        .iter()
        .flat_map(|platform| platform.modules)
        .filter_map(|module| match module.kind {
            ModuleKind::Trigger { trigger, sample, .. } => Some((trigger.name, sample)),
            ModuleKind::Action(_) => None,
        })
        .collect();
    select(triggers).prop_flat_map(|(trigger, sample)| {
        let method = prop_oneof![
            20 => Just("POST"),
            1 => select(vec!["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]),
        ];
        let query = prop_oneof![3 => Just(String::new()), 1 => "[a-z0-9%&=+;~.-]{0,40}", 1 => select(vec!["a=1&a=2", "token=x", "challenge=x", "%FF=%00", "&&="]).prop_map(str::to_owned)];
        let encoding = prop_oneof![
            20 => Just(""),
            2 => Just("gzip"),
            1 => select(vec!["gzip, not so", "deflate", "br", "identity", "x-gzip", "GZIP", "gzip,gzip"]),
        ];
        let headers = proptest::collection::vec(header(), 0..3);
        let call = (0..HOOKS, method, query, content_type(), encoding, headers, body(sample));
        call.prop_map(move |(hook, method, query, content_type, encoding, mut headers, mut body)| {
            headers.extend(content_type.map(|content_type| ("content-type".to_owned(), content_type)));
            if !encoding.is_empty() {
                headers.push(("content-encoding".to_owned(), encoding.trim_end_matches(", not so").to_owned()));
            }
            if encoding == "gzip" {
                let mut packed = Vec::new();
                GzEncoder::new(&body[..], Compression::fast()).read_to_end(&mut packed).expect("it packs");
                body = packed;
            }
            Call { trigger: trigger.to_owned(), hook, method: method.to_owned(), query, headers, body }
        })
    })
}

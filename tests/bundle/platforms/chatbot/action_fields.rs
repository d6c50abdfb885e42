//! Input of ChatBot's actions: each field of Make's dialogs is sent under ChatBot's name, and each fault is reported.

use crate::support::{assertions::pointers, chatbot::ChatBot};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tests::sandbox::Seen;

/// A field of Make's dialog: its label, our name, a value; where it stands in the request, and as what.
struct Field(&'static str, &'static str, Value, &'static str, Value);

fn field(label: &'static str, name: &'static str, value: &str, wire: &'static str) -> Field {
    Field(label, name, value.into(), wire, value.into())
}

/// The fields that creating and updating a user have in common.
fn attributes() -> Vec<Field> {
    let custom = |label| Field(label, "custom_fields", json!({ "plan": "gold" }), "/attributes/plan", json!("gold"));
    vec![
        field("Email", "email", "ada@example.com", "/attributes/default_email"),
        field("Username", "username", "ada", "/attributes/default_username"),
        field("Name", "name", "Ada Lovelace", "/attributes/default_name"),
        field("URL", "url", "https://example.com/?a=b", "/attributes/default_url"),
        field("Avatar", "avatar", "https://example.com/a.png", "/attributes/default_avatar"),
        field("Language", "language", "en", "/attributes/default_language"),
        field("Timezone", "timezone", "Europe/London", "/attributes/default_timezone"),
        field("Gender", "gender", "female", "/attributes/default_gender"),
        field("IP Address", "ip", "203.0.113.7", "/attributes/default_ip"),
        field("City", "city", "Łódź ☕", "/attributes/default_city"),
        field("Region", "region", "\"'\\ \n\u{0}", "/attributes/default_region"),
        field("Country", "country", "Poland", "/attributes/default_country"),
        field("Referrer", "referrer", "https://example.org", "/attributes/default_referrer"),
        custom("Custom Fields"),
    ]
}

/// Make's dialogs, by action: the method, and every field.
fn dialogs(user: &'static str, story: &'static str) -> Vec<(&'static str, &'static str, Vec<Field>)> {
    let message = |name, value, wire, text: &str| Field(name, name, json!(value), wire, text.into());
    let segment = "0123456789abcdefABCDEF01";
    let mut create = attributes();
    create.push(field("Custom User ID", "custom_user_id", "customer-7", "/userId"));
    create.push(Field("Segments", "segments", json!([segment]), "/segments/0", json!(segment)));
    let mut update = attributes();
    update.push(field("User ID", "user_id", user, "path"));
    let mut update_story = vec![field("Story", "story_id", story, "path")];
    let story_fields =
        || [field("Name", "name", "Shop", "/name"), field("Description", "description", "Sells", "/description")];
    update_story.extend(story_fields());
    vec![
        (
            "search-users",
            "GET",
            vec![
                field("After", "after", user, "?after"),
                Field("Field", "field", json!("created_at"), "?sort[field]", json!("createdAt")),
                field("Order", "order", "asc", "?sort[order]"),
                field("Match", "match", "any", "?match"),
                Field("Limit", "limit", json!(7), "?limit", json!("7")),
            ],
        ),
        ("search-users", "GET", vec![message("field", "last_seen", "?sort[field]", "lastSeen")]),
        ("search-users", "GET", vec![message("order", "desc", "?sort[order]", "desc")]),
        ("search-users", "GET", vec![message("match", "all", "?match", "all")]),
        ("get-user", "GET", vec![field("User ID", "user_id", user, "path")]),
        ("create-user", "POST", create),
        ("create-user", "POST", vec![field("Gender", "gender", "male", "/attributes/default_gender")]),
        ("create-user", "POST", vec![field("Gender", "gender", "other", "/attributes/default_gender")]),
        ("update-user", "PUT", update),
        (
            "ban-user",
            "PUT",
            vec![
                field("User ID", "user_id", user, "path"),
                Field("Operation Type", "operation", json!("ban"), "/banned", json!(true)),
            ],
        ),
        (
            "ban-user",
            "PUT",
            vec![
                field("User ID", "user_id", user, "path"),
                Field("Operation Type", "operation", json!("unban"), "/banned", json!(false)),
            ],
        ),
        ("list-stories", "GET", vec![Field("Limit", "limit", json!(7), "", Value::Null)]),
        ("get-story", "GET", vec![field("Story", "story_id", story, "path")]),
        ("create-story", "POST", story_fields().into()),
        ("update-story", "PUT", update_story),
        ("delete-story", "DELETE", vec![field("Story", "story_id", story, "path")]),
        (
            "call-api",
            "PATCH",
            vec![
                field("URL", "path", "anything/else", "path"),
                field("Method", "method", "PATCH", "method"),
                Field("Headers", "headers", json!({ "X-Mine": "yes" }), "header x-mine", json!("yes")),
                Field("Query String", "query", json!({ "a b": "c&d" }), "?a b", json!("c&d")),
                Field("Body", "body", json!({ "x": [1, null] }), "", json!({ "x": [1, null] })),
            ],
        ),
    ]
}

/// Value at a place of a request.
fn at(seen: &Seen, place: &str) -> Value {
    let query: BTreeMap<String, String> = form_urlencoded(&seen.query);
    match place {
        "path" => json!(seen.path),
        "method" => json!(seen.method.as_str()),
        place if place.starts_with('?') => json!(query.get(&place[1..])),
        place if place.starts_with("header ") => json!(seen.headers[&place[7..]].to_str().unwrap()),
        pointer => serde_json::from_str(&seen.body).ok().and_then(|body: Value| body.pointer(pointer).cloned()).into(),
    }
}

fn form_urlencoded(query: &str) -> BTreeMap<String, String> {
    let url: reqwest::Url = format!("http://localhost/?{query}").parse().unwrap();
    url.query_pairs().into_owned().collect()
}

const USER: &str = "5b7ff84c0000000000000001";
const STORY: &str = "5b7ff84c0000000000000002";

#[tokio::test]
async fn every_field_of_makes_dialogs_reaches_the_wire_by_chatbots_name() {
    let chatbot = ChatBot::start().await;
    chatbot.sandbox.script(|_| r#"{"data":[],"id":"made"}"#);
    for (action, method, fields) in dialogs(USER, STORY) {
        let schema = chatbot.bundle.get("/v1/modules", 200).await;
        let platforms = schema["items"].as_array().unwrap();
        let mut modules = platforms.iter().filter_map(|platform| platform["modules"].as_array()).flatten();
        let module = modules.find(|module| module["name"] == format!("chatbot.{action}")).unwrap();
        let input: Map<String, Value> = fields.iter().map(|field| (field.1.to_owned(), field.2.clone())).collect();
        let status = if action == "list-stories" { 502 } else { 200 };
        chatbot.act(action, input.clone().into(), status).await;
        let asked = chatbot.asked();
        assert_eq!((asked.len(), asked[0].method.as_str()), (1, method), "{action}");
        let mut attributes = 0;
        for Field(label, name, _, place, expected) in fields {
            assert!(module["input"]["properties"][name].is_object(), "{label} of {action} is in the catalogue");
            attributes += usize::from(place.starts_with("/attributes/"));
            match (place, action) {
                (_, "list-stories") => assert_eq!(asked[0].query, "", "the limit is on our side"),
                ("path", _) => {
                    assert!(asked[0].path.split('/').any(|step| expected.as_str().unwrap().contains(step)), "{label}");
                }
                _ => assert_eq!(at(&asked[0], place), expected, "{label} of {action}: {}", asked[0].body),
            }
        }
        let body: Value = serde_json::from_str(&asked[0].body).unwrap_or_default();
        assert_eq!(body["attributes"].as_object().map_or(0, Map::len), attributes, "nothing else: {body}");
        if action == "create-user" {
            let id = body["userId"].as_str().unwrap();
            assert!(input.contains_key("custom_user_id") || id.len() == 36, "without an id of yours one is made: {id}");
        }
    }
}

#[tokio::test]
async fn null_is_as_good_as_left_out() {
    let chatbot = ChatBot::start().await;
    chatbot.sandbox.script(|_| r#"{"data":[],"id":"made"}"#);
    let mut nulls: Map<String, Value> = attributes().iter().map(|field| (field.1.to_owned(), Value::Null)).collect();
    nulls.insert("email".to_owned(), json!("ada@example.com"));
    let with = |more: Value| {
        let mut input = nulls.clone();
        input.extend(more.as_object().unwrap().clone());
        Value::from(input)
    };
    for (action, input, body) in [
        ("create-user", with(json!({ "custom_user_id": null, "segments": null, "idempotency_key": null })), true),
        ("update-user", with(json!({ "user_id": USER })), true),
        ("update-story", json!({ "story_id": STORY, "name": null, "description": "" }), false),
        ("create-story", json!({ "name": "Shop", "description": null }), false),
        ("call-api", json!({ "path": "x", "method": "POST", "headers": null, "query": null, "body": null }), false),
        (
            "search-users",
            json!({ "after": null, "field": null, "order": null, "match": null, "filters": null, "limit": null }),
            false,
        ),
    ] {
        chatbot.act(action, input, 200).await;
        let asked = chatbot.asked().remove(0);
        assert!(!asked.body.contains("null") && !asked.query.contains("null"), "{action}: {}", asked.body);
        let sent: Value = serde_json::from_str(&asked.body).unwrap_or_default();
        let attributes = json!({ "default_email": "ada@example.com" });
        assert_eq!(sent["attributes"], if body { attributes } else { Value::Null }, "{action}");
    }
    chatbot.sandbox.script(|_| "[]");
    chatbot.act("list-stories", json!({ "limit": null }), 200).await;
}

/// Custom fields by number.
fn custom(count: usize) -> Value {
    (0..count).map(|n| (format!("field {n}"), json!("x"))).collect::<Map<String, Value>>().into()
}

#[tokio::test]
async fn an_input_is_taken_up_to_its_limits() {
    let chatbot = ChatBot::start().await;
    chatbot.sandbox.script(|_| r#"{"data":[],"id":"made"}"#);
    let wide = |length: usize| "☕".repeat(length);
    for (action, input) in [
        ("create-user", json!({ "custom_fields": custom(99) })),
        ("create-user", json!({ "custom_fields": custom(97), "email": "a", "name": wide(256) })),
        ("create-user", json!({ "custom_user_id": wide(256), "email": wide(1024), "gender": "other" })),
        ("create-user", json!({ "custom_fields": { wide(256): wide(1024), "a/b~c": "x", "Default_x": "x" } })),
        ("update-user", json!({ "user_id": "x".repeat(64), "custom_fields": custom(99) })),
        ("create-story", json!({ "name": wide(1024), "description": wide(10_000) })),
        ("search-users", json!({ "limit": 100, "after": wide(64) })),
        ("search-users", json!({ "limit": 1, "filters": [] })),
        ("search-users", json!({ "filters": vec![json!({ "type": "banned", "value": true }); 5] })),
    ] {
        chatbot.act(action, input, 200).await;
    }
}

#[tokio::test]
async fn every_fault_of_an_input_is_reported_at_once() {
    let chatbot = ChatBot::start().await;
    let long = |length: usize| "x".repeat(length);
    let user = |more: Value| {
        let mut input = json!({ "user_id": USER, "name": "Ada" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let banned = json!({ "type": "banned", "value": true });
    let wrong: Value = attributes().iter().map(|field| (field.1.to_owned(), json!([7]))).collect::<Map<_, _>>().into();
    let empty: Value = attributes().iter().map(|field| (field.1.to_owned(), json!(""))).collect::<Map<_, _>>().into();
    let mut names: Vec<String> = attributes().iter().map(|field| format!("/{}", field.1)).collect();
    names.sort();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (action, input, expected) in [
        ("create-user", json!({}), vec![""]),
        ("create-user", json!({ "custom_user_id": "x", "segments": ["x"] }), vec![""]),
        ("create-user", json!({ "custom_fields": {} }), vec![""]),
        ("create-user", wrong.clone(), names.clone()),
        ("create-user", empty, names.clone()),
        ("update-user", user(wrong), names),
        ("create-user", json!({ "custom_fields": custom(100) }), vec!["/custom_fields"]),
        ("create-user", json!({ "custom_fields": custom(98), "email": "a", "name": "b" }), vec!["/custom_fields"]),
        (
            "create-user",
            json!({
                "connection": 7, "custom_user_id": long(257), "name": long(257), "email": long(1025), "gender": "m",
                "segments": ["", 7], "surname": "x",
                "custom_fields": { "default_name": "x", "a/b": 7, "c": "", "": "x", long(257): "x", "d": null },
            }),
            vec![
                "/connection",
                "/custom_fields/",
                "/custom_fields/a~1b",
                "/custom_fields/c",
                "/custom_fields/d",
                "/custom_fields/default_name",
                &format!("/custom_fields/{}", long(257)),
                "/custom_user_id",
                "/email",
                "/gender",
                "/name",
                "/segments/0",
                "/segments/1",
                "/surname",
            ],
        ),
        ("create-user", json!({ "name": "x", "segments": [] }), vec!["/segments"]),
        ("create-user", json!({ "name": "x", "segments": "Leads" }), vec!["/segments"]),
        ("create-user", json!({ "name": "x", "segments": vec!["x"; 101] }), vec!["/segments"]),
        ("update-user", json!({ "name": "x" }), vec!["/user_id"]),
        ("update-user", json!({ "user_id": USER }), vec![""]),
        (
            "update-user",
            user(json!({ "segments": ["x"], "custom_user_id": "x" })),
            vec!["/custom_user_id", "/segments"],
        ),
        ("ban-user", json!({}), vec!["/operation", "/user_id"]),
        ("ban-user", json!({ "user_id": null, "operation": true }), vec!["/operation", "/user_id"]),
        ("ban-user", json!({ "user_id": USER, "operation": "Ban" }), vec!["/operation"]),
        ("get-user", json!({}), vec!["/user_id"]),
        ("list-stories", json!({ "limit": 0, "after": "x" }), vec!["/after", "/limit"]),
        ("get-story", json!({ "story_id": ["x"] }), vec!["/story_id"]),
        ("create-story", json!({}), vec!["/name"]),
        ("create-story", json!({ "name": null }), vec!["/name"]),
        ("create-story", json!({ "name": "", "description": 7 }), vec!["/description", "/name"]),
        ("create-story", json!({ "name": long(1025), "description": long(10_001) }), vec!["/description", "/name"]),
        ("update-story", json!({ "story_id": STORY }), vec![""]),
        ("update-story", json!({ "story_id": STORY, "name": null, "description": null }), vec![""]),
        ("update-story", json!({ "name": "" }), vec!["/name", "/story_id"]),
        ("delete-story", json!({ "id": STORY }), vec!["/id", "/story_id"]),
        ("call-api", json!({}), vec!["/method", "/path"]),
        (
            "call-api",
            json!({
                "path": "", "method": "get", "headers": { "a": 1 }, "query": { "a": null, "b": {}, "c": [[1]] }, "url": "x",
            }),
            vec!["/headers/a", "/method", "/path", "/query/a", "/query/b", "/query/c/0", "/url"],
        ),
        (
            "call-api",
            json!({ "path": 7, "method": "HEAD", "headers": [], "query": "a=b" }),
            vec!["/headers", "/method", "/path", "/query"],
        ),
        (
            "search-users",
            json!({ "after": "", "field": "name", "order": "up", "match": "none", "filters": {}, "limit": 0, "page": 2 }),
            vec!["/after", "/field", "/filters", "/limit", "/match", "/order", "/page"],
        ),
        ("search-users", json!({ "after": long(65), "limit": 101 }), vec!["/after", "/limit"]),
        ("search-users", json!({ "limit": 1.5 }), vec!["/limit"]),
        ("search-users", json!({ "limit": "5" }), vec!["/limit"]),
        ("search-users", json!({ "limit": -1 }), vec!["/limit"]),
        ("search-users", json!({ "limit": 1e30 }), vec!["/limit"]),
        ("search-users", json!({ "filters": vec![banned; 6] }), vec!["/filters"]),
        (
            "search-users",
            json!({ "filters": [
                null,
                {},
                { "type": "name", "value": "x" },
                { "type": "banned", "value": "true", "operator": "before" },
                { "type": "attribute", "value": null, "operator": "like", "nam": "x" },
            ]}),
            vec![
                "/filters/0",
                "/filters/1/type",
                "/filters/1/value",
                "/filters/2/type",
                "/filters/3/operator",
                "/filters/3/value",
                "/filters/4/nam",
                "/filters/4/operator",
                "/filters/4/value",
            ],
        ),
    ] {
        let shown = input.to_string();
        let problem = chatbot.refused(action, input, 422, "invalid_body").await;
        assert_eq!(pointers(&problem), expected, "{action} {shown}: {problem}");
    }
    assert_eq!(chatbot.asked().len(), 0, "ChatBot is not asked");
}

#[tokio::test]
async fn an_id_is_one_step_of_a_path() {
    let chatbot = ChatBot::start().await;
    let long = "x".repeat(65);
    for id in [
        "",
        ".",
        "..",
        "a/b",
        "../stories",
        "a%2Fb",
        "a%",
        "a?b",
        "a#b",
        "ä",
        "a b",
        "a\n",
        "\u{0}",
        "a;b",
        "a:b",
        &long,
    ] {
        for (action, field, more) in [
            ("get-user", "user_id", json!({})),
            ("update-user", "user_id", json!({ "name": "x" })),
            ("ban-user", "user_id", json!({ "operation": "ban" })),
            ("get-story", "story_id", json!({})),
            ("update-story", "story_id", json!({ "name": "x" })),
            ("delete-story", "story_id", json!({})),
        ] {
            let mut input = more;
            input[field] = json!(id);
            let problem = chatbot.refused(action, input, 422, "invalid_body").await;
            assert_eq!(pointers(&problem), [format!("/{field}")], "{action} {id:?}");
        }
    }
    assert_eq!(chatbot.asked().len(), 0);
}

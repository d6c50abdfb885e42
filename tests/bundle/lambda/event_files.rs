//! The event files of `tests/events`, which docs/watch.md shows: each handed to its function as Lambda runs it, with what
//! `cargo lambda watch` sets.

use crate::support::{
    chatbot::ChatBot,
    documents::document,
    functions::{functions, root},
    harness,
};
use app::Function;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};
use tests::{ADMIN_KEY, Bundle, Lambda, string};

/// Each file and its function.
const EVENTS: [(&str, &str); 8] = [
    ("action-direct", "chatbot-create-user"),
    ("action-over-http", "chatbot-create-user"),
    ("api", "api-subscribers"),
    ("deliver", "deliver"),
    ("dispatch", "dispatch"),
    ("due", "due"),
    ("first-key", "api-keys"),
    ("trigger", "botstar-watch-checkpoint-record"),
];

fn text(file: &str) -> String {
    fs::read_to_string(root().join(format!("tests/events/{file}.json"))).unwrap()
}

pub fn event(file: &str) -> Value {
    serde_json::from_str(&text(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Settings of `cargo lambda watch` for the functions of `flow`. The other functions here need none of them.
pub fn settings() -> toml::Table {
    let manifest: toml::Table = fs::read_to_string(root().join("functions/flow/Cargo.toml")).unwrap().parse().unwrap();
    manifest["package"]["metadata"]["lambda"]["env"].as_table().unwrap().clone()
}

/// Invokes a file's function with its event, with these in place of the words that stand for them.
async fn invoke(bundle: &Bundle, file: &str, given: &[(&str, &str)]) -> Value {
    let (_, function) = EVENTS.iter().find(|(name, _)| *name == file).unwrap();
    let event = given.iter().fold(text(file), |text, (word, value)| {
        assert!(text.contains(word), "{file} has no {word}");
        text.replace(word, value)
    });
    let settings = settings();
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    Lambda::start(function, bundle, &settings).await.invoke_text(event).await.answer()
}

/// The body of an answer over HTTP, which is a success.
fn body(answer: &Value) -> Value {
    assert_eq!(answer["statusCode"], 200, "{answer}");
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

#[test]
fn each_kind_of_function_has_an_event_that_is_shown() {
    let files: BTreeSet<String> = fs::read_dir(root().join("tests/events"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect();
    assert_eq!(files, EVENTS.map(|(file, _)| file.to_owned()).into());
    let (shown, own) = (document("docs/watch.md"), document("tests/events/README.md"));
    for (file, function) in EVENTS {
        let commands = shown.lines().filter(|line| line.contains(&format!("tests/events/{file}.json")));
        assert!(commands.into_iter().any(|line| line.contains(&format!("invoke {function} "))), "{file} is not shown");
        assert!(own.contains(&format!("| `{file}.json` | `{function}` |")), "{file} is not explained");
    }

    let kind = |function: &Function| match function.routes[0].path {
        path if path.starts_with("/hooks/") => "a trigger",
        path if path.starts_with("/v1/actions/") => "an action",
        _ => "the API",
    };
    let over_http = catalog::functions().map(|function| (kind(function), true));
    let direct = catalog::functions().filter(|function| function.direct.is_some());
    let mut stated: BTreeSet<_> = over_http.chain(direct.map(|function| (kind(function), false))).collect();
    for (file, name) in EVENTS {
        assert!(functions().contains(name), "{name} is no function");
        if let Some(function) = catalog::functions().find(|function| function.name == name) {
            stated.remove(&(kind(function), event(file).pointer("/requestContext/http").is_some()));
        }
    }
    assert!(stated.is_empty(), "these have no event: {stated:?}");
    let without_http = functions().into_iter().filter(|name| !catalog::functions().any(|one| one.name == *name));
    let without_event: Vec<_> = without_http.filter(|name| EVENTS.iter().all(|(_, shown)| shown != name)).collect();
    assert!(without_event.is_empty(), "these have no event: {without_event:?}");
}

#[tokio::test]
async fn the_triggers_event_is_accepted_and_stored_as_dispatchs_event_has_it() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-checkpoint-record").await;
    let token = hook.url.rsplit('/').next().unwrap();
    let answer = invoke(&bundle, "trigger", &[("HOOK_TOKEN", token)]).await;
    assert_eq!(body(&answer)["status"], "accepted", "{answer}");

    let app = &bundle.local.app;
    let items = harness::items(app, &app.config.tables.events).await;
    let [item] = items.as_slice() else { panic!("{items:?}") };
    let names: BTreeSet<&str> = item.lines().map(|line| line.split_once(": ").unwrap().0).collect();
    let record = &event("dispatch")["Records"][0]["dynamodb"];
    let image = record["NewImage"].as_object().unwrap();
    assert_eq!(names, image.keys().map(String::as_str).collect());
    let reading = string(&image["reading"]["S"]);
    let raw = data_encoding::BASE64.decode(image["raw"]["B"].as_str().unwrap().as_bytes()).unwrap();
    for same in [format!("reading: {reading}\n"), format!("raw: {}\n", String::from_utf8(raw).unwrap())] {
        assert!(item.contains(&same), "{same} is not in {item}");
    }
    assert_eq!(record["Keys"]["pk"], image["pk"]);
}

#[tokio::test]
async fn the_actions_events_make_a_user_each() {
    let chatbot = ChatBot::start().await;
    let connection = ("CONNECTION_ID", chatbot.connection.as_str());
    let direct = invoke(&chatbot.bundle, "action-direct", &[connection]).await;
    let over_http = invoke(&chatbot.bundle, "action-over-http", &[connection, ("API_KEY", ADMIN_KEY)]).await;
    assert_ne!(body(&over_http)["id"], direct["id"]);
    assert_eq!(chatbot.created(), 2);
}

#[tokio::test]
async fn the_subscriber_of_dispatchs_event_is_read_with_the_first_key() {
    let bundle = Bundle::start().await;
    let made = invoke(&bundle, "first-key", &[]).await;
    assert_eq!(invoke(&bundle, "dispatch", &[]).await, json!({ "batchItemFailures": [] }));
    let answer = invoke(&bundle, "api", &[("API_KEY", made["key"].as_str().unwrap())]).await;
    let subscribers = body(&answer)["items"].clone();
    assert_eq!(subscribers.as_array().unwrap().len(), 1, "{answer}");
    let image = &event("dispatch")["Records"][0]["dynamodb"]["NewImage"];
    assert_eq!(subscribers[0]["id"], image["person"]["S"].as_str().unwrap().split('#').next().unwrap());
    assert_eq!(subscribers[0]["name"], "Ava Chen");
}

#[tokio::test]
async fn delivers_and_dues_events_find_nothing_to_do() {
    let bundle = Bundle::start().await;
    assert_eq!(invoke(&bundle, "deliver", &[]).await, json!({ "batchItemFailures": [] }));
    assert_eq!(invoke(&bundle, "due", &[]).await, json!({ "sent": 0 }));
}

#[tokio::test]
async fn a_delivery_that_has_no_queue_to_go_to_is_left_in_the_table() {
    let bundle = Bundle::start_with(&[("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8")]).await;
    let target = json!({ "type": "webhook", "url": "http://127.0.0.1:9/" });
    let route = json!({ "name": "Orders", "events": ["botstar.checkpoint_record.created"], "target": target });
    bundle.post("/v1/routes", &route, 201).await;
    assert_eq!(invoke(&bundle, "dispatch", &[]).await, json!({ "batchItemFailures": [] }));
    // The event itself was never accepted here, so no list of events leads to what was made of it.
    let deliveries = bundle.all("/v1/deliveries?state=pending").await;
    assert_eq!(deliveries.len(), 1);
    assert_eq!(deliveries[0]["state"], "pending");
}

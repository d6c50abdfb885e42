//! Bodies as they came, and items that are too large to be shown.

use crate::support::assertions::{make_key, refused, with_key};
use models::records::StoredSubscriber;
use reqwest::Method;
use serde_json::{Value, json};
use store::{number, text};
use tests::{Bundle, TestHook, answer, string};

const FORM: &str = "application/x-www-form-urlencoded";

async fn accept(bundle: &Bundle, hook: &TestHook, content_type: &str, body: Vec<u8>) -> String {
    let receipt = answer(bundle.http.post(&hook.url).header("content-type", content_type).body(body)).await;
    assert_eq!(receipt.status, 200, "{}", receipt.text);
    string(&receipt.json()["event"])
}

async fn raw(bundle: &Bundle, event: &str) -> Vec<u8> {
    let response = bundle.request(Method::GET, &format!("/v1/events/{event}/raw")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/octet-stream");
    assert_eq!(header("content-disposition"), format!("attachment; filename=\"{event}\""));
    assert_eq!(header("x-content-type-options"), "nosniff");
    response.bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn a_body_is_served_byte_for_byte() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    for (content_type, body) in [
        ("application/json", &b" {\"user\":{\"id\":12345678901234567890.0e-1},\"tag\" : 1.0}\n"[..]),
        ("application/json", b"\xef\xbb\xbf{\"id\":\"u-1\",\"id\":\"u-2\"}"),
        ("application/json", b"{\"tag\":\"\\ud83d\"}"),
        ("application/x-www-form-urlencoded; charset=latin1", b"tag=%E9&user_id=\xe9"),
    ] {
        let event = accept(&bundle, &hook, content_type, body.to_vec()).await;
        assert_eq!(raw(&bundle, &event).await, body);
    }
    let event = accept(&bundle, &hook, "application/json", b"{\"user\":{\"id\":\"u-9\"},\"tag\":\"t\"}".to_vec()).await;
    let person = string(&bundle.get(&format!("/v1/events/{event}"), 200).await["subject"]);
    bundle.until_count("/v1/subscribers", 3).await;
    bundle.delete(&format!("/v1/subscribers/{person}"), 204).await;
    refused(bundle.request(Method::GET, &format!("/v1/events/{event}/raw")), 404, "not_found").await;
    let (_, key) = make_key(&bundle, "read").await;
    let other = string(&bundle.get("/v1/events?limit=100", 200).await["items"][2]["id"]);
    assert_eq!(answer(with_key(&bundle, Method::GET, &format!("/v1/events/{other}/raw"), &key)).await.status, 200);
    refused(bundle.http.get(format!("{}/v1/events/{other}/raw", bundle.url)), 401, "unauthorized").await;
}

#[tokio::test]
async fn a_rejected_body_is_shown_as_text_or_base64_and_served_whole() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let other = bundle.hook_on(&hook.connection, "botstar.watch-tag", json!({})).await;
    for body in [&b"no json"[..], b"\x00\xff\xfe", &[1; 262_144]] {
        bundle.send(&hook.url, body.to_vec()).await;
    }
    let path = format!("/v1/hooks/{}/rejected", hook.id);
    let items = bundle.all(&path).await;
    assert_eq!((&items[2]["body"], &items[2]["body_encoding"]), (&json!("no json"), &json!("utf-8")));
    assert_eq!((&items[1]["body"], &items[1]["body_encoding"]), (&json!("AP/+"), &json!("base64")));
    assert_eq!(
        (&items[0]["body"], &items[0]["truncated"], &items[0]["bytes"]),
        (&Value::Null, &json!(true), &json!(262_144))
    );
    assert!(items[1..].iter().all(|item| item["truncated"] == false));
    for (item, body) in items.iter().zip([&[1; 262_144][..], b"\x00\xff\xfe", b"no json"]) {
        let raw = bundle.request(Method::GET, &format!("{path}/{}/raw", string(&item["id"]))).send().await.unwrap();
        assert_eq!(raw.bytes().await.unwrap(), body);
    }
    let summary = bundle.get(&format!("{path}?view=summary"), 200).await;
    assert!(summary["items"].as_array().unwrap().iter().all(|item| item["body"].is_null() && item["bytes"] != 0));
    let id = string(&items[0]["id"]);
    for nowhere in [
        format!("/v1/hooks/{}/rejected/{id}/raw", other.id),
        format!("{path}/nothing/raw"),
        format!("{path}/{}/raw", id.replace("rej_0", "rej_1")),
    ] {
        refused(bundle.request(Method::GET, &nowhere), 404, "not_found").await;
    }
    bundle.send(&hook.url, vec![b' '; 262_145]).await;
    let largest = bundle.all(&path).await.remove(0);
    let raw = format!("{path}/{}/raw", string(&largest["id"]));
    refused(bundle.request(Method::GET, &raw), 404, "not_found").await;
}

#[tokio::test]
async fn no_single_event_stops_a_list() {
    let bundle = Bundle::start().await;
    let connection = bundle.connection("botstar").await;
    let small = bundle.hook_on(&connection, "botstar.watch-tag", json!({})).await;
    let large = bundle.hook_on(&connection, "botstar.watch-checkpoint-record", json!({})).await;
    let paths = (0..50).map(|n| (format!("subscriber.attributes.a{n}"), json!("")));
    let copies = json!({ "mapping": paths.collect::<serde_json::Map<_, _>>() });
    let repeated = bundle.hook_on(&connection, "botstar.watch-tag", copies).await;
    bundle.accept(&small, &json!({ "user": { "id": "u-1" }, "tag": "before" })).await;
    let controls = [b"fields[a]=1&checkpoint=c&user_id=u-2&x=".to_vec(), vec![1; 250_000]].concat();
    let huge = accept(&bundle, &large, FORM, controls.clone()).await;
    let record = format!(r#"{{"user_id":"u-3","checkpoint":"c","fields":{{"a":"{}"}}}}"#, "\\u0001".repeat(40_000));
    let fields = accept(&bundle, &large, "application/json", record.into_bytes()).await;
    let copied = json!({ "user": { "id": "u-4" }, "tag": "t", "fill": "x".repeat(200_000) });
    let copied = bundle.accept(&repeated, &copied).await;
    bundle.accept(&small, &json!({ "user": { "id": "u-5" }, "tag": "after" })).await;
    for limit in [1, 2, 20, 100] {
        let mut cursor = String::new();
        let mut seen = 0;
        loop {
            let page = bundle.get(&format!("/v1/events?limit={limit}{cursor}"), 200).await;
            seen += page["items"].as_array().unwrap().len();
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, 5, "limit {limit}");
    }
    let items = bundle.all("/v1/events").await;
    let truncated: Vec<bool> = items.iter().map(|event| event["data"]["truncated"] == true).collect();
    assert_eq!(truncated, [false, true, false, true, false]);
    for id in [&huge, &copied] {
        let event = bundle.get(&format!("/v1/events/{id}"), 200).await;
        assert_eq!((&event["data"]["raw"], &event["data"]["truncated"]), (&Value::Null, &json!(true)));
        assert!(event.to_string().len() < 200_000 && !event["subject"].is_null());
    }
    assert_eq!(raw(&bundle, &huge).await, controls);
    assert!(raw(&bundle, &fields).await.len() > 200_000);
    let summary = bundle.get("/v1/events?view=summary", 200).await;
    assert!(summary.to_string().len() < 1_500_000);
    for event in summary["items"].as_array().unwrap() {
        assert!(event["data"]["raw"].is_null() && event["data"]["subscriber"]["platform_user"].is_null(), "{event}");
    }
    bundle.until_count("/v1/subscribers", 5).await;
    refused(bundle.request(Method::GET, "/v1/events?view=whole"), 422, "invalid_query").await;
}

#[tokio::test]
async fn a_record_of_over_1_mb_stands_as_its_id() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-checkpoint-record").await;
    let form = |controls: usize| [b"user_id=u-2&checkpoint=c&fields=".to_vec(), vec![1; controls]].concat();
    accept(&bundle, &hook, FORM, form(10)).await;
    let mapped = json!({ "settings": { "mapping": { "record.fields": "" } } });
    bundle.patch(&format!("/v1/hooks/{}", hook.id), &mapped, 200).await;
    bundle.clock.advance(std::time::Duration::from_secs(61));
    let event = accept(&bundle, &hook, FORM, form(250_000)).await;
    let id = event.replace("evt_", "cpr_");
    let stub = json!({ "id": id, "truncated": true });
    assert_eq!(bundle.all("/v1/checkpoint-records").await.first(), Some(&stub));
    assert_eq!(bundle.get(&format!("/v1/checkpoint-records/{id}"), 200).await, stub);
}

#[tokio::test]
async fn a_person_that_cannot_be_read_is_listed_shown_and_erased() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    for id in ["u-1", "u-2", "u-3"] {
        bundle.accept(&hook, &json!({ "user": { "id": id, "email": "ava@example.com" }, "tag": "t" })).await;
    }
    let people = bundle.until_count("/v1/subscribers", 3).await;
    let store = &bundle.local.app.store;
    // The second was being erased before.
    let begun = json!({
        "connection": hook.connection, "until": bundle.local.app.now(), "identifiers": [], "unique_values": [],
        "events_position": null, "rejected_position": null,
    });
    for (left, (person, erasing)) in [(2, (&people[1], None)), (1, (&people[2], Some(begun.to_string())))] {
        let id = string(&person["id"]);
        let read: StoredSubscriber = store.record(&id).await.unwrap().unwrap();
        let profile = Some("{\"broken\":".to_owned());
        let broken = StoredSubscriber { version: read.version + 1, profile, erasing, ..read };
        store.write_subscriber(&id.parse().unwrap(), &broken).await.unwrap();
        let stub = json!({ "id": id, "truncated": true });
        let listed = bundle.all("/v1/subscribers").await;
        assert!(listed.len() == left + 1 && listed.contains(&stub), "{listed:?}");
        assert_eq!(bundle.get(&format!("/v1/subscribers/{id}"), 200).await, stub);
        bundle.delete(&format!("/v1/subscribers/{id}"), 204).await;
        bundle.delete(&format!("/v1/subscribers/{id}"), 404).await;
        assert_eq!(bundle.all("/v1/subscribers").await.len(), left);
        let events = bundle.all(&format!("/v1/events?subscriber={id}")).await;
        assert!(!events.is_empty() && events.iter().all(|event| event["data"]["raw"].is_null()), "{events:?}");
    }
}

#[tokio::test]
async fn an_item_that_cannot_be_read_stops_no_list() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let event = bundle.accept(&hook, &json!({ "user": { "id": "u-1" }, "tag": "t" })).await;
    bundle.until_count("/v1/subscribers", 1).await;
    let (key, _) = make_key(&bundle, "read").await;
    let store = &bundle.local.app.store;
    let later = |table: &str| store.client.update_item().table_name(table).update_expression("SET v = :v, #s = :s");
    let later = |table: &str| {
        let values =
            later(table).expression_attribute_values(":v", number(99)).expression_attribute_values(":s", text("later"));
        values.expression_attribute_names("#s", "scope")
    };
    later(&store.tables.control).key("pk", text("key")).key("sk", text(&key)).send().await.unwrap();
    let id: models::EventId = event.parse().unwrap();
    later(&store.tables.events).key("pk", text(id.key().to_string())).send().await.unwrap();
    for (list, id) in [("/v1/keys", &key), ("/v1/events", &event)] {
        let stub = json!({ "id": id, "truncated": true });
        assert!(bundle.all(list).await.contains(&stub), "{list}");
    }
    assert_eq!(bundle.get(&format!("/v1/events/{event}"), 200).await, json!({ "id": event, "truncated": true }));
}

//! Filters of the list of deliveries that combine, and the events that it adds on request.

use crate::support::{
    assertions::{pointers, refused},
    receiver::{Receiver, route, start, until_all},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tests::{Bundle, string};

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| string(&item["id"])).collect()
}

/// Every item of a list that is read in pages of two.
async fn paged(bundle: &Bundle, list: &str) -> Vec<String> {
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = bundle.get(&format!("{list}&limit=2{cursor}"), 200).await;
        paged.extend(ids(page["items"].as_array().unwrap()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return paged,
        }
    }
}

#[tokio::test]
async fn filters_by_reason_and_time_of_the_event_combine_with_the_others() {
    let bundle = start("0").await;
    let ((_, taking), (bad, failing)) = (Receiver::start().await, Receiver::start().await);
    bad.says(500, "no");
    let (good, lost) = (route(&bundle, "botstar.*", &taking).await, route(&bundle, "botstar.*", &failing).await);
    let new = json!({ "name": "n", "events": ["botstar.*"],
        "target": { "type": "webhook", "url": taking, "body": { "plan": "data.subscriber.attributes.plan" } } });
    let unmappable = string(&bundle.post("/v1/routes", &new, 201).await["id"]);
    let hook = bundle.hook("botstar.watch-tag").await;
    let (mut events, mut times) = (Vec::new(), Vec::new());
    for n in 0..6 {
        let event = bundle.accept(&hook, &json!({ "user": { "id": n }, "tag": "vip" })).await;
        times.push(string(&bundle.get(&format!("/v1/events/{event}"), 200).await["time"]));
        events.push(event);
        bundle.clock.advance(Duration::from_secs(60));
    }
    until_all(&bundle, &format!("/v1/deliveries?route={good}"), "succeeded", 6).await;
    until_all(&bundle, &format!("/v1/deliveries?route={lost}"), "dead", 6).await;
    until_all(&bundle, &format!("/v1/deliveries?route={unmappable}"), "dead", 6).await;
    let all = bundle.all("/v1/deliveries").await;
    assert_eq!(all.len(), 18);
    let (second, fifth) = (&times[1], &times[4]);
    let span = format!("after={second}&before={fifth}");
    let inside = |delivery: &Value| events[2..4].contains(&string(&delivery["event"]));
    for (filter, count) in [
        (span.clone(), 6),
        (format!("after={second}"), 12),
        (format!("before={fifth}"), 12),
        ("reason=unmappable".to_owned(), 6),
        ("reason=attempts_used_up&state=dead".to_owned(), 6),
        ("reason=unmappable&state=succeeded".to_owned(), 0),
        ("reason=unmappable&state=pending".to_owned(), 0),
        ("reason=target_gone".to_owned(), 0),
        ("reason=route_disabled".to_owned(), 0),
        (format!("reason=unmappable&{span}"), 2),
        (format!("state=dead&{span}"), 4),
        (format!("state=succeeded&{span}"), 2),
        (format!("state=pending&{span}"), 0),
        (format!("route={lost}&{span}"), 2),
        (format!("route={lost}&reason=unmappable"), 0),
        (format!("route={lost}&reason=attempts_used_up&state=dead&{span}"), 2),
        (format!("event={}&{span}", events[2]), 3),
        (format!("event={}&reason=unmappable&{span}", events[2]), 1),
        (format!("event={}&{span}", events[1]), 0),
        (format!("event={}&{span}", events[4]), 0),
    ] {
        let list = format!("/v1/deliveries?{filter}");
        let listed = bundle.all(&list).await;
        assert_eq!(listed.len(), count, "{filter}");
        assert!(listed.iter().all(|delivery| all.contains(delivery)), "{filter}");
        assert!(!filter.contains("after") || !filter.contains("before") || listed.iter().all(inside), "{filter}");
        assert_eq!(paged(&bundle, &list).await, ids(&listed), "{filter}");
    }
    for (query, parameter) in [
        ("reason=gone", "reason"),
        ("reason=Unmappable", "reason"),
        ("after=yesterday", "after"),
        ("before=2026", "before"),
        ("expand=route", "expand"),
        ("expand=event,route", "expand"),
        ("expand=", "expand"),
    ] {
        let request = bundle.request(Method::GET, &format!("/v1/deliveries?{query}"));
        assert_eq!(pointers(&refused(request, 422, "invalid_query").await), [parameter]);
    }
}

#[tokio::test]
async fn pending_deliveries_are_filtered_by_the_time_of_their_event() {
    let (bundle, (receiver, url)) = (start("86400").await, Receiver::start().await);
    receiver.says(500, "later");
    route(&bundle, "*", &url).await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let first = bundle.accept(&hook, &json!({ "user": { "id": 1 }, "tag": "vip" })).await;
    bundle.clock.advance(Duration::from_secs(60));
    let second = bundle.accept(&hook, &json!({ "user": { "id": 2 }, "tag": "vip" })).await;
    bundle.until_count("/v1/deliveries?state=pending", 2).await;
    let time = string(&bundle.get(&format!("/v1/events/{first}"), 200).await["time"]);
    let after = bundle.all(&format!("/v1/deliveries?state=pending&after={time}")).await;
    assert_eq!(after.iter().map(|delivery| &delivery["event"]).collect::<Vec<_>>(), [&json!(second)]);
    let until = bundle.all(&format!("/v1/deliveries?state=pending&before={time}")).await;
    assert_eq!(until, [Value::Null; 0]);
}

#[tokio::test]
async fn deliveries_name_the_type_and_the_person_of_their_event_on_request() {
    let (bundle, (_, url)) = (start("0").await, Receiver::start().await);
    let to = route(&bundle, "botstar.*", &url).await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let name = "Ä".repeat(300);
    for user in [
        json!({ "id": "u-1", "name": "Ava Chen" }),
        json!({ "id": 42 }),
        json!({ "id": "u-3", "name": name }),
        json!({ "name": "without an id" }),
        json!({ "id": "u-5", "name": "erased" }),
    ] {
        bundle.accept(&hook, &json!({ "user": user, "tag": "vip" })).await;
    }
    let plain = until_all(&bundle, "/v1/deliveries", "succeeded", 5).await;
    let person = |platform_id: &str, name: Value| json!({ "platform_id": platform_id, "name": name });
    let expanded = bundle.all("/v1/deliveries?expand=event").await;
    let subscribers: Vec<Value> = expanded
        .iter()
        .map(|delivery| {
            assert_eq!(delivery["event_type"], "botstar.tag.added");
            let mut person = delivery["subscriber"].clone();
            if let Some(person) = person.as_object_mut() {
                let id = person.shift_remove("id").unwrap();
                assert!(id.as_str().unwrap().starts_with("sub_"), "{id}");
            }
            person
        })
        .collect();
    assert_eq!(
        subscribers,
        [
            person("u-5", json!("erased")),
            Value::Null,
            person("u-3", json!("Ä".repeat(200))),
            person("42", Value::Null),
            person("u-1", json!("Ava Chen")),
        ]
    );
    let document = bundle.get("/v1/openapi.json", 200).await;
    let of_list = &document["paths"]["/v1/deliveries"]["get"]["responses"]["200"]["content"]["application/json"];
    let schema = json!({ "allOf": [of_list["schema"]], "components": document["components"] });
    let schema = jsonschema::validator_for(&schema).unwrap();
    for list in ["/v1/deliveries?expand=event", "/v1/deliveries"] {
        let page = bundle.get(list, 200).await;
        assert!(schema.is_valid(&page), "{page}");
    }
    let bare = |mut delivery: Value| {
        let fields = delivery.as_object_mut().unwrap();
        assert!(fields.shift_remove("event_type").is_some() && fields.shift_remove("subscriber").is_some());
        delivery
    };
    assert_eq!(expanded.into_iter().map(bare).collect::<Vec<_>>(), plain, "else they are as they were");
    assert!(plain.iter().all(|delivery| delivery.get("subscriber").is_none()));

    // A later event takes the key of the first, which is still found.
    bundle.clock.advance(Duration::from_secs(601));
    bundle.accept(&hook, &json!({ "user": { "id": "u-1", "name": "Ava Chen" }, "tag": "vip" })).await;
    let list = format!("/v1/deliveries?route={to}&expand=event");
    until_all(&bundle, &list, "succeeded", 6).await;
    let called = |items: &[Value], name: &str| items.iter().filter(|item| item["subscriber"]["name"] == name).count();
    assert_eq!(called(&bundle.all(&list).await, "Ava Chen"), 2);

    let erased = bundle.until_count("/v1/subscribers", 4).await;
    let erased = erased.iter().find(|person| person["name"] == "erased").unwrap();
    bundle.delete(&format!("/v1/subscribers/{}", string(&erased["id"])), 204).await;
    let expanded = bundle.all(&list).await;
    assert_eq!(called(&expanded, "erased"), 0);
    assert!(expanded.iter().all(|delivery| delivery["event_type"] == "botstar.tag.added"), "the type stays");
    assert_eq!(expanded.iter().filter(|delivery| delivery["subscriber"].is_null()).count(), 2);
}

#[tokio::test]
async fn a_page_of_a_hundred_reads_its_events_in_one_batch() {
    let (bundle, (_, url)) = (start("0").await, Receiver::start().await);
    for _ in 0..2 {
        route(&bundle, "botstar.*", &url).await;
    }
    let hook = bundle.hook("botstar.watch-tag").await;
    for n in 0..50 {
        bundle.accept(&hook, &json!({ "user": { "id": n, "name": "Ava" }, "tag": "vip" })).await;
    }
    until_all(&bundle, "/v1/deliveries", "succeeded", 100).await;
    let batches = || {
        let calls = bundle.local.database.calls();
        let events = &bundle.local.app.config.tables.events;
        calls
            .iter()
            .filter(|((operation, table), _)| *operation == "BatchGetItem" && table == events)
            .map(|(_, n)| n)
            .sum::<u64>()
    };
    let before = batches();
    let page = bundle.get("/v1/deliveries?expand=event&limit=100", 200).await;
    assert_eq!(batches() - before, 1);
    let people: BTreeSet<&str> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["subscriber"]["platform_id"].as_str().unwrap())
        .collect();
    assert_eq!(people.len(), 50);
}

//! Subscribers looked up by their id at the platform.

use crate::support::assertions::{pointers, refused};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tests::{Bundle, string};

async fn found(bundle: &Bundle, query: &str) -> Vec<Value> {
    bundle.all(&format!("/v1/subscribers?{query}")).await
}

#[tokio::test]
async fn a_platform_id_is_looked_up_under_each_connection() {
    let bundle = Bundle::start().await;
    let hooks = [
        bundle.hook("botstar.watch-tag").await,
        bundle.hook("botstar.watch-tag").await,
        bundle.hook("botmother.watch-request").await,
    ];
    bundle.accept(&hooks[0], &json!({ "user": { "id": "a b/ü", "name": "first" }, "tag": "vip" })).await;
    bundle.accept(&hooks[1], &json!({ "user": { "id": "a b/ü", "name": "second" }, "tag": "new" })).await;
    bundle.accept(&hooks[0], &json!({ "user": { "id": 42, "name": "number" }, "tag": "vip" })).await;
    bundle.accept(&hooks[2], &json!({ "bm_id": "a b/ü", "text": "Hi" })).await;
    let all = bundle.until_count("/v1/subscribers", 4).await;
    let id = "platform_id=a%20b%2F%C3%BC";
    let connections = |people: &[Value]| people.iter().map(|person| string(&person["connection"])).collect::<Vec<_>>();
    let newest_first: Vec<String> = hooks.iter().rev().map(|hook| hook.connection.clone()).collect();
    let people = found(&bundle, id).await;
    assert_eq!(connections(&people), newest_first);
    assert!(people.iter().all(|person| all.contains(person)), "as in the list of all");
    for (query, expected) in [
        (format!("{id}&platform=botstar"), &newest_first[1..]),
        (format!("{id}&platform=chatbot"), &[]),
        (format!("{id}&tag=vip"), &newest_first[2..]),
        (format!("{id}&tag=vip&platform=botmother"), &[]),
        ("platform_id=42".to_owned(), &newest_first[2..]),
        ("platform_id=a%20b".to_owned(), &[]),
        ("platform_id=Ava".to_owned(), &[]),
    ] {
        assert_eq!(connections(&found(&bundle, &query).await), expected, "{query}");
    }
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    for _ in 0..3 {
        let page = bundle.get(&format!("/v1/subscribers?{id}&limit=1{cursor}"), 200).await;
        paged.extend(page["items"].as_array().unwrap().clone());
        cursor = page["next"].as_str().map(|next| format!("&cursor={next}")).unwrap_or_default();
    }
    assert_eq!((paged, cursor.as_str()), (people.clone(), ""), "page by page, and then the end");
    let page = bundle.get(&format!("/v1/subscribers?{id}&limit=1"), 200).await;
    let other = format!("/v1/subscribers?platform_id=42&cursor={}", string(&page["next"]));
    assert_eq!(pointers(&refused(bundle.request(Method::GET, &other), 422, "invalid_query").await), ["cursor"]);
    let empty = bundle.request(Method::GET, "/v1/subscribers?platform_id=");
    assert_eq!(pointers(&refused(empty, 422, "invalid_query").await), ["platform_id"]);

    bundle.delete(&format!("/v1/subscribers/{}", string(&people[0]["id"])), 204).await;
    assert_eq!(connections(&found(&bundle, id).await), &newest_first[1..], "an erased person is not found");
}

/// The lookup takes two requests for up to a hundred connections, and never reads the people in between.
#[tokio::test]
async fn the_lookup_costs_the_same_for_one_connection_and_for_many() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    bundle.accept(&hook, &json!({ "user": { "id": "u-1" }, "tag": "vip" })).await;
    bundle.until_count("/v1/subscribers", 1).await;
    for connections in [0, 12, 100] {
        for _ in 0..connections {
            bundle.connection("botstar").await;
        }
        let tables = &bundle.local.app.config.tables;
        let calls = || -> BTreeMap<String, u64> {
            let calls = bundle.local.database.calls();
            let of = |operation: &str, of: &str| {
                let count =
                    |((name, table), n): (&(String, String), &u64)| (name == operation && table == of).then_some(*n);
                calls.iter().filter_map(count).sum()
            };
            [("connections", of("Query", &tables.control)), ("people", of("BatchGetItem", &tables.records))]
                .map(|(name, count)| (name.to_owned(), count))
                .into()
        };
        let before = calls();
        let people = found(&bundle, "platform_id=u-1").await;
        assert_eq!(people.len(), 1);
        let batches = if connections == 100 { 2 } else { 1 };
        for (what, count) in calls() {
            assert_eq!(count - before[&what], batches, "{what}, {connections} more connections");
        }
    }
}

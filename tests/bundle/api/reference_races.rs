//! Races between deleting a connection or hook and making an item that names it: whichever wins, no name dangles.

use crate::support::target::ALLOW;
use futures::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tests::{Bundle, answer, string};

const ROUNDS: usize = 40;
/// The longest distance is 0.6 s, longer than a request takes on a busy machine.
const STEP: Duration = Duration::from_micros(50);

/// Sends all at once, in an order and at distances that differ by round; the statuses.
async fn at_once(requests: Vec<RequestBuilder>, round: usize) -> Vec<u16> {
    let count = requests.len();
    let send = async |(at, request): (usize, RequestBuilder)| {
        let distance = u32::try_from(((at + round) % count * (round % ROUNDS)) << (round / 6)).unwrap();
        tokio::time::sleep(STEP * distance).await;
        answer(request).await.status.as_u16()
    };
    join_all(requests.into_iter().enumerate().map(send)).await
}

fn route(fields: Value) -> Value {
    let target = json!({ "type": "webhook", "url": "http://127.0.0.1:9/" });
    let mut route = json!({ "name": "n", "events": ["*"], "target": target });
    route.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    route
}

/// The named connections and hooks that no longer exist.
async fn orphans(bundle: &Bundle) -> Vec<String> {
    let mut there = BTreeSet::new();
    for list in ["/v1/connections", "/v1/hooks"] {
        there.extend(bundle.all(list).await.iter().map(|item| string(&item["id"])));
    }
    let (mut users, mut orphans) = (bundle.all("/v1/hooks").await, Vec::new());
    users.extend(bundle.all("/v1/routes").await);
    for user in users {
        for named in [&user["hook"], &user["connection"], &user["target"]["connection"]] {
            if named.as_str().is_some_and(|id| !there.contains(id)) {
                orphans.push(format!("{} names {named}", user["id"]));
            }
        }
    }
    orphans
}

/// Runs rounds in which a thing is deleted and named at once, and counts those that each side won.
async fn race(bundle: &Bundle, rounds: Vec<(String, Vec<RequestBuilder>)>) {
    let (mut deleted, mut kept) = (0, 0);
    for (round, (doomed, mut requests)) in rounds.into_iter().enumerate() {
        let deletion = || bundle.request(Method::DELETE, &doomed);
        let count = requests.len();
        requests.extend([deletion(), deletion()]);
        let statuses = at_once(requests, round).await;
        let (made, deletions) = statuses.split_at(count);
        assert!(made.iter().all(|status| matches!(status, 200 | 201 | 404 | 409)), "{statuses:?}");
        assert!(deletions.iter().all(|status| matches!(status, 204 | 404 | 409)), "{statuses:?}");
        let is_deleted = deletions.contains(&204);
        assert!(!is_deleted || made.iter().all(|status| *status > 400), "{statuses:?}");
        if is_deleted { deleted += 1 } else { kept += 1 }
    }
    assert_eq!(orphans(bundle).await, [""; 0]);
    assert!(deleted > 0 && kept > 0, "{deleted} deleted, {kept} kept");
}

#[tokio::test]
async fn no_hook_outlives_its_connection() {
    let bundle = Bundle::start().await;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let connection = bundle.connection("botstar").await;
        let new = json!({ "trigger": "botstar.watch-tag", "name": "n", "connection": connection });
        let make = || bundle.request(Method::POST, "/v1/hooks").json(&new);
        rounds.push((format!("/v1/connections/{connection}"), vec![make(), make(), make()]));
    }
    race(&bundle, rounds).await;
}

#[tokio::test]
async fn no_route_outlives_its_connection() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let connection = bundle.connection("chatbot").await;
        let input = json!({ "user_id": "subject" });
        let runs = json!({ "type": "action", "action": "chatbot.get-user", "connection": connection, "input": input });
        let existing = string(&bundle.post("/v1/routes", &route(json!({})), 201).await["id"]);
        let make = |fields| bundle.request(Method::POST, "/v1/routes").json(&route(fields));
        let requests = vec![
            make(json!({ "connection": connection })),
            make(json!({ "target": runs })),
            // The same twice in one route is one reference.
            make(json!({ "connection": connection, "target": runs })),
            bundle.request(Method::PATCH, &format!("/v1/routes/{existing}")).json(&json!({ "target": runs })),
        ];
        rounds.push((format!("/v1/connections/{connection}"), requests));
    }
    race(&bundle, rounds).await;
}

#[tokio::test]
async fn no_route_outlives_its_hook() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let hook = bundle.hook("botstar.watch-tag").await.id;
        let existing = string(&bundle.post("/v1/routes", &route(json!({})), 201).await["id"]);
        let make = || bundle.request(Method::POST, "/v1/routes").json(&route(json!({ "hook": hook })));
        let change = bundle.request(Method::PATCH, &format!("/v1/routes/{existing}")).json(&json!({ "hook": hook }));
        rounds.push((format!("/v1/hooks/{hook}"), vec![make(), change, make()]));
    }
    race(&bundle, rounds).await;
}

/// A forced deletion leaves routes that name what is gone, all of them disabled.
#[tokio::test]
async fn no_route_is_enabled_whose_hook_is_deleted_by_force() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    for round in 0..ROUNDS {
        let hook = bundle.hook("botstar.watch-tag").await.id;
        let off = route(json!({ "hook": hook, "enabled": false }));
        let off = format!("/v1/routes/{}", string(&bundle.post("/v1/routes", &off, 201).await["id"]));
        let requests = vec![
            bundle.request(Method::POST, "/v1/routes").json(&route(json!({ "hook": hook }))),
            bundle.request(Method::PATCH, &off).json(&json!({ "enabled": true })),
            bundle.request(Method::DELETE, &format!("/v1/hooks/{hook}?force=true")),
        ];
        let statuses = at_once(requests, round).await;
        assert_eq!(statuses[2], 204, "{statuses:?}");
    }
    let enabled: Vec<Value> =
        bundle.all("/v1/routes").await.into_iter().filter(|route| route["enabled"] == true).collect();
    assert_eq!(enabled, [Value::Null; 0]);
}

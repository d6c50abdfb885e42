//! Deliveries as the API shows them: an event's way to a target, the lists and their filters.

use crate::support::{
    assertions::{make_key, pointers, refused, with_key},
    receiver::{Receiver, route, start, until_all, webhook_ids},
};
use models::{
    DeliveryState, ReplayId, StoredDelivery,
    delivery::{DeliveryOrigin, DeliveryTimes},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tests::{Bundle, string};

fn tagged(n: usize) -> Value {
    json!({ "user": { "id": n }, "tag": "vip" })
}

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| string(&item["id"])).collect()
}

#[tokio::test]
async fn an_events_delivery_is_shown_with_its_attempts() {
    let (bundle, (receiver, url)) = (start("0").await, Receiver::start().await);
    let (route, hook) = (route(&bundle, "botstar.tag.*", &url).await, bundle.hook("botstar.watch-tag").await);
    let event = bundle.accept(&hook, &tagged(1)).await;
    let delivery = until_all(&bundle, &format!("/v1/deliveries?event={event}"), "succeeded", 1).await.remove(0);
    assert_eq!((&delivery["event"], &delivery["route"]), (&json!(event), &json!(route)));
    for unset in ["reason", "replay", "next_attempt_at"] {
        assert_eq!(delivery[unset], Value::Null, "{unset}");
    }
    let [attempt] = delivery["attempts"].as_array().unwrap().as_slice() else { panic!("{delivery}") };
    assert_eq!((&attempt["status"], &attempt["body"], &attempt["error"]), (&json!(202), &json!("taken"), &Value::Null));
    assert_eq!(bundle.get(&format!("/v1/deliveries/{}", string(&delivery["id"])), 200).await, delivery);
    assert_eq!(webhook_ids(&receiver.received()), [event]);
}

/// A bundle with five events, each delivered to one route and dead on the way to another; the routes.
async fn filled(bundle: &Bundle) -> [String; 2] {
    let ((_, good), (bad, lost)) = (Receiver::start().await, Receiver::start().await);
    bad.says(500, "no");
    let routes = [route(bundle, "*", &good).await, route(bundle, "botstar.*", &lost).await];
    let hook = bundle.hook("botstar.watch-tag").await;
    for n in 0..5 {
        bundle.accept(&hook, &tagged(n)).await;
    }
    // A dead delivery is an event itself, which goes to the first route.
    until_all(bundle, &format!("/v1/deliveries?route={}", routes[1]), "dead", 5).await;
    until_all(bundle, &format!("/v1/deliveries?route={}", routes[0]), "succeeded", 10).await;
    routes
}

#[tokio::test]
async fn lists_take_filters_and_go_page_by_page() {
    let bundle = start("0").await;
    let [good, lost] = filled(&bundle).await;
    let all = bundle.all("/v1/deliveries").await;
    let event = string(&bundle.all(&format!("/v1/deliveries?route={lost}")).await[0]["event"]);
    for (filter, count) in [
        (String::new(), 15),
        ("?state=succeeded".to_owned(), 10),
        ("?state=dead".to_owned(), 5),
        ("?state=pending".to_owned(), 0),
        ("?state=skipped".to_owned(), 0),
        (format!("?route={good}"), 10),
        (format!("?route={good}&state=dead"), 0),
        (format!("?route={lost}&state=dead"), 5),
        (format!("?route={lost}&state=succeeded"), 0),
        (format!("?event={event}"), 2),
        (format!("?event={event}&state=dead"), 1),
        (format!("?event={event}&route={good}"), 1),
        (format!("?event={event}&state=skipped"), 0),
    ] {
        let listed = ids(&bundle.all(&format!("/v1/deliveries{filter}")).await);
        assert_eq!(listed.len(), count, "{filter}");
        assert!(listed.is_sorted_by(|a, b| a > b), "the newest first, none twice: {listed:?}");
        for (name, value) in filter.trim_start_matches('?').split('&').filter_map(|pair| pair.split_once('=')) {
            assert!(all.iter().filter(|one| listed.contains(&string(&one["id"]))).all(|one| one[name] == value));
        }
        let (mut paged, mut cursor) = (Vec::new(), String::new());
        loop {
            let joint = if filter.is_empty() { '?' } else { '&' };
            let page = bundle.get(&format!("/v1/deliveries{filter}{joint}limit=2{cursor}"), 200).await;
            assert!(page["items"].as_array().unwrap().len() <= 2);
            paged.extend(ids(page["items"].as_array().unwrap()));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(paged, listed, "{filter}");
    }
}

/// The ids of a list that is read in pages of this many.
async fn paged(bundle: &Bundle, list: &str, limit: usize) -> Vec<String> {
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = bundle.get(&format!("{list}&limit={limit}{cursor}"), 200).await;
        paged.extend(ids(page["items"].as_array().unwrap()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return paged,
        }
    }
}

#[tokio::test]
async fn an_event_with_many_deliveries_is_listed_whole_between_its_neighbours() {
    const MANY: u8 = 130;
    let (bundle, (_, url)) = (start("0").await, Receiver::start().await);
    let (route, hook) = (route(&bundle, "*", &url).await, bundle.hook("botstar.watch-tag").await);
    let mut events = Vec::new();
    for n in 0..5 {
        events.push(bundle.accept(&hook, &tagged(n)).await);
        bundle.clock.advance(Duration::from_secs(1));
    }
    until_all(&bundle, "/v1/deliveries", "succeeded", 5).await;
    let (event, to, now) = (events[2].parse().unwrap(), route.parse().unwrap(), bundle.local.app.now());
    let replayed = |n: u8| {
        let replay = ReplayId::new(now, [n; 10]);
        let of = DeliveryOrigin { event: &event, event_expires: u64::MAX, route: &to, replay: Some(&replay) };
        let when = DeliveryTimes { next_attempt_at: now, due_at: now, expires: now.plus_seconds(86_400) };
        let mut delivery = StoredDelivery::new(of, now, when);
        delivery.finish(DeliveryState::Succeeded, None);
        delivery
    };
    let mut made: Vec<StoredDelivery> = (0..MANY).map(replayed).collect();
    bundle.local.app.store.create_deliveries(&mut made, now).await.unwrap();
    let of_event = paged(&bundle, &format!("/v1/deliveries?event={}", events[2]), 100).await;
    assert_eq!(of_event.len(), usize::from(MANY) + 1);
    for limit in [1, 7, 50, 51, 100] {
        let all = paged(&bundle, &format!("/v1/deliveries?route={route}"), limit).await;
        assert!(all.is_sorted_by(|a, b| a > b), "the newest first, none twice");
        assert_eq!((all.len(), &all[2..all.len() - 2]), (of_event.len() + 4, &of_event[..]), "{limit}");
    }
    // A call that works through all of them goes on where the one before has ended.
    let store = &bundle.local.app.store;
    for events in [1, 3, 9] {
        let (mut walked, mut position) = (Vec::new(), None);
        loop {
            let mut walk = store.walk_events(None, None, position).await.unwrap();
            let some = walk.next(events, |_| true).await.unwrap().unwrap();
            walked.extend(some.into_iter().map(|item| item["sk"].as_s().unwrap().clone()));
            position = walk.position().await.unwrap();
            if position.is_none() {
                break;
            }
        }
        assert_eq!(walked, paged(&bundle, "/v1/deliveries?state=succeeded", 100).await, "{events}");
    }
}

#[tokio::test]
async fn deliveries_from_before_a_change_of_the_route_are_listed() {
    let (bundle, (_, url)) = (start("0").await, Receiver::start().await);
    let (id, hook) = (route(&bundle, "botstar.tag.*", &url).await, bundle.hook("botstar.watch-tag").await);
    bundle.accept(&hook, &tagged(1)).await;
    let list = format!("/v1/deliveries?route={id}");
    until_all(&bundle, &list, "succeeded", 1).await;
    bundle.clock.advance(Duration::from_secs(120));
    let other = json!({ "events": ["botmother.*"], "hook": bundle.hook("botmother.watch-request").await.id });
    bundle.patch(&format!("/v1/routes/{id}"), &other, 200).await;
    until_all(&bundle, &list, "succeeded", 1).await;
    bundle.clock.advance(Duration::from_secs(120));
    bundle.accept(&hook, &tagged(2)).await;
    bundle.until_count("/v1/subscribers", 2).await;
    until_all(&bundle, &list, "succeeded", 1).await;
    bundle.delete(&format!("/v1/routes/{id}"), 204).await;
    until_all(&bundle, &list, "succeeded", 1).await;
}

#[tokio::test]
async fn pending_deliveries_are_listed_by_their_next_check() {
    let (bundle, (receiver, url)) = (start("86400").await, Receiver::start().await);
    receiver.says(500, "later");
    let (route, hook) = (route(&bundle, "*", &url).await, bundle.hook("botstar.watch-tag").await);
    for n in 0..6 {
        bundle.accept(&hook, &tagged(n)).await;
    }
    let attempted = |delivery: &&Value| !delivery["attempts"].as_array().unwrap().is_empty();
    let pending = tests::eventually(|| async {
        let pending = bundle.all("/v1/deliveries?state=pending").await;
        (pending.iter().filter(attempted).count() == 6).then_some(pending)
    })
    .await;
    let times: Vec<String> = pending.iter().map(|delivery| string(&delivery["next_attempt_at"])).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    let page = bundle.get(&format!("/v1/deliveries?state=pending&route={route}&limit=4"), 200).await;
    let next = string(&page["next"]);
    let rest = bundle.get(&format!("/v1/deliveries?state=pending&route={route}&limit=4&cursor={next}"), 200).await;
    let paged: Vec<Value> = [page, rest].iter().flat_map(|page| page["items"].as_array().unwrap().clone()).collect();
    assert_eq!(paged, pending);
}

#[tokio::test]
async fn an_unknown_filter_of_deliveries_is_refused() {
    let bundle = start("0").await;
    let [good, lost] = filled(&bundle).await;
    let event = string(&bundle.all(&format!("/v1/deliveries?route={lost}")).await[0]["event"]);
    for (query, parameter) in [
        ("route=evt_1", "route"),
        ("event=rt_1", "event"),
        ("state=failed", "state"),
        ("state=Dead", "state"),
        ("limit=101", "limit"),
        ("hook=x", "hook"),
        ("cursor=x", "cursor"),
    ] {
        let problem =
            refused(bundle.request(Method::GET, &format!("/v1/deliveries?{query}")), 422, "invalid_query").await;
        assert_eq!(pointers(&problem), [parameter]);
    }
    // A position of one index means nothing in another.
    let lists = ["", "state=dead&", "state=succeeded&", &format!("event={event}&"), &format!("route={good}&")];
    let mut cursors = BTreeSet::new();
    for own in lists {
        let page = bundle.get(&format!("/v1/deliveries?{own}limit=1"), 200).await;
        let cursor = string(&page["next"]);
        for other in lists {
            let request = bundle.request(Method::GET, &format!("/v1/deliveries?{other}cursor={cursor}"));
            if own == other {
                tests::expect(request, 200).await;
            } else {
                assert_eq!(pointers(&refused(request, 422, "invalid_query").await), ["cursor"], "{own} {other}");
            }
        }
        cursors.insert(cursor);
    }
    assert_eq!(cursors.len(), lists.len());
}

#[tokio::test]
async fn a_delivery_that_is_not_there_is_not_found_and_a_key_reaches_as_far_as_its_scope() {
    let bundle = start("0").await;
    filled(&bundle).await;
    let dead = bundle.all("/v1/deliveries?state=dead").await.remove(0);
    let (one, gone) = (string(&dead["id"]), format!("dlv_{}", "0".repeat(64)));
    for (method, path) in [(Method::GET, ""), (Method::POST, "/retry")] {
        for id in [gone.as_str(), "x", "rt_0"] {
            refused(bundle.request(method.clone(), &format!("/v1/deliveries/{id}{path}")), 404, "not_found").await;
        }
    }
    let ((_, reader), (_, operator)) = (make_key(&bundle, "read").await, make_key(&bundle, "operate").await);
    let wrong = with_key(&bundle, Method::POST, "/v1/deliveries/retry", &operator).json(&json!({ "nothing": 1 }));
    refused(wrong, 422, "invalid_body").await;
    for key in [&reader, &operator] {
        for path in ["/v1/deliveries", &format!("/v1/deliveries/{one}")] {
            tests::expect(with_key(&bundle, Method::GET, path, key), 200).await;
        }
    }
    for path in ["/v1/deliveries/retry", &format!("/v1/deliveries/{one}/retry")] {
        let request = with_key(&bundle, Method::POST, path, &reader).json(&json!({}));
        refused(request, 403, "forbidden").await;
    }
    assert_eq!(bundle.get(&format!("/v1/deliveries/{one}"), 200).await, dead, "nothing was retried");
}

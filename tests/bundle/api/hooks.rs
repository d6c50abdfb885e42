//! Hooks, from made to deleted.

use crate::support::assertions::{by_hand, make_key, refused, rejected, with_key};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{Bundle, TestHook, answer, expect, string};

fn tag(number: u32) -> Value {
    json!({ "user": { "id": "u-1", "name": "Ava" }, "tag": "vip", "number": number })
}

fn path(hook: &TestHook) -> String {
    format!("/v1/hooks/{}", hook.id)
}

async fn status(bundle: &Bundle, url: &str, number: u32) -> u16 {
    bundle.send(url, tag(number).to_string()).await.status.as_u16()
}

#[tokio::test]
async fn a_hook_is_made_read_and_changed() {
    let bundle = Bundle::start().await;
    let connection = bundle.connection("botstar").await;
    let settings = json!({
        "mapping": { "tag": "/label" }, "dedupe_seconds": 0, "keep_query": null, "reply": null, "live_only": null,
    });
    let new = json!({ "trigger": "botstar.watch-tag", "name": "Tags", "connection": connection, "settings": settings });
    let made = bundle.post("/v1/hooks", &new, 201).await;
    for field in ["trigger", "name", "connection", "settings"] {
        assert_eq!(made[field], new[field], "{made}");
    }
    assert_eq!((&made["enabled"], &made["old_url_until"]), (&json!(true), &Value::Null));
    assert!(string(&made["setup"]).contains("BotStar"), "{made}");
    let url = string(&made["url"]);
    let token = url.strip_prefix(&format!("{}/hooks/botstar/tag/", bundle.local.url)).unwrap();
    // The hook's id, and 256 random bits.
    assert_eq!(token.len(), 64, "{token}");

    let path = format!("/v1/hooks/{}", string(&made["id"]));
    assert_eq!(bundle.get(&path, 200).await, made, "the URL is shown again");
    assert_eq!(bundle.all("/v1/hooks").await, std::slice::from_ref(&made));
    let mut unseen = made.clone();
    unseen["url"] = Value::Null;
    for scope in ["read", "act"] {
        let (_, key) = make_key(&bundle, scope).await;
        assert_eq!(expect(with_key(&bundle, Method::GET, &path, &key), 200).await, unseen);
        let listed = expect(with_key(&bundle, Method::GET, "/v1/hooks", &key), 200).await;
        assert_eq!(listed["items"], json!([unseen]));
    }

    assert_eq!(bundle.patch(&path, &json!({}), 200).await["name"], "Tags");
    let renamed = bundle.patch(&path, &json!({ "name": "VIPs ⭐" }), 200).await;
    assert_eq!((&renamed["name"], &renamed["settings"], &renamed["url"]), (&json!("VIPs ⭐"), &settings, &made["url"]));
    let changed = bundle.patch(&path, &json!({ "settings": { "dedupe_seconds": 5 } }), 200).await;
    assert_eq!(
        changed["settings"],
        json!({ "mapping": {}, "dedupe_seconds": 5, "keep_query": null, "reply": null, "live_only": null }),
        "the settings are replaced whole"
    );
    assert_eq!(bundle.get(&path, 200).await, changed);
}

#[tokio::test]
async fn changed_settings_count_from_the_next_call_on() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let body = json!({ "user": { "id": "u-1" }, "tag": "vip", "label": "gold" });
    let tag_of = async |event: String| bundle.get(&format!("/v1/events/{event}"), 200).await["data"]["tag"].clone();
    assert_eq!(tag_of(bundle.accept(&hook, &body).await).await, "vip");
    assert_eq!(bundle.send(&hook.url, body.to_string()).await.json()["status"], "duplicate");
    let settings = json!({ "settings": { "mapping": { "tag": "/label" }, "dedupe_seconds": 0 } });
    bundle.patch(&path(&hook), &settings, 200).await;
    assert_eq!(tag_of(bundle.accept(&hook, &body).await).await, "gold");
    bundle.accept(&hook, &body).await;
}

#[tokio::test]
async fn a_disabled_hook_answers_ignored_and_keeps_what_came() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let (path, body) = (path(&hook), tag(1).to_string());
    assert_eq!(bundle.patch(&path, &json!({ "enabled": false }), 200).await["enabled"], false);
    let ignored = bundle.send(&hook.url, body.clone()).await;
    assert_eq!((ignored.status.as_u16(), ignored.json()), (200, json!({ "status": "ignored", "event": null })));
    assert!(!ignored.headers.contains_key("x-switchboard-event"));
    assert_eq!(bundle.send(&hook.url, "no event at all").await.status, 200);
    assert_eq!(bundle.all("/v1/events").await, [Value::Null; 0]);
    let kept = rejected(&bundle, &hook.id).await;
    assert_eq!(kept.len(), 2);
    let first = &kept[1];
    assert_eq!((&first["code"], &first["body"]), (&json!("hook_disabled"), &json!(body)));
    assert_eq!((&first["bytes"], &first["content_type"]), (&json!(body.len()), &json!("application/json")));
    bundle.patch(&path, &json!({ "enabled": true }), 200).await;
    bundle.accept(&hook, &tag(1)).await;
    assert_eq!(rejected(&bundle, &hook.id).await, kept);
}

#[tokio::test]
async fn a_rotated_hook_takes_both_urls_until_the_grace_ends() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    assert_eq!(status(&bundle, &hook.url, 0).await, 200);
    let rotated = bundle.post(&format!("{}/rotate", path(&hook)), &json!({ "grace_seconds": 3600 }), 200).await;
    let new = string(&rotated["url"]);
    assert_ne!(new, hook.url);
    assert_eq!(bundle.get(&path(&hook), 200).await, rotated);
    let until = string(&rotated["old_url_until"]);
    let (old, hour) = (hook.url.as_str(), Duration::from_secs(3600));
    assert_eq!((status(&bundle, old, 1).await, status(&bundle, &new, 2).await), (200, 200));
    bundle.clock.advance(hour - Duration::from_secs(30));
    assert_eq!((status(&bundle, old, 3).await, status(&bundle, &new, 4).await), (200, 200));
    bundle.clock.advance(Duration::from_secs(30));
    // A warm process remembers the hook, yet not a token that has ended.
    assert_eq!((status(&bundle, old, 5).await, status(&bundle, &new, 6).await), (404, 200));
    let later = bundle.get(&path(&hook), 200).await;
    assert_eq!((&later["old_url_until"], &later["url"]), (&Value::Null, &json!(new)));
    assert!(until > string(&rotated["updated_at"]), "{rotated}");
}

#[tokio::test]
async fn without_a_grace_the_old_url_ends_at_once() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    assert_eq!(status(&bundle, &hook.url, 0).await, 200);
    let rotated = bundle.post(&format!("{}/rotate", path(&hook)), &json!({ "grace_seconds": 0 }), 200).await;
    assert_eq!(rotated["old_url_until"], Value::Null);
    refused(bundle.http.post(&hook.url).body("{}"), 404, "not_found").await;
    assert_eq!(status(&bundle, rotated["url"].as_str().unwrap(), 1).await, 200);
}

#[tokio::test]
async fn the_old_url_works_on_for_a_day_by_default() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    // A body is not needed.
    let rotated = expect(bundle.request(Method::POST, &format!("{}/rotate", path(&hook))), 200).await;
    bundle.clock.advance(Duration::from_secs(86_400 - 30));
    assert_eq!(status(&bundle, &hook.url, 1).await, 200);
    bundle.clock.advance(Duration::from_secs(30));
    assert_eq!(status(&bundle, &hook.url, 2).await, 404);
    assert_eq!(status(&bundle, rotated["url"].as_str().unwrap(), 3).await, 200);
}

#[tokio::test]
async fn every_rotation_leaves_each_old_url_the_end_it_was_promised() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let mut urls = vec![hook.url.clone()];
    for grace in [100, 1000] {
        let rotated = bundle.post(&format!("{}/rotate", path(&hook)), &json!({ "grace_seconds": grace }), 200).await;
        urls.push(string(&rotated["url"]));
    }
    let all = async |number: u32| {
        let mut all = Vec::new();
        for (at, url) in (0..).zip(&urls) {
            all.push(status(&bundle, url, number + at).await);
        }
        all
    };
    assert_eq!(all(0).await, [200, 200, 200]);
    bundle.clock.advance(Duration::from_secs(100));
    assert_eq!(all(10).await, [404, 200, 200], "the longer grace prolongs nothing");
    bundle.post(&format!("{}/rotate", path(&hook)), &json!({ "grace_seconds": 10 }), 200).await;
    bundle.clock.advance(Duration::from_secs(10));
    assert_eq!(all(20).await, [404, 200, 404], "a shorter grace cuts no longer one");
    bundle.post(&format!("{}/rotate", path(&hook)), &json!({ "grace_seconds": 0 }), 200).await;
    assert_eq!(all(30).await, [404, 404, 404], "only 0 ends all");
    let newest = string(&bundle.get(&path(&hook), 200).await["url"]);
    assert_eq!(status(&bundle, &newest, 40).await, 200);
}

#[tokio::test]
async fn a_sample_goes_through_the_front_door() {
    let bundle = Bundle::start().await;
    for watch in by_hand() {
        let hook = bundle.hook(watch.trigger.name).await;
        let sent = bundle.post(&format!("{}/sample", path(&hook)), &json!({}), 200).await;
        let sample: Value = serde_json::from_str(watch.sample).unwrap();
        assert_eq!((&sent["status"], &sent["body"]), (&json!(200), &sample), "{sent}");
        assert_eq!(sent["answer"]["status"], "accepted", "{sent}");
        let event = bundle.get(&format!("/v1/events/{}", string(&sent["answer"]["event"])), 200).await;
        assert_eq!((&event["type"], &event["data"]["raw"]), (&json!(watch.trigger.event_type), &sample));
        assert_eq!(event["data"]["unmapped"], json!([]));
        let data = event["data"].to_string();
        for header in watch.trigger.headers {
            assert!(data.contains(&format!("\"{}\"", header.sample)), "{}: {data}", header.name);
        }
        let again = bundle.post(&format!("{}/sample", path(&hook)), &json!({}), 200).await;
        assert_eq!(again["answer"], json!({ "status": "duplicate", "event": event["id"] }));
        bundle.patch(&path(&hook), &json!({ "enabled": false }), 200).await;
        let ignored = bundle.post(&format!("{}/sample", path(&hook)), &json!({}), 200).await;
        assert_eq!(ignored["answer"]["status"], "ignored");
    }
}

#[tokio::test]
async fn a_sample_reports_a_public_url_that_leads_elsewhere() {
    for url in ["http://127.0.0.1:9", "http://nowhere.invalid"] {
        let bundle = Bundle::start_with(&[("PUBLIC_URL", url)]).await;
        let hook = bundle.hook("botstar.watch-tag").await;
        assert!(hook.url.starts_with(&format!("{url}/hooks/botstar/tag/")), "{}", hook.url);
        let request = bundle.request(Method::POST, &format!("{}/sample", path(&hook)));
        let problem = refused(request, 502, "hook_unreachable").await;
        assert!(string(&problem["detail"]).contains("PUBLIC_URL"), "{problem}");
        assert!(!problem.to_string().contains(hook.url.rsplit('/').next().unwrap()), "{problem}");
    }
}

#[tokio::test]
async fn a_deleted_hook_takes_nothing_and_its_events_stay() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let event = bundle.accept(&hook, &tag(1)).await;
    bundle.delete(&path(&hook), 204).await;
    refused(bundle.http.post(&hook.url).body(tag(2).to_string()), 404, "not_found").await;
    let paths = ["", "/rotate", "/remap", "/sample", "/rejected"];
    for (method, end) in [Method::GET, Method::POST, Method::POST, Method::POST, Method::GET].into_iter().zip(paths) {
        refused(bundle.request(method, &format!("{}{end}", path(&hook))), 404, "not_found").await;
    }
    refused(bundle.request(Method::DELETE, &path(&hook)), 404, "not_found").await;
    assert_eq!(bundle.all("/v1/hooks").await, [Value::Null; 0]);
    let events = bundle.all(&format!("/v1/events?hook={}", hook.id)).await;
    assert_eq!((events.len(), &events[0]["id"]), (1, &json!(event)));
    bundle.get(&format!("/v1/events/{event}"), 200).await;
}

#[tokio::test]
async fn remap_counts_what_it_read_and_what_it_changed() {
    let bundle = Bundle::start().await;
    let (hook, other) = (bundle.hook("botstar.watch-tag").await, bundle.hook("botstar.watch-tag").await);
    for number in 0..3 {
        bundle.accept(&hook, &json!({ "who": format!("u-{number}"), "tag": "vip", "label": "gold" })).await;
    }
    bundle.accept(&hook, &json!({ "nobody": true, "tag": "vip" })).await;
    bundle.accept(&other, &json!({ "who": "u-9", "label": "gold" })).await;
    let remap = async || bundle.post(&format!("{}/remap", path(&hook)), &json!({}), 200).await;
    assert_eq!(remap().await, json!({ "read": 4, "changed": 0, "next": null }));
    let mapping = json!({ "subscriber.id": "/who", "tag": "/label" });
    bundle.patch(&path(&hook), &json!({ "settings": { "mapping": mapping } }), 200).await;
    assert_eq!(remap().await, json!({ "read": 4, "changed": 4, "next": null }));
    assert_eq!(remap().await, json!({ "read": 4, "changed": 0, "next": null }));
    let events = bundle.all(&format!("/v1/events?hook={}", hook.id)).await;
    let tags: Vec<&Value> = events.iter().map(|event| &event["data"]["tag"]).collect();
    assert_eq!(tags, [&Value::Null, &json!("gold"), &json!("gold"), &json!("gold")]);
    assert_eq!(events[0]["data"]["unmapped"], json!(["tag", "subscriber.id"]));
    let people = bundle.until_count("/v1/subscribers", 3).await;
    assert!(people.iter().all(|person| person["tags"] == json!(["gold"])), "{people:?}");
    let untouched = bundle.all(&format!("/v1/events?hook={}", other.id)).await;
    assert_eq!(untouched[0]["data"]["tag"], Value::Null);
    let answer = answer(bundle.request(Method::POST, &format!("{}/remap?cursor=x", path(&hook)))).await;
    assert_eq!(answer.status, 422);
}

#[tokio::test]
async fn a_hook_answers_what_its_settings_say() {
    let bundle = Bundle::start().await;
    for watch in by_hand() {
        let reply = json!({ "messages": [{ "text": "Kept as {{/hook}}" }], "actions": [] });
        let hook = bundle.hook_with(watch.trigger.name, json!({ "reply": reply })).await;
        let answer = bundle.send(&hook.url, r#"{"n": 1}"#).await;
        assert_eq!(answer.json(), json!({ "messages": [{ "text": format!("Kept as {}", hook.id) }], "actions": [] }));
        assert!(answer.headers["x-switchboard-event"].to_str().unwrap().starts_with("evt_"));
        bundle.patch(&path(&hook), &json!({ "enabled": false }), 200).await;
        let ignored = bundle.send(&hook.url, r#"{"n": 2}"#).await.json();
        assert_eq!(ignored, json!({ "status": "ignored", "event": null }), "no event was made");
    }
}

//! Hooks that routes name: they stay, or go by force, which disables the routes.

use crate::support::{
    assertions::refused,
    chatbot,
    chatbot_hooks::webhooks,
    target::{ALLOW, TAKES_ALL, Target},
};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Bundle, TestHook, eventually, expect,
    sandbox::{Fault, FaultKind},
    string,
};

const NOWHERE: &str = "http://127.0.0.1:9/";

async fn start() -> Bundle {
    Bundle::start_with(&[ALLOW]).await
}

/// A route with fields besides; its path.
async fn route(bundle: &Bundle, fields: Value) -> String {
    let target = json!({ "type": "webhook", "url": NOWHERE });
    let mut route = json!({ "name": "n", "events": ["botstar.*", "chatbot.*"], "target": target });
    route.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    format!("/v1/routes/{}", string(&bundle.post("/v1/routes", &route, 201).await["id"]))
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

fn path(hook: &TestHook) -> String {
    format!("/v1/hooks/{}", hook.id)
}

#[tokio::test]
async fn a_hook_that_routes_name_stays() {
    let bundle = start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let other = bundle.hook_on(&hook.connection, "botstar.watch-tag", json!({})).await;
    let named = [
        route(&bundle, json!({ "hook": hook.id })).await,
        // One that is disabled may be enabled again.
        route(&bundle, json!({ "hook": hook.id, "enabled": false })).await,
    ];
    let changed = route(&bundle, json!({ "hook": other.id })).await;
    bundle.patch(&changed, &json!({ "hook": hook.id }), 200).await;
    let unconcerned = [
        route(&bundle, json!({ "hook": other.id })).await,
        route(&bundle, json!({ "connection": hook.connection })).await,
        route(&bundle, json!({})).await,
    ];
    for query in ["", "?force=false"] {
        let request = bundle.request(Method::DELETE, &format!("{}{query}", path(&hook)));
        let detail = string(&refused(request, 409, "hook_in_use").await["detail"]);
        assert!(named.iter().chain([&changed]).all(|path| detail.contains(id(path))), "{detail}");
        assert!(unconcerned.iter().all(|path| !detail.contains(id(path))), "{detail}");
        assert!(detail.contains("?force=true"), "{detail}");
    }
    bundle.get(&path(&hook), 200).await;
    bundle.delete(&named[0], 204).await;
    bundle.patch(&named[1], &json!({ "hook": null }), 200).await;
    refused(bundle.request(Method::DELETE, &path(&hook)), 409, "hook_in_use").await;
    bundle.patch(&changed, &json!({ "hook": other.id }), 200).await;
    bundle.delete(&path(&hook), 204).await;
    refused(bundle.request(Method::DELETE, &path(&other)), 409, "hook_in_use").await;
}

#[tokio::test]
async fn a_hook_deleted_by_force_disables_the_routes_that_name_it() {
    let bundle = start().await;
    let target = Target::start(TAKES_ALL).await;
    let reports =
        json!({ "events": ["switchboard.route.disabled"], "target": { "type": "webhook", "url": target.url } });
    route(&bundle, reports).await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let mut named = Vec::new();
    for _ in 0..3 {
        named.push(route(&bundle, json!({ "hook": hook.id })).await);
    }
    let disabled = route(&bundle, json!({ "hook": hook.id, "enabled": false })).await;
    let kept = bundle.get(&disabled, 200).await;
    let other = route(&bundle, json!({ "connection": hook.connection })).await;
    bundle.delete(&format!("{}?force=true", path(&hook)), 204).await;
    refused(bundle.request(Method::GET, &path(&hook)), 404, "not_found").await;
    assert_eq!(bundle.get(&other, 200).await["enabled"], true);
    assert_eq!(bundle.get(&disabled, 200).await, kept);
    for path in &named {
        assert_eq!(bundle.get(path, 200).await["enabled"], false);
    }
    // Each is reported once, and the reports are routed.
    let mut reported: Vec<String> = Vec::new();
    for event in bundle.until_count("/v1/events?type=switchboard.route.disabled", named.len()).await {
        reported.push(string(&event["data"]["route"]["id"]));
    }
    let mut ids: Vec<&str> = named.iter().map(|path| id(path)).collect();
    reported.sort();
    ids.sort();
    assert_eq!(reported, ids);
    eventually(|| async { (target.calls().len() == named.len()).then_some(()) }).await;

    // Until it names another hook, or none, a route can't come back to life without ever getting an event.
    for path in named.iter().chain([&disabled]) {
        let detail = string(
            &refused(bundle.request(Method::PATCH, path).json(&json!({ "enabled": true })), 409, "conflict").await["detail"],
        );
        assert!(detail.contains(&hook.id), "{detail}");
        assert_eq!(bundle.get(path, 200).await["enabled"], false);
        bundle.patch(path, &json!({ "name": "renamed" }), 200).await;
        bundle.patch(path, &json!({ "hook": null, "enabled": true }), 200).await;
    }
    for request in [
        bundle.request(Method::PATCH, &other).json(&json!({ "hook": hook.id })),
        bundle.request(Method::DELETE, &format!("{}?force=true", path(&hook))),
    ] {
        refused(request, 404, "not_found").await;
    }
}

#[tokio::test]
async fn a_hook_is_deregistered_only_if_no_route_names_it() {
    let (sandbox, bundle) = chatbot::start_with(&[ALLOW]).await;
    let on_delete = |kind: FaultKind| Fault { method: Some(Method::DELETE), ..kind.on("/webhooks") };
    for (kind, force) in [
        (None, true),
        (Some(FaultKind::Error), true),
        (Some(FaultKind::HangBefore), true),
        (Some(FaultKind::SlowDown), false),
        (None, false),
    ] {
        let hook = bundle.hook("chatbot.watch-message").await;
        let named = route(&bundle, json!({ "hook": hook.id })).await;
        let is_there = || webhooks(&sandbox).iter().any(|webhook| webhook["url"] == hook.url);
        refused(bundle.request(Method::DELETE, &path(&hook)), 409, "hook_in_use").await;
        assert!(is_there());
        if let Some(kind) = kind {
            sandbox.fault(on_delete(kind));
        }
        if force {
            bundle.delete(&format!("{}?force=true", path(&hook)), 204).await;
            assert_eq!(bundle.get(&named, 200).await["enabled"], false);
            assert_eq!(is_there(), kind.is_some());
            continue;
        }
        bundle.delete(&named, 204).await;
        if kind.is_some() {
            refused(bundle.request(Method::DELETE, &path(&hook)), 429, "platform_slow_down").await;
            // It stays, and can be named at once.
            let again = route(&bundle, json!({ "hook": hook.id })).await;
            refused(bundle.request(Method::DELETE, &path(&hook)), 409, "hook_in_use").await;
            bundle.delete(&again, 204).await;
        }
        bundle.delete(&path(&hook), 204).await;
        assert!(!is_there());
    }
}

#[tokio::test]
async fn no_route_can_name_a_hook_that_is_being_deregistered() {
    let (sandbox, bundle) = chatbot::start_with(&[ALLOW]).await;
    let hook = bundle.hook("chatbot.watch-message").await;
    sandbox.fault(Fault { method: Some(Method::DELETE), ..FaultKind::Slow.on("/webhooks") });
    let route =
        json!({ "name": "n", "events": ["*"], "hook": hook.id, "target": { "type": "webhook", "url": NOWHERE } });
    let deletion = expect(bundle.request(Method::DELETE, &path(&hook)), 204);
    let naming = async {
        eventually(|| async { webhooks(&sandbox).is_empty().then_some(()) }).await;
        refused(bundle.request(Method::POST, "/v1/routes").json(&route), 409, "conflict").await
    };
    let (_, refused_for) = futures::join!(deletion, naming);
    assert!(string(&refused_for["detail"]).contains("is being deleted"), "{refused_for}");
    refused(bundle.request(Method::POST, "/v1/routes").json(&route), 404, "not_found").await;
}

#[tokio::test]
async fn a_route_whose_hook_an_earlier_release_deleted_can_be_changed() {
    let bundle = start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let orphan = route(&bundle, json!({ "hook": hook.id })).await;
    bundle.local.app.store.remove::<store::hooks::Hook>(&hook.id).await.unwrap();
    for change in [
        json!({ "name": "renamed" }),
        json!({ "filter": "data.tag == \"vip\"" }),
        json!({ "enabled": true }),
        json!({ "enabled": false }),
    ] {
        bundle.patch(&orphan, &change, 200).await;
    }
    refused(bundle.request(Method::PATCH, &orphan).json(&json!({ "enabled": true })), 409, "conflict").await;
    bundle.patch(&orphan, &json!({ "hook": null, "enabled": true }), 200).await;
    bundle.delete(&format!("/v1/connections/{}", hook.connection), 204).await;
}

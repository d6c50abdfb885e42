//! Takeovers: claimed by one key at a time.

use crate::support::assertions::{make_key, problem, refused, with_key};
use futures::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{Answer, Bundle, answer, expect, string};

async fn takeover(bundle: &Bundle) -> String {
    let hook = bundle.hook("botstar.watch-human-takeover").await;
    let before = bundle.all("/v1/takeovers").await.len();
    bundle.accept(&hook, &json!({ "user": { "id": "ava" }, "reason": format!("help {before}") })).await;
    let items = bundle.until_count("/v1/takeovers", before + 1).await;
    format!("/v1/takeovers/{}", string(&items[0]["id"]))
}

async fn operator(bundle: &Bundle, name: &str) -> (String, String) {
    let made = bundle.post("/v1/keys", &json!({ "name": name, "scope": "operate" }), 201).await;
    (string(&made["id"]), string(&made["key"]))
}

fn set(bundle: &Bundle, key: &str, path: &str, state: &str) -> RequestBuilder {
    with_key(bundle, Method::PATCH, path, key).json(&json!({ "state": state }))
}

#[tokio::test]
async fn a_takeover_that_is_claimed_or_closed_can_not_be_claimed() {
    let bundle = Bundle::start().await;
    let path = takeover(&bundle).await;
    // Names are no identity.
    let (_, ava) = operator(&bundle, "Ava").await;
    let (_, other) = operator(&bundle, "Ava").await;
    assert_eq!(bundle.get(&path, 200).await["claimed_by"], Value::Null);

    let claimed = expect(set(&bundle, &ava, &path, "claimed"), 200).await;
    assert_eq!((&claimed["state"], &claimed["claimed_by"]), (&json!("claimed"), &json!("Ava")));
    bundle.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(expect(set(&bundle, &ava, &path, "claimed"), 200).await, claimed, "nothing changes");
    let conflict = refused(set(&bundle, &other, &path, "claimed"), 409, "conflict").await;
    assert!(string(&conflict["detail"]).contains("claimed by Ava"), "{conflict}");
    assert_eq!(bundle.get(&path, 200).await, claimed);
    assert_eq!(bundle.all("/v1/takeovers?state=claimed").await, std::slice::from_ref(&claimed));

    // Any key may reopen or close what another has claimed.
    for (state, reopens) in [("open", true), ("closed", false)] {
        let changed = expect(set(&bundle, &other, &path, state), 200).await;
        assert_eq!((&changed["state"], &changed["claimed_by"]), (&json!(state), &Value::Null));
        assert_eq!(expect(set(&bundle, &ava, &path, state), 200).await, changed, "nothing changes");
        if reopens {
            let claimed = expect(set(&bundle, &other, &path, "claimed"), 200).await;
            assert_eq!(claimed["claimed_by"], "Ava");
            refused(set(&bundle, &ava, &path, "claimed"), 409, "conflict").await;
        }
    }
    for key in [&ava, &other, &bundle.key] {
        let conflict = refused(set(&bundle, key, &path, "claimed"), 409, "conflict").await;
        assert!(string(&conflict["detail"]).contains("closed"), "{conflict}");
    }
    expect(set(&bundle, &ava, &path, "open"), 200).await;
    expect(set(&bundle, &ava, &path, "claimed"), 200).await;
    refused(set(&bundle, &ava, "/v1/takeovers/tko_nothing", "claimed"), 404, "not_found").await;
}

#[tokio::test]
async fn of_operators_who_claim_at_once_exactly_one_gets_it() {
    let bundle = Bundle::start().await;
    let mut keys = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        keys.push((name, operator(&bundle, name).await.1));
    }
    for _ in 0..10 {
        let path = takeover(&bundle).await;
        let answers: Vec<Answer> =
            join_all(keys.iter().map(|(_, key)| answer(set(&bundle, key, &path, "claimed")))).await;
        let won: Vec<&str> =
            keys.iter().zip(&answers).filter(|(_, answer)| answer.status == 200).map(|((name, _), _)| *name).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        assert_eq!(bundle.get(&path, 200).await["claimed_by"], won[0]);
        for lost in answers.iter().filter(|answer| answer.status != 200) {
            problem(lost, 409, "conflict");
        }
    }
}

#[tokio::test]
async fn a_remap_leaves_who_has_claimed_a_takeover() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-human-takeover").await;
    bundle.accept(&hook, &json!({ "user": { "id": "ava" }, "why": "lost" })).await;
    let path = format!("/v1/takeovers/{}", string(&bundle.until_count("/v1/takeovers", 1).await[0]["id"]));
    let (_, ava) = operator(&bundle, "Ava").await;
    expect(set(&bundle, &ava, &path, "claimed"), 200).await;
    let mapping = json!({ "settings": { "mapping": { "takeover.reason": "/why" } } });
    bundle.patch(&format!("/v1/hooks/{}", hook.id), &mapping, 200).await;
    bundle.post(&format!("/v1/hooks/{}/remap", hook.id), &json!({}), 200).await;
    tests::eventually(|| async {
        let takeover = bundle.get(&path, 200).await;
        (takeover["reason"] == "lost").then(|| assert_eq!(takeover["claimed_by"], "Ava", "{takeover}"))
    })
    .await;
}

#[tokio::test]
async fn a_key_that_was_deleted_claims_nothing() {
    let bundle = Bundle::start().await;
    let path = takeover(&bundle).await;
    let (id, key) = make_key(&bundle, "operate").await;
    expect(with_key(&bundle, Method::GET, &path, &key), 200).await;
    // Another process does, so that this one remembers the key.
    let store = &bundle.local.app.store;
    store.remove_key(&store.find(&id).await.unwrap().unwrap()).await.unwrap();
    refused(set(&bundle, &key, &path, "claimed"), 401, "unauthorized").await;
    assert_eq!(bundle.get(&path, 200).await["state"], "open");
}

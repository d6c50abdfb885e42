//! Secrets of routes and tokens of hooks: at most five are valid at once.

use crate::support::{
    assertions::problem,
    target::{ALLOW, TAKES_ALL, Target, route_to},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{Answer, Bundle, answer, eventually, string};

async fn rotate(bundle: &Bundle, path: &str, grace_seconds: u64) -> Answer {
    let request = bundle.request(Method::POST, &format!("{path}/rotate"));
    answer(request.json(&json!({ "grace_seconds": grace_seconds }))).await
}

/// A hook and a route of a bundle whose time passes as the test says.
async fn start() -> (Bundle, [String; 2], Target) {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    bundle.clock.hold();
    let target = Target::start(TAKES_ALL).await;
    let route = string(&route_to(&bundle, "botstar.tag.added", &target.url).await["id"]);
    let hook = bundle.hook("botstar.watch-tag").await.id;
    (bundle, [format!("/v1/hooks/{hook}"), format!("/v1/routes/{route}")], target)
}

#[tokio::test]
async fn a_sixth_secret_within_the_graces_is_refused_with_the_time_of_the_next() {
    let (bundle, paths, _) = start().await;
    for path in &paths {
        for grace in [1000, 900, 800, 700] {
            assert_eq!(rotate(&bundle, path, grace).await.status, 200);
        }
        let before = bundle.get(path, 200).await;
        // Each keeps its own end; the soonest is that of the last rotation.
        for grace in [1, 700, 2_592_000] {
            let refused = rotate(&bundle, path, grace).await;
            let detail = string(&problem(&refused, 409, "too_many_secrets")["detail"]);
            let soonest = bundle.local.app.now().plus_seconds(700).to_string();
            assert!(detail.contains(&soonest), "{detail}, {soonest}");
            assert_eq!(refused.headers["retry-after"], "700");
            assert_eq!(refused.json()["retry_after"], 700);
        }
        assert_eq!(bundle.get(path, 200).await, before, "nothing has changed");
    }
    bundle.clock.advance(Duration::from_secs(699));
    for path in &paths {
        assert_eq!(problem(&rotate(&bundle, path, 60).await, 409, "too_many_secrets")["retry_after"], 1);
    }
    bundle.clock.advance(Duration::from_secs(1));
    for path in &paths {
        assert_eq!(rotate(&bundle, path, 60).await.status, 200, "those whose grace is over do not count");
    }
}

#[tokio::test]
async fn a_rotation_without_a_grace_is_always_possible() {
    let (bundle, paths, _) = start().await;
    for path in &paths {
        for _ in 0..4 {
            assert_eq!(rotate(&bundle, path, 3600).await.status, 200);
        }
        problem(&rotate(&bundle, path, 3600).await, 409, "too_many_secrets");
        for _ in 0..7 {
            assert_eq!(rotate(&bundle, path, 0).await.status, 200);
        }
        for _ in 0..4 {
            assert_eq!(rotate(&bundle, path, 3600).await.status, 200);
        }
        problem(&rotate(&bundle, path, 3600).await, 409, "too_many_secrets");
    }
}

#[tokio::test]
async fn all_five_secrets_of_a_route_sign_and_all_five_urls_of_a_hook_work() {
    let (bundle, [hook, route], target) = start().await;
    let mut secrets = vec![string(&bundle.get(&route, 200).await["target"]["secret"])];
    let mut urls = vec![string(&bundle.get(&hook, 200).await["url"])];
    for _ in 0..4 {
        secrets.push(string(&rotate(&bundle, &route, 3600).await.json()["target"]["secret"]));
        urls.push(string(&rotate(&bundle, &hook, 3600).await.json()["url"]));
    }
    problem(&rotate(&bundle, &route, 3600).await, 409, "too_many_secrets");
    problem(&rotate(&bundle, &hook, 3600).await, 409, "too_many_secrets");
    for (at, url) in urls.iter().enumerate() {
        let sent: Value = bundle.send(url, format!("{{\"user\":{{\"id\":\"ava\"}},\"tag\":\"{at}\"}}")).await.json();
        assert_eq!(sent["status"], "accepted");
    }
    let calls = eventually(|| async { Some(target.calls()).filter(|calls| calls.len() == urls.len()) }).await;
    assert!(calls.iter().all(|call| secrets.iter().all(|secret| call.is_signed(secret))));
}

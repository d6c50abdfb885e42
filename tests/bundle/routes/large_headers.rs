//! Headers of a route that are as many and as long as its schema allows, sealed by the KMS that is played here.

use crate::{
    support::{
        assertions::pointers,
        target::{TAKES_ALL, Target},
    },
    template::deployment::Deployment,
};
use serde_json::{Map, Value, json};
use tests::{TestHook, answer, string};

const VALUE_BYTES: usize = 4_096;

fn headers(name: &str, value: &str) -> Value {
    (0..20).map(|number| (format!("{name}-{number}"), value.into())).collect::<Map<_, _>>().into()
}

fn route(url: &str, headers: Value) -> Value {
    let target = json!({ "type": "webhook", "url": url, "headers": headers });
    json!({ "name": "Long headers", "events": ["botstar.tag.added"], "target": target })
}

async fn hook(deployment: &Deployment) -> TestHook {
    let new = json!({ "platform": "botstar", "name": "Demo", "credentials": {} });
    let connection = string(&deployment.api.post("/v1/connections", &new, 201).await["id"]);
    deployment.api.hook_on(&connection, "botstar.watch-tag", json!({ "dedupe_seconds": 0 })).await
}

async fn tagged(deployment: &Deployment, hook: &TestHook) {
    deployment.api.send(&hook.url, json!({ "user": { "id": "u-1" }, "tag": "vip" }).to_string()).await;
    deployment.settle().await;
}

#[tokio::test]
async fn twenty_headers_of_4096_bytes_are_sealed_and_arrive() {
    let deployment = Deployment::start().await;
    let hook = hook(&deployment).await;
    let mut targets = Vec::new();
    // As JSON, quotes and backslashes take twice as much.
    for character in ["x", "\"", "\\", "~"] {
        let (target, value) = (Target::start(TAKES_ALL).await, character.repeat(VALUE_BYTES));
        let made = deployment.api.post("/v1/routes", &route(&target.url, headers("X-Long", &value)), 201).await;
        let changed = json!({ "target": route(&target.url, headers("X-Longer", &value))["target"] });
        deployment.api.patch(&format!("/v1/routes/{}", string(&made["id"])), &changed, 200).await;
        targets.push((target, value));
    }
    tagged(&deployment, &hook).await;
    for (target, value) in &targets {
        let received = target.calls().pop().unwrap().headers;
        let arrived = (0..20).filter(|number| received[&format!("x-longer-{number}")] == *value).count();
        assert_eq!(arrived, 20);
    }
    let asked = deployment.aws.asked_kms("deliver");
    assert_eq!(asked, 2 * targets.len(), "the headers and the secret of each route");
    tagged(&deployment, &hook).await;
    assert!(targets.iter().all(|(target, _)| target.calls().len() == 2));
    assert_eq!(deployment.aws.asked_kms("deliver"), asked, "a warm process opens without asking KMS");
}

#[tokio::test]
async fn a_route_that_would_not_fit_into_an_item_is_refused() {
    let deployment = Deployment::start().await;
    let url = "http://127.0.0.1:9/in";
    let long = |bytes| "x".repeat(bytes);
    let body = |name: usize, text: &str| {
        let fields = (0..50).map(|number| (format!("{}{number}", long(name)), Value::from(text)));
        json!({ "type": "webhook", "url": url, "body": fields.collect::<Map<_, _>>() })
    };
    let too_long = [
        route(url, headers(&long(20_000), "x"))["target"].clone(),
        route(url, headers(&long(8_000), &"\"".repeat(VALUE_BYTES)))["target"].clone(),
        body(8_000, "data.tag"),
    ];
    let new = |target: &Value| json!({ "name": "Long", "events": ["*"], "target": target });
    let made = deployment.api.post("/v1/routes", &new(&json!({ "type": "webhook", "url": url })), 201).await;
    let path = format!("/v1/routes/{}", string(&made["id"]));
    for target in &too_long {
        for (method, path, body) in
            [("POST", "/v1/routes", new(target)), ("PATCH", path.as_str(), json!({ "target": target }))]
        {
            let refused = answer(deployment.api.request(method.parse().unwrap(), path).json(&body)).await;
            assert_eq!(refused.status, 422, "{}", refused.text);
            assert_eq!(pointers(&refused.json()), ["/target"]);
        }
    }
    // Short of that, everything at its longest fits.
    let mut longest = route(url, headers("X-Long", &"\"".repeat(VALUE_BYTES)));
    longest["target"]["body"] = body(8, &format!("\"{}\"", long(2_000)))["body"].clone();
    deployment.api.post("/v1/routes", &longest, 201).await;
}

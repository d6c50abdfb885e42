//! Routes: made, changed, tried. What a webhook is sent is received by a server on loopback, which a setting allows.

use crate::support::{
    assertions::{make_key, pointers, refused, with_key},
    receiver::{Received, Receiver},
};
use data_encoding::BASE64;
use models::{Timestamp, own_event::OWN_TYPES};
use reqwest::Method;
use serde_json::{Value, json};
use store::health::RouteHealth;
use tests::{Bundle, answer, string};
use webhook::Secret;

async fn start() -> Bundle {
    Bundle::start_with(&[("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8")]).await
}

fn to(url: &str) -> Value {
    json!({ "name": "Orders", "events": ["botstar.*"], "target": { "type": "webhook", "url": url } })
}

/// The same with other fields of the target.
fn with(mut route: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        route["target"][name] = value.clone();
    }
    route
}

fn path(route: &Value) -> String {
    format!("/v1/routes/{}", string(&route["id"]))
}

#[tokio::test]
async fn a_route_is_made_read_changed_and_deleted() {
    let (bundle, (_, url)) = (start().await, Receiver::start().await);
    let hook = bundle.hook("botstar.watch-tag").await;
    let made =
        bundle.post("/v1/routes", &with(to(&url), json!({ "headers": { "X-Api-Key": "very secret" } })), 201).await;
    let secret = string(&made["target"]["secret"]);
    assert!(secret.starts_with("whsec_") && BASE64.decode(&secret.as_bytes()[6..]).unwrap().len() >= 24);
    assert_eq!(made["target"]["headers"], json!({ "X-Api-Key": "••••" }));
    let unset = [&made["hook"], &made["connection"], &made["filter"], &made["target"]["body"]];
    assert!(unset.into_iter().all(Value::is_null) && made["enabled"] == true, "{made}");

    assert_eq!(bundle.get(&path(&made), 200).await, made, "an admin sees the secret again");
    let (_, reader) = make_key(&bundle, "read").await;
    let read = answer(with_key(&bundle, Method::GET, &path(&made), &reader)).await.json();
    let mut masked = made.clone();
    masked["target"]["secret"] = Value::Null;
    assert_eq!(bundle.all("/v1/routes").await, [masked.clone()]);
    // A path may be a secret, as Slack's is.
    masked["target"]["url"] = json!(format!("{}/••••", url.split_once("/in").unwrap().0));
    let listed = answer(with_key(&bundle, Method::GET, "/v1/routes", &reader)).await.json();
    assert_eq!((&read, &listed["items"]), (&masked, &json!([masked])));
    assert!(!read.to_string().contains("very secret"));

    let change = json!({ "name": "Tags", "events": ["*"], "hook": hook.id, "connection": hook.connection,
        "filter": "data.tag == \"vip\"", "enabled": false });
    let changed = bundle.patch(&path(&made), &change, 200).await;
    for (name, value) in change.as_object().unwrap() {
        assert_eq!(changed[name], *value);
    }
    assert_eq!(changed["target"], made["target"]);
    let cleared = bundle.patch(&path(&made), &json!({ "hook": null, "connection": null, "filter": null }), 200).await;
    assert!([&cleared["hook"], &cleared["connection"], &cleared["filter"]].into_iter().all(Value::is_null));
    let retargeted = json!({ "target": { "type": "webhook", "url": url, "body": { "text": "data.tag" } } });
    let retargeted = bundle.patch(&path(&made), &retargeted, 200).await;
    assert_eq!((&retargeted["target"]["headers"], &retargeted["target"]["secret"]), (&json!({}), &json!(secret)));

    bundle.delete(&path(&made), 204).await;
    for (method, path) in [
        (Method::GET, path(&made)),
        (Method::DELETE, path(&made)),
        (Method::POST, path(&made) + "/rotate"),
        (Method::POST, path(&made) + "/test"),
    ] {
        refused(bundle.request(method, &path), 404, "not_found").await;
    }
}

#[tokio::test]
async fn a_route_shows_its_health_and_is_deleted_with_it() {
    let bundle = start().await;
    let made = bundle.post("/v1/routes", &to("http://127.0.0.1:9/"), 201).await;
    assert_eq!(made["health"], json!({ "state": "healthy", "since": null, "disables_at": null }));
    let (id, store) = (string(&made["id"]), &bundle.local.app.store);
    let since = Timestamp::parse("2026-01-02T03:04:05.006Z").unwrap();
    for (failing, state) in [(true, "failing"), (false, "healthy")] {
        let route = id.parse().unwrap();
        let (next_probe_at, by_content) = (since, false);
        let stored =
            RouteHealth { id: route, v: 1, version: 1, failing, since, next_probe_at, by_content, expires: None };
        store.create(&stored).await.unwrap();
        let disables_at = failing.then_some("2026-01-07T03:04:05.006Z");
        let health = json!({ "state": state, "since": "2026-01-02T03:04:05.006Z", "disables_at": disables_at });
        assert_eq!(bundle.get(&path(&made), 200).await["health"], health);
        assert_eq!(bundle.all("/v1/routes").await[0]["health"], health);
        assert_eq!(bundle.patch(&path(&made), &json!({ "name": "x" }), 200).await["health"], health);
        assert_eq!(bundle.post(&(path(&made) + "/rotate"), &json!({}), 200).await["health"], health);
    }
    bundle.delete(&path(&made), 204).await;
    assert!(store.find::<RouteHealth>(&id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_route_may_select_the_products_own_events() {
    let bundle = start().await;
    for event_type in OWN_TYPES.into_iter().chain(["switchboard.*", "*.failing"]) {
        let mut route = to("http://127.0.0.1:9/");
        route["events"] = json!([event_type]);
        let made = bundle.post("/v1/routes", &route, 201).await;
        let test = bundle.request(Method::POST, &(path(&made) + "/test"));
        assert_eq!(pointers(&refused(test, 422, "invalid_body").await), ["/event"], "it has no sample");
    }
    let mut route = to("http://127.0.0.1:9/");
    route["events"] = json!(["switchboard.route.fail"]);
    let refusal = refused(bundle.request(Method::POST, "/v1/routes").json(&route), 422, "invalid_body").await;
    assert_eq!(pointers(&refusal), ["/events/0"]);
}

#[tokio::test]
async fn every_fault_of_a_route_has_its_pointer() {
    let bundle = start().await;
    let connection = bundle.connection("chatbot").await;
    let run = |action: &str, input: Value| {
        json!({ "name": "n", "events": ["*"],
            "target": { "type": "action", "action": action, "connection": connection, "input": input } })
    };
    let url = "https://example.invalid/";
    for (body, expected) in [
        (json!({}), &["/events", "/name", "/target"] as &[&str]),
        (json!({ "name": "n", "events": [], "target": {} }), &["/events", "/target/type"]),
        (
            json!({ "name": "n", "events": ["botstar.tag"], "target": { "type": "mail" } }),
            &["/events/0", "/target/type"],
        ),
        (json!({ "name": "n", "events": ["*"], "target": { "type": "webhook" } }), &["/target/url"]),
        (with(to("https://10.0.0.1/"), json!({ "body": { "a": "1 +" } })), &["/target/body/a", "/target/url"]),
        (with(to(url), json!({ "secret": "mine" })), &["/target/secret"]),
        (
            with(to(url), json!({ "body": { "a/b": "1 +", "fine": "1", "": "1" } })),
            &["/target/body/", "/target/body/a~1b"],
        ),
        (
            with(
                to(url),
                json!({ "headers": { "Host": "x", "webhook-id": "x", "a b": "x", "X-Line": "a\nb", "X-1": 1 } }),
            ),
            &[
                "/target/headers/Host",
                "/target/headers/X-1",
                "/target/headers/X-Line",
                "/target/headers/a b",
                "/target/headers/webhook-id",
            ],
        ),
        (run("chatbot.ban-users", json!({})), &["/target/action"]),
        (
            run("chatbot.ban-user", json!({ "user": "subject", "operation": "'ban", "idempotency_key": "id" })),
            &[
                "/target/input/idempotency_key",
                "/target/input/operation",
                "/target/input/user",
                "/target/input/user_id",
            ],
        ),
    ] {
        let problem = refused(bundle.request(Method::POST, "/v1/routes").json(&body), 422, "invalid_body").await;
        assert_eq!(pointers(&problem), expected, "{body}: {problem}");
    }
    let mut filtered = to(url);
    for filter in ["data.tag ==", "nowhere == 1", "nothing(id)", ""] {
        filtered["filter"] = json!(filter);
        let problem = refused(bundle.request(Method::POST, "/v1/routes").json(&filtered), 422, "invalid_body").await;
        assert_eq!(pointers(&problem), ["/filter"], "{filter}: {problem}");
    }
    for (field, id) in [("hook", "hook_0"), ("connection", "con_0")] {
        let mut body = to("http://127.0.0.1:1/");
        body[field] = json!(id);
        refused(bundle.request(Method::POST, "/v1/routes").json(&body), 404, "not_found").await;
    }
    let other = bundle.connection("botstar").await;
    let mut mismatch = run("chatbot.get-user", json!({ "user_id": "subject" }));
    mismatch["target"]["connection"] = json!(other);
    refused(bundle.request(Method::POST, "/v1/routes").json(&mismatch), 422, "connection_mismatch").await;
    assert_eq!(bundle.all("/v1/routes").await.len(), 0);
}

#[tokio::test]
async fn a_target_that_nobody_may_reach_is_refused_with_the_range() {
    let bundle = Bundle::start().await;
    for (url, message) in [
        ("https://127.0.0.1/", "127.0.0.0/8"),
        ("https://2130706433/", "127.0.0.0/8"),
        ("https://[::ffff:10.0.0.1]/", "10.0.0.0/8"),
        ("https://169.254.169.254/latest/meta-data", "169.254.0.0/16"),
        ("https://localhost/", "127.0.0.0/8"),
        ("http://93.184.215.14/", "https"),
        ("https://user:word@93.184.215.14/", "user"),
        ("ftp://93.184.215.14/", "https"),
        ("nothing", "URL"),
    ] {
        let problem = refused(bundle.request(Method::POST, "/v1/routes").json(&to(url)), 422, "invalid_body").await;
        assert_eq!(pointers(&problem), ["/target/url"]);
        assert!(string(&problem["errors"][0]["detail"]).contains(message), "{url}: {problem}");
    }
}

/// Verifies a call's signature by Standard Webhooks with this secret.
fn is_signed(secret: &Value, (headers, body): &Received) -> bool {
    let secret: Secret = secret.as_str().unwrap().parse().unwrap();
    let text = |name: &str| headers[name].to_str().unwrap();
    let signature = webhook::sign(&[secret], text("webhook-id"), text("webhook-timestamp").parse().unwrap(), body);
    text("webhook-signature").split(' ').any(|one| one == signature)
}

#[tokio::test]
async fn an_event_is_run_through_a_route_and_sent_if_that_is_asked_for() {
    let (bundle, (receiver, url)) = (start().await, Receiver::start().await);
    let hook = bundle.hook("botstar.watch-tag").await;
    let tagged = json!({ "user": { "id": "u-1", "name": "Ava" }, "tag": "vip", "big": 1 });
    let kept = bundle.accept(&hook, &tagged).await;
    // It is dispatched: the route that is made now does not get it.
    bundle.until_count("/v1/subscribers", 1).await;
    let made = bundle.post("/v1/routes", &with(to(&url), json!({ "headers": { "X-Own": "mine" } })), 201).await;
    let test = path(&made) + "/test";

    let tried = bundle.post(&test, &json!({ "event": kept }), 200).await;
    assert_eq!(tried["event"], bundle.get(&format!("/v1/events/{kept}"), 200).await);
    assert_eq!((&tried["matches"], &tried["fault"], &tried["attempt"]), (&json!(true), &Value::Null, &Value::Null));
    let request = &tried["request"];
    assert_eq!(
        (&request["type"], &request["url"], &request["body"]),
        (&json!("webhook"), &json!(url), &tried["event"])
    );
    assert_eq!((&request["headers"]["x-own"], &request["headers"]["webhook-id"]), (&json!("••••"), &json!(kept)));
    assert_eq!(receiver.received().len(), 0, "nothing is sent unasked");

    let sent = bundle.post(&test, &json!({ "event": kept, "send": true }), 200).await;
    assert_eq!((&sent["attempt"]["status"], &sent["attempt"]["body"]), (&json!(202), &json!("taken")));
    let [call] = receiver.received().try_into().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&call.1).unwrap(), tried["event"]);
    assert_eq!(
        (&call.0["content-type"], &call.0["x-own"]),
        (&"application/cloudevents+json".parse().unwrap(), &"mine".parse().unwrap())
    );
    assert!(call.0["traceparent"].to_str().unwrap().len() == 55 && is_signed(&made["target"]["secret"], &call));
    let at = Timestamp::from_millis(1000 * call.0["webhook-timestamp"].to_str().unwrap().parse::<u64>().unwrap());
    assert!(bundle.local.app.now().millis().abs_diff(at.millis()) < 60_000);

    let shaped = json!({ "filter": "data.tag == 'gold'", "target": { "type": "webhook", "url": url,
        "body": { "text": "'New tag ' + data.tag", "who": "data.subscriber.name" } } });
    let rotated = bundle.post(&(path(&made) + "/rotate"), &json!({}), 200).await;
    assert_ne!(rotated["target"]["secret"], made["target"]["secret"]);
    bundle.patch(&path(&made), &shaped, 200).await;
    let sent = bundle.post(&test, &json!({ "event": kept, "send": true }), 200).await;
    assert_eq!((&sent["matches"], &sent["attempt"]["status"]), (&json!(false), &json!(202)));
    let [call] = receiver.received().try_into().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&call.1).unwrap(), json!({ "text": "New tag vip", "who": "Ava" }));
    assert_eq!(call.0["content-type"], "application/json");
    assert!(is_signed(&made["target"]["secret"], &call) && is_signed(&rotated["target"]["secret"], &call));

    // The old secret signs for a day.
    bundle.clock.advance(std::time::Duration::from_secs(86_400));
    bundle.post(&test, &json!({ "event": kept, "send": true }), 200).await;
    let [call] = receiver.received().try_into().unwrap();
    assert!(!is_signed(&made["target"]["secret"], &call) && is_signed(&rotated["target"]["secret"], &call));

    // One that got about is to sign no more at once.
    let rotate = path(&made) + "/rotate";
    let cut = bundle.post(&rotate, &json!({ "grace_seconds": 0 }), 200).await;
    assert_eq!(cut["target"]["old_secret_until"], Value::Null);
    bundle.post(&test, &json!({ "event": kept, "send": true }), 200).await;
    let [call] = receiver.received().try_into().unwrap();
    assert!(!is_signed(&rotated["target"]["secret"], &call) && is_signed(&cut["target"]["secret"], &call));
    let unknown = bundle.request(Method::POST, &rotate).json(&json!({ "grace": 1 }));
    assert_eq!(pointers(&refused(unknown, 422, "invalid_body").await), ["/grace"]);
}

#[tokio::test]
async fn a_sample_stands_in_for_an_event_and_a_failing_expression_is_reported() {
    let bundle = start().await;
    let connection = bundle.connection("chatbot").await;
    let route = json!({ "name": "Ban", "events": ["*.tag.added"], "filter": "data.nothing == 1", "target": {
        "type": "action", "action": "chatbot.ban-user", "connection": connection,
        "input": { "user_id": "data.subscriber.platform_id", "operation": "'ban'" },
    } });
    let made = bundle.post("/v1/routes", &route, 201).await;
    assert_eq!(made["target"], route["target"]);
    let tried = bundle.post(&(path(&made) + "/test"), &json!({}), 200).await;
    assert_eq!((&tried["event"]["type"], &tried["matches"]), (&json!("botstar.tag.added"), &json!(false)));
    assert!(string(&tried["fault"]).starts_with("the filter: "), "{tried}");
    let input = json!({ "user_id": "u-1", "operation": "ban" });
    let request = json!({ "type": "action", "action": "chatbot.ban-user", "connection": connection, "input": input });
    assert_eq!(tried["request"], request);
    let send = bundle.request(Method::POST, &(path(&made) + "/test")).json(&json!({ "send": true }));
    assert_eq!(pointers(&refused(send, 422, "invalid_body").await), ["/send"]);
    let rotate = bundle.request(Method::POST, &(path(&made) + "/rotate"));
    refused(rotate, 409, "conflict").await;

    let mut broken = route;
    broken["target"]["input"]["user_id"] = json!("data.subscriber.nobody");
    bundle.patch(&path(&made), &json!({ "target": broken["target"] }), 200).await;
    let tried = bundle.post(&(path(&made) + "/test"), &json!({}), 200).await;
    assert_eq!(tried["request"], Value::Null);
    assert!(string(&tried["fault"]).starts_with("`user_id`: "), "{tried}");

    // Of a hook, or of a connection, the sample is one of its own.
    let hook = bundle.hook("botmother.watch-request").await;
    let mut narrow =
        json!({ "name": "n", "events": ["*"], "target": { "type": "webhook", "url": "http://127.0.0.1:9/" } });
    for (field, id) in [("hook", &hook.id), ("connection", &hook.connection)] {
        narrow[field] = json!(id);
        let made = bundle.post("/v1/routes", &narrow, 201).await;
        let tried = bundle.post(&(path(&made) + "/test"), &json!({}), 200).await;
        let event = (&tried["event"]["type"], &tried["event"]["data"]["connection"], &tried["matches"]);
        assert_eq!(event, (&json!("botmother.request.received"), &json!(hook.connection), &json!(true)));
    }

    let (receiver, url) = Receiver::start().await;
    let made = bundle.post("/v1/routes", &to(&url.replace("127.0.0.1", "127.0.0.2")), 201).await;
    let tried = bundle.post(&(path(&made) + "/test"), &json!({ "send": true }), 200).await;
    assert_eq!(tried["attempt"]["status"], Value::Null);
    assert!(!string(&tried["attempt"]["error"]).contains("key=1"), "{tried}");
    assert_eq!(receiver.received().len(), 0);
}

#[tokio::test]
async fn a_route_that_is_not_made_is_tried_and_nothing_is_sent() {
    let bundle = start().await;
    let (receiver, url) = Receiver::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let kept = bundle.accept(&hook, &json!({ "user": { "id": "u-1", "name": "Ava" }, "tag": "vip" })).await;
    let tried = async |draft: &Value| bundle.post("/v1/routes/test", draft, 200).await;

    let mut draft = json!({ "events": ["botstar.*"], "event": kept, "filter": "data.tag == 'vip'" });
    let reported = tried(&draft).await;
    assert_eq!(
        (&reported["matches"], &reported["fault"], &reported["request"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
    draft["filter"] = json!("data.tag == 'gold'");
    assert_eq!(tried(&draft).await["matches"], false);
    draft["filter"] = json!("data.nobody == 1");
    let reported = tried(&draft).await;
    assert!(reported["matches"] == false && string(&reported["fault"]).starts_with("the filter: "), "{reported}");
    draft["filter"] = json!("data.tag ==");
    let bad = refused(bundle.request(Method::POST, "/v1/routes/test").json(&draft), 422, "invalid_body").await;
    assert_eq!(pointers(&bad), ["/filter"]);

    let target =
        json!({ "type": "webhook", "url": url, "headers": { "X-Own": "mine" }, "body": { "who": "data.tag" } });
    let draft = json!({ "events": ["botstar.*"], "event": kept, "hook": hook.id, "target": target });
    let reported = tried(&draft).await;
    assert_eq!((&reported["matches"], &reported["request"]["body"]), (&json!(true), &json!({ "who": "vip" })));
    let headers = &reported["request"]["headers"];
    assert!(headers["webhook-id"] == kept && headers.get("webhook-signature").is_none(), "{reported}");
    assert_eq!(receiver.received().len(), 0);
    assert_eq!(bundle.all("/v1/routes").await.len(), 0);

    let mut action = json!({ "type": "action", "action": "chatbot.ban-user", "connection": hook.connection,
        "input": { "user_id": "data.subscriber.platform_id", "operation": "'ban'" } });
    let draft = |target: &Value| json!({ "events": ["botstar.tag.added"], "target": target });
    let test = |target: &Value| bundle.request(Method::POST, "/v1/routes/test").json(&draft(target));
    refused(test(&action), 422, "connection_mismatch").await;
    action["connection"] = json!(bundle.connection("chatbot").await);
    let reported = tried(&draft(&action)).await;
    assert_eq!(
        reported["request"]["input"],
        json!({ "user_id": "u-1", "operation": "ban" }),
        "of the sample: {reported}"
    );
    action["input"] = json!({});
    let missing = refused(test(&action), 422, "invalid_body").await;
    assert_eq!(pointers(&missing), ["/target/input/operation", "/target/input/user_id"]);
}

//! Botmother's connections: the event URL is all the secret there is, and leads to Botmother alone.

use crate::support::{
    assertions::{BotStar, pointers, problem, refused},
    botmother::{Botmother, SEND, connect, to_one},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{
    Bundle, Sandbox, TestHook, answer, expect,
    sandbox::{FaultKind, Platform},
    string,
};

const HOST: &str = "https://app.botmother.com";
const PATH: &str = "/api/bot/action/q7Rm-4xK_/a-long-token-of-an-event_0123456789wXyZ";

/// A bundle whose Botmother is the real one. Nothing here calls it.
async fn start() -> Bundle {
    Bundle::start_with(&[("BOTMOTHER_API_URL", HOST)]).await
}

fn path(connection: &Value) -> String {
    format!("/v1/connections/{}", string(&connection["id"]))
}

fn credentials(event_url: &Value) -> Value {
    json!({ "credentials": { "event_url": event_url } })
}

#[tokio::test]
async fn an_event_url_goes_in_and_is_masked_in_every_read() {
    let bundle = start().await;
    let made = connect(&bundle, &format!("{HOST}{PATH}")).await;
    let masked = json!({ "event_url": "••••wXyZ" });
    assert_eq!((&made["credentials"], &made["warnings"], &made["generated"]), (&masked, &json!([]), &Value::Null));
    let path = path(&made);
    assert_eq!(bundle.get(&path, 200).await, made);
    assert_eq!(bundle.all("/v1/connections").await, std::slice::from_ref(&made));
    let renamed = bundle.patch(&path, &json!({ "name": "Renamed" }), 200).await;
    assert_eq!((&renamed["credentials"], &renamed["name"]), (&masked, &json!("Renamed")));
    let other = json!(format!("{HOST}{}", PATH.replace("wXyZ", "aBcD")));
    let replaced = bundle.patch(&path, &credentials(&other), 200).await;
    assert_eq!(replaced["credentials"], json!({ "event_url": "••••aBcD" }));
    for none in [json!({}), json!({ "event_url": null })] {
        let emptied = bundle.patch(&path, &json!({ "credentials": none }), 200).await;
        assert_eq!((&emptied["credentials"], &emptied["warnings"]), (&none, &json!([])));
    }
    let without = bundle.post("/v1/connections", &json!({ "platform": "botmother", "name": "Bot" }), 201).await;
    assert_eq!(without["credentials"], json!({}));
    let generated = bundle.request(Method::POST, "/v1/connections");
    let generated = generated.json(&json!({ "platform": "botmother", "name": "Bot", "generate": true }));
    assert_eq!(pointers(&refused(generated, 422, "invalid_body").await), ["/generate"]);
}

#[tokio::test]
async fn a_url_that_leads_elsewhere_or_is_written_otherwise_is_refused() {
    let bundle = start().await;
    let made = connect(&bundle, &format!("{HOST}{PATH}")).await;
    let at_host = |host: &str| format!("{host}{PATH}");
    let elsewhere = "must begin with https://app.botmother.com/ (BOTMOTHER_API_URL)";
    let otherwise = "must be exactly as Botmother shows it";
    let more = "must have no query and no fragment";
    for (url, fault) in [
        (at_host("http://app.botmother.com"), elsewhere),
        (at_host("ftp://app.botmother.com"), elsewhere),
        (at_host("wss://app.botmother.com"), elsewhere),
        (at_host("https://app.botmother.com:8443"), elsewhere),
        (at_host("https://app.botmother.com:80"), elsewhere),
        (at_host("https://app.botmother.com:443"), elsewhere),
        (at_host("https://botmother.com"), elsewhere),
        (at_host("https://evil.example"), elsewhere),
        (at_host("https://app.botmother.com.evil.example"), elsewhere),
        (at_host("https://app.botmother.com."), elsewhere),
        (at_host("https://app.botmother.co"), elsewhere),
        (at_host("https://xapp.botmother.com"), elsewhere),
        (at_host("https://APP.botmother.com"), elsewhere),
        (at_host("HTTPS://app.botmother.com"), elsewhere),
        (at_host("https://app%2Ebotmother.com"), elsewhere),
        (at_host("https:app.botmother.com"), elsewhere),
        (at_host("https:///app.botmother.com"), elsewhere),
        (at_host("https:\\\\app.botmother.com"), elsewhere),
        (at_host("https://app.botmother.com@evil.example"), elsewhere),
        (at_host("https://app.botmother.com:x@evil.example"), elsewhere),
        (at_host("https://app.botmother.com\\@evil.example"), elsewhere),
        (at_host("https://evil.example/app.botmother.com"), elsewhere),
        (at_host("https://evil.example\\@app.botmother.com"), elsewhere),
        (at_host("https://evil.example?@app.botmother.com"), elsewhere),
        (at_host("https://evil.example#@app.botmother.com"), elsewhere),
        (at_host("https://@app.botmother.com"), elsewhere),
        (at_host("https://user@app.botmother.com"), elsewhere),
        (at_host("https://user:word@app.botmother.com"), elsewhere),
        (at_host("https://:word@app.botmother.com"), elsewhere),
        // With a Cyrillic o, as it is sent.
        (at_host("https://app.xn--btmother-uqi.com"), elsewhere),
        (at_host("https://127.0.0.1"), elsewhere),
        (at_host("https://[::1]"), elsewhere),
        (at_host("https://169.254.169.254"), elsewhere),
        (format!("blob:{HOST}{PATH}"), elsewhere),
        (format!("file://{PATH}"), elsewhere),
        ("javascript:alert(1)".to_owned(), elsewhere),
        (HOST.to_owned(), elsewhere),
        (format!("{HOST}?a=b"), elsewhere),
        (format!("{HOST}/"), "must have a path"),
        (format!("{HOST}{PATH}?a=b"), more),
        (format!("{HOST}{PATH}?"), more),
        (format!("{HOST}{PATH}#a"), more),
        (format!("{HOST}{PATH}#"), more),
        (format!("{HOST}/."), otherwise),
        (format!("{HOST}/\\evil.example{PATH}"), otherwise),
        (format!("{HOST}/{}", PATH.replace('/', "\\")), otherwise),
        (format!("{HOST}/api/bot/../bot/action/a/0123456789abcdef"), otherwise),
        (format!("{HOST}/api/%2e%2E/action/a/0123456789abcdef"), otherwise),
        (format!("{HOST}/api/bot/action/a/<0123456789abcdef>"), otherwise),
        (at_host("https://app.botmother.com%40evil.example"), "is not a valid URL"),
        (at_host("//app.botmother.com"), "is not a valid URL"),
        (at_host("app.botmother.com"), "is not a valid URL"),
        (PATH.to_owned(), "is not a valid URL"),
        ("x".to_owned(), "is not a valid URL"),
    ] {
        let problem = refused_both_ways(&bundle, &made, &json!(url)).await;
        assert_eq!(problem["errors"][0]["detail"], fault, "{url}");
    }
    for url in [
        json!(""),
        json!(format!(" {HOST}{PATH}")),
        json!(format!("{HOST}{PATH}\n")),
        json!(format!("{HOST}/a\tb{PATH}")),
        json!(format!("{HOST}\0{PATH}")),
        json!(at_host("https://app.bоtmother.com")),
        json!(at_host("https://app。botmother。com")),
        json!(format!("{HOST}{PATH}é")),
        json!(format!("{HOST}/{}", "x".repeat(2048 - HOST.len()))),
        json!(5),
        json!([format!("{HOST}{PATH}")]),
        json!({ "url": format!("{HOST}{PATH}") }),
    ] {
        refused_both_ways(&bundle, &made, &url).await;
    }
    assert_eq!(bundle.all("/v1/connections").await, [made]);
}

/// An event URL that is refused where a connection is made and where one is changed, and not repeated; the problem.
async fn refused_both_ways(bundle: &Bundle, made: &Value, url: &Value) -> Value {
    let mut new = credentials(url);
    let changed = refused(bundle.request(Method::PATCH, &path(made)).json(&new), 422, "invalid_body").await;
    new["platform"] = json!("botmother");
    new["name"] = json!("Bot");
    let problem = refused(bundle.request(Method::POST, "/v1/connections").json(&new), 422, "invalid_body").await;
    assert_eq!(pointers(&problem), ["/credentials/event_url"], "{url}: {problem}");
    assert_eq!(problem["errors"], changed["errors"]);
    assert!(!problem.to_string().contains("0123456789"), "{url}: {problem}");
    problem
}

#[tokio::test]
async fn a_url_of_an_unknown_form_is_taken_with_a_warning() {
    let bundle = start().await;
    let warning = json!([{
        "pointer": "/credentials/event_url",
        "detail": "does not have the known form /api/bot/action/<id>/<token>",
    }]);
    for path in [
        "/x",
        "/api/bot/action/q7Rm-4xK_",
        "/api/bot/action/q7Rm-4xK_/short",
        "/api/bot/action//0123456789abcdef",
        "/api/bot/action/q7Rm-4xK_/0123456789abcdef/",
        "/api/bot/action/q7Rm-4xK_/0123456789abcdef/more",
        "/api/v2/bot/action/q7Rm-4xK_/0123456789abcdef",
        "//api/bot/action/q7Rm-4xK_/0123456789abcdef",
        "/%2E%2Ex/@:;,+",
    ] {
        let made = connect(&bundle, &format!("{HOST}{path}")).await;
        assert_eq!(made["warnings"], warning, "{path}");
        assert_eq!(bundle.get(&self::path(&made), 200).await, made);
        let known = json!(format!("{HOST}/api/bot/action/x/0123456789-_cdef"));
        let mended = bundle.patch(&self::path(&made), &credentials(&known), 200).await;
        assert_eq!(mended["warnings"], json!([]), "{path}");
    }
    // It is used as it is.
    let botmother = Botmother::start().await;
    let odd = connect(&botmother.bundle, &format!("{}/api/bot/other", botmother.sandbox.url)).await;
    let mut input = to_one();
    input["connection"] = odd["id"].clone();
    botmother.refused(input, 424, "connection_unauthorized").await;
    let [seen] = botmother.asked().try_into().unwrap();
    assert_eq!(seen.path, "/api/bot/other");
}

#[tokio::test]
async fn a_url_that_no_longer_leads_where_the_setting_says_is_not_called() {
    let folder = tempfile::tempdir().unwrap();
    let data = ("DATA_DIR", folder.path().to_str().unwrap());
    let (first, second) = (Sandbox::start(0).await.unwrap(), Sandbox::start(0).await.unwrap());
    let bundle = Bundle::start_with(&[data, ("BOTMOTHER_API_URL", &first.url)]).await;
    let made = connect(&bundle, &first.event_url()).await;
    bundle.local.stop().await.unwrap();

    let bundle = Bundle::start_with(&[data, ("BOTMOTHER_API_URL", &second.url)]).await;
    let mut input = to_one();
    input["connection"] = made["id"].clone();
    let send = || bundle.request(Method::POST, SEND).header("idempotency-key", "k").json(&input);
    let reported = refused(send(), 424, "connection_unauthorized").await;
    assert_eq!(reported["detail"], format!("the event URL must begin with {}/ (BOTMOTHER_API_URL)", second.url));
    assert!(reported["retry"] != "unknown", "{reported}");
    let tested = bundle.post(&format!("{}/test", path(&made)), &json!({}), 200).await;
    assert_eq!((&tested["ok"], &tested["detail"]), (&json!(false), &reported["detail"]));
    assert_eq!(bundle.get(&path(&made), 200).await["credentials"], made["credentials"]);
    assert_eq!((first.requests().len(), second.requests().len()), (0, 0));

    // Another URL mends it at once.
    bundle.patch(&path(&made), &credentials(&json!(second.event_url())), 200).await;
    expect(send(), 200).await;
    assert_eq!((first.requests().len(), second.requests().len()), (0, 1));
}

#[tokio::test]
async fn a_connection_test_checks_that_botmother_answers_and_sends_no_event() {
    let (server, url) = BotStar::start().await;
    let origin = url.strip_suffix("/v1").unwrap();
    let bundle = Bundle::start_with(&[("BOTMOTHER_API_URL", origin)]).await;
    let made = connect(&bundle, &format!("{origin}{PATH}")).await;
    let test = || bundle.request(Method::POST, &format!("{}/test", path(&made)));
    let asked = || server.asked().len();
    for status in [200, 204, 302, 401, 404, 405, 429] {
        let before = asked();
        server.says(status, &[("location", "/elsewhere")], "<html>");
        let tested = expect(test(), 200).await;
        assert_eq!(tested["ok"], Value::Null, "{status}: {tested}");
        assert!(string(&tested["detail"]).contains("botmother.send-event"), "{tested}");
        assert_eq!(asked() - before, 1, "{status}");
    }
    for status in [500, 503] {
        server.says(status, &[], "closed for repairs");
        let reported = refused(test(), 502, "platform_unavailable").await;
        assert!(string(&reported["detail"]).contains("closed for repairs"), "{reported}");
    }
    assert!(server.asked().iter().all(|(method, path, key)| (method.as_str(), &**path, &**key) == ("GET", "/", "")));

    let without = bundle.connection("botmother").await;
    let before = asked();
    let tested = bundle.post(&format!("/v1/connections/{without}/test"), &json!({}), 200).await;
    assert_eq!((&tested["ok"], asked()), (&Value::Null, before));
    assert_eq!(tested["detail"], "no URL to test; receiving requests needs none");

    let nowhere = Bundle::start().await;
    let made = connect(&nowhere, &format!("http://127.0.0.1:9{PATH}")).await;
    let reported = answer(nowhere.request(Method::POST, &format!("{}/test", path(&made)))).await;
    assert_eq!(problem(&reported, 502, "platform_unavailable")["detail"], "cannot connect");
}

#[tokio::test]
async fn a_url_that_botmother_does_not_take_is_looked_up_anew() {
    let botmother = Botmother::start().await;
    for kind in [FaultKind::NotFound, FaultKind::Gone, FaultKind::Unauthorized, FaultKind::Forbidden] {
        botmother.sandbox.fault(kind.at(Platform::Botmother));
        let reported = botmother.refused(to_one(), 424, "connection_unauthorized").await;
        assert!(string(&reported["detail"]).contains("this fault was armed"), "{reported}");
        botmother.send(to_one()).await;
    }
    let wrong = botmother.sandbox.event_url().replace(Sandbox::EVENT_TOKEN, "a-token-that-is-no-more");
    let of_connection = format!("/v1/connections/{}", botmother.connection);
    botmother.bundle.patch(&of_connection, &credentials(&json!(wrong)), 200).await;
    botmother.refused(to_one(), 424, "connection_unauthorized").await;
    // As another process changes it, of which this one learns nothing.
    let store = &botmother.bundle.local.app.store;
    let mut connection: store::connections::Connection = store.find(&botmother.connection).await.unwrap().unwrap();
    let right = json!({ "event_url": botmother.sandbox.event_url() }).to_string();
    let sealer = botmother.bundle.local.app.sealer().unwrap();
    connection.sealed = Some(sealer.seal(&botmother.connection, &right).await.unwrap());
    store.update(&mut connection).await.unwrap();
    botmother.send(to_one()).await;
}

#[tokio::test]
async fn receiving_requests_takes_no_url() {
    let bundle = start().await;
    let TestHook { connection, url, .. } = bundle.hook("botmother.watch-request").await;
    assert_eq!(bundle.get(&format!("/v1/connections/{connection}"), 200).await["credentials"], json!({}));
    assert_eq!(bundle.send(&url, "{}").await.status, 200);
    bundle.clock.advance(Duration::from_secs(1));
    refused(bundle.request(Method::DELETE, &format!("/v1/connections/{connection}")), 409, "connection_in_use").await;
}

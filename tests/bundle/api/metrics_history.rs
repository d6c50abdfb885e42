//! History of `local`'s metrics in the API.

use crate::support::{assertions::refused, receiver::Receiver};
use models::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{Bundle, TestHook, eventually, expect};

const DAY_MILLIS: u64 = 86_400_000;

/// Sum of a series; for a latency, its latest value.
fn figure(metrics: &Value, metric: &str, statistic: &str) -> Option<f64> {
    let mut series = metrics["series"].as_array().unwrap().iter();
    let series = series.find(|series| series["metric"] == metric && series["statistic"] == statistic).unwrap();
    let values = series["values"].as_array().unwrap();
    assert_eq!(values.len(), metrics["times"].as_array().unwrap().len(), "{metric}");
    match statistic {
        "Sum" => Some(values.iter().map(|value| value.as_f64().unwrap()).sum()),
        _ => values.iter().rev().find_map(Value::as_f64),
    }
}

fn sums(metrics: &Value) -> Value {
    let names = ["Accepted", "Duplicate", "Ignored", "Rejected", "Delivered", "Failed", "Dead"];
    names.iter().map(|name| ((*name).to_owned(), json!(figure(metrics, name, "Sum")))).collect()
}

async fn until_sums(bundle: &Bundle, wanted: Value) -> Value {
    let reported = eventually(|| async {
        let metrics = bundle.get("/v1/metrics", 200).await;
        (sums(&metrics) == wanted).then_some(metrics)
    });
    reported.await
}

async fn post(bundle: &Bundle, hook: &TestHook, body: &'static str) {
    bundle.send(&hook.url, body).await;
}

#[tokio::test]
async fn outcomes_of_calls_and_deliveries_are_reported_over_time() {
    let bundle = Bundle::start_with(&[("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8"), ("RETRY_SCHEDULE", "1")]).await;
    let nothing = json!({ "Accepted": 0.0, "Duplicate": 0.0, "Ignored": 0.0, "Rejected": 0.0, "Delivered": 0.0,
        "Failed": 0.0, "Dead": 0.0 });
    let none = until_sums(&bundle, nothing.clone()).await;
    assert_eq!((&none["period"], figure(&none, "Latency", "p99")), (&json!(300), None));
    assert_eq!(figure(&none, "DeliveryLatency", "p50"), None);

    let ((taking, url), (failing, gone)) = (Receiver::start().await, Receiver::start().await);
    failing.says(500, "");
    let hook = bundle.hook("botdistrikt.watch-message").await;
    for url in [&url, &gone] {
        let target = json!({ "type": "webhook", "url": url });
        bundle.post("/v1/routes", &json!({ "name": "r", "events": ["botdistrikt.*"], "target": target }), 201).await;
    }
    post(&bundle, &hook, "{}").await;
    post(&bundle, &hook, "{}").await;
    post(&bundle, &hook, "{").await;
    let from_bot = bundle.http.post(&hook.url).header("x-botdistrikt-source", "bot").body("{}");
    assert_eq!(expect(from_bot, 200).await["status"], "ignored");
    let reported = until_sums(
        &bundle,
        json!({ "Accepted": 1.0, "Duplicate": 1.0, "Ignored": 1.0, "Rejected": 1.0, "Delivered": 1.0, "Failed": 2.0,
            "Dead": 1.0 }),
    );
    let reported = reported.await;
    assert_eq!(taking.received().len(), 1);
    let (median, slowest) =
        (figure(&reported, "Latency", "p50").unwrap(), figure(&reported, "Latency", "p99").unwrap());
    assert!(median <= slowest && slowest < 10_000.0, "{median} {slowest}");
    assert!(figure(&reported, "DeliveryLatency", "p50").unwrap() < 10_000.0);

    bundle.clock.advance(Duration::from_secs(2 * 86_400));
    until_sums(&bundle, nothing).await;
}

#[tokio::test]
async fn a_disabled_hook_s_calls_count_as_rejected() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botdistrikt.watch-message").await;
    bundle.patch(&format!("/v1/hooks/{}", hook.id), &json!({ "enabled": false }), 200).await;
    post(&bundle, &hook, "{}").await;
    eventually(|| async {
        let metrics = bundle.get("/v1/metrics?period=60", 200).await;
        (figure(&metrics, "Rejected", "Sum") == Some(1.0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_time_is_cut_as_it_is_asked_for() {
    let bundle = Bundle::start().await;
    let day = Timestamp::from_millis(bundle.local.app.now().millis() / DAY_MILLIS * DAY_MILLIS);
    let ago = |days: u64, seconds: u64| Timestamp::from_millis(day.millis() - days * DAY_MILLIS + seconds * 1000);
    let times = async |query: &str| bundle.get(&format!("/v1/metrics?{query}"), 200).await["times"].clone();
    let span = |after: Timestamp, before: Timestamp| format!("after={after}&before={before}");
    let minutes = span(ago(1, 60), ago(1, 540));
    let reported = times(&format!("{minutes}&period=240")).await;
    assert_eq!(reported, json!([ago(1, 0), ago(1, 240), ago(1, 480)]));
    for (asked, count) in [
        (minutes, 8),
        (span(ago(8, 0), ago(1, 0)), 7 * 24),
        // Of what is older, CloudWatch keeps no shorter periods.
        (span(ago(20, 0), ago(20, 3_600)), 12),
        (span(ago(70, 0), ago(69, 0)), 24),
        (span(ago(1_000, 0), ago(0, 0)), 1_000),
        ("before=1970-01-01T00:00:01Z".to_owned(), 1),
    ] {
        assert_eq!(times(&asked).await.as_array().unwrap().len(), count, "{asked}");
    }
    for (query, parameter) in [
        ("period=90".to_owned(), "period"),
        ("period=0".to_owned(), "period"),
        ("period=x".to_owned(), "period"),
        ("period=172800".to_owned(), "period"),
        (format!("{}&period=60", span(ago(3, 0), ago(1, 0))), "period"),
        (format!("{}&period=60", span(ago(20, 0), ago(20, 3_600))), "period"),
        (format!("{}&period=300", span(ago(70, 0), ago(70, 3_600))), "period"),
        ("after=1970-01-01T00:00:00Z&before=9999-12-31T23:59:59Z".to_owned(), "period"),
        (span(ago(1, 0), ago(1, 0)), "after"),
        ("after=2100-01-01T00:00:00Z".to_owned(), "after"),
    ] {
        let path = format!("/v1/metrics?{query}");
        let problem = refused(bundle.request(Method::GET, &path), 422, "invalid_query").await;
        assert_eq!(problem["errors"][0]["pointer"], parameter, "{query}: {problem}");
    }
}

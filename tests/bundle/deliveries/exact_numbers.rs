//! Numbers come out of deliveries, actions and replies as they went in.

use crate::support::{
    assertions::{pointers, refused},
    botdistrikt::BotDistrikt,
    botmother::{Botmother, SEND},
    chatbot::ChatBot,
    delivery_worker::{self, DeliveryWorker},
    receiver::Received,
};
use models::{DeliveryState, delivery::Reason};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Bundle, expect};

/// The ends of 64 bits, and numbers that neither they nor a double hold.
const NUMBERS: &str = "[9007199254740993,18446744073709551615,-9223372036854775808,100000000000000000001,\
                       42.000000000000000001,0.10000000000000001,1e+400,0.1]";

fn body_of((_, body): &Received) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}

/// Delivers an event with this body by a route whose `body` is one expression.
async fn delivered(worker: &DeliveryWorker<'_>, expression: &str, raw: &str) -> models::DeliveryId {
    worker.route(json!({ "target": worker.webhook(json!({ "body": { "a": expression } })) })).await;
    assert_eq!(worker.harness.send(&worker.hook, raw.to_owned()).await.status, 200);
    worker.dispatch().await;
    let (delivery, _) = worker.one_sent();
    worker.deliver(&delivery).await;
    delivery
}

#[tokio::test]
async fn a_number_of_any_size_is_delivered_as_it_was_received() {
    for expression in ["data.raw.n", "data.subscriber.attributes.n", "data.raw.n.filter(x, x != 'a')"] {
        let bundle = delivery_worker::bundle().await;
        let worker = DeliveryWorker::of(&bundle).await;
        let raw = format!(r#"{{"user":{{"id":"u-1","attributes":{{"n":{NUMBERS}}}}},"tag":"t","n":{NUMBERS}}}"#);
        delivered(&worker, expression, &raw).await;
        let [sent] = worker.target.received().try_into().unwrap();
        assert_eq!(body_of(&sent), format!("{{\"a\":{NUMBERS}}}"), "{expression}");
    }
}

#[tokio::test]
async fn a_number_that_cant_be_calculated_with_is_unmappable() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let raw = r#"{"user":{"id":"u-1"},"tag":"t","n":100000000000000000001}"#;
    let delivery = delivered(&worker, "data.raw.n + 1", raw).await;
    let ended = worker.delivery(&delivery).await;
    assert_eq!((ended.state, ended.reason), (DeliveryState::Dead, Some(Reason::Unmappable)));
    let error = ended.attempts[0].error.as_deref();
    assert_eq!(error, Some("nothing was sent: `a`: `+` can't be applied to long number and int"));
}

#[tokio::test]
async fn a_body_of_more_than_a_megabyte_is_not_sent() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let body: Value = (0..50).map(|at| (format!("f{at}"), Value::from("data"))).collect();
    worker.route(json!({ "target": worker.webhook(json!({ "body": body })) })).await;
    let raw = json!({ "user": { "id": "u-1" }, "tag": "t", "s": "a".repeat(240_000) });
    worker.harness.accept(&worker.hook, &raw).await;
    worker.dispatch().await;
    let (delivery, _) = worker.one_sent();
    worker.deliver(&delivery).await;
    let ended = worker.delivery(&delivery).await;
    assert_eq!((ended.state, ended.reason), (DeliveryState::Dead, Some(Reason::Unmappable)));
    let error = ended.attempts[0].error.clone().unwrap_or_default();
    assert!(
        error.starts_with("nothing was sent: the body would have ") && error.ends_with("at most 1048576 are allowed"),
        "{error}"
    );
    assert!(worker.target.received().is_empty());
}

#[tokio::test]
async fn an_id_that_is_not_exact_is_unmapped() {
    let bundle = Bundle::start().await;
    for (id, platform_id) in [
        ("42.000000000000000001", None),
        ("100000000000000000001", None),
        ("1e20", None),
        ("9007199254740993.0", None),
        ("42.0", Some("42")),
        ("4.2e1", Some("42")),
        ("18446744073709551615", Some("18446744073709551615")),
        ("42.5", Some("42.5")),
    ] {
        let hook = bundle.hook("botstar.watch-tag").await;
        let answer = bundle.send(&hook.url, format!(r#"{{"user":{{"id":{id}}},"tag":"t"}}"#)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let [event] = bundle.all(&format!("/v1/events?hook={}", hook.id)).await.try_into().unwrap();
        let data = &event["data"];
        assert_eq!(data["subscriber"]["platform_id"].as_str(), platform_id, "{id}");
        let is_unmapped = data["unmapped"].as_array().unwrap().contains(&json!("subscriber.id"));
        assert_eq!(is_unmapped, platform_id.is_none(), "{id}");
    }
}

#[tokio::test]
async fn an_actions_input_keeps_its_numbers() {
    let chatbot = ChatBot::start().await;
    let input =
        format!(r#"{{"connection":"{}","path":"users","method":"POST","body":{{"n":{NUMBERS}}}}}"#, chatbot.connection);
    chatbot.asked();
    let call = chatbot.bundle.request(Method::POST, "/v1/actions/chatbot/call-api").body(input);
    let _ = tests::answer(call).await;
    let [asked] = chatbot.asked().try_into().unwrap();
    assert_eq!(asked.body, format!("{{\"n\":{NUMBERS}}}"));

    let botmother = Botmother::start().await;
    let input = format!(
        r#"{{"connection":"{}","platform":"tg","users":["1"],"data":{{"n":{NUMBERS}}}}}"#,
        botmother.connection
    );
    expect(botmother.bundle.request(Method::POST, SEND).body(input), 200).await;
    assert_eq!(botmother.sandbox.external_events()[0]["data"].to_string(), format!("{{\"n\":{NUMBERS}}}"));

    for (limit, fault) in
        [("600.000000000000000001", "/limit"), ("100000000000000000001", "/limit"), ("1e400", "/limit")]
    {
        let input = format!(r#"{{"connection":"{}","limit":{limit}}}"#, chatbot.connection);
        let call = chatbot.bundle.request(Method::POST, "/v1/actions/chatbot/list-stories").body(input);
        let problem = refused(call, 422, "invalid_body").await;
        assert_eq!(pointers(&problem), [fault], "{limit}: {problem}");
    }
    let users = json!({ "platform": "tg" }).to_string().replace('}', ",\"users\":[100000000000000000001,1e20]}");
    let users = users.replacen('{', &format!("{{\"connection\":\"{}\",", botmother.connection), 1);
    let problem = refused(botmother.bundle.request(Method::POST, SEND).body(users), 422, "invalid_body").await;
    assert_eq!(pointers(&problem), ["/users/0", "/users/1"]);
}

#[tokio::test]
async fn a_message_to_botdistrikt_keeps_its_numbers() {
    let botdistrikt = BotDistrikt::start().await;
    botdistrikt.act("register-user", json!({ "webchat_id": "u-1", "user": { "first_name": "Ava" } }), 200).await;
    for number in ["100000000000000000001", "-340282366920938463463374607431768211456", "1e+400", "0.10000000000000001"]
    {
        let message = format!(r#"{{"text":"Hi","n":[{number}]}}"#);
        let connection = &botdistrikt.connection;
        let input = format!(r#"{{"connection":"{connection}","webchat_id":"u-1","message":{message}}}"#);
        botdistrikt.sandbox.forget_requests();
        let call = botdistrikt.bundle.request(Method::POST, "/v1/actions/botdistrikt/send-message");
        expect(call.body(input), 200).await;
        let [seen] = botdistrikt.sandbox.requests().try_into().unwrap();
        assert!(seen.body.contains(&format!("\"n\":[{number}]")), "{}", seen.body);
    }
}

const WHOLE: &str = "must be a whole number";
const LARGE: &str = "value is greater than the maximum of 100";

#[tokio::test]
async fn a_limit_that_is_not_whole_is_refused_in_plain_words() {
    let chatbot = ChatBot::start().await;
    for (limit, detail) in [
        ("5.5", WHOLE),
        ("0.1", WHOLE),
        ("1e-3", WHOLE),
        ("1e400000000", LARGE),
        ("100000000000000000001", LARGE),
        ("9007199254740993.0", LARGE),
        ("-5.5", WHOLE),
    ] {
        let input = format!(r#"{{"connection":"{}","limit":{limit}}}"#, chatbot.connection);
        let call = chatbot.bundle.request(Method::POST, "/v1/actions/chatbot/search-users").body(input);
        let problem = refused(call, 422, "invalid_body").await;
        assert_eq!(
            (problem["errors"][0]["pointer"].as_str(), problem["errors"][0]["detail"].as_str()),
            (Some("/limit"), Some(detail)),
            "{limit}"
        );
    }
}

#[tokio::test]
async fn a_reply_keeps_its_numbers() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let settings = format!(r#"{{"settings":{{"reply":{{"n":{NUMBERS}}}}}}}"#);
    let path = format!("/v1/hooks/{}", hook.id);
    expect(bundle.request(Method::PATCH, &path).body(settings), 200).await;
    let shown = tests::answer(bundle.request(Method::GET, &path)).await;
    assert!(shown.text.contains(NUMBERS), "{}", shown.text);
    let answer = bundle.send(&hook.url, r#"{"user":{"id":"u-1"},"tag":"t"}"#).await;
    assert_eq!(answer.text, format!("{{\"n\":{NUMBERS}}}"));
}

#[tokio::test]
async fn a_filter_with_a_time_in_another_form_is_refused_and_a_stored_one_goes_on() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let url = worker.webhook(json!({ "body": { "late": "time > \"2026-11-28\"" } }));
    let route = json!({ "name": "Late", "events": ["botstar.*"], "target": url, "filter": "\n time >= \"2026-11-28T10:00:16Z\"" });
    let problem = refused(bundle.request(Method::POST, "/v1/routes").json(&route), 422, "invalid_body").await;
    assert_eq!(pointers(&problem), ["/filter", "/target/body/late"]);
    let detail = "2:10: `time` is compared as a text in UTC with milliseconds: write \"2026-11-28T10:00:16.000Z\"";
    assert_eq!(problem["errors"][0]["detail"], detail);

    let id = worker.route(json!({ "filter": "data.tag == 'vip'" })).await;
    let mut stored = worker.stored_route(&id).await.unwrap();
    stored.filter = Some("time >= \"2020\"".to_owned());
    worker.harness.app.store.update(&mut stored).await.unwrap();
    bundle.patch(&format!("/v1/routes/{id}"), &json!({ "name": "Early" }), 200).await;
    worker.one_delivery().await;
}

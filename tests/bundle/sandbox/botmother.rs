//! The sandbox: Botmother as it plays it.

use crate::sandbox::botdistrikt::Target;
use serde_json::{Value, json};
use tests::{Answer, Api, answer, expect, sandbox::Sandbox, string};

async fn start() -> (Sandbox, Api) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let api = Api::new(&sandbox.event_url(), "none");
    (sandbox, api)
}

/// Posts a body in JSON to the event's URL.
async fn raw(api: &Api, body: String) -> Answer {
    answer(api.http.post(&api.url).header("content-type", "application/json").body(body)).await
}

async fn post(api: &Api, body: &Value, status: u16) -> Value {
    let answer = raw(api, body.to_string()).await;
    assert_eq!(answer.status.as_u16(), status, "{}: {body}", answer.text);
    answer.json()
}

#[tokio::test]
async fn an_event_is_queued_for_those_it_names() {
    let (sandbox, api) = start().await;
    let ids = json!(["5c517b7773515eaa3078e2f0"]);
    let cases = [
        (
            json!({ "platform": "tg", "users": ["1", 2], "data": { "order": "42" } }),
            json!(["tg"]),
            json!(["1", "2"]),
            2,
        ),
        (json!({ "platform": "any", "users": "everyone", "data": {} }), json!(["any"]), json!([]), 0),
        (json!({ "platform": "wa", "users": "+100" }), json!(["wa"]), json!(["+100"]), 1),
        (json!({ "users_bm": ids, "data": { "a": [1] }, "closeDialogs": true }), json!([]), json!([]), 1),
    ];
    for (event, platforms, platform_ids, count) in &cases {
        let answer = post(&api, event, 200).await;
        assert_eq!((&answer["result"], &answer["limits"]["exceeded"]), (&json!(true), &json!(false)));
        let record = &answer["payload"][0];
        let options = &record["queryOptions"];
        assert_eq!((&options["platforms"], &options["platformIds"]), (platforms, platform_ids));
        assert_eq!(options["storeIds"], event.get("users_bm").cloned().unwrap_or(json!([])));
        assert_eq!(record["sendData"]["data"], event.get("data").cloned().unwrap_or(json!({})));
        assert_eq!((&record["totalCount"], &record["processedCount"]), (&json!(count), &json!(0)));
        assert_eq!(string(&record["_id"]).len(), 24);
    }
    let sent: Vec<Value> = cases.into_iter().map(|(event, ..)| event).collect();
    assert_eq!(sandbox.external_events(), json!(sent));
    assert_eq!(Sandbox::EVENT_ID.len(), 9);
}

#[tokio::test]
async fn an_event_that_is_wrong_is_refused() {
    let (sandbox, api) = start().await;
    for (body, fault) in [
        (json!([]), "the body: must be an object"),
        (json!({}), "either platform and users, or users_bm alone, must be given"),
        (json!({ "platform": "tg" }), "either platform and users"),
        (json!({ "users": ["1"] }), "either platform and users"),
        (json!({ "platform": "tg", "users": ["1"], "users_bm": ["5c517b7773515eaa3078e2f0"] }), "either platform"),
        (json!({ "platform": "", "users": ["1"] }), "platform: must not be empty"),
        (json!({ "platform": 7, "users": ["1"] }), "invalid type: number"),
        (json!({ "platform": "tg", "users": [] }), "users: must name at least one user"),
        (json!({ "platform": "tg", "users": [""] }), "users: must name at least one user"),
        (json!({ "platform": "tg", "users": 1 }), "users: must be a string, or a list"),
        (json!({ "platform": "tg", "users": [true] }), "users: must be a string, or a list"),
        (json!({ "users_bm": [] }), "users_bm: must be a list of ids"),
        (json!({ "users_bm": ["1"] }), "users_bm: must be a list of ids"),
        (json!({ "platform": "tg", "users": ["1"], "data": "x" }), "invalid type: string"),
    ] {
        let answer = post(&api, &body, 400).await;
        let said = string(&answer["message"]);
        assert_eq!(answer["result"], false);
        assert!(said.contains(fault), "{said}: {body}");
    }
    assert_eq!(raw(&api, "{".to_owned()).await.status, 400);
    let right = r#"{"platform":"tg","users":["1"]}"#;
    assert_eq!(answer(api.http.post(&api.url).body(right)).await.status, 400, "it has no content type");
    let (id, token) = (Sandbox::EVENT_ID, Sandbox::EVENT_TOKEN);
    for path in [format!("{id}/x"), format!("x/{token}"), id.to_owned(), format!("{id}/{token}/")] {
        let url = format!("{}/api/bot/action/{path}", sandbox.url);
        let request = api.http.post(url).header("content-type", "application/json").body(right);
        assert_eq!(expect(request, 404).await["result"], false);
    }
    expect(api.http.get(&api.url), 404).await;
    assert_eq!(sandbox.external_events(), json!([]));
}

#[tokio::test]
async fn an_event_has_one_megabyte_at_most() {
    let (_sandbox, api) = start().await;
    let body = |length: usize| {
        let padding = length - r#"{"platform":"tg","users":["1"],"data":{"x":""}}"#.len();
        format!(r#"{{"platform":"tg","users":["1"],"data":{{"x":"{}"}}}}"#, "x".repeat(padding))
    };
    assert_eq!(raw(&api, body(1_048_576)).await.status, 200);
    let answer = raw(&api, body(1_048_577)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["result"]), (413, &json!(false)));
}

#[tokio::test]
async fn scripted_answers_replace_those_of_events() {
    let (sandbox, api) = start().await;
    let event = json!({ "platform": "tg", "users": ["1"] });
    sandbox.refuse_events(true);
    let answer = post(&api, &event, 200).await;
    assert_eq!(answer["result"], false);
    assert!(answer["message"].is_string());
    sandbox.refuse_events(false);
    sandbox.exceed_limits(true);
    let answer = post(&api, &event, 200).await;
    assert_eq!((&answer["result"], &answer["limits"]["exceeded"]), (&json!(true), &json!(true)));
    sandbox.exceed_limits(false);
    sandbox.nest_payload(true);
    let answer = post(&api, &event, 200).await;
    assert_eq!((&answer["payload"][0][0]["totalCount"], &answer["limits"]["exceeded"]), (&json!(1), &json!(false)));
    assert_eq!(sandbox.external_events().as_array().unwrap().len(), 2, "the one that was refused is not queued");

    let control = Api::new(&format!("{}/sandbox", sandbox.url), "any");
    control.post("/botmother/switches", &json!({ "refuse_events": true }), 204).await;
    assert_eq!(post(&api, &event, 200).await["result"], false);
    control.post("/botmother/switches", &json!({ "refuse_events": false, "exceed_limits": true }), 204).await;
    let answer = post(&api, &event, 200).await;
    assert_eq!((&answer["limits"]["exceeded"], answer["payload"][0].is_array()), (&json!(true), true));
    for (path, body) in [("switches", json!({ "exceeded": true })), ("request", json!({ "url": "example.com" }))] {
        let refused = tests::answer(control.http.post(format!("{}/botmother/{path}", control.url)).json(&body)).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
    }
    let wrong = format!("{}/api/bot/action/{}/x", sandbox.url, Sandbox::EVENT_ID);
    expect(api.http.post(wrong).json(&event), 404).await;
    let seen = control.get("/requests", 200).await;
    let shown = |at: usize| string(&seen[at]["path"]).rsplit('/').next().unwrap().to_owned();
    assert_eq!((&seen[0]["platform"], shown(0).as_str()), (&json!("botmother"), "(the token)"));
    assert_eq!(shown(5), "(not the token)");
}

#[tokio::test]
async fn the_request_component_fills_its_template_and_goes_on_or_not() {
    let (sandbox, _) = start().await;
    let target = Target::start(200, r#"{"text":"Thank you"}"#).await;
    let reported = sandbox.request_component(json!({ "url": target.url, "text": "One \"latte\"" })).await;
    assert_eq!((&reported["status"], &reported["screen"]), (&json!(200), &json!("next")));
    assert_eq!(reported["last_request"], json!({ "text": "Thank you" }));
    assert!(reported["milliseconds"].is_u64());
    let (headers, body) = target.last();
    assert_eq!(headers["content-type"], "application/json");
    let suggested = json!({
        "platform": "tg", "platform_id": "100200300", "bm_id": "5c517b7773515eaa3078e2f0", "text": "One \"latte\"",
        "variables": { "order": "42" },
    });
    assert_eq!(body, suggested);

    let template = json!([{ "{{last_input}}": "{{ this_user.full_name }}: {{last_input}}!" }, "{{this_user.x}} {{", 7]);
    let asked = json!({ "url": target.url, "text": "{{this_user.country}}", "body": template });
    sandbox.request_component(asked).await;
    let filled = json!([{ "{{last_input}}": "Mia Lind: {{this_user.country}}!" }, "{{this_user.x}} {{", 7]);
    assert_eq!(target.last().1, filled);

    for (status, text, screen) in [
        (404, r#"{"code":"not_found"}"#, "next"),
        (202, "null", "next"),
        (200, "Thank you", "error"),
        (422, "", "error"),
        (503, r#"{"code":"later"}"#, "error"),
        (302, "{}", "error"),
    ] {
        let target = Target::start(status, text).await;
        let reported = sandbox.request_component(json!({ "url": target.url })).await;
        assert_eq!((&reported["status"], &reported["screen"]), (&json!(status), &json!(screen)), "{text}");
    }
    let control = Api::new(&sandbox.url, "any");
    let reported = control.post("/sandbox/botmother/request", &json!({ "url": "http://127.0.0.1:1/" }), 200).await;
    assert_eq!((&reported["status"], &reported["screen"]), (&Value::Null, &json!("error")));
}

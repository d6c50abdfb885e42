//! BotStar as the sandbox plays it: what it refuses.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Api, Sandbox, answer};

#[tokio::test]
async fn a_request_that_the_descriptions_do_not_allow_is_refused() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let bot = format!("/bots/{}", Sandbox::BOT_ID);
    let api = Api::new(&sandbox.botstar_url(), Sandbox::BOTSTAR_TOKEN);
    let call = async |method: Method, path: String, body: Value| {
        let request = api.http.request(method, format!("{}{path}", api.url)).bearer_auth(&api.key).json(&body);
        let answer = answer(request).await;
        assert!(answer.status.is_success() || answer.json()["message"].is_string(), "{}", answer.text);
        answer.status.as_u16()
    };
    let items = format!("{bot}/cms_entities/e-1/items");
    for (method, path, body, status) in [
        (Method::GET, "/bots/".to_owned(), json!({}), 200),
        (Method::GET, "/bots".to_owned(), json!({}), 404),
        (Method::GET, bot.clone(), json!({}), 200),
        (Method::POST, "/bots/".to_owned(), json!({ "name": "x".repeat(251) }), 400),
        (Method::GET, format!("{bot}/users"), json!({}), 404),
        (Method::PATCH, format!("{bot}/users/u-1"), json!({ "first_name": "" }), 400),
        (Method::PATCH, format!("{bot}/users/u-1"), json!({ "plan": [] }), 400),
        (Method::GET, items.clone(), json!({}), 400),
        (Method::GET, format!("{items}?env=draft,live"), json!({}), 400),
        (Method::GET, format!("{items}?env=live&page=0"), json!({}), 400),
        (Method::GET, format!("{items}?env=live&cursor=x"), json!({}), 400),
        (Method::POST, format!("{items}?env=live"), json!({ "name": "x" }), 400),
        (Method::POST, format!("{items}?env=draft"), json!({ "price": "1" }), 400),
        (Method::POST, format!("{items}?env=draft"), json!({ "name": "x", "price": 1 }), 400),
        (Method::POST, "/messages".to_owned(), json!({ "recipient": { "id": "u-1" }, "message": "Hi" }), 400),
        (Method::POST, "/messages".to_owned(), json!({ "recipient": { "id": "x" }, "message": { "text": "Hi" } }), 404),
    ] {
        assert_eq!(call(method, path.clone(), body.clone()).await, status, "{path} {body}");
    }
    let wrong = api.http.get(format!("{}/bots/", api.url)).bearer_auth("another");
    assert_eq!(answer(wrong).await.status, 401);
    let control = Api::new(&sandbox.url, "any");
    control.post("/sandbox/botstar/bots", &json!({ "name": "Shop" }), 204).await;
    control.post("/sandbox/botstar/items", &json!({ "count": 4 }), 204).await;
    let bots = answer(api.http.get(format!("{}/bots/", api.url)).bearer_auth(&api.key)).await.json();
    assert_eq!((bots.as_array().unwrap().len(), sandbox.bot_items("live").len()), (2, 7));
    let seen = answer(control.http.get(format!("{}/sandbox/requests", sandbox.url))).await.text;
    assert!(seen.contains("Bearer (the API token)") && !seen.contains(Sandbox::BOTSTAR_TOKEN), "{seen}");
}

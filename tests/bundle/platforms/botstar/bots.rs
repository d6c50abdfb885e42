//! The bot of an action, and the test of a connection.

use crate::support::{
    assertions::pointers,
    botstar::{BotStarAccount, connect},
};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Bundle, expect, sandbox::Sandbox, string};

const BOT: &str = Sandbox::BOT_ID;

#[tokio::test]
async fn the_bot_is_that_of_the_input_or_of_the_connection_or_the_only_one() {
    let botstar = BotStarAccount::start().await;
    let user = format!("GET /bots/{BOT}/users/u-1");
    for (input, asks) in [
        (json!({ "user_id": "u-1" }), vec!["GET /bots/".to_owned(), user.clone()]),
        (json!({ "user_id": "u-1", "bot_id": null }), vec!["GET /bots/".to_owned(), user.clone()]),
        (json!({ "user_id": "u-1", "bot_id": BOT }), vec![user.clone()]),
    ] {
        assert_eq!(botstar.act("get-user", input).await["name"], "Ava Chen");
        assert_eq!(botstar.asked(), asks);
    }
    let second = botstar.sandbox.add_bot("Shop");
    let problem = botstar.refused("get-user", json!({ "user_id": "u-1" }), 422, "invalid_body").await;
    assert_eq!(pointers(&problem), ["/bot_id"]);
    let detail = string(&problem["detail"]);
    assert!(detail.contains("has 2 bots") && detail.contains("botstar.list-bots"), "{detail}");
    assert_eq!((&problem["retry"], botstar.asked()), (&json!("never"), vec!["GET /bots/".to_owned()]));

    botstar.replace_credentials(json!({ "api_token": Sandbox::BOTSTAR_TOKEN, "bot_id": BOT })).await;
    assert_eq!(botstar.act("get-user", json!({ "user_id": "u-1" })).await["id"], "u-1");
    assert_eq!(botstar.asked(), [user]);
    // The input's bot comes first.
    botstar.refused("get-user", json!({ "user_id": "u-1", "bot_id": second }), 404, "not_found").await;
    assert_eq!(botstar.asked(), [format!("GET /bots/{second}/users/u-1")]);
}

#[tokio::test]
async fn an_account_without_a_bot_is_refused_and_one_with_a_new_bot_is_not() {
    let botstar = BotStarAccount::start().await;
    botstar.sandbox.remove_bots();
    let problem = botstar.refused("list-entities", json!({}), 422, "invalid_body").await;
    assert!(string(&problem["detail"]).contains("has no bot"), "{problem}");
    botstar.sandbox.add_bot("New");
    assert_eq!(botstar.act("list-entities", json!({})).await, json!({ "items": [], "next": null }));
}

#[tokio::test]
async fn bots_are_listed_whole() {
    let botstar = BotStarAccount::start().await;
    let listed = botstar.act("list-bots", json!({})).await;
    let bot = json!({ "id": BOT, "name": "Coffee bot", "team_name": "Sandbox" });
    assert_eq!(listed, json!({ "items": [bot], "next": null }));
    botstar.sandbox.script(|_| r#"[{"_id":9007199254740993,"x":123456789012345678901}]"#);
    let listed = botstar.act("list-bots", json!({})).await;
    let exact = r#"{"_id":9007199254740993,"x":123456789012345678901,"id":"9007199254740993"}"#;
    assert_eq!(listed["items"][0].to_string(), exact);
}

/// Tests a connection with these credentials; its result.
async fn tested(botstar: &BotStarAccount, credentials: Value) -> Value {
    let connection = connect(&botstar.bundle, credentials).await;
    botstar.bundle.post(&format!("/v1/connections/{connection}/test"), &json!({}), 200).await
}

#[tokio::test]
async fn a_connections_test_names_the_bots_that_the_token_reaches() {
    let botstar = BotStarAccount::start().await;
    let token = Sandbox::BOTSTAR_TOKEN;
    let one = format!("the token reaches 1 bot: Coffee bot ({BOT})");
    let result = tested(&botstar, json!({ "api_token": token })).await;
    assert_eq!(result, json!({ "ok": true, "detail": one }));
    assert_eq!(tested(&botstar, json!({ "api_token": token, "bot_id": BOT })).await["ok"], true);
    let detail = format!("the connection's `bot_id` is not a bot of the token; {one}");
    let result = tested(&botstar, json!({ "api_token": token, "bot_id": "another" })).await;
    assert_eq!(result, json!({ "ok": false, "detail": detail }));
    for number in 0..12 {
        botstar.sandbox.add_bot(&format!("Shop {number}"));
    }
    let detail = string(&tested(&botstar, json!({ "api_token": token })).await["detail"]);
    assert!(detail.starts_with("the token reaches 13 bots: Coffee bot"), "{detail}");
    assert!(detail.ends_with(" and 3 more") && !detail.contains("Shop 11"), "{detail}");
    botstar.sandbox.remove_bots();
    let result = tested(&botstar, json!({ "api_token": token })).await;
    assert_eq!(result, json!({ "ok": true, "detail": "the token reaches no bot" }));
}

#[tokio::test]
async fn a_connection_without_a_token_receives_and_its_actions_say_what_is_missing() {
    let botstar = BotStarAccount::start().await;
    for credentials in [json!({}), json!({ "bot_id": BOT }), json!({ "api_token": null })] {
        botstar.replace_credentials(credentials).await;
        for (action, input) in [
            ("list-bots", json!({})),
            ("get-user", json!({ "user_id": "u-1", "bot_id": BOT })),
            ("send-message", json!({ "user_id": "u-1", "message": "Hi", "idempotency_key": "k" })),
            ("call-api", json!({ "method": "GET", "path": "bots/" })),
        ] {
            let problem = botstar.refused(action, input, 422, "credentials_missing").await;
            assert_eq!(problem["retry"], "never");
            assert!(string(&problem["detail"]).contains("api_token"), "{problem}");
        }
    }
    let hook = botstar.bundle.hook_on(&botstar.connection, "botstar.watch-tag", json!({})).await;
    assert_eq!(botstar.bundle.send(&hook.url, r#"{"user":{"id":"u-1"},"tag":"vip"}"#).await.status, 200);
    assert_eq!(botstar.asked(), [""; 0]);
    // A warm function takes the token at once.
    botstar.replace_credentials(json!({ "api_token": Sandbox::BOTSTAR_TOKEN })).await;
    botstar.act("list-bots", json!({})).await;
    botstar.act("send-message", json!({ "user_id": "u-1", "message": "Hi", "idempotency_key": "k" })).await;
}

#[tokio::test]
async fn the_api_may_be_below_a_path_with_or_without_a_slash() {
    let botstar = BotStarAccount::start().await;
    for end in ["", "/"] {
        let bundle =
            Bundle::start_with(&[("BOTSTAR_API_URL", &format!("{}{end}", botstar.sandbox.botstar_url()))]).await;
        let connection = connect(&bundle, json!({ "api_token": Sandbox::BOTSTAR_TOKEN })).await;
        for path in ["list-bots", "call-api"] {
            let mut input = json!({ "connection": connection });
            if path == "call-api" {
                input["path"] = json!("/bots/");
                input["method"] = json!("GET");
            }
            let request = bundle.request(Method::POST, &format!("/v1/actions/botstar/{path}")).json(&input);
            expect(request, 200).await;
            assert_eq!(botstar.asked(), ["GET /bots/"]);
        }
    }
}

//! ChatBot's stories: listed, got, created, updated, deleted.

use crate::support::chatbot::{ChatBot, line};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Bundle, answer, string};

#[tokio::test]
async fn a_story_is_created_got_updated_and_deleted() {
    let chatbot = ChatBot::start().await;
    let made = chatbot.act("create-story", json!({ "name": "Shop ☕", "description": "" }), 200).await;
    let id = string(&made["id"]);
    assert_eq!(made, json!({ "id": id }));
    for (change, name, description) in [
        (json!({ "description": "Sells" }), "Shop ☕", "Sells"),
        (json!({ "name": "Store" }), "Store", "Sells"),
        (json!({ "name": "Bar", "description": "" }), "Bar", ""),
    ] {
        let mut input = change;
        input["story_id"] = json!(id);
        assert_eq!(chatbot.act("update-story", input, 200).await, json!({ "id": id }));
        let story = chatbot.act("get-story", json!({ "story_id": id }), 200).await;
        assert_eq!((&story["name"], &story["description"]), (&json!(name), &json!(description)));
    }
    assert_eq!(chatbot.act("delete-story", json!({ "story_id": id }), 200).await, json!({ "id": id }));
    for (action, more) in [("get-story", None), ("update-story", Some("x")), ("delete-story", None)] {
        let mut input = json!({ "story_id": id });
        if let Some(name) = more {
            input["name"] = json!(name);
        }
        let problem = chatbot.refused(action, input, 404, "not_found").await;
        assert!(string(&problem["detail"]).contains("no such story"), "{problem}");
    }
}

#[tokio::test]
async fn stories_come_back_as_chatbot_has_them() {
    let chatbot = ChatBot::start().await;
    let stories = chatbot.sandbox.stories();
    let story = chatbot.act("get-story", json!({ "story_id": chatbot.story() }), 200).await;
    assert_eq!(story, stories[0], "whole, with its diagram");

    let listed = chatbot.act("list-stories", json!({}), 200).await;
    let names: Vec<&str> = listed["items"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!((names, &listed["next"]), (vec!["Support", "Sales"], &Value::Null));
    for (limit, count) in [(1, 1), (2, 2), (1_000, 2)] {
        let page = chatbot.act("list-stories", json!({ "limit": limit }), 200).await;
        assert_eq!(page["items"].as_array().unwrap().len(), count);
        assert_eq!(page["items"][0], listed["items"][0], "unknown fields and all");
    }
}

/// A block for each question that a bot asks, each below the one before.
#[tokio::test]
async fn a_story_of_many_blocks_is_got_whole() {
    let chatbot = ChatBot::start().await;
    let (open, close) = (r#"{"type":"BOT_RESPONSE","children":["#, "]}");
    let blocks = 10_000;
    let story = format!(r#"{{"id":"s-1","diagram":{}{}}}"#, open.repeat(blocks), close.repeat(blocks));
    let body = story.clone();
    chatbot.sandbox.script(move |_| body.clone());
    let answer = answer(chatbot.request("get-story", json!({ "story_id": "s-1" }))).await;
    assert_eq!((answer.status.as_u16(), answer.text), (200, story));
}

#[tokio::test]
async fn a_story_without_an_id_is_nonsense() {
    let chatbot = ChatBot::start().await;
    for body in [
        "{}",
        r#"{"id":7}"#,
        r#"{"id":""}"#,
        r#"{"id":null}"#,
        r#"["s-1"]"#,
        "\"s-1\"",
        "null",
        "",
        "{\"id\":\"s-1\"} x",
    ] {
        chatbot.sandbox.script(move |_| body);
        chatbot.refused("get-story", json!({ "story_id": "s-1" }), 502, "platform_unavailable").await;
        let list = format!("[{body}]");
        chatbot.sandbox.script(move |_| list.clone());
        let status = if body.is_empty() { 200 } else { 502 };
        chatbot.act("list-stories", json!({}), status).await;
    }
}

#[tokio::test]
async fn the_path_of_stories_is_a_setting() {
    for (prefix, path, status) in [("/", "/stories", 200), ("/v2", "/v2/stories", 200), ("/v9", "/v9/stories", 404)] {
        let chatbot = ChatBot::start_with(&[("CHATBOT_STORIES_PREFIX", prefix)]).await;
        let id = chatbot.story();
        let input = json!({ "story_id": id, "name": "x" });
        for (action, fields, asks) in [
            ("list-stories", &[][..], format!("GET {path}")),
            ("get-story", &["story_id"], format!("GET {path}/{id}")),
            ("create-story", &["name"], format!("POST {path}")),
            ("update-story", &["story_id", "name"], format!("PUT {path}/{id}")),
            ("delete-story", &["story_id"], format!("DELETE {path}/{id}")),
        ] {
            let given = fields.iter().map(|name| ((*name).to_owned(), input[*name].clone())).collect();
            chatbot.act(action, Value::Object(given), status).await;
            assert_eq!(chatbot.asked().iter().map(line).collect::<Vec<_>>(), [asks]);
        }
        // Users have no version in their path.
        chatbot.act("get-user", json!({ "user_id": chatbot.ava() }), 200).await;
    }
}

#[tokio::test]
async fn the_api_may_be_below_a_path_with_or_without_a_slash() {
    let chatbot = ChatBot::start().await;
    for end in ["", "/"] {
        let bundle =
            Bundle::start_with(&[("CHATBOT_API_URL", &format!("{}{end}", chatbot.sandbox.chatbot_url()))]).await;
        let connection = bundle.connection("chatbot").await;
        for (action, mut input, asks) in [
            ("list-stories", json!({}), "GET /v2/stories"),
            ("search-users", json!({}), "GET /users"),
            ("call-api", json!({ "path": "/users/segments", "method": "GET" }), "GET /users/segments"),
        ] {
            input["connection"] = json!(connection);
            let path = format!("/v1/actions/chatbot/{action}");
            tests::expect(bundle.request(Method::POST, &path).json(&input), 200).await;
            assert_eq!(chatbot.asked().iter().map(line).collect::<Vec<_>>(), [asks]);
        }
    }
}

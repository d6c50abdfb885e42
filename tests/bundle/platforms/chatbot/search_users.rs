//! A search of ChatBot's users: page by page, in order, and by filters.

use crate::support::{assertions::pointers, chatbot::ChatBot};
use axum::http::StatusCode;
use serde_json::{Value, json};
use tests::string;

/// The ids of a page.
fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|user| string(&user["id"])).collect()
}

/// The names of a page, those of nobody left out.
fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().filter_map(|user| user["attributes"]["default_name"].as_str()).collect()
}

fn queries(chatbot: &ChatBot) -> Vec<String> {
    chatbot.asked().into_iter().map(|seen| seen.query).collect()
}

#[tokio::test]
async fn a_limit_is_reached_over_pages_and_no_call_more_is_made() {
    let chatbot = ChatBot::start().await;
    chatbot.sandbox.seed_users(117);
    for (limit, pages) in [
        (json!(null), &[20][..]),
        (json!(1), &[1]),
        (json!(40), &[40]),
        (json!(41), &[40, 1]),
        (json!(80), &[40, 40]),
        (json!(100), &[40, 40, 20]),
    ] {
        let page = chatbot.act("search-users", json!({ "limit": limit }), 200).await;
        let asked = queries(&chatbot);
        let limits: Vec<&str> = asked.iter().map(|query| query.split('&').next().unwrap()).collect();
        assert_eq!(limits, pages.iter().map(|size| format!("limit={size}")).collect::<Vec<_>>(), "{limit}");
        let ids = ids(&page);
        assert_eq!((ids.len(), &page["next"]), (pages.iter().sum(), &json!(ids.last())), "{limit}");
    }
}

#[tokio::test]
async fn next_goes_on_to_the_end() {
    let chatbot = ChatBot::start().await;
    chatbot.sandbox.seed_users(117);
    let every: Vec<String> =
        chatbot.sandbox.users().as_array().unwrap().iter().map(|user| string(&user["id"])).collect();
    for (order, limit) in [("asc", 50), ("desc", 40), ("asc", 7), ("asc", 60)] {
        let (mut found, mut after) = (Vec::new(), Value::Null);
        loop {
            let input = json!({ "order": order, "limit": limit, "after": after });
            let page = chatbot.act("search-users", input, 200).await;
            found.extend(ids(&page));
            after = page["next"].clone();
            if after.is_null() {
                break;
            }
        }
        if order == "desc" {
            found.reverse();
        }
        assert_eq!(found, every, "{order} by {limit}");
    }
}

#[tokio::test]
async fn each_filter_finds_who_it_is_of() {
    let chatbot = ChatBot::start().await;
    let users = chatbot.sandbox.users();
    let (ava, ben) = (&users[0], &users[2]);
    for (filter, found) in [
        (json!({ "type": "customer_user_id", "value": ava["userId"] }), &["Ava"][..]),
        (json!({ "type": "default_email", "value": "ben@example.com" }), &["Ben"]),
        (json!({ "type": "default_email", "operator": "contains", "value": "@example.com" }), &["Ava", "Ben"]),
        (json!({ "type": "default_name", "operator": "starts_with", "value": "A" }), &["Ava"]),
        (json!({ "type": "default_name", "value": "ava" }), &[]),
        (json!({ "type": "attribute", "name": "plan", "value": "gold" }), &["Ava"]),
        (json!({ "type": "attribute", "name": "plan", "operator": "not_equal", "value": "gold" }), &["Ben"]),
        (json!({ "type": "banned", "value": true }), &["Ben"]),
        (json!({ "type": "banned", "operator": "not_equal", "value": true }), &["Ava"]),
        (json!({ "type": "created_at", "value": ava["createdAt"] }), &["Ava"]),
        (json!({ "type": "created_at", "operator": "after", "value": ava["createdAt"] }), &["Ben"]),
        (json!({ "type": "last_seen_at", "operator": "before", "value": ben["lastSeen"] }), &["Ava"]),
        (json!({ "type": "last_seen_at", "operator": "after", "value": "2026-01-02" }), &[]),
    ] {
        let page = chatbot.act("search-users", json!({ "order": "asc", "filters": [filter] }), 200).await;
        assert_eq!((names(&page).as_slice(), &page["next"]), (found, &Value::Null), "{filter}");
    }
    assert!(
        queries(&chatbot).iter().all(|query| !query.contains("filters")),
        "how ChatBot writes filters is not known"
    );
}

#[tokio::test]
async fn filters_are_joined_as_is_asked() {
    let chatbot = ChatBot::start().await;
    let banned = json!({ "type": "banned", "value": true });
    let gold = json!({ "type": "attribute", "name": "plan", "value": "gold" });
    for (join, found) in [(Value::Null, &[][..]), (json!("all"), &[]), (json!("any"), &["Ava", "Ben"])] {
        let input = json!({ "order": "asc", "match": join, "filters": [banned, gold] });
        assert_eq!(names(&chatbot.act("search-users", input, 200).await), found, "{join}");
    }
    for join in ["all", "any"] {
        let input = json!({ "match": join, "filters": [] });
        assert_eq!(ids(&chatbot.act("search-users", input, 200).await).len(), 3, "no filter lets all pass");
    }
}

#[tokio::test]
async fn a_segment_is_a_filter_that_cannot_be_applied() {
    let chatbot = ChatBot::start().await;
    let segment = json!({ "type": "segment", "value": "Leads" });
    let banned = json!({ "type": "banned", "value": true });
    let input = json!({ "match": "any", "filters": [segment, banned, segment] });
    let problem = chatbot.refused("search-users", input, 422, "filter_unsupported").await;
    assert_eq!(pointers(&problem), ["/filters/0/type", "/filters/2/type"]);
    assert_eq!(chatbot.asked().len(), 0);
}

#[tokio::test]
async fn a_filtered_search_reads_twenty_five_pages_and_then_can_be_gone_on_with() {
    let chatbot = ChatBot::start().await;
    chatbot.sandbox.seed_users(1_100);
    let oldest = json!([{ "type": "default_name", "value": "Ava" }]);
    let page = chatbot.act("search-users", json!({ "filters": oldest }), 200).await;
    let asked = queries(&chatbot);
    assert_eq!((asked.len(), ids(&page).len()), (25, 0));
    assert!(asked.iter().all(|query| query.starts_with("limit=40")), "{asked:?}");
    let users = chatbot.sandbox.users();
    assert_eq!(page["next"], users[1_103 - 1_000]["id"], "the last that was looked at");

    let rest = chatbot.act("search-users", json!({ "filters": oldest, "after": page["next"] }), 200).await;
    assert_eq!((names(&rest), &rest["next"], chatbot.asked().len()), (vec!["Ava"], &Value::Null, 3));
}

#[tokio::test]
async fn a_filtered_search_ends_where_its_limit_is_reached_and_skips_nobody() {
    let chatbot = ChatBot::start().await;
    chatbot.sandbox.seed_users(97);
    let filters = json!([{ "type": "default_name", "operator": "contains", "value": "1" }]);
    let every = chatbot.act("search-users", json!({ "filters": filters, "limit": 100 }), 200).await;
    assert_eq!(every["next"], Value::Null);
    chatbot.sandbox.forget_requests();
    let (mut found, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = chatbot.act("search-users", json!({ "filters": filters, "limit": 3, "after": after }), 200).await;
        found.extend(ids(&page));
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(found, ids(&every));
    assert!(found.len() > 15, "there is more than a page");
}

#[tokio::test]
async fn users_found_before_chatbot_fell_silent_are_returned() {
    let chatbot = ChatBot::start().await;
    let full: Vec<Value> = (0..40).map(|n| json!({ "id": format!("u-{n}") })).collect();
    chatbot.sandbox.script(move |seen| match seen.query.contains("after") {
        false => (StatusCode::OK, json!({ "data": full }).to_string()),
        true => (StatusCode::GATEWAY_TIMEOUT, String::new()),
    });
    let filtered = json!({ "filters": [{ "type": "banned", "value": false }], "limit": 50 });
    let page = chatbot.act("search-users", filtered, 200).await;
    assert_eq!((ids(&page).len(), &page["next"]), (40, &json!("u-39")));
    chatbot.refused("search-users", json!({ "limit": 50 }), 504, "platform_timeout").await;
}

#[tokio::test]
async fn a_list_that_does_not_go_on_is_no_endless_search() {
    let chatbot = ChatBot::start().await;
    let same: Vec<Value> = (0..40).map(|n| json!({ "id": format!("u-{n}") })).collect();
    chatbot.sandbox.script(move |_| json!({ "data": same }).to_string());
    let filters = json!([{ "type": "banned", "value": true }]);
    for input in [json!({ "limit": 100 }), json!({ "limit": 1, "filters": filters })] {
        let problem = chatbot.refused("search-users", input, 502, "platform_unavailable").await;
        assert_eq!(problem["detail"], "ChatBot's list of users repeats a page");
        assert_eq!(chatbot.asked().len(), 2);
    }
}

#[tokio::test]
async fn a_later_page_that_fails_for_a_while_ends_a_filtered_search_with_what_was_found() {
    let chatbot = ChatBot::start().await;
    let filters = json!([{ "type": "attribute", "name": "x", "operator": "not_equal", "value": "y" }]);
    for (filters, says, status) in [
        (&filters, 429, 200),
        (&filters, 503, 200),
        (&filters, 401, 424),
        (&filters, 404, 404),
        (&json!([]), 429, 429),
        (&json!([]), 503, 502),
    ] {
        let users: Vec<Value> = (0..40).map(|n| json!({ "id": format!("u-{n}") })).collect();
        let page = json!({ "data": users, "count": 100 }).to_string();
        chatbot.sandbox.script(move |seen| match seen.query.contains("after") {
            false => (StatusCode::OK, page.clone()),
            true => (StatusCode::from_u16(says).unwrap(), String::new()),
        });
        let answer = chatbot.act("search-users", json!({ "limit": 100, "filters": filters }), status).await;
        if status == 200 {
            assert_eq!((ids(&answer).len(), &answer["next"]), (40, &json!("u-39")), "{says}");
        }
    }
}

#[tokio::test]
async fn more_than_was_asked_for_is_cut_to_the_limit() {
    let chatbot = ChatBot::start().await;
    let many: Vec<Value> = (0..300).map(|n| json!({ "id": format!("u-{n}") })).collect();
    chatbot.sandbox.script(move |_| json!({ "data": many, "count": 300 }).to_string());
    let page = chatbot.act("search-users", json!({ "limit": 5 }), 200).await;
    assert_eq!((ids(&page).len(), &page["next"]), (5, &json!("u-4")));
    chatbot.sandbox.script(|_| json!({ "data": [], "count": 300 }).to_string());
    let page = chatbot.act("search-users", json!({ "after": "u-4&limit=1#é" }), 200).await;
    assert_eq!(page, json!({ "items": [], "next": null }));
    assert_eq!(queries(&chatbot).pop().unwrap(), "limit=20&after=u-4%26limit%3D1%23%C3%A9");
}

#[tokio::test]
async fn a_user_without_an_id_is_nonsense() {
    let chatbot = ChatBot::start().await;
    for user in [json!({}), json!({ "id": 7 }), json!({ "id": "" }), json!({ "id": null }), json!([]), json!("u-1")] {
        let body = json!({ "data": [{ "id": "u-0" }, user] }).to_string();
        chatbot.sandbox.script(move |_| body.clone());
        chatbot.refused("search-users", json!({}), 502, "platform_unavailable").await;
    }
    for body in ["[]", "{}", r#"{"data":{}}"#, r#"{"data":null}"#, "null", "7", "", "{\"data\":[", "\u{feff}"] {
        chatbot.sandbox.script(move |_| body);
        chatbot.refused("search-users", json!({}), 502, "platform_unavailable").await;
    }
}

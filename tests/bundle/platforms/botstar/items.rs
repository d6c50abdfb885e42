//! Entities and items of a bot's CMS, in both environments.

use crate::support::{assertions::pointers, botstar::BotStarAccount};
use serde_json::{Value, json};
use tests::{
    answer,
    sandbox::{FaultKind, Sandbox},
    string,
};

fn items() -> String {
    format!("/bots/{}/cms_entities/e-1/items", Sandbox::BOT_ID)
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| string(&item["id"])).collect()
}

async fn start() -> BotStarAccount {
    let botstar = BotStarAccount::start().await;
    botstar.replace_credentials(json!({ "api_token": Sandbox::BOTSTAR_TOKEN, "bot_id": Sandbox::BOT_ID })).await;
    botstar
}

#[tokio::test]
async fn an_item_is_created_got_updated_and_deleted() {
    let botstar = start().await;
    let new = json!({
        "entity_id": "e-1", "name": "Mocha ☕", "status": "disabled", "fields": { "price": "4.50", "sizes": ["S", "L"] },
    });
    let made = botstar.act("create-item", new).await;
    let id = string(&made["id"]);
    let expected = json!({ "id": id, "name": "Mocha ☕", "status": "disabled", "price": "4.50", "sizes": ["S", "L"] });
    assert_eq!(made, expected);
    assert_eq!(botstar.asked(), [format!("POST {}?env=draft%2Clive", items())]);
    let path = format!("{}/{id}", items());
    let of = |more: Value| {
        let mut input = json!({ "entity_id": "e-1", "item_id": id });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    for (environment, env) in [(Value::Null, "live"), (json!("live"), "live"), (json!("draft"), "draft")] {
        assert_eq!(botstar.act("get-item", of(json!({ "environment": environment }))).await, expected);
        assert_eq!(botstar.asked(), [format!("GET {path}?env={env}")]);
    }
    let change = json!({ "name": "Mocha", "fields": { "price": "5.00" }, "environment": "draft" });
    assert_eq!(botstar.act("update-item", of(change)).await, json!({ "id": id }));
    assert_eq!(botstar.last_body(), json!({ "name": "Mocha", "price": "5.00" }));
    assert_eq!(botstar.asked(), [format!("PATCH {path}?env=draft")]);
    assert_eq!(botstar.act("get-item", of(json!({ "environment": "draft" }))).await["price"], "5.00");
    assert_eq!(botstar.act("get-item", of(json!({}))).await["price"], "4.50");
    botstar.act("update-item", of(json!({ "status": "enabled", "environment": "draft,live" }))).await;
    assert_eq!(botstar.act("get-item", of(json!({}))).await["status"], "enabled");
    assert_eq!(botstar.act("delete-item", of(json!({}))).await, json!({ "id": id }));
    for action in ["get-item", "delete-item"] {
        let problem = botstar.refused(action, of(json!({})), 404, "not_found").await;
        assert!(string(&problem["detail"]).contains("no such item"), "{problem}");
    }
}

#[tokio::test]
async fn pages_of_items_follow_each_other_to_the_end() {
    let botstar = start().await;
    botstar.sandbox.seed_bot_items(42);
    let all: Vec<String> = botstar.sandbox.bot_items("live").iter().map(|item| string(&item["id"])).collect();
    for (limit, pages) in [(None, 3), (Some(20), 3), (Some(15), 4), (Some(45), 2), (Some(100), 1), (Some(1), 46)] {
        let (mut found, mut input, mut count) = (Vec::new(), json!({ "entity_id": "e-1", "limit": limit }), 0);
        loop {
            let page = botstar.act("list-items", input.clone()).await;
            found.extend(ids(&page));
            count += 1;
            if page["next"].is_null() {
                break;
            }
            // The limit of the first page holds for those that follow.
            input = json!({ "entity_id": "e-1", "after": page["next"] });
        }
        assert_eq!((found, count), (all.clone(), pages), "{limit:?}");
    }
    botstar.asked();
    let page = botstar.act("list-items", json!({ "entity_id": "e-1", "limit": 2, "after": "3x2" })).await;
    assert_eq!((ids(&page), &page["next"]), (all[4..6].to_vec(), &json!("4x2")));
    assert_eq!(botstar.asked(), [format!("GET {}?env=live&page=3&limit=2", items())]);
    let filter = json!({ "entity_id": "e-1", "name": "Drink 7", "status": "enabled", "environment": "draft" });
    assert_eq!(botstar.act("list-items", filter).await["items"].as_array().unwrap().len(), 1);
    let query = "env=draft&page=1&limit=20&name=Drink+7&status=enabled";
    assert_eq!(botstar.asked(), [format!("GET {}?{query}", items())]);
}

#[tokio::test]
async fn a_page_that_was_not_handed_out_is_refused_and_a_huge_one_is_empty() {
    let botstar = start().await;
    for after in ["", "0x20", "1", "x", "1x0", "1x101", "-1x20", "1.5x20", "1x20 ", "9999999999x20", "٣x20", "2x20x3"]
    {
        let input = json!({ "entity_id": "e-1", "after": after });
        let problem = botstar.refused("list-items", input, 422, "invalid_body").await;
        assert_eq!(pointers(&problem), ["/after"], "{after}");
    }
    for limit in [json!(0), json!(101), json!("20"), json!(1.5), json!(9_007_199_254_740_993_u64), json!(-1)] {
        let problem = botstar.refused("list-items", json!({ "entity_id": "e-1", "limit": limit }), 422, "invalid_body");
        assert_eq!(pointers(&problem.await), ["/limit"], "{limit}");
    }
    let other = json!({ "entity_id": "e-1", "after": "2x20", "limit": 10 });
    let problem = botstar.refused("list-items", other, 422, "invalid_body").await;
    assert_eq!(pointers(&problem), ["/limit"]);
    assert_eq!(botstar.asked(), [""; 0]);
    let last = json!({ "entity_id": "e-1", "after": "999999999x100" });
    assert_eq!(botstar.act("list-items", last).await, json!({ "items": [], "next": null }));
}

#[tokio::test]
async fn an_item_has_an_id_by_either_name_and_keeps_its_other_fields() {
    let botstar = start().await;
    botstar.sandbox.underscore_item_ids(true);
    let item = botstar.act("get-item", json!({ "entity_id": "e-1", "item_id": "i-1" })).await;
    assert_eq!((&item["id"], &item["_id"], &item["price"]), (&json!("i-1"), &json!("i-1"), &json!("2.50")));
    let page = botstar.act("list-items", json!({ "entity_id": "e-1" })).await;
    assert_eq!(ids(&page), ["i-1", "i-2", "i-3"]);
    let made = botstar.act("create-item", json!({ "entity_id": "e-1", "name": "Mocha" })).await;
    assert_eq!(made["id"], made["_id"]);
    let exact = r#"{"id":"i-1","stock":12345678901234567890.123,"n":1e400,"deep":[[{"a":null}]]}"#;
    botstar.sandbox.script(move |_| exact);
    let answer = answer(botstar.request("get-item", json!({ "entity_id": "e-1", "item_id": "i-1" }))).await;
    assert!(answer.text.contains("12345678901234567890.123") && answer.text.contains("\"deep\":[[{\"a\":null}]]"));
    assert!(answer.text.contains("1e+400") || answer.text.contains("1e400"), "{}", answer.text);
}

#[tokio::test]
async fn a_field_that_is_none_is_refused_with_its_pointer() {
    let botstar = start().await;
    let long = "n".repeat(251);
    for (fields, pointer) in [
        (json!({ "name": "x" }), "/fields/name"),
        (json!({ "status": "enabled" }), "/fields/status"),
        (json!({ "_id": "x" }), "/fields/_id"),
        (json!({ "price": 4 }), "/fields/price"),
        (json!({ "price": null }), "/fields/price"),
        (json!({ "a/b": { "c": 1 } }), "/fields/a~1b"),
        (json!({ "sizes": ["S", 7] }), "/fields/sizes/1"),
        (json!([]), "/fields"),
        (json!("x"), "/fields"),
        (json!({ long.as_str(): "x" }), "/fields"),
        (json!({ "": "x" }), "/fields"),
    ] {
        for (action, id) in [("create-item", "name"), ("update-item", "item_id")] {
            let mut input = json!({ "entity_id": "e-1", "fields": fields });
            input[id] = json!("x");
            let problem = botstar.refused(action, input, 422, "invalid_body").await;
            assert!(pointers(&problem).iter().any(|found| found.starts_with(pointer)), "{pointer}: {problem}");
        }
    }
    for nothing in [json!({}), json!({ "fields": {} }), json!({ "fields": null, "name": null })] {
        let mut input = json!({ "entity_id": "e-1", "item_id": "i-1", "environment": "draft" });
        input.as_object_mut().unwrap().extend(nothing.as_object().unwrap().clone());
        let problem = botstar.refused("update-item", input, 422, "invalid_body").await;
        assert_eq!(pointers(&problem), [""]);
    }
    for (action, environment) in
        [("get-item", "draft,live"), ("delete-item", "live"), ("list-entities", "Live"), ("create-item", "live,draft")]
    {
        let input = json!({ "entity_id": "e-1", "item_id": "i-1", "name": "x", "environment": environment });
        let problem = botstar.refused(action, input, 422, "invalid_body").await;
        assert!(pointers(&problem).contains(&"/environment"), "{problem}");
    }
    assert_eq!(botstar.asked(), [""; 0]);
}

#[tokio::test]
async fn a_deletion_that_is_repeated_after_an_unknown_outcome_succeeds_if_the_item_is_gone() {
    let botstar = start().await;
    let input = json!({ "entity_id": "e-1", "item_id": "i-1", "idempotency_key": "k" });
    botstar.sandbox.fault(FaultKind::Cut);
    let problem = botstar.refused("delete-item", input.clone(), 502, "platform_unavailable").await;
    assert_eq!(problem["retry"], "unknown");
    assert_eq!(botstar.act("delete-item", input).await, json!({ "id": "i-1" }));
    let first = json!({ "entity_id": "e-1", "item_id": "i-1", "idempotency_key": "another" });
    botstar.refused("delete-item", first, 404, "not_found").await;
}

#[tokio::test]
async fn a_change_whose_answer_reports_no_success_is_an_unknown_outcome() {
    let botstar = start().await;
    let of_item = json!({ "entity_id": "e-1", "item_id": "i-1", "name": "x" });
    let delete = json!({ "entity_id": "e-1", "item_id": "i-1" });
    for body in [r#"{"status":"error"}"#, r#"{"status":200}"#, "{}", "[]", r#"{"message":"no"}"#, "null", "\"success\""]
    {
        botstar.sandbox.script(move |_| body);
        for (action, input) in [("update-item", &of_item), ("delete-item", &delete)] {
            let problem = botstar.refused(action, input.clone(), 502, "platform_unavailable").await;
            assert_eq!(problem["retry"], "unknown", "{body}: {problem}");
        }
    }
    for body in [r#"{"status":"success"}"#, "", " \n"] {
        botstar.sandbox.script(move |_| body);
        botstar.act("update-item", of_item.clone()).await;
        botstar.act("delete-item", delete.clone()).await;
    }
}

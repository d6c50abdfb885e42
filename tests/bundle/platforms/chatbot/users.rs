//! ChatBot's users: created, got, updated, banned.

use crate::support::{
    assertions::pointers,
    chatbot::{ChatBot, line},
};
use serde_json::{Value, json};
use tests::{sandbox::FaultKind, string};

const SEGMENTS: [&str; 2] = ["5b7ff84c0000000000000001", "5b7ff84c0000000000000002"];

/// The users of the sandbox that have an attribute so.
fn named(chatbot: &ChatBot, name: &str) -> Vec<Value> {
    let users = chatbot.sandbox.users();
    let all = users.as_array().unwrap().iter();
    all.filter(|user| user["attributes"]["default_name"] == name).cloned().collect()
}

#[tokio::test]
async fn a_user_is_created_got_updated_banned_and_unbanned() {
    let chatbot = ChatBot::start().await;
    let input =
        json!({ "custom_user_id": "a/b ☕", "name": "Ada", "city": "Łódź", "custom_fields": { "plan": "gold" } });
    let made = chatbot.act("create-user", input, 200).await;
    let id = &made["id"];
    assert_eq!(made, json!({ "id": string(id), "custom_user_id": "a/b ☕" }));

    let input = json!({ "user_id": id, "city": "Kraków", "custom_fields": { "age": "36" } });
    assert_eq!(chatbot.act("update-user", input, 200).await, json!({ "id": id }));
    let user = chatbot.act("get-user", json!({ "user_id": id }), 200).await;
    let attributes = &user["attributes"];
    assert_eq!((&user["id"], &user["userId"], &user["banned"]), (id, &json!("a/b ☕"), &json!(false)));
    assert_eq!(
        [&attributes["default_name"], &attributes["default_city"], &attributes["plan"], &attributes["age"]],
        ["Ada", "Kraków", "gold", "36"]
    );

    for (operation, banned) in [("ban", true), ("ban", true), ("unban", false)] {
        let input = json!({ "user_id": id, "operation": operation });
        assert_eq!(chatbot.act("ban-user", input, 200).await, json!({ "id": id, "banned": banned }));
        let user = chatbot.act("get-user", json!({ "user_id": id }), 200).await;
        assert_eq!(user["banned"], banned);
    }
}

#[tokio::test]
async fn a_user_comes_back_as_chatbot_has_it() {
    let chatbot = ChatBot::start().await;
    let user = chatbot.act("get-user", json!({ "user_id": chatbot.ava() }), 200).await;
    let listed = chatbot.act("search-users", json!({ "order": "asc", "limit": 1 }), 200).await["items"][0].clone();
    for user in [&user, &listed] {
        assert_eq!(user["createdAt"], "2026-01-01 00:00:03.163Z", "with a space");
        let attributes = user["attributes"].as_object().unwrap();
        assert_eq!(attributes.values().filter(|value| value.is_null()).count(), 11, "null is kept: {attributes:?}");
        assert_eq!(user["source"], "sandbox", "and what is not documented");
    }
    assert_eq!((&user["conversations"], &listed["conversations"]), (&json!([]), &json!(0)));
    assert_eq!(user["sessionAttributes"], json!({}));

    let odd = json!({
        "zeta": 1.50, "id": "u-1", "userId": null, "banned": "no", "attributes": [], "conversations": { "count": 3 },
        "createdAt": 1548250350163_u64, "lastSeen": null, "deep": [[{ "": null }]], "status": "gold", "data": -0.0,
        "big": 18_446_744_073_709_551_615_u64, "text": "\u{0}\u{1f600}\"\\",
    });
    let body = odd.to_string();
    chatbot.sandbox.script(move |_| body.clone());
    assert_eq!(chatbot.act("get-user", json!({ "user_id": "u-1" }), 200).await.to_string(), odd.to_string());
    let body = json!({ "data": [odd], "count": "many" }).to_string();
    chatbot.sandbox.script(move |_| body.clone());
    let page = chatbot.act("search-users", json!({}), 200).await;
    assert_eq!(page.to_string(), json!({ "items": [odd], "next": null }).to_string());
}

#[tokio::test]
async fn a_creation_may_be_answered_with_a_list_or_an_object() {
    let chatbot = ChatBot::start().await;
    for (name, object) in [("Listed", false), ("Alone", true)] {
        chatbot.sandbox.create_answers_object(object);
        let made = chatbot.act("create-user", json!({ "name": name }), 200).await;
        let [user] = &named(&chatbot, name)[..] else { panic!("{name} is there once") };
        assert_eq!(made, json!({ "id": user["id"], "custom_user_id": user["userId"] }));
    }
}

#[tokio::test]
async fn an_id_is_made_where_none_is_given() {
    let chatbot = ChatBot::start().await;
    let first = chatbot.act("create-user", json!({ "email": "ada@example.com" }), 200).await;
    let second = chatbot.act("create-user", json!({ "email": "ada@example.com" }), 200).await;
    let ids = [string(&first["custom_user_id"]), string(&second["custom_user_id"])];
    assert_ne!(ids[0], ids[1]);
    for id in &ids {
        let groups: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!((groups.as_slice(), &id[14..15]), (&[8, 4, 4, 4, 12][..], "4"), "{id} is a random UUID");
    }
    let taken =
        chatbot.refused("create-user", json!({ "custom_user_id": ids[0], "name": "x" }), 422, "platform_rejected");
    assert!(string(&taken.await["detail"]).contains("userId: another user has it"));
}

#[tokio::test]
async fn segments_are_given_by_id_or_by_name() {
    let chatbot = ChatBot::start().await;
    for (given, segments, asks) in [
        (json!([SEGMENTS[0]]), &SEGMENTS[..1], 1),
        (json!(["Customers"]), &SEGMENTS[1..], 2),
        (json!(["Customers", SEGMENTS[0]]), &SEGMENTS[..], 2),
        (json!(["Leads", "Leads"]), &SEGMENTS[..1], 2),
    ] {
        let made = chatbot.act("create-user", json!({ "name": "Ada", "segments": given }), 200).await;
        let mut asked: Vec<String> = chatbot.asked().iter().map(line).collect();
        assert_eq!((asked.len(), asked.pop().as_deref()), (asks, Some("POST /users")), "{given}");
        assert!(asked.iter().all(|line| line == "GET /users/segments"));
        let users = named(&chatbot, "Ada");
        let user = users.iter().find(|user| user["id"] == made["id"]).unwrap();
        assert_eq!(user["segments"], json!(segments), "{given}");
    }
}

#[tokio::test]
async fn a_missing_segment_is_reported_before_a_user_is_created() {
    let chatbot = ChatBot::start().await;
    let problem = chatbot
        .refused("create-user", json!({ "name": "Ada", "segments": ["Leads", "leads", "VIP"] }), 422, "invalid_body")
        .await;
    assert_eq!(pointers(&problem), ["/segments/1", "/segments/2"]);
    for _ in 0..2 {
        let vip = json!({ "method": "POST", "path": "users/segments", "body": { "name": "VIP" } });
        chatbot.act("call-api", vip, 200).await;
    }
    let problem =
        chatbot.refused("create-user", json!({ "name": "Ada", "segments": ["VIP"] }), 422, "invalid_body").await;
    assert_eq!(problem["detail"], "/segments/0: is the name of several segments; give an id");
    // An id is taken at its word, and ChatBot says whether there is such a segment.
    let unknown = json!({ "name": "Ada", "segments": ["ffffffffffffffffffffffff"] });
    let problem = chatbot.refused("create-user", unknown, 422, "platform_rejected").await;
    assert!(string(&problem["detail"]).contains("segments: there is no such segment"));
    chatbot.sandbox.fault(FaultKind::Unauthorized.on("/users/segments"));
    let named_so = json!({ "name": "Ada", "segments": ["Leads"] });
    let problem = chatbot.refused("create-user", named_so, 424, "connection_unauthorized").await;
    assert_ne!(problem["retry"], "unknown", "nothing was made");
    assert_eq!(named(&chatbot, "Ada"), [Value::Null; 0]);
}

#[tokio::test]
async fn a_user_that_is_not_there_is_not_found() {
    let chatbot = ChatBot::start().await;
    for (action, more) in [
        ("get-user", json!({})),
        ("update-user", json!({ "name": "x" })),
        ("ban-user", json!({ "operation": "unban" })),
    ] {
        let mut input = more;
        input["user_id"] = json!("ffffffffffffffffffffffff");
        let problem = chatbot.refused(action, input, 404, "not_found").await;
        assert!(string(&problem["detail"]).contains("no such user"), "{problem}");
    }
}

#[tokio::test]
async fn a_user_whose_answer_was_lost_is_made_once() {
    let chatbot = ChatBot::start().await;
    for kind in [FaultKind::Cut, FaultKind::Nonsense, FaultKind::Empty, FaultKind::WrongShape, FaultKind::Huge] {
        let name = format!("Ada {kind:?}");
        chatbot.sandbox.fault(kind);
        let problem = chatbot.refused("create-user", json!({ "name": name }), 502, "platform_unavailable").await;
        assert_eq!(problem["retry"], "unknown", "{kind:?}");
        assert_eq!(named(&chatbot, &name).len(), 1, "{kind:?}");
    }
}

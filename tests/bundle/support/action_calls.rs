//! A call of every action, for the tests of what holds for all of them.

use crate::support::platforms::{GUEST, Platforms, platform_of};
use futures::future::join_all;
use models::{Action, Effect};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::{Answer, Sandbox, answer, sandbox::FaultKind, string};

/// An action, an input that works, what it then asks for, and how it is answered.
pub struct ActionCall {
    pub action: &'static Action,
    pub input: Value,
    pub asks: String,
    pub status: u16,
}

impl ActionCall {
    pub fn name(&self) -> &'static str {
        self.action.name
    }

    pub fn platform(&self) -> &'static str {
        platform_of(self.name())
    }

    /// True if the request changes something.
    pub fn changes(&self) -> bool {
        !self.asks.starts_with("GET")
    }

    pub fn effect(&self) -> Effect {
        self.action.effect.of(&self.input)
    }

    /// True if the action returns the platform's JSON unread.
    pub fn hands_back(&self) -> bool {
        self.is_call_api() || self.name() == "botdistrikt.send-message"
    }

    /// True if the action returns even an answer that is not JSON.
    pub fn hands_back_any(&self, kind: FaultKind) -> bool {
        self.is_call_api() || (self.hands_back() && kind != FaultKind::Nonsense)
    }

    /// True if a problem also contains the platform's answer.
    pub fn is_call_api(&self) -> bool {
        self.name().ends_with(".call-api")
    }

    /// True if the output is built from the platform's answer.
    pub fn needs_answer(&self) -> bool {
        let makes = ["create-", "register-", "send-"];
        !self.hands_back() && (!self.changes() || makes.iter().any(|verb| self.name().contains(verb)))
    }

    /// Change in the number of objects at the platforms after the request.
    pub fn makes(&self) -> isize {
        match self.name().split_once('.').and_then(|(_, name)| name.split('-').next()) {
            Some("create" | "register" | "send") => 1,
            Some("delete") => -1,
            _ => 0,
        }
    }

    /// True if the action does not recognize this failure in the answer.
    pub fn ignores(&self, kind: FaultKind) -> bool {
        kind == FaultKind::EnvelopeError && self.hands_back()
    }

    /// Problem for a platform's failure: status, code, and true if the request may have taken effect.
    pub fn problem_of(&self, failure: &Failure) -> (u16, &'static str, bool) {
        let (status, code, may_have_happened) = match (self.platform(), failure.kind) {
            // The URL is the credential.
            ("botmother", FaultKind::NotFound | FaultKind::Gone) => (424, "connection_unauthorized", false),
            // No document describes an error with a status of success, so the body is read as an answer that lacks its
            // parts.
            ("botdistrikt" | "botstar", FaultKind::EnvelopeError) => (502, "platform_unavailable", true),
            _ => (failure.status, failure.code, failure.may_have_happened),
        };
        (status, code, may_have_happened && self.changes())
    }
}

pub fn cases(sandbox: &Sandbox) -> Vec<ActionCall> {
    let (user, story) = (&sandbox.users()[0]["id"], &sandbox.stories()[0]["id"]);
    let (of_user, of_story) = (format!("/users/{}", string(user)), format!("/v2/stories/{}", string(story)));
    let webchat = format!("/webchat_apps/{}", Sandbox::WEBCHAT_APP_ID);
    let event = sandbox.event_url().replace(&sandbox.url, "");
    let case = |name: &str, input, asks: &str| {
        let action = registry::actions().find(|action| action.name == name).unwrap();
        ActionCall { action, input, asks: asks.to_owned(), status: 200 }
    };
    let chatbot = |action: &str, input, asks: &str| case(&format!("chatbot.{action}"), input, asks);
    let api_of = |platform: &str, method: &str, path: &str, body: Value| {
        let input = json!({ "method": method, "path": path.trim_start_matches('/'), "body": body });
        case(&format!("{platform}.call-api"), input, &format!("{method} {path}"))
    };
    let api = |method: &str, path: &str, body: Value| api_of("chatbot", method, path, body);
    let bot = format!("/bots/{}", Sandbox::BOT_ID);
    let (bot_user, entity) = (format!("{bot}/users/u-1"), format!("{bot}/cms_entities/{}", sandbox.entity_id()));
    let botstar = |action: &str, input, asks: &str| case(&format!("botstar.{action}"), input, asks);
    let of_item = |more: Value| {
        let mut input = json!({ "entity_id": sandbox.entity_id(), "item_id": sandbox.bot_items("draft")[0]["id"] });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let (items, item) =
        (format!("{entity}/items"), format!("{entity}/items/{}", string(&of_item(json!({}))["item_id"])));
    vec![
        botstar("list-bots", json!({}), "GET /bots/"),
        botstar("get-user", json!({ "user_id": "u-1" }), &format!("GET {bot_user}")),
        botstar(
            "update-user",
            json!({ "user_id": "u-1", "attributes": { "plan": "silver" } }),
            &format!("PATCH {bot_user}"),
        ),
        botstar("send-message", json!({ "user_id": "u-1", "message": "Hello" }), "POST /messages"),
        botstar("list-entities", json!({}), &format!("GET {bot}/cms_entities")),
        botstar("list-items", json!({ "entity_id": sandbox.entity_id(), "limit": 2 }), &format!("GET {items}")),
        botstar("get-item", of_item(json!({})), &format!("GET {item}")),
        botstar("create-item", json!({ "entity_id": sandbox.entity_id(), "name": "Mocha" }), &format!("POST {items}")),
        botstar("update-item", of_item(json!({ "fields": { "price": "3.00" } })), &format!("PATCH {item}")),
        botstar("delete-item", of_item(json!({})), &format!("DELETE {item}")),
        botstar("call-api", json!({ "method": "GET", "path": "bots/" }), "GET /bots/"),
        api_of("botstar", "POST", "/bots/", json!({ "name": "Shop" })),
        api_of("botstar", "PATCH", &bot_user, json!({ "plan": "silver" })),
        ActionCall { status: 404, ..api_of("botstar", "DELETE", "/bots/of-nobody", Value::Null) },
        chatbot("search-users", json!({ "limit": 2 }), "GET /users"),
        chatbot("get-user", json!({ "user_id": user }), &format!("GET {of_user}")),
        chatbot("create-user", json!({ "name": "Ada" }), "POST /users"),
        chatbot("update-user", json!({ "user_id": user, "name": "Ada" }), &format!("PUT {of_user}")),
        chatbot("ban-user", json!({ "user_id": user, "operation": "ban" }), &format!("PUT {of_user}/ban")),
        chatbot("list-stories", json!({}), "GET /v2/stories"),
        chatbot("get-story", json!({ "story_id": story }), &format!("GET {of_story}")),
        chatbot("create-story", json!({ "name": "Shop" }), "POST /v2/stories"),
        chatbot("update-story", json!({ "story_id": story, "name": "Shop" }), &format!("PUT {of_story}")),
        chatbot("delete-story", json!({ "story_id": story }), &format!("DELETE {of_story}")),
        chatbot("call-api", json!({ "method": "GET", "path": "users/segments" }), "GET /users/segments"),
        api("POST", "/users/segments", json!({ "name": "VIP" })),
        api("PUT", &of_user, json!({ "attributes": { "a": "b" } })),
        ActionCall { status: 404, ..api("PATCH", "/users/segments", json!({})) },
        ActionCall { status: 404, ..api("DELETE", "/stories/of-nobody", Value::Null) },
        case("botdistrikt.register-user", json!({ "webchat_id": "ada-3f9x" }), &format!("POST {webchat}/user")),
        case(
            "botdistrikt.send-message",
            json!({ "webchat_id": GUEST, "message": "Hello" }),
            &format!("POST {webchat}/message"),
        ),
        case("botmother.send-event", json!({ "platform": "tg", "users": ["771"] }), &format!("POST {event}")),
    ]
}

/// Actions that have no call among these.
pub fn uncalled<'a>(called: impl Iterator<Item = &'a str>) -> Vec<&'static str> {
    let called: BTreeSet<&str> = called.collect();
    registry::actions().map(|action| action.name).filter(|name| !called.contains(name)).collect()
}

/// Checks every case with a bundle and a sandbox of its own, all at once.
pub async fn for_each_case(check: impl AsyncFn(Platforms, ActionCall)) {
    let check = &check;
    let count = cases(&Sandbox::start(0).await.unwrap()).len();
    let all = (0..count).map(|at| async move {
        let platforms = Platforms::start().await;
        let case = cases(&platforms.sandbox).into_iter().nth(at).unwrap();
        check(platforms, case).await;
    });
    join_all(all).await;
}

pub async fn call(platforms: &Platforms, case: &ActionCall) -> Answer {
    answer(platforms.request(case.name(), case.input.clone())).await
}

/// Failure of a platform: its problem, the number of attempts for a request that changes nothing, and true in
/// `may_have_happened` if a change may have taken effect.
pub struct Failure {
    pub kind: FaultKind,
    pub status: u16,
    pub code: &'static str,
    pub tries: usize,
    may_have_happened: bool,
}

const fn failure(kind: FaultKind, status: u16, code: &'static str, tries: usize, may_have_happened: bool) -> Failure {
    Failure { kind, status, code, tries, may_have_happened }
}

pub const FAILURES: [Failure; 15] = [
    failure(FaultKind::BadRequest, 422, "platform_rejected", 1, false),
    failure(FaultKind::Unauthorized, 424, "connection_unauthorized", 1, false),
    failure(FaultKind::Forbidden, 424, "connection_unauthorized", 1, false),
    failure(FaultKind::NotFound, 404, "not_found", 1, false),
    failure(FaultKind::Gone, 404, "not_found", 1, false),
    failure(FaultKind::Conflict, 422, "platform_rejected", 1, false),
    failure(FaultKind::Echo, 422, "platform_rejected", 1, false),
    failure(FaultKind::SlowDown, 429, "platform_slow_down", 1, false),
    failure(FaultKind::Error, 502, "platform_unavailable", 3, true),
    failure(FaultKind::Unavailable, 502, "platform_unavailable", 3, true),
    failure(FaultKind::Redirect, 502, "platform_unavailable", 1, true),
    failure(FaultKind::Cut, 502, "platform_unavailable", 3, true),
    failure(FaultKind::CutBefore, 502, "platform_unavailable", 3, true),
    failure(FaultKind::Huge, 502, "platform_unavailable", 1, true),
    // The body reports a failure, the status a success.
    failure(FaultKind::EnvelopeError, 422, "platform_rejected", 1, false),
];

//! Every action of ChatBot against everything that ChatBot may answer. The sandbox counts what it was asked.

use crate::{
    chatbot::{ChatBot, line},
    checks::{make_key, problem, refused, with_key},
};
use axum::{
    body::{Body, Bytes},
    http::header,
};
use futures::{future::join_all, stream};
use reqwest::Method;
use runtime::client::PATIENCE;
use serde_json::{Value, json};
use std::{collections::BTreeSet, convert::Infallible, time::Instant};
use tests::{
    Answer, Bundle, answer,
    sandbox::{Fault, FaultKind, Sandbox},
    string,
};

/// An action, an input that works, and what it then asks for.
struct Case {
    action: &'static str,
    input: Value,
    asks: String,
}

impl Case {
    /// Whether the request changes something.
    fn changes(&self) -> bool {
        !self.asks.starts_with("GET")
    }

    /// Whether what ChatBot answers is handed back, whatever it is.
    fn hands_back(&self) -> bool {
        self.action == "call-api"
    }

    /// Whether the outcome is made of what ChatBot answers.
    fn needs_answer(&self) -> bool {
        !self.hands_back() && (!self.changes() || self.action.starts_with("create-"))
    }
}

const CASES: usize = 13;

fn cases(chatbot: &ChatBot) -> [Case; CASES] {
    let (user, story) = (chatbot.ava(), chatbot.story());
    let case = |action, input, asks: &str| Case { action, input, asks: asks.to_owned() };
    [
        case("search-users", json!({ "limit": 2 }), "GET /users"),
        case("get-user", json!({ "user_id": user }), &format!("GET /users/{user}")),
        case("create-user", json!({ "name": "Ada" }), "POST /users"),
        case("update-user", json!({ "user_id": user, "name": "Ada" }), &format!("PUT /users/{user}")),
        case("ban-user", json!({ "user_id": user, "operation": "ban" }), &format!("PUT /users/{user}/ban")),
        case("list-stories", json!({}), "GET /v2/stories"),
        case("get-story", json!({ "story_id": story }), &format!("GET /v2/stories/{story}")),
        case("create-story", json!({ "name": "Shop" }), "POST /v2/stories"),
        case("update-story", json!({ "story_id": story, "name": "Shop" }), &format!("PUT /v2/stories/{story}")),
        case("delete-story", json!({ "story_id": story }), &format!("DELETE /v2/stories/{story}")),
        case("call-api", json!({ "method": "GET", "path": "users/segments" }), "GET /users/segments"),
        case(
            "call-api",
            json!({ "method": "POST", "path": "users/segments", "body": { "name": "VIP" } }),
            "POST /users/segments",
        ),
        case("call-api", json!({ "method": "PATCH", "path": "users/segments", "body": {} }), "PATCH /users/segments"),
    ]
}

/// Checks every case with a bundle and a sandbox of its own, all at once.
async fn for_each_case(check: impl AsyncFn(ChatBot, Case)) {
    let check = &check;
    let all = (0..CASES).map(|at| async move {
        let chatbot = ChatBot::start().await;
        let case = cases(&chatbot).into_iter().nth(at).unwrap();
        check(chatbot, case).await;
    });
    join_all(all).await;
}

async fn call(chatbot: &ChatBot, case: &Case) -> Answer {
    answer(chatbot.request(case.action, case.input.clone())).await
}

#[tokio::test]
async fn every_action_is_in_the_table_and_asks_chatbot_once() {
    let chatbot = ChatBot::start().await;
    let stated: BTreeSet<&str> =
        registry::actions().filter_map(|action| action.name.strip_prefix("chatbot.")).collect();
    let cases = cases(&chatbot);
    assert_eq!(cases.iter().map(|case| case.action).collect::<BTreeSet<_>>(), stated);
    for case in cases {
        chatbot.sandbox.forget_requests();
        let answer = call(&chatbot, &case).await;
        let works = !case.asks.starts_with("PATCH");
        assert_eq!(answer.status.as_u16(), if works { 200 } else { 404 }, "{}: {}", case.asks, answer.text);
        let asked = chatbot.asked();
        assert_eq!(asked.iter().map(line).collect::<Vec<_>>(), [case.asks.as_str()]);
        assert_eq!(asked[0].authorization(), Some(format!("Bearer {}", Sandbox::TOKEN).as_str()));
        let body = &asked[0].body;
        assert_eq!(asked[0].headers.get("content-type").is_some(), !body.is_empty(), "{}: {body}", case.asks);
    }
}

/// What a failure of ChatBot's is told as, how often a request that changes nothing is sent, and whether one that does
/// may have happened.
const FAILURES: [(FaultKind, u16, &str, usize, bool); 15] = [
    (FaultKind::BadRequest, 422, "platform_rejected", 1, false),
    (FaultKind::Unauthorized, 424, "connection_unauthorized", 1, false),
    (FaultKind::Forbidden, 424, "connection_unauthorized", 1, false),
    (FaultKind::NotFound, 404, "not_found", 1, false),
    (FaultKind::Gone, 404, "not_found", 1, false),
    (FaultKind::Conflict, 422, "platform_rejected", 1, false),
    (FaultKind::Echo, 422, "platform_rejected", 1, false),
    (FaultKind::SlowDown, 429, "platform_slow_down", 1, false),
    (FaultKind::Error, 502, "platform_unavailable", 3, true),
    (FaultKind::Unavailable, 502, "platform_unavailable", 3, true),
    (FaultKind::Redirect, 502, "platform_unavailable", 1, false),
    (FaultKind::Cut, 502, "platform_unavailable", 3, true),
    (FaultKind::CutBefore, 502, "platform_unavailable", 3, true),
    (FaultKind::Huge, 502, "platform_unavailable", 1, true),
    // The documented envelope tells of failure, and the answer's status of success.
    (FaultKind::EnvelopeError, 422, "platform_rejected", 1, false),
];

#[tokio::test]
async fn every_failure_of_chatbot_is_told_as_what_it_is() {
    for_each_case(async |chatbot, case| {
        for (kind, status, code, tries, may_have_happened) in FAILURES {
            let at = format!("{} under {kind:?}", case.asks);
            if case.hands_back() && kind == FaultKind::EnvelopeError {
                continue;
            }
            chatbot.sandbox.fault(Fault { times: usize::MAX, ..kind.into() });
            let answer = call(&chatbot, &case).await;
            chatbot.sandbox.forget_faults();
            let problem = problem(&answer, status, code);
            assert_eq!(chatbot.asked().len(), if case.changes() { 1 } else { tries }, "{at}");
            let unknown = case.changes() && may_have_happened;
            assert_eq!(problem["outcome"], if unknown { json!("unknown") } else { Value::Null }, "{at}");
            assert!(!answer.text.contains(Sandbox::TOKEN), "{at}: {}", answer.text);
            let wait = answer.headers.get(header::RETRY_AFTER).map(|value| value.to_str().unwrap());
            assert_eq!(wait, (kind == FaultKind::SlowDown).then_some("7"), "{at}");
            if status < 500 {
                let words = if kind == FaultKind::Echo { "cannot take authorization" } else { "this fault was armed" };
                assert!(string(&problem["detail"]).contains(words), "{at}: {problem}");
            }
            let whole = matches!(problem["answer"]["status"].as_u64(), Some(status) if status >= 300);
            let arrived = !matches!(kind, FaultKind::Cut | FaultKind::CutBefore | FaultKind::Huge);
            assert_eq!(whole, case.hands_back() && arrived, "{at}: {problem}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_chatbot_should_not_answer_is_a_bad_gateway_where_the_answer_is_needed() {
    for_each_case(async |chatbot, case| {
        for kind in [FaultKind::Nonsense, FaultKind::WrongShape, FaultKind::Empty] {
            let at = format!("{} under {kind:?}", case.asks);
            chatbot.sandbox.fault(kind);
            let answer = call(&chatbot, &case).await;
            assert_eq!(chatbot.asked().len(), 1, "{at}");
            // No body is as good as any for a change whose answer says nothing more.
            if case.hands_back() || (kind == FaultKind::Empty && !case.needs_answer()) {
                assert_eq!(answer.status, 200, "{at}: {}", answer.text);
                continue;
            }
            let problem = problem(&answer, 502, "platform_unavailable");
            assert_eq!(problem["outcome"] == "unknown", case.changes(), "{at}: {problem}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_failure_that_passes_is_not_seen_by_who_only_reads() {
    for_each_case(async |chatbot, case| {
        for kind in [FaultKind::Error, FaultKind::Unavailable, FaultKind::Cut, FaultKind::CutBefore] {
            chatbot.sandbox.fault(kind);
            let answer = call(&chatbot, &case).await;
            let status = if case.changes() { 502 } else { 200 };
            assert_eq!(answer.status.as_u16(), status, "{} under {kind:?}: {}", case.asks, answer.text);
            assert_eq!(chatbot.asked().len(), if case.changes() { 1 } else { 2 }, "{} under {kind:?}", case.asks);
        }
    })
    .await;
}

/// Waits as long as an action does, once for all.
#[tokio::test]
async fn a_chatbot_that_does_not_answer_is_a_time_out_and_a_change_is_asked_for_once() {
    let silent = |kind: FaultKind| {
        for_each_case(async move |chatbot, case| {
            let users = chatbot.sandbox.users().as_array().unwrap().len();
            chatbot.sandbox.fault(Fault { times: usize::MAX, ..kind.into() });
            let problem = problem(&call(&chatbot, &case).await, 504, "platform_timeout");
            let detail = string(&problem["detail"]);
            assert!(detail.starts_with("the answer did not arrive in time"), "{detail}");
            assert_eq!(detail.contains("look for the user"), case.action == "create-user", "{detail}");
            assert_eq!(problem["outcome"] == "unknown", case.changes(), "{}", case.asks);
            assert_eq!(chatbot.asked().len(), 1, "{}", case.asks);
            let made = usize::from(case.action == "create-user" && kind == FaultKind::Hang);
            assert_eq!(chatbot.sandbox.users().as_array().unwrap().len(), users + made, "{}", case.asks);
        })
    };
    let tested = async {
        let chatbot = ChatBot::start().await;
        chatbot.sandbox.fault(FaultKind::HangBefore);
        refused(test(&chatbot.bundle, &chatbot.connection), 504, "platform_timeout").await;
        assert_eq!(chatbot.asked().len(), 1);
    };
    let searched = async {
        let chatbot = ChatBot::start().await;
        let page: Vec<Value> = (0..40).map(|n| json!({ "id": format!("u-{n}") })).collect();
        chatbot.sandbox.script(move |seen| match seen.query.contains("after") {
            false => Body::from(json!({ "data": page }).to_string()),
            true => Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()),
        });
        let started = Instant::now();
        let filters = json!([{ "type": "customer_user_id", "value": "nobody's" }]);
        let page = chatbot.act("search-users", json!({ "filters": filters }), 200).await;
        assert_eq!(page, json!({ "items": [], "next": "u-39" }));
        assert!(started.elapsed() < PATIENCE, "filtering has less time than an action");
    };
    tokio::join!(silent(FaultKind::Hang), silent(FaultKind::HangBefore), tested, searched);
}

#[tokio::test]
async fn where_nothing_listens_nothing_has_happened() {
    let chatbot = ChatBot::start().await;
    let bundle = Bundle::start().await;
    let connection = bundle.connection("chatbot").await;
    let all = cases(&chatbot).into_iter().map(|case| {
        let nowhere = (&bundle, &connection);
        async move {
            let (bundle, connection) = nowhere;
            let mut input = case.input;
            input["connection"] = json!(connection);
            let path = format!("/v1/actions/chatbot/{}", case.action);
            let request = bundle.request(Method::POST, &path).json(&input);
            let problem = refused(request, 502, "platform_unavailable").await;
            assert_eq!(
                (&problem["detail"], &problem["outcome"]),
                (&json!("no connection could be made"), &Value::Null)
            );
        }
    });
    join_all(all).await;
}

#[tokio::test]
async fn a_connection_of_another_platform_is_a_mismatch_and_a_missing_one_is_not_found() {
    let chatbot = ChatBot::start().await;
    let foreign = chatbot.bundle.connection("botstar").await;
    let gone = chatbot.bundle.connection("chatbot").await;
    chatbot.bundle.delete(&format!("/v1/connections/{gone}"), 204).await;
    for case in cases(&chatbot) {
        let with = |connection: &str| {
            let mut input = case.input.clone();
            input["connection"] = json!(connection);
            input
        };
        let mismatch = chatbot.refused(case.action, with(&foreign), 422, "connection_mismatch").await;
        assert_eq!(mismatch["detail"], "the connection is of botstar, and this takes one of chatbot");
        for missing in [&gone, "con_00000000000000000000000000", "hook_0", "%", "ä", &"x".repeat(100)] {
            chatbot.refused(case.action, with(missing), 404, "not_found").await;
        }
    }
    assert_eq!(chatbot.asked().len(), 0);
}

#[tokio::test]
async fn a_key_that_may_act_runs_actions_and_one_that_may_read_does_not() {
    let chatbot = ChatBot::start().await;
    let (_, act) = make_key(&chatbot.bundle, "act").await;
    let (_, read) = make_key(&chatbot.bundle, "read").await;
    for case in cases(&chatbot) {
        let path = format!("/v1/actions/chatbot/{}", case.action);
        let mut input = case.input;
        input["connection"] = json!(chatbot.connection);
        let with = |key: &str| with_key(&chatbot.bundle, Method::POST, &path, key).json(&input);
        refused(with(&read), 403, "forbidden").await;
        refused(
            chatbot.bundle.http.post(format!("{}{path}", chatbot.bundle.local.url)).json(&input),
            401,
            "unauthorized",
        )
        .await;
        assert_eq!(chatbot.asked().len(), 0, "{path}");
        let status = answer(with(&act)).await.status.as_u16();
        chatbot.sandbox.forget_requests();
        assert_eq!(status, if case.asks.starts_with("PATCH") { 404 } else { 200 }, "{path}");
    }
}

fn test(bundle: &Bundle, connection: &str) -> reqwest::RequestBuilder {
    bundle.request(Method::POST, &format!("/v1/connections/{connection}/test"))
}

#[tokio::test]
async fn a_test_of_a_connection_reads_a_user() {
    let chatbot = ChatBot::start().await;
    let tested = tests::expect(test(&chatbot.bundle, &chatbot.connection), 200).await;
    assert_eq!(tested, json!({ "ok": true, "detail": "the token reads the account's users" }));
    let asked = chatbot.asked();
    assert_eq!((line(&asked[0]), asked[0].query.as_str(), asked.len()), ("GET /users".to_owned(), "limit=1", 1));
    for (kind, status, code, tries, _) in FAILURES {
        chatbot.sandbox.fault(Fault { times: usize::MAX, ..kind.into() });
        let answer = answer(test(&chatbot.bundle, &chatbot.connection)).await;
        chatbot.sandbox.forget_faults();
        problem(&answer, status, code);
        assert!(!answer.text.contains(Sandbox::TOKEN), "{}", answer.text);
        assert_eq!(chatbot.asked().len(), tries, "{kind:?}");
    }
    for kind in [FaultKind::Nonsense, FaultKind::WrongShape, FaultKind::Empty] {
        chatbot.sandbox.fault(kind);
        refused(test(&chatbot.bundle, &chatbot.connection), 502, "platform_unavailable").await;
    }
    let wrong = json!({ "credentials": { "access_token": "another-token-0123456789" } });
    chatbot.bundle.patch(&format!("/v1/connections/{}", chatbot.connection), &wrong, 200).await;
    let problem = refused(test(&chatbot.bundle, &chatbot.connection), 424, "connection_unauthorized").await;
    assert!(string(&problem["detail"]).contains("the developer access token is missing or wrong"), "{problem}");
}

#[tokio::test]
async fn a_token_that_is_replaced_is_used_at_the_next_call_after_it_was_refused() {
    let chatbot = ChatBot::start().await;
    let path = format!("/v1/connections/{}", chatbot.connection);
    let replace = |token: &str| json!({ "credentials": { "access_token": token } });
    chatbot.bundle.patch(&path, &replace("a-token-that-was-mistyped"), 200).await;
    for _ in 0..2 {
        chatbot.refused("list-stories", json!({}), 424, "connection_unauthorized").await;
    }
    chatbot.bundle.patch(&path, &replace(Sandbox::TOKEN), 200).await;
    chatbot.act("list-stories", json!({}), 200).await;
}

//! Every action against everything that its platform may answer. The sandbox counts what it was asked.

use crate::support::{
    action_calls::{ActionCall, FAILURES, call, cases, for_each_case, uncalled},
    assertions::{make_key, problem, refused, with_key},
    chatbot::line,
    platforms::{PLATFORMS, Platforms, SECRETS, credentials, path_of, wrong_credentials},
};
use axum::http::header;
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tests::{
    answer, eventually,
    sandbox::{Fault, FaultKind, Platform, Sandbox, Seen},
    string,
};
use tokio::net::TcpStream;

/// Checks the credential of a request. Botmother's is part of the path.
fn is_authorized(seen: &Seen) -> bool {
    match seen.platform {
        Platform::BotStar => seen.authorization() == Some(&format!("Bearer {}", Sandbox::BOTSTAR_TOKEN)),
        Platform::ChatBot => seen.authorization() == Some(&format!("Bearer {}", Sandbox::TOKEN)),
        Platform::BotDistrikt => {
            serde_json::from_str::<Value>(&seen.body).is_ok_and(|body| body["domain"] == Sandbox::DOMAIN)
        }
        Platform::Botmother => seen.authorization().is_none(),
    }
}

#[tokio::test]
async fn every_action_is_in_the_table_and_asks_its_platform_once() {
    let platforms = Platforms::start().await;
    let cases = cases(&platforms.sandbox);
    let missing = uncalled(cases.iter().map(ActionCall::name));
    assert_eq!(missing, [""; 0], "add a call of each to `cases` of tests/bundle/support/action_calls.rs");
    for case in cases {
        let before = platforms.made();
        let answer = call(&platforms, &case).await;
        assert_eq!(answer.status, case.status, "{}: {}", case.asks, answer.text);
        let asked = platforms.asked();
        assert_eq!(asked.iter().map(line).collect::<Vec<_>>(), [case.asks.as_str()]);
        assert!(is_authorized(&asked[0]), "{:?}", asked[0]);
        let body = &asked[0].body;
        assert_eq!(asked[0].headers.get("content-type").is_some(), !body.is_empty(), "{}: {body}", case.asks);
        assert_eq!(before.checked_add_signed(case.makes()), Some(platforms.made()), "{}", case.asks);
    }
}

#[tokio::test]
async fn every_failure_of_a_platform_has_its_problem() {
    for_each_case(async |platforms, case| {
        for failure in FAILURES.iter().filter(|failure| !case.ignores(failure.kind)) {
            let kind = failure.kind;
            let at = format!("{} under {kind:?}", case.asks);
            let (status, code, unknown) = case.problem_of(failure);
            platforms.sandbox.fault(Fault { times: usize::MAX, ..kind.into() });
            let answer = call(&platforms, &case).await;
            platforms.sandbox.forget_faults();
            let problem = problem(&answer, status, code);
            assert_eq!(platforms.asked().len(), if case.changes() { 1 } else { failure.tries }, "{at}");
            assert_eq!(problem["retry"] == "unknown", unknown, "{at}: {problem}");
            for secret in SECRETS {
                assert!(!answer.text.contains(secret), "{at}: {}", answer.text);
            }
            let wait = answer.headers.get(header::RETRY_AFTER).map(|value| value.to_str().unwrap());
            assert_eq!(wait, (kind == FaultKind::SlowDown).then_some("7"), "{at}");
            let detail = string(&problem["detail"]);
            if status < 500 {
                let expected = if kind == FaultKind::Echo { "cannot take " } else { "this fault was armed" };
                assert!(detail.contains(expected), "{at}: {problem}");
            }
            assert_eq!(detail.contains("••••"), kind == FaultKind::Echo, "{at}: {problem}");
            let whole = matches!(problem["answer"]["status"].as_u64(), Some(status) if status >= 300);
            let arrived = !matches!(kind, FaultKind::Cut | FaultKind::CutBefore | FaultKind::Huge);
            assert_eq!(whole, case.is_call_api() && arrived, "{at}: {problem}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_nonsensical_answer_is_a_bad_gateway_if_the_answer_is_needed() {
    for_each_case(async |platforms, case| {
        for kind in [FaultKind::Nonsense, FaultKind::WrongShape, FaultKind::Empty, FaultKind::EnvelopeError] {
            if kind == FaultKind::EnvelopeError && !case.ignores(kind) {
                continue;
            }
            let at = format!("{} under {kind:?}", case.asks);
            platforms.sandbox.fault(kind);
            let answer = call(&platforms, &case).await;
            assert_eq!(platforms.asked().len(), 1, "{at}");
            // No body is as good as any for a change whose answer says nothing more.
            if case.hands_back_any(kind) || (kind == FaultKind::Empty && !case.needs_answer()) {
                assert_eq!(answer.status, 200, "{at}: {}", answer.text);
                continue;
            }
            let problem = problem(&answer, 502, "platform_unavailable");
            assert_eq!(problem["retry"] == "unknown", case.changes(), "{at}: {problem}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_failure_that_passes_is_not_seen_by_who_only_reads() {
    for_each_case(async |platforms, case| {
        for kind in [FaultKind::Error, FaultKind::Unavailable, FaultKind::Cut, FaultKind::CutBefore] {
            platforms.sandbox.fault(kind);
            let answer = call(&platforms, &case).await;
            let status = if case.changes() { 502 } else { 200 };
            assert_eq!(answer.status, status, "{} under {kind:?}: {}", case.asks, answer.text);
            assert_eq!(platforms.asked().len(), if case.changes() { 1 } else { 2 }, "{} under {kind:?}", case.asks);
        }
    })
    .await;
}

/// Waits as long as an action does, once for all.
#[tokio::test]
async fn a_platform_that_does_not_answer_is_a_time_out_and_a_change_is_asked_for_once() {
    let silent = |kind: FaultKind| {
        for_each_case(async move |platforms, case| {
            let before = platforms.made();
            platforms.sandbox.fault(Fault { times: usize::MAX, ..kind.into() });
            let problem = problem(&call(&platforms, &case).await, 504, "platform_timeout");
            let detail = string(&problem["detail"]);
            assert!(detail.starts_with("the answer did not arrive in time"), "{detail}");
            assert_eq!(detail.contains("look for the user"), case.name() == "chatbot.create-user", "{detail}");
            assert_eq!(problem["retry"] == "unknown", case.changes(), "{}", case.asks);
            assert_eq!(platforms.asked().len(), 1, "{}", case.asks);
            let made = if kind == FaultKind::Hang { case.makes() } else { 0 };
            assert_eq!(before.checked_add_signed(made), Some(platforms.made()), "{}", case.asks);
        })
    };
    tokio::join!(silent(FaultKind::Hang), silent(FaultKind::HangBefore));
}

#[tokio::test]
async fn a_refused_connection_has_changed_nothing() {
    let platforms = Platforms::start().await;
    let cases = cases(&platforms.sandbox);
    let Platforms { bundle, sandbox, connections } = platforms;
    let address = sandbox.url.replace("http://", "");
    drop(sandbox);
    eventually(|| async { TcpStream::connect(&address).await.err() }).await;
    let all = cases.into_iter().map(|case| {
        let nowhere = (&bundle, &connections[case.platform()]);
        async move {
            let (bundle, connection) = nowhere;
            let mut input = case.input.clone();
            input["connection"] = json!(connection);
            let request = bundle.request(Method::POST, case.action.path).json(&input);
            let problem = refused(request, 502, "platform_unavailable").await;
            assert_eq!(
                (&problem["detail"], &problem["retry"]),
                (&json!("cannot connect"), &json!("after")),
                "{}",
                case.asks
            );
        }
    });
    join_all(all).await;
}

#[tokio::test]
async fn a_connection_of_another_platform_is_a_mismatch_and_a_missing_one_is_not_found() {
    let platforms = Platforms::start().await;
    let foreign = &platforms.connections;
    let mut gone = BTreeMap::new();
    for platform in PLATFORMS {
        let connection = platforms.connection(platform).await;
        platforms.bundle.delete(&format!("/v1/connections/{connection}"), 204).await;
        gone.insert(platform, connection);
    }
    for case in cases(&platforms.sandbox) {
        let with = |connection: &str| {
            let mut input = case.input.clone();
            input["connection"] = json!(connection);
            platforms.request(case.name(), input)
        };
        let platform = case.platform();
        for (other, connection) in foreign.iter().filter(|(other, _)| **other != platform) {
            let mismatch = refused(with(connection), 422, "connection_mismatch").await;
            let reported = format!("the connection belongs to {other}; a connection of {platform} is required");
            assert_eq!(mismatch["detail"], reported);
        }
        let long = "x".repeat(100);
        for missing in [&gone[platform], "con_00000000000000000000000000", "hook_0", "%", "ä", &long] {
            refused(with(missing), 404, "not_found").await;
        }
    }
    assert_eq!(platforms.asked().len(), 0);
}

#[tokio::test]
async fn a_key_that_may_act_runs_actions_and_one_that_may_read_does_not() {
    let platforms = Platforms::start().await;
    let (_, act) = make_key(&platforms.bundle, "act").await;
    let (_, read) = make_key(&platforms.bundle, "read").await;
    for case in cases(&platforms.sandbox) {
        let path = path_of(case.name());
        let mut input = case.input.clone();
        input["connection"] = json!(platforms.connections[case.platform()]);
        let with = |key: &str| with_key(&platforms.bundle, Method::POST, &path, key).json(&input);
        refused(with(&read), 403, "forbidden").await;
        let without = platforms.bundle.http.post(format!("{}{path}", platforms.bundle.local.url)).json(&input);
        refused(without, 401, "unauthorized").await;
        assert_eq!(platforms.asked().len(), 0, "{path}");
        let answer = answer(with(&act)).await;
        assert_eq!(answer.status, case.status, "{path}: {}", answer.text);
        assert_eq!(platforms.asked().len(), 1, "{path}");
    }
}

#[tokio::test]
async fn a_body_at_fault_is_pointed_at_and_nothing_is_asked() {
    let platforms = Platforms::start().await;
    for action in registry::actions() {
        let pointers = async |body: Value| {
            let problem = refused(platforms.bundle.request(Method::POST, action.path).json(&body), 422, "invalid_body");
            crate::support::assertions::pointers(&problem.await).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        for body in [json!([]), json!(null), json!("x"), json!(7)] {
            assert!(pointers(body.clone()).await.contains(&String::new()), "{} {body}", action.name);
        }
        let strange = json!({ "connection": null, "x~/": 1 });
        let found = pointers(strange).await;
        assert!(found.iter().any(|pointer| pointer == "/connection"), "{}: {found:?}", action.name);
        assert!(found.iter().any(|pointer| pointer == "/x~0~1"), "{}: {found:?}", action.name);
    }
    assert_eq!(platforms.asked().len(), 0);
}

#[tokio::test]
async fn credentials_that_are_replaced_are_used_at_the_next_call_after_they_were_refused() {
    let platforms = Platforms::start().await;
    for (platform, action, input) in [
        ("botstar", "botstar.list-bots", json!({})),
        ("chatbot", "chatbot.list-stories", json!({})),
        ("botdistrikt", "botdistrikt.register-user", json!({})),
        ("botmother", "botmother.send-event", json!({ "platform": "tg", "users": ["771"] })),
    ] {
        let url = &platforms.sandbox.url;
        platforms.act(action, input.clone(), 200).await;
        let mistyped = wrong_credentials(platform, url, "a-secret-that-was-mistyped");
        platforms.replace_credentials(platform, mistyped).await;
        for _ in 0..2 {
            refused(platforms.request(action, input.clone()), 424, "connection_unauthorized").await;
        }
        platforms.replace_credentials(platform, credentials(platform, url)).await;
        platforms.act(action, input, 200).await;
    }
}

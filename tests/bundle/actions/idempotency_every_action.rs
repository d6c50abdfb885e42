//! Idempotency keys of every action that changes something.

use crate::support::{
    action_calls::{ActionCall, FAILURES, cases, for_each_case},
    assertions::problem,
    idempotent_calls::{assert_same_problem, is_replayed},
    platforms::Platforms,
};
use models::Effect;
use serde_json::json;
use std::collections::BTreeSet;
use tests::{Answer, answer, eventually, sandbox::FaultKind};

async fn with_key(platforms: &Platforms, case: &ActionCall, key: &str) -> Answer {
    answer(platforms.request(case.name(), case.input.clone()).header("idempotency-key", key)).await
}

/// Checks every case that changes something, with a bundle and a sandbox of its own.
async fn for_each_change(check: impl AsyncFn(&Platforms, &mut ActionCall)) {
    for_each_case(async |platforms, mut case| {
        if case.changes() {
            check(&platforms, &mut case).await;
        }
    })
    .await;
}

#[tokio::test]
async fn every_action_that_changes_something_is_done_once() {
    let platforms = Platforms::start().await;
    let changes: Vec<ActionCall> = cases(&platforms.sandbox).into_iter().filter(ActionCall::changes).collect();
    let stated = registry::actions().filter(|action| action.effect != Effect::Safe).map(|action| action.name);
    let mut called = BTreeSet::new();
    for (index, case) in changes.iter().enumerate() {
        // Each action has its own keys.
        let key = if called.insert(case.name()) { "k".to_owned() } else { format!("k-{index}") };
        let (done, before) = (case.status == 200, platforms.made());
        let first = with_key(&platforms, case, &key).await;
        let second = with_key(&platforms, case, &key).await;
        assert_eq!(first.status, case.status, "{}: {}", case.asks, first.text);
        assert_eq!(platforms.asked().len(), if done { 1 } else { 2 }, "{}", case.asks);
        assert_eq!((is_replayed(&first), is_replayed(&second)), (false, done), "{}", case.asks);
        if done {
            assert_eq!((first.status, first.text), (second.status, second.text));
        }
        assert_eq!(before.checked_add_signed(case.makes()), Some(platforms.made()), "{}", case.asks);
    }
    assert_eq!(called, stated.collect(), "actions of `cases` whose calls change something, and actions that state so");
}

#[tokio::test]
async fn a_second_call_of_any_action_while_the_first_is_under_way_is_a_conflict() {
    for_each_change(async |platforms, case| {
        platforms.sandbox.fault(FaultKind::Slow);
        let second = async {
            eventually(|| async { (platforms.sandbox.requests().len() == 1).then_some(()) }).await;
            with_key(platforms, case, "k").await
        };
        let (first, second) = tokio::join!(with_key(platforms, case, "k"), second);
        problem(&second, 409, "idempotency_in_flight");
        assert_eq!(second.headers["retry-after"], "1");
        assert_eq!(first.status, case.status, "{}: {}", case.asks, first.text);
        assert_eq!(platforms.asked().len(), 1, "{}", case.asks);
    })
    .await;
}

#[tokio::test]
async fn every_action_that_surely_did_nothing_frees_the_key() {
    for_each_change(async |platforms, case| {
        if case.name() == "botdistrikt.register-user" {
            // Or else the user is found once one call has made it.
            case.input["reuse"] = json!(false);
        }
        for failure in FAILURES.iter().filter(|failure| !case.ignores(failure.kind)) {
            let (kind, (status, code, unknown)) = (failure.kind, case.problem_of(failure));
            if unknown {
                continue;
            }
            let key = format!("{kind:?}");
            platforms.sandbox.fault(kind);
            let failed = with_key(platforms, case, &key).await;
            assert!(problem(&failed, status, code)["retry"] != "unknown", "{}", failed.text);
            let again = with_key(platforms, case, &key).await;
            assert!(!is_replayed(&failed) && !is_replayed(&again), "{} under {kind:?}: {}", case.asks, again.text);
            assert_eq!(platforms.asked().len(), 2, "{} under {kind:?}", case.asks);
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_outcome_is_answered_again_unless_the_action_is_idempotent() {
    for_each_change(async |platforms, case| {
        let failures = FAILURES.iter().filter(|failure| !case.ignores(failure.kind) && case.problem_of(failure).2);
        let senseless = [FaultKind::Nonsense, FaultKind::WrongShape, FaultKind::Empty];
        let senseless = senseless.into_iter().filter(|_| case.needs_answer());
        for kind in failures.map(|failure| failure.kind).chain(senseless) {
            let (at, key) = (format!("{} under {kind:?}", case.asks), format!("{kind:?}"));
            platforms.sandbox.fault(kind);
            let first = with_key(platforms, case, &key).await;
            let reported = problem(&first, 502, "platform_unavailable");
            assert_eq!(reported["retry"], "unknown", "{at}: {reported}");
            let second = with_key(platforms, case, &key).await;
            let asked = platforms.asked().len();
            if case.effect() == Effect::NotIdempotent {
                assert_same_problem(&first, &second);
                assert_eq!(asked, 1, "{at}");
            } else {
                assert_eq!((asked, is_replayed(&second)), (2, false), "{at}: {}", second.text);
            }
        }
    })
    .await;
}

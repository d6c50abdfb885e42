//! A hook's registration at ChatBot when something goes wrong: what is left here, and what there.

use crate::support::{
    assertions::{problem, refused, rejected},
    chatbot_hooks::{TRIGGER, making, new, path, start, token, webhooks},
    harness::{Fault as StoreFault, Harness},
};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use tests::{
    Answer, Api, Bundle, TestHook, answer, eventually, expect,
    sandbox::{Fault, FaultKind, Sandbox},
    string,
};

fn fault(method: Method, kind: FaultKind, times: usize) -> Fault {
    Fault { method: Some(method), times, ..kind.on("/webhooks") }
}

async fn only(bundle: &Bundle) -> TestHook {
    let [hook] = bundle.all("/v1/hooks").await.try_into().unwrap();
    TestHook { id: string(&hook["id"]), connection: string(&hook["connection"]), url: string(&hook["url"]) }
}

/// The hook is here, ChatBot is not known to have it, and the answer says what to do.
async fn pending(bundle: &Bundle, problem: &Value) -> TestHook {
    let hook = only(bundle).await;
    let detail = string(&problem["detail"]);
    assert!(
        detail
            .ends_with(&format!("delete {}, which also removes its webhook at the platform, if there is one", hook.id)),
        "{detail}"
    );
    let shown = bundle.get(&path(&hook), 200).await["registration"].take();
    assert_eq!(shown, json!({ "state": "pending", "webhook": null, "token": token(&hook.url) }));
    hook
}

#[tokio::test]
async fn a_hook_that_chatbot_refuses_is_no_hook() {
    let (sandbox, bundle) = start().await;
    let connection = bundle.connection("chatbot").await;
    for (kind, status, code) in [
        (FaultKind::BadRequest, 422, "platform_rejected"),
        (FaultKind::EnvelopeError, 422, "platform_rejected"),
        (FaultKind::Conflict, 422, "platform_rejected"),
        (FaultKind::Echo, 422, "platform_rejected"),
        (FaultKind::Unauthorized, 424, "connection_unauthorized"),
        (FaultKind::Forbidden, 424, "connection_unauthorized"),
        (FaultKind::SlowDown, 429, "platform_slow_down"),
    ] {
        sandbox.fault(fault(Method::POST, kind, 1));
        let answer = answer(making(&bundle, &connection)).await;
        let problem = problem(&answer, status, code);
        assert!(!answer.text.contains(Sandbox::TOKEN), "{kind:?}: {problem}");
        let reported = ["armed", "cannot take authorization"];
        assert!(reported.iter().any(|message| answer.text.contains(message)), "{kind:?}: {problem}");
        assert_eq!(answer.headers.get("retry-after").map(|wait| wait == "7"), (status == 429).then_some(true));
        assert_ne!(problem["retry"], "unknown", "{kind:?}");
        assert_eq!(bundle.all("/v1/hooks").await, [Value::Null; 0], "{kind:?}");
        assert_eq!(webhooks(&sandbox), [Value::Null; 0], "{kind:?}");
    }
    bundle.delete(&format!("/v1/connections/{connection}"), 204).await;
}

#[tokio::test]
async fn a_failure_with_an_unknown_outcome_leaves_the_hook_pending() {
    let (sandbox, bundle) = start().await;
    let connection = bundle.connection("chatbot").await;
    for kind in [FaultKind::Error, FaultKind::Unavailable, FaultKind::CutBefore, FaultKind::Redirect] {
        sandbox.fault(fault(Method::POST, kind, 1));
        let problem = refused(making(&bundle, &connection), 502, "platform_unavailable").await;
        assert_eq!(problem["retry"], "unknown", "{kind:?}");
        let hook = pending(&bundle, &problem).await;
        bundle.delete(&path(&hook), 204).await;
        assert_eq!((bundle.all("/v1/hooks").await, webhooks(&sandbox)), (vec![], vec![]), "{kind:?}");
    }
}

#[tokio::test]
async fn the_url_is_pasted_by_hand_if_chatbot_has_no_webhooks() {
    let (sandbox, bundle) = start().await;
    let connection = bundle.connection("chatbot").await;
    for kind in [FaultKind::NotFound, FaultKind::Gone] {
        sandbox.fault(fault(Method::POST, kind, 1));
        let made = expect(making(&bundle, &connection), 201).await;
        let url = string(&made["url"]);
        assert_eq!(made["registration"], json!({ "state": "manual", "webhook": null, "token": token(&url) }));
        let setup = string(&made["setup"]);
        assert!(setup.contains("paste this URL by hand"), "{setup}");
        // A user creates the webhook on ChatBot's own pages.
        let chatbot = Api::new(&sandbox.chatbot_url(), Sandbox::TOKEN);
        let by_hand = json!({ "name": "Mine", "url": url, "token": made["registration"]["token"] });
        let webhook = string(&chatbot.post("/webhooks", &by_hand, 200).await["id"]);
        let said = sandbox.say(json!({ "webhook": webhook })).await;
        assert_eq!(said[0]["status"], 200, "{said}");
        sandbox.forget_requests();
        bundle.delete(&format!("/v1/hooks/{}", string(&made["id"])), 204).await;
        assert!(sandbox.requests().is_empty(), "what a user made is the user's");
        chatbot.delete(&format!("/webhooks/{webhook}"), 200).await;
    }
    assert_eq!(bundle.all("/v1/events").await.len(), 2);
}

#[tokio::test]
async fn a_webhook_whose_answer_was_lost_is_found_and_adopted() {
    let (sandbox, bundle) = start().await;
    let connection = bundle.connection("chatbot").await;
    let neighbour = bundle.hook_on(&connection, TRIGGER, json!({})).await;
    for kind in [FaultKind::Cut, FaultKind::Nonsense, FaultKind::WrongShape, FaultKind::Empty, FaultKind::Huge] {
        sandbox.fault(fault(Method::POST, kind, 1));
        let made = expect(making(&bundle, &connection), 201).await;
        let webhook = webhooks(&sandbox).pop().unwrap();
        assert_eq!((&made["url"], &made["registration"]["state"]), (&webhook["url"], &json!("registered")), "{kind:?}");
        assert_eq!(made["registration"]["webhook"], webhook["id"], "{kind:?}");
        bundle.delete(&format!("/v1/hooks/{}", string(&made["id"])), 204).await;
        assert_eq!(webhooks(&sandbox)[0]["url"], neighbour.url);
        assert_eq!(webhooks(&sandbox).len(), 1);
    }
}

#[tokio::test]
async fn a_hook_that_nobody_knows_about_stays_pending_until_it_is_deleted() {
    let (sandbox, bundle) = start().await;
    let connection = bundle.connection("chatbot").await;
    for (made, looked, times) in [
        (FaultKind::Cut, FaultKind::Error, 3),
        (FaultKind::Nonsense, FaultKind::Unauthorized, 1),
        (FaultKind::Empty, FaultKind::Nonsense, 1),
        (FaultKind::Error, FaultKind::WrongShape, 1),
        (FaultKind::CutBefore, FaultKind::SlowDown, 1),
    ] {
        sandbox.fault(fault(Method::POST, made, 1));
        sandbox.fault(fault(Method::GET, looked, times));
        let problem = refused(making(&bundle, &connection), 502, "platform_unavailable").await;
        assert_eq!(problem["retry"], "unknown", "{made:?}");
        let hook = pending(&bundle, &problem).await;
        let there = usize::from(!matches!(made, FaultKind::Error | FaultKind::CutBefore));
        assert_eq!(webhooks(&sandbox).len(), there, "{made:?}");
        for said in sandbox.say(json!({})).await.as_array().unwrap() {
            assert_eq!(said["status"], 200, "what ChatBot may send is taken");
        }
        // It is found by whichever of its URLs ChatBot has.
        bundle.post(&format!("{}/rotate", path(&hook)), &json!({ "grace_seconds": 0 }), 200).await;
        sandbox.fault(fault(Method::GET, FaultKind::Forbidden, 1));
        let stays = refused(bundle.request(Method::DELETE, &path(&hook)), 424, "connection_unauthorized").await;
        assert!(string(&stays["detail"]).contains("the hook was not deleted"), "{stays}");
        bundle.delete(&path(&hook), 204).await;
        assert_eq!(webhooks(&sandbox), [Value::Null; 0], "{made:?}");
    }
}

#[tokio::test]
async fn a_chatbot_that_is_slow_is_given_up_and_its_hook_is_not_lost() {
    let late = async |kind: FaultKind| {
        let (sandbox, bundle) = start().await;
        let connection = bundle.connection("chatbot").await;
        sandbox.fault(fault(Method::POST, kind, 1));
        (answer(making(&bundle, &connection)).await, bundle, sandbox)
    };
    let (finished, unfinished) = futures::join!(late(FaultKind::Hang), late(FaultKind::HangBefore));
    let (made, _bundle, sandbox) = finished;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.json()["registration"]["webhook"], webhooks(&sandbox)[0]["id"]);

    let (late, bundle, sandbox) = unfinished;
    let hook = pending(&bundle, &problem(&late, 504, "platform_timeout")).await;
    // ChatBot comes to it after all.
    let chatbot = Api::new(&sandbox.chatbot_url(), Sandbox::TOKEN);
    let asked: Value = serde_json::from_str(&sandbox.requests()[0].body).unwrap();
    chatbot.post("/webhooks", &asked, 200).await;
    assert_eq!(sandbox.say(json!({})).await[0]["status"], 200);
    bundle.delete(&path(&hook), 204).await;
    assert_eq!(webhooks(&sandbox), [Value::Null; 0]);
}

#[tokio::test]
async fn a_url_that_leads_elsewhere_is_named_as_the_likely_reason() {
    let sandbox = Sandbox::start(0).await.unwrap();
    for elsewhere in ["http://127.0.0.1:9".to_owned(), sandbox.url.clone()] {
        let settings = [("CHATBOT_API_URL", sandbox.chatbot_url()), ("PUBLIC_URL", elsewhere)];
        let bundle = Bundle::start_with(&settings.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
        let connection = bundle.connection("chatbot").await;
        let problem = refused(making(&bundle, &connection), 422, "platform_rejected").await;
        let detail = string(&problem["detail"]);
        assert!(
            detail.contains("url: the ") && detail.ends_with("check that PUBLIC_URL is this deployment's address"),
            "{detail}"
        );
        assert_eq!(bundle.all("/v1/hooks").await, [Value::Null; 0]);
        assert_eq!(webhooks(&sandbox), [Value::Null; 0]);
    }
}

/// A harness whose store fails at its nth request of an operation.
fn failing<'b>(
    harness: &Harness<'b>,
    retry: RetryConfig,
    operation: &'static str,
    nth: usize,
    fault: StoreFault,
) -> Harness<'b> {
    let count = AtomicUsize::new(0);
    harness.failing(retry, move |called, _| {
        let hit = called == operation && count.fetch_add(1, Ordering::SeqCst) + 1 == nth;
        if hit { fault } else { StoreFault::None }
    })
}

/// Makes a hook over a store that fails at its nth request of an operation.
async fn made_over_failing(bundle: &Bundle, operation: &'static str, nth: usize, fault: StoreFault) -> Answer {
    let connection = bundle.connection("chatbot").await;
    let harness = failing(&Harness::beside(bundle), RetryConfig::disabled(), operation, nth, fault);
    harness.answer(Method::POST, "/v1/hooks", new(&connection).to_string()).await
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_no_conflict() {
    let (sandbox, bundle) = start().await;
    let connection = bundle.connection("chatbot").await;
    let own = Harness::beside(&bundle);
    let losing = |operation| failing(&own, RetryConfig::standard(), operation, 1, StoreFault::AnswerLost);
    for operation in ["TransactWriteItems", "PutItem"] {
        let made = losing(operation).answer(Method::POST, "/v1/hooks", new(&connection).to_string()).await;
        assert_eq!((made.status.as_u16(), &made.json()["registration"]["state"]), (201, &json!("registered")));
        let deleted = losing("TransactWriteItems").answer(Method::DELETE, &path(&only(&bundle).await), "").await;
        assert_eq!((deleted.status.as_u16(), bundle.all("/v1/hooks").await, webhooks(&sandbox)), (204, vec![], vec![]));
    }
}

#[tokio::test]
async fn a_caller_that_leaves_loses_no_webhook() {
    let (sandbox, bundle) = start().await;
    let connection = bundle.connection("chatbot").await;
    sandbox.fault(fault(Method::POST, FaultKind::Hang, 1));
    let caller = tokio::spawn(making(&bundle, &connection).send());
    eventually(|| async { (!webhooks(&sandbox).is_empty()).then_some(()) }).await;
    caller.abort();
    let hook = only(&bundle).await;
    assert_eq!(webhooks(&sandbox)[0]["url"], hook.url);
    assert_eq!(sandbox.say(json!({})).await[0]["status"], 200);
    bundle.delete(&path(&hook), 204).await;
    assert_eq!((bundle.all("/v1/hooks").await, webhooks(&sandbox)), (vec![], vec![]));
}

#[tokio::test]
async fn a_store_failure_after_the_registration_leaves_a_hook_that_can_be_deleted() {
    for fault in [StoreFault::Unreached, StoreFault::Error(400, "ThrottlingException"), StoreFault::AnswerLost] {
        let (sandbox, bundle) = start().await;
        let answer = made_over_failing(&bundle, "PutItem", 1, fault).await;
        let problem = problem(&answer, 503, "store_unavailable");
        assert!(string(&problem["detail"]).contains("delete hook_"), "{problem}");
        let hook = match fault {
            StoreFault::AnswerLost => only(&bundle).await,
            _ => pending(&bundle, &problem).await,
        };
        assert_eq!(webhooks(&sandbox)[0]["url"], hook.url);
        assert_eq!(sandbox.say(json!({})).await[0]["status"], 200);
        assert_eq!(rejected(&bundle, &hook.id).await, [Value::Null; 0]);
        bundle.delete(&path(&hook), 204).await;
        assert_eq!(webhooks(&sandbox), [Value::Null; 0]);
    }
}

#[tokio::test]
async fn a_store_that_fails_once_chatbot_has_refused_does_not_hide_the_refusal() {
    let (sandbox, bundle) = start().await;
    sandbox.fault(fault(Method::POST, FaultKind::Conflict, 1));
    let answer = made_over_failing(&bundle, "TransactWriteItems", 2, StoreFault::Unreached).await;
    let problem = problem(&answer, 422, "platform_rejected");
    assert!(string(&problem["detail"]).contains("this fault was armed"), "{problem}");
    let hook = pending(&bundle, &problem).await;
    bundle.delete(&path(&hook), 204).await;
    assert_eq!(bundle.all("/v1/hooks").await, [Value::Null; 0]);
}

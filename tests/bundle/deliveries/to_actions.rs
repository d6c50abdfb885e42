//! Routes to actions: what they are run with, and what is tried again.

use crate::support::delivery_worker::{self, DeliveryWorker};
use app::functions::InvokeOutcome;
use models::{DeliveryId, DeliveryState, delivery::Reason};
use serde_json::{Value, json};
use std::time::Duration;
use tests::Bundle;
use web::{Code, Problem, Retry};

/// A worker with one route, to an action.
async fn worker<'b>(bundle: &'b Bundle, action: &str, input: Value) -> (DeliveryWorker<'b>, String) {
    let worker = DeliveryWorker::of(bundle).await;
    let connection = bundle.connection("chatbot").await;
    let target = json!({ "type": "action", "action": action, "connection": connection, "input": input });
    worker.route(json!({ "target": target })).await;
    (worker, connection)
}

async fn ban(bundle: &Bundle) -> (DeliveryWorker<'_>, String) {
    let input = json!({ "user_id": "data.subscriber.platform_id", "operation": "'ban'" });
    worker(bundle, "chatbot.ban-user", input).await
}

fn key(delivery: &DeliveryId, retried: u32) -> String {
    format!("{delivery} {retried}")
}

#[tokio::test]
async fn an_action_is_run_with_the_deliverys_own_idempotency_key() {
    let bundle = delivery_worker::bundle().await;
    let (worker, connection) = ban(&bundle).await;
    let delivery = worker.one_delivery().await;
    worker.actions.comes_to(InvokeOutcome::Done(br#"{"id":"u-0","banned":true}"#.to_vec()));
    worker.deliver(&delivery).await;
    let input = json!({ "user_id": "u-0", "operation": "ban", "connection": connection,
        "idempotency_key": key(&delivery, 0) });
    assert_eq!(worker.actions.calls(), [("chatbot-ban-user".to_owned(), input)]);
    worker.assert_ended(&delivery, DeliveryState::Succeeded, None, 1).await;
    let attempt = worker.delivery(&delivery).await.attempts.remove(0);
    assert_eq!((attempt.status, attempt.body.as_deref()), (Some(200), Some(r#"{"id":"u-0","banned":true}"#)));

    let bundle = delivery_worker::bundle().await;
    let (worker, connection) = self::worker(&bundle, "chatbot.get-user", json!({ "user_id": "'7'" })).await;
    let delivery = worker.one_delivery().await;
    worker.actions.comes_to(InvokeOutcome::Done(b"{}".to_vec()));
    worker.deliver(&delivery).await;
    let input = json!({ "user_id": "7", "connection": connection });
    assert_eq!(worker.actions.calls(), [("chatbot-get-user".to_owned(), input)], "what only reads takes no key");
}

#[tokio::test]
async fn an_action_is_repeated_as_its_problem_says_and_after_an_unknown_outcome_only_if_that_does_no_harm() {
    let slow = || Problem::new(Code::PlatformSlowDown, "slow down").retried(Retry::After(90));
    let unknown = || Problem::new(Code::PlatformTimeout, "lost").retried(Retry::Unknown);
    let refused = || Problem::new(Code::PlatformRejected, "no such user");
    let no_connection = || Problem::new(Code::PlatformUnavailable, "cannot connect");
    let create = || json!({ "name": "data.subscriber.name" });
    let ban = || json!({ "user_id": "data.subscriber.platform_id", "operation": "'ban'" });
    let (ban_user, create_user) = (("chatbot.ban-user", ban()), ("chatbot.create-user", create()));
    for ((action, input), ran, wait, ended) in [
        (
            create_user.clone(),
            InvokeOutcome::NotStarted("Lambda did not run the function: x".to_owned()),
            Some(5),
            None,
        ),
        (create_user.clone(), InvokeOutcome::Failed(no_connection()), Some(5), None),
        (create_user.clone(), InvokeOutcome::Failed(slow()), Some(90), None),
        (create_user.clone(), InvokeOutcome::Failed(unknown()), None, Some(Reason::UnknownOutcome)),
        (create_user.clone(), InvokeOutcome::Unknown("lost".to_owned()), None, Some(Reason::UnknownOutcome)),
        (create_user.clone(), InvokeOutcome::Failed(Problem::partly_done("half")), None, Some(Reason::UnknownOutcome)),
        (create_user, InvokeOutcome::Failed(refused()), None, Some(Reason::ActionRefused)),
        (ban_user.clone(), InvokeOutcome::Failed(unknown()), Some(5), None),
        (ban_user.clone(), InvokeOutcome::Unknown("lost".to_owned()), Some(5), None),
        (ban_user, InvokeOutcome::Failed(refused()), None, Some(Reason::ActionRefused)),
    ] {
        let bundle = delivery_worker::bundle().await;
        let (worker, _) = worker(&bundle, action, input).await;
        let delivery = worker.one_delivery().await;
        worker.actions.comes_to(ran);
        worker.deliver(&delivery).await;
        match (wait, ended) {
            (Some(least), _) => {
                let (again, wait) = worker.one_sent();
                assert!(again == delivery && (least..=least * 11 / 10).contains(&wait), "{wait}");
            }
            (None, ended) => worker.assert_ended(&delivery, DeliveryState::Dead, ended, 1).await,
        }
        assert!(worker.delivery(&delivery).await.attempts[0].error.is_some());
        worker.deliver(&delivery).await;
        assert_eq!(worker.actions.calls().len(), 1);
    }
}

#[tokio::test]
async fn an_action_that_another_worker_runs_is_waited_for() {
    let bundle = delivery_worker::bundle().await;
    let (worker, _) = ban(&bundle).await;
    let delivery = worker.one_delivery().await;
    worker.actions.comes_to(InvokeOutcome::Failed(Problem::new(Code::IdempotencyInFlight, "wait")));
    worker.deliver(&delivery).await;
    assert_eq!(worker.one_sent(), (delivery.clone(), 60));
    let waiting = worker.delivery(&delivery).await;
    assert_eq!(
        (waiting.attempts_made, waiting.version),
        (0, 1),
        "it was no attempt, and nothing undoes what the other writes"
    );
    bundle.clock.advance(Duration::from_secs(60));
    worker.actions.comes_to(InvokeOutcome::Done(b"{}".to_vec()));
    worker.deliver(&delivery).await;
    worker.assert_ended(&delivery, DeliveryState::Succeeded, None, 1).await;
    let keys: Vec<Value> =
        worker.actions.calls().into_iter().map(|(_, input)| input["idempotency_key"].clone()).collect();
    assert_eq!(keys, [key(&delivery, 0), key(&delivery, 0)]);
}

#[tokio::test]
async fn an_input_of_the_wrong_type_is_the_actions_to_refuse() {
    let bundle = Bundle::start_with(&[("RETRY_SCHEDULE", "5")]).await;
    let connection = bundle.connection("chatbot").await;
    let input = json!({ "user_id": "data.raw", "operation": "'ban'" });
    let target = json!({ "type": "action", "action": "chatbot.ban-user", "connection": connection, "input": input });
    let route = json!({ "name": "Ban", "events": ["*"], "target": target });
    bundle.post("/v1/routes", &route, 201).await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let event = bundle.accept(&hook, &json!({ "user": { "id": "u-1" }, "tag": "vip" })).await.parse().unwrap();
    let store = &bundle.local.app.store;
    let delivery = tests::eventually(|| async {
        let delivery = store.deliveries_of(&event).await.unwrap().pop();
        delivery.filter(|delivery| delivery.state != DeliveryState::Pending)
    });
    let delivery = delivery.await;
    assert_eq!((delivery.state, delivery.reason), (DeliveryState::Dead, Some(Reason::ActionRefused)));
    let [attempt] = delivery.attempts.try_into().unwrap();
    assert_eq!(attempt.status, Some(422));
    assert!(attempt.error.unwrap().contains("/user_id: "));
}

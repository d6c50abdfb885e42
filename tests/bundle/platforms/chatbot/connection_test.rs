//! Tests of a ChatBot connection, and timeouts: a test reads a user, and a search ends before the timeout of an action.

use crate::support::{
    action_calls::FAILURES,
    assertions::{problem, refused},
    chatbot::{ChatBot, line},
};
use axum::body::{Body, Bytes};
use client::TIMEOUT;
use futures::stream;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::{convert::Infallible, time::Instant};
use tests::{
    answer, expect,
    sandbox::{Fault, FaultKind, Sandbox},
    string,
};

fn test(chatbot: &ChatBot) -> RequestBuilder {
    chatbot.bundle.request(Method::POST, &format!("/v1/connections/{}/test", chatbot.connection))
}

#[tokio::test]
async fn a_test_of_a_connection_reads_a_user() {
    let chatbot = ChatBot::start().await;
    let tested = expect(test(&chatbot), 200).await;
    assert_eq!(tested, json!({ "ok": true, "detail": "the token can read the account's users" }));
    let asked = chatbot.asked();
    assert_eq!((line(&asked[0]), asked[0].query.as_str(), asked.len()), ("GET /users".to_owned(), "limit=1", 1));
    for failure in FAILURES {
        chatbot.sandbox.fault(Fault { times: usize::MAX, ..failure.kind.into() });
        let answer = answer(test(&chatbot)).await;
        chatbot.sandbox.forget_faults();
        problem(&answer, failure.status, failure.code);
        assert!(!answer.text.contains(Sandbox::TOKEN), "{}", answer.text);
        assert_eq!(chatbot.asked().len(), failure.tries, "{:?}", failure.kind);
    }
    for kind in [FaultKind::Nonsense, FaultKind::WrongShape, FaultKind::Empty] {
        chatbot.sandbox.fault(kind);
        refused(test(&chatbot), 502, "platform_unavailable").await;
    }
    let wrong = json!({ "credentials": { "access_token": "another-token-0123456789" } });
    chatbot.bundle.patch(&format!("/v1/connections/{}", chatbot.connection), &wrong, 200).await;
    let problem = refused(test(&chatbot), 424, "connection_unauthorized").await;
    assert!(string(&problem["detail"]).contains("the developer access token is missing or wrong"), "{problem}");
}

#[tokio::test]
async fn a_chatbot_that_does_not_answer_is_given_up_in_time() {
    let tested = async {
        let chatbot = ChatBot::start().await;
        chatbot.sandbox.fault(FaultKind::HangBefore);
        refused(test(&chatbot), 504, "platform_timeout").await;
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
        assert!(started.elapsed() < TIMEOUT, "filtering has less time than an action");
    };
    tokio::join!(tested, searched);
}

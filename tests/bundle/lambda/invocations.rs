//! Functions as Lambda runs them: real processes that are invoked through the Runtime API, with bare JSON and with
//! API Gateway's events.

use crate::support::{
    assertions::{BotStar, pointers},
    chatbot::ChatBot,
    idempotent_calls::ava,
    platforms::Platforms,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tests::{Bundle, Lambda, Sandbox, lambda::http_event, sandbox::FaultKind, string};

const CREATE: &str = "/v1/actions/chatbot/create-user";

fn body(event: Value) -> Value {
    serde_json::from_str(event["body"].as_str().unwrap()).unwrap_or_else(|error| panic!("{error}: {event}"))
}

#[tokio::test]
async fn the_same_json_answers_directly_and_through_api_gateway() {
    let chatbot = ChatBot::start().await;
    let mut get_user = Lambda::start("chatbot-get-user", &chatbot.bundle, &[]).await;
    let input = chatbot.input(json!({ "user_id": chatbot.ava() }));
    let direct = get_user.invoke(&input).await.answer();
    assert_eq!(direct["id"], json!(chatbot.ava()));

    let path = "/v1/actions/chatbot/get-user";
    let mut event = http_event("POST", path, &input.to_string());
    let answer = get_user.invoke(&event).await.answer();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(answer["headers"]["content-type"], "application/json");
    assert_eq!(answer["headers"]["x-request-id"], event["requestContext"]["requestId"]);
    assert_eq!(answer["isBase64Encoded"], false);
    assert_eq!(body(answer), direct);
    assert_eq!(chatbot.bundle.post(path, &input, 200).await, direct);

    for key in ["Bearer wrong", "Basic YTpi", ""] {
        event["headers"]["authorization"] = json!(key);
        let answer = get_user.invoke(&event).await.answer();
        assert_eq!(answer["statusCode"], 401, "{answer}");
        assert!(string(&answer["headers"]["www-authenticate"]).starts_with("Bearer "));
        assert_eq!(body(answer)["code"], "unauthorized");
    }
}

#[tokio::test]
async fn direct_invocations_do_not_share_keys_with_api_keys() {
    let chatbot = ChatBot::start().await;
    let mut create_user = Lambda::start("chatbot-create-user", &chatbot.bundle, &[]).await;
    let mut input = chatbot.input(ava());
    input["idempotency_key"] = json!("k");
    let first = create_user.invoke(&input).await.answer();
    assert_eq!(create_user.invoke(&input).await.answer(), first);
    let other = chatbot.answer("create-user", "k", ava()).await.json();
    assert_ne!(other, first);
    let mut event = http_event("POST", CREATE, &chatbot.input(ava()).to_string());
    event["headers"]["idempotency-key"] = json!("k");
    let answer = create_user.invoke(&event).await.answer();
    assert_eq!(answer["headers"]["idempotent-replayed"], "true", "{answer}");
    assert_eq!(body(answer), other);
    assert_eq!(chatbot.created(), 2);

    input["city"] = json!("Oslo");
    create_user.invoke(&input).await.problem("idempotency_key_reused");

    chatbot.sandbox.fault(FaultKind::Cut);
    input["idempotency_key"] = json!("l");
    let lost = create_user.invoke(&input).await.problem("platform_unavailable");
    assert_eq!(lost["retry"], "unknown", "{lost}");
    let again = create_user.invoke(&input).await.problem("platform_unavailable");
    assert_eq!((&again["retry"], &again["detail"]), (&lost["retry"], &lost["detail"]));
    assert_eq!(chatbot.created(), 3);
}

#[tokio::test]
async fn errors_are_typed_and_the_process_outlives_them() {
    let chatbot = ChatBot::start().await;
    let mut create_user = Lambda::start("chatbot-create-user", &chatbot.bundle, &[]).await;
    let faulty =
        json!({ "connection": 1, "gender": "none", "email": 7, "requestContext": { "harness": "x" }, "x~/": 1 });
    let problem = create_user.invoke(&faulty).await.problem("invalid_body");
    assert_eq!(pointers(&problem), ["/connection", "/email", "/gender", "/requestContext", "/x~0~1"], "{problem}");
    assert_eq!(problem["status"], 422);
    assert!(string(&problem["instance"]).starts_with("8476a536-"), "{problem}");
    for event in ["[]", "\"x\"", "null", "5", "true", "[{}]"] {
        let problem = create_user.invoke_text(event).await.problem("invalid_body");
        assert_eq!(problem["errors"].as_array().map(Vec::len), Some(1), "{event}: {problem}");
        assert_eq!(pointers(&problem), [""], "{event}: {problem}");
    }
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    create_user.invoke_text(deep).await.problem("bad_json");
    let many: String = (0..100_000).map(|n| format!(",\"field-{n}\":1")).collect();
    let problem = create_user.invoke_text(format!("{{\"connection\":\"con_x\"{many}}}")).await.problem("invalid_body");
    assert_eq!(pointers(&problem).len(), 1_000);

    let unknown = json!({ "connection": "con_00000000000000000000000000", "name": "Ava" });
    create_user.invoke(&unknown).await.problem("not_found");
    for (fault, code) in [
        (FaultKind::NotFound, "not_found"),
        (FaultKind::SlowDown, "platform_slow_down"),
        (FaultKind::Unauthorized, "connection_unauthorized"),
        (FaultKind::BadRequest, "platform_rejected"),
        (FaultKind::Error, "platform_unavailable"),
    ] {
        chatbot.sandbox.fault(fault);
        let problem = create_user.invoke(&chatbot.input(ava())).await.problem(code);
        assert_eq!(problem["retry"] == "unknown", fault == FaultKind::Error, "{problem}");
        assert!(string(&problem["detail"]).contains("this fault was armed"), "{problem}");
    }
    create_user.invoke(&chatbot.input(ava())).await.answer();
    let log = create_user.log();
    assert!(log.contains("platform_slow_down") && !log.contains("this fault was armed"), "{log}");
    assert!(!log.contains("Ava") && !log.contains(Sandbox::TOKEN), "{log}");
}

#[tokio::test]
async fn an_event_that_is_no_request_after_all_is_an_error_or_is_answered() {
    let chatbot = ChatBot::start().await;
    let mut create_user = Lambda::start("chatbot-create-user", &chatbot.bundle, &[]).await;
    let input = chatbot.input(ava());
    let mut with_field = input.clone();
    // With `http` in the request context, the event is an HTTP request and needs a key.
    with_field["requestContext"] = json!({ "http": {} });
    assert_eq!(create_user.invoke(&with_field).await.answer()["statusCode"], 400);
    with_field["requestContext"] = json!({ "http": { "method": "POST" } });
    assert_eq!(create_user.invoke(&with_field).await.answer()["statusCode"], 404);
    with_field["requestContext"] = json!("mine");
    create_user.invoke(&with_field).await.problem("invalid_body");

    // As a Lambda behind a load balancer or a REST API gets it.
    let mut event = http_event("POST", CREATE, &input.to_string());
    event["requestContext"].as_object_mut().unwrap().remove("http");
    create_user.invoke(&event).await.problem("invalid_body");
    assert_eq!(chatbot.created(), 0);
}

#[tokio::test]
async fn an_invocation_that_lambda_repeats_is_done_once() {
    let chatbot = ChatBot::start().await;
    let mut create_user = Lambda::start("chatbot-create-user", &chatbot.bundle, &[]).await;
    let input = chatbot.input(ava());
    chatbot.sandbox.fault(FaultKind::Cut);
    let lost = create_user.invoke(&input).await.problem("platform_unavailable");
    assert_eq!(lost["retry"], "unknown");
    create_user.invoke_again(&input).await.problem("platform_unavailable");
    assert_eq!(chatbot.created(), 1);
    // A request that had no effect is sent again.
    chatbot.sandbox.fault(FaultKind::SlowDown);
    create_user.invoke(&input).await.problem("platform_slow_down");
    let first = create_user.invoke_again(&input).await.answer();
    assert_eq!(create_user.invoke_again(&input).await.answer(), first);
    // An invocation of its own is a call of its own.
    assert_ne!(create_user.invoke(&input).await.answer(), first);
    assert_eq!(chatbot.created(), 4);
}

#[tokio::test]
async fn an_event_goes_to_botmother_once_however_it_is_invoked() {
    let platforms = Platforms::start().await;
    let mut send_event = Lambda::start("botmother-send-event", &platforms.bundle, &[]).await;
    let path = "/v1/actions/botmother/send-event";
    let sent = || platforms.sandbox.external_events().as_array().unwrap().len();
    let with = |mut more: Value| {
        more["connection"] = json!(platforms.connections["botmother"]);
        more
    };
    let input =
        with(json!({ "platform": "tg", "users": [88_771_000_771_u64, "zebedee"], "data": { "order": "Latte" } }));
    let direct = send_event.invoke(&input).await.answer();
    assert_eq!((&direct["accepted"], &direct["calls"]), (&json!(true), &json!(1)), "{direct}");
    let answer = send_event.invoke(&http_event("POST", path, &input.to_string())).await.answer();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let (through_gateway, over_http) = (body(answer), platforms.bundle.post(path, &input, 200).await);
    for output in [&through_gateway, &over_http] {
        assert_eq!(output["payload"][0]["queryOptions"], direct["payload"][0]["queryOptions"]);
        assert_ne!(output["payload"][0]["_id"], direct["payload"][0]["_id"], "it is an event of its own");
    }
    let body = json!({ "platform": "tg", "data": { "order": "Latte" }, "users": ["88771000771", "zebedee"] });
    assert_eq!(platforms.sandbox.external_events(), json!([body, body, body]));

    // Lambda's own retries take effect once, with or without an answer to the first invocation.
    let first = send_event.invoke(&input).await.answer();
    assert_eq!(send_event.invoke_again(&input).await.answer(), first);
    assert_eq!(sent(), 4);
    platforms.sandbox.fault(FaultKind::Cut);
    let lost = send_event.invoke(&input).await.problem("platform_unavailable");
    assert_eq!(lost["retry"], "unknown", "{lost}");
    for _ in 0..2 {
        send_event.invoke_again(&input).await.problem("platform_unavailable");
    }
    assert_eq!(sent(), 5);
    platforms.sandbox.fault(FaultKind::SlowDown);
    send_event.invoke(&input).await.problem("platform_slow_down");
    send_event.invoke_again(&input).await.answer();
    assert_eq!(sent(), 6);

    let everyone = with(json!({ "platform": "any", "users": "everyone" }));
    let problem = send_event.invoke(&everyone).await.problem("invalid_body");
    assert_eq!(pointers(&problem), ["/confirm_everyone"], "{problem}");
    platforms.sandbox.fault(FaultKind::Echo);
    send_event.invoke(&input).await.problem("platform_rejected");
    assert_eq!(sent(), 6);
    let log = send_event.log();
    assert!(log.contains("platform_rejected") && log.contains("platform_slow_down"), "{log}");
    for untold in [Sandbox::EVENT_TOKEN, Sandbox::EVENT_ID, "88771000771", "zebedee", "Latte"] {
        assert_eq!(log.lines().find(|line| line.contains(untold)), None, "{untold} is logged");
    }
}

#[tokio::test]
async fn a_strange_request_is_answered_and_ends_nothing() {
    let chatbot = ChatBot::start().await;
    let mut create_user = Lambda::start("chatbot-create-user", &chatbot.bundle, &[]).await;
    let text = chatbot.input(ava()).to_string();
    let strange = |change: &dyn Fn(&mut Value)| {
        let mut event = http_event("POST", CREATE, &text);
        change(&mut event);
        event
    };
    for (event, status) in [
        (strange(&|event| event["rawQueryString"] = json!("a=<b> ^`{|}\u{0}ü")), 422),
        (strange(&|event| event["rawPath"] = json!("/v1/actions/chat bot/\u{0}<ü>%zz")), 404),
        (strange(&|event| event["rawPath"] = Value::Null), 404),
        (strange(&|event| event["headers"]["authorization"] = json!("Bearer ü")), 401),
        (strange(&|event| event["headers"]["authorization"] = json!("Bearer \u{0}")), 400),
        (strange(&|event| event["headers"] = Value::Null), 401),
        (strange(&|event| event["headers"]["idempotency-key"] = json!("ключ")), 422),
        (strange(&|event| event["requestContext"]["http"]["method"] = json!("GET")), 405),
        (strange(&|event| event["requestContext"]["http"]["method"] = json!("no method")), 400),
        (strange(&|event| event["body"] = Value::Null), 400),
        (strange(&|event| event["body"] = json!("{")), 400),
        (strange(&|event| event["isBase64Encoded"] = json!(true)), 400),
        (strange(&|event| event["headers"]["host"] = json!("no host")), 200),
        (strange(&|event| event["headers"]["x-forwarded-proto"] = json!("http, :")), 200),
        (strange(&|event| event["headers"]["x-name"] = json!("é")), 200),
        (strange(&|event| event["cookies"] = json!(["a=\n", "b"])), 200),
        (
            strange(&|event| {
                event["body"] = json!(data_encoding::BASE64.encode(text.as_bytes()));
                event["isBase64Encoded"] = json!(true);
            }),
            200,
        ),
    ] {
        let answer = create_user.invoke(&event).await.answer();
        assert_eq!(answer["statusCode"], status, "{event}: {answer}");
        if status >= 400 {
            assert_eq!(answer["headers"]["content-type"], "application/problem+json", "{answer}");
            assert_eq!(body(answer)["status"], status);
        }
    }
    assert_eq!(chatbot.created(), 5);
}

#[tokio::test]
async fn an_answer_of_any_size_is_handed_on_or_says_why_not() {
    let (platform, url) = BotStar::start().await;
    let bundle = Bundle::start_with(&[("CHATBOT_API_URL", &url)]).await;
    let mut call_api = Lambda::start("chatbot-call-api", &bundle, &[]).await;
    let input = json!({ "connection": bundle.connection("chatbot").await, "method": "POST", "path": "things" });
    let event = http_event("POST", "/v1/actions/chatbot/call-api", &input.to_string());

    let quotes = "\"".repeat(2_000_000);
    for large in ["x".repeat(4_400_000), quotes] {
        platform.says(200, &[], &large);
        let direct = call_api.invoke(&input).await.answer();
        assert!(direct["body"] == json!(large));
        let answer = call_api.invoke(&event).await.answer();
        let text = string(&answer["body"]);
        let text = match answer["isBase64Encoded"].as_bool() {
            Some(true) => String::from_utf8(data_encoding::BASE64.decode(text.as_bytes()).unwrap()).unwrap(),
            _ => text,
        };
        assert_eq!(answer["statusCode"], 200);
        assert!(serde_json::from_str::<Value>(&text).unwrap()["body"] == json!(large));
    }

    // Within what is read of a platform, but escaped twice the size.
    for too_large in ["x".repeat(4_600_000), "\"".repeat(3_000_000)] {
        platform.says(200, &[], &too_large);
        let problem = call_api.invoke(&input).await.problem("answer_too_large");
        assert!(string(&problem["detail"]).contains("was done"), "{problem}");
        let answer = call_api.invoke(&event).await.answer();
        assert_eq!((&answer["statusCode"], &body(answer.clone())["code"]), (&json!(502), &problem["code"]));
    }

    platform.says(400, &[], &"\u{1}".repeat(5_000_000));
    let problem = call_api.invoke(&input).await.problem("platform_rejected");
    assert!(problem.get("answer").is_none());
    platform.says(400, &[], &"\u{1}".repeat(200_000));
    let problem = call_api.invoke(&input).await.problem("platform_rejected");
    assert_eq!(problem["answer"]["status"], 400);
    assert_eq!(call_api.invoke(&event).await.answer()["statusCode"], 422);
}

#[tokio::test]
async fn a_platform_that_hangs_is_given_up_before_lambda_gives_the_function_up() {
    let chatbot = ChatBot::start().await;
    let mut create_user = Lambda::start("chatbot-create-user", &chatbot.bundle, &[]).await;
    chatbot.sandbox.fault(FaultKind::HangBefore.on("/users"));
    let begun = Instant::now();
    let problem = create_user.invoke(&chatbot.input(ava())).await.problem("platform_timeout");
    assert_eq!(problem["retry"], "unknown", "{problem}");
    assert!(begun.elapsed() < Duration::from_secs(28), "{:?}", begun.elapsed());
    create_user.invoke(&chatbot.input(ava())).await.answer();
}

#[tokio::test]
async fn a_function_that_takes_no_direct_invocation_says_so() {
    let bundle = Bundle::start().await;
    let mut watch = Lambda::start("chatbot-watch-message", &bundle, &[]).await;
    for event in ["{}", "null", r#"{"chatId":"x","requestContext":{}}"#] {
        let problem = watch.invoke_text(event).await.problem("not_invocable");
        assert!(string(&problem["detail"]).contains("chatbot-watch-message"), "{problem}");
    }
    let answer = watch.invoke(&http_event("POST", "/hooks/chatbot/message/nobody", "{}")).await.answer();
    assert_eq!((&answer["statusCode"], &body(answer.clone())["code"]), (&json!(404), &json!("not_found")));
}

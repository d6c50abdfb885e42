//! Faults that a test arms in the sandbox.

use crate::sandbox::chatbot::{start, webhook};
use reqwest::Method;
use serde_json::json;
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};
use tests::{
    Answer, answer, eventually, expect,
    sandbox::{Fault, FaultKind, Platform, Sandbox},
};

/// Answer under a fault, or the client's error.
async fn under(fault: impl Into<Fault>) -> (Result<Answer, reqwest::Error>, bool) {
    let (sandbox, api) = start().await;
    let mut http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    http = http.timeout(Duration::from_secs(1));
    sandbox.fault(fault);
    let url = format!("{}/users/segments", api.url);
    let request = http.build().unwrap().post(url).bearer_auth(&api.key).json(&json!({ "name": "VIP" }));
    let answer = async {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Answer { status, headers, text: response.text().await? })
    };
    let answer = answer.await;
    (answer, api.get("/users/segments", 200).await[2]["name"] == "VIP")
}

#[tokio::test]
async fn a_fault_is_answered_by_its_status() {
    for (kind, status) in [
        (FaultKind::BadRequest, 400),
        (FaultKind::Unauthorized, 401),
        (FaultKind::Forbidden, 403),
        (FaultKind::NotFound, 404),
        (FaultKind::Gone, 410),
        (FaultKind::Conflict, 409),
        (FaultKind::SlowDown, 429),
        (FaultKind::Error, 500),
        (FaultKind::Unavailable, 503),
        (FaultKind::Echo, 400),
    ] {
        let (answer, carried_out) = under(kind).await;
        let answer = answer.unwrap();
        assert_eq!((answer.status.as_u16(), carried_out), (status, false), "{kind:?}");
        assert_eq!(answer.json()["status"]["code"], status);
        assert_eq!(answer.headers.contains_key("retry-after"), kind == FaultKind::SlowDown);
        assert_eq!(answer.text.contains(Sandbox::TOKEN), kind == FaultKind::Echo);
    }
    let (answer, carried_out) = under(FaultKind::Redirect).await;
    let answer = answer.unwrap();
    assert_eq!((answer.status.as_u16(), carried_out), (302, false));
    assert_eq!(answer.headers["location"], "/chatbot/elsewhere");
    let (answer, carried_out) = under(FaultKind::EnvelopeError).await;
    let answer = answer.unwrap();
    assert_eq!((answer.status.as_u16(), carried_out), (200, false));
    assert_eq!(answer.json()["status"]["code"], 400);
}

#[tokio::test]
async fn a_fault_spoils_the_answer_of_what_is_carried_out() {
    for (kind, content) in [
        (FaultKind::Nonsense, "<!doctype html>"),
        (FaultKind::WrongShape, r#"[[1],"x"]"#),
        (FaultKind::Empty, ""),
        (FaultKind::Huge, r#"{"data":[]"#),
    ] {
        let (answer, carried_out) = under(kind).await;
        let answer = answer.unwrap();
        assert_eq!((answer.status.as_u16(), carried_out), (200, true), "{kind:?}");
        assert!(answer.text.starts_with(content), "{kind:?}");
        assert_eq!(answer.text.is_empty(), kind == FaultKind::Empty);
        assert_eq!(answer.text.len() > 5_000_000, kind == FaultKind::Huge);
    }
}

#[tokio::test]
async fn a_fault_breaks_the_connection_or_is_silent() {
    for (kind, carries_out) in [(FaultKind::Hang, true), (FaultKind::HangBefore, false)] {
        let (answer, carried_out) = under(kind).await;
        assert!(answer.unwrap_err().is_timeout());
        assert_eq!(carried_out, carries_out, "{kind:?}");
    }
    for (kind, carries_out) in [(FaultKind::Cut, true), (FaultKind::CutBefore, false)] {
        let (answer, carried_out) = under(kind).await;
        let error = answer.unwrap_err();
        assert!(!error.is_timeout(), "{error:?}");
        assert_eq!((error.is_request(), carried_out), (!carries_out, carries_out), "{kind:?}");
    }
}

/// Bytes received on a plain connection until it is closed.
fn raw(sandbox: &Sandbox) -> String {
    let mut stream = TcpStream::connect(&sandbox.url["http://".len()..]).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let token = Sandbox::TOKEN;
    write!(stream, "GET /chatbot/users HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_answer_has_begun_and_a_cut_request_has_none() {
    let (sandbox, _) = start().await;
    sandbox.fault(FaultKind::CutBefore);
    assert_eq!(raw(&sandbox), "");
    sandbox.fault(FaultKind::Cut);
    let text = raw(&sandbox);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK") && body.starts_with("{\"data\":["), "{text}");
    assert_eq!(length.parse::<usize>().unwrap() / 2, body.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_hangs_longer_than_the_sandbox_is_there() {
    let (sandbox, _) = start().await;
    sandbox.fault(FaultKind::HangBefore);
    let hanging = sandbox.requests().len();
    let clone = sandbox.clone();
    let waiting = std::thread::spawn({
        let url = sandbox.url.clone();
        move || {
            let mut stream = TcpStream::connect(&url["http://".len()..]).unwrap();
            write!(stream, "GET /chatbot/users HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream.read(&mut [0; 1])
        }
    });
    eventually(|| async { (sandbox.requests().len() > hanging).then_some(()) }).await;
    let address = sandbox.url["http://".len()..].to_owned();
    drop(clone);
    assert!(!waiting.is_finished());
    drop(sandbox);
    assert_eq!(waiting.join().unwrap().unwrap(), 0);
    eventually(|| async { TcpStream::connect(&address).is_err().then_some(()) }).await;
}

#[tokio::test]
async fn a_fault_waits_for_its_path_and_method_and_is_used_up() {
    let (sandbox, api) = start().await;
    sandbox.fault(Fault { method: Some(Method::POST), times: 2, ..FaultKind::Gone.on("/webhooks") });
    api.get("/webhooks", 200).await;
    api.get("/users", 200).await;
    for _ in 0..2 {
        api.post("/webhooks", &webhook("http://127.0.0.1:1/"), 410).await;
    }
    api.post("/webhooks", &webhook("http://127.0.0.1:1/"), 400).await;
    sandbox.fault(FaultKind::Error);
    sandbox.forget_faults();
    api.get("/users", 200).await;
}

#[tokio::test]
async fn a_fault_waits_for_its_platform_which_answers_in_its_own_way() {
    let (sandbox, api) = start().await;
    let register = format!("{}/webchat_apps/{}/user", sandbox.botdistrikt_url(), Sandbox::WEBCHAT_APP_ID);
    let register =
        || api.http.post(&register).json(&json!({ "domain": Sandbox::DOMAIN })).header("authorization", "u-1");
    let event = || api.http.post(sandbox.event_url()).json(&json!({ "platform": "tg", "users": ["1"] }));
    for kind in [FaultKind::EnvelopeError, FaultKind::Gone] {
        sandbox.fault(kind.at(Platform::Botmother));
        sandbox.fault(kind.at(Platform::BotDistrikt));
        api.get("/users", 200).await;
        let status = if kind == FaultKind::Gone { 410 } else { 200 };
        assert!(expect(register(), status).await["error"]["statusCode"].is_u64());
        assert_eq!(expect(event(), status).await["result"], false);
    }
    assert!(sandbox.registrations().is_empty() && sandbox.external_events() == json!([]));
    for kind in [FaultKind::WrongShape, FaultKind::Nonsense, FaultKind::Empty] {
        sandbox.fault(Fault { times: 2, ..kind.into() });
        let answers = [answer(register()).await, answer(event()).await];
        assert!(answers.iter().all(|answer| answer.status == 200), "{kind:?}: {answers:?}");
        assert!(!answers.iter().any(|answer| answer.text.starts_with('{')), "{kind:?}: {answers:?}");
    }
    assert_eq!((sandbox.registrations().len(), sandbox.external_events().as_array().unwrap().len()), (3, 3));

    sandbox.fault(Fault { times: 2, ..FaultKind::Echo.into() });
    let (first, second) = (answer(register()).await, answer(event()).await);
    assert!(first.text.contains(Sandbox::DOMAIN) && first.text.contains("authorization: u-1"), "{}", first.text);
    assert!(second.text.contains(Sandbox::EVENT_TOKEN), "{}", second.text);
    sandbox.fault(Fault { times: 2, ..FaultKind::Redirect.into() });
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for (request, place) in [(register(), "/botdistrikt/api/elsewhere"), (event(), "/api/bot/elsewhere")] {
        let response = http.execute(request.build().unwrap()).await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()["location"]), (302, &place.parse().unwrap()));
    }
    let platforms: Vec<Platform> = sandbox.requests().iter().map(|seen| seen.platform).take(3).collect();
    assert_eq!(platforms, [Platform::ChatBot, Platform::BotDistrikt, Platform::Botmother]);
}

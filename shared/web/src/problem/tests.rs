//! Serialization and parsing of problems.

use super::*;
use std::collections::BTreeSet;

#[test]
fn every_code_has_an_error_status_and_a_unique_name() {
    let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(names.len(), Code::ALL.len());
    for code in Code::ALL {
        assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
        assert!(code.as_str().chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{code:?}");
    }
}

#[test]
fn the_body_is_problem_json_without_the_cause() {
    let problem = Problem::invalid_query("limit", "is not a number").caused_by("secret");
    let body: Value = serde_json::from_slice(&problem.to_json("req-1")).unwrap_or_default();
    assert_eq!(
        body,
        serde_json::json!({
            "type": "urn:switchboard:problem:invalid_query",
            "title": "A query parameter is invalid",
            "status": 422,
            "detail": "limit: is not a number",
            "instance": "req-1",
            "code": "invalid_query",
            "retry": "never",
            "errors": [{ "pointer": "limit", "detail": "is not a number" }],
        })
    );
    assert_eq!(problem.causes(), "secret");
}

#[test]
fn a_body_round_trips() {
    let faults = vec![Fault::new("/a", "is missing"), Fault::new("/b", "is not a text")];
    for written in [
        Problem::invalid_body(faults),
        Problem::partly_done("half of it"),
        Problem::new(Code::PlatformSlowDown, "slower").retried(Retry::After(7)),
    ] {
        let read = Problem::from_json(&written.to_json("req-1")).expect("a problem");
        assert_eq!(
            (read.code, read.detail, read.errors, read.retry),
            (written.code, written.detail, written.errors, written.retry)
        );
    }
    assert!(Problem::from_json(b"{}").is_none());
    let earlier = |outcome: &str| {
        let body = format!(r#"{{"code":"platform_rejected","detail":"x"{outcome}}}"#);
        Problem::from_json(body.as_bytes()).map(|problem| problem.retry)
    };
    assert_eq!(earlier(""), Some(Retry::Never));
    assert_eq!(earlier(r#","outcome":"unknown""#), Some(Retry::Unknown));
}

//! Invalid input to the API, and the problems that report it.

use crate::support::assertions::{counts, pointers, problem, refused};
use models::ConnectionId;
use reqwest::{Method, header::HeaderValue};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use store::connections::Connection;
use tests::{Bundle, answer, expect, string};

const LISTS: [&str; 7] = ["connections", "hooks", "keys", "events", "subscribers", "checkpoint-records", "takeovers"];

/// Posts or patches a body; the pointers of its faults. Nothing may come of it.
async fn faults(bundle: &Bundle, route: &str, body: &Value) -> Vec<String> {
    let (method, path) = route.split_once(' ').unwrap();
    let request = bundle.request(method.parse().unwrap(), path).json(body);
    let problem = refused(request, 422, "invalid_body").await;
    pointers(&problem).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_body_that_is_not_json_is_400() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let before = counts(&bundle).await;
    let deep = format!("{{\"name\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let bodies: [&[u8]; 7] =
        [b"", b"{", b"name=Shop", b"{\"name\":\"Shop\"} x", b"\xff", b"\xef\xbb\xbf", deep.as_bytes()];
    let hook_path = format!("/v1/hooks/{}", hook.id);
    for (method, path) in [
        (Method::POST, "/v1/connections"),
        (Method::POST, "/v1/hooks"),
        (Method::POST, "/v1/keys"),
        (Method::PATCH, hook_path.as_str()),
    ] {
        for body in bodies {
            refused(bundle.request(method.clone(), path).body(body.to_vec()), 400, "bad_json").await;
        }
    }
    refused(bundle.request(Method::POST, &format!("{hook_path}/rotate")).body("{"), 400, "bad_json").await;
    assert_eq!(counts(&bundle).await, before);
}

#[tokio::test]
async fn every_fault_of_a_body_is_named_at_once() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let path = format!("/v1/hooks/{}", hook.id);
    let (connection, before) = (hook.connection.as_str(), counts(&bundle).await);
    let stored = bundle.get(&path, 200).await;
    let named = |more: Value| {
        let mut body = json!({ "trigger": "botstar.watch-tag", "name": "x", "connection": connection });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let settings = |settings: Value| named(json!({ "settings": settings }));
    let many: BTreeMap<String, &str> = (0..65).map(|at| (format!("subscriber.attributes.a{at}"), "/a")).collect();
    let hooks = "POST /v1/hooks";
    let patch = format!("PATCH {path}");
    let rotate = format!("POST {path}/rotate");
    let huge = "x".repeat(201);
    for (route, body, expected) in [
        (hooks, json!([]), &[""] as &[&str]),
        (hooks, json!(null), &[""]),
        (hooks, json!("text"), &[""]),
        (hooks, json!({}), &["/connection", "/name", "/trigger"]),
        (
            hooks,
            json!({ "trigger": 1, "name": "", "connection": null, "settings": { "replies": 1, "dedupe_seconds": -1 }, "x~/": 1 }),
            &["/connection", "/name", "/settings/dedupe_seconds", "/settings/replies", "/trigger", "/x~0~1"],
        ),
        (hooks, named(json!({ "name": huge })), &["/name"]),
        (hooks, named(json!({ "url": "https://example.com" })), &["/url"]),
        (hooks, named(json!({ "trigger": "botstar.watch-nothing" })), &["/trigger"]),
        (hooks, named(json!({ "trigger": "chatbot.get-user" })), &["/trigger"]),
        (hooks, named(json!({ "trigger": "" })), &["/trigger"]),
        (hooks, settings(json!([])), &["/settings"]),
        (hooks, settings(json!({ "dedupe_seconds": 31_536_001 })), &["/settings/dedupe_seconds"]),
        (hooks, settings(json!({ "dedupe_seconds": 1.5 })), &["/settings/dedupe_seconds"]),
        (hooks, settings(json!({ "dedupe_seconds": "600" })), &["/settings/dedupe_seconds"]),
        (
            hooks,
            settings(json!({ "mapping": { "tag": "tag", "checkpoint.name": "/a~2", "record.fields": 1 } })),
            &["/settings/mapping/checkpoint.name", "/settings/mapping/record.fields", "/settings/mapping/tag"],
        ),
        (hooks, settings(json!({ "mapping": { "tag": format!("/{}", "x".repeat(256)) } })), &["/settings/mapping/tag"]),
        (hooks, settings(json!({ "mapping": { "Subscriber Id": "/id" } })), &["/settings/mapping/Subscriber Id"]),
        (hooks, settings(json!({ "mapping": { "tag.\u{0}": "/id" } })), &["/settings/mapping/tag.\u{0}"]),
        (hooks, settings(json!({ "mapping": many })), &["/settings/mapping"]),
        (
            &patch,
            json!({ "name": 1, "enabled": "yes", "settings": 5, "trigger": "botstar.watch-tag" }),
            &["/enabled", "/name", "/settings", "/trigger"],
        ),
        (&patch, json!({ "connection": connection }), &["/connection"]),
        (&rotate, json!({ "grace_seconds": -1 }), &["/grace_seconds"]),
        (&rotate, json!({ "grace_seconds": 2_592_001 }), &["/grace_seconds"]),
        (&rotate, json!({ "grace_seconds": "soon", "now": true }), &["/grace_seconds", "/now"]),
        ("POST /v1/keys", json!({ "scope": "root", "key": "mine" }), &["/key", "/name", "/scope"]),
        ("POST /v1/keys", json!({ "name": huge, "scope": "Admin" }), &["/name", "/scope"]),
        (
            "POST /v1/connections",
            json!({ "platform": 1, "name": "", "credentials": [], "id": 1 }),
            &["/credentials", "/id", "/name", "/platform"],
        ),
        ("POST /v1/connections", json!({ "platform": "chatbox", "name": "x" }), &["/platform"]),
        (
            "POST /v1/connections",
            json!({ "platform": "botstar", "name": "", "credentials": { "a": 1 } }),
            &["/credentials/a", "/name"],
        ),
    ] {
        assert_eq!(faults(&bundle, route, &body).await, expected, "{route} {body}");
    }
    assert_eq!(counts(&bundle).await, before);
    assert_eq!(bundle.get(&path, 200).await, stored);
}

#[tokio::test]
async fn a_takeover_takes_its_states_alone() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-human-takeover").await;
    bundle.accept(&hook, &json!({ "user": { "id": "u-1" } })).await;
    let takeover = bundle.until_count("/v1/takeovers", 1).await.remove(0);
    let route = format!("PATCH /v1/takeovers/{}", string(&takeover["id"]));
    for (body, expected) in [
        (json!({}), &["/state"] as &[&str]),
        (json!({ "state": "done", "reason": "x" }), &["/reason", "/state"]),
        (json!({ "state": null }), &["/state"]),
    ] {
        assert_eq!(faults(&bundle, &route, &body).await, expected, "{body}");
    }
    assert_eq!(bundle.all("/v1/takeovers").await, [takeover]);
}

#[tokio::test]
async fn odd_but_right_bodies_are_taken() {
    let bundle = Bundle::start().await;
    for name in
        ["x".repeat(200), "🎉".repeat(200), "\u{0}".to_owned(), "日本 \u{202e} \"'<&>".to_owned(), " ".to_owned()]
    {
        let made = bundle.post("/v1/connections", &json!({ "platform": "botstar", "name": name }), 201).await;
        assert_eq!(made["name"], name);
        assert_eq!(bundle.get(&format!("/v1/connections/{}", string(&made["id"])), 200).await, made);
    }
    // Of a field that is given twice, the last counts.
    let twice =
        bundle.request(Method::POST, "/v1/keys").body(r#"{"name":"a","scope":"admin","name":"b","scope":"read"}"#);
    let made = expect(twice, 201).await;
    assert_eq!((&made["name"], &made["scope"]), (&json!("b"), &json!("read")));
}

#[tokio::test]
async fn another_platforms_connection_is_a_mismatch_and_a_missing_one_is_not_found() {
    let bundle = Bundle::start().await;
    let now = bundle.local.app.now();
    let id = |last: u8| ConnectionId::new(now, [last; 10]);
    let foreign = Connection {
        id: id(1),
        v: 1,
        version: 1,
        platform: "chatbot".to_owned(),
        name: "Other".to_owned(),
        sealed: None,
        masked: "{}".to_owned(),
        warnings: Vec::new(),
        created_at: now,
        updated_at: now,
    };
    bundle.local.app.store.create(&foreign).await.unwrap();
    let hook = |connection: &str| {
        let new = json!({ "trigger": "botstar.watch-tag", "name": "x", "connection": connection });
        bundle.request(Method::POST, "/v1/hooks").json(&new)
    };
    let mismatch = refused(hook(id(1).as_str()), 422, "connection_mismatch").await;
    assert_eq!(mismatch["detail"], "the connection belongs to chatbot, the trigger to botstar");
    for missing in [id(2).as_str(), "con_0", "hook_00000000000000000000000000", "", "%00", &"x".repeat(10_240)] {
        refused(hook(missing), 404, "not_found").await;
    }
    assert_eq!(bundle.all("/v1/hooks").await, [Value::Null; 0]);
}

/// Asks a GET route; the query parameter that is at fault.
async fn at_fault(bundle: &Bundle, path: &str) -> String {
    let problem = refused(bundle.request(Method::GET, path), 422, "invalid_query").await;
    assert_eq!(pointers(&problem).len(), 1, "{problem}");
    pointers(&problem)[0].to_owned()
}

#[tokio::test]
async fn a_query_parameter_at_fault_is_named() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let mut lists: Vec<String> = LISTS.iter().map(|list| format!("/v1/{list}")).collect();
    lists.push(format!("/v1/hooks/{}/rejected", hook.id));
    for list in &lists {
        for limit in ["0", "101", "x", "-1", "1.5", "1e1", "99999999999999999999", "%00", "%FF", "+5"] {
            assert_eq!(at_fault(&bundle, &format!("{list}?limit={limit}")).await, "limit", "{list} {limit}");
        }
        for cursor in ["x", "%00", "AAAAAAAAAAAA", "evt_0", &"A".repeat(10_000)] {
            assert_eq!(at_fault(&bundle, &format!("{list}?cursor={cursor}")).await, "cursor", "{list}");
        }
        assert_eq!(at_fault(&bundle, &format!("{list}?limit=5&unknown=1")).await, "unknown");
        assert_eq!(at_fault(&bundle, &format!("{list}?limit=5&limit=5")).await, "limit");
        assert_eq!(at_fault(&bundle, &format!("{list}?LIMIT=5")).await, "LIMIT");
        assert_eq!(at_fault(&bundle, &format!("{list}?%C3%A4%00")).await, "ä\0");
        // An empty filter of a script would widen what it asks for.
        for empty in ["limit", "cursor"] {
            assert_eq!(at_fault(&bundle, &format!("{list}?{empty}=")).await, empty);
            assert_eq!(at_fault(&bundle, &format!("{list}?{empty}")).await, empty);
        }
        bundle.get(&format!("{list}?limit=1"), 200).await;
        bundle.get(&format!("{list}?limit=100"), 200).await;
    }
    for list in ["/v1/events", "/v1/checkpoint-records"] {
        for parameter in ["after", "before"] {
            for time in [
                "yesterday",
                "2026-13-01T00:00:00Z",
                "2026-01-01",
                "1969-12-31T23:59:59Z",
                "1767225600",
                "2026-01-01T00:00:00+02:00",
            ] {
                assert_eq!(at_fault(&bundle, &format!("{list}?{parameter}={time}")).await, parameter, "{time}");
            }
            bundle.get(&format!("{list}?{parameter}=2026-01-01T00:00:00%2B02:00"), 200).await;
            bundle.get(&format!("{list}?{parameter}=9999-12-31T23:59:59.999Z"), 200).await;
            bundle.get(&format!("{list}?{parameter}=1970-01-01T00:00:00Z"), 200).await;
        }
    }
    for (path, parameter) in [
        ("/v1/events?hook=x", "hook"),
        ("/v1/events?hook=con_00000000000000000000000000", "hook"),
        ("/v1/checkpoint-records?subscriber=x", "subscriber"),
        ("/v1/subscribers?platform=nothing", "platform"),
        ("/v1/takeovers?state=done", "state"),
        ("/v1/modules?limit=1", "limit"),
        (&format!("/v1/hooks/{}?verbose=1", hook.id), "verbose"),
    ] {
        assert_eq!(at_fault(&bundle, path).await, parameter, "{path}");
    }
}

#[tokio::test]
async fn times_that_leave_nothing_between_them_list_nothing() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-checkpoint-record").await;
    bundle.accept(&hook, &json!({ "user": { "id": "u-1" }, "checkpoint": "c" })).await;
    bundle.until_count("/v1/checkpoint-records", 1).await;
    for list in ["/v1/events", "/v1/checkpoint-records"] {
        for (after, before) in
            [("2030-01-01T00:00:00Z", "2020-01-01T00:00:00Z"), ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z")]
        {
            let page = bundle.get(&format!("{list}?after={after}&before={before}"), 200).await;
            assert_eq!(page, json!({ "items": [], "next": null }));
        }
    }
}

#[tokio::test]
async fn a_cursor_goes_on_its_own_list_alone() {
    let bundle = Bundle::start().await;
    let hooks =
        [bundle.hook("botstar.watch-checkpoint-record").await, bundle.hook("botstar.watch-human-takeover").await];
    for (number, hook) in [&hooks[0], &hooks[0], &hooks[1], &hooks[1]].into_iter().enumerate() {
        bundle.accept(hook, &json!({ "user": { "id": format!("u-{number}") }, "checkpoint": "c" })).await;
        bundle.send(&hook.url, "broken").await;
    }
    crate::support::assertions::make_key(&bundle, "read").await;
    let mut lists = Vec::new();
    for list in LISTS {
        bundle.until_count(&format!("/v1/{list}"), if matches!(list, "events" | "subscribers") { 4 } else { 2 }).await;
        lists.push(format!("/v1/{list}?limit=1"));
    }
    lists.extend(hooks.iter().map(|hook| format!("/v1/hooks/{}/rejected?limit=1", hook.id)));
    lists.push(format!("/v1/events?limit=1&hook={}", hooks[0].id));
    lists.push("/v1/events?limit=1&type=botstar.takeover.requested".to_owned());
    lists.push("/v1/events?limit=1&after=2020-01-01T00:00:00Z".to_owned());
    lists.push("/v1/subscribers?limit=1&platform=botstar".to_owned());
    lists.push("/v1/takeovers?limit=1&state=open".to_owned());
    lists.push("/v1/checkpoint-records?limit=1&checkpoint=c".to_owned());
    for (at, list) in lists.iter().enumerate() {
        let page = bundle.get(list, 200).await;
        let cursor = string(&page["next"]);
        let more = bundle.get(&format!("{list}&cursor={cursor}"), 200).await;
        assert_ne!(more["items"], page["items"], "{list}");
        assert_eq!(more["items"].as_array().unwrap().len(), 1, "{list}");
        bundle.get(&format!("{}&cursor={cursor}", list.replace("limit=1", "limit=2")), 200).await;
        for (_, other) in lists.iter().enumerate().filter(|(other, _)| *other != at) {
            assert_eq!(at_fault(&bundle, &format!("{other}&cursor={cursor}")).await, "cursor", "{list} on {other}");
        }
    }
}

/// A cursor needs no secret to make, so what it says is no more trusted than any other input.
#[tokio::test]
async fn a_forged_cursor_breaks_nothing() {
    let bundle = Bundle::start().await;
    bundle.hook("botstar.watch-tag").await;
    for list in LISTS {
        for position in ["", "a", "zzzz", "~~~", "\0", "evt_", "hook_0", &"x".repeat(1_025), &"é".repeat(2_000)] {
            let cursor = web::cursor::encode(&format!("{list}  []"), position);
            let status = answer(bundle.request(Method::GET, &format!("/v1/{list}?cursor={cursor}"))).await.status;
            assert!(matches!(status.as_u16(), 200 | 422), "{list} {position}: {status}");
        }
    }
}

#[tokio::test]
async fn an_unknown_route_is_404_and_a_wrong_method_405() {
    let bundle = Bundle::start().await;
    for path in ["/v1", "/v1/", "/v1/nothing", "/v1/hooks/", "/v1//hooks", "/V1/hooks", "/v2/hooks", "/hooks", "/%00"] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            refused(bundle.http.request(method, format!("{}{path}", bundle.local.url)), 404, "not_found").await;
        }
    }
    let mut methods: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for route in catalog::functions().flat_map(|function| function.routes) {
        methods.entry(route.path).or_default().push(route.method);
    }
    for (path, stated) in methods {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            // A hook's token comes before its methods.
            if !stated.contains(&method.as_str()) && !path.starts_with("/hooks/") {
                let answer = answer(bundle.request(method.clone(), path)).await;
                problem(&answer, 405, "method_not_allowed");
                let allow: Vec<&str> = answer.headers["allow"].to_str().unwrap().split(", ").collect();
                assert_eq!(allow, stated, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_malformed_id_is_not_found() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let long = "x".repeat(10_240);
    let upper = hook.id.to_uppercase();
    for id in [
        "%00",
        "%ff",
        "%2e%2e%2f",
        "a%20b",
        "'%20OR%201=1",
        "💥",
        "{id}",
        "$",
        "hook_",
        "evt_0",
        &long,
        &upper,
        &hook.connection[1..],
    ] {
        for route in catalog::functions().flat_map(|function| function.routes) {
            if route.path.contains("{id}") {
                let path = route.path.replace("{id}", id);
                let request =
                    bundle.request(Method::try_from(route.method).unwrap(), &path).json(&json!({ "state": "open" }));
                refused(request, 404, "not_found").await;
            }
        }
    }
    bundle.get(&format!("/v1/hooks/{}", hook.id), 200).await;
}

#[tokio::test]
async fn odd_headers_are_no_way_in() {
    let bundle = Bundle::start().await;
    let key = format!("Bearer {}", bundle.local.admin_key.secret);
    let get = || bundle.http.get(format!("{}/v1/hooks", bundle.local.url));
    for second in [key.as_str(), "Bearer other", ""] {
        let both = get().header("authorization", &key).header("authorization", second);
        refused(both, 401, "unauthorized").await;
    }
    for odd in [&b"Bearer \xff\xfe"[..], "Bearer schlüssel".as_bytes(), b"", b"\x80", &[b'x'; 8_000]] {
        let value = HeaderValue::from_bytes(odd).unwrap();
        refused(get().header("authorization", value), 401, "unauthorized").await;
    }
    let plain = bundle.request(Method::GET, "/v1/hooks").header("x-odd", HeaderValue::from_bytes(b"\xff").unwrap());
    expect(plain.header("content-type", "text/plain").header("x-request-id", "mine"), 200).await;
}

#[tokio::test]
async fn a_body_of_more_than_1_mb_is_too_large_for_the_api() {
    let bundle = Bundle::start().await;
    let body = |bytes: usize| format!("{{\"name\":\"{}\"}}", "x".repeat(bytes - 11));
    let post = |bytes: usize| bundle.request(Method::POST, "/v1/keys").body(body(bytes));
    let faults = refused(post(1024 * 1024), 422, "invalid_body").await;
    assert_eq!(pointers(&faults), ["/name", "/scope"]);
    assert!(faults.to_string().len() < 2_000, "the name is not repeated");
    refused(post(1024 * 1024 + 1), 413, "body_too_large").await;
    let without = bundle.http.post(format!("{}/v1/keys", bundle.local.url)).body(body(9 * 1024 * 1024));
    refused(without, 401, "unauthorized").await;
}

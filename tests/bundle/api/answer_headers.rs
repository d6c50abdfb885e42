//! Headers that every answer has: kept in no cache, taken for no page.

use crate::support::assertions::make_key;
use reqwest::Method;
use serde_json::json;
use tests::{Answer, Bundle, Lambda, answer, lambda::http_event};

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).unwrap_or_else(|| panic!("{name}: {answer:?}")).to_str().unwrap()
}

fn assert_private(answer: &Answer, of: &str) {
    assert_eq!(header(answer, "x-content-type-options"), "nosniff", "{of}");
    assert_eq!(header(answer, "cache-control"), "no-store", "{of}");
    for name in ["x-content-type-options", "cache-control"] {
        assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{of}");
    }
}

#[tokio::test]
async fn no_answer_is_cached_or_taken_for_another_type() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let (_, reader) = make_key(&bundle, "read").await;
    for route in catalog::functions().flat_map(|function| function.routes) {
        let of = format!("{} {}", route.method, route.path);
        let path =
            route.path.replace("{id}", &hook.id).replace("{token}", "nothing").replace("{rejected_id}", "nothing");
        for key in [Some(&bundle.key), Some(&reader), None] {
            let mut request =
                bundle.http.request(Method::try_from(route.method).unwrap(), format!("{}{path}", bundle.url));
            if let Some(key) = key {
                request = request.bearer_auth(key);
            }
            let answer = answer(request.body("{")).await;
            if path.starts_with("/console") && answer.status == 200 {
                assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{of}");
                assert_eq!(header(&answer, "cache-control"), "no-cache", "a page without a secret: {of}");
            } else {
                assert_private(&answer, &of);
            }
        }
    }
    for request in [
        bundle.request(Method::GET, "/v1/nothing"),
        bundle.request(Method::PUT, "/v1/hooks"),
        bundle.request(Method::GET, &format!("/v1/hooks/{}", hook.id)),
        bundle.request(Method::POST, &format!("/v1/hooks/{}/rotate", hook.id)),
        bundle.request(Method::POST, "/v1/keys").json(&json!({ "name": "n", "scope": "read" })),
        bundle.http.get(&hook.url),
        bundle.http.head(&hook.url),
        bundle.http.put(&hook.url),
        bundle.http.post(&hook.url).body("{}"),
        bundle.http.post(&hook.url).body("neither"),
    ] {
        let answer = answer(request).await;
        assert_private(&answer, &format!("{answer:?}"));
    }
}

#[tokio::test]
async fn a_function_on_lambda_answers_with_the_same_headers() {
    let bundle = Bundle::start().await;
    let mut api_keys = Lambda::start("api-keys", &bundle, &[]).await;
    let event = http_event("POST", "/v1/keys", &json!({ "name": "n", "scope": "read" }).to_string());
    let made = api_keys.invoke(&event).await.answer();
    assert_eq!(made["statusCode"], 201, "{made}");
    assert_eq!(made["headers"]["cache-control"], "no-store", "{made}");
    assert_eq!(made["headers"]["x-content-type-options"], "nosniff", "{made}");
}

//! The last key of scope `admin` stays.

use crate::support::assertions::{make_key, problem, refused, with_key};
use futures::future::join_all;
use reqwest::Method;
use tests::{Answer, Bundle, answer, expect, string};

/// The id of the key that a bundle starts with.
async fn first(bundle: &Bundle) -> String {
    let keys = bundle.all("/v1/keys").await;
    string(&keys.iter().find(|key| key["name"] == "the first key").unwrap()["id"])
}

#[tokio::test]
async fn the_last_admin_key_cannot_be_deleted() {
    let bundle = Bundle::start().await;
    let path = format!("/v1/keys/{}", first(&bundle).await);
    // Keys of other scopes can make no key.
    for scope in ["read", "operate", "act"] {
        make_key(&bundle, scope).await;
    }
    let last = refused(bundle.request(Method::DELETE, &path), 409, "last_admin_key").await;
    assert!(string(&last["detail"]).contains("create another first"), "{last}");
    expect(bundle.request(Method::GET, "/v1/keys"), 200).await;

    let (other, admin) = make_key(&bundle, "admin").await;
    expect(with_key(&bundle, Method::DELETE, &path, &admin), 204).await;
    let other = format!("/v1/keys/{other}");
    refused(with_key(&bundle, Method::DELETE, &other, &admin), 409, "last_admin_key").await;
    for key in expect(with_key(&bundle, Method::GET, "/v1/keys", &admin), 200).await["items"].as_array().unwrap() {
        if key["scope"] != "admin" {
            let path = format!("/v1/keys/{}", string(&key["id"]));
            expect(with_key(&bundle, Method::DELETE, &path, &admin), 204).await;
        }
    }
}

#[tokio::test]
async fn of_deletions_of_all_admin_keys_at_once_one_key_is_left() {
    for count in [2, 3, 5] {
        for _ in 0..5 {
            let bundle = Bundle::start().await;
            let mut keys = vec![(first(&bundle).await, bundle.key.clone())];
            for _ in 1..count {
                keys.push(make_key(&bundle, "admin").await);
            }
            let deletions =
                keys.iter().map(|(id, key)| answer(with_key(&bundle, Method::DELETE, &format!("/v1/keys/{id}"), key)));
            let answers: Vec<Answer> = join_all(deletions).await;
            let kept: Vec<&Answer> = answers.iter().filter(|answer| answer.status != 204).collect();
            assert_eq!(kept.len(), 1, "{answers:?}");
            problem(kept[0], 409, "last_admin_key");
            let at = answers.iter().position(|answer| answer.status == 409).unwrap();
            let listed = expect(with_key(&bundle, Method::GET, "/v1/keys", &keys[at].1), 200).await;
            assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
        }
    }
}

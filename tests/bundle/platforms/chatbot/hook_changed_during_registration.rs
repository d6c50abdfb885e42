//! Hooks that are renamed or deleted while ChatBot creates their webhook.

use crate::support::{assertions::refused, chatbot_hooks::making};
use axum::{
    Router,
    extract::{Path, State},
    routing::{delete, get},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, OnceLock};
use tests::{Answer, Api, Bundle, answer, eventually, expect, string};
use tokio::sync::Notify;

/// Change to the hook while ChatBot creates its webhook.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Rename,
    Delete,
    /// The list of webhooks is requested before the webhook exists, and answered after everything else.
    DeleteSlowly,
}

/// A ChatBot that is slow enough for something else to happen.
struct Slow {
    meanwhile: Meanwhile,
    bundle: OnceLock<Api>,
    asked: Notify,
    change: Mutex<Option<tokio::task::JoinHandle<Answer>>>,
    deleted: Mutex<Vec<String>>,
}

impl Slow {
    async fn start(meanwhile: Meanwhile) -> (Arc<Self>, Bundle) {
        let slow = Arc::new(Self {
            meanwhile,
            bundle: OnceLock::new(),
            asked: Notify::new(),
            change: Mutex::default(),
            deleted: Mutex::default(),
        });
        let router = Router::new()
            .route("/webhooks", get(Self::list).post(Self::make))
            .route("/webhooks/{id}", delete(Self::delete))
            .with_state(Arc::clone(&slow));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let bundle = Bundle::start_with(&[("CHATBOT_API_URL", &url)]).await;
        assert!(slow.bundle.set(Api::new(&bundle.local.url, tests::ADMIN_KEY)).is_ok());
        (slow, bundle)
    }

    async fn hook(&self) -> Value {
        self.bundle.get().unwrap().all("/v1/hooks").await.remove(0)
    }

    async fn make(State(slow): State<Arc<Self>>) -> String {
        let path = format!("/v1/hooks/{}", string(&slow.hook().await["id"]));
        let bundle = slow.bundle.get().unwrap();
        let change = match slow.meanwhile {
            Meanwhile::Rename => bundle.request(Method::PATCH, &path).json(&json!({ "name": "Leads" })),
            Meanwhile::Delete | Meanwhile::DeleteSlowly => bundle.request(Method::DELETE, &path),
        };
        let change = tokio::spawn(answer(change));
        match slow.meanwhile {
            Meanwhile::DeleteSlowly => slow.asked.notified().await,
            _ => {
                while !change.is_finished() {
                    tokio::task::yield_now().await
                }
            }
        }
        *slow.change.lock().unwrap() = Some(change);
        json!({ "id": "w-1" }).to_string()
    }

    async fn list(State(slow): State<Arc<Self>>) -> String {
        if slow.meanwhile == Meanwhile::DeleteSlowly {
            slow.asked.notify_one();
            eventually(|| async { (slow.hook().await["registration"]["state"] == "registered").then_some(()) }).await;
        }
        "[]".to_owned()
    }

    async fn delete(State(slow): State<Arc<Self>>, Path(id): Path<String>) -> String {
        slow.deleted.lock().unwrap().push(id);
        "{}".to_owned()
    }

    async fn changed(&self) -> Answer {
        let change = self.change.lock().unwrap().take().unwrap();
        change.await.unwrap()
    }

    fn deleted(&self) -> Vec<String> {
        self.deleted.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_hook_may_be_renamed_during_its_registration() {
    let (slow, bundle) = Slow::start(Meanwhile::Rename).await;
    let made = expect(making(&bundle, &bundle.connection("chatbot").await), 201).await;
    assert_eq!(slow.changed().await.status, 200);
    assert_eq!((&made["name"], &made["registration"]["webhook"]), (&json!("Leads"), &json!("w-1")));
    assert_eq!(bundle.all("/v1/hooks").await, [made]);
}

#[tokio::test]
async fn no_webhook_outlives_a_hook_that_is_deleted_during_its_registration() {
    let (slow, bundle) = Slow::start(Meanwhile::Delete).await;
    let connection = bundle.connection("chatbot").await;
    refused(making(&bundle, &connection), 409, "conflict").await;
    assert_eq!(slow.changed().await.status, 204);
    assert_eq!((bundle.all("/v1/hooks").await, slow.deleted()), (vec![], vec!["w-1".to_owned()]));

    let (slow, bundle) = Slow::start(Meanwhile::DeleteSlowly).await;
    expect(making(&bundle, &bundle.connection("chatbot").await), 201).await;
    assert_eq!(slow.changed().await.status, 204);
    assert_eq!((bundle.all("/v1/hooks").await, slow.deleted()), (vec![], vec!["w-1".to_owned()]));
}

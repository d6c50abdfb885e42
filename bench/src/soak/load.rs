//! Events sent at fixed times, also while earlier ones are unanswered. An event that was not acknowledged is sent
//! again, as platforms do.

use crate::{BoxError, setup::padded};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tests::{Api, string};
use tokio::{sync::Semaphore, task::JoinSet, time};

/// Number of people that the events are about, in turn.
pub const PEOPLE: usize = 500;
/// Size of an event's body.
const BODY_BYTES: usize = 400;
/// Limit on concurrent posts. It is only reached while `local` is down or too slow.
const MAX_POSTS: usize = 64;
const RESEND_AFTER: Duration = Duration::from_millis(250);
/// Time after which an event that is not acknowledged ends the run. Deduplication takes longer.
const GIVE_UP_AFTER: Duration = Duration::from_secs(300);

pub struct Load {
    http: Client,
    url: String,
    posts: Semaphore,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    sent: usize,
    /// The acknowledged events' numbers, by id.
    acknowledged: HashMap<String, usize>,
}

impl Load {
    pub fn new(api: &Api, hook_url: &str) -> Arc<Self> {
        Arc::new(Self {
            http: api.http.clone(),
            url: hook_url.to_owned(),
            posts: Semaphore::new(MAX_POSTS),
            books: Mutex::default(),
        })
    }

    /// Sends events for this time, and waits until all are acknowledged.
    pub async fn send(self: Arc<Self>, rate: u32, length: Duration) -> Result<(), BoxError> {
        let (start, mut posting) = (Instant::now(), JoinSet::new());
        for number in 0_u32.. {
            let at = Duration::from_secs(number.into()) / rate;
            if at >= length {
                break;
            }
            time::sleep_until((start + at).into()).await;
            self.books().sent += 1;
            posting.spawn(Arc::clone(&self).post(number as usize));
            while let Some(posted) = posting.try_join_next() {
                posted??;
            }
        }
        while let Some(posted) = posting.join_next().await {
            posted??;
        }
        Ok(())
    }

    /// Posts an event until it is acknowledged.
    async fn post(self: Arc<Self>, number: usize) -> Result<(), BoxError> {
        let _place = self.posts.acquire().await?;
        let started = Instant::now();
        while started.elapsed() < GIVE_UP_AFTER {
            if let Some(event) = self.post_once(number).await? {
                self.books().acknowledged.insert(event, number);
                return Ok(());
            }
            time::sleep(RESEND_AFTER).await;
        }
        Err(format!("event {number} was not acknowledged within {GIVE_UP_AFTER:?}").into())
    }

    /// The event's id; none if there is no answer, or one that asks to send it again.
    async fn post_once(&self, number: usize) -> Result<Option<String>, BoxError> {
        let post = self.http.post(&self.url).header("content-type", "application/json").body(body(number));
        let Ok(answer) = post.send().await else { return Ok(None) };
        let status = answer.status();
        let Ok(text) = answer.text().await else { return Ok(None) };
        match status {
            StatusCode::OK => Ok(Some(string(&serde_json::from_str::<Value>(&text)?["event"]))),
            StatusCode::SERVICE_UNAVAILABLE => Ok(None),
            _ => Err(format!("event {number} was answered {status}: {text}").into()),
        }
    }

    /// Numbers of events that were sent and acknowledged.
    pub fn counts(&self) -> (usize, usize) {
        let books = self.books();
        (books.sent, books.acknowledged.len())
    }

    /// The acknowledged events' numbers, by id.
    pub fn acknowledged(&self) -> HashMap<String, usize> {
        self.books().acknowledged.clone()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The person of an event.
pub fn person(number: usize) -> String {
    format!("u-{}", number % PEOPLE)
}

fn body(number: usize) -> String {
    padded(BODY_BYTES, |note| {
        json!({
            "user": {
                "id": person(number), "name": "Ava Chen", "email": format!("{}@example.com", person(number)),
                "tags": ["vip", "newsletter"], "attributes": { "plan": "gold", "number": number },
            },
            "checkpoint": { "name": "Coffee Order" },
            "record": {
                "id": format!("r-{number}"),
                "fields": { "Product": "Caffe Latte", "Number": number, "Note": note },
            },
        })
        .to_string()
    })
}

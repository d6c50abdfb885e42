//! A load of posts to one hook, which goes on where it was when the process behind it is killed and started again.

use axum::http::StatusCode;
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tests::{Api, Process, string};
use tokio::task::JoinSet;

/// Number of concurrent posts.
pub const CONNECTIONS: usize = 16;

const DEADLINE: Duration = Duration::from_secs(240);

/// Pending posts and acknowledged ones, each by its number, with its event's id.
pub struct Load {
    hook_path: String,
    body: fn(usize) -> Value,
    learn: Box<dyn Fn(&str) + Send + Sync>,
    posts: Mutex<Posts>,
}

struct Posts {
    waiting: VecDeque<usize>,
    acknowledged: BTreeMap<usize, String>,
}

impl Load {
    /// Prepares this many posts to a hook. The body of each is made from its number. `learn` is called with the event of
    /// each as soon as it is acknowledged.
    pub fn new(
        hook_path: &str,
        count: usize,
        body: fn(usize) -> Value,
        learn: impl Fn(&str) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let posts = Mutex::new(Posts { waiting: (0..count).collect(), acknowledged: BTreeMap::new() });
        Arc::new(Self { hook_path: hook_path.to_owned(), body, learn: Box::new(learn), posts })
    }

    /// Posts until all are acknowledged, or the server or its disk is gone.
    pub fn post(self: &Arc<Self>, api: &Arc<Api>) -> JoinSet<()> {
        let mut posting = JoinSet::new();
        for _ in 0..CONNECTIONS {
            posting.spawn(Arc::clone(self).post_one_by_one(Arc::clone(api)));
        }
        posting
    }

    async fn post_one_by_one(self: Arc<Self>, api: Arc<Api>) {
        loop {
            let Some(number) = self.posts.lock().unwrap().waiting.pop_front() else { return };
            let url = format!("{}{}", api.url, self.hook_path);
            let sent = api.http.post(url).json(&(self.body)(number)).send().await;
            let receipt = match sent {
                Ok(response) => {
                    let status = response.status();
                    response.json::<Value>().await.map(|receipt| (status, receipt))
                }
                Err(error) => Err(error),
            };
            let gone = |(status, _): &(StatusCode, Value)| *status == StatusCode::SERVICE_UNAVAILABLE;
            let Some((status, receipt)) = receipt.ok().filter(|answer| !gone(answer)) else {
                self.posts.lock().unwrap().waiting.push_back(number);
                return;
            };
            assert_eq!(status, 200, "{receipt}");
            let event = string(&receipt["event"]);
            (self.learn)(&event);
            self.posts.lock().unwrap().acknowledged.insert(number, event);
        }
    }

    pub fn acknowledged(&self) -> BTreeMap<usize, String> {
        self.posts.lock().unwrap().acknowledged.clone()
    }

    pub fn count(&self) -> usize {
        self.posts.lock().unwrap().acknowledged.len()
    }
}

/// Waits until something has become so many, and kills the process there.
pub async fn kill_at(process: Process, count: usize, so_far: impl Fn() -> usize) {
    reached(count, so_far).await;
    process.signal("KILL");
}

/// Waits until something has become so many.
pub async fn reached(count: usize, so_far: impl Fn() -> usize) {
    let start = Instant::now();
    while so_far() < count {
        assert!(start.elapsed() < DEADLINE, "there are {} of {count} after {DEADLINE:?}", so_far());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until nobody posts any more.
pub async fn posted(mut posting: JoinSet<()>) {
    while posting.join_next().await.transpose().unwrap().is_some() {}
}

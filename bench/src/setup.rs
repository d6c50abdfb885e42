//! Environment of the measurements: a database with a hook and a route, AWS, and a receiver.

use crate::{
    BoxError,
    aws::Aws,
    function::{Function, Profiler},
};
use axum::Router;
use embedded::{Database, Follower, Location};
use local::{Local, Options};
use models::clock::SystemClock;
use serde_json::{Value, json};
use std::{
    env,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tempfile::TempDir;
use tests::{ADMIN_KEY, Api, Process, Sandbox, lambda::http_event, string, subscription};
use tokio::net::TcpListener;
use web::settings::{SettingKind, Settings};

/// A hook function, an action and the baselines, by their binaries.
pub const HOOK: &str = "botstar-watch-checkpoint-record";
pub const ACTION: &str = "chatbot-get-user";
pub const NO_OP: &str = "baseline-no-op";
pub const PUT_ITEM: &str = "baseline-put-item";

/// Size of a webhook's body, in bytes.
const BODY_BYTES: usize = 1024;
/// Batch sizes of Lambda for dispatch's records and deliver's messages.
pub const STREAM_BATCH: usize = 100;
pub const QUEUE_BATCH: usize = 10;

pub struct Setup {
    pub aws: Aws,
    hook_path: String,
    user: String,
    connection: String,
    settings: Vec<(String, String)>,
    stream: Follower,
    bodies: AtomicUsize,
    visits: AtomicUsize,
    _sandbox: Sandbox,
    _folder: TempDir,
}

impl Setup {
    /// Prepares all with a number of subscriptions to the hook's events.
    pub async fn prepare(subscriptions: usize) -> Result<Self, BoxError> {
        let folder = folder()?;
        let data = folder.path().join("data");
        let sandbox = Sandbox::start(0).await?;
        let receiver = receiver().await?;
        let mut given: Vec<(String, String)> = registry::settings()
            .into_iter()
            .filter(|setting| setting.kind != SettingKind::PathStep)
            .map(|setting| (setting.name.to_owned(), sandbox.url.clone()))
            .collect();
        given.push(("CHATBOT_API_URL".to_owned(), sandbox.chatbot_url()));
        given.push(("DELIVERY_ALLOW_CIDRS".to_owned(), "127.0.0.0/8".to_owned()));
        let own = [("PORT", "0"), ("ADMIN_KEY", ADMIN_KEY), ("DATA_DIR", path(&data)?)];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings: Settings = own.into_iter().chain(given.clone()).collect();
        let local = Local::start(Options::read(settings)?, Arc::new(SystemClock)).await?;
        let api = Api::new(&local.url, ADMIN_KEY);
        let hook = api.hook("botstar.watch-checkpoint-record").await;
        let hook_path = hook.url.trim_start_matches(&local.url).to_owned();
        let connection = api.connection("chatbot").await;
        let user = string(&sandbox.users()[0]["id"]);
        let target = json!({ "type": "webhook", "url": receiver });
        let route = json!({ "name": "Demo", "events": ["botstar.*"], "target": target });
        api.post("/v1/routes", &route, 201).await;
        let until = local.app.now().plus_seconds(86_400);
        for number in 0..subscriptions {
            local.app.store.create(&subscription(number, "botstar.checkpoint_record.created", until)).await?;
        }
        let tables = local.app.config.tables.clone();
        local.stop().await?;

        let database = Database::open(Location::Directory(data.clone()))?;
        let stream = database.follow(&tables.events, STREAM_BATCH)?;
        let (aws, endpoint) = Aws::start(database).await?;
        let sealing_key = data.join("sealing-key");
        let of_lambda = [
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "group"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "stream"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            ("AWS_SESSION_TOKEN", "a-token-as-a-role-has-one"),
            ("AWS_ENDPOINT_URL", &endpoint),
            ("CONTROL_TABLE", &tables.control),
            ("EVENTS_TABLE", &tables.events),
            ("RECORDS_TABLE", &tables.records),
            ("DELIVERIES_TABLE", &tables.deliveries),
            ("SEALING_KEY_FILE", path(&sealing_key)?),
            ("DELIVERY_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/deliveries"),
            ("DEAD_LETTER_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/letters"),
            ("ACTION_FUNCTION_PREFIX", "switchboard-"),
            ("STACK_NAME", "switchboard"),
            ("LOG_FORMAT", "json"),
            ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=127"),
        ];
        given.extend(of_lambda.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let (bodies, visits) = Default::default();
        Ok(Self {
            aws,
            hook_path,
            user,
            connection,
            settings: given,
            stream,
            bodies,
            visits,
            _sandbox: sandbox,
            _folder: folder,
        })
    }

    /// Starts a function with this database and queue.
    pub async fn start(&self, name: &str, under: Profiler) -> Result<Function, BoxError> {
        self.start_without(&[], name, under).await
    }

    /// Starts a function with AWS's own endpoints, derived from the region. It can't be invoked here.
    pub async fn start_on_aws(&self, name: &str, under: Profiler) -> Result<Function, BoxError> {
        self.start_without(&["AWS_ENDPOINT_URL"], name, under).await
    }

    async fn start_without(&self, unset: &[&str], name: &str, under: Profiler) -> Result<Function, BoxError> {
        // A baseline runs with defaults.
        let is_ours = |setting: &str| setting == "GLIBC_TUNABLES" && name.starts_with("baseline");
        let is_set = |(setting, _): &&(String, String)| !is_ours(setting) && !unset.contains(&setting.as_str());
        let settings: Vec<_> = self.settings.iter().filter(is_set).cloned().collect();
        Function::start(&binary(name), &settings, under).await
    }

    /// An invocation of a function. A hook gets a new body, about a new person.
    pub fn event(&self, name: &str) -> Value {
        let number = self.bodies.fetch_add(1, Ordering::Relaxed);
        let (method_path, body) = match name {
            ACTION => {
                let body = json!({ "connection": self.connection, "user_id": self.user });
                ("/v1/actions/chatbot/get-user".to_owned(), body.to_string())
            }
            _ => (self.hook_path.clone(), body(number, self.visits.load(Ordering::Relaxed))),
        };
        let mut event = http_event("POST", &method_path, &body);
        event["headers"]["x-id"] = json!(number.to_string());
        event
    }

    /// From here on, bodies are about the same people again, with other data.
    pub fn begin_again(&self) {
        self.bodies.store(0, Ordering::Relaxed);
        self.visits.fetch_add(1, Ordering::Relaxed);
    }

    /// The next batch of stream records for dispatch.
    pub async fn stream_batch(&mut self) -> Result<Value, BoxError> {
        let batch = self.stream.next().await?;
        self.stream.done(&batch.position).await?;
        Ok(json!({ "Records": batch.records }))
    }

    /// The queue's messages for deliver, in batches of a size.
    pub fn queue_batches(&self, size: usize) -> Vec<Value> {
        let messages = self.aws.messages();
        let attributes = json!({ "ApproximateReceiveCount": "1" });
        let record = |(at, body): (usize, &String)| json!({ "messageId": format!("message-{at}"), "body": body, "attributes": attributes });
        let batch = |batch: &[String]| json!({ "Records": batch.iter().enumerate().map(record).collect::<Value>() });
        messages.chunks(size).map(batch).collect()
    }
}

/// A folder on a fast file system, because the disk is not measured.
fn folder() -> std::io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    TempDir::new_in(if memory.is_dir() { memory.to_owned() } else { env::temp_dir() })
}

/// Starts `local` as `make run` does.
pub fn spawn_local(binary: &Path, folder: &Path, settings: &[(&str, &str)]) -> Process {
    let shared = [("ADMIN_KEY", ADMIN_KEY), ("MALLOC_ARENA_MAX", "2")];
    Process::spawn_binary(binary, folder, &[settings, &shared].concat())
}

pub fn path(path: &Path) -> Result<&str, BoxError> {
    path.to_str().ok_or_else(|| "a path that is not UTF-8".into())
}

/// Functions are measured as `make build` lays them out.
fn binary(name: &str) -> PathBuf {
    match name {
        NO_OP | PUT_ITEM => PathBuf::from("target/bench").join(name),
        _ => PathBuf::from("target/lambda").join(name).join("bootstrap"),
    }
}

/// A webhook body of a checkpoint record, for a person's number and visit.
pub fn body(number: usize, visit: usize) -> String {
    padded(BODY_BYTES, |note| {
        json!({
            "user": {
                "id": format!("u-{number}"), "first_name": "Ava", "last_name": "Chen", "name": "Ava Chen",
                "email": format!("ava.chen.{number}@example.com"), "phone": "+1 202 555 0143", "locale": "en_US",
                "timezone": "America/New_York", "channel": "messenger", "tags": ["vip", "newsletter"],
                "attributes": { "plan": "gold", "city": "Boston", "orders": visit },
            },
            "checkpoint": { "id": "5c1d8f1e2b", "name": "Coffee Order" },
            "record": {
                "id": format!("r-{number}-{visit}"),
                "fields": { "Product": "Caffe Latte", "Size": "Large", "Quantity": "2", "Note": note },
            },
        })
        .to_string()
    })
}

/// A body with a note that makes it this large.
pub fn padded(bytes: usize, body: impl Fn(&str) -> String) -> String {
    let room = bytes.saturating_sub(body("").len());
    body(&NOTE.chars().cycle().take(room).collect::<String>())
}

/// Text of a body, longer than one of 1 KB needs: repeated text would be packed better than a person's.
const NOTE: &str = "Please ring twice at the side door, the front one sticks in the rain. Two of these were ordered last \
    Tuesday, but only one has arrived so far: could you check with the courier if the second parcel was left somewhere \
    else? The tracking page says it was handed over at noon, when nobody was home. If it is lost, a refund to my card would \
    be fine, or simply send another to the office instead. My manager Mr. Okafor can sign for it between nine and half \
    past five. Thanks a lot, and have a nice weekend. PS: is there a spare lid for the grinder that we bought in spring?";

/// A target that accepts everything.
async fn receiver() -> Result<String, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let router = Router::new().fallback(|_: axum::body::Bytes| async { "ok" });
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

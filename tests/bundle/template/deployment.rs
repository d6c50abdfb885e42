//! The deployment of `template.yaml` in this process: every function with its settings from the template, on simulated
//! AWS and platforms. API Gateway is simulated as well; the test itself runs the stream, the queue and the schedule.

use crate::{
    support::{functions::functions, harness::create, template::logical_id},
    template::{
        aws::{Apps, Aws},
        iam::{STACK, TARGETS, text},
        resources::template,
    },
};
use app::{App, Config, Function, Router, functions::LambdaFunctions};
use aws::signed::SignedClient;
use axum::{
    body::{Body, to_bytes},
    http::{Request as HttpRequest, Response},
    routing::{MethodFilter, on},
};
use embedded::{Database, Follower, Location};
use flow::{
    dead_letters::Queue,
    deliver::{Deliverer, lambda::take},
    dispatch::Dispatcher,
    due,
};
use models::clock::Clock as _;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use store::{Store, tables::TABLES};
use tests::{Api, Sandbox, TestClock, string};
use tokio::{net::TcpListener, sync::Mutex as AsyncMutex};
use web::{Request, settings::Settings};

/// Largest batch that the queue gives to deliver, as in the template.
const DELIVER_BATCH: usize = 10;

/// Method and path of each route that was called.
type Called = Arc<Mutex<BTreeSet<[String; 2]>>>;

pub struct Deployment {
    /// The id of the first key.
    pub key: String,
    /// A client with the first key.
    pub api: Api,
    pub sandbox: Sandbox,
    pub clock: Arc<TestClock>,
    pub aws: Arc<Aws>,
    pub called: Called,
    apps: Apps,
    stream: AsyncMutex<Follower>,
    letters: Queue,
    dispatcher: Dispatcher,
    deliverer: Deliverer,
}

impl Deployment {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let sandbox = Sandbox::start(0).await.unwrap();
        let (clock, aws) = (Arc::new(TestClock::default()), Aws::on(Database::open(Location::Temporary).unwrap()));
        for table in &TABLES {
            create(&aws.database, table, &format!("{}Table", logical_id(table.name)));
        }
        let given = BTreeMap::from([
            ("PublicUrl", url.clone()),
            ("BotstarApiUrl", "http://127.0.0.1:9".to_owned()),
            ("BotstarApiUrl", sandbox.botstar_url()),
            ("ChatbotApiUrl", sandbox.chatbot_url()),
            ("BotdistriktApiUrl", sandbox.botdistrikt_url()),
            ("BotmotherApiUrl", sandbox.url.clone()),
            ("DeliveryAllowCidrs", "127.0.0.0/8".to_owned()),
            ("AwsTargets", TARGETS.join(",")),
        ]);
        let apps: Apps = Arc::new(apps(&given, &aws, &clock));
        aws.deploy(&apps);
        let called = Called::default();
        let door = door(&apps, &called);
        tokio::spawn(async move { axum::serve(listener, door).await });
        let first_key = json!({ "name": "the first key", "scope": "admin" }).to_string();
        let first_key: Value =
            serde_json::from_slice(&aws.invoke("api-keys", first_key.into()).await.unwrap()).unwrap();
        let queue = |function| Queue {
            client: aws_sdk_sqs::Client::new(&aws.sdk_config(function)),
            url: apps[function].config.dead_letter_queue_url.clone().unwrap(),
        };
        let functions = LambdaFunctions {
            client: aws_sdk_lambda::Client::new(&aws.sdk_config("deliver")),
            prefix: apps["deliver"].config.action_function_prefix.clone().unwrap(),
            named: BTreeMap::new(),
        };
        assert_eq!(functions.prefix, format!("{STACK}-"));
        Self {
            key: string(&first_key["id"]),
            api: Api::new(&url, &string(&first_key["key"])),
            stream: AsyncMutex::new(aws.database.follow("EventsTable", 100).unwrap()),
            letters: queue("deliver"),
            dispatcher: Dispatcher::new(Arc::new(queue("dispatch"))),
            deliverer: Deliverer::new(&apps["deliver"], Box::new(functions)).unwrap(),
            sandbox,
            clock,
            aws,
            called,
            apps,
        }
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// The store, as no function reaches it.
    pub fn store(&self) -> Store {
        let client = aws_sdk_dynamodb::Client::from_conf(self.aws.database.sdk_config());
        Store { client, tables: self.apps["api-keys"].config.tables.clone() }
    }

    /// Brings what is in the stream to dispatch, and what is due in the queue to deliver, until there is no more of
    /// either.
    pub async fn settle(&self) {
        let mut stream = self.stream.lock().await;
        loop {
            let batch = stream.next_unless(async {}).await.unwrap();
            let messages = self.aws.take_messages(self.clock.now());
            if batch.is_none() && messages.is_empty() {
                return;
            }
            if let Some(batch) = batch {
                self.dispatch(batch.records).await;
            }
            self.deliver(messages).await;
        }
    }

    /// Brings what is in the stream to dispatch, and nothing to deliver.
    pub async fn follow(&self) {
        let mut stream = self.stream.lock().await;
        while let Some(batch) = stream.next_unless(async {}).await.unwrap() {
            self.dispatch(batch.records).await;
        }
    }

    pub async fn dispatch(&self, records: Vec<Value>) {
        let failed = self.dispatcher.dispatch(&self.apps["dispatch"], records).await;
        assert_eq!(failed, [""; 0]);
    }

    pub async fn deliver(&self, messages: Vec<String>) {
        self.deliver_as("1", messages).await;
    }

    /// Brings messages to deliver that are received for this time.
    pub async fn deliver_as(&self, count: &str, messages: Vec<String>) {
        let record =
            |body| json!({ "messageId": "1", "body": body, "attributes": { "ApproximateReceiveCount": count } });
        for batch in messages.chunks(DELIVER_BATCH) {
            let event = json!({ "Records": batch.iter().map(record).collect::<Value>() });
            let event = serde_json::from_value(event).unwrap();
            assert_eq!(take(&self.apps["deliver"], &self.letters, &self.deliverer, event).await.failed(), 0);
        }
    }

    /// Runs the sweep; how many deliveries it sent.
    pub async fn sweep(&self) -> usize {
        due::sweep(&self.apps["due"]).await.unwrap()
    }
}

/// An app for each function, with the settings that the template gives it.
fn apps(given: &BTreeMap<&str, String>, aws: &Arc<Aws>, clock: &Arc<TestClock>) -> BTreeMap<String, App> {
    let template = template();
    let setting = |value: &Value| {
        let written = text(value);
        let default = || template["Parameters"].get(&written).map(|parameter| text(&parameter["Default"]));
        given.get(written.as_str()).cloned().or_else(default).unwrap_or(written)
    };
    let of_platforms = |name: &str| {
        let function = catalog::functions().find(|function| function.name == name);
        function.map(|function| (function.settings)()).unwrap_or_default()
    };
    let app = |name: String| {
        let properties = &template["Resources"][logical_id(&name)]["Properties"];
        let variables = [&template["Globals"]["Function"], properties].map(|of| &of["Environment"]["Variables"]);
        let variables = variables.into_iter().filter_map(Value::as_object).flatten();
        let settings: Settings = variables.map(|(name, value)| (name.clone(), setting(value))).collect();
        let config = Config::read(&settings, &of_platforms(&name)).unwrap();
        let sdk = aws.sdk_config(&name);
        let client = aws_sdk_dynamodb::Client::new(&sdk);
        let targets = SignedClient::over(aws.connector(&name), &sdk);
        let app = App::new(config, client, Some(sdk), Arc::clone(clock) as _);
        app.set_aws(targets);
        (name, app)
    };
    functions().into_iter().map(app).collect()
}

/// The API: every route leads to its function.
fn door(apps: &Apps, called: &Called) -> axum::Router {
    let routes = catalog::functions().flat_map(|function| function.routes.iter().map(move |route| (function, route)));
    routes.fold(axum::Router::new(), |door, (function, route)| {
        let (apps, called) = (Arc::clone(apps), Arc::clone(called));
        let answer = async move |request: HttpRequest<Body>| {
            called.lock().unwrap().insert([route.method, route.path].map(str::to_owned));
            answer(&apps[function.name], function, request).await
        };
        door.route(
            route.path,
            on(MethodFilter::try_from(axum::http::Method::try_from(route.method).unwrap()).unwrap(), answer),
        )
    })
}

async fn answer(app: &App, function: &'static Function, request: HttpRequest<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let request = Request::from_parts(parts, body);
    Router::new(&[function]).unwrap().answer(app, request).await.0.map(Body::from)
}

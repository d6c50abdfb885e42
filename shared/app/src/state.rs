//! State that the handlers of one process share.

use crate::{
    Config,
    connections::OpenConnection,
    functions::{Functions, LambdaFunctions},
};
use aws::{
    history::{CloudWatch, History},
    metrics::Metrics,
    queue::{Queue, SqsQueue},
    seal::{KeyFile, KmsKey, SealError, Sealer},
    signed::SignedClient,
};
use aws_types::SdkConfig;
use client::HttpClient;
use models::{ConnectionId, HookId, KnownKey, Timestamp, cache::Cache, clock::Clock};
use std::{
    error::Error,
    sync::{Arc, OnceLock},
};
use store::{Store, hooks::Hook};

pub struct App {
    pub config: Config,
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    pub metrics: Metrics,
    pub hooks: Cache<HookId, Arc<Hook>>,
    pub keys: Cache<String, KnownKey>,
    pub connections: Cache<ConnectionId, Arc<OpenConnection>>,
    /// Configuration of further AWS clients, created on first use; none on a laptop.
    sdk: Option<SdkConfig>,
    sealer: OnceLock<Sealer>,
    http: OnceLock<HttpClient>,
    queue: OnceLock<Arc<dyn Queue>>,
    functions: OnceLock<Arc<dyn Functions>>,
    history: OnceLock<Arc<dyn History>>,
    aws: OnceLock<SignedClient>,
}

impl App {
    pub fn new(
        config: Config,
        client: aws_sdk_dynamodb::Client,
        sdk: Option<SdkConfig>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let store = Store { client, tables: config.tables.clone() };
        let metrics = Metrics::new(config.stack_name.clone());
        Self {
            config,
            store,
            clock,
            metrics,
            hooks: Cache::default(),
            keys: Cache::default(),
            connections: Cache::default(),
            sdk,
            sealer: OnceLock::new(),
            http: OnceLock::new(),
            queue: OnceLock::new(),
            functions: OnceLock::new(),
            history: OnceLock::new(),
            aws: OnceLock::new(),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Expiry of events and rejected calls that are not kept for good.
    pub fn event_expires(&self) -> Timestamp {
        self.now().plus_seconds(self.config.event_ttl_days * 86_400)
    }

    /// The sealer, created on first use, because most functions never need one.
    pub fn sealer(&self) -> Result<&Sealer, SealError> {
        if let Some(sealer) = self.sealer.get() {
            return Ok(sealer);
        }
        let sealer = match (&self.config.sealing_key_arn, &self.sdk, &self.config.sealing_key_file) {
            (Some(arn), Some(sdk), _) => {
                let client = aws_sdk_kms::Client::new(sdk);
                Sealer::Kms(Box::new(KmsKey::new(client, arn.clone(), Arc::clone(&self.clock))))
            }
            (_, _, Some(file)) => Sealer::File(KeyFile::read(file)?),
            _ => return Err(SealError::NoKey),
        };
        Ok(self.sealer.get_or_init(|| sealer))
    }

    /// The delivery queue, created on first use. None in a process without a consumer: the sweep then finds due
    /// deliveries in the table.
    pub fn queue(&self) -> Option<&dyn Queue> {
        if let (None, Some(sdk), Some(url)) = (self.queue.get(), &self.sdk, &self.config.delivery_queue_url) {
            self.set_queue(Arc::new(SqsQueue::new(sdk, url)));
        }
        self.queue.get().map(Arc::as_ref)
    }

    /// Sets the delivery queue, unless one is set.
    pub fn set_queue(&self, queue: Arc<dyn Queue>) {
        self.queue.get_or_init(|| queue);
    }

    /// The functions, created on first use. None in a process that has neither their names nor their code.
    pub fn functions(&self) -> Option<&dyn Functions> {
        if let (None, Some(sdk), Some(prefix)) = (self.functions.get(), &self.sdk, &self.config.action_function_prefix)
        {
            self.set_functions(Arc::new(LambdaFunctions::new(sdk, prefix, &self.config.api_functions)));
        }
        self.functions.get().map(Arc::as_ref)
    }

    /// Sets the functions, unless they are set.
    pub fn set_functions(&self, functions: Arc<dyn Functions>) {
        self.functions.get_or_init(|| functions);
    }

    /// The history of metrics; none if none are emitted.
    pub fn history(&self) -> Option<&dyn History> {
        if let (None, Some(sdk), Some(stack)) = (self.history.get(), &self.sdk, &self.config.stack_name) {
            self.set_history(Arc::new(CloudWatch::new(sdk, stack)));
        }
        self.history.get().map(Arc::as_ref)
    }

    /// Sets the history of metrics, unless one is set.
    pub fn set_history(&self, history: Arc<dyn History>) {
        self.history.get_or_init(|| history);
    }

    /// The client for AWS targets, created on first use. None on a laptop without an emulator.
    pub fn aws(&self) -> Result<Option<&SignedClient>, Box<dyn Error + Send + Sync>> {
        if let (None, Some(sdk)) = (self.aws.get(), &self.sdk) {
            self.set_aws(SignedClient::new(sdk)?);
        }
        Ok(self.aws.get())
    }

    /// True if there is a client for AWS targets.
    pub fn has_aws(&self) -> bool {
        self.sdk.is_some() || self.aws.get().is_some()
    }

    /// An endpoint for AWS targets other than AWS's own.
    pub fn aws_endpoint(&self) -> Option<&str> {
        match self.aws.get() {
            Some(client) => client.endpoint(),
            None => self.sdk.as_ref().and_then(SdkConfig::endpoint_url),
        }
    }

    /// Sets the client for AWS targets, unless one is set.
    pub fn set_aws(&self, client: SignedClient) {
        self.aws.get_or_init(|| client);
    }

    /// The HTTP client for platforms, created on first use.
    pub fn http(&self) -> &HttpClient {
        self.http.get_or_init(|| HttpClient::new(Arc::clone(&self.clock), self.config.trusted_roots))
    }
}

//! The queue of deliveries: SQS on AWS, in the process on a laptop. It carries ids only, and may repeat and mix up what it
//! carries. What it says of a delivery that is in the table, the table says better. The one in the process loses what it
//! has with the process.

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use aws_types::SdkConfig;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use models::{
    Timestamp,
    clock::{Clock as _, SystemClock},
    delivery::Message,
};
use std::{error::Error, pin::Pin};

/// The longest that a queue keeps a message back, in seconds: SQS's limit. What waits longer is found in the table.
pub const MOST_DELAY_SECONDS: u64 = 900;
/// How many messages SQS takes at once.
const BATCH: usize = 10;
const CONCURRENCY: usize = 8;

pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send + 'a>>;

pub trait Queue: Send + Sync {
    /// All of them, or an error; then some may have been sent.
    fn send(&self, messages: Vec<Message>) -> Sending<'_>;

    /// Whether what was sent comes for sure, though the process ends: then a first attempt need not be in the table, too.
    fn keeps(&self) -> bool;
}

pub struct SqsQueue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl SqsQueue {
    pub fn new(sdk: &SdkConfig, url: &str) -> Self {
        Self { client: aws_sdk_sqs::Client::new(sdk), url: url.to_owned() }
    }

    async fn send_batch(&self, messages: Vec<Message>, now: Timestamp) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut batch = self.client.send_message_batch().queue_url(&self.url);
        for (at, message) in messages.iter().enumerate() {
            let wait = message.at.millis_since(now).div_ceil(1000).min(MOST_DELAY_SECONDS);
            let entry = SendMessageBatchRequestEntry::builder()
                .id(at.to_string())
                .message_body(serde_json::to_string(message)?)
                // On a standard queue a group is a tenant: one with many messages keeps no other waiting.
                .message_group_id(message.route.as_str())
                .delay_seconds(i32::try_from(wait)?);
            batch = batch.entries(entry.build()?);
        }
        let sent = batch.send().await?;
        match sent.failed.first() {
            None => Ok(()),
            Some(failed) => {
                Err(format!("the queue refused {} of {}: {}", sent.failed.len(), messages.len(), failed.code).into())
            }
        }
    }
}

impl Queue for SqsQueue {
    fn send(&self, messages: Vec<Message>) -> Sending<'_> {
        Box::pin(async move {
            let now = SystemClock.now();
            let batches =
                stream::iter(messages.chunks(BATCH).map(<[_]>::to_vec)).map(|batch| self.send_batch(batch, now));
            batches.buffer_unordered(CONCURRENCY).try_collect().await
        })
    }

    fn keeps(&self) -> bool {
        true
    }
}

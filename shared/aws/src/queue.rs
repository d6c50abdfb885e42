//! The delivery queue: SQS on AWS, rows of the database on a laptop. Messages contain ids only, and may be repeated or
//! reordered. For a stored delivery, the table is authoritative, not its message.

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use aws_types::SdkConfig;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use models::{
    Timestamp,
    clock::{Clock as _, SystemClock},
    delivery::Message,
};
use std::{error::Error, pin::Pin};

/// Maximum delay of a message in seconds: SQS's limit. Deliveries that wait longer are left to the sweep.
pub const MAX_DELAY_SECONDS: u64 = 900;
/// Number of messages that SQS accepts in one request.
const BATCH: usize = 10;
const CONCURRENCY: usize = 8;

pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send + 'a>>;

pub trait Queue: Send + Sync {
    /// Sends all messages. Those that were sent outlive the process. After an error, some may have been sent.
    fn send(&self, messages: Vec<Message>) -> Sending<'_>;
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
            let wait = message.at.millis_since(now).div_ceil(1000).min(MAX_DELAY_SECONDS);
            let entry = SendMessageBatchRequestEntry::builder()
                .id(at.to_string())
                .message_body(serde_json::to_string(message)?)
                // On a standard queue a message group is a tenant: a group with many messages does not delay the
                // others.
                .message_group_id(message.route.as_str())
                .delay_seconds(i32::try_from(wait)?);
            batch = batch.entries(entry.build()?);
        }
        let sent = batch.send().await?;
        match sent.failed.first() {
            None => Ok(()),
            Some(failed) => {
                Err(format!("the queue rejected {} of {} messages: {}", sent.failed.len(), messages.len(), failed.code)
                    .into())
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
}

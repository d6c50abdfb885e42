//! Dead letters: stream records and queue messages that can't be handled are set aside, so that the others continue.

use serde::Serialize;
use std::{error::Error, future::Future, pin::Pin};

/// A record that was set aside. It has the event's id, never its content.
#[derive(Debug, Clone, Serialize)]
pub struct DeadLetter {
    /// The event's id, or its key in the table if the id can't be read.
    pub event: String,
    pub reason: String,
}

pub type SettingAside<'a> = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send + 'a>>;

/// Store of dead letters: an SQS queue on AWS, a table in `local`.
pub trait DeadLetters: Send + Sync {
    fn set_aside(&self, letter: DeadLetter) -> SettingAside<'_>;
}

/// An SQS queue.
pub struct Queue {
    pub client: aws_sdk_sqs::Client,
    pub url: String,
}

impl DeadLetters for Queue {
    fn set_aside(&self, letter: DeadLetter) -> SettingAside<'_> {
        Box::pin(async move {
            let body = serde_json::to_string(&letter)?;
            self.client.send_message().queue_url(&self.url).message_body(body).send().await?;
            Ok(())
        })
    }
}

//! Where a stream record goes that can't be handled, so that the rest goes on.

use serde::Serialize;
use std::{error::Error, future::Future, pin::Pin};

/// A record that was set aside. It tells the event, never its content.
#[derive(Debug, Clone, Serialize)]
pub struct DeadLetter {
    /// The event's id; its key in the table where not even that can be read.
    pub event: String,
    pub reason: String,
}

pub type SettingAside<'a> = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send + 'a>>;

/// SQS on AWS; `local` keeps them in its database.
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

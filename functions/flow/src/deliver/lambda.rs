//! The door of deliver: Lambda's event source for SQS, with partial batch responses.

use super::{Deliverer, actions::Functions};
use crate::{
    batch::BatchResponse,
    dead_letters::{DeadLetter, DeadLetters, Queue},
};
use futures::future::join_all;
use lambda_runtime::{Error, LambdaEvent};
use runtime::{
    App, Problem,
    lambda::{block_on, run, sdk_config, start, unset},
    queue::MessageBody,
};
use serde::Deserialize;

/// What Lambda hands over of a queue.
#[derive(Deserialize)]
pub struct SqsEvent {
    #[serde(rename = "Records")]
    records: Vec<SqsMessage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SqsMessage {
    message_id: String,
    body: String,
    attributes: SqsAttributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SqsAttributes {
    approximate_receive_count: String,
}

/// Serves deliver until Lambda ends the process.
pub fn serve() -> Result<(), Error> {
    block_on(async {
        let sdk = sdk_config()?;
        let app = start(&sdk, &[])?;
        app.queue().ok_or_else(|| unset("DELIVERY_QUEUE_URL"))?;
        let letters = app.config.dead_letter_queue_url.clone().ok_or_else(|| unset("DEAD_LETTER_QUEUE_URL"))?;
        let letters = Queue { client: aws_sdk_sqs::Client::new(&sdk), url: letters };
        let prefix = app.config.action_function_prefix.clone().ok_or_else(|| unset("ACTION_FUNCTION_PREFIX"))?;
        let functions = Functions { client: aws_sdk_lambda::Client::new(&sdk), prefix };
        let deliverer = Deliverer::new(&app, Box::new(functions))?;
        let (app, letters, deliverer) = (&app, &letters, &deliverer);
        run(app, "deliver", move |event: LambdaEvent<SqsEvent>| async move {
            let (request_id, messages) = (event.context.request_id, event.payload.records.len());
            let response = take(app, letters, deliverer, event.payload).await;
            let failed = response.failed();
            tracing::info!(request_id, function = "deliver", messages, failed, "delivered");
            Ok::<_, Error>(response)
        })
        .await
    })
}

/// Handles messages, all at once; those that fail are to come again.
pub async fn take(app: &App, letters: &dyn DeadLetters, deliverer: &Deliverer, event: SqsEvent) -> BatchResponse {
    let handled = join_all(event.records.into_iter().map(|message| handle(app, letters, deliverer, message))).await;
    BatchResponse::again(handled.into_iter().flatten())
}

/// Handles a message; its id, if it is to come again.
async fn handle(app: &App, letters: &dyn DeadLetters, deliverer: &Deliverer, message: SqsMessage) -> Option<String> {
    let handled = match serde_json::from_str::<MessageBody>(&message.body) {
        Ok(body) => {
            // One that comes again may have been handled in part.
            let planned = (message.attributes.approximate_receive_count == "1").then_some(body.at);
            deliverer.deliver(app, &body.delivery, planned).await
        }
        Err(error) => {
            let letter = DeadLetter { event: format!("message {}", message.message_id), reason: error.to_string() };
            letters.set_aside(letter).await.map_err(Problem::internal)
        }
    };
    let problem = handled.err()?;
    let (code, cause) = (problem.code.as_str(), problem.causes());
    tracing::error!(message = message.message_id, code, cause, "a message is to come again");
    Some(message.message_id)
}

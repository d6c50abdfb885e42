//! The door of deliver: Lambda's event source for SQS, with partial batch responses.

use super::{Deliverer, actions::Functions};
use crate::dead_letters::{DeadLetter, DeadLetters, Queue};
use futures::future::join_all;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use runtime::{
    App,
    lambda::{block_on, sdk_config, start},
    queue::MessageBody,
};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct SqsEvent {
    #[serde(rename = "Records")]
    records: Vec<SqsMessage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SqsMessage {
    message_id: String,
    body: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchResponse {
    batch_item_failures: Vec<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

/// Serves deliver until Lambda ends the process.
pub fn serve() -> Result<(), Error> {
    block_on(async {
        let sdk = sdk_config().await;
        let app = start(&sdk, &[])?;
        let unset = |name: &str| format!("{name} is not set");
        app.queue().ok_or_else(|| unset("DELIVERY_QUEUE_URL"))?;
        let letters = app.config.dead_letter_queue_url.clone().ok_or_else(|| unset("DEAD_LETTER_QUEUE_URL"))?;
        let letters = Queue { client: aws_sdk_sqs::Client::new(&sdk), url: letters };
        let prefix = app.config.action_function_prefix.clone().ok_or_else(|| unset("ACTION_FUNCTION_PREFIX"))?;
        let functions = Functions { client: aws_sdk_lambda::Client::new(&sdk), prefix };
        let deliverer = Deliverer::new(&app, Box::new(functions))?;
        let (app, letters, deliverer) = (&app, &letters, &deliverer);
        lambda_runtime::run(service_fn(move |event: LambdaEvent<SqsEvent>| async move {
            let handling = event.payload.records.iter().map(|message| handle(app, letters, deliverer, message));
            let handled = join_all(handling).await;
            let batch_item_failures: Vec<Failure> =
                handled.into_iter().flatten().map(|item_identifier| Failure { item_identifier }).collect();
            let (request_id, failed) = (event.context.request_id, batch_item_failures.len());
            tracing::info!(
                request_id,
                function = "deliver",
                messages = event.payload.records.len(),
                failed,
                "delivered"
            );
            Ok::<_, Error>(BatchResponse { batch_item_failures })
        }))
        .await
    })
}

/// Handles a message; its id, if it is to come again.
async fn handle(app: &App, letters: &Queue, deliverer: &Deliverer, message: &SqsMessage) -> Option<String> {
    let handled = match serde_json::from_str::<MessageBody>(&message.body) {
        Ok(body) => {
            let handled = deliverer.deliver(app, &body.delivery).await;
            handled.map_err(|problem| format!("{}: {}", problem.code.as_str(), problem.causes()))
        }
        Err(error) => {
            let letter = DeadLetter { event: format!("message {}", message.message_id), reason: error.to_string() };
            letters.set_aside(letter).await.map_err(|error| error.to_string())
        }
    };
    let cause = handled.err()?;
    tracing::error!(message = message.message_id, cause, "a message is to come again");
    Some(message.message_id.clone())
}

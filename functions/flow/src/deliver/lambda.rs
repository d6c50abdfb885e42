//! Entry point of `deliver` on Lambda: the event source for SQS, with partial batch responses.

use super::{Deliverer, DeliveryCheck};
use crate::{
    aws_target::check_setting,
    batch::BatchResponse,
    dead_letters::{DeadLetter, DeadLetters, Queue},
};
use app::{
    App,
    functions::LambdaFunctions,
    lambda::{block_on, log_with_metrics, run, sdk_config, start},
};
use lambda_runtime::{Error, LambdaEvent};
use models::delivery::Message;
use serde::Deserialize;
use serde_json::json;
use web::{Problem, settings::SettingError};

/// The batch of messages that Lambda passes in.
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
        check_setting(&app.config)?;
        app.queue().ok_or_else(|| SettingError::unset("DELIVERY_QUEUE_URL"))?;
        let letters =
            app.config.dead_letter_queue_url.clone().ok_or_else(|| SettingError::unset("DEAD_LETTER_QUEUE_URL"))?;
        let letters = Queue { client: aws_sdk_sqs::Client::new(&sdk), url: letters };
        let prefix =
            app.config.action_function_prefix.clone().ok_or_else(|| SettingError::unset("ACTION_FUNCTION_PREFIX"))?;
        let deliverer = Deliverer::new(&app, Box::new(LambdaFunctions::new(&sdk, &prefix, &app.config.api_functions)))?;
        let (app, letters, deliverer) = (&app, &letters, &deliverer);
        run(app, move |event: LambdaEvent<SqsEvent>| async move {
            let (request_id, messages) = (event.context.request_id, event.payload.records.len());
            let response = take(app, letters, deliverer, event.payload).await;
            let failed = response.failed();
            let log =
                json!({ "message": "delivered", "request_id": request_id, "messages": messages, "failed": failed });
            if !log_with_metrics(app, &log) {
                tracing::info!(request_id, messages, failed, "delivered");
            }
            Ok::<_, Error>(response)
        })
        .await
    })
}

/// Handles all messages concurrently. Failed ones are reported, to be delivered again.
pub async fn take(app: &App, letters: &dyn DeadLetters, deliverer: &Deliverer, event: SqsEvent) -> BatchResponse {
    let (mut ids, mut checks, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for message in event.records {
        match parse_message(&message) {
            Ok(check) => {
                ids.push(message.message_id);
                checks.push(check);
            }
            Err(reason) => again.extend(set_aside(letters, message.message_id, reason).await),
        }
    }
    if checks.is_empty() {
        return BatchResponse::again(again);
    }
    match deliverer.deliver_all(app, checks).await {
        Ok(delivered) => {
            let failed = ids.into_iter().zip(delivered).filter_map(|(id, delivered)| Some((id, delivered.err()?)));
            again.extend(failed.map(|(id, problem)| retry_message(id, &problem)));
        }
        Err(problem) => again.extend(ids.into_iter().map(|id| retry_message(id, &problem))),
    }
    BatchResponse::again(again)
}

/// Parses a message, or returns the reason why it is malformed.
fn parse_message(message: &SqsMessage) -> Result<DeliveryCheck, String> {
    let is_redelivered = message.attributes.approximate_receive_count != "1";
    let message: Message = serde_json::from_str(&message.body).map_err(|error| error.to_string())?;
    Ok(DeliveryCheck { message, is_redelivered, may_be_dropped: is_redelivered })
}

/// Sends a malformed message to the dead-letter queue. Returns its id if that fails.
async fn set_aside(letters: &dyn DeadLetters, id: String, reason: String) -> Option<String> {
    let letter = DeadLetter { event: format!("message {id}"), reason };
    let set_aside = letters.set_aside(letter).await.map_err(Problem::internal);
    set_aside.err().map(|problem| retry_message(id, &problem))
}

fn retry_message(message: String, problem: &Problem) -> String {
    tracing::error!(
        message,
        code = problem.code.as_str(),
        cause = problem.causes(),
        "a message failed and will be delivered again"
    );
    message
}

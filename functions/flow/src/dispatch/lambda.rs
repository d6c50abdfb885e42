//! Entry point of `dispatch` on Lambda: the event source for DynamoDB streams, with partial batch responses.

use super::Dispatcher;
use crate::{batch::BatchResponse, dead_letters::Queue};
use app::lambda::{block_on, run, sdk_config, start};
use lambda_runtime::{Error, LambdaEvent};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use web::settings::SettingError;

#[derive(Deserialize)]
struct StreamEvent {
    #[serde(rename = "Records")]
    records: Vec<Value>,
}

/// Serves dispatch until Lambda ends the process.
pub fn serve() -> Result<(), Error> {
    block_on(async {
        let sdk = sdk_config()?;
        let app = start(&sdk, &[])?;
        let url =
            app.config.dead_letter_queue_url.clone().ok_or_else(|| SettingError::unset("DEAD_LETTER_QUEUE_URL"))?;
        app.queue().ok_or_else(|| SettingError::unset("DELIVERY_QUEUE_URL"))?;
        let dispatcher = Dispatcher::new(Arc::new(Queue { client: aws_sdk_sqs::Client::new(&sdk), url }));
        let (app, dispatcher) = (&app, &dispatcher);
        run(app, move |event: LambdaEvent<StreamEvent>| async move {
            let (request_id, records) = (event.context.request_id, event.payload.records.len());
            let failed = dispatcher.dispatch(app, event.payload.records).await;
            tracing::info!(request_id, records, failed = failed.len(), "dispatched");
            Ok::<_, Error>(BatchResponse::again(failed))
        })
        .await
    })
}

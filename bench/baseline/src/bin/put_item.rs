//! A function as `lambda_http` and the AWS SDK make one out of the box: it stores a request's body, unless it is there.

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::{
    Client,
    primitives::Blob,
    types::AttributeValue::{B, S},
};
use lambda_http::{Body, Error, Request, Response, run, service_fn};
use std::env;

fn main() -> Result<(), Error> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let client = Client::new(&aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await);
        let table = env::var("EVENTS_TABLE")?;
        let (client, table) = (&client, &table);
        run(service_fn(move |request: Request| accept(client, table, request))).await
    })
}

async fn accept(client: &Client, table: &str, request: Request) -> Result<Response<String>, Error> {
    let id = request.headers().get("x-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let body = match request.into_body() {
        Body::Text(text) => text.into_bytes(),
        Body::Binary(bytes) => bytes,
        _ => Vec::new(),
    };
    client
        .put_item()
        .table_name(table)
        .item("pk", S(id.clone()))
        .item("raw", B(Blob::new(body)))
        .condition_expression("attribute_not_exists(pk)")
        .send()
        .await?;
    Ok(Response::builder().header("content-type", "application/json").body(format!(r#"{{"event":"{id}"}}"#))?)
}

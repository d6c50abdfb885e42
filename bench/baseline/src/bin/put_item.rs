//! A function with `lambda_http` and the AWS SDK with defaults. It stores a request's body, unless it exists, in an item
//! like an event's, whose other attributes are constant.

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::{
    Client,
    primitives::Blob,
    types::{
        AttributeValue::{B, N, S},
        ReturnValuesOnConditionCheckFailure::AllOld,
    },
};
use lambda_http::{Body, Error, Request, Response, run, service_fn};
use std::env;

const TEXTS: [(&str, &str); 7] = [
    ("list", "event#14"),
    (
        "sort",
        "evt_06h0cdjn5l7b270bnn8dk7237eoo8vg4oachf40muo botstar.checkpoint_record.created hook_06h0cdjn2d1p081c9pbnl6c2og",
    ),
    ("person", "sub_8vqra6sksnqipqrqvqb2bu3tj0#14"),
    ("connection", "con_06h0cdjn1qqhar58a9iamok47c"),
    ("platform", "botstar"),
    (
        "reading",
        concat!(
            r#"{"f":{"checkpoint.id":"/checkpoint/id","checkpoint.name":"/checkpoint/name","record.fields":"/record/fields","#,
            r#""record.id":"/record/id","subscriber.attributes":"/user/attributes","subscriber.channel":"/user/channel","#,
            r#""subscriber.email":"/user/email","subscriber.first_name":"/user/first_name","subscriber.id":"/user/id","#,
            r#""subscriber.last_name":"/user/last_name","subscriber.locale":"/user/locale","subscriber.name":"/user/name","#,
            r#""subscriber.phone":"/user/phone","subscriber.platform_user":"/user","subscriber.tags":"/user/tags","#,
            r#""subscriber.timezone":"/user/timezone"}}"#,
        ),
    ),
    ("nonce", "UtZJILr4"),
];

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
    let mut put = client
        .put_item()
        .table_name(table)
        .item("pk", S(id.clone()))
        .item("raw", B(Blob::new(body)))
        .item("v", N("1".to_owned()))
        .item("rev", N("0".to_owned()))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(AllOld);
    for (name, text) in TEXTS {
        put = put.item(name, S(text.to_owned()));
    }
    put.send().await?;
    Ok(Response::builder().header("content-type", "application/json").body(format!(r#"{{"event":"{id}"}}"#))?)
}

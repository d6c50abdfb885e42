//! A function that does nothing.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

fn main() -> Result<(), Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(run(service_fn(|_: LambdaEvent<Value>| async { Ok::<_, Error>(Value::Null) })))
}

//! Deliveries: listed, read and retried.

mod expand;
pub mod list;
pub mod retry;
mod retry_all;
mod span;

use crate::READ;
use app::{App, Function, Route};
use models::{DeliveryId, StoredDelivery, delivery::Delivery};
use serde_json::value::to_raw_value;
use web::{Problem, Request, RequestExt as _, Response, call_directly};

/// The function's name.
pub const NAME: &str = "api-deliveries";

pub static FUNCTION: Function = Function {
    name: NAME,
    routes: &[list::ROUTE, retry_all::ROUTE, GET, retry::ROUTE],
    // A retry by the MCP server, which has neither the queue nor the rights.
    direct: Some(|app, request| Box::pin(call_directly(app, &retry::ROUTE, request))),
    settings: Vec::new,
};

const GET: Route = Route::get("/v1/deliveries/{id}", READ, "Get a delivery with its attempts", |app, request| {
    Box::pin(get(app, request))
})
.answers::<Delivery>();

async fn get(app: &App, request: Request) -> Result<Response, Problem> {
    let id: DeliveryId = request.id("delivery")?;
    let show = |delivery: StoredDelivery| Ok(Some(to_raw_value(&delivery.into_delivery())?));
    crate::reply_or_id(id.as_str(), "delivery", app.store.delivery(&id).await, show)
}

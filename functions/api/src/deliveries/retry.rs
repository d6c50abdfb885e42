//! `POST /v1/deliveries/{id}/retry`.

use crate::OPERATE;
use app::{App, Route};
use flow::pending;
use models::{
    DeliveryId, DeliveryState, StoredDelivery, Timestamp,
    delivery::{Delivery, DeliveryTimes, Reason},
};
use std::slice;
use store::routes::EventRoute;
use web::{Code, Problem, Request, RequestExt as _, Response, respond};

pub const ROUTE: Route = Route::post(
    "/v1/deliveries/{id}/retry",
    OPERATE,
    "Retry a dead or skipped delivery with all attempts, or attempt a pending one now",
    |app, request| Box::pin(retry(app, request)),
)
.answers::<Delivery>();

pub async fn retry(app: &App, request: Request) -> Result<Response, Problem> {
    let id: DeliveryId = request.id("delivery")?;
    let mut delivery = app.store.delivery(&id).await?.ok_or_else(|| Problem::not_found("delivery"))?;
    let route: Option<EventRoute> = app.store.find(delivery.route.as_str()).await?;
    if let Some(why) = not_retryable(&delivery, route.as_ref(), request.now()) {
        return Err(Problem::new(Code::Conflict, why));
    }
    restart(&mut delivery, pending::with_message(app, request.now()));
    app.store.update_delivery(&mut delivery, request.now()).await?;
    pending::send_or_leave(app, slice::from_ref(&delivery)).await;
    let event = delivery.event.clone();
    respond::of_event(event, &delivery.into_delivery())
}

/// The reason why a delivery can't be retried, or would only be skipped again.
fn not_retryable(delivery: &StoredDelivery, route: Option<&EventRoute>, now: Timestamp) -> Option<&'static str> {
    match (delivery.state, route) {
        (DeliveryState::Succeeded, _) => Some("the delivery succeeded; to deliver the event again, replay the event"),
        (_, None) => Some("its route was deleted"),
        (_, Some(route)) if route.has_ended(now) => Some("its subscription has ended"),
        (_, Some(route)) if !route.enabled => Some("its route is disabled; enable it first"),
        _ if is_past(delivery) => Some("its event has expired, or the event's person was erased"),
        _ => None,
    }
}

/// True if the delivery's event can no longer be delivered.
pub fn is_past(delivery: &StoredDelivery) -> bool {
    matches!(delivery.reason, Some(Reason::EventExpired | Reason::PersonErased))
}

/// Retries a finished delivery with all its attempts; attempts a pending one now.
fn restart(delivery: &mut StoredDelivery, now: DeliveryTimes) {
    match delivery.state {
        DeliveryState::Pending => delivery.set_pending(now),
        _ => delivery.retry(now),
    }
}

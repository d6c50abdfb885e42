//! `POST /v1/routes/{id}/rotate`: a new secret. The old one also signs, by default for a day, so that the receiver can
//! switch without rejecting a request.

use super::{
    target::new_secret,
    view::{RouteView, UrlVisibility, view},
};
use crate::{ADMIN, control, rotation::Rotation};
use app::{App, Route};
use store::routes::{EventRoute, Target};
use web::{Code, Problem, Request, RequestExt as _, Response, input, respond};

pub const ROUTE: Route = Route::post(
    "/v1/routes/{id}/rotate",
    ADMIN,
    "Give a route's webhook a new secret; the old one also signs for a grace period",
    |app, request| Box::pin(rotate(app, request)),
)
.may_take::<Rotation>()
.answers::<RouteView>();

pub async fn rotate(app: &App, request: Request) -> Result<Response, Problem> {
    let mut route = control::find::<EventRoute>(app, &request).await?;
    let rotation: Rotation = input::optional_body(&request)?;
    let Target::Webhook(webhook) = &mut route.target else {
        return Err(Problem::new(Code::Conflict, "the route's target is not a webhook, so it has no secret"));
    };
    rotation.make_room(&mut webhook.secrets, request.now())?;
    webhook.secrets.insert(0, new_secret(app, &route.id).await?);
    route.updated_at = request.now();
    app.store.update(&mut route).await?;
    respond::ok(&view(app, route, UrlVisibility::UrlAndSecret).await?)
}

//! `POST /v1/routes/{id}/rotate`: a new secret. The old one also signs, by default for a day, so that the receiver can
//! switch without rejecting a request.

use super::{
    find,
    target::new_secret,
    view::{Sight, view},
};
use crate::rotation::Rotation;
use app::App;
use schemars::schema_for;
use store::routes::Target;
use web::{Code, Problem, Request, RequestExt as _, Response, input, respond};

pub async fn rotate(app: &App, request: Request) -> Result<Response, Problem> {
    let mut route = find(app, &request).await?;
    let rotation: Rotation = input::optional_body(&request, &schema_for!(Rotation))?;
    let Target::Webhook(webhook) = &mut route.target else {
        return Err(Problem::new(Code::Conflict, "the route runs an action, so it has no secret"));
    };
    rotation.make_room(&mut webhook.secrets, request.now())?;
    webhook.secrets.insert(0, new_secret(app, &route.id).await?);
    route.updated_at = request.now();
    app.store.update(&mut route).await?;
    respond::ok(&view(app, route, Sight::UrlAndSecret).await?)
}

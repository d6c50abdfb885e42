//! `POST /v1/routes/{id}/rotate`: a new secret. The old one signs too, by default for a day, so that a receiver can change
//! over without refusing anything.

use super::{
    find,
    target::new_secret,
    view::{Sight, view},
};
use crate::rotation::Rotation;
use runtime::{App, Call, Code, Problem, Reply, input, store::routes::Target};
use schemars::schema_for;

pub async fn rotate(app: &App, call: Call) -> Result<Reply, Problem> {
    let mut route = find(app, &call).await?;
    let rotation: Rotation = input::optional_body(&call, &schema_for!(Rotation))?;
    let Target::Webhook(webhook) = &mut route.target else {
        return Err(Problem::new(Code::Conflict, "the route runs an action, and has no secret"));
    };
    rotation.make_room(&mut webhook.secrets, call.now)?;
    webhook.secrets.insert(0, new_secret(app, &route.id).await?);
    route.updated_at = call.now;
    app.store.update(&mut route).await?;
    Reply::ok(&view(app, route, Sight::UrlAndSecret).await?)
}

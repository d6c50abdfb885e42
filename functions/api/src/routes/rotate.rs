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

/// Each signs, and a header holds only so much.
const MOST_SECRETS: usize = 5;

pub async fn rotate(app: &App, call: Call) -> Result<Reply, Problem> {
    let mut route = find(app, &call).await?;
    let rotation: Rotation = input::optional_body(&call, &schema_for!(Rotation))?;
    let Target::Webhook(webhook) = &mut route.target else {
        return Err(Problem::new(Code::Conflict, "the route runs an action, and has no secret"));
    };
    let end = call.now.plus_seconds(rotation.grace_seconds);
    for secret in &mut webhook.secrets {
        // A secret in its grace keeps its own end, unless this one is sooner.
        secret.expires_at = Some(secret.expires_at.map_or(end, |earlier| earlier.min(end)));
    }
    webhook.secrets.retain(|secret| secret.expires_at.is_some_and(|end| call.now < end));
    webhook.secrets.truncate(MOST_SECRETS - 1);
    webhook.secrets.insert(0, new_secret(app, &route.id).await?);
    route.updated_at = call.now;
    app.store.update(&mut route).await?;
    Reply::ok(&view(app, route, Sight::UrlAndSecret).await?)
}

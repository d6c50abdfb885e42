//! `POST /v1/hooks/{id}/rotate`: a new URL. The old one works on, by default for a day, so that no call is lost while
//! the URL is changed at the platform.

use super::{create::new_token, find, view::view};
use crate::rotation::Rotation;
use runtime::{App, Call, Problem, Reply, input, store::hooks::Registration};
use schemars::schema_for;

pub async fn rotate(app: &App, call: Call) -> Result<Reply, Problem> {
    let mut hook = find(app, &call).await?;
    let rotation: Rotation = input::optional_body(&call, &schema_for!(Rotation))?;
    rotation.make_room(&mut hook.tokens, call.now)?;
    hook.tokens.insert(0, new_token(app, &hook.id).await?);
    hook.registration = hook.registration.map(|registration| match registration {
        Registration::Registered { webhook } => Registration::Stale { webhook },
        other => other,
    });
    hook.updated_at = call.now;
    app.store.update(&mut hook).await?;
    app.hooks.forget(&hook.id);
    Reply::ok(&view(app, &call, hook, true).await?)
}

//! `POST /v1/hooks/{id}/rotate`: a new URL. The old one stays valid, by default for a day, so that no call is lost
//! until the URL is changed at the platform.

use super::{create::new_token, find, view::view};
use crate::rotation::Rotation;
use app::App;
use schemars::schema_for;
use store::hooks::Registration;
use web::{Problem, Request, RequestExt as _, Response, input, respond};

pub async fn rotate(app: &App, request: Request) -> Result<Response, Problem> {
    let mut hook = find(app, &request).await?;
    let rotation: Rotation = input::optional_body(&request, &schema_for!(Rotation))?;
    rotation.make_room(&mut hook.tokens, request.now())?;
    hook.tokens.insert(0, new_token(app, &hook.id).await?);
    hook.registration = hook.registration.map(|registration| match registration {
        Registration::Registered { webhook } => Registration::Stale { webhook },
        other => other,
    });
    hook.updated_at = request.now();
    app.store.update(&mut hook).await?;
    app.hooks.forget(&hook.id);
    respond::ok(&view(app, &request, hook, true).await?)
}

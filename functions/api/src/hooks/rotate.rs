//! `POST /v1/hooks/{id}/rotate`: a new URL. The old one stays valid, by default for a day, so that no call is lost
//! until the URL is changed at the platform.

use super::{
    create::new_token,
    view::{HookView, view},
};
use crate::{ADMIN, control, rotation::Rotation};
use app::{App, Route};
use store::hooks::{Hook, Registration};
use web::{Problem, Request, RequestExt as _, Response, input, respond};

pub const ROUTE: Route = Route::post(
    "/v1/hooks/{id}/rotate",
    ADMIN,
    "Give a hook a new URL; the old one stays valid for a grace period",
    |app, request| Box::pin(rotate(app, request)),
)
.may_take::<Rotation>()
.answers::<HookView>();

pub async fn rotate(app: &App, request: Request) -> Result<Response, Problem> {
    let mut hook = control::find::<Hook>(app, &request).await?;
    let rotation: Rotation = input::optional_body(&request)?;
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

//! `DELETE /v1/hooks/{id}`: deregisters the hook at its platform and deletes it, unless routes name it. With `force` it
//! is deleted anyway, and those routes are disabled.

use super::registration;
use crate::{ADMIN, control, references::ATTEMPTS};
use app::{App, Route};
use connector::Registrar;
use flow::own_events;
use models::{HookId, causes};
use std::time::Duration;
use store::{
    StoreError,
    hooks::{Hook, Registration},
    references::Reference,
    routes::{DisabledReason, EventRoute},
};
use tokio::time::timeout;
use web::{Code, Problem, Query, QueryValue, Request, RequestExt as _, Response, respond};

/// Time in which no route can name a hook that is being deregistered. It is longer than the function's timeout.
const CLOSED_SECONDS: u64 = 60;
/// Time limit for the platform in a forced deletion.
const TIMEOUT: Duration = Duration::from_secs(5);

const FORCE: Query = Query {
    name: "force",
    description: "true: delete the hook even if routes use it (they are disabled) or the platform can't be reached.",
    value: QueryValue::OneOf(&["true", "false"]),
};

pub const ROUTE: Route = Route::delete(
    "/v1/hooks/{id}",
    ADMIN,
    "Delete a hook and its registered webhook at the platform; its events stay",
    |app, request| Box::pin(delete(app, request)),
)
.with_query(&[FORCE]);

pub async fn delete(app: &App, request: Request) -> Result<Response, Problem> {
    let force = match request.query("force").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::invalid_query("force", "must be true or false")),
    };
    for _ in 0..ATTEMPTS {
        match try_to_delete(app, control::find::<Hook>(app, &request).await?, force).await {
            // It may have been registered in the meantime, or a route may name it now.
            Err(Failed::Changed) => {}
            Err(Failed::Finally(problem)) => return Err(problem),
            Ok(()) => return Ok(respond::no_content()),
        }
    }
    Err(StoreError::Condition(None).into())
}

enum Failed {
    /// Optimistic-lock conflict: the deletion starts again.
    Changed,
    Finally(Problem),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Condition(_)) { Self::Changed } else { Self::Finally(error.into()) }
    }
}

async fn try_to_delete(app: &App, mut hook: Hook, force: bool) -> Result<(), Failed> {
    let version = app.store.references_version(hook.id.as_str()).await?;
    let routes = routes_of(app, &hook.id).await?;
    let registrar = registry::trigger(&hook.trigger).and_then(|watch| watch.registrar());
    if force {
        disable(app, routes).await?;
    } else if !routes.is_empty() {
        return Err(Failed::Finally(in_use(&routes)));
    }
    match registrar {
        Some(registrar) if force => deregister_if_possible(app, registrar, &hook).await,
        Some(registrar) => deregister(app, registrar, &mut hook, version).await?,
        None => {}
    }
    app.store.remove_unreferenced(&mut hook, version).await?;
    app.hooks.forget(&hook.id);
    Ok(())
}

async fn routes_of(app: &App, hook: &HookId) -> Result<Vec<EventRoute>, StoreError> {
    let mut routes = app.store.readable_routes().await?;
    routes.retain(|route| route.references().contains(&Reference::from(hook)));
    Ok(routes)
}

fn in_use(routes: &[EventRoute]) -> Problem {
    let ids: Vec<&str> = routes.iter().map(|route| route.id.as_str()).collect();
    let detail = format!(
        "in use by these routes: {}; delete them, give them another hook, or repeat with ?force=true, which disables \
         them",
        ids.join(", ")
    );
    Problem::new(Code::HookInUse, detail)
}

/// Disables the enabled ones of these routes, each with an event that reports it.
async fn disable(app: &App, routes: Vec<EventRoute>) -> Result<(), StoreError> {
    for mut route in routes.into_iter().filter(|route| route.enabled) {
        let reason = DisabledReason::HookDeleted;
        (route.enabled, route.disabled_reason, route.updated_at) = (false, Some(reason), app.now());
        let event = own_events::of_disabled(app, &route, reason, None);
        app.store.disable_route(&mut route, None, &event).await?;
    }
    Ok(())
}

/// Deregisters a hook that no route names. No route can name it until it is deleted, or the platform has refused.
async fn deregister(app: &App, registrar: &Registrar, hook: &mut Hook, version: u64) -> Result<(), Failed> {
    app.store.close_references(hook.id.as_str(), version, app.now().plus_seconds(CLOSED_SECONDS)).await?;
    let registered = hook.clone();
    // If the process dies in between, the stored state must not claim a webhook that is gone.
    hook.registration = registered.registration.as_ref().map(|_| Registration::Pending);
    app.store.update(hook).await?;
    let Err(problem) = registration::remove(app, registrar, &registered).await else { return Ok(()) };
    hook.registration = registered.registration;
    let restored = app.store.update(hook).await;
    if let Err(error) = restored.and(app.store.reopen_references(hook.id.as_str()).await) {
        tracing::warn!(
            hook = hook.id.as_str(),
            cause = causes(&error),
            "a hook's state was not restored; it accepts no routes for a minute, or stays pending"
        );
    }
    let advice = "the hook was not deleted; ?force=true deletes it, and you remove its webhook at the platform";
    Err(Failed::Finally(Problem { detail: format!("{}; {advice}", problem.detail), ..problem }))
}

/// Deregisters a hook that is deleted in any case.
async fn deregister_if_possible(app: &App, registrar: &Registrar, hook: &Hook) {
    let problem = match timeout(TIMEOUT, registration::remove(app, registrar, hook)).await {
        Ok(Ok(())) => return,
        Ok(Err(problem)) => problem.code.as_str(),
        Err(_) => "timeout",
    };
    tracing::warn!(
        hook = hook.id.as_str(),
        problem,
        "a deleted hook could not be deregistered; remove its webhook at the platform"
    );
}

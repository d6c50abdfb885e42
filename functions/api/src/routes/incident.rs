//! End of an incident by a change of the route: a failing route becomes healthy, because its failures no longer count.

use app::App;
use flow::own_events::{self, Recovery};
use std::collections::BTreeSet;
use store::{StoreError, health::RouteHealth, references::Reference, routes::EventRoute};
use web::Problem;

/// Retry limit for conflicts with a probe's write.
const ATTEMPTS: usize = 10;

/// Saves a changed route, unless it was changed since it was read. The same write makes a failing route healthy.
pub async fn end(
    app: &App,
    route: &mut EventRoute,
    named: &BTreeSet<Reference>,
    reason: Recovery,
) -> Result<(), StoreError> {
    let mut read_before = None;
    for _ in 0..ATTEMPTS {
        let health: Option<RouteHealth> = app.store.find(route.id.as_str()).await?;
        let version = health.as_ref().map(|health| health.version);
        // If no probe wrote in between, the condition on a reference failed.
        if read_before.replace(version) == Some(version) {
            break;
        }
        let recovered = health.filter(|health| health.failing).map(|health| healthy(app, health));
        let mut changed = route.clone();
        let recovery = recovered.as_ref().map(|health| (health, own_events::of_recovered(app, route, health, reason)));
        let recovery = recovery.as_ref().map(|(health, event)| (*health, event));
        match app.store.save_recovered_route(&mut changed, named, recovery).await {
            Ok(()) => {
                *route = changed;
                return Ok(());
            }
            Err(StoreError::Condition(_)) if is_unchanged(app, route).await? => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Condition(None))
}

/// Deletes a route with its health. A failing one is reported as recovered, because a monitoring tool may wait for the
/// end of the incident.
pub async fn delete(app: &App, route: &EventRoute) -> Result<(), Problem> {
    if route.is_subscription() {
        return Ok(app.store.remove_subscription(&route.id).await?);
    }
    for _ in 0..ATTEMPTS {
        let health: Option<RouteHealth> = app.store.find(route.id.as_str()).await?;
        let recovered = health.clone().filter(|health| health.failing).map(|health| healthy(app, health));
        let event = recovered.map(|health| own_events::of_recovered(app, route, &health, Recovery::Deleted));
        match app.store.delete_route(route, health.as_ref(), event.as_ref()).await {
            Ok(()) => return Ok(()),
            Err(StoreError::Condition(_)) => {
                if app.store.find::<EventRoute>(route.id.as_str()).await?.is_none() {
                    return Ok(());
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Condition(None).into())
}

/// True if a route's failures are all due to its events' content, so that selecting other events ends them.
pub async fn is_by_content(app: &App, route: &EventRoute) -> Result<bool, StoreError> {
    let health: Option<RouteHealth> = app.store.find(route.id.as_str()).await?;
    Ok(health.is_some_and(|health| health.failing && health.by_content))
}

fn healthy(app: &App, health: RouteHealth) -> RouteHealth {
    RouteHealth { failing: false, by_content: false, since: app.now(), ..health }
}

async fn is_unchanged(app: &App, route: &EventRoute) -> Result<bool, StoreError> {
    let found: Option<EventRoute> = app.store.find(route.id.as_str()).await?;
    Ok(found.is_some_and(|found| found.version == route.version))
}

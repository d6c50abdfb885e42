//! Registration of hooks at their platform.

use super::view::{token, url};
use app::{App, connections};
use connector::{Registrar, platform::WebhookRegistration};
use store::{
    StoreError,
    hooks::{Hook, Registration, verification_token},
};
use web::{Code, Problem, Request, Retry};

/// Registers a stored hook at its platform, which calls the hook meanwhile. If the platform refuses it, the hook is
/// deleted.
pub async fn register(app: &App, request: &Request, registrar: &Registrar, hook: &mut Hook) -> Result<(), Problem> {
    let registration = match register_at_platform(app, request, registrar, hook).await {
        Ok(Some(webhook)) => Registration::Registered { webhook },
        Ok(None) => Registration::Manual,
        Err(problem) if problem.retry == Retry::Unknown => return Err(pending(problem, hook)),
        Err(problem) => {
            app.hooks.forget(&hook.id);
            return Err(match app.store.remove_unreferenced(hook, 0).await {
                Ok(()) => with_advice(problem),
                Err(error) => pending(problem, hook).caused_by(error),
            });
        }
    };
    hook.registration = Some(registration);
    let noted = store_registration(app, registrar, hook).await;
    app.hooks.forget(&hook.id);
    noted
}

/// Registers the webhook and returns its id at the platform. If the answer is lost, the platform's webhooks are
/// searched for it.
async fn register_at_platform(
    app: &App,
    request: &Request,
    registrar: &Registrar,
    hook: &Hook,
) -> Result<Option<String>, Problem> {
    let connect = connections::connect(app, &hook.platform, hook.connection.as_str()).await;
    let connection = connect.map_err(Problem::with_nothing_done)?;
    let token = token(app, hook).await.map_err(Problem::with_nothing_done)?;
    let url = url(app, request, hook, &token).map_err(Problem::with_nothing_done)?;
    let webhook = WebhookRegistration { name: hook.name.clone(), url, token: verification_token(&token) };
    match (registrar.register)(app, &connection.credentials, webhook).await {
        Err(problem) if problem.retry == Retry::Unknown => {
            match (registrar.find)(app, &connection.credentials, &hook.id).await {
                Ok(Some(webhook)) => Ok(Some(webhook)),
                // A webhook that is not listed may still be under way.
                _ => Err(problem),
            }
        }
        registered => {
            registered.inspect_err(|problem| connections::evict_rejected(app, hook.connection.as_str(), problem))
        }
    }
}

/// Stores the registration of a hook, which may have been changed or deleted in the meantime.
async fn store_registration(app: &App, registrar: &Registrar, hook: &mut Hook) -> Result<(), Problem> {
    loop {
        match app.store.update(hook).await {
            Err(StoreError::Condition(_)) => match app.store.find::<Hook>(hook.id.as_str()).await {
                Ok(Some(changed)) => *hook = Hook { registration: hook.registration.take(), ..changed },
                Ok(None) => {
                    let gone = "the hook was deleted during its registration";
                    return Err(match remove(app, registrar, hook).await {
                        Ok(()) => Problem::new(Code::Conflict, gone),
                        Err(problem) => {
                            let detail = format!("{gone}; remove its webhook at the platform: {}", problem.detail);
                            Problem { detail, ..problem }
                        }
                    });
                }
                Err(error) => return Err(pending(error.into(), hook)),
            },
            Err(error) => return Err(pending(error.into(), hook)),
            Ok(()) => return Ok(()),
        }
    }
}

/// The problem for a hook whose state at the platform is unknown.
fn pending(problem: Problem, hook: &Hook) -> Problem {
    let reason = if problem.code == Code::StoreUnavailable { "the store is unavailable" } else { &problem.detail };
    let detail =
        format!("{reason}; delete {}, which also removes its webhook at the platform, if there is one", hook.id);
    Problem { detail, ..problem }
}

/// The problem for a hook that the platform refuses, with the most frequent reason.
fn with_advice(problem: Problem) -> Problem {
    if problem.code != Code::PlatformRejected {
        return problem;
    }
    let detail = format!(
        "{}; the platform calls the hook's URL first: check that PUBLIC_URL is this deployment's address",
        problem.detail
    );
    Problem { detail, ..problem }
}

/// Removes a hook's webhook at the platform.
pub async fn remove(app: &App, registrar: &Registrar, hook: &Hook) -> Result<(), Problem> {
    let connect = connections::connect(app, &hook.platform, hook.connection.as_str());
    let (connection, webhook) = match &hook.registration {
        None | Some(Registration::Manual) => return Ok(()),
        Some(Registration::Registered { webhook } | Registration::Stale { webhook }) => {
            (connect.await?, Some(webhook.clone()))
        }
        Some(Registration::Pending) => {
            let connection = connect.await?;
            let webhook = (registrar.find)(app, &connection.credentials, &hook.id).await?;
            (connection, webhook)
        }
    };
    let Some(webhook) = webhook else { return Ok(()) };
    let removed = (registrar.remove)(app, &connection.credentials, webhook).await;
    removed.inspect_err(|problem| connections::evict_rejected(app, hook.connection.as_str(), problem))
}

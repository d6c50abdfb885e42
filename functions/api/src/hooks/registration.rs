//! Telling a platform of a hook, and having it forgotten again.

use super::view::{token, url};
use app::{App, connections};
use connector::{Registrar, platform::Webhook};
use store::{
    StoreError,
    hooks::{Hook, Registration, verification_token},
};
use web::{Code, Problem, Request, Retry};

/// Tells the platform of a hook that is stored: the platform calls it while this runs. A hook that the platform does not
/// take is no hook.
pub async fn register(app: &App, request: &Request, registrar: &Registrar, hook: &mut Hook) -> Result<(), Problem> {
    let registration = match tell(app, request, registrar, hook).await {
        Ok(Some(webhook)) => Registration::Registered { webhook },
        Ok(None) => Registration::Manual,
        Err(problem) if problem.retry == Retry::Unknown => return Err(pending(problem, hook)),
        Err(problem) => {
            app.hooks.forget(&hook.id);
            return Err(match app.store.remove_unreferenced(hook, 0).await {
                Ok(()) => advised(problem),
                Err(error) => pending(problem, hook).caused_by(error),
            });
        }
    };
    hook.registration = Some(registration);
    let noted = note(app, registrar, hook).await;
    app.hooks.forget(&hook.id);
    noted
}

/// The webhook's id at the platform. Where the answer was lost, the platform is asked what it has.
async fn tell(app: &App, request: &Request, registrar: &Registrar, hook: &Hook) -> Result<Option<String>, Problem> {
    let connect = connections::connect(app, &hook.platform, hook.connection.as_str()).await;
    let connection = connect.map_err(Problem::with_nothing_done)?;
    let token = token(app, hook).await.map_err(Problem::with_nothing_done)?;
    let url = url(app, request, hook, &token).map_err(Problem::with_nothing_done)?;
    let webhook = Webhook { name: hook.name.clone(), url, token: verification_token(&token) };
    match (registrar.register)(app, &connection.credentials, webhook).await {
        Err(problem) if problem.retry == Retry::Unknown => {
            match (registrar.find)(app, &connection.credentials, &hook.id).await {
                Ok(Some(webhook)) => Ok(Some(webhook)),
                // That it is not listed yet tells nothing: the platform may still be at it.
                _ => Err(problem),
            }
        }
        told => told.inspect_err(|problem| connections::forget_refused(app, hook.connection.as_str(), problem)),
    }
}

/// Keeps what the platform said of a hook, which may have been changed or deleted meanwhile.
async fn note(app: &App, registrar: &Registrar, hook: &mut Hook) -> Result<(), Problem> {
    loop {
        match app.store.update(hook).await {
            Err(StoreError::Condition(_)) => match app.store.find::<Hook>(hook.id.as_str()).await {
                Ok(Some(changed)) => *hook = Hook { registration: hook.registration.take(), ..changed },
                Ok(None) => {
                    let gone = "the hook was deleted while the platform was told of it";
                    return Err(match remove(app, registrar, hook).await {
                        Ok(()) => Problem::new(Code::Conflict, gone),
                        Err(problem) => {
                            let detail = format!("{gone}, and its webhook there is left to you: {}", problem.detail);
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

/// The problem of a hook that stays, though nobody knows where it stands at the platform.
fn pending(problem: Problem, hook: &Hook) -> Problem {
    let said = if problem.code == Code::StoreUnavailable { "the store could not be reached" } else { &problem.detail };
    let detail = format!("{said}; delete {}, which removes what the platform may have made", hook.id);
    Problem { detail, ..problem }
}

/// The problem of a hook that the platform refuses, with what is most often the reason.
fn advised(problem: Problem) -> Problem {
    if problem.code != Code::PlatformRejected {
        return problem;
    }
    let detail =
        format!("{}; the platform calls the hook's URL first: check that PUBLIC_URL leads here", problem.detail);
    Problem { detail, ..problem }
}

/// Has the platform forget a hook.
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
    removed.inspect_err(|problem| connections::forget_refused(app, hook.connection.as_str(), problem))
}

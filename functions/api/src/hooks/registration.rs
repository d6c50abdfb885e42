//! Telling a platform of a hook, and having it forgotten again.

use super::view::{token, url};
use runtime::{
    App, Call, Problem, Registrar, credentials,
    platform::Webhook,
    store::hooks::{Hook, Registration, verification_token},
};

/// Tells the platform of a hook that is stored: the platform calls it while this runs. A hook that the platform does not
/// take is no hook.
pub async fn register(app: &App, call: &Call, registrar: &Registrar, hook: &mut Hook) -> Result<(), Problem> {
    hook.registration = Some(match told(app, call, registrar, hook).await {
        Ok(Some(webhook)) => Registration::Registered { webhook },
        Ok(None) => Registration::Manual,
        Err(problem) if problem.outcome_unknown => {
            let detail =
                format!("{}; delete {}, which removes what the platform may have made", problem.detail, hook.id);
            return Err(Problem { detail, ..problem });
        }
        Err(problem) => {
            app.store.remove::<Hook>(hook.id.as_str()).await?;
            app.hooks.forget(&hook.id);
            return Err(problem);
        }
    });
    app.store.update(hook).await?;
    app.hooks.forget(&hook.id);
    Ok(())
}

/// The webhook's id at the platform. Where the answer was lost, the platform is asked what it has.
async fn told(app: &App, call: &Call, registrar: &Registrar, hook: &Hook) -> Result<Option<String>, Problem> {
    let connection = credentials::connect(app, &hook.platform, hook.connection.as_str()).await?;
    let url = url(app, call, hook).await?;
    let token = verification_token(&token(app, hook).await?);
    let webhook = Webhook { name: hook.name.clone(), url: url.clone(), token };
    match (registrar.register)(app, &connection.credentials, webhook).await {
        Err(problem) if problem.outcome_unknown => match (registrar.find)(app, &connection.credentials, url).await {
            Ok(Some(webhook)) => Ok(Some(webhook)),
            Ok(None) => Err(Problem { outcome_unknown: false, ..problem }),
            Err(_) => Err(problem),
        },
        told => told,
    }
}

/// Has the platform forget a hook.
pub async fn remove(app: &App, call: &Call, registrar: &Registrar, hook: &Hook) -> Result<(), Problem> {
    let webhook = match &hook.registration {
        None | Some(Registration::Manual) => return Ok(()),
        Some(Registration::Registered { webhook }) => Some(webhook.clone()),
        Some(Registration::Pending) => None,
    };
    let connection = credentials::connect(app, &hook.platform, hook.connection.as_str()).await?;
    let webhook = match webhook {
        Some(webhook) => Some(webhook),
        None => (registrar.find)(app, &connection.credentials, url(app, call, hook).await?).await?,
    };
    match webhook {
        Some(webhook) => (registrar.remove)(app, &connection.credentials, webhook).await,
        None => Ok(()),
    }
}

//! Botmother's External Event. <https://docs.botmother.com/article/42097>

use crate::{
    API_URL,
    credentials::{Credentials, event_url},
};
use connector::{ActionContext, App, Code, Problem, Retry, client::Answer};
use http::{Method, header};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Instant;
use url::Url;

/// The URL of one event.
pub struct Event<'a> {
    app: &'a App,
    url: Url,
    deadline: Instant,
}

/// Botmother's answer. Success means queued, not delivered.
#[derive(Deserialize)]
pub struct Queued {
    result: bool,
    #[serde(default)]
    pub payload: Value,
    pub limits: Option<Value>,
}

impl<'a> Event<'a> {
    pub fn of(context: &ActionContext<'a>) -> Result<Self, Problem> {
        let unusable = |fault: &str| Problem::new(Code::ConnectionUnauthorized, format!("the event URL {fault}"));
        let Credentials { event_url: text } = context.credentials()?;
        let text = text.ok_or_else(|| unusable("is missing: add it to the connection"))?;
        let url = event_url(context.app.config.platforms.url(&API_URL)?, &text).map_err(|fault| unusable(&fault))?;
        Ok(Self { app: context.app, url, deadline: context.deadline })
    }

    /// Sends the event once.
    pub async fn send(&self, body: String) -> Result<Queued, Problem> {
        let http = self.app.http();
        let request = http.request(Method::POST, self.url.clone())?.header(header::ACCEPT, "application/json");
        let request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        let secrets = self.secrets();
        let answer = http.send_before(self.deadline, request).await?.successful(&secrets).map_err(unknown_url)?;
        let queued: Queued = answer.json("Botmother's answer to an event", &secrets)?;
        queued.refusal(&answer, &secrets).map_or(Ok(queued), Err)
    }

    /// The URL, and its parts that are secret.
    fn secrets(&self) -> Vec<&str> {
        let steps = self.url.path_segments().into_iter().flatten().filter(|step| step.len() >= MIN_SECRET);
        [self.url.as_str(), self.url.path()].into_iter().chain(steps).collect()
    }
}

/// Minimum length of a secret path segment; shorter ones are words.
const MIN_SECRET: usize = 9;

/// Turns a 404 into an error of the credentials: the URL itself is the credential.
fn unknown_url(problem: Problem) -> Problem {
    match problem.code {
        Code::NotFound => Problem { code: Code::ConnectionUnauthorized, ..problem },
        _ => problem,
    }
}

impl Queued {
    /// The problem that an answer with a success status reports.
    fn refusal(&self, answer: &Answer, secrets: &[&str]) -> Option<Problem> {
        let exceeded = self.limits.as_ref().is_some_and(|limits| limits["exceeded"] == true);
        let why = match (self.result, exceeded) {
            (true, false) => return None,
            (_, true) => "the limits of the bot's queue are exceeded",
            (false, false) => "Botmother rejected the event",
        };
        let message: String = answer.text(secrets).chars().take(MAX_MESSAGE_CHARS).collect();
        let retry = match (self.result, exceeded) {
            // The event may have been queued all the same.
            (true, _) => Retry::Unknown,
            // The queue will empty.
            (false, true) => Retry::SOON,
            (false, false) => Retry::Never,
        };
        let answer = self.limits.as_ref().map(|limits| Box::new(json!({ "limits": limits })));
        Some(Problem { retry, answer, ..Problem::new(Code::PlatformRejected, format!("{why}: {message}")) })
    }
}

const MAX_MESSAGE_CHARS: usize = 500;

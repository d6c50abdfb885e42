//! ChatBot's API. <https://www.chatbot.com/docs/>

use crate::{API_URL, STORIES_PREFIX, credentials::Credentials};
use connector::{
    ActionContext, App, Code, Problem, Retry, bearer_api::BearerApi, client::Answer, platform::WebhookRegistration,
};
use http::Method;
use models::HookId;
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};
use std::{collections::BTreeMap, time::Instant};

pub struct Client<'a> {
    pub api: BearerApi<'a>,
    stories: &'a str,
}

/// An object of ChatBot's, unchanged, with its id.
pub type Object = Map<String, Value>;

/// A segment. Its other fields are not used.
#[derive(Debug, Deserialize)]
pub struct Segment {
    pub id: String,
    pub name: String,
}

#[derive(Deserialize)]
struct UserPage {
    data: Vec<Object>,
}

#[derive(Deserialize)]
struct KnownWebhook {
    id: String,
    url: Option<String>,
}

/// The status that a body reports.
#[derive(Deserialize)]
struct BodyStatus {
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    code: u16,
}

impl<'a> Client<'a> {
    pub fn new(app: &'a App, credentials: &Value, deadline: Instant) -> Result<Self, Problem> {
        let Credentials { access_token } = Credentials::deserialize(credentials).map_err(Problem::internal)?;
        Self::with_token(app, access_token, deadline)
    }

    pub fn of(context: &ActionContext<'a>) -> Result<Self, Problem> {
        let Credentials { access_token } = context.credentials()?;
        Self::with_token(context.app, access_token, context.deadline)
    }

    fn with_token(app: &'a App, token: String, deadline: Instant) -> Result<Self, Problem> {
        let stories = app.config.platforms.text(&STORIES_PREFIX)?;
        Ok(Self { api: BearerApi::new(app, &API_URL, token, deadline)?, stories })
    }

    /// The same client with an earlier deadline.
    pub fn until(self, deadline: Instant) -> Self {
        Self { api: self.api.until(deadline), ..self }
    }

    /// A page of users, by ChatBot's documented parameters.
    pub async fn users(&self, query: &[(&str, &str)]) -> Result<Vec<Object>, Problem> {
        let answer = self.get(&["users"], query).await?;
        let page: UserPage = answer.json("ChatBot's list of users", &self.api.secrets())?;
        for user in &page.data {
            identified(user, "a user of ChatBot's list")?;
        }
        Ok(page.data)
    }

    pub async fn user(&self, id: &str) -> Result<Object, Problem> {
        let what = "ChatBot's user";
        let user: Object = self.get(&["users", id], &[]).await?.json(what, &self.api.secrets())?;
        identified(&user, what)?;
        Ok(user)
    }

    /// Returns the new user's id.
    pub async fn create_user(&self, user: &Value) -> Result<String, Problem> {
        self.create(&["users"], user).await
    }

    pub async fn update_user(&self, id: &str, attributes: Object) -> Result<(), Problem> {
        self.change(Method::PUT, &["users", id], Some(&json!({ "attributes": attributes }))).await
    }

    pub async fn ban_user(&self, id: &str, banned: bool) -> Result<(), Problem> {
        self.change(Method::PUT, &["users", id, "ban"], Some(&json!({ "banned": banned }))).await
    }

    pub async fn segments(&self) -> Result<Vec<Segment>, Problem> {
        let answer = self.get(&["users", "segments"], &[]).await?;
        answer.json("ChatBot's list of segments", &self.api.secrets())
    }

    /// All stories: ChatBot documents no paging.
    pub async fn stories(&self) -> Result<Vec<Object>, Problem> {
        let answer = self.get(&self.story_path(None), &[]).await?;
        let stories: Vec<Object> = answer.json("ChatBot's list of stories", &self.api.secrets())?;
        for story in &stories {
            identified(story, "a story of ChatBot's list")?;
        }
        Ok(stories)
    }

    /// A story, unparsed: its diagram is nested deeper than serde_json's limit.
    pub async fn story(&self, id: &str) -> Result<Box<RawValue>, Problem> {
        let what = "ChatBot's story";
        let story: Box<RawValue> = self.get(&self.story_path(Some(id)), &[]).await?.json(what, &self.api.secrets())?;
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(story.get()).unwrap_or_default();
        match fields.get("id").map(|id| id.get()) {
            Some(id) if id.starts_with('"') && id != "\"\"" => Ok(story),
            _ => Err(missing_id(what)),
        }
    }

    /// Returns the new story's id.
    pub async fn create_story(&self, story: &Value) -> Result<String, Problem> {
        self.create(&self.story_path(None), story).await
    }

    pub async fn update_story(&self, id: &str, change: &Value) -> Result<(), Problem> {
        self.change(Method::PUT, &self.story_path(Some(id)), Some(change)).await
    }

    pub async fn delete_story(&self, id: &str) -> Result<(), Problem> {
        self.change(Method::DELETE, &self.story_path(Some(id)), None).await
    }

    fn story_path<'b>(&self, id: Option<&'b str>) -> Vec<&'b str>
    where
        'a: 'b,
    {
        let prefix = self.stories.strip_prefix('/').filter(|prefix| !prefix.is_empty());
        prefix.into_iter().chain(["stories"]).chain(id).collect()
    }

    /// Creates a webhook. ChatBot verifies its URL before it answers. None if the API has no webhooks.
    pub async fn create_webhook(&self, webhook: &WebhookRegistration) -> Result<Option<String>, Problem> {
        let WebhookRegistration { name, url, token } = webhook;
        let body = json!({ "name": name, "url": url, "token": token, "headers": [], "auth": {} });
        let answer = self.api.send(Method::POST, &["webhooks"], &[], Some(&body)).await?;
        none_if_missing(id_of(answer, &[self.api.token(), token, last_segment(url)]))
    }

    /// The id of the webhook with the hook's URL.
    pub async fn find_webhook(&self, hook: &HookId) -> Result<Option<String>, Problem> {
        let Some(answer) = none_if_missing(self.get(&["webhooks"], &[]).await)? else { return Ok(None) };
        let known: Vec<KnownWebhook> = answer.json("ChatBot's list of webhooks", &self.api.secrets())?;
        let of_hook = |url: &String| HookId::of_token(last_segment(url)).as_ref() == Some(hook);
        Ok(known.into_iter().find(|webhook| webhook.url.as_ref().is_some_and(of_hook)).map(|webhook| webhook.id))
    }

    /// Deletes a webhook, which may not exist.
    pub async fn delete_webhook(&self, id: &str) -> Result<(), Problem> {
        none_if_missing(self.change(Method::DELETE, &["webhooks", id], None).await).map(drop)
    }

    async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Answer, Problem> {
        successful(self.api.send(Method::GET, path, query, None).await?, &self.api.secrets())
    }

    async fn create(&self, path: &[&str], body: &Value) -> Result<String, Problem> {
        id_of(self.api.send(Method::POST, path, &[], Some(body)).await?, &self.api.secrets())
    }

    async fn change(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<(), Problem> {
        done(self.api.send(method, path, &[], body).await?, &self.api.secrets()).map(drop)
    }
}

/// The answer if it reports success. If its status and its body disagree, the body counts.
fn successful(answer: Answer, secrets: &[&str]) -> Result<Answer, Problem> {
    let answer = answer.successful(secrets)?;
    match body_status(&answer.body) {
        Some(status) if !(200..300).contains(&status) => Err(answer.error_for_status(status, secrets)),
        _ => Ok(answer),
    }
}

/// The status in a body. The creation of a user answers with a list of one object.
fn body_status(body: &[u8]) -> Option<u16> {
    let alone = serde_json::from_slice(body);
    let one = alone.or_else(|_| serde_json::from_slice(body).map(|[one]: [BodyStatus; 1]| one));
    one.ok().map(|BodyStatus { status }| status.code)
}

/// Parses ChatBot's answer to a change: nothing, an object, or a list of one object.
fn done(answer: Answer, secrets: &[&str]) -> Result<Object, Problem> {
    let answer = successful(answer, secrets)?;
    if answer.body.trim_ascii().is_empty() {
        return Ok(Object::new());
    }
    let what = "ChatBot's answer to a change";
    let one = match answer.json(what, secrets)? {
        Value::Array(items) => items.into_iter().next().unwrap_or_default(),
        one => one,
    };
    match one {
        Value::Object(one) => Ok(one),
        _ => Err(unknown_outcome(&format!("{what} is not an object"))),
    }
}

fn id_of(answer: Answer, secrets: &[&str]) -> Result<String, Problem> {
    let done = done(answer, secrets)?;
    match id(&done) {
        "" => Err(unknown_outcome("ChatBot's answer has no id of the new object")),
        id => Ok(id.to_owned()),
    }
}

/// An object's id.
pub fn id(object: &Object) -> &str {
    object.get("id").and_then(Value::as_str).unwrap_or_default()
}

fn identified(object: &Object, what: &str) -> Result<(), Problem> {
    if id(object).is_empty() { Err(missing_id(what)) } else { Ok(()) }
}

fn missing_id(what: &str) -> Problem {
    invalid_answer(&format!("{what} has no text id"))
}

/// None if ChatBot has no such object.
fn none_if_missing<T>(outcome: Result<T, Problem>) -> Result<Option<T>, Problem> {
    match outcome {
        Err(problem) if problem.code == Code::NotFound => Ok(None),
        outcome => outcome.map(Some),
    }
}

/// The position of the token in a hook's URL.
fn last_segment(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

fn invalid_answer(detail: &str) -> Problem {
    Problem::new(Code::PlatformUnavailable, detail)
}

/// An invalid answer to a change, which may have been made.
fn unknown_outcome(detail: &str) -> Problem {
    invalid_answer(detail).retried(Retry::Unknown)
}

//! ChatBot's API. <https://www.chatbot.com/docs/>

use crate::credentials::Credentials;
use http::Method;
use models::HookId;
use runtime::{
    Acting, App, Code, Problem,
    client::{Answer, HttpClient, PATIENCE},
    platform::Webhook,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Instant;
use url::Url;

pub struct Client<'a> {
    http: &'a HttpClient,
    base: &'a Url,
    stories: &'a str,
    token: String,
    deadline: Instant,
}

/// An object of ChatBot's as it is, with its id.
pub type Object = Map<String, Value>;

/// A segment; what else ChatBot tells of it is not used.
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

/// What ChatBot answers to a change. A user's creation is documented to answer with a list of these.
#[derive(Default, Deserialize)]
struct Done {
    id: Option<String>,
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Status {
    code: Option<u16>,
}

impl<'a> Client<'a> {
    pub fn new(app: &'a App, credentials: &Value, deadline: Instant) -> Result<Self, Problem> {
        let Credentials { access_token } = Credentials::deserialize(credentials).map_err(Problem::internal)?;
        Self::with_token(app, access_token, deadline)
    }

    pub fn of(acting: &Acting<'a>) -> Result<Self, Problem> {
        let Credentials { access_token } = acting.credentials()?;
        Self::with_token(acting.app, access_token, acting.deadline)
    }

    fn with_token(app: &'a App, token: String, deadline: Instant) -> Result<Self, Problem> {
        let http = app.http().map_err(Problem::internal)?;
        let (base, stories) = (&app.config.chatbot_api_url, app.config.chatbot_stories_prefix.as_str());
        Ok(Self { http, base, stories, token, deadline })
    }

    /// The same client with less time.
    pub fn until(self, deadline: Instant) -> Self {
        Self { deadline: self.deadline.min(deadline), ..self }
    }

    pub fn secrets(&self) -> [&str; 1] {
        [&self.token]
    }

    /// A page of users, by the parameters that ChatBot documents.
    pub async fn users(&self, query: &[(&str, &str)]) -> Result<Vec<Object>, Problem> {
        let answer = self.send(Method::GET, &["users"], query, None).await?.successful(&self.secrets())?;
        let page: UserPage = answer.json("ChatBot's list of users", &self.secrets())?;
        for user in &page.data {
            identified(user, "a user of ChatBot's list")?;
        }
        Ok(page.data)
    }

    pub async fn user(&self, id: &str) -> Result<Object, Problem> {
        self.object(&["users", id], "ChatBot's user").await
    }

    /// The new user's id.
    pub async fn create_user(&self, user: &Value) -> Result<String, Problem> {
        self.create(&["users"], user).await
    }

    pub async fn update_user(&self, id: &str, attributes: Object) -> Result<(), Problem> {
        self.change(Method::PUT, &["users", id], Some(&json!({ "attributes": attributes }))).await.map(drop)
    }

    pub async fn ban_user(&self, id: &str, banned: bool) -> Result<(), Problem> {
        self.change(Method::PUT, &["users", id, "ban"], Some(&json!({ "banned": banned }))).await.map(drop)
    }

    pub async fn segments(&self) -> Result<Vec<Segment>, Problem> {
        let answer = self.send(Method::GET, &["users", "segments"], &[], None).await?.successful(&self.secrets())?;
        answer.json("ChatBot's list of segments", &self.secrets())
    }

    /// All stories: ChatBot documents no paging of them.
    pub async fn stories(&self) -> Result<Vec<Object>, Problem> {
        let answer = self.send(Method::GET, &self.story_path(None), &[], None).await?.successful(&self.secrets())?;
        let stories: Vec<Object> = answer.json("ChatBot's list of stories", &self.secrets())?;
        for story in &stories {
            identified(story, "a story of ChatBot's list")?;
        }
        Ok(stories)
    }

    pub async fn story(&self, id: &str) -> Result<Object, Problem> {
        self.object(&self.story_path(Some(id)), "ChatBot's story").await
    }

    /// The new story's id.
    pub async fn create_story(&self, story: &Value) -> Result<String, Problem> {
        self.create(&self.story_path(None), story).await
    }

    pub async fn update_story(&self, id: &str, change: &Value) -> Result<(), Problem> {
        self.change(Method::PUT, &self.story_path(Some(id)), Some(change)).await.map(drop)
    }

    pub async fn delete_story(&self, id: &str) -> Result<(), Problem> {
        self.change(Method::DELETE, &self.story_path(Some(id)), None).await.map(drop)
    }

    fn story_path<'b>(&self, id: Option<&'b str>) -> Vec<&'b str>
    where
        'a: 'b,
    {
        let prefix = self.stories.strip_prefix('/').filter(|prefix| !prefix.is_empty());
        prefix.into_iter().chain(["stories"]).chain(id).collect()
    }

    /// Makes a webhook, whose URL ChatBot verifies before it answers; none where the API has no webhooks.
    pub async fn create_webhook(&self, webhook: &Webhook) -> Result<Option<String>, Problem> {
        let Webhook { name, url, token } = webhook;
        let body = json!({ "name": name, "url": url, "token": token, "headers": [], "auth": {} });
        let answer = self.send(Method::POST, &["webhooks"], &[], Some(&body)).await?;
        or_missing(self.id_of(answer, &[&self.token, token, last_step(url)]))
    }

    /// The id of the webhook whose URL is a hook's.
    pub async fn find_webhook(&self, hook: &HookId) -> Result<Option<String>, Problem> {
        let answer = self.send(Method::GET, &["webhooks"], &[], None).await?;
        let Some(answer) = or_missing(answer.successful(&self.secrets()))? else { return Ok(None) };
        let known: Vec<KnownWebhook> = answer.json("ChatBot's list of webhooks", &self.secrets())?;
        let of_hook = |url: &String| HookId::of_token(last_step(url)).as_ref() == Some(hook);
        Ok(known.into_iter().find(|webhook| webhook.url.as_ref().is_some_and(of_hook)).map(|webhook| webhook.id))
    }

    /// Deletes a webhook, which may be gone already.
    pub async fn delete_webhook(&self, id: &str) -> Result<(), Problem> {
        or_missing(self.change(Method::DELETE, &["webhooks", id], None).await).map(drop)
    }

    async fn object(&self, path: &[&str], what: &str) -> Result<Object, Problem> {
        let answer = self.send(Method::GET, path, &[], None).await?.successful(&self.secrets())?;
        let object: Object = answer.json(what, &self.secrets())?;
        identified(&object, what)?;
        Ok(object)
    }

    async fn create(&self, path: &[&str], body: &Value) -> Result<String, Problem> {
        let answer = self.send(Method::POST, path, &[], Some(body)).await?;
        self.id_of(answer, &self.secrets())
    }

    fn id_of(&self, answer: Answer, secrets: &[&str]) -> Result<String, Problem> {
        let done = self.done(answer, secrets)?;
        done.id
            .filter(|id| !id.is_empty())
            .ok_or_else(|| Problem { outcome_unknown: true, ..nonsense("what ChatBot has made, it gives no id of") })
    }

    async fn change(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<Done, Problem> {
        let answer = self.send(method, path, &[], body).await?;
        self.done(answer, &self.secrets())
    }

    /// Reads what ChatBot answers to a change. Where its status and its body's disagree, the body tells.
    fn done(&self, answer: Answer, secrets: &[&str]) -> Result<Done, Problem> {
        let answer = answer.successful(secrets)?;
        if answer.body.is_empty() {
            return Ok(Done::default());
        }
        let what = "what ChatBot answers to a change";
        let one = match answer.json(what, secrets)? {
            Value::Array(items) => items.into_iter().next().unwrap_or_default(),
            one => one,
        };
        let done = if one.is_object() { Done::deserialize(one).ok() } else { None };
        let done =
            done.ok_or_else(|| Problem { outcome_unknown: true, ..nonsense(&format!("{what} is no object")) })?;
        match done.status.as_ref().and_then(|status| status.code) {
            Some(code) if !(200..300).contains(&code) => Err(answer.refusal(code, secrets)),
            _ => Ok(done),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, Problem> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.request(method, url).header("accept", "application/json");
        self.send_request(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// A URL of the API; each step is encoded.
    pub fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut steps) = url.path_segments_mut() {
            steps.pop_if_empty().extend(path);
        }
        url
    }

    pub fn request(&self, method: Method, url: Url) -> runtime::client::RequestBuilder {
        self.http.request(method, url).bearer_auth(&self.token)
    }

    pub async fn send_request(&self, request: runtime::client::RequestBuilder) -> Result<Answer, Problem> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.http.send(request, left.min(PATIENCE)).await
    }
}

/// An object's id.
pub fn id(object: &Object) -> &str {
    object.get("id").and_then(Value::as_str).unwrap_or_default()
}

fn identified(object: &Object, what: &str) -> Result<(), Problem> {
    if id(object).is_empty() { Err(nonsense(&format!("{what} has no id"))) } else { Ok(()) }
}

/// None where ChatBot has nothing of the kind.
fn or_missing<T>(outcome: Result<T, Problem>) -> Result<Option<T>, Problem> {
    match outcome {
        Err(problem) if problem.code == Code::NotFound => Ok(None),
        outcome => outcome.map(Some),
    }
}

/// Where a hook's URL has its token.
fn last_step(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

fn nonsense(detail: &str) -> Problem {
    Problem::new(Code::PlatformUnavailable, detail)
}

//! BotStar's API. <https://apis.botstar.com/docs/>

use crate::{
    API_URL,
    credentials::Credentials,
    id::{Id, Object, identify, text},
};
use connector::{ActionContext, App, Code, Fault, Problem, Retry, bearer_api::BearerApi, client::Answer};
use http::Method;
use serde_json::{Value, json};
use std::time::Instant;

pub struct Client<'a> {
    pub api: BearerApi<'a>,
    /// The connection's bot.
    bot: Option<String>,
}

/// The receipt of a sent message.
pub struct Sent {
    pub recipient_id: String,
    pub message_id: String,
}

/// An item of an entity.
#[derive(Clone, Copy)]
pub struct ItemPath<'p> {
    pub bot: &'p str,
    pub entity: &'p str,
    pub item: &'p str,
}

impl<'a> Client<'a> {
    pub fn of(context: &ActionContext<'a>) -> Result<Self, Problem> {
        Self::new(context.app, context.credentials()?, context.deadline)
    }

    pub fn new(app: &'a App, credentials: Credentials, deadline: Instant) -> Result<Self, Problem> {
        let Credentials { api_token, bot_id } = credentials;
        let token = api_token.ok_or_else(|| {
            let detail = "the connection has no `api_token`: add the token of BotStar's account profile page to it";
            Problem::new(Code::CredentialsMissing, detail)
        })?;
        Ok(Self { api: BearerApi::new(app, &API_URL, token, deadline)?, bot: bot_id })
    }

    /// The bot of a call: the one given, or else the connection's, or else the account's only bot.
    pub async fn bot(&self, given: Option<Id>) -> Result<String, Problem> {
        if let Some(bot) = given.map(|Id(id)| id).or_else(|| self.bot.clone()) {
            return Ok(bot);
        }
        let bots = self.bots().await?;
        let fault = match bots.as_slice() {
            [bot] => return Ok(id(bot)),
            [] => "is required: the token's account has no bot".to_owned(),
            many => format!(
                "is required: the token's account has {} bots. Give the id of one, or add it to the connection as \
                 `bot_id`. botstar.list-bots lists them",
                many.len()
            ),
        };
        Err(Problem::invalid_body(vec![Fault::new("/bot_id", fault)]))
    }

    /// `GET /bots/`, with the slash: the bots of the token's account.
    pub async fn bots(&self) -> Result<Vec<Object>, Problem> {
        self.list(&["bots", ""], &[], "BotStar's list of bots").await
    }

    pub async fn user(&self, bot: &str, user: &str) -> Result<Object, Problem> {
        self.get(&["bots", bot, "users", user], &[], "BotStar's user").await
    }

    /// Sets attributes of a user. BotStar answers with the same attributes.
    pub async fn update_user(&self, bot: &str, user: &str, attributes: Object) -> Result<Object, Problem> {
        let what = "BotStar's answer to a change of a user";
        let path = ["bots", bot, "users", user];
        let Some(answer) = self.change(Method::PATCH, &path, &[], Some(&json!(attributes)), what).await? else {
            return Ok(attributes);
        };
        if attributes.keys().any(|name| answer.contains_key(name)) {
            return Ok(answer);
        }
        if is_success(&answer) { Ok(attributes) } else { Err(unknown_outcome(what, "has none of the attributes")) }
    }

    pub async fn entities(&self, bot: &str, environment: &str) -> Result<Vec<Object>, Problem> {
        self.list(&["bots", bot, "cms_entities"], &[("env", environment)], "BotStar's list of entities").await
    }

    /// A page of an entity's items, by BotStar's documented parameters.
    pub async fn items(&self, bot: &str, entity: &str, query: &[(&str, &str)]) -> Result<Vec<Object>, Problem> {
        self.list(&["bots", bot, "cms_entities", entity, "items"], query, "BotStar's list of items").await
    }

    pub async fn item(&self, path: ItemPath<'_>, environment: &str) -> Result<Object, Problem> {
        self.get(&path.segments(), &[("env", environment)], "BotStar's item").await
    }

    pub async fn create_item(
        &self,
        bot: &str,
        entity: &str,
        environment: &str,
        item: &Value,
    ) -> Result<Object, Problem> {
        let (what, path) = ("BotStar's new item", ["bots", bot, "cms_entities", entity, "items"]);
        let created = self.change(Method::POST, &path, &[("env", environment)], Some(item), what).await?;
        let mut created = created.ok_or_else(|| unknown_outcome(what, "is empty"))?;
        if identify(&mut created) { Ok(created) } else { Err(unknown_outcome(what, "has no id")) }
    }

    pub async fn update_item(&self, path: ItemPath<'_>, environment: &str, change: &Value) -> Result<(), Problem> {
        self.change_item(Method::PATCH, path, environment, Some(change)).await
    }

    pub async fn delete_item(&self, path: ItemPath<'_>, environment: &str) -> Result<(), Problem> {
        self.change_item(Method::DELETE, path, environment, None).await
    }

    /// `POST /messages`.
    pub async fn send_message(&self, message: &Value) -> Result<Sent, Problem> {
        let what = "BotStar's answer to a message";
        let answer = self.change(Method::POST, &["messages"], &[], Some(message), what).await?.unwrap_or_default();
        let field = |name: &str| {
            let missing = || unknown_outcome(what, &format!("has no {name}"));
            answer.get(name).and_then(text).ok_or_else(missing)
        };
        Ok(Sent { recipient_id: field("recipient_id")?, message_id: field("message_id")? })
    }

    async fn change_item(
        &self,
        method: Method,
        path: ItemPath<'_>,
        environment: &str,
        body: Option<&Value>,
    ) -> Result<(), Problem> {
        let what = "BotStar's answer to a change of an item";
        match self.change(method, &path.segments(), &[("env", environment)], body, what).await? {
            Some(answer) if !is_success(&answer) => Err(unknown_outcome(what, "does not report success")),
            _ => Ok(()),
        }
    }

    async fn list(&self, path: &[&str], query: &[(&str, &str)], what: &str) -> Result<Vec<Object>, Problem> {
        let mut items: Vec<Object> = self.read(path, query).await?.json(what, &self.api.secrets())?;
        if items.iter_mut().all(identify) { Ok(items) } else { Err(missing_id(&format!("an entry of {what}"))) }
    }

    async fn get(&self, path: &[&str], query: &[(&str, &str)], what: &str) -> Result<Object, Problem> {
        let mut object: Object = self.read(path, query).await?.json(what, &self.api.secrets())?;
        if identify(&mut object) { Ok(object) } else { Err(missing_id(what)) }
    }

    async fn read(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Answer, Problem> {
        self.api.send(Method::GET, path, query, None).await?.successful(&self.api.secrets())
    }

    /// Makes a change. Returns the answer's object; none for an empty answer.
    async fn change(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
        what: &str,
    ) -> Result<Option<Object>, Problem> {
        let answer = self.api.send(method, path, query, body).await?.successful(&self.api.secrets())?;
        if answer.body.trim_ascii().is_empty() { Ok(None) } else { answer.json(what, &self.api.secrets()).map(Some) }
    }
}

impl<'p> ItemPath<'p> {
    const fn segments(self) -> [&'p str; 6] {
        ["bots", self.bot, "cms_entities", self.entity, "items", self.item]
    }
}

/// The id of an identified object.
pub fn id(object: &Object) -> String {
    object.get("id").and_then(text).unwrap_or_default()
}

/// True for BotStar's answer `{"status": "success"}`.
fn is_success(answer: &Object) -> bool {
    answer.get("status").and_then(Value::as_str) == Some("success")
}

fn missing_id(what: &str) -> Problem {
    Problem::new(Code::PlatformUnavailable, format!("{what} has no id"))
}

/// An invalid answer to a change, which may have been made.
fn unknown_outcome(what: &str, fault: &str) -> Problem {
    Problem::new(Code::PlatformUnavailable, format!("{what} {fault}")).retried(Retry::Unknown)
}

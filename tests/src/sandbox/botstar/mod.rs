//! BotStar's API, as third-party descriptions of <https://apis.botstar.com/docs/> have it. Synthetic, because none of them
//! shows it: every error and its status, limits of texts, and the behaviour of unknown environments.

mod items;
mod users;

use super::{Seen, Shared, lock};
use axum::http::StatusCode;
use items::Entity;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use users::User;

/// The version is part of the base URL.
pub const PREFIX: &str = "/botstar/v1";
pub const TOKEN: &str = "sandbox-token-of-botstar-9876543210";
/// The bot that exists from the start.
pub const BOT_ID: &str = "s13d85634-366f-11f0-8000-000000000001";

type Outcome = Result<Value, Refusal>;

/// Reason for the refusal of a request.
struct Refusal {
    status: StatusCode,
    message: String,
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, message: message.into() }
}

fn missing(what: &str) -> Refusal {
    Refusal { status: StatusCode::NOT_FOUND, message: format!("no such {what}") }
}

struct Bot {
    id: String,
    name: String,
    users: Vec<User>,
    entities: Vec<Entity>,
}

/// State of the simulated platform.
pub struct World {
    /// Gives items their id as `_id`, as a third party saw it.
    pub underscored_ids: bool,
    bots: Vec<Bot>,
    messages: Vec<Value>,
    made: u32,
}

impl World {
    pub fn seeded() -> Self {
        let mut world = Self { underscored_ids: false, bots: Vec::new(), messages: Vec::new(), made: 0 };
        world.add_bot("Coffee bot");
        let bot = &mut world.bots[0];
        bot.users = users::seeded();
        bot.entities = items::seeded();
        world
    }

    /// Adds a bot without users and entities. Returns its id.
    pub fn add_bot(&mut self, name: &str) -> String {
        let id = self.id();
        self.bots.push(Bot { id: id.clone(), name: name.to_owned(), users: Vec::new(), entities: Vec::new() });
        id
    }

    pub fn remove_bots(&mut self) {
        self.bots.clear();
    }

    /// Every message, in order.
    pub fn messages(&self) -> Value {
        json!(self.messages)
    }

    /// Every user.
    pub fn users(&self) -> Value {
        self.bots.iter().flat_map(|bot| &bot.users).map(User::whole).collect()
    }

    /// The id of the first entity.
    pub fn entity_id(&self) -> &str {
        self.bots.iter().flat_map(|bot| &bot.entities).next().map_or("", Entity::id)
    }

    /// The items of all entities in an environment, `draft` or `live`.
    pub fn items(&self, environment: &str) -> Vec<Value> {
        let entities = self.bots.iter().flat_map(|bot| &bot.entities);
        entities.flat_map(|entity| entity.items(environment, self.underscored_ids)).collect()
    }

    /// Adds items to the first entity, in both environments.
    pub fn seed_items(&mut self, count: usize) {
        for _ in 0..count {
            let id = self.id();
            if let Some(entity) = self.bots.iter_mut().flat_map(|bot| &mut bot.entities).next() {
                entity.seed(id);
            }
        }
    }

    fn bot(&mut self, id: &str) -> Result<&mut Bot, Refusal> {
        self.bots.iter_mut().find(|bot| bot.id == id).ok_or_else(|| missing("bot"))
    }

    /// An id in the form of those that a third party saw.
    fn id(&mut self) -> String {
        self.made += 1;
        format!("s13d85634-366f-11f0-8000-{:012}", self.made)
    }

    fn create_bot(&mut self, fields: &Map<String, Value>) -> Outcome {
        let name = fields.get("name").and_then(Value::as_str).filter(|name| (1..=250).contains(&name.len()));
        let name = name.ok_or_else(|| bad("name: must have 1 to 250 characters"))?;
        let id = self.add_bot(name);
        Ok(json!({ "id": id, "name": name }))
    }

    fn send(&mut self, fields: Map<String, Value>) -> Outcome {
        let body = Value::Object(fields);
        let recipient = body["recipient"]["id"].as_str().unwrap_or_default();
        if !body["message"].is_object() {
            return Err(bad("message: must be an object"));
        }
        if !self.bots.iter().flat_map(|bot| &bot.users).any(|user| user.id() == recipient) {
            return Err(missing("recipient"));
        }
        let reply = json!({ "recipient_id": recipient, "message_id": format!("m-{}", self.messages.len() + 1) });
        self.messages.push(body);
        Ok(reply)
    }
}

impl Bot {
    fn whole(&self) -> Value {
        json!({ "id": self.id, "name": self.name, "team_name": "Sandbox" })
    }
}

/// Body of an error. Third-party clients look for `message`.
pub fn error(message: &str) -> Value {
    json!({ "message": message })
}

pub fn authorized(seen: &Seen) -> bool {
    seen.authorization() == Some(&format!("Bearer {TOKEN}"))
}

pub fn answer(shared: &Shared, seen: &Seen) -> (StatusCode, Value) {
    let outcome = if authorized(seen) {
        route(shared, seen)
    } else {
        Err(Refusal { status: StatusCode::UNAUTHORIZED, message: "the API token is wrong".to_owned() })
    };
    match outcome {
        Ok(body) => (StatusCode::OK, body),
        Err(refusal) => (refusal.status, error(&refusal.message)),
    }
}

fn route(shared: &Shared, seen: &Seen) -> Outcome {
    let path = seen.path.trim_start_matches('/').split('/');
    let path: Vec<String> = path.map(|step| percent_decode_str(step).decode_utf8_lossy().into_owned()).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let mut world = lock(&shared.botstar);
    match (seen.method.as_str(), path.as_slice()) {
        ("GET", ["bots", ""]) => Ok(world.bots.iter().map(Bot::whole).collect()),
        ("POST", ["bots", ""]) => world.create_bot(&fields(seen)?),
        ("GET", ["bots", bot]) => Ok(world.bot(bot)?.whole()),
        ("GET", ["bots", bot, "users", user]) => Ok(world.bot(bot)?.user(user)?.whole()),
        ("PATCH", ["bots", bot, "users", user]) => world.bot(bot)?.user(user)?.change(fields(seen)?),
        ("POST", ["messages"]) => world.send(fields(seen)?),
        (_, ["bots", bot, "cms_entities", rest @ ..]) => items::answer(&mut world, seen, bot, rest),
        _ => Err(missing("route")),
    }
}

/// Parsed body, which must be an object.
fn fields<T: DeserializeOwned>(seen: &Seen) -> Result<T, Refusal> {
    let value: Value = serde_json::from_str(&seen.body).map_err(|error| bad(format!("the body: {error}")))?;
    if !value.is_object() {
        return Err(bad("the body: must be an object"));
    }
    T::deserialize(value).map_err(|error| bad(format!("the body: {error}")))
}

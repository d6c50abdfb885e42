//! `/bots/{botId}/cms_entities`. That an item without a version in an environment is missing there is synthetic.

use super::{Outcome, Refusal, Seen, World, bad, fields, missing};
use axum::http::Method;
use serde_json::{Map, Value, json};

const ENVIRONMENTS: [&str; 2] = ["draft", "live"];
const DEFAULT_LIMIT: usize = 100;

pub struct Entity {
    id: String,
    name: String,
    items: Vec<Item>,
}

struct Item {
    id: String,
    /// The item in each environment of [`ENVIRONMENTS`].
    versions: [Option<Map<String, Value>>; 2],
}

/// Entities of the first bot.
pub fn seeded() -> Vec<Entity> {
    let entity = |id: &str, name: &str| Entity { id: id.to_owned(), name: name.to_owned(), items: Vec::new() };
    let mut drinks = entity("e-1", "Drinks");
    for number in 1..=3 {
        drinks.seed(format!("i-{number}"));
    }
    vec![drinks, entity("e-2", "Shops")]
}

impl Entity {
    pub fn id(&self) -> &str {
        &self.id
    }

    fn whole(&self) -> Value {
        let field = |unique_name: &str, name: &str, data_type: &str| json!({ "unique_name": unique_name, "name": name, "data_type": data_type });
        let fields = [field("price", "Price", "text"), field("sizes", "Sizes", "multiple_values")];
        json!({ "id": self.id, "name": self.name, "fields": fields })
    }

    /// Adds an item to both environments.
    pub fn seed(&mut self, id: String) {
        let fields = json!({
            "name": format!("Drink {}", self.items.len() + 1), "status": "enabled", "price": "2.50", "sizes": ["S", "L"],
        });
        let version = fields.as_object().cloned();
        self.items.push(Item { id, versions: [version.clone(), version] });
    }

    pub fn items(&self, environment: &str, underscored: bool) -> Vec<Value> {
        let at = ENVIRONMENTS.iter().position(|known| *known == environment).unwrap_or_default();
        self.items.iter().filter_map(|item| item.whole(at, underscored)).collect()
    }
}

impl Item {
    fn whole(&self, at: usize, underscored: bool) -> Option<Value> {
        let mut fields = Map::new();
        fields.insert(if underscored { "_id" } else { "id" }.to_owned(), json!(self.id));
        fields.extend(self.versions[at].clone()?);
        Some(Value::Object(fields))
    }
}

/// The query of a request.
struct Query {
    environments: Vec<usize>,
    page: usize,
    limit: usize,
    name: Option<String>,
    status: Option<String>,
}

impl Query {
    fn read(seen: &Seen) -> Result<Self, Refusal> {
        let mut query = Self { environments: Vec::new(), page: 1, limit: DEFAULT_LIMIT, name: None, status: None };
        for (name, value) in form_urlencoded::parse(seen.query.as_bytes()) {
            let positive =
                || value.parse().ok().filter(|n| *n > 0).ok_or_else(|| bad(format!("{name}: is not positive")));
            match &*name {
                "env" => query.environments = environments(seen, &value)?,
                "page" => query.page = positive()?,
                "limit" => query.limit = positive()?,
                "name" => query.name = Some(value.into_owned()),
                "status" => query.status = Some(value.into_owned()),
                _ => return Err(bad(format!("{name}: is an unknown parameter"))),
            }
        }
        Ok(query)
    }

    fn page(&self, items: Vec<Value>) -> Value {
        let is = |item: &Value, name: &str, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| item[name] == wanted.as_str())
        };
        let found = items.into_iter().filter(|item| is(item, "name", &self.name) && is(item, "status", &self.status));
        found.skip((self.page - 1).saturating_mul(self.limit)).take(self.limit).collect()
    }
}

/// The places of the environments that `env` names. Reads take one, writes `draft` or both.
fn environments(seen: &Seen, env: &str) -> Result<Vec<usize>, Refusal> {
    match (env, seen.method == Method::GET) {
        ("draft", _) => Ok(vec![0]),
        ("live", true) => Ok(vec![1]),
        ("draft,live", false) => Ok(vec![0, 1]),
        _ => Err(bad("env: must be draft or live to read, draft or draft,live to change")),
    }
}

pub fn answer(world: &mut World, seen: &Seen, bot: &str, path: &[&str]) -> Outcome {
    let query = Query::read(seen)?;
    let (underscored, id) = (world.underscored_ids, world.id());
    let at = query.environments.clone();
    let first = *at.first().ok_or_else(|| bad("env: is missing"))?;
    let bot = world.bot(bot)?;
    let entity = |bot: &'_ mut super::Bot, id: &str| bot.entities.iter().position(|entity| entity.id == id);
    let whole = |item: &Item| item.whole(first, underscored).ok_or_else(|| missing("item"));
    match (seen.method.as_str(), path) {
        ("GET", []) => Ok(bot.entities.iter().map(Entity::whole).collect()),
        (method, [id_of_entity, rest @ ..]) => {
            let place = entity(bot, id_of_entity).ok_or_else(|| missing("entity"))?;
            let entity = &mut bot.entities[place];
            match (method, rest) {
                ("GET", []) => Ok(entity.whole()),
                ("GET", ["items"]) => Ok(query.page(entity.items(ENVIRONMENTS[first], underscored))),
                ("POST", ["items"]) => {
                    let new = checked(fields(seen)?, true)?;
                    let mut item = Item { id, versions: [None, None] };
                    at.iter().for_each(|at| item.versions[*at] = Some(new.clone()));
                    entity.items.push(item);
                    entity.items.last().map_or_else(|| Err(missing("item")), whole)
                }
                (method, ["items", id]) => {
                    let item = entity.items.iter_mut().find(|item| item.id == *id);
                    let item = item.filter(|item| item.versions[first].is_some()).ok_or_else(|| missing("item"))?;
                    match method {
                        "GET" => return whole(item),
                        "PATCH" => {
                            let change: Map<String, Value> = checked(fields(seen)?, false)?;
                            for at in at {
                                item.versions[at].get_or_insert_default().extend(change.clone());
                            }
                        }
                        "DELETE" => at.into_iter().for_each(|at| item.versions[at] = None),
                        _ => return Err(missing("route")),
                    }
                    entity.items.retain(|item| item.versions.iter().any(Option::is_some));
                    Ok(json!({ "status": "success" }))
                }
                _ => Err(missing("route")),
            }
        }
        _ => Err(missing("route")),
    }
}

/// Checks an item's fields: the name and the status are texts, the others texts or lists of texts.
fn checked(fields: Map<String, Value>, is_new: bool) -> Result<Map<String, Value>, Refusal> {
    if is_new && !fields.contains_key("name") {
        return Err(bad("name: is missing"));
    }
    for (name, value) in &fields {
        let is_text = match value {
            Value::String(text) => name != "status" || matches!(text.as_str(), "enabled" | "disabled"),
            Value::Array(items) => !matches!(name.as_str(), "name" | "status") && items.iter().all(Value::is_string),
            _ => false,
        };
        if !is_text {
            return Err(bad(format!("{name}: has a wrong type")));
        }
    }
    Ok(fields)
}

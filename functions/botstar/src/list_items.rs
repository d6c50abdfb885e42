//! `botstar.list-items`: `GET /bots/{botId}/cms_entities/{entityId}/items`. BotStar numbers its pages from 1.

use crate::{
    client::Client,
    entity::{self, Environment, Status},
    id::Id,
};
use connector::{
    ActionContext, Fault, Problem, action,
    list::{self, List},
};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::{Value, json};

const DEFAULT_LIMIT: usize = 20;

action! {
    platform: "botstar",
    name: "list-items",
    label: "List CMS Items",
    description: "Lists an entity's items, optionally by name and status.",
    effect: Safe,
    input: Input,
    check: check,
    records: None,
    output: output,
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    entity_id: Id,
    /// Only items with this name, as BotStar compares names.
    #[schemars(length(min = 1, max = 1000))]
    name: Option<String>,
    status: Option<Status>,
    /// Size of a page. Default: 20, or that of the page before.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
    /// Start of the page: the `next` of the previous call.
    #[schemars(regex(pattern = "^[1-9][0-9]{0,8}x([1-9][0-9]?|100)$"))]
    after: Option<String>,
    /// Default: the connection's bot, or else the account's only bot.
    bot_id: Option<Id>,
    environment: Option<Environment>,
}

/// A page of a list.
struct Page {
    number: u32,
    limit: usize,
}

impl Page {
    /// Parses an `after`: the page's number and its limit. Another limit would begin the page elsewhere.
    fn parse(after: &str) -> Option<Self> {
        let (number, limit) = after.split_once('x')?;
        Some(Self { number: number.parse().ok()?, limit: limit.parse().ok()? })
    }

    fn next(&self) -> String {
        format!("{}x{}", self.number + 1, self.limit)
    }
}

fn check(input: &Value) -> Vec<Fault> {
    let after = input["after"].as_str().and_then(Page::parse);
    match (after, input["limit"].as_u64()) {
        (Some(page), Some(limit)) if page.limit as u64 != limit => {
            let detail = format!("must be {}, as for the page before, or left out", page.limit);
            vec![Fault::new("/limit", detail)]
        }
        _ => Vec::new(),
    }
}

fn output() -> Schema {
    let next = json!({
        "type": ["string", "null"],
        "description": "The `after` of the next call; null after a page that is not full.",
    });
    list::schema(&entity::item_schema(), &next)
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<List, Problem> {
    let client = Client::of(&context)?;
    let bot = client.bot(input.bot_id).await?;
    let first = || Page { number: 1, limit: input.limit.unwrap_or(DEFAULT_LIMIT) };
    let page = input.after.as_deref().and_then(Page::parse).unwrap_or_else(first);
    let (number, limit) = (page.number.to_string(), page.limit.to_string());
    let query = [
        ("env", Some(input.environment.unwrap_or_default().as_str())),
        ("page", Some(&number)),
        ("limit", Some(&limit)),
        ("name", input.name.as_deref()),
        ("status", input.status.map(Status::as_str)),
    ];
    let query: Vec<_> = query.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let items = client.items(&bot, &input.entity_id.0, &query).await?;
    let next = (items.len() >= page.limit).then(|| page.next());
    Ok(List { items, next })
}

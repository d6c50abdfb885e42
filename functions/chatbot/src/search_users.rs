//! `chatbot.search-users`: `GET /users`, page by page, 40 users each. ChatBot's syntax for filters is not public, so
//! they are applied to its list.

use crate::{
    client::{Client, id},
    filters::{self, Filter, FilterField, Match},
    user,
};
use connector::{
    ActionContext, Code, Problem, action,
    list::{self, List},
};
use models::Fault;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::json;
use std::time::{Duration, Instant};

/// ChatBot's page size.
const PAGE: usize = 40;
const DEFAULT_LIMIT: usize = 20;
/// Page limit of a filtered search.
const MAX_PAGES: usize = 25;
const FILTERING_TIME: Duration = Duration::from_secs(10);

action! {
    platform: "chatbot",
    name: "search-users",
    label: "Search Users",
    description: "Lists users, newest first by default, optionally filtered. Filters are applied to ChatBot's list: at \
                  most 25 pages of 40 users or 10 seconds per call; `next` continues.",
    effect: Safe,
    input: Input,
    check: filters::check,
    records: None,
    output: output,
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    /// Start of the page: the `next` of the previous call, which is the id of the last user seen.
    #[schemars(length(min = 1, max = 64))]
    after: Option<String>,
    /// Sort field.
    field: Option<Field>,
    order: Option<Order>,
    /// Combination of the filters: all or any must match.
    #[serde(rename = "match")]
    join: Option<Match>,
    #[schemars(length(max = 5))]
    filters: Option<Vec<Filter>>,
    /// Largest number of users. Default: 20.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Field {
    CreatedAt,
    LastSeen,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Order {
    Asc,
    Desc,
}

fn output() -> Schema {
    let next = json!({ "type": ["string", "null"], "description": "The `after` of the next call; null at the end." });
    list::schema(&user::schema(), &next)
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<List, Problem> {
    let filters = input.filters.as_deref().unwrap_or_default();
    refuse_segments(filters)?;
    let (limit, filtered) = (input.limit.unwrap_or(DEFAULT_LIMIT), !filters.is_empty());
    let mut client = Client::of(&context)?;
    if filtered {
        client = client.until(Instant::now() + FILTERING_TIME);
    }
    let (mut items, mut after) = (Vec::new(), input.after.clone());
    for page in 0..MAX_PAGES {
        let wanted = if filtered { PAGE } else { PAGE.min(limit - items.len()) };
        let users = match client.users(&parameters(&input, after.as_deref(), &wanted.to_string())).await {
            Ok(users) => users,
            // Users found so far are returned; the next call may succeed.
            Err(problem) if filtered && page > 0 && is_passing(problem.code) => break,
            Err(problem) => return Err(problem),
        };
        if users.last().is_some_and(|last| after.as_deref() == Some(id(last))) {
            return Err(Problem::new(Code::PlatformUnavailable, "ChatBot's list of users repeats a page"));
        }
        let count = users.len();
        for (index, user) in users.into_iter().enumerate() {
            after = Some(id(&user).to_owned());
            if filters::take(filters, input.join.unwrap_or_default(), &user) {
                items.push(user);
            }
            if items.len() == limit {
                let ended = count < wanted && index + 1 == count;
                return Ok(List { items, next: after.filter(|_| !ended) });
            }
        }
        if count < wanted {
            return Ok(List { items, next: None });
        }
    }
    Ok(List { items, next: after })
}

const fn is_passing(code: Code) -> bool {
    matches!(code, Code::PlatformTimeout | Code::PlatformSlowDown | Code::PlatformUnavailable)
}

/// ChatBot's list does not contain users' segments.
fn refuse_segments(filters: &[Filter]) -> Result<(), Problem> {
    let segments = filters.iter().enumerate().filter(|(_, filter)| filter.kind == FilterField::Segment);
    let errors: Vec<Fault> = segments
        .map(|(index, _)| {
            Fault::new(
                format!("/filters/{index}/type"),
                "can't be applied: ChatBot's list does not contain users' segments",
            )
        })
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    let detail = "ChatBot's syntax for filters by segment is not public, and its list does not contain users' segments";
    Err(Problem { errors, ..Problem::new(Code::FilterUnsupported, detail) })
}

/// The parameters of a page, by ChatBot's names. The bracket syntax of nested ones is inferred.
fn parameters<'a>(input: &Input, after: Option<&'a str>, limit: &'a str) -> Vec<(&'static str, &'a str)> {
    let field = input.field.as_ref().map(|field| match field {
        Field::CreatedAt => "createdAt",
        Field::LastSeen => "lastSeen",
    });
    let order = input.order.as_ref().map(|order| match order {
        Order::Asc => "asc",
        Order::Desc => "desc",
    });
    let join = input.join.map(|join| match join {
        Match::All => "all",
        Match::Any => "any",
    });
    let optional = [("after", after), ("sort[field]", field), ("sort[order]", order), ("match", join)];
    let given = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
    [("limit", limit)].into_iter().chain(given).collect()
}

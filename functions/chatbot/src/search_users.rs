//! `chatbot.search-users`: `GET /users`, which serves 40 at a time, page by page. How ChatBot writes filters is not
//! public, so they are applied to what it lists.

use crate::{client::{Client, id}, filters::{self, Filter, Kind, Match}, list::{self, List}, user};
use connector::{ActionContext, Code, Problem, action};
use models::Fault;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::json;
use std::time::{Duration, Instant};

/// The most that ChatBot gives at once.
const PAGE: usize = 40;
const DEFAULT_LIMIT: usize = 20;
/// How far a filtered search reads.
const MOST_PAGES: usize = 25;
const FILTERING_TIME: Duration = Duration::from_secs(10);

action! {
    platform: "chatbot",
    name: "search-users",
    label: "Search Users",
    description: "Lists users, newest first or as asked, and by filters. Filters are applied to what ChatBot lists: at \
                  most 25 pages of 40 users or 10 seconds a request, then `next` goes on.",
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
    /// Where to go on: the `next` of the call before, which is the id of the last user seen.
    #[schemars(length(min = 1, max = 64))]
    after: Option<String>,
    /// What to sort by.
    field: Option<Field>,
    order: Option<Order>,
    /// Whether all filters have to hold, or any.
    #[serde(rename = "match")]
    join: Option<Match>,
    #[schemars(length(max = 5))]
    filters: Option<Vec<Filter>>,
    /// How many users at most; 20 if left out.
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
    let next = json!({ "type": ["string", "null"], "description": "Goes back in as `after`; null at the end." });
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
    for page in 0..MOST_PAGES {
        let wanted = if filtered { PAGE } else { PAGE.min(limit - items.len()) };
        let users = match client.users(&parameters(&input, after.as_deref(), &wanted.to_string())).await {
            Ok(users) => users,
            // What was found so far is answered; the next call may fare better.
            Err(problem) if filtered && page > 0 && is_passing(problem.code) => break,
            Err(problem) => return Err(problem),
        };
        if users.last().is_some_and(|last| after.as_deref() == Some(id(last))) {
            return Err(Problem::new(Code::PlatformUnavailable, "ChatBot's list of users does not go on"));
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

/// A user of ChatBot's list doesn't tell its segments.
fn refuse_segments(filters: &[Filter]) -> Result<(), Problem> {
    let segments = filters.iter().enumerate().filter(|(_, filter)| filter.kind == Kind::Segment);
    let errors: Vec<Fault> = segments
        .map(|(index, _)| Fault::new(format!("/filters/{index}/type"), "can't be applied: users carry no segments"))
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    let detail = "how ChatBot filters by segment is not public, and the users that it lists carry none";
    Err(Problem { errors, ..Problem::new(Code::FilterUnsupported, detail) })
}

/// The parameters of a page, by ChatBot's names. That nested ones are written in brackets is inferred.
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

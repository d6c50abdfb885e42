//! `chatbot.create-user`: `POST /users`. Segments are given by id or by name; names are looked up first.

use crate::{
    client::Client,
    user::{self, Attributes},
};
use connector::{ActionContext, Problem, Retry, action};
use models::{Fault, clock::random};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::json;

action! {
    platform: "chatbot",
    name: "create-user",
    label: "Create a User",
    description: "Creates a user, with your own id or a generated one.",
    effect: NotIdempotent,
    input: Input,
    check: user::check,
    records: None,
    output: || schema_for!(Output),
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    /// Your own id for the user. Default: a random UUID.
    #[schemars(length(min = 1, max = 256))]
    custom_user_id: Option<String>,
    /// Segments of the user, each by its id or its name.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 256)))]
    segments: Option<Vec<String>>,
    #[serde(flatten)]
    attributes: Attributes,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// ChatBot's id of the user, for `user_id` of other actions.
    id: String,
    custom_user_id: String,
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<Output, Problem> {
    let client = Client::of(&context)?;
    let custom_user_id = match input.custom_user_id {
        Some(id) => id,
        None => uuid::Builder::from_random_bytes(random()?).into_uuid().to_string(),
    };
    let mut user = json!({ "userId": custom_user_id, "attributes": input.attributes.into_wire() });
    if let Some(segments) = input.segments {
        user["segments"] = json!(segment_ids(&client, segments).await?);
    }
    let id = client.create_user(&user).await.map_err(|problem| match problem.retry {
        Retry::Unknown => {
            Problem { detail: format!("{}; look for the user {custom_user_id} at ChatBot", problem.detail), ..problem }
        }
        _ => problem,
    })?;
    Ok(Output { id, custom_user_id })
}

/// The ids of segments that are given by id or by name.
async fn segment_ids(client: &Client<'_>, given: Vec<String>) -> Result<Vec<String>, Problem> {
    if given.iter().all(|segment| is_id(segment)) {
        return Ok(given);
    }
    let known = client.segments().await?;
    let (mut ids, mut faults) = (Vec::new(), Vec::new());
    for (index, segment) in given.into_iter().enumerate() {
        let mut named = known.iter().filter(|known| known.name == segment);
        match (is_id(&segment), named.next(), named.next()) {
            (true, ..) => ids.push(segment),
            (false, Some(one), None) => ids.push(one.id.clone()),
            (false, Some(_), Some(_)) => {
                faults.push(Fault::new(format!("/segments/{index}"), "is the name of several segments; give an id"));
            }
            (false, None, _) => {
                faults.push(Fault::new(format!("/segments/{index}"), "must be the id or the name of a segment"));
            }
        }
    }
    if !faults.is_empty() {
        return Err(Problem::invalid_body(faults));
    }
    ids.sort();
    ids.dedup();
    Ok(ids)
}

/// True for a text in the form of ChatBot's ids.
fn is_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

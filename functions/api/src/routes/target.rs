//! A route's target: parsed and sealed.

use crate::connections;
use app::{App, connections::check_platform};
use models::{Effect, Fault, RouteId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use store::routes::{ActionTarget, AwsTarget, SealedSecret, Target, WebhookTarget};
use web::Problem;
use webhook::guard::{Guard, Refusal};

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct NewWebhook {
    #[serde(rename = "type")]
    #[schemars(extend("const" = "webhook"))]
    _type: String,
    #[schemars(length(min = 1, max = 2048))]
    url: String,
    #[serde(default)]
    #[schemars(extend("maxProperties" = 20, "additionalProperties" = { "type": "string", "maxLength": 4096 }))]
    headers: BTreeMap<String, String>,
    #[schemars(extend("maxProperties" = 50))]
    body: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct NewAction {
    #[serde(rename = "type")]
    #[schemars(extend("const" = "action"))]
    _type: String,
    action: String,
    #[schemars(extend("format" = "connection-id"))]
    connection: String,
    #[schemars(extend("maxProperties" = 50))]
    input: BTreeMap<String, String>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct NewAws {
    #[serde(rename = "type")]
    #[schemars(extend("const" = "aws"))]
    _type: String,
    /// An event bus, a queue, a topic, a state machine or a function that the deployment's `AWS_TARGETS` lists.
    #[schemars(length(min = 1, max = 400))]
    arn: String,
    #[schemars(extend("maxProperties" = 50))]
    input: Option<BTreeMap<String, String>>,
    /// A CEL expression for the message group. Required for a FIFO queue or topic, and for no other target.
    group: Option<String>,
}

/// Parses a target that was checked. A webhook keeps its secrets.
pub async fn read(
    app: &App,
    route: &RouteId,
    fields: Map<String, Value>,
    secrets: Vec<SealedSecret>,
) -> Result<Target, Problem> {
    match fields["type"].as_str() {
        Some("webhook") => webhook(app, route, typed(fields)?, secrets).await.map(Target::Webhook),
        Some("aws") => typed(fields).map(aws),
        _ => action(app, typed(fields)?).await.map(Target::Action),
    }
}

/// Parses the target of a draft: nothing is sealed or stored, and its own headers are left out.
pub async fn unsealed(app: &App, fields: Map<String, Value>) -> Result<Target, Problem> {
    match fields["type"].as_str() {
        Some("webhook") => {
            let NewWebhook { url, headers, body, .. } = typed(fields)?;
            let header_names = headers.into_keys().collect();
            Ok(Target::Webhook(WebhookTarget { url, headers: None, header_names, body, secrets: Vec::new() }))
        }
        Some("aws") => typed(fields).map(aws),
        _ => action(app, typed(fields)?).await.map(Target::Action),
    }
}

fn aws(NewAws { arn, input, group, .. }: NewAws) -> Target {
    Target::Aws(AwsTarget { arn, input, group })
}

fn typed<T: for<'de> Deserialize<'de>>(fields: Map<String, Value>) -> Result<T, Problem> {
    serde_json::from_value(Value::Object(fields)).map_err(Problem::internal)
}

async fn webhook(
    app: &App,
    route: &RouteId,
    new: NewWebhook,
    secrets: Vec<SealedSecret>,
) -> Result<WebhookTarget, Problem> {
    let guard = Guard::new(app.config.delivery_allow_cidrs.clone());
    let refused = |refusal: Refusal| Problem::invalid_body(vec![Fault::new("/target/url", refusal.to_string())]);
    let url = guard.check_url(&new.url).map_err(refused)?;
    guard.resolve(&url).await.map_err(refused)?;
    let secrets = if secrets.is_empty() { vec![new_secret(app, route).await?] } else { secrets };
    let headers = match new.headers.is_empty() {
        true => None,
        false => {
            let headers: BTreeMap<&str, &str> =
                new.headers.iter().map(|(name, value)| (name.as_str(), webhook::trimmed(value))).collect();
            let text = serde_json::to_string(&headers).map_err(Problem::internal)?;
            Some(app.sealer()?.seal(route.as_str(), &text).await?)
        }
    };
    let header_names = new.headers.into_keys().collect();
    Ok(WebhookTarget { url: url.into(), headers, header_names, body: new.body, secrets })
}

async fn action(app: &App, new: NewAction) -> Result<ActionTarget, Problem> {
    let NewAction { action, connection, input, .. } = new;
    let connection = connections::by_id(app, &connection).await?;
    check_platform(&connection.platform, action.split('.').next().unwrap_or_default())?;
    let effect = registry::actions().find(|known| known.name == action).map(|known| known.effect);
    let keyed = effect.is_some_and(|effect| effect != Effect::Safe);
    Ok(ActionTarget { action, keyed, effect, connection: connection.id, input })
}

/// Creates a secret for a route's webhook.
pub async fn new_secret(app: &App, route: &RouteId) -> Result<SealedSecret, Problem> {
    let secret = webhook::Secret::new().map_err(Problem::internal)?;
    Ok(SealedSecret { sealed: app.sealer()?.seal(route.as_str(), &secret.to_text()).await?, expires_at: None })
}

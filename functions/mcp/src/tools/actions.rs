//! Actions as tools. Each runs in its own function, which checks the input and opens the connection.

use super::{Hints, invoked::invoke};
use app::{App, functions::function_of};
use models::{Action, Effect, Module, ModuleKind, fingerprint};
use serde_json::{Map, Value};
use web::{Problem, Request, RequestExt as _, Retry};

const KEY_FIELD: &str = "idempotency_key";
/// Longest idempotency key, in bytes.
const MAX_KEY: usize = 255;

pub struct ActionTool {
    pub module: &'static Module,
    action: &'static Action,
}

/// The actions, except those that call any path of a platform's API.
pub fn all() -> impl Iterator<Item = ActionTool> {
    registry::modules().filter_map(|(_, module)| match module.kind {
        ModuleKind::Action(action) if action.effect != Effect::OfMethod => Some(ActionTool { module, action }),
        ModuleKind::Action(_) | ModuleKind::Trigger { .. } => None,
    })
}

impl ActionTool {
    pub fn name(&self) -> String {
        self.action.name.replace(['.', '-'], "_")
    }

    pub fn hints(&self) -> Hints {
        let effect = self.action.effect;
        Hints {
            is_read_only: effect == Effect::Safe,
            is_destructive: effect == Effect::Idempotent,
            is_idempotent: effect.is_repeatable(),
            is_open_world: true,
        }
    }

    pub async fn run(&self, app: &App, request: &Request, mut input: Map<String, Value>) -> Result<Value, Problem> {
        self.scope_key(request, &mut input);
        let input = serde_json::to_vec(&input).map_err(Problem::internal)?;
        let output = invoke(app, &function_of(self.action.name), input).await?;
        serde_json::from_slice(&output).map_err(|error| Problem::internal(error).retried(Retry::Done))
    }

    /// Binds the idempotency key to the caller's API key, because all invocations of an action share one scope. A call
    /// that must not be done twice always has a key, because the invocation may be repeated.
    fn scope_key(&self, request: &Request, input: &mut Map<String, Value>) {
        let caller = request.key().map_or("", |key| key.id.as_str());
        let scoped = match input.get(KEY_FIELD) {
            // The action's own function rejects any other.
            Some(Value::String(key)) if is_key(key) && self.action.effect != Effect::Safe => {
                format!("mcp {caller} key {key}")
            }
            None | Some(Value::Null) if self.action.effect == Effect::NotIdempotent => {
                format!("mcp {caller} request {}", request.request_id())
            }
            _ => return,
        };
        input.insert(KEY_FIELD.to_owned(), fingerprint(&scoped).into());
    }
}

fn is_key(key: &str) -> bool {
    (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

//! Definition of a module: written once, beside its code. The catalogue, the OpenAPI document and the tests read it.

use payload::mapping::{Field, Reading, identity};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::iter;

/// Definition of a module for the catalogue, forms and documents.
#[derive(Debug, Clone, Copy)]
pub struct Module {
    pub label: &'static str,
    pub description: &'static str,
    pub kind: ModuleKind,
    /// JSON Schema of the event, or of the action's output.
    pub output: fn() -> Schema,
}

#[derive(Debug, Clone, Copy)]
pub enum ModuleKind {
    Trigger {
        trigger: &'static Trigger,
        /// Steps at the platform that register the hook's URL.
        setup: &'static str,
        /// A body to try the hook with, as JSON. It is synthetic if no document of the platform gives one.
        sample: &'static str,
        /// JSON Schema of the hook's settings.
        settings: fn() -> Schema,
    },
    Action(&'static Action),
}

impl Module {
    pub const fn name(&self) -> &'static str {
        match self.kind {
            ModuleKind::Trigger { trigger, .. } => trigger.name,
            ModuleKind::Action(action) => action.name,
        }
    }

    /// JSON Schema of a hook's settings, or of an action's input.
    pub const fn input(&self) -> fn() -> Schema {
        match self.kind {
            ModuleKind::Trigger { settings, .. } => settings,
            ModuleKind::Action(action) => action.input,
        }
    }
}

/// Definition of a trigger for receiving calls.
#[derive(Debug, Clone, Copy)]
pub struct Trigger {
    /// `<platform>.<verb-noun>`.
    pub name: &'static str,
    pub platform: &'static str,
    /// The route without the token: `/hooks/<platform>/<noun>`.
    pub path: &'static str,
    pub event_type: &'static str,
    /// Fields that are located in the body. If two groups have the same path, the first group's candidates come first.
    pub fields: &'static [&'static [Field]],
    /// The platform's own message id. Calls with the same one are duplicates, at any distance in time.
    pub message: Option<MessageKey>,
    /// Headers that are part of the content.
    pub headers: &'static [Header],
    /// Query parameters that are not part of the content: the platform's own secrets.
    pub secret_query: &'static [&'static str],
}

/// The fields that identify a message.
#[derive(Debug, Clone, Copy)]
pub struct MessageKey {
    /// The path of the message's id in `data`.
    pub id: &'static str,
    /// The path of an object whose `id` distinguishes several calls for one message.
    pub part: &'static str,
    /// A JSON Pointer to the message's id in the sample body.
    pub sample: &'static str,
}

impl MessageKey {
    /// The texts that identify a call's message; none if the body has no usable id.
    pub fn of(&self, reading: &Reading, body: &Value) -> Option<Vec<String>> {
        let id = reading.text(self.id, body)?;
        let part = reading.get(self.part, body).and_then(|part| identity(&part));
        Some(iter::once(id).chain(part).collect())
    }
}

/// A header with a value that the body does not contain.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    /// Lower-case.
    pub name: &'static str,
    /// The value in a sample call.
    pub sample: &'static str,
}

impl Trigger {
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.fields.iter().copied().flatten()
    }
}

/// Definition of an action for running it.
#[derive(Debug, Clone, Copy)]
pub struct Action {
    /// `<platform>.<verb-noun>`.
    pub name: &'static str,
    pub platform: &'static str,
    /// The route: `/v1/actions/<platform>/<verb-noun>`.
    pub path: &'static str,
    pub effect: Effect,
    /// JSON Schema of the input.
    pub input: fn() -> Schema,
    /// Checks that JSON Schema can't express, for an input that fits the schema.
    pub check: fn(&Value) -> Vec<Fault>,
    pub records: Records,
}

/// An action's use of its subscribers' records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Records {
    None,
    Read,
    Write,
}

/// Effect of an action at the platform, in the terms of RFC 9110.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Changes nothing.
    Safe,
    /// Two calls have the effect of one.
    Idempotent,
    /// Two calls have two effects.
    NotIdempotent,
    /// The effect depends on the input's `method`.
    OfMethod,
}

impl Effect {
    /// The effect of one input.
    pub fn of(self, input: &Value) -> Self {
        match (self, input["method"].as_str()) {
            (Self::OfMethod, Some("GET")) => Self::Safe,
            (Self::OfMethod, Some("PUT" | "DELETE")) => Self::Idempotent,
            (Self::OfMethod, _) => Self::NotIdempotent,
            (effect, _) => effect,
        }
    }

    /// True if a call whose outcome is unknown can be repeated without harm.
    pub fn is_repeatable(self) -> bool {
        matches!(self, Self::Safe | Self::Idempotent)
    }
}

/// One fault of a body or a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// A JSON Pointer into the body, or a query parameter's name.
    pub pointer: String,
    pub detail: String,
}

impl Fault {
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

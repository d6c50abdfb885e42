//! The statement of a module, made once, beside its code. The catalogue, the OpenAPI document and the tests read it.

use crate::mapping::Field;
use schemars::Schema;

/// What receiving needs to know of a trigger.
#[derive(Debug, Clone, Copy)]
pub struct Trigger {
    /// `<platform>.<verb-noun>`.
    pub name: &'static str,
    pub platform: &'static str,
    /// The route without the token: `/hooks/<platform>/<noun>`.
    pub path: &'static str,
    pub event_type: &'static str,
    /// What is looked for in a body. Of a path in two groups, the first group's candidates come first.
    pub fields: &'static [&'static [Field]],
}

impl Trigger {
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.fields.iter().copied().flatten()
    }

    /// The Lambda function, which is also the binary.
    pub fn function(&self) -> String {
        self.name.replace('.', "-")
    }
}

/// What a reader, a form or a document needs to know of a trigger.
#[derive(Debug, Clone, Copy)]
pub struct Module {
    pub trigger: &'static Trigger,
    pub label: &'static str,
    pub description: &'static str,
    /// What to do at the platform with the hook's URL.
    pub setup: &'static str,
    /// A body to try the hook with, as JSON. Where no document of the platform gives one, it is synthetic.
    pub sample: &'static str,
    /// JSON Schema of the hook's settings.
    pub input: fn() -> Schema,
    /// JSON Schema of the event.
    pub output: fn() -> Schema,
}

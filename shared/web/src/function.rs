//! Functions and their routes. The router serves them; tests compare the OpenAPI document, the router of `cargo lambda
//! watch` and the template with them.

use crate::{
    Problem, Request, Response,
    compression::{Compressor, compressor},
    input::{DEFAULT_LIMIT, MAX_CURSOR, MAX_LIMIT},
    settings::Setting,
};
use http::StatusCode;
use models::{Scope, Timestamp};
use schemars::{JsonSchema, Schema, schema_for};
use serde_json::{Value, json};
use std::{future::Future, pin::Pin};

/// One Lambda function, whose handlers share the state `S`.
pub struct Function<S: 'static> {
    /// Name of the Lambda function and of its binary.
    pub name: &'static str,
    pub routes: &'static [Route<S>],
    /// Handler of bare JSON, for invocations without HTTP. IAM decides who may invoke.
    pub direct: Option<Handler<S>>,
    /// The platform settings that the function reads.
    pub settings: fn() -> Vec<&'static Setting>,
}

impl<S> Function<S> {
    /// True for a trigger's function.
    pub fn takes_webhooks(&self) -> bool {
        self.routes.iter().any(Route::is_webhook)
    }
}

/// Authorisation that a route requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// None.
    Public,
    /// A hook's token, as the path's `{token}`.
    Hook,
    /// A key with at least this scope.
    Key(Scope),
}

pub type Handling<'a> = Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send + 'a>>;

pub type Handler<S> = for<'a> fn(&'a S, Request) -> Handling<'a>;

/// One method on one path.
pub struct Route<S: 'static> {
    /// An HTTP method in capitals.
    pub method: &'static str,
    /// In API Gateway's form: `/v1/hooks/{id}`.
    pub path: &'static str,
    pub access: Access,
    pub summary: &'static str,
    pub query: &'static [Query],
    pub body: Body,
    /// Status and JSON Schema of the successful answer.
    pub success: (StatusCode, Option<fn() -> Schema>),
    pub handler: Handler<S>,
    /// None for webhooks, whose answers are small and go to platforms.
    pub compress: Option<Compressor>,
}

impl<S> Route<S> {
    pub const fn get(path: &'static str, access: Access, summary: &'static str, handler: Handler<S>) -> Self {
        Self::new("GET", path, access, summary, handler)
    }

    pub const fn post(path: &'static str, access: Access, summary: &'static str, handler: Handler<S>) -> Self {
        Self::new("POST", path, access, summary, handler)
    }

    pub const fn patch(path: &'static str, access: Access, summary: &'static str, handler: Handler<S>) -> Self {
        Self::new("PATCH", path, access, summary, handler)
    }

    pub const fn delete(path: &'static str, access: Access, summary: &'static str, handler: Handler<S>) -> Self {
        Self { success: (StatusCode::NO_CONTENT, None), ..Self::new("DELETE", path, access, summary, handler) }
    }

    const fn new(
        method: &'static str,
        path: &'static str,
        access: Access,
        summary: &'static str,
        handler: Handler<S>,
    ) -> Self {
        let compress: Option<Compressor> = match access {
            Access::Hook => None,
            Access::Public | Access::Key(_) => Some(compressor),
        };
        let success = (StatusCode::OK, None);
        Self { method, path, access, summary, query: &[], body: Body::None, success, handler, compress }
    }

    pub const fn with_query(self, query: &'static [Query]) -> Self {
        Self { query, ..self }
    }

    /// The body is a `T`.
    pub const fn takes<T: JsonSchema>(self) -> Self {
        Self { body: Body::Required(schema::<T>), ..self }
    }

    /// The body is a `T`, or is empty and counts as `{}`.
    pub const fn may_take<T: JsonSchema>(self) -> Self {
        Self { body: Body::Optional(schema::<T>), ..self }
    }

    /// Success is 200 with a `T`.
    pub const fn answers<T: JsonSchema>(self) -> Self {
        self.answers_with(StatusCode::OK, schema::<T>)
    }

    /// Success is 201 with a `T`.
    pub const fn creates<T: JsonSchema>(self) -> Self {
        self.answers_with(StatusCode::CREATED, schema::<T>)
    }

    pub const fn answers_with(self, status: StatusCode, schema: fn() -> Schema) -> Self {
        Self { success: (status, Some(schema)), ..self }
    }

    pub fn is_webhook(&self) -> bool {
        self.access == Access::Hook
    }

    /// True for the fallback route for a hook path's other methods, which keeps webhooks sent with the wrong method.
    pub(crate) fn is_probe(&self) -> bool {
        self.is_webhook() && self.method == "GET"
    }
}

/// The JSON Schema of a type.
pub fn schema<T: JsonSchema>() -> Schema {
    schema_for!(T)
}

/// The body of a route, by JSON Schema.
#[derive(Debug, Clone, Copy)]
pub enum Body {
    None,
    /// An empty body counts as `{}`.
    Optional(fn() -> Schema),
    Required(fn() -> Schema),
}

/// A query parameter.
#[derive(Debug)]
pub struct Query {
    pub name: &'static str,
    pub description: &'static str,
    pub value: QueryValue,
}

/// Type of a query parameter's value, for the OpenAPI document. An empty value is rejected.
#[derive(Debug, Clone, Copy)]
pub enum QueryValue {
    Text,
    /// An id that matches a regular expression.
    Id(&'static str),
    OneOf(&'static [&'static str]),
    Time,
    /// Number of items per page.
    Limit,
    /// Position in a list.
    Cursor,
    /// A multiple of the first number, at most the second.
    Multiple(u64, u64),
}

impl QueryValue {
    /// JSON Schema of the value.
    pub fn schema(self) -> Value {
        match self {
            Self::Text => json!({ "type": "string", "minLength": 1 }),
            Self::Id(pattern) => json!({ "type": "string", "pattern": pattern }),
            Self::OneOf(values) => json!({ "type": "string", "enum": values }),
            Self::Time => json!({ "type": "string", "format": "date-time", "pattern": Timestamp::PATTERN }),
            Self::Limit => {
                json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT })
            }
            Self::Cursor => {
                json!({ "type": "string", "minLength": 1, "maxLength": MAX_CURSOR, "pattern": "^[A-Za-z0-9_-]*$" })
            }
            Self::Multiple(of, most) => {
                json!({ "type": "integer", "minimum": of, "maximum": most, "multipleOf": of })
            }
        }
    }
}

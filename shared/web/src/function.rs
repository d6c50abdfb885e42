//! Functions and their routes, stated once: the router serves them, and the OpenAPI document, the router of `cargo lambda
//! watch` and the template are held against them.

use crate::{Problem, Request, Response, settings::Setting};
use http::{Method, StatusCode};
use models::Scope;
use schemars::Schema;
use std::{future::Future, pin::Pin};

/// One Lambda function, whose handlers share the state `S`.
pub struct Function<S: 'static> {
    /// The function, which is also the binary.
    pub name: &'static str,
    pub routes: &'static [Route<S>],
    /// Handler of bare JSON, for invocations without HTTP. IAM decides who may invoke.
    pub direct: Option<Handler<S>>,
    /// The settings of platforms that it reads.
    pub settings: fn() -> Vec<&'static Setting>,
}

impl<S> Function<S> {
    /// True for a trigger's function.
    pub fn takes_webhooks(&self) -> bool {
        self.routes.iter().any(Route::is_webhook)
    }
}

/// The right that a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// None.
    Public,
    /// The token of a hook, as the path's `{token}`.
    Hook,
    /// A key whose scope reaches this far.
    Key(Scope),
}

pub type Handling<'a> = Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send + 'a>>;

pub type Handler<S> = for<'a> fn(&'a S, Request) -> Handling<'a>;

/// One method on one path.
pub struct Route<S: 'static> {
    pub method: Method,
    /// In API Gateway's form: `/v1/hooks/{id}`.
    pub path: &'static str,
    pub access: Access,
    pub summary: &'static str,
    pub query: &'static [Query],
    pub body: Body,
    /// Status and JSON Schema of the answer that reports success.
    pub success: (StatusCode, Option<fn() -> Schema>),
    pub handler: Handler<S>,
}

impl<S> Route<S> {
    pub fn is_webhook(&self) -> bool {
        self.access == Access::Hook
    }

    /// The fallback route for a hook path's other methods, so that a webhook sent by the wrong method is kept.
    pub(crate) fn is_probe(&self) -> bool {
        self.is_webhook() && self.method == Method::GET
    }
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

/// The values of a query parameter, as the OpenAPI document states them. An empty value is refused.
#[derive(Debug, Clone, Copy)]
pub enum QueryValue {
    Text,
    /// An id, by its regular expression.
    Id(&'static str),
    OneOf(&'static [&'static str]),
    Time,
    /// Items of a page.
    Limit,
    /// Position in a list.
    Cursor,
    /// A multiple of the first number, at most the second.
    Multiple(u64, u64),
}

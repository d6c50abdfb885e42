//! The request of a handler: the `http` crate's, with its body. The router adds a [`Context`], and authorisation adds
//! the key or the hook, both as extensions.

use crate::{Problem, cursor, input};
use bytes::Bytes;
use http::HeaderName;
use models::{KnownKey, Timestamp};
use std::{collections::BTreeMap, str::FromStr};

pub type Request = http::Request<Bytes>;

/// Parameters of a route's path.
pub type Params = BTreeMap<String, String>;

/// The id that the HTTP server or API Gateway gives a request.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// The router's data about a request.
#[derive(Debug, Clone)]
pub struct Context {
    pub request_id: String,
    pub now: Timestamp,
    pub params: Params,
    /// The body's length as it was sent. The body itself is empty if it is larger than the route accepts.
    pub body_bytes: u64,
}

/// The context of a request without a router.
static NO_CONTEXT: Context =
    Context { request_id: String::new(), now: Timestamp::from_millis(0), params: Params::new(), body_bytes: 0 };

/// Access to the parts of a routed request.
pub trait RequestExt {
    fn context(&self) -> &Context;

    /// The value of a header, if it is ASCII text.
    fn header(&self, name: &HeaderName) -> Option<&str>;

    /// The query as it was sent.
    fn raw_query(&self) -> &str;

    /// The key, on routes that require one.
    fn key(&self) -> Option<&KnownKey>;

    fn request_id(&self) -> &str {
        &self.context().request_id
    }

    /// The time at which the request was admitted.
    fn now(&self) -> Timestamp {
        self.context().now
    }

    /// A path parameter.
    fn param(&self, name: &str) -> &str {
        self.context().params.get(name).map_or("", String::as_str)
    }

    /// The path parameter `id`. A malformed id is answered like an unknown one.
    fn id<T: FromStr>(&self, what: &str) -> Result<T, Problem> {
        self.param("id").parse().map_err(|_| Problem::not_found(what))
    }

    /// A query parameter.
    fn query(&self, name: &str) -> Option<String> {
        input::pairs(self.raw_query()).find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value)
    }

    fn query_time(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = self.query(name) else { return Ok(None) };
        Timestamp::parse(&text)
            .map(Some)
            .ok_or_else(|| Problem::invalid_query(name, "must be an RFC 3339 time, with + written as %2B"))
    }

    fn query_id<T: FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.query(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Problem::invalid_query(name, "must be an id of this kind"))
    }

    /// Number of items per page.
    fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.query("limit") else { return Ok(input::DEFAULT_LIMIT) };
        let limit = text.parse().ok().filter(|limit| (1..=input::MAX_LIMIT).contains(limit));
        limit.ok_or_else(|| Problem::invalid_query("limit", "must be a number from 1 to 100"))
    }

    /// The position at which the page begins, from the cursor.
    fn position(&self, list: &str) -> Result<Option<String>, Problem> {
        let Some(text) = self.query("cursor") else { return Ok(None) };
        let position = cursor::decode(&list_name(self, list), &text);
        let position = position.filter(|position| (1..=input::MAX_POSITION_BYTES).contains(&position.len()));
        position.map(Some).ok_or_else(|| Problem::invalid_query("cursor", "must be the `next` of a page of this list"))
    }

    /// The cursor of the next page.
    fn cursor(&self, list: &str, position: Option<String>) -> Option<String> {
        position.map(|position| cursor::encode(&list_name(self, list), &position))
    }
}

/// The name that a cursor is bound to: the list and its filters.
fn list_name<R: RequestExt + ?Sized>(request: &R, list: &str) -> String {
    let mut filters: Vec<_> = input::pairs(request.raw_query())
        .filter(|(name, value)| name != "cursor" && name != "limit" && !value.is_empty())
        .collect();
    filters.sort();
    format!("{list} {} {filters:?}", request.param("id"))
}

impl<B> RequestExt for http::Request<B> {
    fn context(&self) -> &Context {
        self.extensions().get().unwrap_or(&NO_CONTEXT)
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    fn raw_query(&self) -> &str {
        self.uri().query().unwrap_or_default()
    }

    fn key(&self) -> Option<&KnownKey> {
        self.extensions().get()
    }
}

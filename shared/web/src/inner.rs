//! Calls of a route by another route's handler, for the same caller.

use crate::{
    Code, Problem, Request, RequestExt as _, Response, Route, Service,
    input::check_query,
    request::{Context, Params},
};
use bytes::Bytes;

/// The parts of a request that differ from the caller's.
pub struct InnerCall {
    pub params: Params,
    /// URL-encoded.
    pub query: String,
    pub body: Bytes,
}

/// Calls a route's handler as if the caller had requested the route. The scope of the caller's key was checked.
pub async fn call_route<S: Service>(
    state: &S,
    route: &Route<S>,
    caller: &Request,
    InnerCall { params, query, body }: InnerCall,
) -> Result<Response, Problem> {
    check_query(&query, route.query)?;
    let too_long = |_| Problem::new(Code::InvalidQuery, "the filters are too long");
    let uri = format!("/?{query}").parse().map_err(too_long)?;
    let context = Context { params, body_bytes: body.len() as u64, ..caller.context().clone() };
    let mut request = Request::new(body);
    *request.uri_mut() = uri;
    let extensions = request.extensions_mut();
    extensions.insert(context);
    if let Some(key) = caller.key() {
        extensions.insert(key.clone());
    }
    (route.handler)(state, request).await
}

//! Calls of a route's handler without the router: by another handler for the same caller, or by a direct invocation.

use crate::{
    Code, Problem, Request, RequestExt as _, Response, Route, Service,
    input::{check_query, parse},
    request::{Context, Params},
};
use bytes::Bytes;
use models::Fault;
use serde_json::Value;

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

/// Calls a route's handler for a direct invocation. The input's `id` becomes the path's, and its other fields the body. IAM
/// has authorised the caller, so there is no key.
pub async fn call_directly<S: Service>(state: &S, route: &Route<S>, mut request: Request) -> Result<Response, Problem> {
    let must = |pointer, detail| Problem::invalid_body(vec![Fault::new(pointer, detail)]);
    let Value::Object(mut input) = parse(request.body())? else { return Err(must("", "must be an object")) };
    let Some(Value::String(id)) = input.shift_remove("id") else { return Err(must("/id", "must be a text")) };
    *request.body_mut() = serde_json::to_vec(&input).map_err(Problem::internal)?.into();
    let params = Params::from([("id".to_owned(), id)]);
    let context = Context { params, ..request.context().clone() };
    request.extensions_mut().insert(context);
    (route.handler)(state, request).await
}

//! The routes of one or more functions. Lambda serves one function's routes, `local` serves all.

use crate::{Access, Code, Function, Problem, Route, request::Params};
use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header};
use models::Timestamp;
use std::{collections::BTreeMap, future::Future, time::Duration};

/// The state that the handlers share, with authorisation.
pub trait Service: Send + Sync + 'static {
    fn now(&self) -> Timestamp;

    /// Authorises a request for a route. The result goes to the handler as the request's extensions.
    fn authorize(
        &self,
        access: Access,
        params: &Params,
        headers: &HeaderMap,
    ) -> impl Future<Output = Result<Extensions, Problem>> + Send;

    /// Counts the answer to a webhook.
    fn count_webhook(&self, status: StatusCode, elapsed: Duration);
}

pub struct Router<S: 'static> {
    paths: matchit::Router<Vec<Endpoint<S>>>,
}

/// A route with its function.
pub(crate) struct Endpoint<S: 'static> {
    pub function: &'static Function<S>,
    pub route: &'static Route<S>,
}

impl<S> Clone for Endpoint<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Endpoint<S> {}

impl<S: Service> Router<S> {
    pub fn new(functions: &[&'static Function<S>]) -> Result<Self, matchit::InsertError> {
        let mut by_path: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for function in functions {
            for route in function.routes {
                by_path.entry(route.path).or_default().push(Endpoint { function, route });
            }
        }
        let mut paths = matchit::Router::new();
        for (path, endpoints) in by_path {
            paths.insert(path, endpoints)?;
        }
        Ok(Self { paths })
    }

    pub(crate) fn find(&self, method: &Method, path: &str) -> Result<(Endpoint<S>, Params), Problem> {
        let matched = self.paths.at(path).map_err(|_| Problem::not_found("route"))?;
        let exact = matched.value.iter().find(|endpoint| endpoint.route.method == method.as_str());
        let found = exact.or_else(|| matched.value.iter().find(|endpoint| endpoint.route.is_probe()));
        let endpoint = found.ok_or_else(|| {
            let allowed: Vec<&str> = matched.value.iter().map(|endpoint| endpoint.route.method).collect();
            let allowed = allowed.join(", ");
            let problem = Problem::new(Code::MethodNotAllowed, format!("this route supports {allowed}"));
            match HeaderValue::from_str(&allowed) {
                Ok(allow) => problem.with_header(header::ALLOW, allow),
                Err(_) => problem,
            }
        })?;
        let params = matched.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok((*endpoint, params))
    }
}

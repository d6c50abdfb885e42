//! A platform's JSON API, called with a bearer token.

use app::App;
use client::{Answer, HttpClient, RequestBuilder};
use http::Method;
use serde_json::Value;
use std::time::Instant;
use url::Url;
use web::{Problem, settings::Setting};

pub struct BearerApi<'a> {
    http: &'a HttpClient,
    base: &'a Url,
    token: String,
    deadline: Instant,
}

impl<'a> BearerApi<'a> {
    /// `base` is the setting with the API's base URL.
    pub fn new(app: &'a App, base: &Setting, token: String, deadline: Instant) -> Result<Self, Problem> {
        Ok(Self { http: app.http(), base: app.config.platforms.url(base)?, token, deadline })
    }

    /// The same API with an earlier deadline.
    #[must_use]
    pub fn until(self, deadline: Instant) -> Self {
        Self { deadline: self.deadline.min(deadline), ..self }
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    pub fn secrets(&self) -> [&str; 1] {
        [&self.token]
    }

    /// Calls the API. The path's segments are encoded.
    pub async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, Problem> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.request(method, url)?.header("accept", "application/json");
        self.send_request(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// A URL of the API from path segments, which are encoded. The segments `.` and `..` are left out.
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut steps) = url.path_segments_mut() {
            steps.pop_if_empty().extend(path);
        }
        url
    }

    /// A URL of the API from an encoded path.
    pub(crate) fn url_of(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        url
    }

    pub(crate) fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, Problem> {
        Ok(self.http.request(method, url)?.bearer_auth(&self.token))
    }

    pub(crate) async fn send_request(&self, request: RequestBuilder) -> Result<Answer, Problem> {
        self.http.send_before(self.deadline, request).await
    }
}

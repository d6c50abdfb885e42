//! The HTTP client for platforms: bounded in time and size, no redirects, and one table from what a platform answers to
//! what the caller is told.

use crate::{Code, Problem};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_ANSWER_BYTES: usize = 5 * 1024 * 1024;
const MAX_WORDS: usize = 500;

pub struct HttpClient(reqwest::Client);

/// What a platform answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl HttpClient {
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self(client))
    }

    pub fn request(&self, method: http::Method, url: url::Url) -> reqwest::RequestBuilder {
        self.0.request(method, url)
    }

    /// Sends a request once and reads the answer, up to its limit.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, Problem> {
        // The error's URL may hold a secret.
        let failed = |error: reqwest::Error| {
            let code = if error.is_timeout() { Code::PlatformTimeout } else { Code::PlatformUnavailable };
            let detail =
                if error.is_connect() { "no connection could be made" } else { "the answer did not arrive whole" };
            Problem::new(code, detail).caused_by(error.without_url())
        };
        let mut response = request.send().await.map_err(failed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER_BYTES {
                return Err(Problem::new(Code::PlatformUnavailable, "the answer is larger than 5 MB"));
            }
        }
        Ok(Answer { status, headers, body: body.freeze() })
    }
}

impl Answer {
    /// The answer, if it tells of success; else what the platform said, less the secrets of the call.
    pub fn successful(self, secrets: &[&str]) -> Result<Self, Problem> {
        let code = match self.status.as_u16() {
            200..=299 => return Ok(self),
            401 | 403 => Code::ConnectionUnauthorized,
            404 | 410 => Code::NotFound,
            408 | 504 => Code::PlatformTimeout,
            429 => Code::PlatformSlowDown,
            400..=499 => Code::PlatformRejected,
            _ => Code::PlatformUnavailable,
        };
        let mut words: String = String::from_utf8_lossy(&self.body).chars().take(MAX_WORDS).collect();
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            words = words.replace(secret, "••••");
        }
        let problem = Problem::new(code, format!("the platform answered {}: {words}", self.status.as_u16()));
        Err(match self.headers.get(header::RETRY_AFTER) {
            Some(wait) if code == Code::PlatformSlowDown => problem.with_header(header::RETRY_AFTER, wait.clone()),
            _ => problem,
        })
    }
}

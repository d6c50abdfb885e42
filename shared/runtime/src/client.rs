//! The HTTP client for platforms: bounded in time and size, no redirects, and one table from what a platform answers to
//! what the caller is told.

use crate::{Code, Problem};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
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
        Self::within(TOTAL_TIMEOUT)
    }

    fn within(timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
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

/// What a platform said, as far as it is passed on: less the secrets of the call, which it may have repeated.
fn without(words: &str, secrets: &[&str]) -> String {
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    secrets.fold(words.to_owned(), |words, secret| words.replace(secret, "••••")).chars().take(MAX_WORDS).collect()
}

impl Answer {
    /// The body as JSON. `what` it is of begins the problem of a body that is something else.
    pub fn json<T: DeserializeOwned>(&self, what: &str, secrets: &[&str]) -> Result<T, Problem> {
        let mut body = serde_json::Deserializer::from_slice(&self.body);
        serde_path_to_error::deserialize(&mut body).map_err(|error| {
            Problem::new(Code::PlatformUnavailable, format!("{what}: {}", without(&error.to_string(), secrets)))
        })
    }

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
        let words = without(&String::from_utf8_lossy(&self.body), secrets);
        let problem = Problem::new(code, format!("the platform answered {}: {words}", self.status.as_u16()));
        Err(match self.headers.get(header::RETRY_AFTER) {
            Some(wait) if code == Code::PlatformSlowDown => problem.with_header(header::RETRY_AFTER, wait.clone()),
            _ => problem,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
    };

    async fn get(client: &HttpClient, server: &TcpListener) -> Problem {
        let url = format!("http://{}", server.local_addr().unwrap()).parse().unwrap();
        client.send(client.request(http::Method::GET, url)).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_platform_that_does_not_answer_in_time_is_a_time_out() {
        let client = HttpClient::within(Duration::from_millis(50)).unwrap();
        // Connected to by the system alone, and never read.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let problem = get(&client, &silent).await;
        assert_eq!(problem.code, Code::PlatformTimeout, "{}", problem.causes());

        let halting = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = halting.try_clone().unwrap();
        let halted = std::thread::spawn(move || -> TcpStream {
            let (mut stream, _) = server.accept().unwrap();
            assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").unwrap();
            stream
        });
        let problem = get(&client, &halting).await;
        assert_eq!(problem.code, Code::PlatformTimeout, "{}", problem.causes());
        drop(halted.join().unwrap());
    }

    #[test]
    fn secrets_are_taken_out_before_words_are_cut() {
        let words = without(&format!("{}secret", "x".repeat(MAX_WORDS - 3)), &["", "secret"]);
        assert!(words.ends_with("x•••") && words.chars().count() == MAX_WORDS, "{words}");
        assert_eq!(without("a secret, b", &["secret", "b"]), "a ••••, ••••");
    }
}

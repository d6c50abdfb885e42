//! HTTP client for platforms: limited in time and size, without redirects. One table maps a platform's answer to the
//! problem for the caller, with its retry verdict.

pub mod mask;

use crate::mask::without;
use aws::deadline;
use backon::{ExponentialBuilder, Retryable as _};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use models::{Timestamp, clock::Clock};
pub use reqwest::RequestBuilder;
use roots::{TrustedRoots, client_config};
use serde::de::DeserializeOwned;
use std::{
    error::Error as _,
    fmt::Display,
    iter,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use web::{
    Code, Problem, Retry,
    encoding::{self, DecodeError},
    retry::retry_after_header,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A process that Lambda has frozen resumes with connections that were closed long ago.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// Time limit of a call to a platform with its retries, within API Gateway's 29 s.
pub const TIMEOUT: Duration = Duration::from_secs(20);
const MAX_ANSWER_BYTES: usize = 5 * 1024 * 1024;
const MAX_MESSAGE_CHARS: usize = 500;
/// Limit on the header lines of an answer, each of which allocates room for so many.
const MAX_HEADERS: usize = 2_000;
/// Time limit for the body of an answer with an error status.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(2);
/// The platform is asked not to compress; a compressed answer is read all the same.
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
const MAX_REPETITIONS: usize = 2;
const FIRST_WAIT: Duration = Duration::from_millis(100);

pub struct HttpClient {
    clock: Arc<dyn Clock>,
    roots: TrustedRoots,
    /// Keeps connections alive, for requests that change nothing.
    pooled: OnceLock<reqwest::Client>,
    /// Opens a connection for each request. The platform may close a kept one while a request is written, and it is
    /// then unknown if the request was read.
    unpooled: OnceLock<reqwest::Client>,
}

/// A platform's answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    received_at: Timestamp,
    /// True if the request may have changed something.
    changes: bool,
}

impl HttpClient {
    pub fn new(clock: Arc<dyn Clock>, roots: TrustedRoots) -> Self {
        Self { clock, roots, pooled: OnceLock::new(), unpooled: OnceLock::new() }
    }

    pub fn request(&self, method: http::Method, url: url::Url) -> Result<RequestBuilder, Problem> {
        Ok(self.client(!method.is_safe())?.request(method, url))
    }

    fn client(&self, changes: bool) -> Result<&reqwest::Client, Problem> {
        let (made, idle) = if changes { (&self.unpooled, 0) } else { (&self.pooled, usize::MAX) };
        if let Some(client) = made.get() {
            return Ok(client);
        }
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls()?)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(idle)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")))
            .http1_max_headers(MAX_HEADERS)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .default_headers([(header::ACCEPT_ENCODING, IDENTITY)].into_iter().collect())
            .build();
        // No request is sent without a client.
        let client = client.map_err(|error| Problem::internal(error).retried(Retry::SOON))?;
        Ok(made.get_or_init(|| client))
    }

    fn tls(&self) -> Result<rustls::ClientConfig, Problem> {
        let config = self.roots.verifier(Vec::new()).and_then(client_config);
        let mut config = config.map_err(|error| Problem::internal(error).retried(Retry::SOON))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Sends a request and reads the answer, up to its size limit. A retry is only made if it is safe: if no connection
    /// was made, or if the request changes nothing and the answer was lost or reports a temporary failure. The call
    /// ends early enough before the invocation's end for its outcome to be stored.
    pub async fn send(&self, request: RequestBuilder, timeout: Duration) -> Result<Answer, Problem> {
        let request = request.build().map_err(|error| Problem::internal(error.without_url()))?;
        let changes = !request.method().is_safe();
        let client = self.client(changes)?;
        let timeout = deadline::within(timeout, aws::ATTEMPT_TIMEOUT);
        let until = Instant::now() + timeout;
        let attempt = || async {
            // With less time, a timeout could not be distinguished from a lost answer.
            if changes && until.saturating_duration_since(Instant::now()) < CONNECT_TIMEOUT {
                return Err(SendError::NoTime);
            }
            // Bodies are held in memory, so a copy always exists.
            let copy = request.try_clone().ok_or(SendError::NotClonable)?;
            let answer = self.send_once(client, copy, changes).await?;
            if changes || !answer.is_temporary() { Ok(answer) } else { Err(SendError::Temporary(answer)) }
        };
        let waits = ExponentialBuilder::new().with_min_delay(FIRST_WAIT).with_max_times(MAX_REPETITIONS).with_jitter();
        let sent = attempt.retry(waits).when(|failure| failure.may_be_repeated(changes));
        match tokio::time::timeout(timeout, sent).await {
            Ok(Ok(answer) | Err(SendError::Temporary(answer))) => Ok(answer),
            Ok(Err(SendError::Unreadable(fault))) => {
                Err(no_answer(Code::PlatformUnavailable, &format!("the answer {fault}"), changes))
            }
            Ok(Err(SendError::NoTime)) => {
                Err(Problem::new(Code::PlatformTimeout, "not enough time is left for the call").retried(Retry::SOON))
            }
            Ok(Err(SendError::NotClonable)) => Err(Problem::internal("the body of a request can't be copied")),
            Ok(Err(SendError::Lost(error))) => Err(lost(error, changes)),
            Err(_) => Err(no_answer(Code::PlatformTimeout, "the answer did not arrive in time", changes)),
        }
    }

    /// Sends a request whose answer must arrive before the deadline.
    pub async fn send_before(&self, deadline: Instant, request: RequestBuilder) -> Result<Answer, Problem> {
        self.send(request, deadline.saturating_duration_since(Instant::now()).min(TIMEOUT)).await
    }

    /// Checks that a server answers at an address. A 404 is an answer.
    pub async fn reach(&self, url: url::Url) -> Result<(), Problem> {
        let answer = self.send(self.request(http::Method::GET, url)?, TIMEOUT).await?;
        if answer.status.is_server_error() { Err(answer.error_for_status(answer.status.as_u16(), &[])) } else { Ok(()) }
    }

    async fn send_once(
        &self,
        client: &reqwest::Client,
        request: reqwest::Request,
        changes: bool,
    ) -> Result<Answer, SendError> {
        let mut response = client.execute(request).await?;
        let (status, mut headers) = (response.status(), response.headers().clone());
        let mut body = BytesMut::new();
        let read = read_body(&mut response, &mut body);
        if status.is_success() {
            read.await?;
        } else {
            // The status of a rejection suffices, even if its body is incomplete.
            let _ = tokio::time::timeout(ERROR_BODY_TIMEOUT, read).await;
        }
        let body = decoded(status, &mut headers, body.freeze()).map_err(SendError::Unreadable)?;
        Ok(Answer { status, headers, body, received_at: self.clock.now(), changes })
    }
}

async fn read_body(response: &mut reqwest::Response, body: &mut BytesMut) -> Result<(), SendError> {
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(SendError::Unreadable(TOO_LARGE.to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(())
}

const TOO_LARGE: &str = "is larger than 5 MB";

/// A body without its encoding, or the reason why it can't be decoded, as a predicate of "the answer". The body of a
/// rejection is then left out, because its status suffices.
fn decoded(status: StatusCode, headers: &mut HeaderMap, body: Bytes) -> Result<Bytes, String> {
    if body.is_empty() || !headers.contains_key(header::CONTENT_ENCODING) {
        return Ok(body);
    }
    let bytes = match encoding::decode(headers, &body, MAX_ANSWER_BYTES) {
        Ok(decoded) => decoded.bytes,
        Err(_) if !status.is_success() => Bytes::new(),
        Err(DecodeError::TooLarge(_)) => return Err(TOO_LARGE.to_owned()),
        Err(DecodeError::Corrupt(name)) => return Err(format!("is not complete {name} data")),
        Err(DecodeError::Unsupported(name)) => return Err(format!("is encoded with {name}")),
    };
    headers.remove(header::CONTENT_ENCODING);
    headers.remove(header::CONTENT_LENGTH);
    Ok(bytes)
}

/// The reason to retry a request or to give it up.
enum SendError {
    Lost(reqwest::Error),
    Temporary(Answer),
    /// A predicate of "the answer".
    Unreadable(String),
    NotClonable,
    NoTime,
}

impl From<reqwest::Error> for SendError {
    fn from(error: reqwest::Error) -> Self {
        Self::Lost(error)
    }
}

impl SendError {
    fn may_be_repeated(&self, changes: bool) -> bool {
        match self {
            Self::Lost(error) if error.is_connect() => true,
            Self::Lost(_) | Self::Temporary(_) => !changes,
            Self::Unreadable(_) | Self::NotClonable | Self::NoTime => false,
        }
    }
}

fn lost(error: reqwest::Error, changes: bool) -> Problem {
    let code = if error.is_timeout() { Code::PlatformTimeout } else { Code::PlatformUnavailable };
    let problem = match http_fault(&error) {
        _ if error.is_connect() => Problem::new(code, "cannot connect"),
        _ if error.is_body() || error.is_decode() => no_answer(code, "the answer is incomplete", changes),
        Some(fault) if fault.is_parse() => no_answer(code, "the answer is not HTTP", changes),
        _ => no_answer(code, "the connection was closed before an answer arrived", changes),
    };
    // The error's URL may contain a secret.
    problem.caused_by(error.without_url())
}

fn http_fault(error: &reqwest::Error) -> Option<&hyper::Error> {
    let causes = iter::successors(error.source(), |&cause| cause.source());
    causes.filter_map(|cause| cause.downcast_ref()).last()
}

/// The problem for a request that was sent, but whose outcome the answer does not show.
fn no_answer(code: Code, detail: &str, changes: bool) -> Problem {
    Problem::new(code, detail).retried(if changes { Retry::Unknown } else { Retry::SOON })
}

impl Answer {
    /// The body as text, with the call's secrets masked.
    pub fn text(&self, secrets: &[&str]) -> String {
        without(&String::from_utf8_lossy(&self.body), secrets)
    }

    /// Parses the response body as JSON, with secrets masked. `what` names the answer in the problem for a malformed
    /// body.
    pub fn json<T: DeserializeOwned>(&self, what: &str, secrets: &[&str]) -> Result<T, Problem> {
        let fault = |error: &dyn Display| {
            let message: String = error.to_string().chars().take(MAX_MESSAGE_CHARS).collect();
            no_answer(Code::PlatformUnavailable, &format!("{what}: {message}"), self.changes)
        };
        let text = self.text(secrets);
        if !text.trim_start().starts_with(['{', '[']) {
            return Err(fault(&if text.is_empty() { "the answer is empty" } else { "the answer is not JSON" }));
        }
        let mut json = serde_json::Deserializer::from_str(&text);
        let read = serde_path_to_error::deserialize(&mut json).map_err(|error| fault(&error))?;
        json.end().map_err(|error| fault(&error)).map(|()| read)
    }

    /// The answer if its status is a success, or else a problem that quotes the platform, with secrets masked.
    pub fn successful(self, secrets: &[&str]) -> Result<Self, Problem> {
        if self.status.is_success() { Ok(self) } else { Err(self.error_for_status(self.status.as_u16(), secrets)) }
    }

    /// True for a temporary failure without a required wait.
    fn is_temporary(&self) -> bool {
        let temporary = [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE];
        temporary.contains(&self.status) && self.retry_after().is_none_or(|seconds| seconds == 0)
    }

    fn retry_after(&self) -> Option<u64> {
        retry_after_header(self.headers.get(header::RETRY_AFTER), self.received_at)
    }

    /// The problem for an error status, from the answer or from its body.
    pub fn error_for_status(&self, status: u16, secrets: &[&str]) -> Problem {
        let wait = self.retry_after();
        let unknown = if self.changes { Retry::Unknown } else { Retry::After(wait.unwrap_or(0)) };
        let (code, retry) = match status {
            401 | 403 => (Code::ConnectionUnauthorized, Retry::Never),
            404 | 410 => (Code::NotFound, Retry::Never),
            // Rejected before anything was done: a request that was too slow, for another server, or too early (RFC
            // 9110, RFC 8470).
            408 => (Code::PlatformTimeout, Retry::After(wait.unwrap_or(0))),
            421 | 425 => (Code::PlatformUnavailable, Retry::After(wait.unwrap_or(0))),
            429 => match wait {
                Some(seconds) => (Code::PlatformSlowDown, Retry::After(seconds.max(1))),
                None => return Problem::new(Code::PlatformSlowDown, self.message(status, secrets)),
            },
            400..=499 => (Code::PlatformRejected, Retry::Never),
            503 if wait.is_some() => (Code::PlatformUnavailable, Retry::After(wait.unwrap_or(0))),
            504 => (Code::PlatformTimeout, unknown),
            // A redirect may answer a POST that was carried out.
            _ => (Code::PlatformUnavailable, unknown),
        };
        Problem::new(code, self.message(status, secrets)).retried(retry)
    }

    fn message(&self, status: u16, secrets: &[&str]) -> String {
        let message: String = self.text(secrets).chars().take(MAX_MESSAGE_CHARS).collect();
        let colon = if message.is_empty() { "" } else { ": " };
        format!("the platform answered {status}{colon}{message}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::clock::SystemClock;
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
    };

    async fn get(client: &HttpClient, server: &TcpListener) -> Problem {
        let url = format!("http://{}", server.local_addr().unwrap()).parse().unwrap();
        client.send(client.request(http::Method::GET, url).unwrap(), Duration::from_millis(50)).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_platform_that_does_not_answer_in_time_is_a_timeout() {
        let client = HttpClient::new(Arc::new(SystemClock), TrustedRoots::Bundled);
        // The operating system accepts the connection, but nobody reads from it.
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
    fn secrets_are_masked_before_a_message_is_truncated() {
        let body = Bytes::from(format!("{}secret", "x".repeat(MAX_MESSAGE_CHARS - 3)));
        let answer = Answer {
            status: StatusCode::BAD_REQUEST,
            headers: HeaderMap::new(),
            body,
            received_at: Timestamp::from_millis(0),
            changes: false,
        };
        let problem = answer.successful(&["", "secret"]).unwrap_err();
        assert!(problem.detail.ends_with("x•••"), "{}", problem.detail);
    }
}

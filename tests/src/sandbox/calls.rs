//! The calls that the platforms make: of a webhook, or of an address that a bot's author has written down.

use reqwest::{RequestBuilder, StatusCode, Url};
use serde_json::Value;
use std::time::{Duration, Instant};

/// How a call was answered.
pub struct Answered {
    /// None where there was no answer.
    pub status: Option<StatusCode>,
    /// A text where the answer is not JSON, and what went wrong where there is none.
    pub body: Value,
    pub is_json: bool,
    pub milliseconds: u64,
}

impl Answered {
    pub fn status(&self) -> Option<u16> {
        self.status.map(|status| status.as_u16())
    }
}

/// Makes a call, and waits no longer than this for its answer.
pub async fn make(request: RequestBuilder, patience: Duration) -> Answered {
    let started = Instant::now();
    let answer = async {
        let response = request.timeout(patience).send().await?;
        Ok::<_, reqwest::Error>((response.status(), response.text().await?))
    };
    let answer = answer.await;
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (status, parsed) = match answer {
        Ok((status, text)) => (Some(status), serde_json::from_str(&text).map_err(|_| text)),
        Err(error) if error.is_timeout() => (None, Err(format!("timeout of {}ms exceeded", patience.as_millis()))),
        Err(_) => (None, Err("there was no answer".to_owned())),
    };
    Answered { status, is_json: parsed.is_ok(), body: parsed.unwrap_or_else(Value::String), milliseconds }
}

/// Whether a platform can call it.
pub fn check(url: &str) -> Result<(), &'static str> {
    match Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(()),
        _ => Err("url: is no address that begins with http:// or https://"),
    }
}

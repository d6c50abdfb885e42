//! Calls that the platforms make: of a webhook, or of an address from a bot's author.

use reqwest::{RequestBuilder, StatusCode, Url};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Answer to a call.
pub struct Answered {
    /// None if there was no answer.
    pub status: Option<StatusCode>,
    /// JSON, or the text of another answer; a description of the failure if there was no answer.
    pub body: Value,
    pub is_json: bool,
    pub milliseconds: u64,
}

impl Answered {
    pub fn status(&self) -> Option<u16> {
        self.status.map(|status| status.as_u16())
    }
}

/// Makes a call with this timeout.
pub async fn make(request: RequestBuilder, timeout: Duration) -> Answered {
    let started = Instant::now();
    let answer = async {
        let response = request.timeout(timeout).send().await?;
        Ok::<_, reqwest::Error>((response.status(), response.text().await?))
    };
    let answer = answer.await;
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (status, parsed) = match answer {
        Ok((status, text)) => (Some(status), serde_json::from_str(&text).map_err(|_| text)),
        Err(error) if error.is_timeout() => (None, Err(format!("timeout of {}ms exceeded", timeout.as_millis()))),
        Err(_) => (None, Err("there was no answer".to_owned())),
    };
    Answered { status, is_json: parsed.is_ok(), body: parsed.unwrap_or_else(Value::String), milliseconds }
}

/// Refuses a URL that a platform can't call.
pub fn check(url: &str) -> Result<(), &'static str> {
    match Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(()),
        _ => Err("url: must begin with http:// or https://"),
    }
}

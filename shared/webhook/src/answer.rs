//! A target's answer: its status, two headers, and the beginning of its body.

use super::DELIVERY;
use http::{HeaderMap, HeaderName, Response, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};
use web::encoding;

/// Size of the beginning of a body that is kept, in bytes.
const KEPT_BYTES: usize = 1024;
/// Limit on the bytes of a body that are read. Compressed data may begin with a file's name.
const READ_BYTES: usize = 2 * KEPT_BYTES;
/// Limit on the length of a header that is used, in bytes.
const MAX_HEADER_BYTES: usize = 100;

/// The answer of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetAnswer {
    pub status: u16,
    pub retry_after: Option<String>,
    pub webhook_delivery: Option<String>,
    pub body: Body,
}

/// The first 1 KB of a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    pub text: String,
    /// There was more, or it was incomplete.
    pub is_cut: bool,
}

impl TargetAnswer {
    pub(super) const fn of_status(status: u16) -> Self {
        let body = Body { text: String::new(), is_cut: true };
        Self { status, retry_after: None, webhook_delivery: None, body }
    }
}

/// Reads an answer until a deadline. Its status counts even if its body is incomplete.
pub(super) async fn read(response: Response<Incoming>, deadline: Instant) -> TargetAnswer {
    let (head, mut body) = response.into_parts();
    let (mut bytes, mut is_cut) = (Vec::new(), false);
    while !is_cut {
        match timeout_at(deadline, body.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => {
                let data = frame.into_data().unwrap_or_default();
                is_cut = bytes.len() + data.len() > READ_BYTES;
                bytes.extend_from_slice(&data[..data.len().min(READ_BYTES - bytes.len())]);
            }
            Ok(Some(Err(_))) | Err(_) => is_cut = true,
        }
    }
    TargetAnswer {
        status: head.status.as_u16(),
        retry_after: text(&head.headers, header::RETRY_AFTER),
        webhook_delivery: text(&head.headers, DELIVERY),
        body: readable(&head.headers, &bytes, is_cut),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    (text.len() <= MAX_HEADER_BYTES).then(|| text.to_owned())
}

/// The text of a body. gzip and deflate are decompressed as far as possible, although they were not requested. Empty
/// for another encoding.
fn readable(headers: &HeaderMap, bytes: &[u8], is_cut: bool) -> Body {
    let bytes = encoding::beginning(headers, bytes, READ_BYTES);
    let (text, is_cut) = (kept(&bytes), is_cut || bytes.len() > KEPT_BYTES);
    Body { text, is_cut }
}

/// The beginning of a body as text, cut after a whole character.
pub fn kept(body: &[u8]) -> String {
    let mut end = body.len().min(KEPT_BYTES);
    while body.get(end).is_some_and(|next| next & 0xc0 == 0x80) && end > KEPT_BYTES - 4 {
        end -= 1;
    }
    let mut text = String::from_utf8_lossy(&body[..end]).into_owned();
    text.truncate(text.floor_char_boundary(KEPT_BYTES));
    text
}

//! Received bodies: counted, kept up to the route's limit, and read within the time limits.

use crate::Limits;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;
use web::{Code, Problem, ReceivedBody};

/// Read limit in bytes. Up to this, the sender of a body that is too large still gets its answer.
const MAX_READ_BYTES: u64 = 10 * 1024 * 1024;

/// Reads a whole body, and keeps it unless it has more than `max_bytes`.
pub async fn read(body: Incoming, max_bytes: u64, limits: &Limits) -> Result<ReceivedBody, Problem> {
    let read = timeout(limits.body_timeout, collect(body, max_bytes, limits)).await;
    read.unwrap_or_else(|_| {
        let seconds = limits.body_timeout.as_secs();
        Err(Problem::new(Code::RequestTimeout, format!("the body was incomplete after {seconds} s; send it again")))
    })
}

async fn collect(mut body: Incoming, max_bytes: u64, limits: &Limits) -> Result<ReceivedBody, Problem> {
    let (mut kept, mut length) = (Vec::new(), 0);
    let stalled = |_| {
        let seconds = limits.body_idle_timeout.as_secs();
        Problem::new(Code::RequestTimeout, format!("no part of the body arrived for {seconds} s; send it again"))
    };
    while let Some(frame) = timeout(limits.body_idle_timeout, body.frame()).await.map_err(stalled)? {
        let frame = frame.map_err(|_| Problem::new(Code::UnreadableBody, "the body is incomplete"))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len() as u64;
        if length > MAX_READ_BYTES {
            return Err(Problem::new(Code::BodyTooLarge, "the body must have at most 10 MB"));
        }
        if length <= max_bytes {
            kept.extend_from_slice(&data);
        } else {
            kept = Vec::new();
        }
    }
    Ok(ReceivedBody { kept: kept.into(), length })
}

//! Reasons why a call had no answer, in plain words for the operator of the target. They contain no part of the URL or
//! the headers.

use super::{Timeouts, tls};
use crate::guard::Refusal;
use hyper_util::client::legacy;
use std::{error::Error, io, iter, time::Duration};
use tokio::time::error::Elapsed;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFailure {
    #[error("the URL {0}")]
    Refused(#[from] Refusal),
    #[error("no connection within {0:?}")]
    ConnectTimeout(Duration),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// With the reason of the operating system.
    #[error("cannot connect: {0}")]
    NotConnected(String),
    #[error("TLS: {0}")]
    Tls(String),
    #[error("the connection was closed before an answer arrived")]
    ClosedEarly,
    /// With the reason of HTTP/2's error code.
    #[error("the target aborted the request: {0}")]
    BrokenOff(String),
    #[error("the answer's headers have more than 2,000 lines or 400 KB")]
    HeadTooLarge,
    #[error("the answer is not HTTP: {0}")]
    BadAnswer(String),
    #[error("the request could not be made: {0}")]
    Unsendable(String),
}

impl CallFailure {
    pub(super) fn of(error: &legacy::Error, times: Timeouts) -> Self {
        if let Some(refusal) = cause::<Refusal>(error) {
            return Self::Refused(refusal.clone());
        }
        if let Some(fault) = cause::<rustls::Error>(error) {
            return Self::Tls(tls::message(fault));
        }
        if let Some(reason) = cause::<h2::Error>(error).and_then(h2::Error::reason) {
            return Self::BrokenOff(reason.description().to_owned());
        }
        let lost = causes(error).filter_map(<dyn Error>::downcast_ref::<io::Error>).last().map(io::Error::kind);
        match cause::<hyper::Error>(error) {
            _ if error.is_connect() && cause::<Elapsed>(error).is_some() => Self::ConnectTimeout(times.connect),
            _ if error.is_connect() && lost == Some(io::ErrorKind::UnexpectedEof) => {
                Self::Tls("the connection was closed during the handshake".to_owned())
            }
            _ if error.is_connect() => {
                Self::NotConnected(lost.map_or_else(|| innermost(error), |kind| kind.to_string()))
            }
            Some(http) if http.is_parse_too_large() => Self::HeadTooLarge,
            Some(http) if http.is_parse() => Self::BadAnswer(http.to_string()),
            Some(http) if http.is_incomplete_message() || http.is_canceled() || http.is_closed() => Self::ClosedEarly,
            _ if lost.is_some() => Self::ClosedEarly,
            Some(http) => Self::BadAnswer(http.to_string()),
            None => Self::Unsendable(innermost(error)),
        }
    }
}

/// True if an HTTP/2 error code reports that the target did not process the request: its connection is being closed, or
/// has too many requests.
pub(super) fn is_unprocessed(error: &legacy::Error) -> bool {
    cause::<h2::Error>(error).is_some_and(|error| {
        let reason = error.reason();
        let is_closing = error.is_go_away() && reason == Some(h2::Reason::NO_ERROR);
        error.is_remote() && (is_closing || reason == Some(h2::Reason::REFUSED_STREAM))
    })
}

/// The causes of an error, beginning with itself. An `io::Error` that wraps another error hides it, and returns that
/// error's source as its own.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| inner(error))
}

fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The innermost cause of an error. The outer ones may contain the URL.
fn innermost(error: &legacy::Error) -> String {
    causes(error).skip(1).last().map_or_else(|| "the reason is unknown".to_owned(), ToString::to_string)
}

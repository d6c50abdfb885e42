//! Why a call had no answer, in words for who runs the target. They show nothing of the URL or of the headers.

use super::Times;
use crate::guard::Refusal;
use rustls::CertificateError;
use std::{error::Error, io, iter, time::Duration};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("the URL {0}")]
    Refused(#[from] Refusal),
    #[error("no connection was made within {0:?}")]
    ConnectTimeout(Duration),
    #[error("no answer came within {0:?}")]
    Timeout(Duration),
    /// With what the system said.
    #[error("no connection was made: {0}")]
    NotConnected(String),
    #[error("TLS: {0}")]
    Tls(String),
    #[error("the connection was closed before an answer came")]
    ClosedEarly,
    #[error("the answer is not HTTP: {0}")]
    BadAnswer(String),
    #[error("the request could not be made: {0}")]
    Unsendable(String),
}

impl Failure {
    pub(super) fn of(error: &reqwest::Error, times: Times) -> Self {
        if let Some(refusal) = cause::<Refusal>(error) {
            return Self::Refused(refusal.clone());
        }
        if let Some(fault) = cause::<rustls::Error>(error) {
            return Self::Tls(tls_fault(fault));
        }
        let lost = causes(error).filter_map(<dyn Error>::downcast_ref::<io::Error>).last().map(io::Error::kind);
        let http = cause::<hyper::Error>(error);
        match http {
            _ if error.is_timeout() && error.is_connect() => Self::ConnectTimeout(times.connect),
            _ if error.is_timeout() => Self::Timeout(times.total),
            _ if error.is_connect() && lost == Some(io::ErrorKind::UnexpectedEof) => {
                Self::Tls("the connection was closed during the handshake".to_owned())
            }
            _ if error.is_connect() => {
                Self::NotConnected(lost.map_or_else(|| innermost(error), |kind| kind.to_string()))
            }
            Some(http) if http.is_parse() => Self::BadAnswer(http.to_string()),
            Some(http) if http.is_incomplete_message() || http.is_canceled() || http.is_closed() => Self::ClosedEarly,
            _ if lost.is_some() => Self::ClosedEarly,
            Some(http) => Self::BadAnswer(http.to_string()),
            None => Self::Unsendable(innermost(error)),
        }
    }
}

/// The causes of an error, itself first. An `io::Error` made of another error hides it, and names as its source that
/// one's source.
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

/// What is at the bottom of an error; the outer ones may name the URL.
fn innermost(error: &reqwest::Error) -> String {
    causes(error).skip(1).last().map_or_else(|| "it is not known why".to_owned(), ToString::to_string)
}

fn tls_fault(fault: &rustls::Error) -> String {
    use CertificateError as Certificate;
    match fault {
        rustls::Error::InvalidCertificate(fault) => match fault {
            Certificate::Expired | Certificate::ExpiredContext { .. } => "the certificate has expired".to_owned(),
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                "the certificate is not valid yet".to_owned()
            }
            Certificate::UnknownIssuer => "the certificate's issuer is not known".to_owned(),
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                "the certificate is for another name".to_owned()
            }
            Certificate::Revoked => "the certificate is revoked".to_owned(),
            other => format!("the certificate is not valid: {other}"),
        },
        rustls::Error::InvalidMessage(_) => "what answers there does not speak TLS".to_owned(),
        rustls::Error::AlertReceived(alert) => format!("the other side broke off with {alert:?}"),
        rustls::Error::PeerIncompatible(fault) => format!("there is no version or cipher in common: {fault:?}"),
        other => other.to_string(),
    }
}

//! AWS's signature of version 4, computed from its description and not by the library that signs.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use aws_lc_rs::{digest, hmac};
use axum::{
    body::Bytes,
    http::{HeaderMap, Uri},
};
use data_encoding::HEXLOWER;
use std::fmt::Write as _;

/// Service and region for which a request is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub service: String,
    pub region: String,
}

/// Verifies the signature of a POST. The error says what differs.
pub fn verify(uri: &Uri, headers: &HeaderMap, body: &Bytes, secret_key: &str) -> Result<Scope, String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let authorization = text("authorization");
    let part = |name: &str| authorization.split(&format!("{name}=")).nth(1)?.split([',', ' ']).next();
    let (Some(credential), Some(signed), Some(signature)) =
        (part("Credential"), part("SignedHeaders"), part("Signature"))
    else {
        return Err(format!("no signature: {authorization:?}"));
    };
    let scope = credential.split_once('/').map(|(_, scope)| scope).unwrap_or_default();
    let [date, region, service, "aws4_request"] = scope.split('/').collect::<Vec<_>>()[..] else {
        return Err(format!("the scope is {scope:?}"));
    };
    let mut canonical = format!("POST\n{}\n\n", encoded(uri.path()));
    for name in signed.split(';') {
        writeln!(canonical, "{name}:{}", text(name).trim()).unwrap();
    }
    write!(canonical, "\n{signed}\n{}", sha256(body)).unwrap();
    let to_sign = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", text("x-amz-date"), sha256(canonical.as_bytes()));
    let key = [date, region, service, "aws4_request"]
        .iter()
        .fold(format!("AWS4{secret_key}").into_bytes(), |key, part| mac(&key, part.as_bytes()));
    let expected = HEXLOWER.encode(&mac(&key, to_sign.as_bytes()));
    if signature != expected {
        return Err(format!("the signature differs for {canonical:?}"));
    }
    for needed in ["host", "x-amz-date"] {
        if !signed.split(';').any(|name| name == needed) {
            return Err(format!("{needed} is not signed"));
        }
    }
    Ok(Scope { service: service.to_owned(), region: region.to_owned() })
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec()
}

fn sha256(data: &[u8]) -> String {
    HEXLOWER.encode(digest::digest(&digest::SHA256, data).as_ref())
}

/// The path, each step encoded once more, as all services but S3 want it.
fn encoded(path: &str) -> String {
    let mut encoded = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(byte.into());
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
    }
    encoded
}

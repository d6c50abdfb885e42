//! Signatures by Standard Webhooks 1.0.0. <https://www.standardwebhooks.com/>
//!
//! The crate `standardwebhooks` is not used: its last release is of 2024, it has its own cryptography instead of
//! aws-lc-rs, and it accepts only UTF-8 bodies.

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use http::{HeaderMap, HeaderName, HeaderValue, header::InvalidHeaderValue};
use models::clock::{NoRandom, random};
use std::{fmt, ops::RangeInclusive, str::FromStr};

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

const PREFIX: &str = "whsec_";
const SECRET_BYTES: RangeInclusive<usize> = 24..=64;

/// Signing secret of a route's calls.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// 32 random bytes.
    pub fn new() -> Result<Self, NoRandom> {
        Ok(Self(random::<32>()?.to_vec()))
    }

    /// The text form of the secret: `whsec_` and base64.
    pub fn to_text(&self) -> String {
        format!("{PREFIX}{}", BASE64.encode(&self.0))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The reason why a text is not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    #[error("must begin with whsec_")]
    Prefix,
    #[error("must be base64 after whsec_")]
    Base64,
    #[error("must have 24 to 64 bytes")]
    Length,
}

impl FromStr for Secret {
    type Err = BadSecret;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let encoded = text.strip_prefix(PREFIX).ok_or(BadSecret::Prefix)?;
        let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| BadSecret::Base64)?;
        if SECRET_BYTES.contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(BadSecret::Length) }
    }
}

/// The signatures of a call, one per secret. The timestamp is in seconds.
pub fn sign(secrets: &[Secret], id: &str, timestamp: u64, body: &[u8]) -> String {
    let signature = |secret: &Secret| {
        let mut signing = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &secret.0));
        signing.update(format!("{id}.{timestamp}.").as_bytes());
        signing.update(body);
        format!("v1,{}", BASE64.encode(signing.sign().as_ref()))
    };
    secrets.iter().map(signature).collect::<Vec<_>>().join(" ")
}

/// The headers of a signed call. Fails if the id has invisible characters.
pub fn headers(secrets: &[Secret], id: &str, timestamp: u64, body: &[u8]) -> Result<HeaderMap, InvalidHeaderValue> {
    let signature = HeaderValue::try_from(sign(secrets, id, timestamp, body))?;
    Ok([(ID, HeaderValue::try_from(id)?), (TIMESTAMP, timestamp.into()), (SIGNATURE, signature)].into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn secret(text: &str) -> Secret {
        text.parse().unwrap()
    }

    /// The test vectors of the specification's JavaScript and Rust libraries.
    /// <https://github.com/standard-webhooks/standard-webhooks/tree/main/libraries>
    #[test]
    fn signatures_match_the_specification() {
        let first = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed = sign(slice(&first), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, BODY);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        let second = secret("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let signed = sign(slice(&second), "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body);
        assert_eq!(signed, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");

        let both = sign(&[first.clone(), second.clone()], "msg_1", 7, &[0xff, 0]);
        let alone = [first, second].map(|secret| sign(slice(&secret), "msg_1", 7, &[0xff, 0]));
        assert_eq!(both, alone.join(" "));
        assert_eq!(both.matches("v1,").count(), 2);
    }

    fn slice(secret: &Secret) -> &[Secret] {
        std::slice::from_ref(secret)
    }

    #[test]
    fn the_headers_are_those_of_the_specification() {
        let secret = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let headers = headers(slice(&secret), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, BODY).unwrap();
        assert_eq!(headers.len(), 3);
        assert_eq!(headers["webhook-id"], "msg_p5jXN8AQM9LWM0D4loKWxJek");
        assert_eq!(headers["webhook-timestamp"], "1614265330");
        assert_eq!(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(super::headers(slice(&secret), "a\nb", 1, BODY).is_err());
    }

    #[test]
    fn a_secret_round_trips_and_is_not_in_debug_output() {
        let made = Secret::new().unwrap();
        assert_eq!((made.0.len(), secret(&made.to_text())), (32, made.clone()));
        assert_ne!(made, Secret::new().unwrap());
        assert_eq!(format!("{made:?}"), "Secret(…)");
        let of_bytes = |count| format!("whsec_{}", BASE64.encode(&vec![7; count]));
        for (text, fault) in [
            (String::new(), BadSecret::Prefix),
            ("whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(), BadSecret::Prefix),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS".to_owned(), BadSecret::Base64),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa_w".to_owned(), BadSecret::Base64),
            (of_bytes(23), BadSecret::Length),
            (of_bytes(65), BadSecret::Length),
        ] {
            assert_eq!(text.parse::<Secret>(), Err(fault), "{text}");
        }
        assert!(of_bytes(24).parse::<Secret>().is_ok() && of_bytes(64).parse::<Secret>().is_ok());
    }
}

//! `Content-Encoding` of received bodies and answers (RFC 9110, section 8.4): gzip and deflate are decompressed.

use crate::{Code, Problem};
use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};
use std::{
    borrow::Cow,
    io::{self, Read},
};

/// A body without its `Content-Encoding`, and the name of the removed encoding.
#[derive(Debug)]
pub struct Decoded {
    pub bytes: Bytes,
    pub encoding: Option<&'static str>,
}

/// The reason why an encoding can't be removed.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("`Content-Encoding: {0}` is not supported; send the body with gzip, deflate or none")]
    Unsupported(String),
    #[error("the body has `Content-Encoding: {0}`, but is not complete {0} data")]
    Corrupt(&'static str),
    #[error("the body must have at most {0} KB after decompression")]
    TooLarge(usize),
}

const GZIP: &str = "gzip";
/// Alternative name in RFC 9110.
const X_GZIP: &str = "x-gzip";
const DEFLATE: &str = "deflate";

impl From<DecodeError> for Problem {
    fn from(error: DecodeError) -> Self {
        let code = match error {
            DecodeError::Unsupported(_) => Code::UnsupportedEncoding,
            DecodeError::Corrupt(_) => Code::UnreadableBody,
            DecodeError::TooLarge(_) => Code::BodyTooLarge,
        };
        Self::new(code, error.to_string())
    }
}

/// Removes a body's encoding. Holds at most `max_bytes` of the result.
pub fn decode(headers: &HeaderMap, body: &Bytes, max_bytes: usize) -> Result<Decoded, DecodeError> {
    let stated = stated(headers);
    let inflated = match stated.as_str() {
        "" | "identity" => return Ok(Decoded { bytes: body.clone(), encoding: None }),
        GZIP | X_GZIP => (GZIP, inflate(MultiGzDecoder::new(&body[..]), max_bytes)),
        // Some senders leave the zlib header out.
        DEFLATE => {
            let with_header = inflate(ZlibDecoder::new(&body[..]), max_bytes);
            (DEFLATE, with_header.or_else(|_| inflate(DeflateDecoder::new(&body[..]), max_bytes)))
        }
        _ => return Err(DecodeError::Unsupported(stated.chars().filter(|c| !c.is_control()).take(100).collect())),
    };
    match inflated {
        (encoding, Ok(Some(bytes))) => Ok(Decoded { bytes: bytes.into(), encoding: Some(encoding) }),
        (_, Ok(None)) => Err(DecodeError::TooLarge(max_bytes / 1024)),
        (encoding, Err(_)) => Err(DecodeError::Corrupt(encoding)),
    }
}

/// The beginning of a decompressed body: at most `max_bytes`, up to the first fault. Empty if the encoding is not
/// supported.
pub fn beginning(headers: &HeaderMap, body: &[u8], max_bytes: usize) -> Vec<u8> {
    match stated(headers).as_str() {
        "" | "identity" => body[..body.len().min(max_bytes)].to_vec(),
        GZIP | X_GZIP => inflated(MultiGzDecoder::new(body), max_bytes),
        DEFLATE => match inflated(ZlibDecoder::new(body), max_bytes) {
            nothing if nothing.is_empty() => inflated(DeflateDecoder::new(body), max_bytes),
            beginning => beginning,
        },
        _ => Vec::new(),
    }
}

/// Decompressed data up to the end, the first fault or the limit.
fn inflated(decoder: impl Read, max_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Bytes read before a fault are kept.
    let _ = decoder.take(max_bytes as u64).read_to_end(&mut bytes);
    bytes
}

/// The encoding of a body in lower case. Several are separated by commas.
fn stated(headers: &HeaderMap) -> String {
    let values = headers.get_all(header::CONTENT_ENCODING).iter();
    let values: Vec<Cow<'_, str>> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    values.join(",").trim().to_ascii_lowercase()
}

/// None if the result has more than `max_bytes`.
fn inflate(decoder: impl Read, max_bytes: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    decoder.take(max_bytes as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= max_bytes).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{
        Compression,
        read::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };
    use http::HeaderValue;

    fn read_all(mut encoder: impl Read) -> Bytes {
        let mut bytes = Vec::new();
        encoder.read_to_end(&mut bytes).unwrap();
        bytes.into()
    }

    fn decoded(encodings: &[&'static str], body: &Bytes) -> Result<Decoded, DecodeError> {
        let mut headers = HeaderMap::new();
        for encoding in encodings {
            headers.append(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        decode(&headers, body, 100)
    }

    #[test]
    fn gzip_and_deflate_are_decoded_up_to_the_limit() {
        let level = Compression::default();
        let gzip = |text: &[u8]| read_all(GzEncoder::new(text, level));
        let text = &b"{\"id\":1}"[..];
        for (encoding, body, name) in [
            ("gzip", gzip(text), Some("gzip")),
            (" GZip ", gzip(text), Some("gzip")),
            ("x-gzip", gzip(text), Some("gzip")),
            ("deflate", read_all(ZlibEncoder::new(text, level)), Some("deflate")),
            ("deflate", read_all(DeflateEncoder::new(text, level)), Some("deflate")),
            ("identity", Bytes::from_static(text), None),
            ("", Bytes::from_static(text), None),
        ] {
            let decoded = decoded(&[encoding], &body).unwrap();
            assert_eq!((&decoded.bytes[..], decoded.encoding), (text, name), "{encoding}");
        }
        assert!(decoded(&["gzip"], &gzip(&[b'x'; 100])).is_ok());
        for bomb in [101, 50_000_000] {
            assert!(matches!(decoded(&["gzip"], &gzip(&vec![b'x'; bomb])), Err(DecodeError::TooLarge(_))));
        }
    }

    #[test]
    fn a_truncated_body_is_decoded_up_to_its_end() {
        let level = Compression::default();
        let text: Vec<u8> =
            (0..2000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_string().into_bytes()).collect();
        let read = |encoding: &'static str, body: &[u8]| {
            let headers = [(header::CONTENT_ENCODING, HeaderValue::from_static(encoding))].into_iter().collect();
            beginning(&headers, body, 100)
        };
        for (encoding, body) in [
            ("gzip", read_all(GzEncoder::new(&text[..], level))),
            ("deflate", read_all(ZlibEncoder::new(&text[..], level))),
            ("deflate", read_all(DeflateEncoder::new(&text[..], level))),
            ("identity", Bytes::from(text.clone())),
        ] {
            assert_eq!(read(encoding, &body), text[..100], "{encoding}");
            let cut = read(encoding, &body[..700]);
            assert_eq!(cut, text[..100], "{encoding} that breaks off");
        }
        let mut spoilt = read_all(GzEncoder::new(&text[..50], level)).to_vec();
        let end = spoilt.len() - 8;
        spoilt[end..].fill(0);
        assert_eq!(read("gzip", &spoilt), text[..50], "a wrong checksum");
        for (encoding, body) in [("gzip", &b"no gzip"[..]), ("gzip", b""), ("br", b"text"), ("gzip, gzip", b"text")] {
            assert_eq!(read(encoding, body), b"", "{encoding}");
        }
    }

    #[test]
    fn other_or_multiple_encodings_are_rejected() {
        let body = Bytes::from_static(b"{}");
        for encodings in [&["br"][..], &["zstd"], &["gzip, gzip"], &["gzip", "deflate"], &["identity, gzip"]] {
            assert!(matches!(decoded(encodings, &body), Err(DecodeError::Unsupported(_))), "{encodings:?}");
        }
        for encoding in ["gzip", "deflate"] {
            assert!(matches!(decoded(&[encoding], &body), Err(DecodeError::Corrupt(_))), "{encoding}");
        }
        let cut = read_all(GzEncoder::new(&b"hello there"[..], Compression::default())).slice(..15);
        assert!(matches!(decoded(&["gzip"], &cut), Err(DecodeError::Corrupt(_))));
    }
}

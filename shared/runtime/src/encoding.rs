//! `Content-Encoding` of webhook bodies (RFC 9110, section 8.4): gzip and deflate are undone before a body is read.

use crate::{Code, Problem};
use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};
use std::{
    borrow::Cow,
    io::{self, Read},
};

/// A body without its `Content-Encoding`, and the name of the encoding that was undone.
#[derive(Debug)]
pub struct Decoded {
    pub bytes: Bytes,
    pub encoding: Option<&'static str>,
}

/// The reason why an encoding can't be undone.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    #[error("the body is sent with `Content-Encoding: {0}`; send it with gzip, deflate or none")]
    Unsupported(String),
    #[error("the body is sent with `Content-Encoding: {0}`, and is no complete {0} data")]
    Corrupt(&'static str),
    #[error("the body has more than {0} KB once its `Content-Encoding` is undone")]
    TooLarge(usize),
}

const GZIP: &str = "gzip";
const DEFLATE: &str = "deflate";

impl From<Undecodable> for Problem {
    fn from(error: Undecodable) -> Self {
        let code = match error {
            Undecodable::Unsupported(_) => Code::UnsupportedEncoding,
            Undecodable::Corrupt(_) => Code::UnreadableBody,
            Undecodable::TooLarge(_) => Code::BodyTooLarge,
        };
        Self::new(code, error.to_string())
    }
}

/// Undoes the encoding of a body, of which no more than so many bytes are held.
pub fn decode(headers: &HeaderMap, body: &Bytes, max_bytes: usize) -> Result<Decoded, Undecodable> {
    let values = headers.get_all(header::CONTENT_ENCODING).iter();
    let values: Vec<Cow<'_, str>> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let stated = values.join(",").trim().to_ascii_lowercase();
    let inflated = match stated.as_str() {
        "" | "identity" => return Ok(Decoded { bytes: body.clone(), encoding: None }),
        // An old name that RFC 9110 keeps.
        GZIP | "x-gzip" => (GZIP, inflate(MultiGzDecoder::new(&body[..]), max_bytes)),
        // Some senders leave the zlib header out.
        DEFLATE => {
            let with_header = inflate(ZlibDecoder::new(&body[..]), max_bytes);
            (DEFLATE, with_header.or_else(|_| inflate(DeflateDecoder::new(&body[..]), max_bytes)))
        }
        _ => return Err(Undecodable::Unsupported(stated.chars().filter(|c| !c.is_control()).take(100).collect())),
    };
    match inflated {
        (encoding, Ok(Some(bytes))) => Ok(Decoded { bytes: bytes.into(), encoding: Some(encoding) }),
        (_, Ok(None)) => Err(Undecodable::TooLarge(max_bytes / 1024)),
        (encoding, Err(_)) => Err(Undecodable::Corrupt(encoding)),
    }
}

/// None if there are more bytes than these.
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

    fn decoded(encodings: &[&'static str], body: &Bytes) -> Result<Decoded, Undecodable> {
        let mut headers = HeaderMap::new();
        for encoding in encodings {
            headers.append(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        decode(&headers, body, 100)
    }

    #[test]
    fn gzip_and_deflate_are_undone_within_the_limit() {
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
            assert!(matches!(decoded(&["gzip"], &gzip(&vec![b'x'; bomb])), Err(Undecodable::TooLarge(_))));
        }
    }

    #[test]
    fn another_encoding_or_several_are_refused() {
        let body = Bytes::from_static(b"{}");
        for encodings in [&["br"][..], &["zstd"], &["gzip, gzip"], &["gzip", "deflate"], &["identity, gzip"]] {
            assert!(matches!(decoded(encodings, &body), Err(Undecodable::Unsupported(_))), "{encodings:?}");
        }
        for encoding in ["gzip", "deflate"] {
            assert!(matches!(decoded(&[encoding], &body), Err(Undecodable::Corrupt(_))), "{encoding}");
        }
        let cut = read_all(GzEncoder::new(&b"hello there"[..], Compression::default())).slice(..15);
        assert!(matches!(decoded(&["gzip"], &cut), Err(Undecodable::Corrupt(_))));
    }
}

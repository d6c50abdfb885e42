//! Compression of answers (RFC 9110, section 8.4): JSON of over 1 KB is sent in gzip to clients that accept it.

use crate::Response;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, header};
use std::io::{self, Write as _};

/// Encodes an answer in the way that the headers of its request allow. A route holds it as a pointer, so a function that
/// only has routes without one links none of this.
pub type Compressor = fn(&HeaderMap) -> Encoder;
/// Encodes an answer.
pub type Encoder = fn(Response) -> Response;

/// Largest body that is not compressed, in bytes: gzip would save no packet.
const MAX_PLAIN_BYTES: usize = 1024;
const GZIP: HeaderValue = HeaderValue::from_static("gzip");
const JSON: [&str; 3] = ["application/json", "application/problem+json", "application/cloudevents+json"];

/// Compresses answers of JSON, if the client accepts gzip. Another type, and an answer that is encoded already, stays as
/// it is.
pub fn compressor(headers: &HeaderMap) -> Encoder {
    if accepts_gzip(headers) { |response| encode(response, true) } else { |response| encode(response, false) }
}

fn encode(mut response: Response, is_accepted: bool) -> Response {
    let headers = response.headers();
    if response.body().len() <= MAX_PLAIN_BYTES || !is_json(headers) || headers.contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    // Writing to memory does not fail; if it did, the plain answer would be right.
    if let Some(Ok(compressed)) = is_accepted.then(|| compressed(response.body())) {
        response.headers_mut().insert(header::CONTENT_ENCODING, GZIP);
        *response.body_mut() = compressed;
    }
    response
}

fn is_json(headers: &HeaderMap) -> bool {
    let stated = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    JSON.contains(&stated.split(';').next().unwrap_or_default().trim())
}

/// A body in gzip, at the fastest level: the next levels save a tenth more and take twice as long.
fn compressed(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

/// True if gzip is among the accepted encodings. `gzip;q=0` excludes it.
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut is_any_accepted = false;
    for coding in values.flat_map(|value| value.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let is_accepted = !parts.any(is_weight_of_zero);
        match name {
            "*" => is_any_accepted |= is_accepted,
            _ if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => return is_accepted,
            _ => {}
        }
    }
    is_any_accepted
}

/// True for `q=0`, `q=0.0`, and so on.
fn is_weight_of_zero(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, weight)| {
        name.trim().eq_ignore_ascii_case("q") && weight.trim().bytes().all(|byte| matches!(byte, b'0' | b'.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::respond;
    use flate2::read::GzDecoder;
    use http::StatusCode;
    use std::io::Read as _;

    #[test]
    fn the_accepted_encodings_and_their_weights_decide() {
        let accepts = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            }
            accepts_gzip(&headers)
        };
        for accepted in
            [&["gzip"][..], &["br, GZIP;q=0.5"], &["x-gzip"], &["br", "gzip; q=0.001"], &["*"], &["br;q=1,*;q=0.1"]]
        {
            assert!(accepts(accepted), "{accepted:?}");
        }
        for refused in
            [&[][..], &[""], &["br"], &["gzip;q=0"], &["gzip; Q = 0.000"], &["*, gzip;q=0"], &["*;q=0"], &["gzipped"]]
        {
            assert!(!accepts(refused), "{refused:?}");
        }
    }

    #[test]
    fn large_json_is_compressed_and_nothing_else() {
        let text = format!("[{}0]", "12345,".repeat(1_000)).into_bytes();
        let json = || respond::written_json(StatusCode::OK, text.clone());
        let sent = encode(json(), true);
        assert!(sent.headers()["content-encoding"] == "gzip" && sent.headers()["vary"] == "accept-encoding");
        let mut read = Vec::new();
        GzDecoder::new(&sent.body()[..]).read_to_end(&mut read).unwrap();
        assert!(read == text && sent.body().len() < text.len() / 10, "{} bytes", sent.body().len());
        let plain = encode(json(), false);
        assert!(plain.headers().get("content-encoding").is_none() && plain.headers()["vary"] == "accept-encoding");
        assert_eq!(*plain.body(), text);
        let mut encoded = json();
        encoded.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
        for left in [
            encoded,
            respond::written_json(StatusCode::OK, text[..1024].to_vec()),
            respond::text(StatusCode::OK, "x".repeat(5_000)),
            respond::no_content(),
        ] {
            let (headers, body) = (left.headers().clone(), left.body().clone());
            let sent = encode(left, true);
            assert_eq!((sent.headers(), sent.body()), (&headers, &body));
        }
    }
}

//! The console: a page that calls the API with the user's key. The page itself contains no data, so anyone may fetch
//! it.

use app::{App, Function, Route};
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use http::{HeaderName, HeaderValue, StatusCode, header};
use web::{Access, Problem, Request, RequestExt as _, Response, compression::accepts_gzip, respond};

pub static FUNCTION: Function = Function {
    name: "console",
    routes: &[
        Route::get("/console", Access::Public, "Get the console", |app, request| Box::pin(page(app, request))),
        Route::get("/console/{file}", Access::Public, "Get a file of the console", |app, request| {
            Box::pin(file(app, request))
        }),
    ],
    direct: None,
    settings: Vec::new,
};

struct File {
    name: &'static str,
    content_type: &'static str,
    content: &'static [u8],
    packed: &'static [u8],
}

/// A built file, with its version compressed by `build.rs`.
macro_rules! file {
    ($name:literal, $content_type:literal) => {
        File {
            name: $name,
            content_type: $content_type,
            content: include_bytes!(concat!("../built/", $name)),
            packed: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")),
        }
    };
}

static PAGE: File = file!("index.html", "text/html; charset=utf-8");
static FILES: [File; 7] = [
    file!("console.js", "text/javascript; charset=utf-8"),
    file!("Chart.js", "text/javascript; charset=utf-8"),
    file!("editor.js", "text/javascript; charset=utf-8"),
    file!("later.js", "text/javascript; charset=utf-8"),
    file!("console.css", "text/css; charset=utf-8"),
    file!("icon.svg", "image/svg+xml"),
    file!("licenses.md", "text/plain; charset=utf-8"),
];

/// Allows only files and calls of this origin: no foreign scripts, no inline styles or handlers, no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::VARY, "accept-encoding"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::REFERRER_POLICY, "no-referrer"),
    // Browsers check for a new release each time, and download it if there is one.
    (header::CACHE_CONTROL, "no-cache"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

async fn page(_: &App, request: Request) -> Result<Response, Problem> {
    answer(&PAGE, &request)
}

async fn file(_: &App, request: Request) -> Result<Response, Problem> {
    let name = request.param("file");
    let file = FILES.iter().find(|file| file.name == name).ok_or_else(|| Problem::not_found("file"))?;
    answer(file, &request)
}

fn answer(file: &File, request: &Request) -> Result<Response, Problem> {
    let is_packed = accepts_gzip(request.headers());
    let content = if is_packed { file.packed } else { file.content };
    let tag = format!("\"{}\"", HEXLOWER.encode(&digest(&SHA256, content).as_ref()[..16]));
    let is_known = request.header(&header::IF_NONE_MATCH).is_some_and(|known| known.contains(&tag));
    let mut headers = vec![(header::ETAG, HeaderValue::from_str(&tag).map_err(Problem::internal)?)];
    headers.extend(HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value))));
    headers.push((header::CONTENT_TYPE, HeaderValue::from_static(file.content_type)));
    if is_packed {
        headers.push((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
    }
    let (status, body) = if is_known { (StatusCode::NOT_MODIFIED, &[][..]) } else { (StatusCode::OK, content) };
    Ok(respond::bytes(status, headers, body.to_vec()))
}

//! The console's files, as a browser is given them. What is in them is tested in a browser (tests/console).

use crate::support::assertions::problem;
use std::io::Read as _;
use tests::{Answer, Bundle, answer};

async fn file(bundle: &Bundle, path: &str) -> Answer {
    answer(bundle.http.get(format!("{}{path}", bundle.local.url))).await
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers[name].to_str().unwrap()
}

#[tokio::test]
async fn anyone_gets_the_page_with_a_policy_that_lets_nothing_else_in() {
    let bundle = Bundle::start().await;
    let page = file(&bundle, "/console").await;
    assert_eq!((page.status.as_u16(), header(&page, "content-type")), (200, "text/html; charset=utf-8"));
    let policy = header(&page, "content-security-policy");
    let directives: Vec<&str> = policy.split("; ").collect();
    for directive in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(directives.contains(&directive), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    assert_eq!(header(&page, "x-content-type-options"), "nosniff");
    assert_eq!(header(&page, "referrer-policy"), "no-referrer");
}

#[tokio::test]
async fn every_file_that_the_page_names_is_there_and_of_its_kind() {
    let bundle = Bundle::start().await;
    let Answer { text: page, .. } = file(&bundle, "/console").await;
    let named: Vec<&str> = page.split('"').filter(|word| word.starts_with("/console/")).collect();
    assert_eq!(named.len(), 3, "{page}");
    for path in named {
        let answer = file(&bundle, path).await;
        let kind = match path.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!((answer.status.as_u16(), header(&answer, "content-type")), (200, kind), "{path}");
        assert!(!answer.text.contains("https://cdn"), "{path}");
    }
}

#[tokio::test]
async fn a_cached_file_is_not_sent_again() {
    let bundle = Bundle::start().await;
    let first = file(&bundle, "/console/console.js").await;
    assert_eq!(header(&first, "cache-control"), "no-cache");
    let url = format!("{}/console/console.js", bundle.local.url);
    let again = answer(bundle.http.get(&url).header("if-none-match", header(&first, "etag"))).await;
    assert_eq!((again.status.as_u16(), again.text.len()), (304, 0));
    let other = answer(bundle.http.get(&url).header("if-none-match", "\"another\"")).await;
    assert_eq!((other.status.as_u16(), other.text), (200, first.text));
}

#[tokio::test]
async fn a_browser_gets_the_files_packed() {
    let bundle = Bundle::start().await;
    let url = format!("{}/console/console.js", bundle.local.url);
    let plain = file(&bundle, "/console/console.js").await;
    assert!(plain.headers.get("content-encoding").is_none());
    let get = async |accepted: &str| {
        let answer = bundle.http.get(&url).header("accept-encoding", accepted).send().await.unwrap();
        let (headers, body) = (answer.headers().clone(), answer.bytes().await.unwrap());
        assert_eq!(headers["vary"], "accept-encoding");
        (headers.get("content-encoding").is_some_and(|coding| coding == "gzip"), headers["etag"].clone(), body)
    };
    let (is_packed, tag, packed) = get("br, gzip;q=0.5").await;
    assert!(is_packed && tag != plain.headers["etag"] && packed.len() < plain.text.len() / 2);
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&*packed).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.text);
    for accepted in ["", "br", "gzip;q=0", "identity"] {
        assert!(!get(accepted).await.0, "{accepted}");
    }
}

#[tokio::test]
async fn there_is_no_way_out_of_the_folder() {
    let bundle = Bundle::start().await;
    for path in ["/console/nothing", "/console/..%2fCargo.toml", "/console/%2e%2e/Cargo.toml", "/console/a/b"] {
        problem(&file(&bundle, path).await, 404, "not_found");
    }
}

//! Protection from DNS rebinding: a web page of another origin may not call the server.

use app::Config;
use http::{HeaderMap, HeaderName, header};
use url::{Host, Url};

/// True if the request comes from no web page, from the deployment's own, or from one of an allowed origin.
///
/// On a laptop, whose public URL is a loopback address, the host must be one as well.
pub fn is_allowed(config: &Config, headers: &HeaderMap) -> bool {
    let host = text(headers, &header::HOST).and_then(|host| Url::parse(&format!("http://{host}")).ok());
    let is_laptop = config.public_url.as_ref().is_some_and(is_loopback);
    if is_laptop && headers.contains_key(header::HOST) && !host.as_ref().is_some_and(is_loopback) {
        return false;
    }
    if !headers.contains_key(header::ORIGIN) {
        return true;
    }
    let Some(origin) = text(headers, &header::ORIGIN) else { return false };
    if config.cors_allow_origins.iter().any(|allowed| allowed == "*" || allowed == origin) {
        return true;
    }
    match (&config.public_url, host) {
        (Some(_), _) if is_laptop => Url::parse(origin).is_ok_and(|origin| is_loopback(&origin)),
        (Some(public), _) => origin == public.origin().ascii_serialization(),
        (None, Some(host)) => origin.strip_prefix("https://") == host.host_str(),
        (None, None) => false,
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use web::settings::Settings;

    fn config(public_url: &str, origins: &str) -> Config {
        let tables = ["CONTROL_TABLE", "EVENTS_TABLE", "RECORDS_TABLE", "DELIVERIES_TABLE"].map(|name| (name, "t"));
        let own = [("PUBLIC_URL", public_url), ("CORS_ALLOW_ORIGINS", origins)];
        Config::read(&tables.into_iter().chain(own).collect::<Settings>(), &[]).unwrap()
    }

    fn allowed(config: &Config, host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        is_allowed(config, &headers)
    }

    #[test]
    fn a_laptop_answers_loopback_pages_alone() {
        let laptop = config("http://127.0.0.1:9000", "");
        for host in ["127.0.0.1:9000", "localhost:9000", "[::1]:9000"] {
            assert!(allowed(&laptop, host, None), "{host}");
            assert!(allowed(&laptop, host, Some("http://localhost:9000")), "{host}");
        }
        for origin in ["http://evil.example", "http://localhost.evil.example", "http://127.0.0.1.evil.example", "null"]
        {
            assert!(!allowed(&laptop, "127.0.0.1:9000", Some(origin)), "{origin}");
        }
        for host in ["evil.example:9000", "localhost.evil.example", "a b"] {
            assert!(!allowed(&laptop, host, None), "{host}");
        }
    }

    #[test]
    fn a_deployment_answers_its_own_pages_and_those_of_allowed_origins() {
        let own = config("https://hooks.example.com/base", "https://app.example.com,https://b.example.com");
        assert!(allowed(&own, "x.execute-api.us-east-1.amazonaws.com", None));
        for origin in ["https://hooks.example.com", "https://app.example.com", "https://b.example.com"] {
            assert!(allowed(&own, "hooks.example.com", Some(origin)), "{origin}");
        }
        for origin in ["http://hooks.example.com", "https://evil.example.com", "https://app.example.com.evil", ""] {
            assert!(!allowed(&own, "hooks.example.com", Some(origin)), "{origin}");
        }
        let unnamed = config("", "");
        let host = "x.execute-api.us-east-1.amazonaws.com";
        assert!(allowed(&unnamed, host, Some("https://x.execute-api.us-east-1.amazonaws.com")));
        assert!(!allowed(&unnamed, host, Some("https://y.execute-api.us-east-1.amazonaws.com")));
        assert!(!allowed(&unnamed, "a b", Some("https://a b")));
        assert!(allowed(&config("", "*"), host, Some("https://anyone.example")));
    }
}

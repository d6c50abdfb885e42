//! SSRF guard: routes may target globally reachable addresses, and ranges that the deployment allows. A host name
//! proves nothing, so the addresses that it resolves to are checked.

mod ranges;
#[cfg(test)]
pub(crate) mod tests;

use ipnet::IpNet;
pub use ranges::Special;
use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use url::{Host, Url};

/// Time limit for resolving a name.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// The reason why a URL is not called, as a predicate of the URL. It contains no part of the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("is not a valid URL: {0}")]
    Unreadable(#[from] url::ParseError),
    #[error("must be an https URL")]
    Scheme,
    #[error("must be https, except for addresses in DELIVERY_ALLOW_CIDRS")]
    Plain,
    #[error("must not contain a user name or a password")]
    UserInfo,
    #[error("must not use port 0")]
    Port,
    #[error("points to {0}, which is not globally reachable")]
    Special(Special),
    #[error("does not resolve: {0}")]
    Unresolved(String),
    #[error("does not resolve within {0:?}")]
    Slow(Duration),
}

pub type LookupFuture = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Resolves a name to its addresses.
pub trait Lookup: Send + Sync {
    fn addresses(&self, name: &str) -> LookupFuture;
}

/// The system's resolver.
struct System;

impl Lookup for System {
    fn addresses(&self, name: &str) -> LookupFuture {
        let name = name.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

/// Decides which URLs may be called.
pub struct Guard {
    allow: Vec<IpNet>,
    lookup: Arc<dyn Lookup>,
    timeout: Duration,
}

impl Guard {
    /// Allows ranges in addition to globally reachable addresses.
    pub fn new(allow: Vec<IpNet>) -> Self {
        Self { allow, lookup: Arc::new(System), timeout: LOOKUP_TIMEOUT }
    }

    /// Replaces the resolver and its time limit.
    #[must_use]
    pub fn with_lookup(self, lookup: Arc<dyn Lookup>, timeout: Duration) -> Self {
        Self { lookup, timeout, ..self }
    }

    /// True if any range is allowed in addition to globally reachable addresses.
    pub fn allows_any(&self) -> bool {
        !self.allow.is_empty()
    }

    /// Fails for an address that may not be called.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Refusal> {
        match Special::of(address) {
            Some(special) if !self.allows(address) => Err(Refusal::Special(special)),
            _ => Ok(()),
        }
    }

    /// Parses a URL, and checks it as far as possible without resolving its name.
    pub fn check_url(&self, text: &str) -> Result<Url, Refusal> {
        let url = Url::parse(text)?;
        self.check(&url)?;
        Ok(url)
    }

    /// The addresses of a URL. If one may not be called, all are rejected.
    pub async fn resolve(&self, url: &Url) -> Result<Vec<SocketAddr>, Refusal> {
        let target = self.check(url)?;
        let addresses = match target.host {
            Host::Ipv4(address) => vec![address.into()],
            Host::Ipv6(address) => vec![address.into()],
            Host::Domain(name) => self.look_up(name, target.plain).await?,
        };
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, target.port)).collect())
    }

    /// The addresses of a name, for a call with or without TLS.
    pub(crate) async fn look_up(&self, name: &str, plain: bool) -> Result<Vec<IpAddr>, Refusal> {
        let found = tokio::time::timeout(self.timeout, self.lookup.addresses(name)).await;
        let found = found.map_err(|_| Refusal::Slow(self.timeout))?;
        let addresses = found.map_err(|error| Refusal::Unresolved(error.to_string()))?;
        if addresses.is_empty() {
            return Err(Refusal::Unresolved("it has no address".to_owned()));
        }
        addresses.iter().try_for_each(|address| self.check_call(*address, plain))?;
        Ok(addresses)
    }

    /// Checks a URL without resolving its name. An address in it is checked as well.
    pub(crate) fn check<'a>(&self, url: &'a Url) -> Result<Target<'a>, Refusal> {
        let plain = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err(Refusal::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::UserInfo);
        }
        let host = url.host().ok_or(url::ParseError::EmptyHost)?;
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(Refusal::Port)?;
        match host {
            Host::Ipv4(address) => self.check_call(address.into(), plain)?,
            Host::Ipv6(address) => self.check_call(address.into(), plain)?,
            Host::Domain(_) if plain && !self.allows_any() => return Err(Refusal::Plain),
            Host::Domain(_) => {}
        }
        Ok(Target { host, port, plain })
    }

    fn check_call(&self, address: IpAddr, plain: bool) -> Result<(), Refusal> {
        self.check_address(address)?;
        if plain && !self.allows(address) { Err(Refusal::Plain) } else { Ok(()) }
    }

    fn allows(&self, address: IpAddr) -> bool {
        let embedded_ipv4 = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => ranges::embedded_ipv4(address),
        };
        let embedded_ipv4 = embedded_ipv4.map(|(address, _)| IpAddr::V4(address));
        self.allow
            .iter()
            .any(|block| block.contains(&address) || embedded_ipv4.is_some_and(|inner| block.contains(&inner)))
    }
}

/// The target of a URL.
pub(crate) struct Target<'a> {
    host: Host<&'a str>,
    port: u16,
    pub plain: bool,
}

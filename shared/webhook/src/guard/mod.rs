//! Where routes may lead: to what is reachable from anywhere, and to what the deployment opens. Names prove nothing, so
//! only the addresses count that they lead to.

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

/// How long a name may take to resolve.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a URL is not called. As a text it follows the name of what holds the URL, and shows nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("is not a URL: {0}")]
    Unreadable(#[from] url::ParseError),
    #[error("is not an https URL")]
    Scheme,
    #[error("is not https, which only addresses that DELIVERY_ALLOW_CIDRS opens may do without")]
    Plain,
    #[error("holds a user name or a password")]
    UserInfo,
    #[error("names port 0")]
    Port,
    #[error("leads to {0}, which is not globally reachable")]
    Special(Special),
    #[error("does not resolve: {0}")]
    Unresolved(String),
    #[error("does not resolve within {0:?}")]
    Slow(Duration),
}

pub type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Finds the addresses of a name.
pub trait Lookup: Send + Sync {
    fn addresses(&self, name: &str) -> Looking;
}

/// The system's own way to resolve names.
struct System;

impl Lookup for System {
    fn addresses(&self, name: &str) -> Looking {
        let name = name.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

/// Decides what may be called.
pub struct Guard {
    allow: Vec<IpNet>,
    lookup: Arc<dyn Lookup>,
    patience: Duration,
}

impl Guard {
    /// Opens ranges besides what is globally reachable.
    pub fn new(allow: Vec<IpNet>) -> Self {
        Self { allow, lookup: Arc::new(System), patience: PATIENCE }
    }

    /// Resolves names in another way, and waits for it no longer than this.
    #[must_use]
    pub fn with_lookup(self, lookup: Arc<dyn Lookup>, patience: Duration) -> Self {
        Self { lookup, patience, ..self }
    }

    /// Whether anything but what is globally reachable may be called.
    pub fn allows_any(&self) -> bool {
        !self.allow.is_empty()
    }

    /// Whether an address may be called.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Refusal> {
        match Special::of(address) {
            Some(special) if !self.allows(address) => Err(Refusal::Special(special)),
            _ => Ok(()),
        }
    }

    /// Reads a URL that may be called as far as can be told before its name is resolved.
    pub fn check_url(&self, text: &str) -> Result<Url, Refusal> {
        let url = Url::parse(text)?;
        self.check(&url)?;
        Ok(url)
    }

    /// The addresses of a URL. One that may not be called refuses all of them.
    pub async fn resolve(&self, url: &Url) -> Result<Vec<SocketAddr>, Refusal> {
        let target = self.check(url)?;
        let addresses = match target.host {
            Host::Ipv4(address) => vec![address.into()],
            Host::Ipv6(address) => vec![address.into()],
            Host::Domain(name) => self.look_up(name, target.plain).await?,
        };
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, target.port)).collect())
    }

    /// The addresses of a name, for a call with TLS or a plain one.
    pub(crate) async fn look_up(&self, name: &str, plain: bool) -> Result<Vec<IpAddr>, Refusal> {
        let found = tokio::time::timeout(self.patience, self.lookup.addresses(name)).await;
        let found = found.map_err(|_| Refusal::Slow(self.patience))?;
        let addresses = found.map_err(|error| Refusal::Unresolved(error.to_string()))?;
        if addresses.is_empty() {
            return Err(Refusal::Unresolved("it has no address".to_owned()));
        }
        addresses.iter().try_for_each(|address| self.check_call(*address, plain))?;
        Ok(addresses)
    }

    /// Checks what stands in a URL itself, an address too.
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
        let carried = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => ranges::carried(address),
        };
        let carried = carried.map(|(address, _)| IpAddr::V4(address));
        self.allow.iter().any(|block| block.contains(&address) || carried.is_some_and(|inner| block.contains(&inner)))
    }
}

/// What a URL leads to.
pub(crate) struct Target<'a> {
    host: Host<&'a str>,
    port: u16,
    pub plain: bool,
}

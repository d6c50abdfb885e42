//! Globally reachable addresses, by IANA's registries.
//!
//! The ranges are those of the registries of special-purpose addresses, last updated on 2025-10-09 (read in a
//! transcription of 2026-07-27): <https://www.iana.org/assignments/iana-ipv4-special-registry> and
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>. They don't cover multicast and unallocated IPv6
//! space; those rows are from <https://www.iana.org/assignments/multicast-addresses> and
//! <https://www.iana.org/assignments/ipv6-address-space>.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// A range with its name at IANA. The smallest range that contains an address applies.
struct Range {
    block: IpNet,
    name: &'static str,
    reachable: bool,
}

const fn special(block: IpNet, name: &'static str) -> Range {
    Range { block, name, reachable: false }
}

const fn reachable(block: IpNet, name: &'static str) -> Range {
    Range { block, name, reachable: true }
}

const fn v4(octets: [u8; 4], prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::from_octets(octets), prefix))
}

/// A range by its first groups; the others are zero.
const fn v6<const N: usize>(groups: [u16; N], prefix: u8) -> IpNet {
    let (mut segments, mut at) = ([0; 8], 0);
    while at < N {
        segments[at] = groups[at];
        at += 1;
    }
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_segments(segments), prefix))
}

/// Address forms that [`embedded_ipv4`] converts have no row: mapped and compatible addresses, NAT64 and 6to4.
const RANGES: &[Range] = &[
    special(v4([0, 0, 0, 0], 8), "This network"),
    special(v4([0, 0, 0, 0], 32), "This host on this network"),
    special(v4([10, 0, 0, 0], 8), "Private-Use"),
    special(v4([100, 64, 0, 0], 10), "Shared Address Space"),
    special(v4([127, 0, 0, 0], 8), "Loopback"),
    special(v4([169, 254, 0, 0], 16), "Link Local"),
    special(v4([172, 16, 0, 0], 12), "Private-Use"),
    special(v4([192, 0, 0, 0], 24), "IETF Protocol Assignments"),
    special(v4([192, 0, 0, 0], 29), "IPv4 Service Continuity Prefix"),
    special(v4([192, 0, 0, 8], 32), "IPv4 dummy address"),
    reachable(v4([192, 0, 0, 9], 32), "Port Control Protocol Anycast"),
    reachable(v4([192, 0, 0, 10], 32), "Traversal Using Relays around NAT Anycast"),
    special(v4([192, 0, 0, 170], 31), "NAT64/DNS64 Discovery"),
    special(v4([192, 0, 2, 0], 24), "Documentation (TEST-NET-1)"),
    reachable(v4([192, 31, 196, 0], 24), "AS112-v4"),
    reachable(v4([192, 52, 193, 0], 24), "AMT"),
    special(v4([192, 88, 99, 0], 24), "Deprecated (6to4 Relay Anycast)"),
    special(v4([192, 88, 99, 2], 32), "6a44-relay anycast address"),
    special(v4([192, 168, 0, 0], 16), "Private-Use"),
    reachable(v4([192, 175, 48, 0], 24), "Direct Delegation AS112 Service"),
    special(v4([198, 18, 0, 0], 15), "Benchmarking"),
    special(v4([198, 51, 100, 0], 24), "Documentation (TEST-NET-2)"),
    special(v4([203, 0, 113, 0], 24), "Documentation (TEST-NET-3)"),
    special(v4([224, 0, 0, 0], 4), "Multicast"),
    special(v4([240, 0, 0, 0], 4), "Reserved"),
    special(v4([255, 255, 255, 255], 32), "Limited Broadcast"),
    special(v6([], 3), "Reserved by IETF"),
    special(v6([], 128), "Unspecified Address"),
    special(v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "Loopback Address"),
    // Each network chooses the position of the IPv4 address in it (RFC 8215), so it is not converted.
    special(v6([0x64, 0xff9b, 1], 48), "IPv4-IPv6 Translat."),
    special(v6([0x100], 64), "Discard-Only Address Block"),
    special(v6([0x100, 0, 0, 1], 64), "Dummy IPv6 Prefix"),
    special(v6([0x2001], 23), "IETF Protocol Assignments"),
    special(v6([0x2001], 32), "TEREDO"),
    reachable(v6([0x2001, 1, 0, 0, 0, 0, 0, 1], 128), "Port Control Protocol Anycast"),
    reachable(v6([0x2001, 1, 0, 0, 0, 0, 0, 2], 128), "Traversal Using Relays around NAT Anycast"),
    reachable(v6([0x2001, 1, 0, 0, 0, 0, 0, 3], 128), "DNS-SD Service Registration Protocol Anycast"),
    special(v6([0x2001, 2], 48), "Benchmarking"),
    reachable(v6([0x2001, 3], 32), "AMT"),
    reachable(v6([0x2001, 4, 0x112], 48), "AS112-v6"),
    special(v6([0x2001, 0x10], 28), "Deprecated (previously ORCHID)"),
    reachable(v6([0x2001, 0x20], 28), "ORCHIDv2"),
    reachable(v6([0x2001, 0x30], 28), "Drone Remote ID Protocol Entity Tags (DETs) Prefix"),
    special(v6([0x2001, 0xdb8], 32), "Documentation"),
    reachable(v6([0x2620, 0x4f, 0x8000], 48), "Direct Delegation AS112 Service"),
    special(v6([0x3fff], 20), "Documentation"),
    special(v6([0x4000], 2), "Reserved by IETF"),
    special(v6([0x5f00], 16), "Segment Routing (SRv6) SIDs"),
    special(v6([0x8000], 1), "Reserved by IETF"),
    special(v6([0xfc00], 7), "Unique-Local"),
    special(v6([0xfe80], 10), "Link-Local Unicast"),
    special(v6([0xff00], 8), "Multicast"),
];

/// The range because of which an address is not globally reachable: `10.0.0.0/8, Private-Use`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Special {
    pub block: IpNet,
    pub name: &'static str,
    /// The IPv6 form that contains the address, if it is an IPv4 address.
    pub within: Option<&'static str>,
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.block, self.name)?;
        self.within.map_or(Ok(()), |within| write!(f, ", as IPv4 inside {within}"))
    }
}

impl Special {
    /// The range of an address that is not globally reachable.
    pub fn of(address: IpAddr) -> Option<Self> {
        let IpAddr::V6(whole) = address else { return own(address) };
        let inside = |(v4, within): (Ipv4Addr, _)| Some(Self { within: Some(within), ..own(v4.into())? });
        match embedded_ipv4(whole) {
            Some(embedded_ipv4) => inside(embedded_ipv4),
            None => own(address).or_else(|| isatap_ipv4(whole).and_then(inside)),
        }
    }
}

fn own(address: IpAddr) -> Option<Special> {
    let holding = RANGES.iter().filter(|range| range.block.contains(&address));
    let range = holding.max_by_key(|range| range.block.prefix_len()).filter(|range| !range.reachable)?;
    Some(Special { block: range.block, name: range.name, within: None })
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low))
}

/// The IPv4 address that an IPv6 address represents.
pub fn embedded_ipv4(address: Ipv6Addr) -> Option<(Ipv4Addr, &'static str)> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0, high, low] => Some((joined(high, low), "::/96")),
        [0, 0, 0, 0, 0, 0xffff, high, low] => Some((joined(high, low), "::ffff:0:0/96")),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some((joined(high, low), "64:ff9b::/96")),
        [0x2002, high, low, ..] => Some((joined(high, low), "2002::/16")),
        _ => None,
    }
}

/// The IPv4 address at the end of an ISATAP address (RFC 5214). It is checked in addition to the address itself.
fn isatap_ipv4(address: Ipv6Addr) -> Option<(Ipv4Addr, &'static str)> {
    match address.segments() {
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => Some((joined(high, low), "an ISATAP address")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_ranges_have_names() {
        for (address, expected) in [
            ("0.0.0.0", "0.0.0.0/32, This host on this network"),
            ("0.255.255.255", "0.0.0.0/8, This network"),
            ("10.255.255.255", "10.0.0.0/8, Private-Use"),
            ("100.64.0.0", "100.64.0.0/10, Shared Address Space"),
            ("100.127.255.255", "100.64.0.0/10, Shared Address Space"),
            ("127.255.255.254", "127.0.0.0/8, Loopback"),
            ("169.254.169.254", "169.254.0.0/16, Link Local"),
            ("172.16.0.0", "172.16.0.0/12, Private-Use"),
            ("172.31.255.255", "172.16.0.0/12, Private-Use"),
            ("192.0.0.7", "192.0.0.0/29, IPv4 Service Continuity Prefix"),
            ("192.0.0.8", "192.0.0.8/32, IPv4 dummy address"),
            ("192.0.0.11", "192.0.0.0/24, IETF Protocol Assignments"),
            ("192.0.0.171", "192.0.0.170/31, NAT64/DNS64 Discovery"),
            ("192.88.99.1", "192.88.99.0/24, Deprecated (6to4 Relay Anycast)"),
            ("192.88.99.2", "192.88.99.2/32, 6a44-relay anycast address"),
            ("198.19.255.255", "198.18.0.0/15, Benchmarking"),
            ("239.255.255.255", "224.0.0.0/4, Multicast"),
            ("240.0.0.0", "240.0.0.0/4, Reserved"),
            ("255.255.255.255", "255.255.255.255/32, Limited Broadcast"),
            ("::", "::/128, Unspecified Address"),
            ("::1", "::1/128, Loopback Address"),
            ("::2", "0.0.0.0/8, This network, as IPv4 inside ::/96"),
            ("::10.0.0.1", "10.0.0.0/8, Private-Use, as IPv4 inside ::/96"),
            ("::ffff:127.0.0.1", "127.0.0.0/8, Loopback, as IPv4 inside ::ffff:0:0/96"),
            ("::ffff:0:127.0.0.1", "::/3, Reserved by IETF"),
            ("64:ff9b::a9fe:a9fe", "169.254.0.0/16, Link Local, as IPv4 inside 64:ff9b::/96"),
            ("64:ff9b:1::8.8.8.8", "64:ff9b:1::/48, IPv4-IPv6 Translat."),
            ("64:ff9b:1:7f00:0:100::", "64:ff9b:1::/48, IPv4-IPv6 Translat."),
            ("64:ff9b:2::1", "::/3, Reserved by IETF"),
            ("100::1", "100::/64, Discard-Only Address Block"),
            ("100:0:0:1::1", "100:0:0:1::/64, Dummy IPv6 Prefix"),
            ("100:0:0:2::1", "::/3, Reserved by IETF"),
            ("1fff:ffff::1", "::/3, Reserved by IETF"),
            ("2001::808:808", "2001::/32, TEREDO"),
            ("2001:1::4", "2001::/23, IETF Protocol Assignments"),
            ("2001:2::1", "2001:2::/48, Benchmarking"),
            ("2001:4:113::1", "2001::/23, IETF Protocol Assignments"),
            ("2001:1f::1", "2001:10::/28, Deprecated (previously ORCHID)"),
            ("2001:1ff::1", "2001::/23, IETF Protocol Assignments"),
            ("2001:db8::1", "2001:db8::/32, Documentation"),
            ("2002:7f00:1::1", "127.0.0.0/8, Loopback, as IPv4 inside 2002::/16"),
            ("2002:c0a8:101::", "192.168.0.0/16, Private-Use, as IPv4 inside 2002::/16"),
            ("2a00:1450::200:5efe:10.0.0.1", "10.0.0.0/8, Private-Use, as IPv4 inside an ISATAP address"),
            ("2a00:1450::5efe:127.0.0.1", "127.0.0.0/8, Loopback, as IPv4 inside an ISATAP address"),
            ("3fff:fff::1", "3fff::/20, Documentation"),
            ("4000::1", "4000::/2, Reserved by IETF"),
            ("5f00::1", "5f00::/16, Segment Routing (SRv6) SIDs"),
            ("a000::1", "8000::/1, Reserved by IETF"),
            ("fc00::1", "fc00::/7, Unique-Local"),
            ("fd00:ec2::254", "fc00::/7, Unique-Local"),
            ("fe80::5efe:8.8.8.8", "fe80::/10, Link-Local Unicast"),
            ("fec0::1", "8000::/1, Reserved by IETF"),
            ("ff0e::1", "ff00::/8, Multicast"),
        ] {
            let special = Special::of(address.parse().unwrap()).map(|special| special.to_string());
            assert_eq!(special.as_deref(), Some(expected), "{address}");
        }
    }

    #[test]
    fn globally_reachable_addresses_are_not_special() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.0.9",
            "192.0.0.10",
            "192.0.1.0",
            "192.31.196.1",
            "192.52.193.1",
            "192.88.98.255",
            "192.167.255.255",
            "192.169.0.0",
            "192.175.48.1",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2000::1",
            "2001:1::1",
            "2001:1::2",
            "2001:1::3",
            "2001:3::1",
            "2001:4:112::1",
            "2001:20::1",
            "2001:2f:ffff::1",
            "2001:30::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2001:db9::1",
            "2002:808:808::1",
            "2606:4700::1111",
            "2620:4f:8000::1",
            "2a00:1450::5efe:8.8.8.8",
            "3fff:1000::1",
            "::8.8.8.8",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(Special::of(address.parse().unwrap()), None, "{address}");
        }
    }

    #[test]
    fn every_range_starts_at_its_network_address() {
        for range in RANGES {
            assert_eq!(range.block, range.block.trunc(), "{}", range.name);
        }
    }
}

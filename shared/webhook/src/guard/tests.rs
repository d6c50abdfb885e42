//! URLs that the guard rejects, and the messages.

use super::*;
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Mutex};

/// A resolver that returns a name's lists of addresses in turn, then always the last one.
#[derive(Default)]
pub struct Names(Mutex<BTreeMap<String, Vec<Vec<IpAddr>>>>);

impl Names {
    pub fn of(names: &[(&str, &[&[&str]])]) -> Arc<Self> {
        let list = |list: &&[&str]| list.iter().map(|address| address.parse().unwrap()).collect();
        let names = names.iter().map(|(name, lists)| ((*name).to_owned(), lists.iter().map(list).collect()));
        Arc::new(Self(Mutex::new(names.collect())))
    }
}

impl Lookup for Names {
    fn addresses(&self, name: &str) -> LookupFuture {
        let mut names = self.0.lock().unwrap();
        let found = names.get_mut(name).map(|lists| match lists.len() {
            1 => lists[0].clone(),
            _ => lists.remove(0),
        });
        if name == "hangs.test" {
            return Box::pin(std::future::pending());
        }
        Box::pin(async move { found.ok_or_else(|| io::Error::other("no such name")) })
    }
}

fn guard(allow: &[&str], names: &[(&str, &[&[&str]])]) -> Guard {
    let allow = allow.iter().map(|block| block.parse().unwrap()).collect();
    Guard::new(allow).with_lookup(Names::of(names), Duration::from_millis(20))
}

async fn target(guard: &Guard, text: &str) -> Result<Vec<SocketAddr>, Refusal> {
    guard.resolve(&guard.check_url(text)?).await
}

const LOOPBACK: &str = "points to 127.0.0.0/8, Loopback, which is not globally reachable";
const LOOPBACK_6: &str = "points to ::1/128, Loopback Address, which is not globally reachable";
const LINK_LOCAL: &str = "points to 169.254.0.0/16, Link Local, which is not globally reachable";
const PRIVATE: &str = "points to 10.0.0.0/8, Private-Use, which is not globally reachable";
const ANY: &str = "points to 0.0.0.0/32, This host on this network, which is not globally reachable";
const MAPPED: &str = "points to 127.0.0.0/8, Loopback, as IPv4 inside ::ffff:0:0/96, which is not globally reachable";
const PLAIN: &str = "must be https, except for addresses in DELIVERY_ALLOW_CIDRS";

#[tokio::test]
async fn urls_to_special_addresses_are_rejected() {
    let public: &[&str] = &["93.184.215.14"];
    let guard = guard(
        &[],
        &[
            ("localhost", &[&["127.0.0.1", "::1"]]),
            ("localhost.", &[&["127.0.0.1"]]),
            ("any.localhost", &[&["::1"]]),
            ("metadata.google.internal", &[&["169.254.169.254"]]),
            ("127.0.0.1.nip.test", &[&["127.0.0.1"]]),
            ("one-bad.test", &[&["93.184.215.14", "2606:4700::1111", "10.0.0.1"]]),
            ("mapped.test", &[&["::ffff:127.0.0.1"]]),
            ("nat64.test", &[&["64:ff9b::7f00:1"]]),
            ("none.test", &[&[]]),
            ("public.test", &[public]),
            ("xn--bcher-kva.test", &[&["10.1.1.1"]]),
            ("hangs.test", &[&[]]),
        ],
    );
    let refused = [
        // Other forms of an IPv4 address.
        ("https://127.0.0.1/", LOOPBACK),
        ("https://127.0.0.1./", LOOPBACK),
        ("https://127.1/", LOOPBACK),
        ("https://127.0.1/", LOOPBACK),
        ("https://2130706433/", LOOPBACK),
        ("http://2130706433/", LOOPBACK),
        ("https://017700000001/", LOOPBACK),
        ("https://0177.0.0.1/", LOOPBACK),
        ("https://0x7f.1/", LOOPBACK),
        ("https://0x7f000001/", LOOPBACK),
        ("https://0x7f.0x0.0x0.0x1./", LOOPBACK),
        ("https://0x7F.0.0.01/", LOOPBACK),
        ("https://%31%32%37.0.0.1/", LOOPBACK),
        ("https://１２７.０.０.１/", LOOPBACK),
        ("https://127。0。0。1/", LOOPBACK),
        ("https://①②⑦.0.0.1/", LOOPBACK),
        ("https:127.0.0.1", LOOPBACK),
        ("https:\\\\127.0.0.1\\x", LOOPBACK),
        ("https:////127.0.0.1", LOOPBACK),
        (" \thttps://127.0.\n0.1/", LOOPBACK),
        ("HTTPS://127.0.0.1:8443/a?b#c", LOOPBACK),
        ("https://127.255.255.254:443", LOOPBACK),
        ("https://0/", ANY),
        ("https://0.0.0.0:8080/", ANY),
        ("https://0x0/", ANY),
        ("https://2852039166/latest/meta-data/", LINK_LOCAL),
        ("https://0xa9fea9fe/", LINK_LOCAL),
        ("https://169.254.170.2/v2/credentials", LINK_LOCAL),
        ("https://169.254.43518/", LINK_LOCAL),
        ("https://10.0.0.1/", PRIVATE),
        ("https://012.0.0.1/", PRIVATE),
        ("https://0xa.1/", PRIVATE),
        ("https://172.31.0.1/", "points to 172.16.0.0/12, Private-Use, which is not globally reachable"),
        ("https://192.168.1.1/", "points to 192.168.0.0/16, Private-Use, which is not globally reachable"),
        ("https://100.100.100.200/", "points to 100.64.0.0/10, Shared Address Space, which is not globally reachable"),
        ("https://198.18.0.1/", "points to 198.18.0.0/15, Benchmarking, which is not globally reachable"),
        ("https://224.0.0.1/", "points to 224.0.0.0/4, Multicast, which is not globally reachable"),
        ("https://240.0.0.1/", "points to 240.0.0.0/4, Reserved, which is not globally reachable"),
        ("https://4294967295/", "points to 255.255.255.255/32, Limited Broadcast, which is not globally reachable"),
        // IPv6 addresses, and IPv4 inside them.
        ("https://[::1]/", LOOPBACK_6),
        ("https://[0:0:0:0:0:0:0:1]:8443/", LOOPBACK_6),
        ("https://[0000::0001]/", LOOPBACK_6),
        ("https://[::]/", "points to ::/128, Unspecified Address, which is not globally reachable"),
        ("https://[::ffff:127.0.0.1]/", MAPPED),
        ("https://[::ffff:7f00:1]/", MAPPED),
        (
            "https://[::127.0.0.1]/",
            "points to 127.0.0.0/8, Loopback, as IPv4 inside ::/96, which is not globally reachable",
        ),
        (
            "https://[64:ff9b::169.254.169.254]/",
            "points to 169.254.0.0/16, Link Local, as IPv4 inside 64:ff9b::/96, which is not globally reachable",
        ),
        (
            "https://[64:ff9b:1::a00:1]/",
            "points to 64:ff9b:1::/48, IPv4-IPv6 Translat., which is not globally reachable",
        ),
        (
            "https://[2002:a00:1::]/",
            "points to 10.0.0.0/8, Private-Use, as IPv4 inside 2002::/16, which is not globally reachable",
        ),
        ("https://[2001:0:a00:1::]/", "points to 2001::/32, TEREDO, which is not globally reachable"),
        ("https://[fd00:ec2::254]/", "points to fc00::/7, Unique-Local, which is not globally reachable"),
        ("https://[fe80::1]/", "points to fe80::/10, Link-Local Unicast, which is not globally reachable"),
        ("https://[fec0::1]/", "points to 8000::/1, Reserved by IETF, which is not globally reachable"),
        ("https://[ff02::1]/", "points to ff00::/8, Multicast, which is not globally reachable"),
        ("https://[fe80::1%25eth0]/", "is not a valid URL: invalid IPv6 address"),
        ("https://[::1%lo]/", "is not a valid URL: invalid IPv6 address"),
        ("https://[::1", "is not a valid URL: invalid IPv6 address"),
        // Names.
        ("https://localhost/", LOOPBACK),
        ("https://LOCALHOST./", LOOPBACK),
        ("https://ⓛocalhost/", LOOPBACK),
        ("https://any.localhost/", LOOPBACK_6),
        ("https://metadata.google.internal/computeMetadata/v1/", LINK_LOCAL),
        ("https://127.0.0.1.nip.test/", LOOPBACK),
        ("https://one-bad.test/", PRIVATE),
        ("https://mapped.test/", MAPPED),
        (
            "https://nat64.test/",
            "points to 127.0.0.0/8, Loopback, as IPv4 inside 64:ff9b::/96, which is not globally reachable",
        ),
        ("https://Bücher.test/", PRIVATE),
        ("https://none.test/", "does not resolve: it has no address"),
        ("https://unknown.test/", "does not resolve: no such name"),
        ("https://hangs.test/", "does not resolve within 20ms"),
        // Other parts of a URL.
        ("http://public.test/", PLAIN),
        ("http://93.184.215.14/", PLAIN),
        ("https://public.test@127.0.0.1/", "must not contain a user name or a password"),
        ("https://user:word@public.test/", "must not contain a user name or a password"),
        ("https://:word@public.test/", "must not contain a user name or a password"),
        ("https://public.test:0/", "must not use port 0"),
        ("https://public.test:65536/", "is not a valid URL: invalid port number"),
        ("https://256.256.256.256/", "is not a valid URL: invalid IPv4 address"),
        ("https://1.2.3.4.5/", "is not a valid URL: invalid IPv4 address"),
        ("https://public.test\u{0}.evil.test/", "is not a valid URL: invalid international domain name"),
        ("https://", "is not a valid URL: empty host"),
        ("", "is not a valid URL: relative URL without a base"),
        ("//public.test/", "is not a valid URL: relative URL without a base"),
        ("file:///etc/passwd", "must be an https URL"),
        ("gopher://127.0.0.1:6379/_x", "must be an https URL"),
        ("ftp://public.test/", "must be an https URL"),
        ("unix:/run/docker.sock", "must be an https URL"),
        ("data:text/plain,x", "must be an https URL"),
        ("javascript:alert(1)", "must be an https URL"),
        ("wss://public.test/", "must be an https URL"),
    ];
    assert!(refused.len() >= 60);
    for (text, reason) in refused {
        assert_eq!(target(&guard, text).await.map_err(|refusal| refusal.to_string()), Err(reason.to_owned()), "{text}");
    }
}

#[tokio::test]
async fn public_addresses_require_tls() {
    let guard = guard(
        &[],
        &[("public.test", &[&["93.184.215.14", "2606:4700::1111"]]), ("xn--bcher-kva.test.", &[&["8.8.8.8"]])],
    );
    for (text, addresses) in [
        ("https://public.test/hook?x=1#y", &["93.184.215.14:443", "[2606:4700::1111]:443"][..]),
        ("https://PUBLIC.test:8443", &["93.184.215.14:8443", "[2606:4700::1111]:8443"]),
        ("https://bücher.test./", &["8.8.8.8:443"]),
        ("https://8.8.8.8:1/", &["8.8.8.8:1"]),
        ("https://0x8080808/", &["8.8.8.8:443"]),
        ("https://192.0.0.9/", &["192.0.0.9:443"]),
        ("https://[2001:4860:4860::8888]/", &["[2001:4860:4860::8888]:443"]),
        ("https://[::ffff:8.8.8.8]/", &["[::ffff:8.8.8.8]:443"]),
    ] {
        let expected: Vec<SocketAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        assert_eq!(target(&guard, text).await, Ok(expected), "{text}");
    }
}

#[tokio::test]
async fn only_an_allowed_range_can_be_called_without_tls() {
    let names: &[(&str, &[&[&str]])] = &[
        ("inside.test", &[&["10.1.0.1", "fd00::1"]]),
        ("mixed.test", &[&["10.1.0.1", "93.184.215.14"]]),
        ("outside.test", &[&["10.2.0.1"]]),
        ("public.test", &[&["93.184.215.14"]]),
    ];
    let guard = guard(&["10.1.0.0/16", "fd00::/8"], names);
    for open in [
        "http://10.1.2.3/",
        "https://10.1.2.3/",
        "http://0xa010203/",
        "http://[::ffff:10.1.2.3]/",
        "http://[64:ff9b::10.1.2.3]/",
        "http://[2002:a01:203::]/",
        "http://[fdff::1]:8080/",
        "http://inside.test/",
        "https://inside.test/",
        "https://mixed.test/",
        "https://public.test/",
    ] {
        assert!(target(&guard, open).await.is_ok(), "{open}");
    }
    for (shut, reason) in [
        ("http://10.2.0.1/", PRIVATE),
        ("https://10.2.0.1/", PRIVATE),
        ("https://outside.test/", PRIVATE),
        ("http://outside.test/", PRIVATE),
        ("http://127.0.0.1/", LOOPBACK),
        ("http://mixed.test/", PLAIN),
        ("http://public.test/", PLAIN),
        ("http://8.8.8.8/", PLAIN),
    ] {
        assert_eq!(target(&guard, shut).await.map_err(|refusal| refusal.to_string()), Err(reason.to_owned()), "{shut}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), host in "[0-9a-fA-Fx.:%\\[\\]@ -]{0,40}", port in any::<u32>()) {
        for guard in [guard(&[], &[]), guard(&["10.0.0.0/8", "::/0"], &[])] {
            let _ = guard.check_url(&text);
            for text in [format!("https://{text}"), format!("http://{host}/"), format!("https://{host}:{port}/")] {
                let _ = guard.check_url(&text).map(|url| url.to_string());
            }
        }
    }

    #[test]
    fn every_spelling_of_an_ipv4_address_is_judged_the_same(bits in any::<u32>()) {
        let guard = guard(&["10.0.0.0/8"], &[]);
        let [a, b, c, d] = bits.to_be_bytes();
        let plain = guard.check_url(&format!("https://{a}.{b}.{c}.{d}/")).is_ok();
        for host in [
            format!("{bits}"), format!("0{bits:o}"), format!("{bits:#x}"),
            format!("[::ffff:{a}.{b}.{c}.{d}]"), format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
            format!("[2002:{:x}:{:x}::]", bits >> 16, bits & 0xffff),
        ] {
            prop_assert_eq!(guard.check_url(&format!("https://{host}/")).is_ok(), plain, "{}", host);
        }
    }
}

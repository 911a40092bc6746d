//! Addresses that an alert may go to.
//!
//! A webhook's host is looked up here, the addresses are checked, and the connection goes to one of those that were checked: a
//! name that shows a public address first and a private one later gets nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Which addresses a channel may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// Those of the public internet.
    Public,
    /// Everything, by the operator's word.
    Any,
    /// This machine and private networks: what is sent without TLS must not leave them.
    Local,
}

/// The addresses of a host that may be connected to.
///
/// # Errors
/// When the host is not known, or has no address that is allowed.
pub async fn resolve(host: &str, port: u16, which: Allowed) -> Result<Vec<SocketAddr>, String> {
    let bare = host.trim_matches(['[', ']']);
    let found: Vec<SocketAddr> = match tokio::net::lookup_host((bare, port)).await {
        Ok(found) => found.collect(),
        Err(error) => return Err(format!("the host {host} is not found: {error}")),
    };
    let is_allowed = |address: &SocketAddr| match which {
        Allowed::Public => is_public(address.ip()),
        Allowed::Any => true,
        Allowed::Local => is_local(address.ip()),
    };
    let allowed: Vec<SocketAddr> = found.iter().copied().filter(is_allowed).collect();
    match (allowed.is_empty(), found.first()) {
        (false, _) => Ok(allowed),
        (true, None) => Err(format!("the host {host} has no address")),
        (true, Some(public)) if which == Allowed::Local => Err(format!(
            "the host {host} is at {}, which is neither on this machine nor in a private network: without TLS nothing is sent \
             there",
            public.ip()
        )),
        (true, Some(private)) => Err(format!(
            "the host {host} is at {}, which is no address of the public internet; set `allow_private = true` for this channel \
             if that is meant",
            private.ip()
        )),
    }
}

/// Whether an address is one of the public internet: not this machine, not a private network, not a link, not one that stands
/// for another (IANA's registries of special-purpose addresses).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Whether an address is on this machine, on a link of it or in a private network. This is less than not being public: what
/// stands for another address, or is shared by carriers, is neither.
pub fn is_local(address: IpAddr) -> bool {
    let is_local_v4 = |a: Ipv4Addr| a.is_private() || a.is_loopback() || a.is_link_local();
    match address {
        IpAddr::V4(address) => is_local_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(inner) => is_local_v4(inner),
            None => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0 // "this network"
        || (a == 100 && b & 0xc0 == 64) // shared by carriers, 100.64.0.0/10
        || (a, b, c) == (192, 0, 0) // protocol assignments
        || (a, b, c) == (192, 88, 99) // 6to4 relays
        || (a == 198 && b & 0xfe == 18) // benchmarks, 198.18.0.0/15
        || a >= 224; // multicast, reserved, broadcast
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let [a, b, c, d, e, f, g, h] = address.segments();
    if (a, b, c, d, e, f) == (0x64, 0xff9b, 0, 0, 0, 0) {
        // NAT64 leads to the address within.
        let [[g0, g1], [h0, h1]] = [g.to_be_bytes(), h.to_be_bytes()];
        return is_public_v4(Ipv4Addr::new(g0, g1, h0, h1));
    }
    let special = a & 0xe000 != 0x2000 // only 2000::/3 is handed out; the rest has loopback, links, private ones, multicast
        || (a == 0x2001 && b < 0x200) // protocols such as Teredo, 2001::/23
        || (a, b) == (0x2001, 0xdb8) // documentation
        || a == 0x2002 // 6to4: stands for an IPv4 address
        || (a == 0x3fff && b < 0x1000); // documentation
    !special
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn public_addresses_and_others() {
        for public in ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1", "64:ff9b::808:808", "2a00::1"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for other in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "3fff::1",
            "::127.0.0.1",
            "64:ff9b:1::1",
        ] {
            assert!(!is_public(other.parse().unwrap()), "{other}");
        }
    }

    proptest! {
        #[test]
        fn an_address_within_another_is_judged_like_itself(bytes: [u8; 4]) {
            let inner = Ipv4Addr::from(bytes);
            prop_assert_eq!(is_public_v6(inner.to_ipv6_mapped()), is_public_v4(inner));
            if inner.is_private() || inner.is_loopback() || inner.is_link_local() || inner.is_multicast() {
                prop_assert!(!is_public_v4(inner));
            }
        }
    }

    #[tokio::test]
    async fn names_and_literals_of_this_machine_are_refused_unless_allowed() {
        for host in ["127.0.0.1", "[::1]", "localhost"] {
            let refused = resolve(host, 80, Allowed::Public).await.unwrap_err();
            assert!(refused.contains("allow_private"), "{refused}");
            assert!(!resolve(host, 80, Allowed::Any).await.unwrap().is_empty());
            assert!(!resolve(host, 80, Allowed::Local).await.unwrap().is_empty());
        }
    }

    #[tokio::test]
    async fn what_is_not_encrypted_stays_within() {
        for host in ["1.1.1.1", "[2606:4700::1]", "100.64.0.1", "[2002:a00:1::]", "192.0.2.1"] {
            let refused = resolve(host, 25, Allowed::Local).await.unwrap_err();
            assert!(refused.contains("without TLS"), "{refused}");
        }
        for host in ["10.1.2.3", "192.168.1.1", "169.254.1.1", "[fd12::1]", "[fe80::1]", "[::ffff:10.0.0.1]"] {
            assert!(!resolve(host, 25, Allowed::Local).await.unwrap().is_empty(), "{host}");
        }
    }

    #[test]
    fn nothing_is_both_local_and_public() {
        proptest!(|(bytes: [u8; 16], v4: [u8; 4])| {
            for address in [IpAddr::V6(bytes.into()), IpAddr::V4(v4.into())] {
                prop_assert!(!(is_local(address) && is_public(address)));
            }
        });
    }
}

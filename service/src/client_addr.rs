//! Whose request it is: the peer, or, behind trusted proxies, the right-most untrusted address of `X-Forwarded-For`.
//!
//! Only what trusted proxies wrote is believed. Each proxy appends the address it was called from, so the list is read
//! from the right; the first address that is not a trusted proxy is the client, and everything to its left is hearsay.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use serde::Deserialize;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that a request counts for. A request extension that [`crate::listen`] sets, and an extractor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddr(pub IpAddr);

impl<S: Sync> FromRequestParts<S> for ClientAddr {
    type Rejection = Infallible;

    /// A request that came over no connection (in a test of a router alone) counts for the unspecified address.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<ClientAddr, Infallible> {
        let nobody = ClientAddr(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        Ok(parts.extensions.get().copied().unwrap_or(nobody))
    }
}

/// A network: `192.0.2.0/24`, `2001:db8::/32`, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no network: {reason}; write an address, or address/prefix such as 10.0.0.0/8")]
pub struct BadNetwork {
    text: String,
    reason: &'static str,
}

/// An address as 128 bits with its width, and IPv4 in the upper bits, so that one mask rule serves both.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    }
}

fn mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

impl Network {
    /// Whether the address is in the network. An IPv4 address written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let ((base, width), (address, other)) = (bits(self.base), bits(address.to_canonical()));
        width == other && (base ^ address) & mask(self.prefix) == 0
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Network, BadNetwork> {
        let bad = |reason| BadNetwork { text: text.to_owned(), reason };
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let base: IpAddr = address.parse().map_err(|_| bad("the address does not parse"))?;
        if base != base.to_canonical() {
            return Err(bad("write IPv4 as IPv4"));
        }
        let (base_bits, width) = bits(base);
        let prefix = match prefix {
            None => width,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|p| *p <= width).ok_or_else(|| bad("the prefix is too long"))?
            }
            Some(_) => return Err(bad("the prefix is not a number")),
        };
        if base_bits & !mask(prefix) != 0 {
            return Err(bad("bits beyond the prefix are set"));
        }
        Ok(Network { base, prefix })
    }
}

impl TryFrom<String> for Network {
    type Error = BadNetwork;

    fn try_from(text: String) -> Result<Network, BadNetwork> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

/// The proxies whose word about addresses is believed. None by default: then the peer's address counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct TrustedProxies(pub Vec<Network>);

impl TrustedProxies {
    /// Whether the address is a trusted proxy's.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// The client of a request that came from `peer` with these headers. What cannot be read counts for the last
    /// trusted proxy before it.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddr {
        let mut nearest = peer.to_canonical();
        let lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().collect();
        let hops = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|b| *b == b','));
        for hop in hops {
            if !self.contains(nearest) {
                break;
            }
            let Some(address) = parse_hop(hop) else { break };
            nearest = address;
        }
        ClientAddr(nearest)
    }
}

/// An address as proxies write it: alone, with a port, or in brackets with or without one.
fn parse_hop(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(with_port).or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("a test address")
    }

    fn client(trusted: &[&str], peer: &str, lines: &[&str]) -> IpAddr {
        let trusted = TrustedProxies(trusted.iter().map(|n| n.parse().expect("a test network")).collect());
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, line.parse().expect("a test header"));
        }
        trusted.client(ip(peer), &headers).0
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let proxies = &["10.0.0.0/8", "fd00::/8"][..];
        let cases: &[(&[&str], &str, &[&str], &str)] = &[
            (&[], "10.0.0.1", &["192.0.2.9"], "10.0.0.1"),
            (proxies, "192.0.2.1", &["192.0.2.9"], "192.0.2.1"),
            (proxies, "10.0.0.1", &["192.0.2.9"], "192.0.2.9"),
            (proxies, "::ffff:10.0.0.1", &["192.0.2.9:4711"], "192.0.2.9"),
            (proxies, "10.0.0.1", &["198.51.100.7, 192.0.2.9, 10.2.3.4"], "192.0.2.9"),
            (proxies, "10.0.0.1", &["198.51.100.7", "192.0.2.9"], "192.0.2.9"),
            (proxies, "fd00::1", &["[2001:db8::5]:80"], "2001:db8::5"),
            (proxies, "fd00::1", &["[2001:db8::5]"], "2001:db8::5"),
            (proxies, "10.0.0.1", &["10.9.9.9, 10.0.0.2"], "10.9.9.9"),
            (proxies, "10.0.0.1", &["192.0.2.9, unknown, 10.0.0.2"], "10.0.0.2"),
            (proxies, "10.0.0.1", &[""], "10.0.0.1"),
            (proxies, "10.0.0.1", &[], "10.0.0.1"),
        ];
        for (trusted, peer, lines, wanted) in cases {
            assert_eq!(client(trusted, peer, lines), ip(wanted), "{peer} {lines:?}");
        }
    }

    #[test]
    fn networks_are_read_strictly() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("0.0.0.0/0", "192.0.2.1", "::1"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
        ] {
            let network: Network = network.parse().expect("a network");
            assert!(network.contains(ip(inside)) && !network.contains(ip(outside)), "{network}");
        }
        for bad in ["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/", "here", "::ffff:10.0.0.0/104", ""] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}

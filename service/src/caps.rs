//! How many connections are open, in all and per address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The part of an address that stands for one client: an IPv4 address, or the /64 of an IPv6 address, because one
/// customer is given at least a whole /64 and could otherwise come from 2^64 addresses. Use it for rate limits too.
pub fn client_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

/// Why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapReached {
    /// All addresses together have too many.
    Global,
    /// This address has too many.
    Address,
}

#[derive(Debug, Default)]
struct Counts {
    open: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// Counts open connections and refuses those above the caps.
#[derive(Debug, Clone)]
pub struct Caps {
    max: usize,
    max_per_client: usize,
    counts: Arc<Mutex<Counts>>,
}

impl Caps {
    /// Caps for all connections and for those of one client.
    pub fn new(max: usize, max_per_client: usize) -> Caps {
        Caps { max, max_per_client, counts: Arc::default() }
    }

    /// Takes a place for a connection from `address`, given back when the answer is dropped. With `exempt`, only the
    /// global cap counts.
    pub fn take(&self, address: IpAddr, exempt: bool) -> Result<Place, CapReached> {
        let client = (!exempt).then(|| client_key(address));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.open >= self.max {
            return Err(CapReached::Global);
        }
        if let Some(client) = client {
            let held = counts.by_client.entry(client).or_insert(0);
            if *held >= self.max_per_client {
                // With a cap of 0 the entry was made just now; nothing would ever take it away again.
                if *held == 0 {
                    counts.by_client.remove(&client);
                }
                return Err(CapReached::Address);
            }
            *held += 1;
        }
        counts.open += 1;
        Ok(Place { client, counts: self.counts.clone() })
    }

    /// Connections open now.
    pub fn open(&self) -> usize {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).open
    }
}

/// The place of one open connection.
#[derive(Debug)]
pub struct Place {
    client: Option<IpAddr>,
    counts: Arc<Mutex<Counts>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.open -= 1;
        if let Some(client) = self.client
            && let Some(held) = counts.by_client.get_mut(&client)
        {
            *held -= 1;
            if *held == 0 {
                counts.by_client.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("a test address")
    }

    #[test]
    fn one_ipv6_network_is_one_client_and_mapped_ipv4_is_ipv4() {
        assert_eq!(client_key(ip("2001:db8:1:2:3::4")), client_key(ip("2001:db8:1:2:ffff::1")));
        assert_ne!(client_key(ip("2001:db8:1:2::1")), client_key(ip("2001:db8:1:3::1")));
        assert_eq!(client_key(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
        assert_ne!(client_key(ip("192.0.2.1")), client_key(ip("192.0.2.2")));
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let caps = Caps::new(3, 2);
        let (a, b) = (ip("192.0.2.1"), ip("192.0.2.2"));
        let first = caps.take(a, false).expect("first");
        let second = caps.take(a, false).expect("second");
        assert_eq!(caps.take(a, false).err(), Some(CapReached::Address));
        let exempt = caps.take(a, true).expect("exempt from the cap per address");
        assert_eq!(caps.take(b, false).err(), Some(CapReached::Global));
        drop(exempt);
        drop(caps.take(b, false).expect("a place is free again"));
        drop((first, second));
        assert_eq!(caps.open(), 0);
        assert!(caps.counts.lock().expect("lock").by_client.is_empty(), "no entry outlives its connections");
    }

    #[test]
    fn a_refused_address_leaves_nothing_behind() {
        let caps = Caps::new(3, 0);
        assert_eq!(caps.take(ip("192.0.2.1"), false).err(), Some(CapReached::Address));
        assert!(caps.counts.lock().expect("lock").by_client.is_empty());
    }
}

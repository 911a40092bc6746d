//! How fast others may send heads, ask for proofs and hand in files: each peer at a rate of its own, everybody else by
//! address, and all of them together.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};
use proto::code::Code;
use service::caps::client_key;
use service::problem::Problem;

/// What a peer may do a second: it follows the same logs, and pushes a head when it has read one, some times a second at most.
const PEER_PER_SECOND: NonZeroU32 = NonZeroU32::new(50).expect("not zero");
/// A peer that was away sends what was missed.
const PEER_BURST: NonZeroU32 = NonZeroU32::new(500).expect("not zero");
/// What one address may do a second: somebody who reports what was shown has some heads, not thousands.
const ADDRESS_PER_SECOND: NonZeroU32 = NonZeroU32::new(5).expect("not zero");
/// All receipts of a folder at once.
const ADDRESS_BURST: NonZeroU32 = NonZeroU32::new(200).expect("not zero");
/// What all that are no peers may do together: with a signature checked each, below a hundredth of a processor.
const ANONYMOUS_PER_SECOND: NonZeroU32 = NonZeroU32::new(100).expect("not zero");
const ANONYMOUS_BURST: NonZeroU32 = NonZeroU32::new(1000).expect("not zero");
/// Heads to cosign that an address may send a second: a machine with some logs, each asking some times a second.
const ASKER_PER_SECOND: NonZeroU32 = NonZeroU32::new(50).expect("not zero");
const ASKER_BURST: NonZeroU32 = NonZeroU32::new(500).expect("not zero");
/// Pages and lists that an address may read a second: a person reads one, a peer some, many people behind one address dozens.
const READER_PER_SECOND: NonZeroU32 = NonZeroU32::new(100).expect("not zero");
const READER_BURST: NonZeroU32 = NonZeroU32::new(1000).expect("not zero");
/// Addresses that are remembered at most, about 100 bytes each; all others share one rate.
const ADDRESSES: usize = 16_384;

/// What a request costs.
pub(super) const HEAD: NonZeroU32 = NonZeroU32::MIN;
/// A file of up to 8 MiB with hundreds of signatures and proofs.
pub(super) const FILE: NonZeroU32 = NonZeroU32::new(20).expect("not zero");

/// Whom a request is charged to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Payer {
    Address(IpAddr),
    Others,
}

pub(super) struct Rates {
    peers: DefaultKeyedRateLimiter<String>,
    addresses: DefaultKeyedRateLimiter<Payer>,
    anonymous: DefaultDirectRateLimiter,
    askers: DefaultKeyedRateLimiter<Payer>,
    readers: DefaultKeyedRateLimiter<Payer>,
}

impl Rates {
    pub(super) fn new() -> Rates {
        Rates {
            peers: RateLimiter::keyed(Quota::per_second(PEER_PER_SECOND).allow_burst(PEER_BURST)),
            addresses: RateLimiter::keyed(Quota::per_second(ADDRESS_PER_SECOND).allow_burst(ADDRESS_BURST)),
            anonymous: RateLimiter::direct(Quota::per_second(ANONYMOUS_PER_SECOND).allow_burst(ANONYMOUS_BURST)),
            askers: RateLimiter::keyed(Quota::per_second(ASKER_PER_SECOND).allow_burst(ASKER_BURST)),
            readers: RateLimiter::keyed(Quota::per_second(READER_PER_SECOND).allow_burst(READER_BURST)),
        }
    }

    /// Charges a request to the peer that it comes from, or to its address.
    pub(super) fn charge(&self, peer: Option<&str>, address: IpAddr, cost: NonZeroU32) -> Result<(), Problem> {
        if let Some(peer) = peer {
            return judged(self.peers.check_key_n(&peer.to_owned(), cost), Code::LimitAddress);
        }
        judged(self.addresses.check_key_n(&payer(&self.addresses, address), cost), Code::LimitAddress)?;
        judged(self.anonymous.check_n(cost), Code::LimitGlobal)
    }

    /// Charges a head that is to be cosigned to its address alone: what others send does not hold up a log.
    pub(super) fn charge_asker(&self, address: IpAddr) -> Result<(), Problem> {
        judged(self.askers.check_key_n(&payer(&self.askers, address), HEAD), Code::LimitAddress)
    }

    /// Charges a page or a list to its address.
    pub(super) fn charge_reader(&self, address: IpAddr) -> Result<(), Problem> {
        judged(self.readers.check_key_n(&payer(&self.readers, address), HEAD), Code::LimitAddress)
    }
}

/// Whom an address is charged as, while there is room for it.
fn payer(limiter: &DefaultKeyedRateLimiter<Payer>, address: IpAddr) -> Payer {
    if limiter.len() >= ADDRESSES {
        // Forgets whoever has its whole burst back.
        limiter.retain_recent();
    }
    match limiter.len() < ADDRESSES {
        true => Payer::Address(client_key(address)),
        false => Payer::Others,
    }
}

type Checked<E> = Result<Result<(), NotUntil<<DefaultClock as governor::clock::Clock>::Instant>>, E>;

fn judged<E>(checked: Checked<E>, code: Code) -> Result<(), Problem> {
    match checked {
        // The error is for a cost above the burst, which none is.
        Ok(Ok(())) | Err(_) => Ok(()),
        Ok(Err(until)) => {
            let wait = until.wait_time_from(DefaultClock::default().now()).max(Duration::from_millis(1));
            let whose = if code == Code::LimitGlobal { "Too much is sent" } else { "You send too fast" };
            Err(Problem::new(code, format!("{whose}; wait as Retry-After says.")).retry_after(wait))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_addresses_and_all_have_rates_of_their_own() {
        let rates = Rates::new();
        let address = |last: u8| IpAddr::from([192, 0, 2, last]);
        let taken = |peer: Option<&str>, from: u8| {
            (0..2000).take_while(|_| rates.charge(peer, address(from), HEAD).is_ok()).count()
        };
        let one = taken(None, 1);
        assert!((200..250).contains(&one), "{one}");
        assert_eq!(rates.charge(None, address(1), HEAD).unwrap_err().code(), Code::LimitAddress);
        let peer = taken(Some("a"), 1);
        assert!((500..700).contains(&peer), "a peer is not charged for its neighbours: {peer}");
        let others: usize = (2..20).map(|from| taken(None, from)).sum();
        assert!(others < 1200, "all together: {others}");
        assert_eq!(rates.charge(None, address(77), HEAD).unwrap_err().code(), Code::LimitGlobal);
        assert!(rates.charge(Some("b"), address(77), FILE).is_ok());
        assert!(rates.charge_asker(address(77)).is_ok(), "a log is not held up by those");
        let asked = (0..2000).take_while(|_| rates.charge_asker(address(77)).is_ok()).count();
        assert!((400..600).contains(&asked), "{asked}");
        assert!(rates.charge_asker(address(78)).is_ok());
    }
}

//! How fast one address may send claims. Charged per request; a stream is one request and is slowed down by not being
//! read, so it needs no rate of its own.

use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::Method;
use proto::code::Code;
use service::caps::client_key;
use service::client_addr::ClientAddr;
use service::problem::Problem;

use super::app::App;

/// What one address (IPv6: one /64) may do.
#[derive(Debug, Clone, Copy)]
pub struct AddressLimit {
    /// Requests that submit, a second in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once.
    pub burst: NonZeroU32,
    /// Addresses remembered at most. Beyond that, new addresses share one rate, so that many addresses cannot fill the
    /// memory.
    pub addresses: NonZeroUsize,
}

/// One claim a request from one machine at the designed rate of the whole log; more is for the stream.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(20_000).expect("not zero");
/// Two seconds' worth.
const BURST: NonZeroU32 = NonZeroU32::new(40_000).expect("not zero");
/// At about 100 bytes each, 6 MiB.
const ADDRESSES: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

impl Default for AddressLimit {
    fn default() -> AddressLimit {
        AddressLimit { per_second: PER_SECOND, burst: BURST, addresses: ADDRESSES }
    }
}

/// Whom a request is charged to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Payer {
    Address(IpAddr),
    /// All addresses that the table has no room for.
    Others,
}

pub(super) struct AddressLimiter {
    limiter: DefaultKeyedRateLimiter<Payer>,
    addresses: usize,
}

impl AddressLimiter {
    pub(super) fn new(limit: AddressLimit) -> AddressLimiter {
        let quota = Quota::per_second(limit.per_second).allow_burst(limit.burst);
        AddressLimiter { limiter: RateLimiter::keyed(quota), addresses: limit.addresses.get() }
    }

    /// Charges one request to an address.
    pub(super) fn charge(&self, address: IpAddr) -> Result<(), Problem> {
        if self.limiter.len() >= self.addresses {
            // Forgets whoever has its whole burst back.
            self.limiter.retain_recent();
        }
        let payer = match self.limiter.len() < self.addresses {
            true => Payer::Address(client_key(address)),
            false => Payer::Others,
        };
        let Err(not_until) = self.limiter.check_key(&payer) else { return Ok(()) };
        let wait = not_until.wait_time_from(DefaultClock::default().now()).max(Duration::from_millis(1));
        let detail = "This address submits too fast; wait as Retry-After says, or send many claims over one stream \
                      (POST /v1/claims/stream).";
        Err(Problem::new(Code::LimitAddress, detail).retry_after(wait))
    }
}

/// Charges every POST to the address it came from, before its body is read.
pub(super) async fn charge_posts(
    State(app): State<App>,
    ClientAddr(address): ClientAddr,
    request: Request,
    next: Next,
) -> Response {
    if *request.method() == Method::POST {
        if let Err(problem) = app.limiter().charge(address) {
            return problem.into_response();
        }
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(burst: u32, addresses: usize) -> AddressLimiter {
        AddressLimiter::new(AddressLimit {
            per_second: NonZeroU32::MIN,
            burst: NonZeroU32::new(burst).expect("not zero"),
            addresses: NonZeroUsize::new(addresses).expect("not zero"),
        })
    }

    #[test]
    fn one_address_does_not_use_up_anothers_share() {
        let limiter = limiter(2, 10);
        let (a, b) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        assert!(limiter.charge(a).is_ok() && limiter.charge(a).is_ok());
        let problem = limiter.charge(a).expect_err("the burst is used up");
        assert_eq!((problem.code(), problem.status().as_u16()), (Code::LimitAddress, 429));
        assert!(limiter.charge(b).is_ok());
    }

    #[test]
    fn the_table_is_bounded() {
        let limiter = limiter(1, 3);
        let mut refused = 0;
        for last in 0..100 {
            refused += usize::from(limiter.charge(IpAddr::from([192, 0, 2, last])).is_err());
        }
        assert!(limiter.limiter.len() <= 4, "three addresses and the others");
        assert!(refused > 90, "the others share one rate");
    }
}

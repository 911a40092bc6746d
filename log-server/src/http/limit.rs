//! How fast one address may send claims: each request that submits is charged, and each line of a stream. A request
//! beyond the rate is refused; a stream is not read on until its lines are within it.

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
    /// Requests that submit, and lines of streams, a second in the long run.
    pub per_second: NonZeroU32,
    /// As many at once.
    pub burst: NonZeroU32,
    /// Addresses remembered at most. Beyond that, new addresses share one rate, so that many addresses cannot fill the
    /// memory.
    pub addresses: NonZeroUsize,
}

/// Twice the designed rate of the whole log over streams: alone, an address may use all of it.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(50_000).expect("not zero");
/// Two seconds' worth.
const BURST: NonZeroU32 = NonZeroU32::new(100_000).expect("not zero");
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
    burst: NonZeroU32,
}

impl AddressLimiter {
    pub(super) fn new(limit: AddressLimit) -> AddressLimiter {
        let quota = Quota::per_second(limit.per_second).allow_burst(limit.burst);
        AddressLimiter { limiter: RateLimiter::keyed(quota), addresses: limit.addresses.get(), burst: limit.burst }
    }

    /// Charges one request to an address.
    pub(super) fn charge(&self, address: IpAddr) -> Result<(), Problem> {
        let Some(wait) = self.charge_lines(address, 1) else { return Ok(()) };
        let detail = "This address submits too fast; wait as Retry-After says, or send many claims over one stream \
                      (POST /v1/claims/stream).";
        Err(Problem::new(Code::LimitAddress, detail).retry_after(wait))
    }

    /// Charges lines of a stream to an address, or says how long to wait before asking again. More lines than fit into
    /// the burst count as the burst, since they could never be charged otherwise.
    pub(super) fn charge_lines(&self, address: IpAddr, lines: usize) -> Option<Duration> {
        if self.limiter.len() >= self.addresses {
            // Forgets whoever has its whole burst back.
            self.limiter.retain_recent();
        }
        let payer = match self.limiter.len() < self.addresses {
            true => Payer::Address(client_key(address)),
            false => Payer::Others,
        };
        let lines = u32::try_from(lines).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN).min(self.burst);
        match self.limiter.check_key_n(&payer, lines) {
            Ok(Ok(())) | Err(_) => None, // the error is for more lines than the burst, which were cut to it
            Ok(Err(not_until)) => {
                Some(not_until.wait_time_from(DefaultClock::default().now()).max(Duration::from_millis(1)))
            }
        }
    }
}

/// Charges every POST to the address it came from, before its body is read.
pub(super) async fn charge_posts(
    State(app): State<App>,
    ClientAddr(address): ClientAddr,
    request: Request,
    next: Next,
) -> Response {
    if *request.method() == Method::POST
        && let Err(problem) = app.limiter().charge(address)
    {
        return problem.into_response();
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
    fn lines_of_a_stream_are_charged_like_requests() {
        let limiter = limiter(10, 10);
        let address = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(limiter.charge_lines(address, 9), None);
        assert!(limiter.charge(address).is_ok());
        let wait = limiter.charge_lines(address, 5).expect("the burst is used up");
        assert!(wait > Duration::from_secs(4) && wait <= Duration::from_secs(5), "{wait:?}");
        let other = IpAddr::from([192, 0, 2, 2]);
        assert_eq!(limiter.charge_lines(other, 1000), None, "more than the burst counts as the burst");
        assert!(limiter.charge(other).is_err());
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

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use claimtrail_log::http::{AddressLimit, HttpOptions};
use claimtrail_log::testing;

use crate::support::Site;

#[tokio::test]
async fn an_address_that_submits_too_fast_is_429_and_may_go_on_reading() {
    let one = NonZeroU32::MIN;
    let limit = AddressLimit { per_second: one, burst: one, ..AddressLimit::default() };
    let site = Site::with(HttpOptions { address_limit: limit, ..HttpOptions::default() });
    assert_eq!(site.submit(&testing::acme()).await.status, 201);
    let answer = site.submit(&testing::support("CAM-3", "2031-03")).await;
    assert_eq!(answer.problem(), (429, "limit.address".into()));
    assert_eq!(answer.header("retry-after"), "1");
    let stream = site.post("/v1/claims/stream", "application/x-ndjson", "").await;
    assert_eq!(stream.problem(), (429, "limit.address".into()));
    assert_eq!(site.get_json("/v1/log").await["size"], 2);
}

/// A stream is never refused for its rate: it is read no faster, however bad its lines are.
#[tokio::test]
async fn a_stream_beyond_its_addresss_rate_is_read_no_faster() {
    const LINES: u32 = 300;
    let (per_second, burst) = (NonZeroU32::new(500).expect("not zero"), NonZeroU32::new(100).expect("not zero"));
    let limit = AddressLimit { per_second, burst, ..AddressLimit::default() };
    let site = Site::with(HttpOptions { address_limit: limit, ..HttpOptions::default() });
    let begun = Instant::now();
    let body = "{}\n".repeat(LINES as usize);
    let answer = site.post("/v1/claims/stream", "application/x-ndjson", body).await;
    let lines = answer.text().lines().filter(|line| line.contains("envelope.malformed")).count();
    assert_eq!(lines, LINES as usize, "{}", answer.text());
    // The request itself was charged, too.
    let least = Duration::from_secs_f64(f64::from(LINES + 1 - burst.get()) / f64::from(per_second.get()));
    assert!(begun.elapsed() >= least, "{:?} for {LINES} lines, at least {least:?}", begun.elapsed());
}

use std::num::NonZeroU32;

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

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use axum::body::Body;
use claimtrail_log::http::{AddressLimit, HttpOptions, LargeLimits};
use claimtrail_log::testing;
use http::Request;
use tower::ServiceExt;

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

/// Each is a synced write: an issuer must not fill the disk, or keep it busy, with claims that are refused.
#[tokio::test]
async fn only_so_many_fork_reports_of_an_issuer_are_kept() {
    const KEPT: usize = 10;
    let site = Site::with_acme().await;
    for n in 0..KEPT + 3 {
        let mut claim = testing::support_claim(&format!("M-{n}"), "2031-03");
        claim["logs"][0]["size"] = 1.into();
        claim["logs"][0]["root"] = proto::hash::Hash::of(b"another tree").to_base64().into();
        let answer = site.submit(&testing::sign(&claim, &[testing::number::ACME_SIGN])).await;
        assert_eq!(answer.problem(), (409, "anchor.fork".into()), "{}", answer.text());
        assert_eq!(answer.text().contains("keeps no more"), n >= KEPT, "claim {n}: {}", answer.text());
    }
    let mut kept = 0;
    let mut each = |_: &[u8], envelope: &[u8]| {
        proto::dsse::Envelope::parse(envelope).expect("whole, so that anyone can verify it");
        kept += 1;
        std::ops::ControlFlow::Continue(())
    };
    site.log.store.reports(None, &mut each).expect("readable");
    assert_eq!(kept, KEPT);
}

/// A reader that asks for many large answers and reads none of them.
#[tokio::test]
async fn large_answers_that_nobody_reads_are_bounded() {
    let one = 108_000; // a bundle of 256 small claims has somewhat more than 64 KiB
    let large_answers = LargeLimits { bytes: 4 * one, bytes_per_address: 3 * one };
    let site = Site::with(HttpOptions { large_answers, ..HttpOptions::default() });
    site.accept(&testing::acme()).await;
    let lines: String = (0..254).map(|n| testing::support(&format!("M-{n}"), "2031-03").to_json() + "\n").collect();
    site.post("/v1/claims/stream", "application/x-ndjson", lines).await;
    let ask = async || {
        let request = Request::get("/tile/entries/000").body(Body::empty()).expect("a request");
        site.router.clone().oneshot(request).await.expect("answers")
    };
    let mut unread = Vec::new();
    loop {
        let response = ask().await;
        if response.status() != 200 {
            assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"5".parse().unwrap()));
            break;
        }
        unread.push(response);
        assert!(unread.len() < 10, "nothing bounds them");
    }
    assert!(unread.len() >= 2);
    assert_eq!(site.get("/v1/log").await.status, 200, "small answers need no room");
    unread.clear();
    assert_eq!(ask().await.status(), 200);
}

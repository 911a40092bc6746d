//! One who sends too much is slowed down; the others do not notice.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::site::{Issuer, Site, enrol};
use crate::wire::{Wire, get, post};

/// How long the flood lasts.
const FLOOD: Duration = Duration::from_secs(3);
/// Connections of the one who floods.
const FLOODING: usize = 48;
/// What the others wait for one answer at most.
const PATIENCE: Duration = Duration::from_secs(3);
/// Claims a second and at once of one issuer, requests a second and at once of one address, in these tests.
const QUOTA: u64 = 20;

/// Submits over one connection until told, without a pause; claims that were taken and that were put off with this code.
fn flood(site: &Site, from: Ipv4Addr, issuer: &Issuer, code: &str, stop: &AtomicBool) -> (u64, u64) {
    let mut wire = Wire::from(from, site.address());
    let (mut taken, mut refused) = (0, 0);
    let mut body = issuer.claim();
    while !stop.load(Ordering::Relaxed) {
        let answer = wire.ask(post("/v1/claims", &body));
        match answer.says() {
            (201, _) => {
                taken += 1;
                body = issuer.claim();
            }
            (429, said) if said == code => {
                let wait = answer.retry_after().expect("when to come again");
                assert!((1..=60).contains(&wait.as_secs()), "{wait:?}");
                refused += 1;
            }
            _ => panic!("{answer:?}"),
        }
    }
    (taken, refused)
}

/// The same over a stream; the claims that were taken.
fn flood_stream(site: &Site, issuer: &Issuer, stop: &AtomicBool) -> u64 {
    let mut taken = 0;
    while !stop.load(Ordering::Relaxed) {
        let body: String = (0..100).map(|_| issuer.claim() + "\n").collect();
        let answer = site.connect().ask(post("/v1/claims/stream", &body));
        for line in answer.text().lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")) {
            match line["status"].as_u64() {
                None => {}
                Some(201) => taken += 1,
                Some(429) => {
                    assert_eq!(line["problem"]["code"], "limit.issuer");
                    assert!(
                        line["problem"]["retry_after_seconds"].as_u64().is_some_and(|wait| (1..=60).contains(&wait))
                    );
                }
                Some(_) => panic!("{line}"),
            }
        }
    }
    taken
}

/// A client within its quota; how often it was served, and the slowest answer.
fn others(site: &Site, issuer: &Issuer, stop: &AtomicBool) -> (u64, Duration) {
    let (mut served, mut slowest) = (0, Duration::ZERO);
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let mut wire = site.connect();
        let answer = wire.ask(post("/v1/claims", &issuer.claim()));
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(wire.ask(get("/checkpoint")).status, 200);
        slowest = slowest.max(begun.elapsed());
        served += 1;
        std::thread::park_timeout(Duration::from_millis(100));
    }
    (served, slowest)
}

/// Asks until it is taken, waiting as it is told; how often it was put off.
fn as_told(site: &Site, from: Ipv4Addr, issuer: &Issuer) -> u32 {
    let body = issuer.claim();
    for asked in 0..20 {
        let answer = Wire::from(from, site.address()).ask(post("/v1/claims", &body));
        match answer.retry_after() {
            None => {
                assert_eq!(answer.status, 201, "{}", answer.text());
                return asked;
            }
            Some(wait) => std::thread::park_timeout(wait),
        }
    }
    panic!("put off 20 times although it waited as told");
}

#[test]
fn one_issuers_flood_uses_up_its_own_quota_only() {
    let site = Site::start(&format!("issuer_per_second = {QUOTA}\nissuer_burst = {QUOTA}"));
    let bolt = enrol(&site.log, "bolt.example", "bolt");
    let home = Ipv4Addr::LOCALHOST;
    let (stop, size, begun) = (AtomicBool::new(false), site.size(), Instant::now());
    let (taken, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    let (served, slowest) = std::thread::scope(|scope| {
        for _ in 0..FLOODING {
            scope.spawn(|| {
                let (mine, not) = flood(&site, home, &site.acme, "limit.issuer", &stop);
                taken.fetch_add(mine, Ordering::Relaxed);
                refused.fetch_add(not, Ordering::Relaxed);
            });
        }
        scope.spawn(|| taken.fetch_add(flood_stream(&site, &site.acme, &stop), Ordering::Relaxed));
        let others = scope.spawn(|| others(&site, &bolt, &stop));
        std::thread::park_timeout(FLOOD);
        stop.store(true, Ordering::Relaxed);
        others.join().expect("the others are served")
    });
    let (taken, refused) = (taken.into_inner(), refused.into_inner());
    println!("Acme: {taken} taken, {refused} put off; Bolt: {served} taken, the slowest after {slowest:?}");
    let most = QUOTA + QUOTA * (begun.elapsed().as_secs() + 1);
    assert!(taken <= most && refused > taken, "{taken} claims were taken, {most} are Acme's quota; {refused} put off");
    assert!(served >= 5 && slowest < PATIENCE, "{served} served, the slowest after {slowest:?}");
    assert!(as_told(&site, home, &site.acme) <= 3, "who waits as told is taken");
    site.ends_with(size + taken + served + 1);
}

#[test]
fn one_addresss_flood_uses_up_its_own_quota_only() {
    let site = Site::start(&format!("address_per_second = {QUOTA}\naddress_burst = {QUOTA}"));
    let flooding = Ipv4Addr::new(127, 0, 0, 2);
    let (stop, size, begun) = (AtomicBool::new(false), site.size(), Instant::now());
    let (taken, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    let (served, slowest) = std::thread::scope(|scope| {
        for _ in 0..FLOODING {
            scope.spawn(|| {
                let (mine, not) = flood(&site, flooding, &site.acme, "limit.address", &stop);
                taken.fetch_add(mine, Ordering::Relaxed);
                refused.fetch_add(not, Ordering::Relaxed);
            });
        }
        // Reads of the same address are not charged.
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(Wire::from(flooding, site.address()).ask(get("/checkpoint")).status, 200);
            }
        });
        let others = scope.spawn(|| others(&site, &site.acme, &stop));
        std::thread::park_timeout(FLOOD);
        stop.store(true, Ordering::Relaxed);
        others.join().expect("the others are served")
    });
    let (taken, refused) = (taken.into_inner(), refused.into_inner());
    println!("flooding: {taken} taken, {refused} put off; others: {served} taken, the slowest after {slowest:?}");
    let most = QUOTA + QUOTA * (begun.elapsed().as_secs() + 1);
    assert!(taken <= most && refused > taken, "{taken} were taken, {most} are the address's quota; {refused} put off");
    assert!(served >= 5 && slowest < PATIENCE, "{served} served, the slowest after {slowest:?}");
    assert!(as_told(&site, flooding, &site.acme) <= 3, "who waits as told is taken");
    site.ends_with(size + taken + served + 1);
}

/// Streams beside a client that submits one claim at a time, and the lines of each: together several times what a batch takes.
const STREAMS: usize = 12;
const LINES: usize = 1000;
/// Entries that may go before a claim that comes alone, in most cases: those of the batch under way and of its own, which
/// have 512 of streams each, and as many again that are written until it is there. Lines that wait are several times that.
const MOST_BEFORE: u64 = 2048;

#[test]
fn a_claim_that_comes_alone_does_not_wait_behind_all_that_streams_have_sent() {
    let site = Site::start("");
    let bolt = enrol(&site.log, "bolt.example", "bolt");
    let body = || (0..LINES).map(|_| site.acme.claim() + "\n").collect::<String>();
    let bodies: Vec<String> = std::iter::repeat_with(body).take(STREAMS).collect();
    let (streaming, size) = (AtomicU64::new(STREAMS as u64), site.size());
    let mut waits = std::thread::scope(|scope| {
        for body in &bodies {
            scope.spawn(|| {
                let answer = site.connect().ask(post("/v1/claims/stream", body));
                assert_eq!(answer.text().matches("\"status\":201").count(), LINES);
                streaming.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let alone = scope.spawn(|| {
            let mut waits = Vec::new();
            while streaming.load(Ordering::SeqCst) == STREAMS as u64 {
                let (begun, before) = (Instant::now(), site.size());
                let index = site.takes_a_claim_of(&bolt);
                waits.push((index - before, begun.elapsed()));
            }
            waits
        });
        alone.join().expect("it is served")
    });
    let slowest = waits.iter().map(|(_, wait)| *wait).max().expect("one at least");
    let served = waits.len() as u64;
    waits.sort_unstable();
    let (before, wait) = waits[waits.len() / 2];
    println!(
        "beside {STREAMS} streams: {served} claims that came alone, in the middle {before} entries before them and \
         {wait:?}, the slowest {slowest:?}"
    );
    assert!(before <= MOST_BEFORE && slowest < PATIENCE, "{waits:?}");
    site.ends_with(size + served + (STREAMS * LINES) as u64);
}

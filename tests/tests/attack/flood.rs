//! A flood above what the server can do: its memory stays bounded, readers are served, what is refused is told when to come again,
//! and about as much gets through as without the flood.
//!
//! `STORY_SECONDS=120` floods for two minutes.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use harness::process::until;

use crate::site::{Issuer, Site};
use crate::wire::{Answer, get, post};

/// How long the flood lasts unless `STORY_SECONDS` says otherwise.
const SECONDS: u64 = 3;
/// How long the rate without a flood is measured.
const CALM_SECONDS: u64 = 2;
/// Connections that make the rate without a flood.
const CALM: usize = 32;
/// Connections of the flood that send good claims and ask again at once when they are refused.
const RUDE: usize = 200;
/// Connections of the flood that send claims whose signature is wrong.
const FORGERS: usize = 20;
/// Connections of the flood that send as much as an envelope may have, of which nothing is a claim.
const HEAVY: usize = 20;
/// Clients that wait as they are told.
const HONEST: usize = 4;
/// The queue of the test: short, so that it is full most of the time.
const QUEUE: usize = 4;
/// What the server may take more of memory than before the flood: the bound of all that is under way (64 MiB, parsed a few times as
/// much) and the store's write buffers (192 MiB).
const GROWTH_KIB: u64 = 512 * 1024;
/// The share of the rate without a flood that must get through. The flood itself is made on the same cores, and most of what the
/// server does then is to refuse.
const LEAST_SHARE: f64 = 0.15;
/// No reader waits longer for an answer.
const READ: Duration = Duration::from_secs(5);

/// What all clients of one load share.
struct Load<'a> {
    site: &'a Site,
    stop: AtomicBool,
    created: AtomicU64,
    answers: Mutex<BTreeMap<(u16, String), u64>>,
    longest_retry: AtomicU64,
}

impl<'a> Load<'a> {
    fn on(site: &'a Site) -> Load<'a> {
        Load {
            site,
            stop: AtomicBool::new(false),
            created: AtomicU64::new(0),
            answers: Mutex::default(),
            longest_retry: AtomicU64::new(0),
        }
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Counts an answer and holds it to what a refusal must say.
    fn heard(&self, answer: &Answer) {
        let says = answer.says();
        if answer.status == 201 {
            self.created.fetch_add(1, Ordering::Relaxed);
        }
        if matches!(answer.status, 429 | 503) {
            let retry = answer.retry_after().unwrap_or_else(|| panic!("no Retry-After: {answer:?}")).as_secs();
            assert!((1..=60).contains(&retry) && !says.1.is_empty(), "{answer:?}");
            self.longest_retry.fetch_max(retry, Ordering::Relaxed);
        }
        assert_ne!(answer.status, 500, "{}", answer.text());
        *self.answers.lock().expect("no thread panics with it").entry(says).or_default() += 1;
    }

    /// Sends what `next` makes, over one connection, without a pause. It is made anew once it was taken.
    fn rude(&self, next: impl Fn() -> String) {
        let mut wire = self.site.connect();
        let mut body = next();
        while self.goes_on() {
            let answer = wire.ask(post("/v1/claims", &body));
            self.heard(&answer);
            if answer.status == 201 {
                body = next();
            }
        }
    }

    /// A client that waits as it is told: how often it asked for one claim, and for how long, for each that was taken.
    fn honest(&self, issuer: &Issuer) -> Vec<(u32, Duration)> {
        let mut taken = Vec::new();
        while self.goes_on() {
            let (body, begun) = (issuer.claim(), Instant::now());
            let mut asked = 1;
            loop {
                let answer = self.site.submit(&body);
                self.heard(&answer);
                match answer.retry_after() {
                    None => break assert_eq!(answer.status, 201, "{}", answer.text()),
                    // What it was told may reach beyond the flood; then it gets through all the more.
                    Some(wait) => std::thread::park_timeout(wait),
                }
                asked += 1;
            }
            taken.push((asked, begun.elapsed()));
        }
        taken
    }
}

/// The claims a second that get through over so many polite connections.
fn calm(site: &Site) -> f64 {
    let load = Load::on(site);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CALM {
            scope.spawn(|| load.rude(|| site.acme.claim()));
        }
        until("the time of the calm", || (begun.elapsed() >= Duration::from_secs(CALM_SECONDS)).then_some(()));
        load.stop.store(true, Ordering::Relaxed);
    });
    load.created.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

/// Reads as a follower does until the load stops; how often, and the slowest answer.
fn reader(load: &Load<'_>) -> (u64, Duration) {
    let (mut reads, mut slowest) = (0, Duration::ZERO);
    let mut wire = load.site.connect();
    while load.goes_on() {
        for path in ["/checkpoint", "/tile/0/000", "/tile/entries/000", "/v1/log"] {
            let begun = Instant::now();
            let answer = wire.ask(get(path));
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            slowest = slowest.max(begun.elapsed());
            reads += 1;
        }
    }
    (reads, slowest)
}

/// A claim whose signature is of other bytes.
fn forged(issuer: &Issuer) -> String {
    let mut envelope: serde_json::Value = serde_json::from_str(&issuer.claim()).expect("JSON");
    let other: serde_json::Value = serde_json::from_str(&issuer.claim()).expect("JSON");
    envelope["signatures"][0]["sig"] = other["signatures"][0]["sig"].clone();
    envelope.to_string()
}

#[test]
fn a_flood_is_refused_in_order_and_the_rest_goes_on() {
    let seconds = std::env::var("STORY_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let limits = format!(
        "queue_claims = {QUEUE}\nissuer_per_second = 1000000\nissuer_burst = 1000000\naddress_per_second = 1000000\n\
         address_burst = 1000000"
    );
    let site = Site::start(&limits);
    // More than a tile, for the readers.
    let first: String = (0..300).map(|_| site.acme.claim() + "\n").collect();
    assert_eq!(site.connect().ask(post("/v1/claims/stream", &first)).status, 200);
    let before_flood = calm(&site);
    let (before, size) = (site.resident_kib(), site.size());
    let load = Load::on(&site);
    let heavy = format!("{{\"payloadType\":\"x\",\"payload\":\"{}\"}}", "A".repeat(120 << 10));
    let (mut most, mut reads, mut honest) = (before, Vec::new(), Vec::new());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..RUDE {
            scope.spawn(|| load.rude(|| site.acme.claim()));
        }
        for _ in 0..FORGERS {
            scope.spawn(|| load.rude(|| forged(&site.acme)));
        }
        for _ in 0..HEAVY {
            scope.spawn(|| load.rude(|| heavy.clone()));
        }
        let readers: Vec<_> = (0..2).map(|_| scope.spawn(|| reader(&load))).collect();
        let clients: Vec<_> = (0..HONEST).map(|_| scope.spawn(|| load.honest(&site.acme))).collect();
        while begun.elapsed() < Duration::from_secs(seconds) {
            most = most.max(site.resident_kib());
            std::thread::park_timeout(Duration::from_millis(50));
        }
        load.stop.store(true, Ordering::Relaxed);
        reads.extend(readers.into_iter().map(|reader| reader.join().expect("readers are served")));
        honest.extend(clients.into_iter().flat_map(|client| client.join().expect("who waits as told gets through")));
    });
    let created = load.created.load(Ordering::Relaxed);
    let goodput = created as f64 / begun.elapsed().as_secs_f64();
    println!(
        "without a flood {before_flood:.0} claims a second; in the flood {goodput:.0} ({:.2})",
        goodput / before_flood
    );
    println!(
        "resident: {before} KiB before, {most} KiB at most; longest Retry-After {} s",
        load.longest_retry.load(Ordering::Relaxed)
    );
    for (says, count) in load.answers.lock().expect("all ended").iter() {
        println!("{count:>8} times {says:?}");
    }
    println!(
        "honest: {} claims, the slowest (asked, after) {:?}",
        honest.len(),
        honest.iter().max_by_key(|(_, took)| *took)
    );
    println!("readers: {reads:?}");
    assert!(most < before + GROWTH_KIB, "memory grew from {before} KiB to {most} KiB");
    assert!(goodput > LEAST_SHARE * before_flood, "{goodput:.0} a second in the flood, {before_flood:.0} without");
    assert!(honest.len() >= HONEST, "each honest client gets through at least once");
    assert!(reads.iter().all(|(count, slowest)| *count > 20 && *slowest < READ), "{reads:?}");
    let refused = load.answers.lock().expect("all ended").get(&(503, "queue.full".into())).copied().unwrap_or(0);
    assert!(refused > 0, "this was no flood: the queue was never full");
    // Every claim that was acknowledged is an entry, and no other one is.
    let next = site.takes_a_claim();
    assert_eq!(next, size + created);
    site.ends_with(size + created + 1);
}

//! Slow, half-open and deaf connections: by the hundred they cost the others nothing and end in time; too many are told so.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::process::until;

use crate::site::Site;
use crate::wire::{Wire, answers, get, post};

/// Of each kind.
const EACH: usize = 40;
/// What the normal client waits for one answer at most: much more than a server that is held up by nobody needs.
const PATIENCE: Duration = Duration::from_secs(5);
/// When the last slow connection must have ended: all limits here are 1 or 2 s.
const ENDED: Duration = Duration::from_secs(15);
/// Where the slow ones come from.
const SLOW: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// How a client is slow.
struct Kind {
    name: &'static str,
    /// What it sends before it falls silent.
    sends: String,
    /// What it goes on to send, a byte at a time; nothing: it falls silent.
    drips: &'static str,
    /// Status and code of each answer until the connection is closed.
    hears: &'static [(u16, &'static str)],
}

fn kinds() -> Vec<Kind> {
    let half = |path: &str| format!("POST {path} HTTP/1.1\r\nhost: log\r\ncontent-length: 5000\r\n\r\n{{\"payload");
    vec![
        Kind { name: "says nothing", sends: String::new(), drips: "", hears: &[] },
        Kind { name: "stops in the head", sends: "GET /checkpoint HTTP/1.1\r\nho".into(), drips: "", hears: &[] },
        Kind { name: "drips a head", sends: "GET /checkpoint HTTP/1.1\r\n".into(), drips: "a:b\r\n", hears: &[] },
        Kind { name: "stops in the body", sends: half("/v1/claims"), drips: "", hears: &[(408, "request.incomplete")] },
        Kind { name: "drips a body", sends: half("/v1/claims"), drips: "x", hears: &[(408, "request.incomplete")] },
        Kind { name: "stops in a line of a stream", sends: half("/v1/claims/stream"), drips: "", hears: &[(200, "")] },
        Kind { name: "stays after its answer", sends: get("/v1/log"), drips: "", hears: &[(200, "")] },
        Kind {
            name: "stops in the second head",
            sends: get("/v1/log") + "GET /checkpoint HT",
            drips: "",
            hears: &[(200, "")],
        },
    ]
}

#[test]
fn hundreds_of_slow_connections_end_in_time_and_hold_up_nobody() {
    let site = Site::start(
        "header_seconds = 1\nidle_seconds = 2\nbody_idle_seconds = 1\nbody_seconds = 2\nstreams_per_address = 40",
    );
    let (kinds, done) = (kinds(), AtomicBool::new(false));
    let slowest = std::thread::scope(|scope| {
        let served = scope.spawn(|| normal_client(&site, &done));
        let mut slow: Vec<(&Kind, Wire)> = Vec::new();
        for kind in kinds.iter().flat_map(|kind| std::iter::repeat_n(kind, EACH)) {
            let mut wire = Wire::from(SLOW, site.address());
            wire.send(&kind.sends);
            slow.push((kind, wire));
        }
        let begun = Instant::now();
        let mut beat = 0;
        until("all slow connections are closed", || {
            beat += 1;
            let mut open = 0;
            for (kind, wire) in &mut slow {
                if wire.is_closed() {
                    continue;
                }
                open += 1;
                if let Some(byte) = kind.drips.as_bytes().get(beat % kind.drips.len().max(1)) {
                    wire.send([*byte]);
                }
            }
            (open == 0).then_some(())
        });
        assert!(begun.elapsed() < ENDED, "they held their places for {:?}", begun.elapsed());
        done.store(true, Ordering::Relaxed);
        for (kind, wire) in &mut slow {
            let heard = answers(&wire.rest(), &[]);
            let heard: Vec<(u16, String)> = heard.iter().map(|answer| answer.says()).collect();
            let expected: Vec<(u16, String)> =
                kind.hears.iter().map(|(status, code)| (*status, code.to_string())).collect();
            // A byte that comes after the server closed may destroy the last answer on its way.
            assert!(heard == expected || (!kind.drips.is_empty() && heard.is_empty()), "{}: {heard:?}", kind.name);
        }
        served.join().expect("the normal client was served")
    });
    println!("{} slow connections; the slowest answer to the normal client took {slowest:?}", kinds.len() * EACH);
    until("no connection is left", || (site.figure("claimtrail_http_connections") == 0).then_some(()));
    site.takes_a_claim();
    site.ends_well();
}

/// Submits and reads, each over a new connection, until told; the slowest answer.
fn normal_client(site: &Site, done: &AtomicBool) -> Duration {
    let (mut slowest, mut served) = (Duration::ZERO, 0);
    while !done.load(Ordering::Relaxed) {
        let requests = [post("/v1/claims", &site.acme.claim()), get("/checkpoint"), get("/tile/0/000.p/1")];
        for (request, status) in requests.iter().zip([201, 200, 200]) {
            let begun = Instant::now();
            let answer = site.connect().ask(request);
            assert_eq!(answer.status, status, "{}", answer.text());
            slowest = slowest.max(begun.elapsed());
            served += 1;
        }
    }
    assert!(served > 5 && slowest < PATIENCE, "{served} answers, the slowest after {slowest:?}");
    slowest
}

/// Connections that hold a place each, with one request answered so that the place is surely taken.
fn hold(site: &Site, ip: Ipv4Addr, count: usize) -> Vec<Wire> {
    let mut held: Vec<Wire> = (0..count).map(|_| Wire::from(ip, site.address())).collect();
    for wire in &mut held {
        assert_eq!(wire.ask(get("/checkpoint")).status, 200);
    }
    held
}

#[test]
fn too_many_connections_are_told_so_and_find_room_when_they_come_again() {
    let (a, b, c) = (SLOW, Ipv4Addr::new(127, 0, 0, 3), Ipv4Addr::new(127, 0, 0, 4));
    let site = Site::start("idle_seconds = 2\nconnections = 60\nconnections_per_address = 40");
    let of_a = hold(&site, a, 40);
    let refused = Wire::from(a, site.address()).ask(get("/checkpoint"));
    assert_eq!(refused.says(), (429, "limit.address".into()));
    assert_eq!(refused.header("connection"), Some("close"));
    assert_eq!(Wire::from(c, site.address()).ask(get("/checkpoint")).status, 200, "others have room");
    until("that place is free again", || (site.figure("claimtrail_http_connections") == 40).then_some(()));
    let of_b = hold(&site, b, 20);
    let refused = Wire::from(c, site.address()).ask(get("/checkpoint"));
    assert_eq!(refused.says(), (429, "limit.global".into()));

    // Who comes again when it was told finds room as soon as the idle connections' time is over.
    let (mut wait, mut asked) = (refused.retry_after().expect("when to come again"), 1);
    loop {
        assert!(asked < 10, "told to come again {asked} times");
        assert!(wait <= Duration::from_secs(5), "{wait:?} is longer than any place is held");
        std::thread::park_timeout(wait);
        asked += 1;
        let answer = Wire::from(c, site.address()).ask(get("/checkpoint"));
        match answer.retry_after() {
            Some(next) => wait = next,
            None => break assert_eq!(answer.status, 200),
        }
    }
    assert!(asked > 1);
    drop((of_a, of_b));
    site.takes_a_claim();
    site.ends_well();
}

/// Streams, and connections with requests one after the other, whose answers nobody reads.
const DEAF: usize = 12;
/// What the server may take from one of them: the buffers of the system and what one stream may have under way.
const DEAF_MOST: usize = 64 << 20;
/// What the server may take more of memory for all of them: the bound of what is under way for all streams, parsed.
const DEAF_GROWTH_KIB: u64 = 300 * 1024;

#[test]
fn who_does_not_read_is_not_read_either_and_holds_up_nobody() {
    let site = Site::start("");
    let (before, done) = (site.resident_kib(), AtomicBool::new(false));
    let claims: String = (0..50).map(|_| site.acme.claim() + "\n").collect();
    let chunk = format!("{:x}\r\n{claims}\r\n", claims.len());
    let begin = "POST /v1/claims/stream HTTP/1.1\r\nhost: log\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut deaf: Vec<Wire> = (0..2 * DEAF).map(|_| Wire::deaf(SLOW, site.address())).collect();
    std::thread::scope(|scope| {
        let served = scope.spawn(|| normal_client(&site, &done));
        let sending: Vec<_> = deaf
            .iter_mut()
            .enumerate()
            .map(|(number, wire)| {
                let (chunk, read) = (&chunk, get("/tile/entries/000.p/2"));
                scope.spawn(move || {
                    if number % 2 == 0 {
                        wire.send(begin);
                        wire.send_until_blocked(chunk.as_bytes(), DEAF_MOST)
                    } else {
                        wire.send_until_blocked(read.as_bytes(), DEAF_MOST)
                    }
                })
            })
            .collect();
        let taken: Vec<Option<usize>> = sending.into_iter().map(|one| one.join().expect("it ends")).collect();
        let grown = site.resident_kib().saturating_sub(before);
        // Before anything is judged: the normal client would go on for ever beside a test that failed.
        done.store(true, Ordering::Relaxed);
        println!("bytes taken from who does not read: {taken:?}");
        assert!(taken.iter().all(Option::is_some), "the server closed before the time of a stalled reader was over");
        println!("memory grew by {grown} KiB");
        assert!(grown < DEAF_GROWTH_KIB, "memory grew by {grown} KiB");
        served.join().expect("the normal client was served");
    });
    drop(deaf);
    until("no connection is left", || (site.figure("claimtrail_http_connections") == 0).then_some(()));
    site.takes_a_claim();
    site.ends_well();
}

//! Runs against servers that misbehave in known ways.

mod added;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;
use server::{Reply, Server};

/// `/add` runs need no keys.
fn adds(server: &Server, count: u64) -> Options {
    let work = Work::Add(64);
    Options { work, connections: 4, count: Some(count), ..Options::new(server.target()) }
}

/// An index that no other request gets.
fn index(number: usize) -> Reply {
    Reply { status: 200, body: number.to_string().into_bytes(), ..Reply::default() }
}

#[test]
fn everything_is_counted_once() {
    let server = Server::start(|number, path, body| {
        assert_eq!((path, body.len()), ("/add", 64));
        match number % 10 {
            0 => Reply { status: 422, body: br#"{"code":"claim.value"}"#.to_vec(), ..Reply::default() },
            1 => Reply { hangs_up: true, ..Reply::default() },
            _ => index(number),
        }
    });
    let outcome = run(adds(&server, 200), None).unwrap();
    let tally = outcome.of(Kind::Add).unwrap();
    let refused = tally.answers[&422]["claim.value"];
    assert_eq!((outcome.ended.clone(), tally.good() + refused, tally.unanswered), (Ended::Count, 200, 0));
    assert!(refused >= 20 && tally.failures["connection closed early"] >= 20, "{:?}", tally.failures);
    assert_eq!(tally.latency_us.len(), 200, "each request has one latency");
    let value = outcome.to_value();
    assert_eq!(value["requests"]["adds"]["answers"]["422"]["claim.value"], refused);
    assert_eq!((outcome.places_twice, value["added"]["places"].as_u64()), (0, Some(tally.good())));
    assert!(outcome.us_per_request() > 0.0);
}

/// One stall of a second in a run of some two seconds hits a third of those who came at fixed moments. A closed loop would
/// show it in four requests of hundreds.
#[test]
fn a_stall_is_not_hidden_by_an_open_loop() {
    let begun = Instant::now();
    let server = Server::start(move |number, _, _| {
        let (from, until) = (Duration::from_millis(1000), Duration::from_millis(2000));
        let age = begun.elapsed();
        let wait = if (from..until).contains(&age) { until - age } else { Duration::ZERO };
        Reply { wait, ..index(number) }
    });
    let options = Options { rate: Some(200.0), ..adds(&server, 600) };
    let open = run(options, None).unwrap();
    let tally = open.of(Kind::Add).unwrap();
    assert_eq!((tally.good(), tally.latency_us.len()), (600, 600));
    assert!(open.elapsed >= Duration::from_millis(2900), "600 at 200 a second take three seconds");
    let (p50, p99) = (tally.percentile_us(50.0), tally.percentile_us(99.0));
    assert!((900_000..3_000_000).contains(&p99), "p99 {p99} µs: who came at the stall's begin waited a second");
    assert!(p50 < 500_000, "p50 {p50} µs: most came at other times");
    let waited = tally.latency_us.count_between(300_000, 3_000_000);
    assert!(waited >= 100, "{waited}: 140 of those who came in the stall waited longer than 0.3 s");
}

#[test]
fn a_closed_loop_shows_the_stall_in_few_requests() {
    let server = Server::start(|number, _, _| {
        let wait = if (100..104).contains(&number) { Duration::from_millis(400) } else { Duration::ZERO };
        Reply { wait, ..index(number) }
    });
    let outcome = run(adds(&server, 1000), None).unwrap();
    let tally = outcome.of(Kind::Add).unwrap();
    assert_eq!(tally.latency_us.count_between(390_000, 3_000_000), 4);
}

#[test]
fn retry_after_is_kept_and_the_same_body_comes_again() {
    let bodies: Arc<std::sync::Mutex<Vec<Vec<u8>>>> = Arc::default();
    let seen = bodies.clone();
    let server = Server::start(move |number, _, body| {
        seen.lock().unwrap().push(body.to_vec());
        let full = br#"{"code":"queue.full"}"#.to_vec();
        match number {
            0 => Reply { status: 503, fields: "retry-after: 1\r\n", body: full, ..Reply::default() },
            _ => index(number),
        }
    });
    let options = Options { connections: 1, ..adds(&server, 2) };
    let outcome = run(options.clone(), None).unwrap();
    let tally = outcome.of(Kind::Add).unwrap();
    assert_eq!((tally.good(), tally.answers[&503]["queue.full"]), (2, 1));
    assert!(tally.percentile_us(100.0) >= 1_000_000, "the wait is a part of the latency");
    let bodies = bodies.lock().unwrap().clone();
    assert!(bodies.len() == 3 && bodies[0] == bodies[1] && bodies[1] != bodies[2]);

    let full = Server::start(|_, _, _| Reply { status: 503, fields: "retry-after: 60\r\n", ..Reply::default() });
    let options = Options { target: full.target(), keeps_retry_after: false, ..options };
    let outcome = run(Options { count: Some(50), ..options.clone() }, None).unwrap();
    assert_eq!(outcome.of(Kind::Add).unwrap().with_status(503..=503), 50, "an attacker waits for nobody");
    assert!(outcome.elapsed < Duration::from_secs(30));

    let patient = Options { keeps_retry_after: true, duration: Some(Duration::from_millis(300)), ..options };
    let outcome = run(patient, None).unwrap();
    let tally = outcome.of(Kind::Add).unwrap();
    assert_eq!((tally.good(), tally.unanswered), (0, 1), "told to wait beyond the end");
    assert!(outcome.elapsed < Duration::from_secs(30));
}

#[test]
fn a_server_that_goes_away_ends_the_run_with_what_was_done() {
    let dead = Arc::new(AtomicBool::new(false));
    let seen = dead.clone();
    let server = Server::start(move |number, _, _| {
        seen.fetch_or(number >= 100, Ordering::SeqCst);
        Reply { hangs_up: seen.load(Ordering::SeqCst), ..index(number) }
    });
    let options = Options { patience: Duration::from_millis(300), ..adds(&server, 100_000) };
    let outcome = run(options, None).unwrap();
    let tally = outcome.of(Kind::Add).unwrap();
    assert!(matches!(&outcome.ended, Ended::Lost(error) if error.contains("closed")), "{:?}", outcome.ended);
    assert!(dead.load(Ordering::SeqCst) && (90..=100).contains(&tally.good()), "{}", tally.good());
    assert!(tally.unanswered >= 1 && tally.failures["connection closed early"] > 0);
    assert!(outcome.lines().join("\n").contains("server lost"));
}

#[test]
fn a_run_can_be_ended_from_outside_and_watched() {
    let server = Server::start(|number, _, _| Reply { wait: Duration::from_millis(5), ..index(number) });
    let options = Options { count: Some(u64::MAX - 1), ..adds(&server, 0) };
    let (interrupt, glimpses) = (options.interrupt.clone(), AtomicUsize::new(0));
    let mut watch = |glimpse: &Glimpse| {
        glimpses.fetch_add(1, Ordering::SeqCst);
        interrupt.store(glimpse.tallies.iter().any(|(_, tally)| tally.good() > 0), Ordering::SeqCst);
    };
    let outcome = run(options, Some(&mut watch)).unwrap();
    assert_eq!(outcome.ended, Ended::Interrupted);
    assert!(glimpses.into_inner() > 0);
}

#[test]
fn a_warm_up_is_in_no_figure() {
    let begun = Instant::now();
    let server = Server::start(move |number, _, _| {
        let slow = begun.elapsed() < Duration::from_millis(400);
        Reply { wait: Duration::from_millis(if slow { 200 } else { 1 }), ..index(number) }
    });
    let (warm_up, duration) = (Duration::from_millis(700), Some(Duration::from_millis(1200)));
    let outcome = run(Options { warm_up, duration, ..adds(&server, 100_000) }, None).unwrap();
    let tally = outcome.of(Kind::Add).unwrap();
    assert!(tally.warm_up > 0 && tally.good() > 0);
    assert!(tally.percentile_us(100.0) < 200_000, "the slow begin is not counted");
    assert_eq!(outcome.ended, Ended::Duration);
}

#[test]
fn runs_without_an_end_or_a_task_are_refused() {
    let target = Target::parse("http://127.0.0.1:1").unwrap();
    let nothing = Options::new(target.clone());
    let endless = Options { work: Work::Add(10), ..nothing.clone() };
    let backwards = Options { rate: Some(-1.0), count: Some(1), ..endless.clone() };
    let second = Duration::from_secs(1);
    let all_warm_up = Options { duration: Some(second), warm_up: second, ..endless.clone() };
    let blind = Options { readers: 1, count: Some(1), checks: Checks::All, ..nothing.clone() };
    for options in [nothing, endless, backwards, all_warm_up, blind] {
        assert_eq!(run(options, None).unwrap_err().kind, crate::ErrorKind::Usage);
    }
}

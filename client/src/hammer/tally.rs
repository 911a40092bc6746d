//! What came back: counted by status and reason code, timed in histograms.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use proto::hash::Hash;
use serde_json::{Value, json};

/// Kinds of requests, reported apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One claim a request, or one line of a stream.
    Claim,
    /// `POST /add`.
    Add,
    /// A full tile.
    Tile,
    /// A full entry bundle.
    Bundle,
    /// The newest head.
    Checkpoint,
    /// The tile that the newest entry is in.
    NewestTile,
    /// The bundle that the newest entry is in.
    NewestBundle,
    /// A receipt under the newest head.
    Receipt,
}

impl Kind {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Claim => "claims",
            Kind::Add => "adds",
            Kind::Tile => "tiles",
            Kind::Bundle => "bundles",
            Kind::Checkpoint => "checkpoints",
            Kind::NewestTile => "newest tiles",
            Kind::NewestBundle => "newest bundles",
            Kind::Receipt => "receipts",
        }
    }
}

/// Latencies from a microsecond to an hour; what is outside counts as the nearest of them.
const LONGEST_US: u64 = 3_600_000_000;
/// Values are kept to three digits: a percentile is exact to 0.1 % of itself.
const DIGITS: u8 = 3;

/// The requests of one kind.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Microseconds from the intended start to the last byte of the final answer, waits and repeats included.
    pub latency_us: Histogram<u64>,
    /// Answers by status and reason code; the code is empty where there is none.
    pub answers: BTreeMap<u16, BTreeMap<String, u64>>,
    /// Tries that ended without an answer, by what happened.
    pub failures: BTreeMap<String, u64>,
    /// Bytes of requests.
    pub sent_bytes: u64,
    /// Bytes of answers' bodies.
    pub received_bytes: u64,
    /// Requests of the warm-up, which are in none of the other figures.
    pub warm_up: u64,
    /// Requests that were due and had no final answer at the end, sent or not. They are in the latencies with the age
    /// that they had then: the least that they would have taken.
    pub unanswered: u64,
    /// When the last answer came.
    pub last: Option<Instant>,
}

impl Default for Tally {
    fn default() -> Tally {
        let latency_us = Histogram::new_with_bounds(1, LONGEST_US, DIGITS).expect("the bounds are constants that fit");
        let (answers, failures) = (BTreeMap::new(), BTreeMap::new());
        let (sent_bytes, received_bytes, warm_up, unanswered) = (0, 0, 0, 0);
        Tally { latency_us, answers, failures, sent_bytes, received_bytes, warm_up, unanswered, last: None }
    }
}

impl Tally {
    /// An answer, whether it is the final one or not.
    pub(super) fn answer(&mut self, status: u16, code: &str, received_bytes: usize, now: Instant) {
        let codes = self.answers.entry(status).or_default();
        match codes.get_mut(code) {
            Some(count) => *count += 1,
            None => {
                codes.insert(code.to_owned(), 1);
            }
        }
        self.received_bytes += received_bytes as u64;
        self.last = Some(now);
    }

    /// A request is over.
    pub(super) fn timed(&mut self, latency: Duration, sent_bytes: usize) {
        self.latency_us.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(LONGEST_US));
        self.sent_bytes += sent_bytes as u64;
    }

    /// A try without an answer.
    pub(super) fn failed(&mut self, what: &str) {
        *self.failures.entry(what.to_owned()).or_default() += 1;
    }

    /// A request that was due and has no final answer.
    pub(super) fn unanswered(&mut self, age: Duration) {
        self.unanswered += 1;
        self.timed(age, 0);
    }

    /// Answers with a status within these bounds.
    pub fn with_status(&self, statuses: std::ops::RangeInclusive<u16>) -> u64 {
        self.answers.range(statuses).flat_map(|(_, codes)| codes.values()).sum()
    }

    /// Answers that gave what was asked for.
    pub fn good(&self) -> u64 {
        self.with_status(200..=299)
    }

    /// A percentile of the latencies, in microseconds.
    pub fn percentile_us(&self, percent: f64) -> u64 {
        self.latency_us.value_at_percentile(percent)
    }

    /// Takes the figures of another thread in.
    pub(super) fn add(&mut self, other: &Tally) {
        self.latency_us += &other.latency_us;
        for (status, codes) in &other.answers {
            let mine = self.answers.entry(*status).or_default();
            codes.iter().for_each(|(code, count)| *mine.entry(code.clone()).or_default() += count);
        }
        other.failures.iter().for_each(|(what, count)| *self.failures.entry(what.clone()).or_default() += count);
        self.sent_bytes += other.sent_bytes;
        self.received_bytes += other.received_bytes;
        self.warm_up += other.warm_up;
        self.unanswered += other.unanswered;
        self.last = self.last.max(other.last);
    }

    /// The figures as JSON, over a run of this many seconds.
    pub(super) fn to_value(&self, seconds: f64) -> Value {
        let us = |percent| self.percentile_us(percent);
        json!({
            "good": self.good(),
            "per_second": per_second(self.good(), seconds),
            "latency_us": {
                "count": self.latency_us.len(), "min": self.latency_us.min(), "mean": self.latency_us.mean(),
                "p50": us(50.0), "p90": us(90.0), "p99": us(99.0), "p99.9": us(99.9), "p99.99": us(99.99),
                "max": self.latency_us.max(),
            },
            "answers": self.answers,
            "failures": self.failures,
            "sent_bytes": self.sent_bytes,
            "received_bytes": self.received_bytes,
            "warm_up": self.warm_up,
            "unanswered": self.unanswered,
        })
    }
}

/// Events a second.
#[expect(clippy::cast_precision_loss, reason = "for people; no run has 2^53 requests")]
pub(super) fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

/// The figures of one thread, by kind.
#[derive(Debug, Default, Clone)]
pub(super) struct Lane {
    pub(super) tallies: BTreeMap<Kind, Tally>,
    /// The places that `/add` gave, with the leaf hashes of what was sent.
    pub(super) added: Vec<(u64, Hash)>,
}

impl Lane {
    /// The figures of a kind.
    pub(super) fn of(&mut self, kind: Kind) -> &mut Tally {
        self.tallies.entry(kind).or_default()
    }

    /// Takes another thread's figures in, without the places, which may be many.
    pub(super) fn add(&mut self, other: &Lane) {
        other.tallies.iter().for_each(|(kind, tally)| self.of(*kind).add(tally));
    }
}

/// The reason code in a problem document, found without reading it whole: refusals must stay cheap to count.
pub(super) fn code_of(body: &[u8]) -> &str {
    const MEMBER: &[u8] = b"\"code\":";
    let Some(at) = body.windows(MEMBER.len()).position(|window| window == MEMBER) else { return "" };
    let rest = body[at + MEMBER.len()..].trim_ascii_start();
    let text = rest.strip_prefix(b"\"").unwrap_or(b"");
    let end = text.iter().position(|byte| *byte == b'"').unwrap_or(0);
    // Codes are short words with points; anything else is a stranger's text and not counted under its own name.
    let is_code =
        |text: &&str| text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    std::str::from_utf8(&text[..end]).ok().filter(is_code).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_known_values() {
        let mut tally = Tally::default();
        (1..=1000).for_each(|ms| tally.timed(Duration::from_millis(ms), 10));
        for (percent, ms) in [(50.0, 500), (99.0, 990), (99.9, 999), (100.0, 1000)] {
            let (got, expected) = (tally.percentile_us(percent), ms * 1000);
            // Three digits, and the neighbour where the place is between two values.
            assert!(got.abs_diff(expected) <= 1000 + expected / 1000, "p{percent}: {got} is not {expected}");
        }
        tally.timed(Duration::from_secs(100_000), 0);
        assert!(tally.latency_us.max() >= LONGEST_US, "what is outside counts as the nearest");
    }

    #[test]
    fn figures_of_threads_add_up() {
        let now = Instant::now();
        let mut one = Tally::default();
        one.answer(201, "", 5, now);
        one.answer(503, "queue.full", 7, now);
        one.failed("refused");
        one.unanswered(Duration::from_secs(1));
        let mut all = Tally::default();
        all.add(&one);
        all.add(&one);
        assert_eq!((all.good(), all.with_status(500..=599), all.received_bytes), (2, 2, 24));
        assert_eq!((all.failures["refused"], all.unanswered, all.latency_us.len()), (2, 2, 2));
        assert_eq!(all.answers[&503]["queue.full"], 2);
    }

    #[test]
    fn codes_are_found_and_strangers_texts_are_not() {
        assert_eq!(code_of(br#"{"status":503,"code":"queue.full","detail":"x"}"#), "queue.full");
        assert_eq!(code_of(br#"{"code": "limit.address"}"#), "limit.address");
        for bad in [&b"{}"[..], br#"{"code":7}"#, br#"{"code":"a b"}"#, br#"{"code":"open"#, b""] {
            assert_eq!(code_of(bad), "", "{}", String::from_utf8_lossy(bad));
        }
    }
}

//! What came of a run, for programs and for people.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::check::Verified;
use super::options::{Checks, Options};
use super::tally::{Kind, Lane, Tally, per_second};

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// All requests that were asked for are done.
    Count,
    /// Its time was over.
    Duration,
    /// Everything that was signed beforehand was sent before the time was over.
    UsedUp,
    /// Somebody ended it.
    Interrupted,
    /// The server was out of reach for too long; the last error.
    Lost(String),
}

impl Ended {
    /// Its name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Ended::Count => "count",
            Ended::Duration => "duration",
            Ended::UsedUp => "claims used up",
            Ended::Interrupted => "interrupted",
            Ended::Lost(_) => "server lost",
        }
    }
}

/// Processor time of this process.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    pub(super) loading: Duration,
    pub(super) checking: Duration,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Why it ended.
    pub ended: Ended,
    /// From the end of the warm-up to the last counted answer.
    pub measured: Duration,
    /// The whole run.
    pub elapsed: Duration,
    /// The figures, by kind.
    pub tallies: Vec<(Kind, Tally)>,
    /// What verification found.
    pub verified: Verified,
    /// Which answers were verified.
    pub checks: Checks,
    /// The places that `/add` answered, and the leaf hashes of what was sent there.
    pub(super) added: Vec<(u64, proto::hash::Hash)>,
    /// Places that `/add` answered more than once.
    pub places_twice: u64,
    /// Processor time of the threads that send and read.
    pub loading: Duration,
    /// Processor time of the thread that verifies.
    pub checking: Duration,
}

impl Outcome {
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of a run, each of its own type, put together in one place"
    )]
    pub(super) fn new(
        options: &Options,
        checks: Checks,
        ended: Ended,
        begun: Instant,
        elapsed: Duration,
        total: Lane,
        verified: Verified,
        spent: Spent,
    ) -> Outcome {
        let tallies: Vec<_> = total.tallies.into_iter().collect();
        let from = begun + options.warm_up;
        let last = tallies.iter().filter_map(|(_, tally)| tally.last).max();
        let measured = last.map_or(Duration::ZERO, |last| last.saturating_duration_since(from));
        let mut added = total.added;
        added.sort_unstable();
        let places_twice = added.windows(2).filter(|pair| pair[0].0 == pair[1].0).count() as u64;
        let Spent { loading, checking } = spent;
        Outcome { ended, measured, elapsed, tallies, verified, checks, added, places_twice, loading, checking }
    }

    /// The figures of a kind.
    pub fn of(&self, kind: Kind) -> Option<&Tally> {
        self.tallies.iter().find(|(of, _)| *of == kind).map(|(_, tally)| tally)
    }

    /// Good answers of a kind a second.
    pub fn rate(&self, kind: Kind) -> f64 {
        per_second(self.of(kind).map_or(0, Tally::good), self.measured.as_secs_f64())
    }

    /// Microseconds of processor time for each request of this process, the warm-up included; verification apart.
    #[expect(clippy::cast_precision_loss, reason = "for people; no run has 2^53 requests")]
    pub fn us_per_request(&self) -> f64 {
        let answers: u64 = self.tallies.iter().map(|(_, tally)| tally.with_status(0..=999) + tally.warm_up).sum();
        if answers == 0 { 0.0 } else { self.loading.as_secs_f64() * 1e6 / answers as f64 }
    }

    /// Good answers of `/add` that named no place.
    pub fn placeless(&self) -> u64 {
        self.of(Kind::Add).map_or(0, |tally| tally.good().saturating_sub(self.added.len() as u64))
    }

    /// Sums over all kinds.
    pub fn sum(&self, of: impl Fn(&Tally) -> u64) -> u64 {
        self.tallies.iter().map(|(_, tally)| of(tally)).sum()
    }

    /// Everything, for programs.
    pub fn to_value(&self) -> Value {
        let seconds = self.measured.as_secs_f64();
        let kinds: serde_json::Map<String, Value> =
            self.tallies.iter().map(|(kind, tally)| (kind.name().to_owned(), tally.to_value(seconds))).collect();
        let lost = if let Ended::Lost(error) = &self.ended { Some(error) } else { None };
        json!({
            "ended": self.ended.name(),
            "error": lost,
            "measured_seconds": seconds,
            "elapsed_seconds": self.elapsed.as_secs_f64(),
            "requests": kinds,
            "verified": {
                "which": which(self.checks),
                "checked": self.verified.checked,
                "failed": self.verified.failed,
                "unchecked": self.verified.unchecked,
                "in_tree_at_end": self.verified.in_tree,
                "texts": self.verified.texts,
            },
            "added": { "places": self.added.len(), "places_twice": self.places_twice },
            "client": {
                "loading_cpu_seconds": self.loading.as_secs_f64(),
                "checking_cpu_seconds": self.checking.as_secs_f64(),
                "cpu_us_per_request": self.us_per_request(),
            },
        })
    }

    /// Everything, a line each, for people.
    pub fn lines(&self) -> Vec<String> {
        let seconds = self.measured.as_secs_f64();
        let mut lines = Vec::new();
        for (kind, tally) in &self.tallies {
            lines.push(format!("{:<15}{}", kind.name(), summary(tally, seconds)));
            let answers = tally.answers.iter().flat_map(|(status, codes)| {
                codes.iter().map(move |(code, count)| {
                    format!("{status}{}{code} {count}", if code.is_empty() { "" } else { " " })
                })
            });
            let failures = tally.failures.iter().map(|(what, count)| format!("{what} {count}"));
            let rest = [("warm-up", tally.warm_up), ("without an answer", tally.unanswered)];
            let rest = rest.into_iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{what} {count}"));
            let all: Vec<String> = answers.chain(failures).chain(rest).collect();
            lines.push(format!("{:<15}{}", "", all.join(", ")));
        }
        let Verified { checked, failed, unchecked, in_tree, .. } = &self.verified;
        if self.checks != Checks::None || checked + failed + unchecked + in_tree > 0 {
            let mut line = format!("{:<15}{}: {checked} good, {failed} failed", "verified", which(self.checks));
            if *unchecked > 0 {
                line.push_str(&format!(", {unchecked} out of reach"));
            }
            lines.push(format!("{line}; {in_tree} acknowledged entries found in the tree at the end"));
        }
        lines.extend(self.verified.texts.iter().map(|text| format!("{:<15}{text}", "")));
        if !self.added.is_empty() {
            let (places, twice) = (self.added.len(), self.places_twice);
            lines.push(format!("{:<15}{places} places answered, {twice} of them more than once", "places"));
        }
        lines.push(format!(
            "{:<15}{:.1} µs of processor time a request on this side, verification apart ({:.2} s)",
            "cost",
            self.us_per_request(),
            self.checking.as_secs_f64()
        ));
        let lost = if let Ended::Lost(error) = &self.ended { format!(" ({error})") } else { String::new() };
        lines.push(format!("{:<15}{}{lost}; {seconds:.2} s measured", "ended by", self.ended.name()));
        lines
    }
}

/// Rate and latencies on one line.
pub fn summary(tally: &Tally, seconds: f64) -> String {
    let ms = |percent| {
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let us = tally.percentile_us(percent) as f64;
        format!("{:.2}", us / 1000.0)
    };
    let (good, rate) = (tally.good(), per_second(tally.good(), seconds));
    format!(
        "{good} good  {rate:.0}/s  p50 {}  p90 {}  p99 {}  p99.9 {}  max {} ms",
        ms(50.0),
        ms(90.0),
        ms(99.0),
        ms(99.9),
        ms(100.0)
    )
}

fn which(checks: Checks) -> String {
    match checks {
        Checks::All => "all".into(),
        Checks::Sample(every) => format!("1 in {every}"),
        Checks::None => "none".into(),
    }
}

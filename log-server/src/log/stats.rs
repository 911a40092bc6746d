//! What the operator sees of the log's work.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use proto::code::Code;

/// Twelve doublings from one claim reach the largest batch.
const CLAIM_BUCKETS: u16 = 12;
/// A synced write on a fast device takes about this long.
const FIRST_SECONDS: f64 = 0.000_25;
/// Fourteen doublings reach 2 s, where something is wrong.
const SECONDS_BUCKETS: u16 = 14;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCode {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kept {
    kept: &'static str,
}

/// Counters of one log. Clones count together.
#[derive(Debug, Clone)]
pub struct Stats {
    claims: Histogram,
    seconds: Histogram,
    created: Counter,
    repeated: Counter,
    refused: Family<ByCode, Counter>,
    halts: Counter,
    fork_reports: Family<Kept, Counter>,
}

impl Default for Stats {
    fn default() -> Stats {
        Stats {
            claims: Histogram::new(exponential_buckets(1.0, 2.0, CLAIM_BUCKETS)),
            seconds: Histogram::new(exponential_buckets(FIRST_SECONDS, 2.0, SECONDS_BUCKETS)),
            created: Counter::default(),
            repeated: Counter::default(),
            refused: Family::default(),
            halts: Counter::default(),
            fork_reports: Family::default(),
        }
    }
}

impl Stats {
    /// Shows the counters in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("batch_claims", "Claims decided in one batch", self.claims.clone());
        registry.register(
            "batch_duration_seconds",
            "Time from a batch's first decision to its last answer",
            self.seconds.clone(),
        );
        registry.register("claims_created", "Submissions that became an entry", self.created.clone());
        registry.register(
            "claims_repeated",
            "Submissions answered with the receipt of an earlier entry",
            self.repeated.clone(),
        );
        registry.register("claims_refused", "Submissions refused, by reason code", self.refused.clone());
        registry.register("sequencer_halts", "Times that the sequencer stopped and had to recover", self.halts.clone());
        let help = "Claims of enrolled issuers that name a head which is not this log's";
        registry.register("fork_reports", help, self.fork_reports.clone());
    }

    /// A batch was answered. Empty batches, which only stamp the head again, do not count.
    pub(super) fn batch(&self, claims: usize, took: Duration) {
        if claims > 0 {
            self.claims.observe(claims as f64);
            self.seconds.observe(took.as_secs_f64());
        }
    }

    /// A submission was answered.
    pub(super) fn answered(&self, outcome: Result<bool, Code>) {
        match outcome {
            Ok(true) => self.created.inc(),
            Ok(false) => self.repeated.inc(),
            Err(code) => self.refused.get_or_create(&ByCode { code: code.as_str() }).inc(),
        };
    }

    /// An issuer reported a fork, and the report is kept or not.
    pub(super) fn fork_report(&self, kept: bool) {
        self.fork_reports.get_or_create(&Kept { kept: if kept { "yes" } else { "no" } }).inc();
    }

    /// The sequencer stopped.
    pub(super) fn halted(&self) {
        self.halts.inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_their_kind() {
        let (stats, mut registry) = (Stats::default(), Registry::default());
        stats.register(&mut registry);
        stats.batch(0, Duration::from_secs(1));
        stats.batch(3, Duration::from_millis(1));
        stats.answered(Ok(true));
        stats.answered(Ok(false));
        stats.answered(Err(Code::KeyUnknown));
        stats.answered(Err(Code::KeyUnknown));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "batch_claims_sum 3.0",
            "batch_claims_count 1",
            "claims_created_total 1",
            "claims_repeated_total 1",
            "claims_refused_total{code=\"key.unknown\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}

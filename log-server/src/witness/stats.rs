//! What the operator sees of each witness.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use proto::num::{Seconds, TreeSize};

use super::ask::Trouble;
use crate::clock::TimeSource;

/// A witness in the same rack answers faster than this; no need to tell apart what is below.
const FIRST_SECONDS: f64 = 0.001;
/// Fourteen doublings reach 8 s, beyond the time that a witness is given.
const BUCKETS: u16 = 14;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByWitness {
    witness: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    witness: String,
    outcome: &'static str,
}

/// Counters of one log's witnesses. Labels are the names in the operator's own policy.
pub(super) struct Stats {
    asked: Family<ByWitness, Counter>,
    outcomes: Family<ByOutcome, Counter>,
    seconds: Family<ByWitness, Histogram, fn() -> Histogram>,
    cosigned_size: Gauge,
    quorum: Gauge,
    last: Arc<LastTimes>,
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(FIRST_SECONDS, 2.0, BUCKETS))
}

/// When each witness cosigned last, by its own clock; 0 for never.
struct LastTimes {
    clock: Arc<dyn TimeSource>,
    of: Vec<(String, AtomicU64)>,
    /// When a head met the quorum last, by the log's clock; 0 for never.
    quorum: AtomicU64,
}

impl Stats {
    /// Counters that are shown in `registry`.
    pub(super) fn register(
        registry: &mut Registry,
        clock: Arc<dyn TimeSource>,
        witnesses: impl Iterator<Item = String>,
    ) -> Stats {
        let of: Vec<_> = witnesses.map(|name| (name, AtomicU64::new(0))).collect();
        let stats = Stats {
            asked: Family::default(),
            outcomes: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            cosigned_size: Gauge::default(),
            quorum: Gauge::default(),
            last: Arc::new(LastTimes { clock, of, quorum: AtomicU64::new(0) }),
        };
        registry.register("witness_asked", "Times that a witness was asked for a cosignature", stats.asked.clone());
        let help = "What came of asking a witness: cosigned, or why not";
        registry.register("witness_outcomes", help, stats.outcomes.clone());
        registry.register("witness_duration_seconds", "How long a witness took to cosign", stats.seconds.clone());
        let help = "Entries in the last head that met the witnesses' quorum";
        registry.register("cosigned_tree_size", help, stats.cosigned_size.clone());
        let help =
            "Whether the quorum was met for the head that witnesses were asked for last, or for a newer one: 1 or 0";
        registry.register("witness_quorum_met", help, stats.quorum.clone());
        registry.register_collector(Box::new(Ages(stats.last.clone())));
        stats
    }

    /// A witness is asked.
    pub(super) fn asked(&self, witness: &str) {
        self.asked.get_or_create(&ByWitness { witness: witness.to_owned() }).inc();
    }

    /// It cosigned, after so long, at this time by its clock.
    pub(super) fn cosigned(&self, witness: &str, took: Duration, time: Seconds) {
        self.outcome(witness, "cosigned");
        self.seconds.get_or_create(&ByWitness { witness: witness.to_owned() }).observe(took.as_secs_f64());
        self.seen(witness, time);
    }

    /// It has cosigned a head at this time by its clock, whoever asked it.
    pub(super) fn seen(&self, witness: &str, time: Seconds) {
        if let Some((_, last)) = self.last.of.iter().find(|(name, _)| name == witness) {
            last.store(time.0, Ordering::Relaxed);
        }
    }

    /// It did not.
    pub(super) fn failed(&self, witness: &str, trouble: &Trouble) {
        self.outcome(witness, trouble.name());
    }

    fn outcome(&self, witness: &str, outcome: &'static str) {
        self.outcomes.get_or_create(&ByOutcome { witness: witness.to_owned(), outcome }).inc();
    }

    /// The quorum is met for the newest head that was asked for or a newer one, or is not.
    pub(super) fn quorum(&self, met: bool) {
        self.quorum.set(i64::from(met));
    }

    /// A head met the quorum and is durable.
    pub(super) fn published(&self, size: TreeSize) {
        self.cosigned_size.set(i64::try_from(size.0).unwrap_or(i64::MAX));
        self.last.quorum.store(self.last.clock.wall_ms() / 1000, Ordering::Relaxed);
    }
}

/// Ages as they are at the moment of a scrape.
struct Ages(Arc<LastTimes>);

impl fmt::Debug for Ages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ages").finish_non_exhaustive()
    }
}

impl Collector for Ages {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let now = self.0.clock.wall_ms() / 1000;
        let age = |time: u64| ConstGauge::new(i64::try_from(now.saturating_sub(time)).unwrap_or(i64::MAX));
        let all = age(now);
        let help = "Seconds since the witness's last cosignature, by its clock; absent before the first";
        let mut ages = encoder.encode_descriptor("witness_age_seconds", help, None, all.metric_type())?;
        for (witness, last) in &self.0.of {
            let last = last.load(Ordering::Relaxed);
            if last > 0 {
                age(last).encode(ages.encode_family(&[("witness", witness.as_str())])?)?;
            }
        }
        let quorum = self.0.quorum.load(Ordering::Relaxed);
        if quorum > 0 {
            let help = "Seconds since a head met the quorum and was published";
            let age = age(quorum);
            age.encode(encoder.encode_descriptor("cosigned_age_seconds", help, None, age.metric_type())?)?;
        }
        Ok(())
    }
}

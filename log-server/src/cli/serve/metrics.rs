//! The log's figures as they are at the moment of a scrape.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;

use super::watch::Watch;
use crate::clock::{SystemTime, TimeSource};
use crate::log::Log;

/// Every mode's name, so that each is told as 0 or 1.
const MODES: [&str; 8] =
    ["normal", "read_only", "unwitnessed", "disk_low", "clock_jump", "recovering", "frozen", "stopping"];

/// Reads the log and the watch.
pub(super) struct LogCollector {
    log: Arc<Log>,
    watch: Watch,
    clock: SystemTime,
}

impl LogCollector {
    pub(super) fn new(log: Arc<Log>, watch: Watch) -> LogCollector {
        LogCollector { log, watch, clock: SystemTime::new() }
    }
}

impl fmt::Debug for LogCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogCollector").field("log", &self.log).finish_non_exhaustive()
    }
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
}

impl Collector for LogCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (head, seen) = (self.log.published().head, self.watch.seen());
        let age = (self.clock.wall_ms() / 1000).saturating_sub(head.time.0);
        let out = &mut encoder;
        gauge(out, "tree_size", "Entries in the published tree", head.size.0)?;
        gauge(out, "head_age_seconds", "Seconds since the published head's time", age)?;
        gauge(out, "queue_claims", "Claims that wait for the sequencer", self.log.queue_depth() as u64)?;
        if let Some(free) = seen.disk_free {
            gauge(out, "disk_free_bytes", "Bytes free for the store", free)?;
        }
        gauge(out, "store_memory_bytes", "Bytes of memory that the store holds", seen.stats.memory_bytes)?;
        let mode = self.log.mode().name();
        let all = ConstGauge::new(0i64);
        let mut modes =
            encoder.encode_descriptor("mode", "The log's mode: 1 for the present one", None, all.metric_type())?;
        for name in MODES {
            let present = ConstGauge::new(i64::from(name == mode));
            present.encode(modes.encode_family(&[("mode", name)])?)?;
        }
        let help = "Bytes that the parts of the store take on disk";
        let mut parts = encoder.encode_descriptor("store_bytes", help, None, all.metric_type())?;
        let stats = seen.stats;
        for (part, bytes) in [
            ("entries", stats.entries_bytes),
            ("tiles", stats.tiles_bytes),
            ("state", stats.state_bytes),
            ("rows", stats.rows_bytes),
            ("heads", stats.heads_bytes),
            ("reports", stats.reports_bytes),
        ] {
            let gauge = ConstGauge::new(i64::try_from(bytes).unwrap_or(i64::MAX));
            gauge.encode(parts.encode_family(&[("part", part)])?)?;
        }
        Ok(())
    }
}

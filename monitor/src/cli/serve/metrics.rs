//! The logs' figures as they are at the moment of a scrape.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;

use crate::clock;
use crate::finding::Class;
use crate::follow::{FollowedLog, Seen};
use crate::witness::Witness;

/// Reads what was seen of the logs.
#[derive(Debug)]
pub(super) struct LogsCollector {
    logs: Vec<Arc<FollowedLog>>,
    witness: Option<Arc<Witness>>,
}

impl LogsCollector {
    pub(super) fn new(logs: Vec<Arc<FollowedLog>>, witness: Option<Arc<Witness>>) -> LogsCollector {
        LogsCollector { logs, witness }
    }

    /// One gauge with a value for each log that has one.
    fn each(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        value: impl Fn(&FollowedLog, &Seen) -> Option<u64>,
    ) -> fmt::Result {
        let none = ConstGauge::new(0i64);
        let mut all = encoder.encode_descriptor(name, help, None, none.metric_type())?;
        for log in &self.logs {
            if let Some(value) = value(log, &log.seen()) {
                let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
                gauge.encode(all.encode_family(&[("origin", log.origin())])?)?;
            }
        }
        Ok(())
    }
}

impl Collector for LogsCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let out = &mut encoder;
        let now = clock::now();
        self.each(out, "tree_size", "Entries that were hashed to a signed root", |_, seen| Some(seen.size.0))?;
        self.each(out, "checked_size", "Entries that the rules were run over", |_, seen| Some(seen.folded.0))?;
        self.each(out, "head_size", "Entries under the newest head that was taken", |_, seen| {
            seen.head.map(|(size, _)| size.0)
        })?;
        self.each(out, "head_age_seconds", "Seconds since the newest head's time", |_, seen| {
            seen.head.and_then(|(_, time)| time).map(|time| now.seconds().0.saturating_sub(time.0))
        })?;
        self.each(out, "last_success_seconds", "Seconds since a round came to its end", |_, seen| {
            seen.last_success.map(|last| now.0.saturating_sub(last.0) / 1000)
        })?;
        self.each(out, "cosigned_size", "The size that was cosigned last", |log, _| {
            self.witness.as_ref().and_then(|witness| witness.size(log.origin())).map(|size| size.0)
        })?;
        let kept = "Misbehaviour files that are kept";
        self.each(out, "evidence_kept", kept, |_, seen| Some(seen.evidence.values().sum()))?;
        self.each(out, "cosigning_stopped", "1 when a log is not cosigned until the operator acts", |log, _| {
            let needs =
                |witness: &crate::witness::Witness| witness.needs_operator(log.origin()) || log.forked().is_some();
            self.witness.as_deref().map(|witness| u64::from(needs(witness)))
        })?;
        let known = "Findings that are open and that the operator acknowledged";
        self.each(out, "findings_acknowledged", known, |_, seen| {
            Some(seen.open.iter().filter(|open| !open.counts()).count() as u64)
        })?;
        let none = ConstGauge::new(0i64);
        let help = "Findings that are open, by class";
        let mut open = encoder.encode_descriptor("findings_open", help, None, none.metric_type())?;
        for log in &self.logs {
            let seen = log.seen();
            for class in Class::ALL {
                let count = seen.open.iter().filter(|open| open.finding.class == class).count();
                let gauge = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
                gauge.encode(open.encode_family(&[("origin", log.origin()), ("class", class.name())])?)?;
            }
        }
        Ok(())
    }
}

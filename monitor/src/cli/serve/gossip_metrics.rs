//! The figures of gossip as they are at the moment of a scrape.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;

use crate::clock;
use crate::gossip::Gossip;

/// Reads what gossip knows.
#[derive(Debug)]
pub(super) struct GossipCollector(Arc<Gossip>);

impl GossipCollector {
    pub(super) fn new(gossip: Arc<Gossip>) -> GossipCollector {
        GossipCollector(gossip)
    }
}

/// One gauge with a value for each label value.
fn each(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    label: &str,
    values: impl IntoIterator<Item = (String, u64)>,
) -> fmt::Result {
    let none = ConstGauge::new(0i64);
    let mut all = encoder.encode_descriptor(name, help, None, none.metric_type())?;
    for (of, value) in values {
        let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        gauge.encode(all.encode_family(&[(label, of.as_str())])?)?;
    }
    Ok(())
}

impl Collector for GossipCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (out, gossip) = (&mut encoder, &self.0);
        let waiting = gossip
            .logs()
            .iter()
            .map(|log| (log.log().origin().to_owned(), log.look(|core| core.waiting().count() as u64)));
        each(
            out,
            ("heads_waiting", "Heads that others were shown and that nothing ties to the tree yet"),
            "origin",
            waiting,
        )?;
        let discarded =
            gossip.logs().iter().map(|log| (log.log().origin().to_owned(), log.look(|core| core.discarded())));
        each(out, ("heads_discarded", "Such heads that had no room, so far"), "origin", discarded)?;
        let now = clock::now();
        let peers = || gossip.peers().iter().map(|peer| (peer.config.name.clone(), peer.seen()));
        let ages = peers().filter_map(|(name, seen)| Some((name, now.0.saturating_sub(seen.last_seen?.0) / 1000)));
        each(out, ("peer_last_seen_seconds", "Seconds since a peer last answered"), "peer", ages)?;
        let failures = peers().map(|(name, seen)| (name, seen.failures));
        each(out, ("peer_failures", "How often in turn a peer did not answer"), "peer", failures)
    }
}

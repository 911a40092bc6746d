//! What was found of those who are configured no more: nobody who runs could end it, so it ends at the start.

use client::Error;
use proto::num::Millis;

use super::FollowedLog;
use crate::finding::{Open, code};
use crate::gossip::config::PeerConfig;
use crate::store::{Batch, Findings};

impl FollowedLog {
    /// Ends the silence of peers that are not among these, and of witnesses that the trust file does not name.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub fn end_of_others(&self, peers: &[PeerConfig], now: Millis) -> Result<(), Error> {
        let witnesses = self.config.trust.policy().witnesses();
        let is_other = |open: &Open| {
            let name = open.finding.id.split_once(':').map(|(_, name)| name);
            match open.finding.code.as_str() {
                code::PEER => !peers.iter().any(|peer| Some(peer.name.as_str()) == name),
                code::WITNESS => !witnesses.iter().any(|witness| Some(witness.vkey().name().as_str()) == name),
                _ => false,
            }
        };
        let mut findings = Findings::default();
        self.seen().open.iter().filter(|open| is_other(open)).for_each(|open| findings.over(&open.finding.id));
        if findings == Findings::default() {
            return Ok(());
        }
        self.store.commit_batch(&Batch { findings, ..Batch::default() }, now)?;
        self.look(None)
    }
}

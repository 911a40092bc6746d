//! Peers that do not answer any more.

use client::Error;
use proto::num::Millis;

use super::log::LogGossip;
use crate::finding::code;
use crate::store::{Batch, Findings};

impl LogGossip {
    /// Tells which peers have fallen silent, and which are back. `last_seen` is when this one last answered.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub(super) fn judge_silence(&self, peer: &str, last_seen: Option<Millis>, now: Millis) -> Result<(), Error> {
        if let Some(at) = last_seen {
            self.heard.saw(peer, at);
        }
        let mut findings = Findings::default();
        let seen = self.log().seen();
        let open = &seen.open;
        self.heard.judge(now, open, &mut findings);
        let was: Vec<&str> =
            open.iter().filter(|open| open.finding.code == code::PEER).map(|open| open.finding.id.as_str()).collect();
        let is: Vec<&str> = findings.found().iter().map(|finding| finding.id.as_str()).collect();
        if was.len() == is.len() && is.iter().all(|id| was.contains(id)) {
            return Ok(());
        }
        self.log().store.commit_batch(&Batch { findings, ..Batch::default() }, now)?;
        self.log().look(None)
    }
}

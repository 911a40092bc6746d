//! Evidence on its way between peers.

use std::sync::Arc;

use client::Error;
use proto::num::Millis;

use super::act::Act;
use super::core::Input;
use super::log::{LogGossip, now};
use super::peer::{HEADS_PAGE, Peer};
use super::run::Gossip;
use crate::evidence::{EvidenceId, Refused, Source};

/// Pieces of evidence that are counted in one step. There are never so many (the store keeps a bounded number of each kind).
const MOST_COUNTED: usize = 4096;

impl Gossip {
    /// Asks a peer for evidence behind this number of its list; the number to go on from.
    pub(super) async fn pull_evidence(self: &Arc<Self>, log: &Arc<LogGossip>, peer: &Arc<Peer>, after: u64) -> u64 {
        let Ok(page) = peer.evidence(log.log().origin(), after).await else { return after };
        let mut last = after;
        for listed in page.evidence.iter().take(HEADS_PAGE) {
            let (asked, id) = (log.clone(), listed.id.clone());
            let is_known = tokio::task::spawn_blocking(move || asked.has_evidence(&id)).await.unwrap_or(true);
            if !is_known {
                let Ok(file) = peer.evidence_file(&listed.id).await else { return last };
                let name = peer.config.name.clone();
                self.feed(log, move |log| log.take_evidence(&file, &name, now()).map(|()| Vec::new())).await;
            }
            last = last.max(listed.number);
        }
        last
    }
}

impl LogGossip {
    /// The file of this number; nothing when there is none.
    pub(super) fn evidence(&self, number: u64) -> Result<Option<Vec<u8>>, Error> {
        let store = &self.log().store;
        let Some(kept) = store.evidence_from(number, 1)?.into_iter().find(|kept| kept.number == number) else {
            return Ok(None);
        };
        Ok(store.evidence(kept.id)?.map(|(_, bytes)| bytes))
    }

    /// Whether a file of this name is kept, or none can have the name.
    pub(super) fn has_evidence(&self, id: &str) -> bool {
        id.parse::<EvidenceId>().map_or(true, |id| self.log().store.evidence(id).is_ok_and(|found| found.is_some()))
    }

    /// Tells the machine of evidence that is new, from wherever.
    pub(super) fn more_evidence(&self, now: Millis) -> Result<Vec<Act>, Error> {
        let known = self.look(|core| core.evidence());
        let new = self.log().store.evidence_from(known + 1, MOST_COUNTED)?;
        match new.last() {
            Some(last) => self.feed(Input::Evidence { last: last.number }, now),
            None => Ok(Vec::new()),
        }
    }

    /// Takes a file of a peer. One that is refused is no failure here.
    pub(super) fn take_evidence(&self, file: &[u8], peer: &str, now: Millis) -> Result<(), Error> {
        match self.log().take_evidence(file, Source::Peer(peer.to_owned()), now) {
            Ok(_) => Ok(()),
            Err(Refused::Own(error)) => Err(error),
            Err(why) => {
                tracing::warn!(
                    origin = self.log().origin(),
                    peer,
                    "evidence is not taken: {}",
                    client::plain::plain(&why.to_string())
                );
                Ok(())
            }
        }
    }
}

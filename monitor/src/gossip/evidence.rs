//! Evidence and statements on their way between peers.

use client::Error;
use proto::note::{Note, Verifier};
use proto::num::Millis;
use proto::unavailable::Unavailable;

use super::act::Act;
use super::core::{Head, Input};
use super::log::LogGossip;
use super::peer::StatementMessage;
use crate::evidence::{EvidenceId, Refused, Source};
use crate::store::{Batch, GossipStep, KeptStatement};

/// Pieces of evidence that are counted in one step. There are never so many (the store keeps a bounded number of each kind).
const MOST_COUNTED: usize = 4096;

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

    /// Keeps a peer's statement that a head stays unavailable, and gives that head to be judged as any other.
    ///
    /// # Errors
    /// A sentence when the peer did not make it, or not about this head; or the failure to keep it.
    pub fn take_statement(
        &self,
        message: &StatementMessage,
        (by, verifier): (&str, &Verifier),
        now: Millis,
    ) -> Result<proto::policy::Checked, Result<String, Error>> {
        let said = Unavailable::verify(message.statement.as_bytes(), verifier).map_err(|why| Ok(why.to_string()))?;
        let note = Note::parse(message.checkpoint.as_bytes()).map_err(|why| Ok(why.to_string()))?;
        let checked = self.check(note).map_err(|why| Ok(why.to_string()))?;
        if !said.is_about(checked.checkpoint.text()) {
            return Err(Ok("it is not about the head beside it".to_owned()));
        }
        let head = Head { size: said.size, root: said.root };
        let checkpoint = String::from_utf8_lossy(&checked.checkpoint.to_bytes()).into_owned();
        let kept = KeptStatement { by: by.to_owned(), statement: message.statement.clone(), checkpoint };
        let gossip = GossipStep { statements: vec![(head, kept)], ..GossipStep::default() };
        self.log().store.commit_batch(&Batch { gossip, ..Batch::default() }, now).map_err(Err)?;
        Ok(checked)
    }
}

//! Own cosignatures shown to the peers, and those of others taken: so that a witness that loses its state can be told what it
//! cosigned last.
//!
//! The newest head that this witness cosigned goes to every peer at once, with the log's lines and its own alone. A peer that does
//! not answer is shown the newest one when it does.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use client::Error;
use proto::note::Note;
use proto::policy::Checked;

use super::head::{NotTaken, only_of_log};
use super::log::LogGossip;
use super::peer::{Peer, is_refusal};
use super::run::Gossip;

/// Signature lines of a head that a witness shows: the log's, its time key's, and some of the witness's.
const MOST_LINES: usize = 8;

/// Why a cosigned head is not taken.
#[derive(Debug)]
pub enum NotCosigned {
    /// It has too many lines; nothing was verified.
    Lines(usize),
    /// The log did not sign it.
    Head(NotTaken),
    /// Nobody whose key is known here cosigned it.
    Nobody,
    /// It cannot be kept.
    Own(Error),
}

impl fmt::Display for NotCosigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotCosigned::Lines(found) => write!(f, "it has {found} signature lines; {MOST_LINES} are the most"),
            NotCosigned::Head(why) => why.fmt(f),
            NotCosigned::Nobody => f.write_str(
                "no line of it is of a witness whose key is known here, as the vkey of a peer or in the trust file",
            ),
            NotCosigned::Own(error) => f.write_str(&error.message),
        }
    }
}

impl LogGossip {
    /// Keeps a head that its witness shows.
    ///
    /// # Errors
    /// When it is not one of a witness that is known here.
    pub fn take_cosigned(&self, note: Note) -> Result<Checked, NotCosigned> {
        let lines = note.signatures().len();
        if lines > MOST_LINES {
            return Err(NotCosigned::Lines(lines));
        }
        let checked = self.check(note.clone()).map_err(NotCosigned::Head)?;
        match self.log().keep_cosigned(&note, &checked).map_err(NotCosigned::Own)? {
            0 => Err(NotCosigned::Nobody),
            _ => Ok(checked),
        }
    }
}

impl Gossip {
    /// Shows a peer every head that is cosigned here; one that is behind is shown the newest.
    pub(super) async fn tell_cosigned(self: Arc<Self>, peer: Arc<Peer>) {
        let Some(witness) = self.witness.clone() else { return };
        let mut changes = witness.changes();
        let mut told: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        loop {
            for (at, log) in self.logs.iter().enumerate() {
                let shown = witness.checkpoint(log.log().origin());
                let is_new =
                    |note: &Vec<u8>| told.get(&at) != Some(note) && !witness.waits_for_peers(log.log().origin());
                let Some(note) = shown.filter(is_new) else { continue };
                let Some(sent) = own_lines(log, &note, witness.keys().vkeys().as_slice()) else { continue };
                let is_told = match peer.send_cosigned(sent).await {
                    Ok(()) => true,
                    Err(error) => {
                        tracing::debug!(peer = peer.config.name, error = error.message, "a cosigned head is not taken");
                        // It does not follow this log, or does not know this key: showing it again changes nothing.
                        // A page of what stands before it is no answer of the peer's.
                        is_refusal(&error)
                    }
                };
                if is_told {
                    told.insert(at, note);
                }
            }
            let is_over = tokio::select! {
                changed = changes.changed() => changed.is_err(),
                over = self.sleeps_to_the_end(self.config.every()) => over,
            };
            if is_over || self.is_stopping() {
                return;
            }
        }
    }
}

/// The note with the lines of the log and of these keys.
fn own_lines(log: &LogGossip, note: &[u8], keys: &[&proto::note::Vkey]) -> Option<Vec<u8>> {
    let note = Note::parse(note).ok()?;
    let is_own = |line: &&proto::note::NoteSignature| {
        keys.iter().any(|key| line.name() == key.name() && line.key_hash() == key.key_hash())
    };
    let own: Vec<_> = note.signatures().iter().filter(is_own).cloned().collect();
    let of_log = only_of_log(log.log().config.trust.policy(), log.log().origin(), note)?;
    Some(of_log.with_signatures(own).ok()?.to_bytes())
}

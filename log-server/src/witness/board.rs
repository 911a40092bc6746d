//! Which lines are there for which head, and which head is shown.
//!
//! Only lines that were verified get here. A head is known by origin, size and root: stamped again with a later time it is
//! the same one, and cosignatures stay good for it.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::checkpoint::CheckpointText;
use proto::note::{BadNote, Note, NoteSignature};
use proto::num::TreeSize;
use proto::policy::Policy;

use super::{Cosigned, WithoutQuorum};

/// A head with the log's own lines and those of witnesses.
#[derive(Debug, Clone)]
struct Collected {
    text: CheckpointText,
    /// The note as the log signed it.
    own: Bytes,
    /// Lines of witnesses, by their place in the policy.
    lines: BTreeMap<usize, NoteSignature>,
}

impl Collected {
    /// The note with all lines.
    fn note(&self) -> Result<Bytes, BadNote> {
        let lines = self.lines.values().cloned().collect();
        Ok(Note::parse(&self.own)?.with_signatures(lines)?.to_bytes().into())
    }
}

/// The heads that count at the moment.
#[derive(Debug)]
pub(super) struct Board {
    policy: Policy,
    without_quorum: WithoutQuorum,
    /// The head that witnesses are asked for.
    target: Option<Collected>,
    /// The last one that met the quorum.
    met: Option<Collected>,
    /// The newest head of the log, shown in open mode when witnesses lag behind.
    open: Option<Collected>,
}

/// What a checkpoint note says; nothing for what is no checkpoint, which the log does not sign.
pub(super) fn text_of(note: &[u8]) -> Option<CheckpointText> {
    let note = std::str::from_utf8(note).ok()?;
    let (text, _) = note.rsplit_once("\n\n")?;
    CheckpointText::parse(&format!("{text}\n")).ok()
}

impl Board {
    /// Begins with the head that was shown last, a note that was checked against the policy.
    pub(super) fn new(policy: Policy, without_quorum: WithoutQuorum, last: Option<Bytes>) -> Board {
        let met = last.and_then(|note| split(&policy, &note));
        Board { policy, without_quorum, target: None, met, open: None }
    }

    /// What happens without a quorum.
    pub(super) fn without_quorum(&self) -> WithoutQuorum {
        self.without_quorum
    }

    /// Witnesses are asked for this head of the log from now on.
    pub(super) fn aim(&mut self, own: Bytes) {
        let Some(text) = text_of(&own) else { return };
        let known = [&self.target, &self.met].into_iter().flatten().find(|known| known.text.same_head(&text));
        let lines = known.map(|known| known.lines.clone()).unwrap_or_default();
        self.target = Some(Collected { text, own, lines });
        self.count();
    }

    /// A verified line of the witness at this place over this head; whether it is of use.
    pub(super) fn add(&mut self, place: usize, head: &[u8], line: NoteSignature) -> bool {
        let Some(text) = text_of(head) else { return false };
        let mut of_use = false;
        for known in [&mut self.target, &mut self.met, &mut self.open].into_iter().flatten() {
            if known.text.same_head(&text) {
                known.lines.insert(place, line.clone());
                of_use = true;
            }
        }
        self.count();
        of_use
    }

    /// Takes the target for the one that met the quorum, if it did. A head that is older than the one that is shown never
    /// takes its place.
    fn count(&mut self) {
        let Some(target) = &self.target else { return };
        let lowest = self.met.as_ref().map_or(TreeSize(0), |met| met.text.size());
        if self.is_target_met() && target.text.size() >= lowest {
            self.met = Some(target.clone());
        }
    }

    /// Whether enough witnesses have cosigned the head that they are asked for.
    pub(super) fn is_target_met(&self) -> bool {
        let Some(target) = &self.target else { return false };
        self.policy.is_met_by(|place, _| target.lines.contains_key(&place))
    }

    /// The log's newest head is shown whatever witnesses say, as open mode has it when they lag behind.
    pub(super) fn show_own(&mut self, own: Bytes) {
        let Some(text) = text_of(&own) else { return };
        let known = [&self.target, &self.met].into_iter().flatten().find(|known| known.text.same_head(&text));
        let lines = known.map(|known| known.lines.clone()).unwrap_or_default();
        self.open = Some(Collected { text, own, lines });
    }

    /// The last head that met the quorum.
    pub(super) fn cosigned(&self) -> Option<Cosigned> {
        cosigned(self.met.as_ref()?)
    }

    /// What the public is shown. Its size never goes back.
    pub(super) fn shown(&self) -> Option<Cosigned> {
        let size = |head: &&Collected| head.text.size();
        // Of two heads of one size, the one that met the quorum.
        [&self.open, &self.met].into_iter().flatten().max_by_key(size).and_then(cosigned)
    }
}

fn cosigned(head: &Collected) -> Option<Cosigned> {
    let note = head.note();
    if let Err(error) = &note {
        tracing::error!(%error, size = head.text.size().0, "cosignatures do not fit into the head's note");
    }
    Some(Cosigned { size: head.text.size(), note: note.ok()? })
}

/// A published note taken apart into what the log signed and the lines of witnesses.
fn split(policy: &Policy, note: &Bytes) -> Option<Collected> {
    let text = text_of(note)?;
    let witnesses = policy.witnesses().iter().enumerate().filter(|(_, witness)| witness.time_key_of().is_none());
    let keys: Vec<_> = witnesses.map(|(place, witness)| (place, witness.vkey())).collect();
    let (mut own, mut lines) = (format!("{text}\n"), BTreeMap::new());
    for line in Note::parse(note).ok()?.signatures() {
        let by = keys.iter().find(|(_, key)| key.name() == line.name() && key.key_hash() == line.key_hash());
        match by {
            Some((place, _)) => _ = lines.insert(*place, line.clone()),
            None => own.push_str(&format!("{line}\n")),
        }
    }
    Some(Collected { text, own: own.into(), lines })
}

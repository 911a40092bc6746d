//! Which lines are there for which head, and which head is shown.
//!
//! Only lines that were verified get here, over heads that this log signed. A head is known by origin, size and root: stamped
//! again with a later time it is the same one, and cosignatures stay good for it.
//!
//! Lines are collected for other heads than the one that is asked for, too: what witnesses cosigned because somebody else
//! submitted it is as good, and a quorum of them on one head counts.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::checkpoint::CheckpointText;
use proto::note::{BadNote, Note, NoteSignature};
use proto::num::TreeSize;
use proto::policy::Policy;

use super::{Cosigned, WithoutQuorum};

/// Other heads whose lines are kept, the largest: more than there are witnesses in most policies, each of which has cosigned
/// one head last; some KB each.
const MAX_OTHERS: usize = 64;

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
    /// Heads that are not asked for, or no longer, by size, none below the last one that met the quorum.
    others: BTreeMap<TreeSize, Collected>,
    /// Whether the quorum was met, for whichever head, since this one is asked for.
    has_moved: bool,
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
        Board { policy, without_quorum, target: None, others: BTreeMap::new(), has_moved: false, met, open: None }
    }

    /// What happens without a quorum.
    pub(super) fn without_quorum(&self) -> WithoutQuorum {
        self.without_quorum
    }

    /// Witnesses are asked for this head of the log from now on.
    pub(super) fn aim(&mut self, own: Bytes) {
        let Some(text) = text_of(&own) else { return };
        let lines = self.lines_of(&text);
        if let Some(before) = self.target.take() {
            self.keep(before);
        }
        self.others.remove(&text.size());
        self.target = Some(Collected { text, own, lines });
        self.has_moved = false;
        self.count();
    }

    /// A verified line of the witness at this place over this head, which the log signed; whether it is of use.
    pub(super) fn add(&mut self, place: usize, head: &Bytes, line: NoteSignature) -> bool {
        let Some(text) = text_of(head) else { return false };
        let mut of_use = false;
        for known in [&mut self.target, &mut self.met, &mut self.open].into_iter().flatten() {
            if known.text.same_head(&text) {
                known.lines.insert(place, line.clone());
                of_use = true;
            }
        }
        if !self.target.as_ref().is_some_and(|target| target.text.same_head(&text)) && text.size() > self.lowest() {
            let size = text.size();
            let mut other = Collected { lines: self.lines_of(&text), text, own: head.clone() };
            other.lines.insert(place, line);
            self.keep(other);
            of_use = self.others.contains_key(&size);
        }
        self.count();
        of_use
    }

    /// The lines that are there for a head.
    fn lines_of(&self, text: &CheckpointText) -> BTreeMap<usize, NoteSignature> {
        let known = [&self.target, &self.met].into_iter().flatten().chain(self.others.get(&text.size()));
        known.filter(|known| known.text.same_head(text)).map(|known| known.lines.clone()).next().unwrap_or_default()
    }

    /// Keeps the lines of a head that is not asked for.
    fn keep(&mut self, head: Collected) {
        if head.text.size() > self.lowest() && !head.lines.is_empty() {
            self.others.insert(head.text.size(), head);
        }
        while self.others.len() > MAX_OTHERS {
            self.others.pop_first();
        }
    }

    /// No smaller head than this one is shown.
    fn lowest(&self) -> TreeSize {
        self.met.as_ref().map_or(TreeSize(0), |met| met.text.size())
    }

    /// Takes the largest head that met the quorum for the one that is shown. A head that is older than that never takes its
    /// place.
    fn count(&mut self) {
        let candidates = self.others.values().chain(&self.target);
        let met = candidates.filter(|head| self.is_met(head) && head.text.size() >= self.lowest());
        // The target is the last of those of one size: its stamp is the newest.
        let Some(met) = met.max_by_key(|head| head.text.size()).cloned() else { return };
        self.has_moved |= met.text.size() > self.lowest();
        self.others.retain(|size, _| *size > met.text.size());
        self.met = Some(met);
    }

    fn is_met(&self, head: &Collected) -> bool {
        self.policy.is_met_by(|place, _| head.lines.contains_key(&place))
    }

    /// Whether the quorum was met since witnesses are asked for this head: for it, or for another than before.
    pub(super) fn has_moved(&self) -> bool {
        self.has_moved || self.is_target_met()
    }

    /// Whether enough witnesses will have cosigned the head that they are asked for if those at these places do.
    pub(super) fn can_be_met(&self, more: impl Fn(usize) -> bool) -> bool {
        let Some(target) = &self.target else { return false };
        self.policy.is_met_by(|place, _| target.lines.contains_key(&place) || more(place))
    }

    /// Whether enough witnesses have cosigned the head that they are asked for.
    pub(super) fn is_target_met(&self) -> bool {
        self.target.as_ref().is_some_and(|target| self.is_met(target))
    }

    /// The log's newest head is shown whatever witnesses say, as open mode has it when they lag behind.
    pub(super) fn show_own(&mut self, own: Bytes) {
        let Some(text) = text_of(&own) else { return };
        let lines = self.lines_of(&text);
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

//! Cosignatures of the witnesses that are known here by their keys, seen under any head of the log: the highest of each is
//! kept, so that a witness that lost its state can be told what it cosigned last.
//!
//! Heads travel without cosignatures (`gossip/head.rs`), since anybody can add lines without end. Here only lines of keys that
//! the operator named count: the peers', those of the trust file, and this monitor's own.

use client::Error;
use client::trust::Trust;
use proto::checkpoint::CheckpointText;
use proto::note::{Note, Verifier, Vkey};
use proto::policy::Checked;

use super::FollowedLog;
use crate::finding::{Class, Finding, code};
use crate::gossip::config::PeerConfig;
use crate::gossip::head::only_of_log;
use crate::store::{Batch, Findings};
use crate::witness::Cosigned;

/// The keys whose cosignatures are kept: of the peers, of the trust file's witnesses, and the own ones. Each once.
///
/// # Errors
/// When a key of a peer is none.
pub fn cosigners(trust: &Trust, peers: &[PeerConfig], own: &[&Vkey]) -> Result<Vec<Verifier>, Error> {
    let peers = peers.iter().map(PeerConfig::key).collect::<Result<Vec<_>, _>>()?;
    let listed = trust.policy().witnesses().iter().filter(|witness| witness.time_key_of().is_none());
    let listed = listed.map(|witness| witness.vkey().clone());
    let all = peers.into_iter().flatten().chain(listed).chain(own.iter().map(|vkey| (*vkey).clone()));
    let mut keys: Vec<Verifier> = Vec::new();
    for vkey in all {
        // One of a type that cannot be checked says nothing here.
        let Ok(verifier) = Verifier::new(&vkey) else { continue };
        if keys.iter().all(|key| *key.vkey() != vkey) {
            keys.push(verifier);
        }
    }
    Ok(keys)
}

impl FollowedLog {
    /// From now on cosignatures under these keys are kept. Said once, at the start.
    pub fn keep_cosignatures_of(&self, keys: Vec<Verifier>) {
        let _first = self.cosigners.set(keys); // what was said first stays
    }

    /// Whether cosignatures under this key are kept.
    pub fn keeps_cosignatures_of(&self, vkey: &Vkey) -> bool {
        self.cosigners.get().is_some_and(|keys| keys.iter().any(|key| key.vkey() == vkey))
    }

    /// Keeps the cosignatures under this head that are of known keys, and makes the file of a witness of the trust file that signed
    /// another history before; gives how many are. `head` is the note, verified.
    ///
    /// # Errors
    /// When they cannot be kept.
    pub fn keep_cosigned(&self, note: &Note, head: &Checked) -> Result<usize, Error> {
        let found = self.lines_under(note, head);
        let (evidence, changes) = self.weigh_lines(&found)?;
        self.tell_lower(&found)?;
        self.store.keep_cosigned(&found, &changes)?;
        self.keep_evidence(evidence, crate::clock::now())?;
        Ok(found.len())
    }

    fn lines_under(&self, note: &Note, head: &Checked) -> Vec<(String, Cosigned)> {
        let keys = self.cosigners.get().map_or(&[][..], Vec::as_slice);
        keys.iter().filter_map(|key| self.cosigned(note, head, key)).collect()
    }

    /// A witness signs nothing smaller later: one that does lost its state, or its key is used twice, and its cosignatures are no
    /// word that there is one history.
    fn tell_lower(&self, found: &[(String, Cosigned)]) -> Result<(), Error> {
        let mut lower = Vec::new();
        for (vkey, new) in found {
            let Some(kept) = self.store.cosigned_by(vkey)?.filter(|kept| is_lower(new, kept)) else { continue };
            let name = vkey.split('+').next().unwrap_or_default();
            let (before, later) = if new.time < kept.time { (new, &kept) } else { (&kept, new) };
            let finding = Finding::new(
                Class::Degraded,
                code::LOWER,
                format!(
                    "the witness {name} cosigned {} entries at {}, and {} entries before that, at {}: it went back, or its key is \
                     used twice",
                    later.size, later.time, before.size, before.time
                ),
            );
            lower.push(finding.named(vkey).with_heads(&[&later.note, &before.note]));
        }
        let known = self.seen().open.clone();
        lower.retain(|finding| known.iter().all(|open| open.finding.id != finding.id));
        if lower.is_empty() {
            return Ok(());
        }
        let findings = Findings::begin(lower);
        self.store.commit_batch(&Batch { findings, ..Batch::default() }, crate::clock::now())?;
        self.look(None)
    }

    fn cosigned(&self, note: &Note, head: &Checked, key: &Verifier) -> Option<(String, Cosigned)> {
        let alone = note.clone().only_signed_by(key.vkey()).ok()?;
        let line = alone.signatures().to_vec();
        let verified = alone.verify(std::slice::from_ref(key)).ok()?;
        let text = CheckpointText::parse(verified.text()).ok().filter(|text| text == head.checkpoint.text())?;
        let time = verified.signature_by(key.vkey())?.time()?;
        let kept = only_of_log(self.config.trust.policy(), self.origin(), note.clone())?.with_signatures(line).ok()?;
        let cosigned = Cosigned { size: text.size(), root: text.root(), time, note: kept.to_bytes() };
        Some((key.vkey().to_string(), cosigned))
    }
}

/// Whether one of these is smaller than what was cosigned before it. By a cosignature's own time: how it came here says nothing of
/// order.
fn is_lower(new: &Cosigned, kept: &Cosigned) -> bool {
    (new.size < kept.size && new.time > kept.time) || (new.size > kept.size && new.time < kept.time)
}

#[cfg(test)]
mod tests {
    use proto::hash::Hash;
    use proto::num::{Seconds, TreeSize};

    use super::*;

    #[test]
    fn a_smaller_head_cosigned_later_is_lower_and_an_old_one_that_comes_late_is_not() {
        let cosigned = |size: u64, time: u64| Cosigned {
            size: TreeSize(size),
            root: Hash::of(&size.to_be_bytes()),
            time: Seconds(time),
            note: Vec::new(),
        };
        let kept = cosigned(8, 200);
        for lower in [cosigned(7, 201), cosigned(9, 199)] {
            assert!(is_lower(&lower, &kept) && is_lower(&kept, &lower), "whichever is seen first: {lower:?}");
        }
        let fine =
            [(7, 200), (7, 100), (8, 300), (8, 100), (9, 300), (9, 200)].map(|(size, time)| cosigned(size, time));
        for fine in fine {
            assert!(!is_lower(&fine, &kept) && !is_lower(&kept, &fine), "{fine:?}");
        }
    }
}

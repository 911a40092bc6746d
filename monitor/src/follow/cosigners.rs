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
use crate::gossip::config::PeerConfig;
use crate::gossip::head::only_of_log;
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

    /// Keeps the cosignatures under this head that are of known keys; gives how many are. `head` is the note, verified.
    ///
    /// # Errors
    /// When they cannot be kept.
    pub fn keep_cosigned(&self, note: &Note, head: &Checked) -> Result<usize, Error> {
        let keys = self.cosigners.get().map_or(&[][..], Vec::as_slice);
        let found: Vec<(String, Cosigned)> = keys.iter().filter_map(|key| self.cosigned(note, head, key)).collect();
        self.store.keep_cosigned(&found)?;
        Ok(found.len())
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

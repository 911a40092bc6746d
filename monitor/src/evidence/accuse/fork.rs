//! Two histories under one key.

use proto::checkpoint::CheckpointText;
use proto::hash::Hash;
use proto::merkle::consistency_proof;
use proto::misbehaviour::{Alternative, CannotAccuse, Misbehaviour};
use proto::note::{Note, Vkey};
use proto::num::TreeSize;

use super::{Made, Why, has_line, note};
use crate::finding::Finding;
use crate::follow::FollowedLog;

impl FollowedLog {
    /// Whoever signed both heads is convicted, each in a file of its own: the log, its time key, witnesses.
    pub(super) fn accuse_of_fork(&self, finding: &Finding, convicted: &[String]) -> Made<Vec<Misbehaviour>> {
        let [small, large] = finding.heads.as_slice() else {
            return Err(Why::Never("the other history has no signed head".to_owned()));
        };
        let (small, large) = (note(small)?, note(large)?);
        let signed_both = |key: &&Vkey| has_line(&small, key) && has_line(&large, key);
        let keys = self.log_keys().chain(self.cosigners()).filter(signed_both);
        let keys: Vec<&Vkey> = keys.filter(|key| !convicted.contains(&key.to_string())).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let tie = self.tie(finding, &small, &large)?;
        let make = |key: &Vkey| -> Result<Misbehaviour, CannotAccuse> {
            match &tie {
                None => Misbehaviour::same_size(self.origin(), key, [&small, &large]),
                Some(tie) => Misbehaviour::inconsistent(self.origin(), key, &small, &large, tie.clone()),
            }
        };
        let made: Vec<Result<Misbehaviour, CannotAccuse>> = keys.into_iter().map(make).collect();
        // A line under a trusted name that does not verify convicts nobody, and keeps nobody else's from being used.
        match made.iter().any(Result::is_ok) {
            true => Ok(made.into_iter().filter_map(Result::ok).collect()),
            false => made.into_iter().map(|made| made.map_err(Why::from)).collect(),
        }
    }

    /// What ties heads of different sizes; nothing between heads of one size.
    fn tie(&self, finding: &Finding, small: &Note, large: &Note) -> Made<Option<Alternative>> {
        let (small, large) = (claimed(small)?, claimed(large)?);
        if small.size() == large.size() {
            return Ok(None);
        }
        let Some(found) = &finding.alternative else {
            return Err(Why::NotYet("no proof ties the two heads yet".to_owned()));
        };
        let hash = |text: &String| Hash::from_base64(text).map_err(|_| Why::Never("a hash is damaged".to_owned()));
        let root = hash(&found.root)?;
        let proof = match found.consistency.is_empty() {
            false => found.consistency.iter().map(hash).collect::<Made<_>>()?,
            true => self.own_tie(small.size(), large.size())?,
        };
        Ok(Some(Alternative { root, proof }))
    }

    /// The proof out of own leaf hashes, once they reach as far as the larger head.
    fn own_tie(&self, small: TreeSize, large: TreeSize) -> Made<Vec<Hash>> {
        let followed = self.store.cursor()?.range.size();
        if large > followed || small == TreeSize(0) {
            return Err(Why::NotYet(format!("the entries up to {large} are not read yet")));
        }
        consistency_proof(&self.store.tree(followed), small, large).map_err(|e| Why::NotYet(e.to_string()))
    }
}

/// What a note of a finding says. Its signatures were verified when it was found, and are again when a file is made.
fn claimed(head: &Note) -> Made<CheckpointText> {
    let bytes = head.to_bytes();
    let text = String::from_utf8_lossy(&bytes);
    let end = text.find("\n\n").map_or(text.len(), |at| at + 1);
    CheckpointText::parse(&text[..end]).map_err(|why| Why::Never(why.to_string()))
}

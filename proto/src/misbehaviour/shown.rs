//! Entries that were proven to be in the tree of a head, and by which rules each of them was taken.

use std::collections::BTreeMap;

use super::ShownEntry;
use super::verify::{Head, NotProven, harmless, not_shown};
use crate::claim::{Body, Claim, ClaimId, ClaimType};
use crate::entry::Entry;
use crate::fold::Submission;
use crate::hash::Hash;
use crate::merkle::verify_inclusion;
use crate::num::LeafIndex;

/// The rules version that this module judges by.
const RULES_1: u32 = 1;

/// An entry and where it is.
pub(super) type At<'a> = (LeafIndex, &'a Entry);

/// One entry of a file.
pub(super) struct One {
    pub(super) entry: Entry,
    /// Hashed once: a file may ask for each of its claims from each of its entries.
    id: ClaimId,
    /// The claim, when it has the form of rules version 1.
    claim: Option<Submission>,
}

/// The entries of a file, all in one tree.
pub(super) struct Shown {
    /// The entry in question, or the first of two.
    first: LeafIndex,
    all: BTreeMap<LeafIndex, One>,
}

impl Shown {
    pub(super) fn under(head: &Head, entries: &[ShownEntry]) -> Result<Shown, NotProven> {
        let Some(first) = entries.first() else { return harmless("there is no entry") };
        let mut all = BTreeMap::new();
        for shown in entries {
            let leaf = Hash::leaf(&shown.entry);
            verify_inclusion(shown.index, head.text.size(), leaf, &shown.proof, &head.text.root())?;
            let entry = Entry::decode(&shown.entry).map_err(|why| NotProven::Entry(shown.index, why))?;
            let claim = Submission::from_entry(&entry).ok();
            let id = ClaimId::of(&entry.payload_type, &entry.payload);
            all.insert(shown.index, One { entry, id, claim });
        }
        Ok(Shown { first: first.index, all })
    }

    /// The entry in question.
    pub(super) fn first(&self) -> Result<At<'_>, NotProven> {
        Ok((self.first, self.entry(self.first)?))
    }

    /// The two entries of a file that has two, in the order of their indices.
    pub(super) fn pair(&self) -> Result<(At<'_>, At<'_>), NotProven> {
        let mut all = self.all.iter().map(|(index, one)| (*index, &one.entry));
        match (all.next(), all.next(), all.next()) {
            (Some(first), Some(second), None) => Ok((first, second)),
            _ => harmless("there are not two entries"),
        }
    }

    /// The indices of the entries besides the one in question, ascending.
    pub(super) fn others(&self) -> impl DoubleEndedIterator<Item = LeafIndex> + '_ {
        self.all.keys().copied().filter(|index| *index != self.first)
    }

    pub(super) fn entry(&self, index: LeafIndex) -> Result<&Entry, NotProven> {
        match self.all.get(&index) {
            Some(one) => Ok(&one.entry),
            None => not_shown(format!("entry {index} is not in the file")),
        }
    }

    /// The claim of an entry as rules version 1 reads it, whichever rules it was taken by: enough to say what it is not,
    /// since a type's name is never given another meaning.
    pub(super) fn claim(&self, index: LeafIndex) -> Result<&Submission, NotProven> {
        self.entry(index)?;
        match self.all.get(&index).and_then(|one| one.claim.as_ref()) {
            Some(claim) => Ok(claim),
            None => not_shown(format!("entry {index} is no claim that rules version 1 can read")),
        }
    }

    /// The constitution by which an entry was taken, on the log's own word: the entry's link, or entry 0 itself. Its
    /// rules version must be 1.
    pub(super) fn constitution_of(&self, index: LeafIndex) -> Result<(LeafIndex, &Claim), NotProven> {
        let at = match self.entry(index)?.links.constitution {
            Some(constitution) if constitution < index => constitution,
            None if index == LeafIndex(0) => index,
            _ => return not_shown(format!("entry {index} links to no constitution before it")),
        };
        let claim = self.claim(at)?.claim();
        match &claim.body {
            Body::Log(body) if body.rules_version == RULES_1 => Ok((at, claim)),
            Body::Log(body) => not_shown(format!("entry {index} was taken by rules version {}", body.rules_version)),
            _ => not_shown(format!("entry {at}, the constitution of entry {index}, is no log/v1 claim")),
        }
    }

    /// The claim of an entry that was taken by rules version 1.
    pub(super) fn under_rules_1(&self, index: LeafIndex) -> Result<&Submission, NotProven> {
        self.constitution_of(index)?;
        self.claim(index)
    }

    /// Where the claim with this id is, among the entries of the file.
    pub(super) fn find(&self, id: &ClaimId) -> Option<LeafIndex> {
        self.all.iter().find(|(_, one)| one.id == *id).map(|(index, _)| *index)
    }

    /// Whether an entry that was taken by rules version 1 is a registry entry of this issuer.
    pub(super) fn is_registry_of(&self, index: LeafIndex, issuer: &str) -> Result<bool, NotProven> {
        let claim = self.under_rules_1(index)?.claim();
        Ok(claim.claim_type == ClaimType::Issuer && claim.issuer.as_str() == issuer)
    }
}

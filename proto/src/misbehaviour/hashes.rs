//! Two histories under one key, shown by hashes alone.

use super::verify::{Head, NotProven, harmless};
use super::{Alternative, ShownLeaf};
use crate::merkle::{verify_consistency, verify_inclusion};

/// One size, two roots.
pub(super) fn same_size(a: &Head, b: &Head) -> Result<String, NotProven> {
    let (a, b) = (&a.text, &b.text);
    if a.size() != b.size() {
        return harmless(format!("the heads have {} and {} entries", a.size(), b.size()));
    }
    if a.root() == b.root() {
        return harmless("both heads have the same root");
    }
    let (one, other) = (a.root().to_base64(), b.root().to_base64());
    Ok(format!("two signed heads of {} entries have the roots {one} and {other}", a.size()))
}

/// The larger tree has another root at the smaller size than the one that was signed. The proof must hold: it ties the
/// other root to the larger head, and no tree has two roots at one size.
pub(super) fn inconsistent(small: &Head, large: &Head, found: Option<&Alternative>) -> Result<String, NotProven> {
    let Some(found) = found else { return harmless("there is no other root at the smaller size") };
    let (small, large) = (&small.text, &large.text);
    if small.size() >= large.size() {
        return harmless("the first head must be the smaller one");
    }
    if small.root() == found.root {
        return harmless("the root at the smaller size is the signed one: the heads are consistent");
    }
    verify_consistency(small.size(), large.size(), &found.root, &large.root(), &found.proof)?;
    let (signed, other) = (small.root().to_base64(), found.root.to_base64());
    Ok(format!(
        "the signed head of {} entries has the root {signed}, but the tree of the signed head of {} entries begins with {} \
         entries of the root {other}",
        small.size(),
        large.size(),
        small.size()
    ))
}

/// Two leaf hashes at one index, each in the tree of its own signed head. An index and a size give the exact length of
/// a proof, so that nothing but a leaf can stand at its beginning.
pub(super) fn two_entries(heads: [&Head; 2], leaves: &[ShownLeaf]) -> Result<String, NotProven> {
    let [a, b] = leaves else { return harmless("there are not two leaves") };
    if a.index != b.index {
        return harmless(format!("the leaves stand at the indices {} and {}", a.index, b.index));
    }
    if a.leaf == b.leaf {
        return harmless("both leaves are the same");
    }
    for (head, shown) in heads.iter().zip(leaves) {
        verify_inclusion(shown.index, head.text.size(), shown.leaf, &shown.proof, &head.text.root())?;
    }
    let sizes = (heads[0].text.size(), heads[1].text.size());
    let (one, other) = (a.leaf.to_base64(), b.leaf.to_base64());
    Ok(format!(
        "at index {} the tree of the signed head of {} entries has the leaf {one}, that of {} entries the leaf {other}",
        a.index, sizes.0, sizes.1
    ))
}

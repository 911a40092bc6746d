//! Whether a claim is current, now or at an earlier size.
//!
//! The state knows it for the newest tree. For an earlier one, or when the state is ahead of what is shown, the claims are
//! folded again, up to that size, by the same rules: a product's rows, or one slot's entries along their links.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use super::time::entry_at;
use super::{Direction, QueryError, Reader, Result};
use crate::claim::{Claim, ClaimId, ProductKey, RelKind};
use crate::fold::{RowPrefix, TrailItem, read};
use crate::hash::Hash;
use crate::num::{LeafIndex, TreeSize};

/// Rows of one product that are folded at most for one answer: about a tenth of a second. A product with more claims is
/// answered without what is current, and says so.
pub const MAX_FOLDED_ROWS: usize = 100_000;

/// Entries that are walked at most for one answer, of all its slots together, for the same reason. What is beyond is
/// answered without a standing.
pub const MAX_WALKED_ENTRIES: usize = 10_000;

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// It is the head of its slot with the highest index: what its issuer says now.
    pub current: bool,
    /// Nobody replaced or withdrew it.
    pub head: bool,
    /// It was withdrawn.
    pub withdrawn: bool,
    /// Its slot has several heads: two successors of one claim, or two new claims.
    pub contested: bool,
}

/// One product's slots at some size.
#[derive(Debug, Clone, Default)]
pub struct Slots {
    claims: HashMap<[u8; 32], Folded>,
    slots: HashMap<u64, SlotHeads>,
}

#[derive(Debug, Clone, Copy)]
struct Folded {
    index: LeafIndex,
    slot: Option<u64>,
    head: bool,
    withdrawn: bool,
}

#[derive(Debug, Clone, Default)]
struct SlotHeads {
    /// Ascending; a set, so that leaving is cheap in a slot with very many heads.
    heads: BTreeSet<LeafIndex>,
}

impl Slots {
    /// Folds the product's rows below `size`; `None` when there are more than [`MAX_FOLDED_ROWS`].
    pub fn at<R: Reader>(reader: &R, product: &ProductKey, size: TreeSize) -> Result<Option<Slots>, R> {
        let prefix = RowPrefix::trail(&product.manufacturer, &product.model_normalised);
        let mut slots = Slots::default();
        let (mut rows, mut corrupt) = (0, None);
        let scanned = reader.scan(prefix.as_bytes(), None, Direction::Forward, &mut |key, value| {
            match (prefix.index_of(key), TrailItem::decode(value)) {
                (Some(index), _) if !index.is_in(size) => return ControlFlow::Break(()),
                (Some(index), Some(item)) if rows < MAX_FOLDED_ROWS => {
                    slots.apply(index, item.id, RelKind::parse(&item.rel), item.target, item.slot);
                }
                (Some(_), Some(_)) => {}
                _ => {
                    corrupt = Some(format!("the row {}", hex::encode(key)));
                    return ControlFlow::Break(());
                }
            }
            rows += 1;
            if rows > MAX_FOLDED_ROWS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        scanned.map_err(QueryError::Read)?;
        match corrupt {
            Some(what) => Err(QueryError::Corrupt(what)),
            None => Ok((rows <= MAX_FOLDED_ROWS).then_some(slots)),
        }
    }

    fn apply(
        &mut self,
        index: LeafIndex,
        id: [u8; 32],
        kind: Option<RelKind>,
        target: Option<[u8; 32]>,
        slot: Option<u64>,
    ) {
        if let (Some(target), Some(slot), Some(kind)) = (target, slot, kind)
            && (kind.replaces() || kind == RelKind::Withdraw)
        {
            self.leave(&target, slot, kind == RelKind::Withdraw);
        }
        let about_target = kind.is_some_and(RelKind::is_about_target);
        let head = !about_target && slot.is_some();
        if let (true, Some(slot)) = (head, slot) {
            self.slots.entry(slot).or_default().heads.insert(index);
        }
        self.claims.insert(id, Folded { index, slot, head, withdrawn: false });
    }

    fn leave(&mut self, target: &[u8; 32], slot: u64, withdrawn: bool) {
        let Some(claim) = self.claims.get_mut(target) else { return };
        claim.withdrawn |= withdrawn;
        if std::mem::take(&mut claim.head) {
            let index = claim.index;
            if let Some(slot) = self.slots.get_mut(&slot) {
                slot.heads.remove(&index);
            }
        }
    }

    /// What became of a claim about this product.
    pub fn standing(&self, id: &ClaimId) -> Option<Standing> {
        let claim = self.claims.get(&id.0.0)?;
        let heads = claim.slot.and_then(|slot| self.slots.get(&slot)).map(|slot| &slot.heads);
        Some(Standing {
            current: claim.head && heads.and_then(BTreeSet::last) == Some(&claim.index),
            head: claim.head,
            withdrawn: claim.withdrawn,
            contested: heads.is_some_and(|heads| heads.len() > 1),
        })
    }

    /// The current claim of each slot that has one, descending by index.
    pub fn current(&self) -> Vec<LeafIndex> {
        let mut current: Vec<LeafIndex> = self.slots.values().filter_map(|slot| slot.heads.last().copied()).collect();
        current.sort_unstable_by(|a, b| b.cmp(a));
        current
    }
}

/// What became of claims in the tree of one size, for one answer: from the state where it tells, else by folding a slot's
/// entries, each slot once and all of them within [`MAX_WALKED_ENTRIES`].
#[derive(Debug)]
pub struct Standings {
    size: TreeSize,
    /// Slots that were folded, by their first entry; `None`: one with too many entries.
    folded: HashMap<u64, Option<Slots>>,
    /// Entries that may still be walked.
    left: usize,
}

impl Standings {
    /// In the tree of `size` entries.
    pub fn at(size: TreeSize) -> Standings {
        Standings::walking(size, MAX_WALKED_ENTRIES)
    }

    /// The same with another bound than [`MAX_WALKED_ENTRIES`].
    pub fn walking(size: TreeSize, entries: usize) -> Standings {
        Standings { size, folded: HashMap::new(), left: entries }
    }

    /// What became of one claim; `None` when too many entries would have to be walked.
    pub fn of<R: Reader>(&mut self, reader: &R, id: &ClaimId) -> Result<Option<Standing>, R> {
        let Some(record) = read::claim(reader, id)? else { return Ok(None) };
        // The claim before its slot: when the slot has not moved beyond `size` after the claim was read, then neither had
        // the claim.
        let Some(first) = record.slot else { return Ok(Some(Standing::default())) };
        let slot = read::slot(reader, first)?.ok_or_else(|| QueryError::Corrupt(format!("slot {first}")))?;
        if slot.last < self.size.0 {
            let current = slot.current.is_some_and(|current| ClaimId(Hash(current)) == *id);
            let contested = slot.heads > 1;
            return Ok(Some(Standing { current, head: record.head, withdrawn: record.withdrawn, contested }));
        }
        if !self.folded.contains_key(&first) {
            let slots = walk(reader, first, LeafIndex(slot.last), self.size, &mut self.left)?;
            self.folded.insert(first, slots);
        }
        Ok(self.folded.get(&first).and_then(Option::as_ref).and_then(|slots| slots.standing(id)))
    }
}

/// What folding needs of an entry; the entries themselves may be large.
struct Walked {
    index: LeafIndex,
    id: [u8; 32],
    kind: RelKind,
    target: Option<[u8; 32]>,
}

/// Folds the entries of one slot below `size`, found backward along their links from the last one, as long as entries may
/// be walked.
fn walk<R: Reader>(
    reader: &R,
    first: u64,
    last: LeafIndex,
    size: TreeSize,
    left: &mut usize,
) -> Result<Option<Slots>, R> {
    let mut chain = Vec::new();
    let mut next = Some(last);
    while let Some(index) = next {
        let Some(rest) = left.checked_sub(1) else { return Ok(None) };
        *left = rest;
        let entry = entry_at(reader, index)?;
        next = entry.links.previous.filter(|previous| previous.0 >= first && *previous < index);
        if index.is_in(size) {
            let corrupt = |error| QueryError::Corrupt(format!("entry {index}: {error}"));
            let claim = Claim::parse(&entry.payload).map_err(corrupt)?;
            let id = ClaimId::of(&entry.payload_type, &entry.payload).0.0;
            let target = claim.rel.target.as_ref().map(|target| target.id.0.0);
            chain.push(Walked { index, id, kind: claim.rel.kind, target });
        }
    }
    let mut slots = Slots::default();
    for Walked { index, id, kind, target } in chain.into_iter().rev() {
        slots.apply(index, id, Some(kind), target, Some(first));
    }
    Ok(Some(slots))
}

//! Which nodes a tree has, and how a reader gives them.

use crate::hash::Hash;

/// Gives the hashes of complete subtrees.
///
/// Node `(level, index)` is the hash of the 2^level entries from `index << level` on. Only nodes whose entries all
/// exist are ever asked for, and the answer for a node never changes, whatever the tree grows to. Callers may ask for
/// the same node again.
pub trait NodeReader {
    /// Why a node could not be given.
    type Error;

    /// The hash of the complete subtree over the entries `[index << level, (index + 1) << level)`; level 0 is the leaf
    /// hash of entry `index`. Levels are at most 62.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

impl<R: NodeReader + ?Sized> NodeReader for &R {
    type Error = R::Error;

    fn node(&self, level: u8, index: u64) -> Result<Hash, R::Error> {
        (**self).node(level, index)
    }
}

/// On which side of the path a sibling stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// A subtree that hangs off the path from a node up to the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sibling {
    pub(super) side: Side,
    /// The first entry below it.
    pub(super) start: u64,
    /// One past the last entry below it; only the rightmost subtree of the tree is cut short by the tree's size.
    pub(super) end: u64,
}

/// The siblings on the way from the node at `level` above entry `leaf` to the root of a tree of `size` entries, from
/// the bottom upward (RFC 6962 §2.1.1). A level at which the path has no sibling, as at the right edge, is left out.
///
/// This is the one place that says which hashes a proof has and on which side they go; provers and verifiers share it.
/// Needs `leaf < size <= MAX_TREE_SIZE`.
pub(super) fn siblings(leaf: u64, size: u64, level: u8) -> impl Iterator<Item = Sibling> + Clone {
    let last = size.saturating_sub(1);
    (level..63).take_while(move |level| last >> level != 0).filter_map(move |level| {
        let index = (leaf >> level) ^ 1;
        let start = index << level;
        let side = if index & 1 == 0 { Side::Left } else { Side::Right };
        // Below 2^63 + 2^62, so the sum cannot overflow.
        let end = (start + (1 << level)).min(size);
        (start < size).then_some(Sibling { side, start, end })
    })
}

/// The complete nodes whose hashes, folded, give the hash of the entries `[start, end)`: `(level, index)` from the right
/// to the left, smallest first. `start` must be a multiple of the smallest power of two not below `end - start`.
pub(super) fn cover(start: u64, end: u64) -> impl Iterator<Item = (u8, u64)> {
    let entries = end - start;
    (0u8..64).filter(move |level| (entries >> level) & 1 == 1).scan(end, |end, level| {
        *end -= 1 << level;
        Some((level, *end >> level))
    })
}

/// The hash of the entries `[start, end)`, under the same condition as [`cover`]; the empty root for no entries.
pub(super) fn hash_of<R: NodeReader>(reader: &R, start: u64, end: u64) -> Result<Hash, R::Error> {
    let mut right: Option<Hash> = None;
    for (level, index) in cover(start, end) {
        let left = reader.node(level, index)?;
        right = Some(match right {
            None => left,
            Some(right) => Hash::node(&left, &right),
        });
    }
    Ok(right.unwrap_or(Hash::EMPTY_ROOT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::MAX_TREE_SIZE;

    #[test]
    fn a_cover_is_read_from_the_right() {
        assert_eq!(cover(0, 0).count(), 0);
        assert_eq!(cover(0, 8).collect::<Vec<_>>(), [(3, 0)]);
        assert_eq!(cover(0, 7).collect::<Vec<_>>(), [(0, 6), (1, 2), (2, 0)]);
        assert_eq!(cover(16, 21).collect::<Vec<_>>(), [(0, 20), (2, 4)]);
        assert_eq!(cover(0, MAX_TREE_SIZE).count(), 63);
    }

    #[test]
    fn siblings_stop_at_the_right_edge() {
        let of = |leaf, size| siblings(leaf, size, 0).map(|s| (s.side, s.start, s.end)).collect::<Vec<_>>();
        assert_eq!(of(0, 1), []);
        assert_eq!(of(2, 3), [(Side::Left, 0, 2)]);
        assert_eq!(of(0, 7), [(Side::Right, 1, 2), (Side::Right, 2, 4), (Side::Right, 4, 7)]);
        assert_eq!(of(6, 7), [(Side::Left, 4, 6), (Side::Left, 0, 4)]);
        assert_eq!(of(MAX_TREE_SIZE - 1, MAX_TREE_SIZE).len(), 62);
        assert_eq!(of(0, MAX_TREE_SIZE).len(), 63);
    }

    /// The count in closed form: levels below the fork of the path and the right edge, then left siblings above it.
    #[test]
    fn siblings_are_as_many_as_the_closed_form_says() {
        let sizes = (1..200).chain([1 << 20, (1 << 40) + 12345, MAX_TREE_SIZE]);
        for size in sizes {
            for leaf in (0..size.min(200)).chain(size.saturating_sub(3)..size) {
                let inner = 64 - (leaf ^ (size - 1)).leading_zeros();
                let border = (leaf >> inner).count_ones();
                assert_eq!(siblings(leaf, size, 0).count(), (inner + border) as usize, "{leaf} in {size}");
            }
        }
    }
}

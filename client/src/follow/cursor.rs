//! How far a follower is.

use proto::code::Refused;
use proto::hash::Hash;
use proto::merkle::CompactRange;
use proto::num::{LeafIndex, TreeSize};

/// How far the tree is, and how far the rules.
#[derive(Debug, Clone, Default)]
pub struct Cursor {
    /// The entries that were hashed.
    pub range: CompactRange,
    /// The entries that the rules were run over; never more than were hashed.
    pub folded: TreeSize,
    /// Why the rules are not run further.
    pub stopped: Option<Stopped>,
}

/// Why the rules are not run over an entry.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stopped {
    /// The entry.
    pub index: u64,
    /// The rule that it breaks; absent when the log applies rules that this program does not know.
    pub code: Option<String>,
    /// In words.
    pub message: String,
}

impl Stopped {
    /// The entry breaks a rule.
    pub(super) fn broken(index: LeafIndex, refused: &Refused) -> Stopped {
        Stopped { index: index.0, code: Some(refused.code.to_string()), message: refused.message.clone() }
    }

    /// The log is not wrong, this program is too old.
    pub(super) fn unknown_rules(index: LeafIndex, version: u32) -> Stopped {
        let message = format!(
            "the log applies rules version {version} from entry {index} on; this program knows up to {}: update it",
            proto::fold::RULES_VERSION
        );
        Stopped { index: index.0, code: None, message }
    }
}

impl Cursor {
    /// At this size, with all rules run.
    pub fn at(range: CompactRange) -> Cursor {
        Cursor { folded: range.size(), range, stopped: None }
    }

    /// The entries that need not be read again.
    pub fn next_read(&self) -> TreeSize {
        if self.stopped.is_some() { self.range.size() } else { self.folded.min(self.range.size()) }
    }
}

/// A compact range as bytes: its size, then its hashes.
pub fn encode_range(range: &CompactRange) -> Vec<u8> {
    let hashes = range.hashes().iter().flat_map(|hash| hash.0);
    range.size().0.to_be_bytes().into_iter().chain(hashes).collect()
}

/// Reads what [`encode_range`] wrote.
pub fn decode_range(bytes: &[u8]) -> Option<CompactRange> {
    let (size, hashes) = bytes.split_at_checked(8)?;
    let size = TreeSize(u64::from_be_bytes(size.try_into().ok()?));
    let hashes = hashes.chunks(32).map(Hash::from_slice).collect::<Option<Vec<_>>>()?;
    CompactRange::from_parts(size, hashes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_read_back_and_damage_is_seen() {
        let mut range = CompactRange::new();
        (0..7u8).for_each(|i| _ = range.append(Hash::leaf(&[i])));
        let bytes = encode_range(&range);
        assert_eq!(decode_range(&bytes).map(|read| (read.size(), read.root())), Some((range.size(), range.root())));
        assert!(decode_range(&bytes[..bytes.len() - 1]).is_none() && decode_range(&[]).is_none());
    }

    #[test]
    fn stopped_rules_do_not_hold_the_tree_back() {
        let mut cursor = Cursor::default();
        (0..7u8).for_each(|i| _ = cursor.range.append(Hash::leaf(&[i])));
        cursor.folded = TreeSize(3);
        assert_eq!(cursor.next_read(), TreeSize(3), "rules that are to be run again read again");
        cursor.stopped = Some(Stopped::unknown_rules(LeafIndex(3), 9));
        assert_eq!(cursor.next_read(), TreeSize(7));
    }
}

//! Column families and keys.
//!
//! | family | key | value |
//! |---|---|---|
//! | `entries` | leaf index, u64be | the entry's bytes |
//! | `tiles` | tile level u8, index of the first hash in its level u64be | a run's hashes, 32 bytes each |
//! | `state`, `rows` | as the fold gives them | as the fold gives them |
//! | `heads` | time u64be, size u64be | the signed note |
//! | `reports` | as given | as given |
//! | `meta` | see the constants | |
//!
//! Tiles are kept as the runs in which their hashes arrived: nothing is written twice, and there is no file per tile.

use proto::num::{Seconds, TreeSize};

use crate::store::types::{HeadKey, TILE_WIDTH, be64};

/// The entries.
pub(super) const ENTRIES: &str = "entries";
/// The runs of tile hashes.
pub(super) const TILES: &str = "tiles";
/// What the fold reads.
pub(super) const STATE: &str = "state";
/// What readers scan.
pub(super) const ROWS: &str = "rows";
/// Signed heads.
pub(super) const HEADS: &str = "heads";
/// Fork reports.
pub(super) const REPORTS: &str = "reports";
/// The committed head and what the store knows of itself.
pub(super) const META: &str = "meta";

/// All families but `default`, which stays empty.
pub(super) const FAMILIES: [&str; 7] = [ENTRIES, TILES, STATE, ROWS, HEADS, REPORTS, META];

/// In `meta`: the committed [`Head`](crate::store::Head).
pub(super) const META_HEAD: &[u8] = b"head";
/// In `meta`: the log's origin, compared with the folder's label.
pub(super) const META_ORIGIN: &[u8] = b"origin";
/// In `meta`: u64be, the next entry of a rebuild; absent when none runs.
pub(super) const META_REBUILD: &[u8] = b"rebuild";
/// In `meta`: u64be seconds, signed heads before it are thinned.
pub(super) const META_THINNED: &[u8] = b"thinned";

/// The key of a tile run.
pub(super) fn tile_key(level: u8, first: u64) -> [u8; 9] {
    let mut key = [level; 9];
    key[1..].copy_from_slice(&first.to_be_bytes());
    key
}

/// Where the runs of a tile end: the key after its last possible run.
pub(super) fn tile_end(level: u8, index: u64) -> [u8; 9] {
    match index.checked_add(1).and_then(|next| next.checked_mul(TILE_WIDTH)) {
        Some(first) => tile_key(level, first),
        None => tile_key(level.saturating_add(1), 0),
    }
}

/// The first index of a run, from its key.
pub(super) fn run_first(key: &[u8]) -> Option<u64> {
    key.get(1..).and_then(be64)
}

/// The key of a signed head.
pub(super) fn head_key(key: HeadKey) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&key.time.0.to_be_bytes());
    bytes[8..].copy_from_slice(&key.size.0.to_be_bytes());
    bytes
}

/// Reads what [`head_key`] wrote.
pub(super) fn parse_head_key(bytes: &[u8]) -> Option<HeadKey> {
    let (time, size) = bytes.split_at_checked(8)?;
    Some(HeadKey { time: Seconds(be64(time)?), size: TreeSize(be64(size)?) })
}

/// The lowest key above every key that starts with `prefix`; `None` if there is none.
pub(super) fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_what_they_name() {
        assert!(tile_key(0, 255) < tile_key(0, 256));
        assert!(tile_key(0, u64::MAX) < tile_key(1, 0));
        assert_eq!(tile_end(0, 0), tile_key(0, 256));
        assert_eq!(tile_end(3, u64::MAX / 256), tile_key(4, 0));
        let key = HeadKey { time: Seconds(7), size: TreeSize(300) };
        assert_eq!(parse_head_key(&head_key(key)), Some(key));
        assert!(head_key(key) < head_key(HeadKey { time: Seconds(256), size: TreeSize(0) }));
        assert_eq!(parse_head_key(b"short"), None);
    }

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        assert_eq!(prefix_end(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(prefix_end(&[1, 0xff, 0xff]), Some(vec![2]));
        assert_eq!(prefix_end(&[0xff]), None);
        assert_eq!(prefix_end(b""), None);
    }
}

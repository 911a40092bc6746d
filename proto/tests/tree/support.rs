//! Shared by the tests of the tree: known trees, the recursive definition, vectors, and tiles in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use proto::hash::Hash;
use proto::merkle::{MemoryTree, NodeReader};
use proto::num::TreeSize;
use proto::tile::{TILE_HEIGHT, TileId, TileReader};
use serde_json::Value;

/// The vectors of one file. `None`, said on the screen, when there are none here; in CI that is a failure.
pub(crate) fn vectors(name: &str) -> Option<Value> {
    let Some(data) = std::env::var_os("CLAIMTRAIL_DATA") else {
        skipped("CLAIMTRAIL_DATA not set");
        return None;
    };
    let path = PathBuf::from(data).join("../vectors").join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(serde_json::from_str(&text).expect("vectors are JSON")),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "{}: {error}", path.display());
            skipped(&format!("{}: {error}", path.display()));
            None
        }
    }
}

/// Says that a test did not run, on standard error itself: what `eprintln!` writes is hidden when the test passes.
fn skipped(why: &str) {
    // Whether anybody reads standard error is no reason to fail.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(text(value)).expect("hex")
}

/// A hash in hex. Some refused cases have texts of other lengths in the place of a hash, which no [`Hash`] can hold; one
/// derived from the text takes its place, so that equal ones stay equal and others differ.
pub(crate) fn hash(value: &Value) -> Hash {
    let bytes = bytes(value);
    Hash::from_slice(&bytes).unwrap_or_else(|| Hash::of(&bytes))
}

pub(crate) fn hashes(value: &Value) -> Vec<Hash> {
    list(value).iter().map(hash).collect()
}

/// Leaf hashes of different entries of different lengths.
pub(crate) fn leaves(count: usize) -> Vec<Hash> {
    entries(count).iter().map(|entry| Hash::leaf(entry)).collect()
}

/// Different entries; the first is empty, the others are their number and up to three dots.
pub(crate) fn entries(count: usize) -> Vec<Vec<u8>> {
    let entry = |i: usize| if i == 0 { Vec::new() } else { format!("{i}{}", ".".repeat(i % 4)).into_bytes() };
    (0..count).map(entry).collect()
}

pub(crate) fn tree(leaves: &[Hash]) -> MemoryTree {
    leaves.iter().copied().collect()
}

/// The largest power of two strictly below `n`, for `n` above 1 (RFC 6962 §2.1).
fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}

/// The definition of the root, word for word.
pub(crate) fn defined_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            Hash::node(&defined_root(left), &defined_root(right))
        }
    }
}

/// The definition of the inclusion proof (RFC 6962 §2.1.1).
pub(crate) fn defined_inclusion(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, other) =
        if index < k { (defined_inclusion(index, left), right) } else { (defined_inclusion(index - k, right), left) };
    proof.push(defined_root(other));
    proof
}

/// The definition of the consistency proof (RFC 6962 §2.1.2); `whole` is true at the outset.
pub(crate) fn defined_consistency(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![defined_root(leaves)] };
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, other) = if old <= k {
        (defined_consistency(old, left, whole), right)
    } else {
        (defined_consistency(old - k, right, false), left)
    };
    proof.push(defined_root(other));
    proof
}

/// Tiles cut from a tree in memory, as a log of that size serves them; remembers what was asked for.
pub(crate) struct Tiles {
    nodes: MemoryTree,
    size: TreeSize,
    /// Bytes that are served in the place of the right ones.
    pub(crate) forged: BTreeMap<TileId, Vec<u8>>,
    pub(crate) asked: RefCell<Vec<TileId>>,
}

impl Tiles {
    pub(crate) fn new(leaves: &[Hash]) -> Tiles {
        let nodes = tree(leaves);
        let size = nodes.size();
        Tiles { nodes, size, forged: BTreeMap::new(), asked: RefCell::default() }
    }

    /// The right bytes of a tile.
    pub(crate) fn honest(&self, id: TileId) -> Option<Vec<u8>> {
        let widest = TileId::at(id.level(), id.index(), self.size)?;
        if id.width() > widest.width() {
            return None;
        }
        let first = id.index() << TILE_HEIGHT;
        let hashes = (first..first + u64::from(id.width())).map(|index| self.nodes.node(id.level() * 8, index));
        let bytes = hashes.map(|hash| hash.expect("the tile is in the tree").0).collect::<Vec<_>>();
        Some(bytes.concat())
    }
}

impl TileReader for Tiles {
    type Error = &'static str;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, &'static str> {
        self.asked.borrow_mut().push(id);
        self.forged.get(&id).cloned().or_else(|| self.honest(id)).ok_or("no such tile")
    }
}

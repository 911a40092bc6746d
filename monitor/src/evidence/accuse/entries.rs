//! Entries with their places in a signed tree: bytes out of the mirror or from the log, held against own leaf hashes; proofs out
//! of own leaf hashes under the newest head that was followed.

use std::cell::RefCell;
use std::collections::BTreeMap;

use client::follow::BUNDLE;
use proto::entry::Entry;
use proto::hash::Hash;
use proto::merkle::{NodeReader as _, inclusion_proof};
use proto::misbehaviour::ShownEntry;
use proto::note::Note;
use proto::num::{LeafIndex, TreeSize};
use proto::tile::{Bundle, BundleId, TileTree};

use super::{Made, Reach, Why};
use crate::follow::FollowedLog;
use crate::store::StoredTiles;

/// Bundles that are kept while one file is made. Each has 256 entries, and links mostly lead to the same few.
const MOST_BUNDLES: usize = 8;

/// Entries for one file.
pub(super) struct Entries<'a> {
    log: &'a FollowedLog,
    reach: Reach,
    head: Note,
    size: TreeSize,
    /// Whether no newer head was taken, whose entries are still to come.
    is_newest: bool,
    tree: TileTree<StoredTiles<'a>>,
    bundles: RefCell<BTreeMap<u64, Vec<Vec<u8>>>>,
}

impl<'a> Entries<'a> {
    /// Under the newest head of which all entries were read.
    pub(super) fn open(log: &'a FollowedLog, reach: Reach) -> Made<Entries<'a>> {
        let followed = log.store.cursor()?.range.size();
        let newest = log.newest()?.ok_or_else(|| Why::NotYet("no head was followed yet".to_owned()))?;
        let newest_size = newest.checkpoint.size();
        let not_read = || Why::NotYet(format!("the entries up to {newest_size} are not read yet"));
        let read = log.read_head()?.ok_or_else(not_read)?;
        let (size, is_newest) = (read.checkpoint.size(), read.checkpoint.size() == newest_size);
        let head = Note::parse(&read.checkpoint.to_bytes()).map_err(|why| Why::Never(why.to_string()))?;
        let tree = log.store.tree(followed);
        Ok(Entries { log, reach, head, size, is_newest, tree, bundles: RefCell::default() })
    }

    /// The head under which they are shown.
    pub(super) fn head(&self) -> &Note {
        &self.head
    }

    /// An entry with the proof of its place.
    pub(super) fn shown(&self, index: LeafIndex) -> Made<ShownEntry> {
        let entry = self.bytes(index)?;
        let proof = inclusion_proof(&self.tree, index, self.size).map_err(|e| Why::NotYet(e.to_string()))?;
        Ok(ShownEntry { index, entry, proof })
    }

    /// An entry that can be read; nothing for one that cannot, or is not to be had.
    pub(super) fn entry(&self, index: LeafIndex) -> Option<Entry> {
        Entry::decode(&self.bytes(index).ok()?).ok()
    }

    /// The bytes whose leaf hash is the one that was followed.
    pub(super) fn bytes(&self, index: LeafIndex) -> Made<Vec<u8>> {
        if !index.is_in(self.size) && !self.is_newest {
            return Err(Why::NotYet(format!("entry {index} is under a head whose entries are not all read yet")));
        }
        if !index.is_in(self.size) {
            return Err(Why::Never(format!("entry {index} is not under the newest head")));
        }
        let leaf = self.tree.node(0, index.0).map_err(|e| Why::NotYet(e.to_string()))?;
        let bytes = self.served(index)?;
        match Hash::leaf(&bytes) == leaf {
            true => Ok(bytes),
            false => Err(Why::NotYet(format!("the log serves another entry {index} now"))),
        }
    }

    fn served(&self, index: LeafIndex) -> Made<Vec<u8>> {
        let bundle = index.0 / BUNDLE;
        let mut bundles = self.bundles.borrow_mut();
        if !bundles.contains_key(&bundle) {
            if bundles.len() >= MOST_BUNDLES {
                bundles.clear();
            }
            bundles.insert(bundle, self.bundle(bundle)?);
        }
        let place = usize::try_from(index.0 % BUNDLE).unwrap_or(usize::MAX);
        let entry = bundles.get(&bundle).and_then(|entries| entries.get(place));
        entry.cloned().ok_or_else(|| Why::NotYet(format!("entry {index} is not served any more")))
    }

    fn bundle(&self, bundle: u64) -> Made<Vec<Vec<u8>>> {
        let id = BundleId::at(bundle, self.size).ok_or_else(|| Why::Never(format!("there is no bundle {bundle}")))?;
        if let Some(bytes) = self.log.store.bundle_bytes(id)? {
            let kept = Bundle::parse(&bytes, id.width()).map_err(|e| Why::NotYet(e.to_string()))?;
            return Ok(kept.entries().iter().map(|entry| entry.to_vec()).collect());
        }
        match self.reach {
            Reach::Log => Ok(self.log.tiles().bundle(bundle, self.size)?),
            Reach::Kept => Err(Why::NotYet("an entry is not mirrored here, and must be asked of the log".to_owned())),
        }
    }
}

//! Threads that fetch bundles, hash them again and check their signatures.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use proto::code::{Code, Refused};
use proto::entry::{Entry, Links};
use proto::fold::{Checked, Stop, Submission, check_signatures_by};
use proto::hash::Hash;
use proto::num::{LeafIndex, Millis};
use proto::tile::{BundleId, TileId};

use super::state::Keys;
use super::{BUNDLE, Kv, times};
use crate::error::{Error, ErrorKind};
use crate::tiles::{HttpTiles, HttpTree, tree_error};

/// Bundles that one thread may be ahead of the fold.
const AHEAD: usize = 2;

/// A bundle that was read.
pub(super) struct Read {
    /// Which.
    pub(super) bundle: u64,
    /// Its entries.
    pub(super) entries: Vec<Ready>,
    /// Their times.
    pub(super) times: Vec<Millis>,
    /// Their bytes; empty unless they are wanted.
    pub(super) bytes: Vec<Vec<u8>>,
}

/// An entry whose leaf hash is the signed tree's.
pub(super) struct Ready {
    pub(super) index: LeafIndex,
    pub(super) leaf: Hash,
    pub(super) timestamp: Millis,
    pub(super) links: Links,
    pub(super) checked: Result<Checked, Unchecked>,
}

/// Why the signatures of an entry are not checked.
pub(super) enum Unchecked {
    /// A key is not on disk yet; the fold looks again.
    KeyNotSeen(Box<Submission>),
    /// The entry breaks a rule.
    Refused(Refused),
}

/// The threads' common work.
pub(super) struct Workers<'a, K> {
    pub(super) tiles: HttpTiles,
    pub(super) tree: Arc<HttpTree>,
    pub(super) keys: &'a Keys<'a, K>,
    /// The first bundle.
    pub(super) first: u64,
    /// The end of the bundles.
    pub(super) bundles: u64,
    /// Whether the bytes of the entries are wanted.
    pub(super) keep_entries: bool,
}

impl<K: Kv> Workers<'_, K> {
    /// Gives every bundle in order to `each`, until it says `false` or fails.
    pub(super) fn run(&self, threads: usize, mut each: impl FnMut(Read) -> Result<bool, Error>) -> Result<(), Error> {
        let threads = u64::try_from(threads.clamp(1, 64)).unwrap_or(1);
        std::thread::scope(|scope| {
            let mut outlets = Vec::new();
            for thread in 0..threads {
                let (send, receive) = sync_channel(AHEAD);
                outlets.push(receive);
                scope.spawn(move || {
                    let mut bundle = self.first + thread;
                    while bundle < self.bundles {
                        let read = self.read(bundle);
                        let failed = read.is_err();
                        // The other side is gone when it needs no more.
                        if send.send(read).is_err() || failed {
                            return;
                        }
                        bundle += threads;
                    }
                });
            }
            for (bundle, outlet) in (self.first..self.bundles).zip(outlets.iter().cycle()) {
                let read =
                    outlet.recv().map_err(|_| Error::local(format!("the thread for bundle {bundle} ended early")))?;
                if !each(read?)? {
                    break;
                }
            }
            drop(outlets);
            Ok(())
        })
    }

    fn read(&self, bundle: u64) -> Result<Read, Error> {
        let size = self.tree.size();
        let missing = || Error::usage(format!("a tree of {size} entries has no bundle {bundle}"));
        let id = BundleId::at(bundle, size).ok_or_else(missing)?;
        let tile = self.tree.tile(TileId::at(0, bundle, size).ok_or_else(missing)?).map_err(tree_error)?;
        let raw = self.tiles.bundle(bundle, size)?;
        if raw.len() != tile.hashes().len() {
            return Err(Error::not_proven(format!("{id} has {} entries, its tile {}", raw.len(), tile.hashes().len())));
        }
        let mut read = Read { bundle, entries: Vec::new(), times: Vec::with_capacity(raw.len()), bytes: Vec::new() };
        for ((bytes, signed), index) in raw.iter().zip(tile.hashes()).zip(bundle * BUNDLE..) {
            let leaf = check_leaf(LeafIndex(index), bytes, signed)?;
            let ready = self.entry(LeafIndex(index), leaf, bytes)?;
            read.times.push(ready.timestamp);
            read.entries.push(ready);
        }
        if self.keep_entries {
            read.bytes = raw;
        }
        Ok(read)
    }

    fn entry(&self, index: LeafIndex, leaf: Hash, bytes: &[u8]) -> Result<Ready, Error> {
        let refused = |refused| Ready {
            index,
            leaf,
            timestamp: times::UNKNOWN,
            links: Links::default(),
            checked: Err(Unchecked::Refused(refused)),
        };
        let entry = match Entry::decode(bytes) {
            Ok(entry) => entry,
            Err(e) => return Ok(refused(Refused::new(Code::EntryMalformed, e.to_string()))),
        };
        let checked = match Submission::from_entry(&entry) {
            Err(no) => Err(Unchecked::Refused(no)),
            Ok(submission) => match check_signatures_by(submission.clone(), |id| self.keys.stored(id)) {
                Ok(checked) => Ok(checked),
                Err(Stop::Refused(no)) if no.code == Code::KeyUnknown => {
                    Err(Unchecked::KeyNotSeen(Box::new(submission)))
                }
                Err(Stop::Refused(no)) => Err(Unchecked::Refused(no)),
                Err(Stop::State(error)) => return Err(error),
                Err(other) => return Err(Error::new(ErrorKind::Local, other.to_string())),
            },
        };
        Ok(Ready { index, leaf, timestamp: entry.timestamp, links: entry.links, checked })
    }
}

/// The leaf hash of an entry, which must be the one in the signed tree.
pub(super) fn check_leaf(index: LeafIndex, bytes: &[u8], signed: &Hash) -> Result<Hash, Error> {
    let leaf = Hash::leaf(bytes);
    if leaf == *signed {
        return Ok(leaf);
    }
    Err(Error::not_proven(format!(
        "the log serves another entry {index} than the one in its signed tree (leaf hash {leaf}, signed {signed})"
    )))
}

//! Entries hashed to the signed root, and nothing else: no signature, no rule, no time.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

use proto::num::{LeafIndex, TreeSize};
use proto::tile::TileId;

use super::BUNDLE;
use super::worker::check_leaf;
use crate::error::Error;
use crate::tiles::{HttpTiles, HttpTree, tree_error};

/// One run over all entries of a signed tree.
pub struct Hashing<'a> {
    /// The log's tiles.
    pub tiles: &'a HttpTiles,
    /// The signed tree.
    pub tree: &'a HttpTree,
    /// Threads that read and hash.
    pub threads: NonZeroUsize,
    /// Is told the entries that are done.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

impl Hashing<'_> {
    /// Holds the leaf hash of every entry against the tile that the signed root vouches for. Waits for the network; see
    /// [`HttpTiles`].
    ///
    /// # Errors
    /// An entry that is another one than the tree's, a tile that is not the tree's, or what could not be read.
    pub fn run(&self) -> Result<(), Error> {
        let bundles = self.tree.size().0.div_ceil(BUNDLE);
        let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
        let work = || -> Result<(), Error> {
            loop {
                let bundle = next.fetch_add(1, Ordering::Relaxed);
                if bundle >= bundles {
                    return Ok(());
                }
                let entries = self.bundle(bundle).inspect_err(|_| {
                    next.fetch_max(bundles, Ordering::Relaxed); // the others need not go on
                })?;
                (self.progress)(done.fetch_add(entries, Ordering::Relaxed) + entries);
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads.get()).map(|_| scope.spawn(work)).collect();
            let ended = |thread: std::thread::ScopedJoinHandle<'_, Result<(), Error>>| {
                thread.join().unwrap_or_else(|_| Err(Error::local("a thread that hashes entries ended early")))
            };
            threads.into_iter().map(ended).collect::<Vec<_>>().into_iter().collect()
        })
    }

    /// How many entries the bundle has, each of them the tree's.
    fn bundle(&self, bundle: u64) -> Result<u64, Error> {
        let size: TreeSize = self.tree.size();
        let id = TileId::at(0, bundle, size)
            .ok_or_else(|| Error::usage(format!("a tree of {size} entries has no bundle {bundle}")))?;
        let tile = self.tree.tile(id).map_err(tree_error)?;
        self.tiles.with_bundle(bundle, size, |entries| {
            if entries.len() != tile.hashes().len() {
                let message =
                    format!("bundle {bundle} has {} entries, its tile {}", entries.len(), tile.hashes().len());
                return Err(Error::not_proven(message));
            }
            for ((entry, signed), index) in entries.iter().zip(tile.hashes()).zip(bundle * BUNDLE..) {
                check_leaf(LeafIndex(index), entry, signed)?;
            }
            Ok(u64::from(tile.width()))
        })?
    }
}

#[cfg(test)]
mod tests {
    use proto::hash::Hash;
    use proto::merkle::{MemoryTree, root_at};
    use proto::tile::{BundleId, TilePath, encode_bundle};
    use tokio::runtime::Runtime;

    use super::*;
    use crate::error::ErrorKind;
    use crate::files::{self, Access, Existing};

    /// Entries whose tree has three tiles of level 0, of which the last is partial.
    const ENTRIES: u64 = 600;

    fn entry(index: u64) -> Vec<u8> {
        index.to_be_bytes().repeat(3)
    }

    fn write(path: &std::path::Path, bytes: &[u8]) {
        files::write(path, bytes, Access::Public, Existing::Replace).unwrap();
    }

    /// Writes the copy of a log into a folder; the root.
    fn copy(folder: &std::path::Path) -> Hash {
        let (mut tree, size) = (MemoryTree::new(), TreeSize(ENTRIES));
        (0..ENTRIES).for_each(|index| _ = tree.append(Hash::leaf(&entry(index))));
        let put = |name: String, bytes: Vec<u8>| {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            write(&path, &bytes);
        };
        for bundle in (0..).map_while(|index| BundleId::at(index, size)) {
            let first = bundle.first().0;
            let entries: Vec<_> = (first..first + u64::from(bundle.width())).map(entry).collect();
            put(TilePath::Entries(bundle).to_string(), encode_bundle(&entries).unwrap());
        }
        for tile in (0..2).flat_map(|level| (0..).map_while(move |index| TileId::at(level, index, size))) {
            let first = tile.index() * BUNDLE;
            let hash = |index| proto::merkle::NodeReader::node(&tree, 8 * tile.level(), index).unwrap().0;
            put(tile.to_string(), (first..first + u64::from(tile.width())).flat_map(hash).collect());
        }
        root_at(&tree, size).unwrap()
    }

    fn hash(folder: &std::path::Path, root: &Hash) -> Result<u64, Error> {
        let runtime = Runtime::new().unwrap();
        let tiles = HttpTiles::in_folder(folder, runtime.handle().clone());
        let tree = HttpTree::open(tiles.clone(), TreeSize(ENTRIES), root).map_err(tree_error)?;
        let most = AtomicU64::new(0);
        let progress = |done| _ = most.fetch_max(done, Ordering::Relaxed);
        let threads = NonZeroUsize::new(3).unwrap();
        Hashing { tiles: &tiles, tree: &tree, threads, progress: &progress }.run()?;
        Ok(most.load(Ordering::Relaxed))
    }

    #[test]
    fn every_changed_byte_of_a_copy_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = copy(folder.path());
        assert_eq!(hash(folder.path(), &root).unwrap(), ENTRIES);
        for name in ["tile/entries/000", "tile/entries/001", "tile/entries/002.p/88", "tile/0/001", "tile/0/002.p/88"] {
            let path = folder.path().join(name);
            let good = std::fs::read(&path).unwrap();
            for at in [2, good.len() / 2, good.len() - 1] {
                let mut bad = good.clone();
                bad[at] ^= 0x10;
                write(&path, &bad);
                let error = hash(folder.path(), &root).unwrap_err();
                assert_eq!(error.kind, ErrorKind::NotProven, "{name} at {at}: {error}");
            }
            write(&path, &good);
        }
        std::fs::remove_file(folder.path().join("tile/entries/001")).unwrap();
        assert_eq!(hash(folder.path(), &root).unwrap_err().kind, ErrorKind::Local, "a missing file proves nothing");
    }
}

//! Entries with their places in a signed tree: bytes out of the mirror or from the log, held against own leaf hashes; proofs out
//! of own leaf hashes under the newest head that was followed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

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

/// Bundles that are kept while files are made. Each has 256 entries, and links mostly lead to the same few.
const MOST_BUNDLES: usize = 8;
/// How long the log is asked for the files of one step in all; then what was found is kept without them, and they are tried again.
const ASKING: Duration = Duration::from_secs(30);

/// The entries of a bundle; it is named by its number and its width.
type Bundled = Vec<Vec<u8>>;

/// What is asked for the files of one step.
pub(super) struct Asking {
    reach: Reach,
    end: Instant,
    /// The log did not answer: it is not asked once more in this step.
    is_silent: Cell<bool>,
    bundles: RefCell<BTreeMap<(u64, u16), Bundled>>,
}

impl Asking {
    pub(super) fn new(reach: Reach) -> Asking {
        Asking { reach, end: Instant::now() + ASKING, is_silent: Cell::new(false), bundles: RefCell::default() }
    }

    pub(super) fn reach(&self) -> Reach {
        self.reach
    }

    /// Asks the log for a bundle, if it has answered so far.
    fn log(&self, log: &FollowedLog, id: BundleId, bundle: u64, size: TreeSize) -> Made<Vec<Vec<u8>>> {
        if self.is_silent.get() || Instant::now() >= self.end {
            return Err(Why::NotYet("the log does not serve what is needed, or takes too long".to_owned()));
        }
        let served = log.tiles().bundle(bundle, size);
        self.is_silent.set(served.is_err());
        served.map_err(|error| Why::NotYet(format!("{id}: {}", error.message)))
    }
}

/// Entries for one file.
pub(super) struct Entries<'a> {
    log: &'a FollowedLog,
    asking: &'a Asking,
    head: Note,
    size: TreeSize,
    /// Whether no newer head was taken, whose entries are still to come.
    is_newest: bool,
    tree: TileTree<StoredTiles<'a>>,
}

impl<'a> Entries<'a> {
    /// Under the newest head of which all entries were read.
    pub(super) fn open(log: &'a FollowedLog, asking: &'a Asking) -> Made<Entries<'a>> {
        let followed = log.store.cursor()?.range.size();
        let newest = log.newest()?.ok_or_else(|| Why::NotYet("no head was followed yet".to_owned()))?;
        let newest_size = newest.checkpoint.size();
        let not_read = || Why::NotYet(format!("the entries up to {newest_size} are not read yet"));
        let read = log.read_head()?.ok_or_else(not_read)?;
        let (size, is_newest) = (read.checkpoint.size(), read.checkpoint.size() == newest_size);
        let head = Note::parse(&read.checkpoint.to_bytes()).map_err(|why| Why::Never(why.to_string()))?;
        let tree = log.store.tree(followed);
        Ok(Entries { log, asking, head, size, is_newest, tree })
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
        let no_bundle = || Why::Never(format!("there is no bundle {bundle}"));
        let id = BundleId::at(bundle, self.size).ok_or_else(no_bundle)?;
        let mut bundles = self.asking.bundles.borrow_mut();
        let name = (bundle, id.width());
        if !bundles.contains_key(&name) {
            if bundles.len() >= MOST_BUNDLES {
                bundles.clear();
            }
            bundles.insert(name, self.bundle(id, bundle)?);
        }
        let place = usize::try_from(index.0 % BUNDLE).unwrap_or(usize::MAX);
        let entry = bundles.get(&name).and_then(|entries| entries.get(place));
        entry.cloned().ok_or_else(|| Why::NotYet(format!("entry {index} is not served any more")))
    }

    fn bundle(&self, id: BundleId, bundle: u64) -> Made<Vec<Vec<u8>>> {
        if let Some(bytes) = self.log.store.bundle_bytes(id)? {
            let kept = Bundle::parse(&bytes, id.width()).map_err(|e| Why::NotYet(e.to_string()))?;
            return Ok(kept.entries().iter().map(|entry| entry.to_vec()).collect());
        }
        match self.asking.reach {
            Reach::Log => self.asking.log(self.log, id, bundle, self.size),
            Reach::Kept => Err(Why::NotYet("an entry is not mirrored here, and must be asked of the log".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proto::tile::encode_bundle;

    use super::super::super::tests::{Followed, NOW, head, three};
    use super::*;
    use crate::evidence::Kept;
    use crate::store::{Batch, Findings};

    /// A log that answers everything so; how many requests came.
    fn log(status: &'static str, body: Vec<u8>) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        std::thread::spawn(move || {
            for mut connection in listener.incoming().map_while(Result::ok) {
                let mut request = [0; 4096];
                let _read = connection.read(&mut request);
                counted.fetch_add(1, Ordering::SeqCst);
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _sent = connection.write_all(&[head.as_bytes(), &body].concat());
            }
        });
        (url, count)
    }

    /// What is proven in a round of a log that signed five heads of false times, and how often it was asked.
    fn proven(status: &'static str, body: Vec<u8>) -> (Vec<Kept>, usize) {
        let (url, count) = log(status, body);
        let followed = Followed::at(&url, false);
        followed.follow(&three(), 12, None);
        (3..8).for_each(|seconds| _ = followed.offer(&head(&three()[..2], seconds)));
        assert_eq!((followed.kept(), count.load(Ordering::SeqCst)), (Vec::new(), 0), "the log is not asked then");
        let mut findings = Findings::default();
        followed.log.prove_open(&mut findings).unwrap();
        let evidence = followed.log.prove(&mut findings, Reach::Log).unwrap();
        followed.log.store.commit_batch(&Batch { findings, evidence, ..Batch::default() }, NOW).unwrap();
        (followed.kept(), count.load(Ordering::SeqCst))
    }

    #[test]
    fn a_log_is_asked_once_for_the_same_entries() {
        let (kept, asked) = proven("200 OK", encode_bundle(&three()).unwrap());
        assert_eq!((kept.len(), asked), (5, 1));
    }

    #[test]
    fn a_log_that_does_not_serve_is_not_asked_for_each_finding() {
        let (kept, asked) = proven("404 Not Found", Vec::new());
        assert_eq!(kept.len(), 0);
        assert_eq!(asked, 2, "the partial bundle and the full one, once");
    }
}

//! Following a log: every entry read through its tiles, hashed again to the signed root, and the log's rules run again.
//!
//! ```text
//!  worker threads, one bundle at a time                       this thread, entry by entry           a thread, step by step
//!  tile (tied to the signed root) ─┐
//!  bundle ─ leaf hashes compared ──┴─ decode ─ signatures ──▶ fold::step ─ anchors ─ compact range ──▶ Kv::commit
//! ```
//!
//! An audit and a monitor do the same here and differ in what they keep: that is behind [`Kv`]. The tree and the rules have
//! cursors of their own. A broken rule ends the run of the rules, since nobody can say what a log's state is after an entry
//! that should not be there; the entries behind it are still hashed if the caller wishes so.

mod commit;
mod cursor;
mod hashes;
mod heads;
mod judged;
mod state;
mod table;
mod times;
mod worker;

use std::sync::Arc;

use proto::code::{Code, Refused};
use proto::fold::{self, Stop};
use proto::hash::Hash;
use proto::merkle::root_at;
use proto::num::{LeafIndex, Millis, TreeSize};

use crate::error::{Error, ErrorKind};
use crate::tiles::{HttpTiles, HttpTree, proof_error};

pub use cursor::{Cursor, Stopped, decode_range, encode_range};
pub use hashes::Hashing;
pub use heads::{HEADS_PAGE, ListPlace, each_behind, each_from};
pub use judged::{Judged, Remark};
pub use state::constitution;
pub use table::Reading;
pub use times::{check_time, decode_times, encode_times, time_of};

use commit::{Commits, Sealed};
use state::{Keys, Overlay};
use worker::{Read, Ready, Unchecked, Workers};

/// Entries in a bundle.
pub const BUNDLE: u64 = proto::tile::TILE_WIDTH as u64;

/// Bundles after which what was followed is made durable: 32,768 entries. The keys of the state are hashes, so a step writes nearly
/// every page of a small state and a page for each key of a large one: the larger the step, the less is written for an entry. What is
/// not durable yet takes some 40 MB in memory, and as much while it is written.
const BUNDLES_PER_COMMIT: u64 = 128;
/// Or after so many bytes of entries that are kept: with them, what is not durable yet stays small in memory.
const BYTES_PER_COMMIT: usize = 32 << 20;

/// An entry or head that breaks the rules.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Breach {
    /// The entry; absent when it is about a head.
    pub index: Option<LeafIndex>,
    /// Which rule.
    pub code: String,
    /// In words.
    pub message: String,
}

/// Where a follower keeps what it learned of one log.
pub trait Kv: Send + Sync {
    /// The newest committed value of a key of the fold's state.
    fn state(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// The committed times of a bundle's entries, as [`encode_times`] wrote them.
    fn times(&self, bundle: u64) -> Result<Option<Vec<u8>>, Error>;

    /// Is shown every entry that the rules took, in order. What it gives comes back in the step that commits the entry.
    fn judged(&self, _: &Judged<'_>) -> Result<Option<Remark>, Error> {
        Ok(None)
    }

    /// Makes a step durable, all of it or nothing of it. Called on a thread of its own, one step after the other, while later entries
    /// are judged already.
    fn commit(&self, step: &Step<'_>) -> Result<(), Error>;
}

/// What a follower learned since the last commit.
#[derive(Debug)]
pub struct Step<'a> {
    /// How far it is now.
    pub cursor: &'a Cursor,
    /// Changes of the fold's state, ascending by key.
    pub state: Vec<(&'a [u8], &'a [u8])>,
    /// The bundles that were read; one that was partial before is given again.
    pub bundles: &'a [Taken],
    /// New hashes of tiles: tile level, index in that level, hash; ascending within a level.
    pub nodes: &'a [(u8, u64, Hash)],
    /// What [`Kv::judged`] gave for the entries of this step, in their order.
    pub remarks: &'a [Remark],
}

/// A bundle that was read.
#[derive(Debug)]
pub struct Taken {
    /// Which.
    pub bundle: u64,
    /// The times of its entries.
    pub times: Vec<Millis>,
    /// The bytes of its entries; empty unless they are wanted.
    pub entries: Vec<Vec<u8>>,
}

/// One run over a log, from where the last one ended to the size of a signed tree.
pub struct Follow<'a, K> {
    /// Where what was learned is kept.
    pub kv: &'a K,
    /// The log's tiles.
    pub tiles: HttpTiles,
    /// The signed tree. That it contains the entries followed so far is the caller's to check.
    pub tree: Arc<HttpTree>,
    /// The log.
    pub origin: &'a str,
    /// Threads that fetch and check signatures.
    pub threads: usize,
    /// Whether the bytes of the entries are kept.
    pub keep_entries: bool,
    /// Whether nothing behind an entry that breaks a rule is looked at.
    pub ends_at_breach: bool,
    /// Is told the entries that are done and the size of the tree, and says whether to go on.
    pub progress: &'a mut dyn FnMut(u64, u64) -> bool,
}

/// What is not on its way to the store yet.
struct Pending<'a, K> {
    commits: Commits,
    overlay: Overlay<'a, K>,
    bundles: Vec<Taken>,
    nodes: Vec<(u8, u64, Hash)>,
    remarks: Vec<Remark>,
    bytes: usize,
}

impl<K: Kv> Follow<'_, K> {
    /// Reads, hashes and judges everything that is new. Waits for the network; see [`HttpTiles`].
    ///
    /// # Errors
    /// What could not be read, or contradicts the signed tree. All that was done before is committed or undone: `cursor` is
    /// what the store has only after an `Ok`.
    pub fn run(&mut self, cursor: &mut Cursor) -> Result<(), Error> {
        let size = self.tree.size();
        let first = cursor.next_read().0 / BUNDLE;
        let bundles = size.0.div_ceil(BUNDLE);
        if cursor.next_read() >= size {
            return Ok(());
        }
        let keys = Keys::new(self.kv);
        let workers = Workers {
            tiles: self.tiles.clone(),
            tree: Arc::clone(&self.tree),
            keys: &keys,
            first,
            bundles,
            keep_entries: self.keep_entries,
        };
        std::thread::scope(|scope| {
            let mut pending = Pending::new(self.kv, Commits::begin(scope, self.kv));
            workers.run(self.threads, |read: Read| {
                let number = read.bundle;
                let mut goes_on = self.bundle(read, cursor, &mut pending, &keys)?;
                goes_on &= (self.progress)(cursor.range.size().0, size.0);
                let many = (number + 1 - first).is_multiple_of(BUNDLES_PER_COMMIT) || pending.bytes >= BYTES_PER_COMMIT;
                if !goes_on || number + 1 == bundles || many {
                    pending.commit(cursor)?;
                }
                Ok(goes_on)
            })?;
            pending.settle()
        })
    }

    /// One bundle; whether to go on.
    fn bundle(
        &self,
        read: Read,
        cursor: &mut Cursor,
        pending: &mut Pending<'_, K>,
        keys: &Keys<'_, K>,
    ) -> Result<bool, Error> {
        let next = cursor.next_read().next_index();
        let mut goes_on = true;
        for ready in read.entries.into_iter().skip_while(|ready| ready.index < next) {
            let (index, leaf) = (ready.index, ready.leaf);
            if cursor.stopped.is_none() && index == cursor.folded.next_index() {
                match self.entry(ready, &pending.overlay, keys)? {
                    Ok((changes, remark)) => {
                        pending.overlay.apply(changes.state);
                        pending.bytes += remark.as_ref().map_or(0, |remark| remark.0.len());
                        pending.remarks.extend(remark);
                        cursor.folded = index.size_with();
                    }
                    Err(stopped) => cursor.stopped = Some(stopped),
                }
            }
            if cursor.stopped.is_some() && self.ends_at_breach {
                goes_on = false;
                break;
            }
            if index == cursor.range.size().next_index() {
                cursor.range.append_collect(leaf, &mut |level, index, hash| pending.nodes.push((level, index, hash)));
            }
        }
        pending.bytes += read.bytes.iter().map(Vec::len).sum::<usize>();
        pending.bundles.push(Taken { bundle: read.bundle, times: read.times, entries: read.bytes });
        Ok(goes_on)
    }

    /// One entry by the rules, and what the keeper remarks about it; the inner error is why they end here.
    fn entry(
        &self,
        ready: Ready,
        state: &Overlay<'_, K>,
        keys: &Keys<'_, K>,
    ) -> Result<Result<Taking, Stopped>, Error> {
        let index = ready.index;
        let refused = |refused: Refused| Ok(Err(Stopped::broken(index, &refused)));
        let stopped = |stop: Stop<Error>| match stop {
            Stop::Refused(no) => match fold::refused_under(ready.timestamp, no, state) {
                Stop::UnknownRules(version) => Ok(Err(Stopped::unknown_rules(index, version))),
                Stop::State(error) => Err(error),
                Stop::Refused(no) => refused(no),
                other @ Stop::Corrupt(_) => Err(Error::new(ErrorKind::Local, format!("entry {index}: {other}"))),
            },
            Stop::State(error) => Err(error),
            Stop::UnknownRules(version) => Ok(Err(Stopped::unknown_rules(index, version))),
            other @ Stop::Corrupt(_) => Err(Error::new(ErrorKind::Local, format!("entry {index}: {other}"))),
        };
        let checked = match ready.checked {
            Ok(checked) => checked,
            // The key may have been enrolled by an entry that was not yet on disk when the worker looked.
            Err(Unchecked::KeyNotSeen(submission)) => {
                match fold::check_signatures_by(*submission, |id| keys.folded(id, state)) {
                    Ok(checked) => checked,
                    Err(stop) => return stopped(stop),
                }
            }
            Err(Unchecked::Refused(no)) => return stopped(Stop::Refused(no)),
        };
        let changes = match fold::step_checked(index, ready.timestamp, ready.links, &checked, state) {
            Ok(changes) => changes,
            Err(stop) => return stopped(stop),
        };
        if let Some((size, root)) = checked.anchor(self.origin) {
            let fork = |message: String| refused(Refused::at(Code::AnchorFork, "/logs", message));
            if size > TreeSize(index.0) {
                return fork(format!("the claim is anchored to a head of {size} entries, which did not exist yet"));
            }
            let empty = size == TreeSize(0);
            let ours = if empty { Hash::EMPTY_ROOT } else { root_at(&*self.tree, size).map_err(proof_error)? };
            if ours != root {
                return fork(format!("the claim is anchored to another tree of {size} entries than this log's"));
            }
        }
        let remark = self.kv.judged(&Judged::new(index, ready.timestamp, &checked, &changes, state))?;
        Ok(Ok((changes, remark)))
    }
}

/// What an entry changes, and what is remarked about it.
type Taking = (fold::Changes, Option<Remark>);

impl<'a, K: Kv> Pending<'a, K> {
    fn new(kv: &'a K, commits: Commits) -> Pending<'a, K> {
        let overlay = Overlay::new(kv);
        Pending { commits, overlay, bundles: Vec::new(), nodes: Vec::new(), remarks: Vec::new(), bytes: 0 }
    }

    /// Sends everything so far to the store as one step, once the step before is durable.
    fn commit(&mut self, cursor: &Cursor) -> Result<(), Error> {
        self.settle()?;
        self.bytes = 0;
        self.commits.send(Sealed {
            cursor: cursor.clone(),
            state: self.overlay.seal(),
            bundles: std::mem::take(&mut self.bundles),
            nodes: std::mem::take(&mut self.nodes),
            remarks: std::mem::take(&mut self.remarks),
        })
    }

    /// Waits until everything that was sent is durable.
    fn settle(&mut self) -> Result<(), Error> {
        if self.commits.settle()? {
            self.overlay.committed();
        }
        Ok(())
    }
}

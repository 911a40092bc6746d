//! The audit: the whole log read through its tiles, hashed again to the signed root, and its rules run again.
//!
//! ```text
//!  worker threads, one bundle at a time                       this thread, entry by entry
//!  tile (tied to the signed root) ─┐
//!  bundle ─ leaf hashes compared ──┴─ decode ─ signatures ──▶ fold::step ─ anchors ─ compact range ─ state.redb
//! ```
//!
//! What was audited stays in the state folder, so that the next audit goes on from there and complains when the log
//! shows another past.

mod evidence;
mod heads;
mod store;
mod worker;

use std::sync::Arc;

use proto::code::{Code, Refused};
use proto::fold::{self, Stop};
use proto::hash::Hash;
use proto::merkle::root_at;
use proto::num::{LeafIndex, Millis, Seconds, TreeSize};

use crate::api::Api;
use crate::error::{Error, ErrorKind};
use crate::head::{self, Head, Seen};
use crate::state::{Contradiction, State};
use crate::tiles::{HttpTiles, HttpTree, proof_error, tree_error};
use crate::trust::Trust;

use store::{AuditStore, Overlay};
use worker::{Read, Ready, Workers};

/// Bundles after which what was audited is made durable: 8,192 entries, some tens of megabytes at most.
const BUNDLES_PER_COMMIT: u64 = 32;
/// Entries in a bundle.
const BUNDLE: u64 = proto::tile::TILE_WIDTH as u64;

/// What an audit needs.
pub struct Audit<'a> {
    /// The log.
    pub api: &'a Api,
    /// Its tiles.
    pub tiles: HttpTiles,
    /// Whom the reader trusts.
    pub trust: &'a Trust,
    /// Which log it must be.
    pub origin: &'a str,
    /// Where what was audited is kept.
    pub state: &'a State,
    /// Threads that fetch and check signatures.
    pub threads: usize,
    /// Is told the entries that are done and the size of the tree.
    pub progress: &'a mut dyn FnMut(u64, u64),
}

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

/// What an audit found.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Outcome {
    /// The log.
    pub origin: String,
    /// Entries that an earlier audit had done.
    pub from: TreeSize,
    /// Entries that are audited now.
    pub size: TreeSize,
    /// The root that they lead to.
    pub root: Hash,
    /// Heads that the log published and that were held against the entries.
    pub heads: u64,
    /// What breaks the rules; nothing behind the first broken entry was looked at.
    pub breaches: Vec<Breach>,
    /// What a person should know besides.
    pub remarks: Vec<String>,
}

impl Audit<'_> {
    /// Audits everything that was not audited yet. Waits for the network; see [`HttpTiles`].
    pub fn run(&mut self, note: &[u8]) -> Result<Outcome, Error> {
        let mut outcome = self.new_entries(note)?;
        evidence::recall(self, &mut outcome)?;
        Ok(outcome)
    }

    fn new_entries(&mut self, note: &[u8]) -> Result<Outcome, Error> {
        let head = head::accept(self.trust, self.origin, self.state, &self.tiles, note)?;
        let checkpoint = &head.checked.checkpoint;
        let (origin, size, root) = (self.origin.to_owned(), checkpoint.size(), checkpoint.root());
        let mut store = AuditStore::open(self.state, &origin)?;
        let from = store.size();
        let mut outcome =
            Outcome { origin, from, size: from, root, heads: 0, breaches: Vec::new(), remarks: Vec::new() };
        outcome.remarks.extend(head.remark());
        if from > size {
            let last = store.last_head().unwrap_or_default();
            head::against(self.trust, self.origin, self.state, &self.tiles, &last, &head.checked)?;
            let text = format!("the log shows {size} entries, {from} were audited before; nothing new to audit");
            outcome.remarks.push(text);
            outcome.root = store.range().root();
            return Ok(outcome);
        }
        let tree = Arc::new(HttpTree::open(self.tiles.clone(), size, &root).map_err(tree_error)?);
        self.check_kept(&store, &tree, &head)?;
        if let Some(breach) = self.entries(&mut store, &tree, note)? {
            outcome.breaches.push(breach);
        } else {
            self.check_end(&store, &tree, &head, &mut outcome)?;
            heads::check(self, &store, &tree, &head, &mut outcome)?;
        }
        outcome.size = store.size();
        outcome.root = store.range().root();
        Ok(outcome)
    }

    /// The entries that were audited before are the first ones of this tree.
    fn check_kept(&self, store: &AuditStore, tree: &HttpTree, head: &Head) -> Result<(), Error> {
        let kept = store.size();
        if kept == TreeSize(0) {
            return Ok(());
        }
        let Some(shown_by) = head::other_root(tree, kept, store.range().root())? else {
            return Ok(());
        };
        let first = store.last_head().unwrap_or_default();
        let last = head::of_log(self.trust, self.origin, &first)?;
        if last.checkpoint.size() == kept {
            let second = head.checked.checkpoint.to_bytes();
            let found = Contradiction { origin: self.origin, first: &first, second: &second, shown_by };
            return Err(self.state.contradiction(&found));
        }
        // An audit that was cut off: its entries were tied to a larger head, which is what the log signed.
        head::against(self.trust, self.origin, self.state, &self.tiles, &first, &head.checked)?;
        Err(store.damaged("its entries are not those of the head that they were audited under"))
    }

    fn entries(&mut self, store: &mut AuditStore, tree: &Arc<HttpTree>, note: &[u8]) -> Result<Option<Breach>, Error> {
        let size = tree.size();
        let first = store.size().0 / BUNDLE;
        let bundles = size.0.div_ceil(BUNDLE);
        let mut overlay = store.overlay()?;
        let keys = store.keys();
        let workers = Workers { tiles: self.tiles.clone(), tree: Arc::clone(tree), keys, first, bundles };
        let mut breach = None;
        let origin = self.origin;
        workers.run(self.threads, |read: Read| {
            let next = store.size().next_index();
            for ready in read.entries.into_iter().skip_while(|ready| ready.index < next) {
                let (index, leaf) = (ready.index, ready.leaf);
                match self.entry(ready, &overlay, tree, origin)? {
                    Ok(changes) => overlay.apply(changes.state),
                    Err(found) => {
                        breach =
                            Some(Breach { index: Some(index), code: found.code.to_string(), message: found.message });
                        break;
                    }
                }
                store.append(leaf);
            }
            store.set_times(read.bundle, read.times);
            (self.progress)(store.size().0, size.0);
            let ends = breach.is_some() || read.bundle + 1 == bundles;
            if ends || (read.bundle + 1 - first).is_multiple_of(BUNDLES_PER_COMMIT) {
                store.commit(&mut overlay, note)?;
            }
            Ok(breach.is_none())
        })?;
        Ok(breach)
    }

    /// One entry by the rules; the inner error is the breach.
    fn entry(
        &self,
        ready: Ready,
        state: &Overlay,
        tree: &HttpTree,
        origin: &str,
    ) -> Result<Result<fold::Changes, Refused>, Error> {
        let stopped = |stop: Stop<Error>| match stop {
            Stop::Refused(refused) => Ok(refused),
            Stop::State(error) => Err(error),
            other => Err(Error::new(ErrorKind::PolicyNotMet, format!("entry {}: {other}", ready.index))),
        };
        let checked = match ready.checked {
            Ok(checked) => checked,
            // The key may have been enrolled by an entry that was not yet on disk when the worker looked.
            Err(worker::Unchecked::KeyNotSeen(submission)) => match fold::check_signatures(*submission, state) {
                Ok(checked) => checked,
                Err(stop) => return stopped(stop).map(Err),
            },
            Err(worker::Unchecked::Refused(refused)) => return Ok(Err(refused)),
        };
        let changes = match fold::step_checked(ready.index, ready.timestamp, ready.links, &checked, state) {
            Ok(changes) => changes,
            Err(stop) => return stopped(stop).map(Err),
        };
        if let Some((size, root)) = checked.anchor(origin) {
            let fork = |message: String| Ok(Err(Refused::at(Code::AnchorFork, "/logs", message)));
            if size > TreeSize(ready.index.0) {
                return fork(format!("the claim is anchored to a head of {size} entries, which did not exist yet"));
            }
            let ours = if size == TreeSize(0) { Hash::EMPTY_ROOT } else { root_at(tree, size).map_err(proof_error)? };
            if ours != root {
                return fork(format!("the claim is anchored to another tree of {size} entries than this log's"));
            }
        }
        Ok(Ok(changes))
    }

    /// The last entry is not after the head's time.
    fn check_end(&self, store: &AuditStore, tree: &HttpTree, head: &Head, outcome: &mut Outcome) -> Result<(), Error> {
        let checkpoint = &head.checked.checkpoint;
        if store.range().root() != checkpoint.root() || store.size() != checkpoint.size() {
            return Err(Error::not_proven("the entries do not lead to the signed root"));
        }
        match head.checked.log_time {
            Some(_) => outcome.breaches.extend(evidence::time(self, store, tree, &head.checked, &head.checked)?),
            None => outcome.remarks.push(
                "the trust file has no line for the log's time key, so times were not held against the head's".into(),
            ),
        }
        if matches!(head.seen, Seen::Earlier(_)) {
            outcome.remarks.push("this is not the newest head that was seen".into());
        }
        Ok(())
    }
}

/// For a head (n, T): every entry before n is from T or earlier, every entry from n on is from T or later.
fn check_time(store: &AuditStore, size: TreeSize, time: Seconds) -> Result<Option<Breach>, Error> {
    let breach = |index: u64, at: Millis, side: &str| {
        let message = format!("its time, {at} ms, is {side} {time} s, the time of the head of {size} entries");
        Some(Breach { index: Some(LeafIndex(index)), code: Code::HeadTime.to_string(), message })
    };
    if let Some(last) = size.0.checked_sub(1)
        && let Some(at) = store.time(last)?
        && at.seconds() > time
    {
        return Ok(breach(last, at, "after"));
    }
    match store.time(size.0)? {
        Some(at) if at.seconds() < time => Ok(breach(size.0, at, "before")),
        _ => Ok(None),
    }
}

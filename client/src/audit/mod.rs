//! The audit: the whole log read through its tiles, hashed again to the signed root, and its rules run again.
//!
//! What was audited stays in the state folder, so that the next audit goes on from there and complains when the log
//! shows another past. How a log is followed is [`crate::follow`].

mod evidence;
mod heads;
mod store;

use std::num::NonZeroUsize;
use std::sync::{Arc, PoisonError};

use proto::hash::Hash;
use proto::num::{LeafIndex, TreeSize};

use crate::api::Api;
use crate::error::{Error, ErrorKind};
use crate::follow::{Cursor, Follow, Hashing};
use crate::head::{self, Head, Seen};
use crate::state::{Contradiction, State};
use crate::tiles::{HttpTiles, HttpTree, tree_error};
use crate::trust::Trust;

use store::AuditStore;

pub use crate::follow::Breach;

/// What an audit needs.
pub struct Audit<'a> {
    /// The log, which lists the heads that it published; a copy in a folder has no such list.
    pub api: Option<&'a Api>,
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
    pub progress: &'a mut (dyn FnMut(u64, u64) + Send),
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

/// What was audited, up to now.
struct Audited<'a> {
    store: &'a AuditStore,
    /// Entries that were audited.
    followed: TreeSize,
    /// The signed tree that they are the first entries of.
    tree: &'a HttpTree,
}

impl Audit<'_> {
    /// Audits everything that was not audited yet. Waits for the network; see [`HttpTiles`].
    pub fn run(&mut self, note: &[u8]) -> Result<Outcome, Error> {
        let mut outcome = self.new_entries(note)?;
        evidence::recall(self, &mut outcome)?;
        Ok(outcome)
    }

    /// Hashes every entry to the signed root and checks nothing else: no signature, no rule, no time. What earlier audits
    /// found is said again. Waits for the network; see [`HttpTiles`].
    pub fn hashes(&mut self, note: &[u8]) -> Result<Outcome, Error> {
        let head = head::accept(self.trust, self.origin, self.state, &self.tiles, note)?;
        let checkpoint = &head.checked.checkpoint;
        let (size, root) = (checkpoint.size(), checkpoint.root());
        let tree = HttpTree::open(self.tiles.clone(), size, &root).map_err(tree_error)?;
        let progress = std::sync::Mutex::new(&mut self.progress);
        let threads = NonZeroUsize::new(self.threads).unwrap_or(NonZeroUsize::MIN);
        let done = |entries| {
            let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            (**progress)(entries, size.0);
        };
        Hashing { tiles: &self.tiles, tree: &tree, threads, progress: &done }.run()?;
        let mut remarks: Vec<String> = head.remark().into_iter().collect();
        remarks.push("hashes alone: no signature of a claim, no rule and no time was checked".into());
        let (origin, from) = (self.origin.to_owned(), TreeSize(0));
        let mut outcome = Outcome { origin, from, size, root, heads: 0, breaches: Vec::new(), remarks };
        evidence::recall(self, &mut outcome)?;
        Ok(outcome)
    }

    fn new_entries(&mut self, note: &[u8]) -> Result<Outcome, Error> {
        let head = head::accept(self.trust, self.origin, self.state, &self.tiles, note)?;
        let checkpoint = &head.checked.checkpoint;
        let (origin, size, root) = (self.origin.to_owned(), checkpoint.size(), checkpoint.root());
        let (store, range) = AuditStore::open(self.state, &origin, note)?;
        let mut cursor = Cursor::at(range);
        let from = cursor.range.size();
        let mut outcome =
            Outcome { origin, from, size: from, root, heads: 0, breaches: Vec::new(), remarks: Vec::new() };
        outcome.remarks.extend(head.remark());
        if from > size {
            let last = store.last_head().unwrap_or_default();
            head::against(self.trust, self.origin, self.state, &self.tiles, &last, &head.checked)?;
            outcome.breaches.extend(self.time_of_earlier(&store, from, &last, &head)?);
            let text = format!("the log shows {size} entries, {from} were audited before; nothing new to audit");
            outcome.remarks.push(text);
            outcome.root = cursor.range.root();
            return Ok(outcome);
        }
        let tree = Arc::new(HttpTree::open(self.tiles.clone(), size, &root).map_err(tree_error)?);
        self.check_kept(&store, &cursor, &tree, &head)?;
        if let Some(breach) = self.entries(&store, &mut cursor, &tree)? {
            outcome.breaches.push(breach);
        } else {
            let seen = Audited { store: &store, followed: cursor.range.size(), tree: &tree };
            self.check_end(&seen, cursor.range.root(), &head, &mut outcome)?;
            match self.api {
                Some(api) => heads::check(self, api, &seen, &head, &mut outcome)?,
                None => {
                    outcome.remarks.push("a copy lists no published heads, so none but its own was looked at".into())
                }
            }
            self.check_last(&seen, &head, &mut outcome)?;
        }
        outcome.size = cursor.range.size();
        outcome.root = cursor.range.root();
        Ok(outcome)
    }

    /// The head of the last audit against the entries behind it: a log may hide it from its list now.
    fn check_last(&self, seen: &Audited<'_>, head: &Head, outcome: &mut Outcome) -> Result<(), Error> {
        let Some(last) = seen.store.last_head() else { return Ok(()) };
        let last = head::of_log(self.trust, self.origin, &last)?;
        let found = evidence::time(self, seen, &last, &head.checked)?;
        let is_said = |breach: &Breach| {
            outcome.breaches.iter().any(|said| (said.index, &said.code) == (breach.index, &breach.code))
        };
        outcome.breaches.extend(found.filter(|breach| !is_said(breach)));
        Ok(())
    }

    /// A head that is smaller than what was audited says with its time that the entries behind it came later.
    fn time_of_earlier(
        &self,
        store: &AuditStore,
        followed: TreeSize,
        last: &[u8],
        head: &Head,
    ) -> Result<Option<Breach>, Error> {
        let last = head::of_log(self.trust, self.origin, last)?;
        let (size, root) = (last.checkpoint.size(), last.checkpoint.root());
        if size < followed {
            return Ok(None); // an audit that was cut off: its last head does not hold all of these entries
        }
        let tree = HttpTree::open(self.tiles.clone(), size, &root).map_err(tree_error)?;
        evidence::time(self, &Audited { store, followed, tree: &tree }, &head.checked, &last)
    }

    /// The entries that were audited before are the first ones of this tree.
    fn check_kept(&self, store: &AuditStore, cursor: &Cursor, tree: &HttpTree, head: &Head) -> Result<(), Error> {
        let kept = cursor.range.size();
        if kept == TreeSize(0) {
            return Ok(());
        }
        let Some(shown_by) = head::other_root(tree, kept, cursor.range.root())? else {
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

    fn entries(
        &mut self,
        store: &AuditStore,
        cursor: &mut Cursor,
        tree: &Arc<HttpTree>,
    ) -> Result<Option<Breach>, Error> {
        let mut progress = |done, size| {
            (self.progress)(done, size);
            true
        };
        let mut follow = Follow {
            kv: store,
            tiles: self.tiles.clone(),
            tree: Arc::clone(tree),
            origin: self.origin,
            threads: self.threads,
            keep_entries: false,
            ends_at_breach: true,
            progress: &mut progress,
        };
        follow.run(cursor)?;
        match cursor.stopped.take() {
            None => Ok(None),
            Some(stopped) => match stopped.code {
                Some(code) => {
                    Ok(Some(Breach { index: Some(LeafIndex(stopped.index)), code, message: stopped.message }))
                }
                None => Err(Error::new(ErrorKind::PolicyNotMet, stopped.message)),
            },
        }
    }

    /// The entries lead to the signed root, and the last one is not after the head's time.
    fn check_end(&self, seen: &Audited<'_>, root: Hash, head: &Head, outcome: &mut Outcome) -> Result<(), Error> {
        let checkpoint = &head.checked.checkpoint;
        if root != checkpoint.root() || seen.followed != checkpoint.size() {
            return Err(Error::not_proven("the entries do not lead to the signed root"));
        }
        match head.checked.log_time {
            Some(_) => outcome.breaches.extend(evidence::time(self, seen, &head.checked, &head.checked)?),
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

//! The audit: the whole log read through its tiles, hashed again to the signed root, and its rules run again.
//!
//! What was audited stays in the state folder, so that the next audit goes on from there and complains when the log
//! shows another past. How a log is followed is [`crate::follow`].

mod store;

use std::sync::Arc;

use proto::code::Code;
use proto::hash::Hash;
use proto::merkle::root_at;
use proto::num::{LeafIndex, Seconds, TreeSize};

use crate::api::{Api, PublishedHead};
use crate::error::{Error, ErrorKind};
use crate::follow::{Cursor, Follow, check_time, each_newer};
use crate::head::{self, Head, Seen};
use crate::state::{Contradiction, State};
use crate::tiles::{HttpTiles, HttpTree, proof_error, tree_error};
use crate::trust::Trust;

use store::AuditStore;

pub use crate::follow::Breach;

/// Heads looked at in one audit: all of a day; years at one a minute are left to later audits' newer heads.
const MOST_HEADS: usize = 100_000;

/// What an audit needs.
pub struct Audit<'a> {
    /// The log.
    pub api: &'a Api,
    /// Its tiles.
    pub tiles: HttpTiles,
    /// Whom the reader trusts.
    pub trust: &'a Trust,
    /// Where what was audited is kept.
    pub state: &'a State,
    /// Threads that fetch and check signatures.
    pub threads: usize,
    /// Is told the entries that are done and the size of the tree.
    pub progress: &'a mut dyn FnMut(u64, u64),
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
        let head = head::accept(self.trust, self.state, &self.tiles, note)?;
        let checkpoint = &head.checked.checkpoint;
        let (origin, size, root) = (checkpoint.origin().to_owned(), checkpoint.size(), checkpoint.root());
        let (store, range) = AuditStore::open(self.state, &origin, note)?;
        let mut cursor = Cursor::at(range);
        let from = cursor.range.size();
        let mut outcome =
            Outcome { origin, from, size: from, root, heads: 0, breaches: Vec::new(), remarks: Vec::new() };
        outcome.remarks.extend(head.remark());
        if from > size {
            let text = format!("the log shows {size} entries, {from} were audited before; nothing new to audit");
            outcome.remarks.push(text);
            outcome.root = cursor.range.root();
            return Ok(outcome);
        }
        let tree = Arc::new(HttpTree::open(self.tiles.clone(), size, &root).map_err(tree_error)?);
        self.check_kept(&store, &cursor, &tree, &head, note)?;
        if let Some(breach) = self.entries(&store, &mut cursor, &tree, &outcome.origin)? {
            outcome.breaches.push(breach);
        } else {
            check_end(&store, &cursor, &head, &mut outcome)?;
            outcome.heads = self.check_heads(&store, &cursor, &tree, &mut outcome.breaches)?;
        }
        outcome.size = cursor.range.size();
        outcome.root = cursor.range.root();
        Ok(outcome)
    }

    /// The entries that were audited before are the first ones of this tree.
    fn check_kept(
        &self,
        store: &AuditStore,
        cursor: &Cursor,
        tree: &HttpTree,
        head: &Head,
        note: &[u8],
    ) -> Result<(), Error> {
        let kept = cursor.range.size();
        if kept == TreeSize(0) {
            return Ok(());
        }
        let now = root_at(tree, kept).map_err(proof_error)?;
        if now == cursor.range.root() {
            return Ok(());
        }
        let first = store.last_head().unwrap_or_default();
        let origin = head.checked.checkpoint.origin();
        let alternative = Some((kept, now, Vec::new()));
        Err(self.state.contradiction(&Contradiction { origin, first: &first, second: note, alternative }))
    }

    fn entries(
        &mut self,
        store: &AuditStore,
        cursor: &mut Cursor,
        tree: &Arc<HttpTree>,
        origin: &str,
    ) -> Result<Option<Breach>, Error> {
        let mut progress = |done, size| {
            (self.progress)(done, size);
            true
        };
        let mut follow = Follow {
            kv: store,
            tiles: self.tiles.clone(),
            tree: Arc::clone(tree),
            origin,
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

    /// Checks every head that is newer than those of the last audit; gives their number.
    fn check_heads(
        &self,
        store: &AuditStore,
        cursor: &Cursor,
        tree: &HttpTree,
        breaches: &mut Vec<Breach>,
    ) -> Result<u64, Error> {
        let mut count = 0;
        let newest = each_newer(self.api, &self.tiles, store.heads_until()?, MOST_HEADS, &mut |head| {
            count += 1;
            breaches.extend(self.check_head(store, cursor, tree, head)?);
            Ok(())
        })?;
        store.set_heads_until(newest)?;
        Ok(count)
    }

    /// A head that the log published, held against its entries: root and time.
    fn check_head(
        &self,
        store: &AuditStore,
        cursor: &Cursor,
        tree: &HttpTree,
        head: &PublishedHead,
    ) -> Result<Option<Breach>, Error> {
        let breach = |message: String| Ok(Some(Breach { index: None, code: Code::EntryTime.to_string(), message }));
        let checked = match self.trust.policy().check(head.checkpoint.as_bytes()) {
            Ok(checked) => checked,
            Err(e) => return breach(format!("the log lists a head of time {} that is not one: {e}", head.time)),
        };
        let checkpoint = &checked.checkpoint;
        let size = checkpoint.size();
        if size > tree.size() {
            return Ok(None); // made while we audited; the next audit has its entries
        }
        if size > TreeSize(0) && root_at(tree, size).map_err(proof_error)? != checkpoint.root() {
            return breach(format!("TAMPERING: the log signed another tree of {size} entries:\n{}", head.checkpoint));
        }
        match checked.log_time {
            Some(time) if time != Seconds(head.time) => {
                breach(format!("the log lists a head under the time {}, which it signed at {time}", head.time))
            }
            Some(time) => check_time(store, cursor.range.size(), size, time),
            None => Ok(None),
        }
    }
}

/// The last entry is not after the head's time.
fn check_end(store: &AuditStore, cursor: &Cursor, head: &Head, outcome: &mut Outcome) -> Result<(), Error> {
    let checkpoint = &head.checked.checkpoint;
    if cursor.range.root() != checkpoint.root() || cursor.range.size() != checkpoint.size() {
        return Err(Error::not_proven("the entries do not lead to the signed root"));
    }
    match head.checked.log_time {
        Some(time) => outcome.breaches.extend(check_time(store, cursor.range.size(), checkpoint.size(), time)?),
        None => outcome.remarks.push(
            "the trust file has no line for the log's time key, so times were not held against the head's".into(),
        ),
    }
    if matches!(head.seen, Seen::Earlier(_)) {
        outcome.remarks.push("this is not the newest head that was seen".into());
    }
    Ok(())
}

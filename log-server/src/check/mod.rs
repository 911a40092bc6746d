//! The whole log checked against itself, offline.
//!
//! Every entry is hashed again, every stored hash of every tile level and the root are derived again, every entry's form,
//! time, links, signatures and right to speak are judged again, every kept signed head is verified against the tree, and
//! state and rows are folded anew from nothing and compared key by key with the stored ones. The first difference ends the
//! check and is named with its place.

mod entries;
mod heads;
mod scratch;
mod state;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use proto::fold;
use proto::hash::Hash;
use proto::merkle::root_at;
use proto::num::TreeSize;
use proto::tile::TileTree;

use crate::sequencer::StoreTiles;
use crate::signer::{RecordError, SignedRecord};
use crate::store::{Head, Store, StoreError};

/// What was found to be other than it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where: `entry 5`, `tile level 0, hash 7`, `state …`.
    pub place: String,
    /// What is there and what should be.
    pub what: String,
}

/// The result of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The committed tree's size.
    pub size: u64,
    /// Its root, once it was derived again.
    pub root: Option<Hash>,
    /// Entries that were hashed and judged.
    pub entries: u64,
    /// Stored hashes of all tile levels that were derived again.
    pub hashes: u64,
    /// Signed heads that were verified.
    pub heads: u64,
    /// State keys that were compared.
    pub state: u64,
    /// Rows that were compared.
    pub rows: u64,
    /// The first difference; `None` when all is as it should be.
    pub difference: Option<Difference>,
}

/// Why a check could not be carried through. It says nothing about the log.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The store could not be read.
    #[error(transparent)]
    Store(StoreError),
    /// The folder for the state that is folded anew could not be used.
    #[error("the scratch folder cannot be used: {0}; name one with room for the log's indexes with --scratch")]
    Scratch(String),
    /// The log applies rules that this program does not know.
    #[error("{0}")]
    Rules(String),
}

/// What is checked besides the store.
#[derive(Debug)]
pub struct Beside<'a> {
    /// The vkeys of the configured keys: the log's and its time's.
    pub vkeys: Option<(String, String)>,
    /// The signer's record.
    pub record: Option<Result<Option<SignedRecord>, RecordError>>,
    /// A folder with room for the log's indexes; what is written there is removed at the end.
    pub scratch: &'a Path,
}

/// Is told how far the check is.
pub trait Progress {
    /// A part begins, with about so many steps.
    fn part(&self, name: &'static str, steps: u64);
    /// So many steps of it are done.
    fn done(&self, steps: u64);
}

/// How a part of the check ends early.
enum Ended {
    Differs(Difference),
    Failed(CheckError),
}

/// A difference at a place.
fn differs(place: impl Into<String>, what: impl Into<String>) -> Ended {
    Ended::Differs(Difference { place: place.into(), what: what.into() })
}

/// Damage that the store itself reports is a difference; anything else is a failure.
impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Ended {
        match error {
            StoreError::Corrupt(what) => differs("the store", what),
            StoreError::Rebuilding { next } => {
                differs("state and rows", format!("their rebuild stands at entry {next}; finish it with `rebuild`"))
            }
            other => Ended::Failed(CheckError::Store(other)),
        }
    }
}

/// Checks everything. `Err` means that the check itself failed.
pub fn run(store: &Arc<dyn Store>, beside: &Beside<'_>, progress: &dyn Progress) -> Result<Report, CheckError> {
    let mut report = Report::default();
    match run_into(&mut report, store, beside, progress) {
        Ok(()) => {}
        Err(Ended::Differs(difference)) => report.difference = Some(difference),
        Err(Ended::Failed(error)) => return Err(error),
    }
    Ok(report)
}

fn run_into(
    report: &mut Report,
    store: &Arc<dyn Store>,
    beside: &Beside<'_>,
    progress: &dyn Progress,
) -> Result<(), Ended> {
    let Some(head) = store.head()? else {
        return Err(differs("the head", "there is none: the log was never founded"));
    };
    report.size = head.size.0;
    if let Some(next) = store.rebuild_next()? {
        return Err(StoreError::Rebuilding { next }.into());
    }
    let scratch = scratch::Scratch::create(beside.scratch)?;
    entries::check(report, store, &head, &scratch, progress)?;
    let log = fold::constitution(&scratch).map_err(|stop| differs("the constitution", stop.to_string()))?;
    let log = log.ok_or_else(|| differs("entry 0", "it is not the log's constitution"))?;
    check_keys(&log.current, store.origin(), beside)?;
    let tree = TileTree::new(StoreTiles(store.clone()), head.size);
    if let Some(record) = &beside.record {
        check_record(record, &head, &tree)?;
    }
    heads::check(report, store, &head, &tree, &log.current, progress)?;
    state::check(report, store, &scratch, progress)
}

/// The constitution is this log's and names the configured keys.
fn check_keys(current: &fold::Constitution, origin: &str, beside: &Beside<'_>) -> Result<(), Ended> {
    if current.origin != origin {
        return Err(differs("entry 0", format!("it founds {}, the store is labelled {origin}", current.origin)));
    }
    let Some((log, time)) = &beside.vkeys else { return Ok(()) };
    for (name, stands, configured) in [("log", &current.log_vkey, log), ("time", &current.time_vkey, time)] {
        if stands != configured {
            let what = format!("entry 0 names {stands}, the configured key file holds {configured}");
            return Err(differs(format!("the {name} key"), what));
        }
    }
    Ok(())
}

/// What the signer remembers is a head of this very tree, and not above it.
fn check_record(
    record: &Result<Option<SignedRecord>, RecordError>,
    head: &Head,
    tree: &TileTree<StoreTiles>,
) -> Result<(), Ended> {
    const PLACE: &str = "the signer's record";
    let last = match record {
        Ok(Some(last)) => last,
        Ok(None) => return Err(differs(PLACE, "it says that nothing was ever signed")),
        Err(error) => return Err(differs(PLACE, error.to_string())),
    };
    if last.size > head.size || last.time > head.time {
        let what = format!(
            "a head of size {} at time {} was signed, the store has size {} at time {}; a backup that is too old was \
             restored",
            last.size, last.time, head.size, head.time
        );
        return Err(differs(PLACE, what));
    }
    check_root(PLACE, tree, last.size, last.root)
}

/// The tree had this root at this size.
fn check_root(place: &str, tree: &TileTree<StoreTiles>, size: TreeSize, root: Hash) -> Result<(), Ended> {
    let ours = root_at(tree, size).map_err(|error| differs(place, error.to_string()))?;
    if ours != root {
        let what =
            format!("it names the root {} at size {size}, the entries give {}", root.to_base64(), ours.to_base64());
        return Err(differs(place, what));
    }
    Ok(())
}

//! The fold run again over stored entries: what `check` compares with and what `rebuild` writes.
//!
//! Signatures are checked on all processors, everything else in the order of the entries.

use std::collections::HashMap;
use std::ops::ControlFlow;

use bytes::Bytes;
use proto::code::Code;
use proto::entry::Entry;
use proto::fold::{Changes, Checked, RULES_VERSION, State, Stop, Submission, check_signatures, step_checked};
use proto::num::LeafIndex;

use crate::store::{KeyValue, Store, StoreError};

/// Entries that are taken at once: enough work for every processor, little enough to hold.
pub const CHUNK_ENTRIES: u64 = 2048;

/// Bytes of entries that are taken at once, with the same reason.
pub const CHUNK_BYTES: usize = 16 << 20;

/// Why a run over the entries ended.
#[derive(Debug)]
pub enum Fault<E> {
    /// The entry is not one that the rules give at its place.
    Entry(LeafIndex, String),
    /// The state could not be read.
    State(E),
    /// The log applies rules that this program does not know.
    Rules(String),
}

/// The entries from `next` on, up to the bounds of a chunk and the size of the tree.
pub fn read_chunk(store: &dyn Store, next: u64, size: u64) -> Result<Vec<(LeafIndex, Bytes)>, StoreError> {
    let mut chunk = Vec::new();
    let mut bytes = 0;
    store.entries(next..size.min(next.saturating_add(CHUNK_ENTRIES)), &mut |index, entry| {
        bytes += entry.len();
        chunk.push((index, Bytes::copy_from_slice(entry)));
        if bytes < CHUNK_BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(chunk)
}

/// What a chunk changes over the state before it.
pub struct Pending<'a, S> {
    before: &'a S,
    state: HashMap<Vec<u8>, Vec<u8>>,
    rows: HashMap<Vec<u8>, Vec<u8>>,
}

impl<'a, S: State> Pending<'a, S> {
    fn new(before: &'a S) -> Pending<'a, S> {
        Pending { before, state: HashMap::new(), rows: HashMap::new() }
    }

    fn apply(&mut self, changes: Changes) {
        self.state.extend(changes.state);
        self.rows.extend(changes.rows);
    }

    /// The changed state and rows, each key once, ascending.
    pub fn into_changes(self) -> (Vec<KeyValue>, Vec<KeyValue>) {
        let sorted = |map: HashMap<_, _>| {
            let mut pairs: Vec<KeyValue> = map.into_iter().collect();
            pairs.sort_unstable();
            pairs
        };
        (sorted(self.state), sorted(self.rows))
    }
}

impl<S: State> State for Pending<'_, S> {
    type Error = S::Error;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, S::Error> {
        match self.state.get(key) {
            Some(value) => Ok(Some(value.clone())),
            None => self.before.read(key),
        }
    }
}

/// Runs the fold over a chunk. `each` sees every claim before its step and may object.
pub fn fold_chunk<'a, S>(
    before: &'a S,
    chunk: &[(LeafIndex, Bytes)],
    each: &mut dyn FnMut(&Entry, &Checked) -> Result<(), String>,
) -> Result<Pending<'a, S>, Fault<S::Error>>
where
    S: State + Sync,
    S::Error: Send,
{
    let mut pending = Pending::new(before);
    for ((index, _), verified) in chunk.iter().zip(verify_all(before, chunk)) {
        let wrong = |what: String| Fault::Entry(*index, what);
        let (entry, checked) = match verified {
            Verified::Checked(entry, checked) => (entry, *checked),
            Verified::KeyUnknown(entry, submission) => {
                let checked = check_signatures(*submission, &pending).map_err(|stop| fault(*index, stop))?;
                (entry, checked)
            }
            Verified::Wrong(what) => return Err(wrong(what)),
            Verified::State(error) => return Err(Fault::State(error)),
        };
        each(&entry, &checked).map_err(wrong)?;
        let stepped = step_checked(*index, entry.timestamp, entry.links, &checked, &pending);
        pending.apply(stepped.map_err(|stop| fault(*index, stop))?);
    }
    Ok(pending)
}

fn fault<E>(index: LeafIndex, stop: Stop<E>) -> Fault<E> {
    match stop {
        Stop::State(error) => Fault::State(error),
        Stop::UnknownRules(version) => Fault::Rules(format!(
            "the log applies rules version {version}; this program knows up to {RULES_VERSION}: update it"
        )),
        Stop::Refused(refused) => Fault::Entry(index, refused.to_string()),
        Stop::Corrupt(place) => Fault::Entry(index, format!("the state before it is corrupt at {place}")),
    }
}

/// An entry whose form and signatures were looked at on their own.
enum Verified<E> {
    Checked(Entry, Box<Checked>),
    /// A key that an entry shortly before may have enrolled.
    KeyUnknown(Entry, Box<Submission>),
    Wrong(String),
    State(E),
}

fn verify_all<S>(state: &S, chunk: &[(LeafIndex, Bytes)]) -> Vec<Verified<S::Error>>
where
    S: State + Sync,
    S::Error: Send,
{
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let part = chunk.len().div_ceil(workers).max(1);
    std::thread::scope(|scope| {
        let work = |part| move || verify_part(state, part);
        let threads: Vec<_> = chunk.chunks(part).map(|part| (scope.spawn(work(part)), part)).collect();
        // A thread that panicked is run again here, where its panic is everybody's.
        threads
            .into_iter()
            .flat_map(|(thread, part)| thread.join().unwrap_or_else(|_| verify_part(state, part)))
            .collect()
    })
}

fn verify_part<S: State>(state: &S, part: &[(LeafIndex, Bytes)]) -> Vec<Verified<S::Error>> {
    part.iter().map(|(_, bytes)| verify(state, bytes)).collect()
}

fn verify<S: State>(state: &S, bytes: &[u8]) -> Verified<S::Error> {
    let entry = match Entry::decode(bytes) {
        Ok(entry) => entry,
        Err(error) => return Verified::Wrong(error.to_string()),
    };
    let submission = match Submission::from_entry(&entry) {
        Ok(submission) => submission,
        Err(refused) => return Verified::Wrong(refused.to_string()),
    };
    match check_signatures(submission.clone(), state) {
        Ok(checked) => Verified::Checked(entry, Box::new(checked)),
        Err(Stop::Refused(refused)) if refused.code == Code::KeyUnknown => {
            Verified::KeyUnknown(entry, Box::new(submission))
        }
        Err(Stop::Refused(refused)) => Verified::Wrong(refused.to_string()),
        Err(Stop::State(error)) => Verified::State(error),
        Err(Stop::Corrupt(place)) => Verified::Wrong(format!("the state before it is corrupt at {place}")),
        Err(Stop::UnknownRules(version)) => Verified::Wrong(format!("rules version {version} is not known here")),
    }
}

//! What must be true of a log, whatever failed: `check_log` looks at the disk itself, beside all faults.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;

use bytes::Bytes;
use proto::checkpoint::VerifiedCheckpoint;
use proto::claim::ClaimId;
use proto::entry::Entry;
use proto::fold;
use proto::hash::{HASH_BYTES, Hash};
use proto::merkle::{CompactRange, verify_inclusion};
use proto::note::{Note, Verifier, Vkey};
use proto::num::{LeafIndex, Millis, Seconds, TreeSize};

use crate::sequencer::{Accepted, Published};
use crate::signer::HeadToSign;
use crate::store::memory::MemoryStore;
use crate::store::{Direction, Store, TILE_WIDTH};
use crate::testing::{ORIGIN, log_keys};

/// What is wrong.
pub(super) type Wrong = String;

/// A claim that the log acknowledged.
#[derive(Debug, Clone)]
struct Acknowledged {
    index: LeafIndex,
    /// The entry's hash; unknown when the answer was "known already".
    leaf: Option<Hash>,
}

/// The log folded again, and all that was ever said to anyone.
#[derive(Clone, Default)]
pub(super) struct Model {
    entries: Vec<Bytes>,
    times: Vec<Millis>,
    ids: HashMap<ClaimId, LeafIndex>,
    state: HashMap<Vec<u8>, Vec<u8>>,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    range: CompactRange,
    /// Roots by size, from size 0 on.
    roots: Vec<Hash>,
    /// Stored hashes by tile level and index.
    hashes: BTreeMap<(u8, u64), Hash>,
    acknowledged: BTreeMap<ClaimId, Acknowledged>,
    /// Digests of what was accepted: a claim may come again with other signatures.
    accepted: HashSet<Hash>,
    /// Every head that left the signer, by time and size.
    signed: BTreeMap<(Seconds, TreeSize), (Hash, Bytes)>,
    shown: Option<HeadToSign>,
    reports: BTreeMap<Vec<u8>, Vec<u8>>,
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), Wrong> {
    if holds { Ok(()) } else { Err(what()) }
}

impl Model {
    /// Nothing yet.
    pub(super) fn new() -> Model {
        Model { roots: vec![Hash::EMPTY_ROOT], ..Model::default() }
    }

    /// A head left the signer with this note.
    pub(super) fn signed(&mut self, head: &HeadToSign, note: &str) -> Result<(), Wrong> {
        let place = format!("the signed head of size {} at {}", head.size, head.time);
        verify(note.as_bytes(), head).map_err(|what| format!("{place}: {what}"))?;
        let (root, bytes) = (head.root, Bytes::copy_from_slice(note.as_bytes()));
        match self.signed.insert((head.time, head.size), (root, bytes.clone())) {
            Some(before) if before != (root, bytes) => Err(format!("{place} was signed before with other bytes")),
            _ => Ok(()),
        }
    }

    /// A head was shown.
    pub(super) fn shown(&mut self, published: &Published) -> Result<(), Wrong> {
        let head = HeadToSign { size: published.head.size, root: published.head.root, time: published.head.time };
        let signed = self.signed.get(&(head.time, head.size));
        ensure(signed.is_some_and(|(root, note)| (*root, note) == (head.root, &published.note)), || {
            format!("a head of size {} was shown that was not signed so", head.size)
        })?;
        if let Some(before) = &self.shown {
            ensure(before.size <= head.size && before.time <= head.time, || {
                format!("heads go back: size {} at {} after {before:?}", head.size, head.time)
            })?;
        }
        self.shown = Some(head);
        Ok(())
    }

    /// The log accepted a claim.
    pub(super) fn accepted(&mut self, accepted: &Accepted, digest: Hash, payload: &[u8]) -> Result<(), Wrong> {
        let (id, index) = (accepted.claim_id, accepted.index);
        let entry = Entry {
            timestamp: accepted.timestamp,
            links: accepted.links,
            payload_type: proto::claim::PAYLOAD_TYPE.to_owned(),
            payload: payload.to_vec(),
            signatures: accepted.signatures.clone(),
        };
        let leaf = Hash::leaf(&entry.encode().map_err(|e| e.to_string())?);
        let head = self.shown.ok_or("a claim was acknowledged before any head was shown")?;
        let note = self.signed.get(&(head.time, head.size)).map(|(_, note)| note);
        ensure(note == Some(&accepted.note), || format!("entry {index} was acknowledged under a head not shown"))?;
        verify_inclusion(index, head.size, leaf, &accepted.inclusion, &head.root)
            .map_err(|error| format!("the proof of acknowledged entry {index}: {error}"))?;
        self.accepted.insert(digest);
        let known = self.acknowledged.insert(id, Acknowledged { index, leaf: Some(leaf) });
        ensure(known.is_none(), || format!("{id} was acknowledged as new twice: {known:?}, now at {index}"))
    }

    /// The log said that it has a claim already.
    pub(super) fn known(&mut self, id: ClaimId, index: LeafIndex) -> Result<(), Wrong> {
        let known = self.acknowledged.entry(id).or_insert(Acknowledged { index, leaf: None });
        ensure(known.index == index, || format!("{id} was acknowledged as {}, now as {index}", known.index))
    }

    /// The log refused a claim, with these signatures, for good.
    pub(super) fn refused(&self, id: ClaimId, digest: Hash, why: &proto::code::Refused) -> Result<(), Wrong> {
        ensure(!self.accepted.contains(&digest), || format!("{id} was acknowledged, now it is refused: {why}"))
    }

    /// A report was kept.
    pub(super) fn report(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.reports.insert(key, value);
    }

    /// Whether a claim is an entry of the log as it was last checked.
    pub(super) fn contains(&self, id: &ClaimId) -> bool {
        self.ids.contains_key(id)
    }

    /// Entries of the log as it was last checked.
    pub(super) fn size(&self) -> usize {
        self.entries.len()
    }

    /// Re-verifies everything that the disk holds against itself and against all that was ever said.
    pub(super) fn check_log(&mut self, disk: &MemoryStore) -> Result<(), Wrong> {
        self.fold_again(disk)?;
        self.check_stored(disk)?;
        self.check_said(disk)
    }

    /// The same of what is stored alone, from the first entry on.
    pub(super) fn check_stored_log(&self, disk: &MemoryStore) -> Result<(), Wrong> {
        let mut fresh = Model { signed: self.signed.clone(), ..Model::new() };
        fresh.fold_again(disk)?;
        fresh.check_stored(disk)?;
        fresh.check_heads(disk)
    }

    /// Folds what is new since the last time; from the start, if what was there is not.
    fn fold_again(&mut self, disk: &MemoryStore) -> Result<(), Wrong> {
        let size = disk.head().map_err(|e| e.to_string())?.map_or(0, |head| head.size.0);
        let mut stored = Vec::new();
        let mut take = |_: LeafIndex, bytes: &[u8]| {
            stored.push(Bytes::copy_from_slice(bytes));
            ControlFlow::Continue(())
        };
        disk.entries(0..size, &mut take).map_err(|e| e.to_string())?;
        if !stored.starts_with(&self.entries) {
            // A commit that was never synced is gone. That nothing else is missing is what `check_said` sees.
            let Model { acknowledged, accepted, signed, shown, reports, .. } = std::mem::take(self);
            *self = Model { acknowledged, accepted, signed, shown, reports, ..Model::new() };
        }
        let known = self.entries.len();
        stored.into_iter().skip(known).try_for_each(|bytes| self.fold(bytes))
    }

    fn fold(&mut self, bytes: Bytes) -> Result<(), Wrong> {
        let index = LeafIndex(self.entries.len() as u64);
        let wrong = |what: &dyn std::fmt::Display| format!("entry {index}: {what}");
        let entry = Entry::decode(&bytes).map_err(|e| wrong(&e))?;
        ensure(self.times.last().is_none_or(|last| *last <= entry.timestamp), || wrong(&"its time goes back"))?;
        let changes = fold::step(index, &entry, &self.state).map_err(|e| wrong(&e))?;
        self.state.extend(changes.state);
        self.rows.extend(changes.rows);
        let twin = self.ids.insert(ClaimId::of(&entry.payload_type, &entry.payload), index);
        ensure(twin.is_none(), || wrong(&"its claim is in the log already"))?;
        let hashes = &mut self.hashes;
        self.range.append_collect(Hash::leaf(&bytes), &mut |level, at, hash| {
            hashes.insert((level, at), hash);
        });
        self.roots.push(self.range.root());
        self.times.push(entry.timestamp);
        self.entries.push(bytes);
        Ok(())
    }

    /// Head, hashes, state and rows are those that the entries give.
    fn check_stored(&self, disk: &MemoryStore) -> Result<(), Wrong> {
        let head = disk.head().map_err(|e| e.to_string())?;
        let Some(head) = head else {
            return ensure(self.entries.is_empty(), || "there are entries and no head".into());
        };
        ensure(head.root == self.range.root(), || "the head's root is not the one of the entries".into())?;
        let last = self.times.last().copied().unwrap_or_default();
        ensure(head.last_timestamp == last && head.time >= last.seconds(), || format!("the times of {head:?}"))?;
        self.check_hashes(disk, 0, head.size.0)?;
        self.check_hashes(disk, 1, head.size.0 / TILE_WIDTH)?;
        let mut state = Comparison { what: "state", ..Comparison::default() };
        let scanned = disk.state_scan(None, &mut |key, value| state.compare(key, value, self.state.get(key)));
        scanned.map_err(|e| e.to_string())?;
        state.ended(self.state.len())?;
        let mut rows = Comparison { what: "row", ..Comparison::default() };
        let each = &mut |key: &[u8], value: &[u8]| rows.compare(key, value, self.rows.get(key));
        disk.rows(b"", None, Direction::Forward, each).map_err(|e| e.to_string())?;
        rows.ended(self.rows.len())
    }

    /// The first `count` stored hashes of a tile level are those that the entries give.
    fn check_hashes(&self, disk: &MemoryStore, level: u8, count: u64) -> Result<(), Wrong> {
        for tile in 0..count.div_ceil(TILE_WIDTH) {
            let width = (count - tile * TILE_WIDTH).min(TILE_WIDTH);
            let stored = disk.tile(level, tile, u16::try_from(width).unwrap_or(0)).map_err(|e| e.to_string())?;
            for (at, hash) in (tile * TILE_WIDTH..).zip(stored.chunks_exact(HASH_BYTES)) {
                let derived = self.hashes.get(&(level, at)).is_some_and(|derived| derived.0 == hash);
                ensure(derived, || format!("the stored hash {at} of level {level} is another one"))?;
            }
        }
        Ok(())
    }

    /// Nothing that was ever said is wrong now.
    fn check_said(&self, disk: &MemoryStore) -> Result<(), Wrong> {
        for (id, known) in &self.acknowledged {
            let there = self.ids.get(id) == Some(&known.index);
            ensure(there, || format!("{id} was acknowledged as entry {} and is not there", known.index))?;
            let place = usize::try_from(known.index.0).unwrap_or(usize::MAX);
            let stored = self.entries.get(place).map(|bytes| Hash::leaf(bytes));
            ensure(known.leaf.is_none() || stored == known.leaf, || format!("entry {} has other bytes", known.index))?;
        }
        self.check_heads(disk)?;
        let mut reports = BTreeMap::new();
        let scanned = disk.reports(None, &mut |key, value| {
            reports.insert(key.to_vec(), value.to_vec());
            ControlFlow::Continue(())
        });
        scanned.map_err(|e| e.to_string())?;
        let kept = self.reports.iter().all(|(key, value)| reports.get(key) == Some(value));
        ensure(kept, || "a report that was kept is gone".into())
    }

    /// Every head ever signed is one of this log, and those that are kept are among them.
    fn check_heads(&self, disk: &MemoryStore) -> Result<(), Wrong> {
        let mut before: Option<TreeSize> = None;
        for ((time, size), (root, _)) in &self.signed {
            self.check_head(*time, *size, root).map_err(|what| format!("head of size {size} at {time}: {what}"))?;
            ensure(before.is_none_or(|before| before <= *size), || format!("heads shrink at {time}"))?;
            before = Some(*size);
        }
        let mut wrong = Ok(());
        let scanned = disk.signed_heads(None, Direction::Forward, &mut |kept| {
            let signed = self.signed.get(&(kept.key.time, kept.key.size)).is_some_and(|(_, note)| *note == kept.note);
            wrong = ensure(signed, || format!("a kept head {:?} was never signed so", kept.key));
            if signed { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        scanned.map_err(|e| e.to_string())?;
        wrong
    }

    /// The head is one of this tree, and keeps the rule of time (DESIGN §3 "Time").
    fn check_head(&self, time: Seconds, size: TreeSize, root: &Hash) -> Result<(), Wrong> {
        let place = usize::try_from(size.0).unwrap_or(usize::MAX);
        ensure(self.roots.get(place) == Some(root), || "the log does not extend it".into())?;
        let below = place.checked_sub(1).and_then(|below| self.times.get(below));
        ensure(below.is_none_or(|at| at.seconds() <= time), || "an entry below it is later".into())?;
        ensure(self.times.get(place).is_none_or(|at| at.seconds() >= time), || "an entry above it is earlier".into())
    }
}

/// Stored pairs held against derived ones, until the first that differs.
#[derive(Default)]
struct Comparison {
    what: &'static str,
    seen: usize,
    wrong: Option<Wrong>,
}

impl Comparison {
    fn compare(&mut self, key: &[u8], stored: &[u8], derived: Option<&Vec<u8>>) -> ControlFlow<()> {
        self.seen += 1;
        if derived.is_some_and(|derived| derived == stored) {
            return ControlFlow::Continue(());
        }
        self.wrong = Some(format!("stored {} \"{}\" is not what the entries give", self.what, key.escape_ascii()));
        ControlFlow::Break(())
    }

    /// Nothing differs, and nothing of what is derived is missing.
    fn ended(self, derived: usize) -> Result<(), Wrong> {
        let Comparison { what, seen, wrong } = self;
        wrong.map_or(Ok(()), Err)?;
        ensure(seen == derived, || format!("{derived} of {what} are derived, {seen} are stored"))
    }
}

/// The note says this head, signed with both keys of the log.
fn verify(note: &[u8], head: &HeadToSign) -> Result<(), Wrong> {
    let keys = log_keys();
    let verifier = |vkey: &str| -> Result<Verifier, Wrong> {
        Verifier::new(&Vkey::parse(vkey).map_err(|e| e.to_string())?).map_err(|e| e.to_string())
    };
    let (log, time) = (verifier(&keys.log_vkey())?, verifier(&keys.time_vkey())?);
    let note = Note::parse(note).map_err(|e| e.to_string())?;
    let verified = VerifiedCheckpoint::verify(note, ORIGIN, std::slice::from_ref(&log), std::slice::from_ref(&time));
    let verified = verified.map_err(|e| e.to_string())?;
    let stamped = verified.note().signature_by(time.vkey()).and_then(|signature| signature.time());
    let says = (verified.size(), verified.root(), stamped);
    ensure(says == (head.size, head.root, Some(head.time)), || format!("the note says {says:?}"))
}

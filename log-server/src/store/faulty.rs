//! A store that fails on a schedule: for the tests of whoever must live with failures.
//!
//! Each fault is there in both forms that matter: the write was lost, and the write is there although an error came back.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use proto::hash::{HASH_BYTES, Hash};
use proto::num::{LeafIndex, Seconds};

use super::error::{Commit, StoreError};
use super::types::{Batch, Direction, Head, HeadKey, KeyValue, SignedHead, StoreStats, TILE_WIDTH};
use super::{EachEntry, EachHead, EachPair, Store};

/// What happens to a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitFault {
    /// It is lost, and the store knows.
    Lost,
    /// The disk's reserve would be touched: it was never tried.
    NoRoom,
    /// It is lost, and the store does not know.
    LostUnknown,
    /// It is stored, and the store does not know.
    PersistedUnknown,
}

/// What else can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Reading the committed head.
    Head,
    /// Reading one entry or many.
    Entries,
    /// Reading a tile.
    Tile,
    /// Reading the state.
    State,
    /// Reading rows.
    Rows,
    /// Reading signed heads.
    SignedHeads,
    /// Keeping a signed head. It is lost, and the store is in doubt afterwards.
    PutSignedHead,
    /// Recovering. The store stays in doubt.
    Recover,
}

#[derive(Debug, Default)]
struct Plan {
    commits: VecDeque<Option<CommitFault>>,
    /// Calls of an operation that still go well, and then those that fail.
    operations: BTreeMap<Operation, (usize, usize)>,
    entry_bits: Vec<(u64, usize)>,
    hash_bits: Vec<(u8, u64, usize)>,
    doubt: bool,
}

/// The schedule of a [`FaultyStore`]; clones are the same schedule.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

impl Faults {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens to the next commits that would succeed, in order; `None` lets one through. Beyond the schedule all succeed.
    pub fn schedule(&self, commits: impl IntoIterator<Item = Option<CommitFault>>) {
        self.plan().commits.extend(commits);
    }

    /// After `well` calls of an operation that go well, the next `badly` calls fail.
    pub fn fail(&self, operation: Operation, well: usize, badly: usize) {
        self.plan().operations.insert(operation, (well, badly));
    }

    /// From now on one bit of an entry is read wrongly; bits count from the first byte's highest.
    pub fn flip_entry_bit(&self, index: LeafIndex, bit: usize) {
        self.plan().entry_bits.push((index.0, bit));
    }

    /// From now on one bit of a tile level's hash is read wrongly. `index` counts in the level.
    pub fn flip_hash_bit(&self, level: u8, index: u64, bit: usize) {
        self.plan().hash_bits.push((level, index, bit));
    }

    /// Forgets all that is planned. A store in doubt stays in doubt.
    pub fn heal(&self) {
        let mut plan = self.plan();
        *plan = Plan { doubt: plan.doubt, ..Plan::default() };
    }

    /// Whether a write failed and nobody has recovered.
    pub fn in_doubt(&self) -> bool {
        self.plan().doubt
    }

    fn meet(&self, operation: Operation) -> Result<(), StoreError> {
        let mut plan = self.plan();
        match plan.operations.get_mut(&operation) {
            Some((0, badly @ 1..)) => {
                *badly -= 1;
                Err(injected(&format!("{operation:?}")))
            }
            Some((well @ 1.., _)) => {
                *well -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn spoil_entry(&self, index: LeafIndex, entry: &mut [u8]) {
        let plan = self.plan();
        plan.entry_bits.iter().filter(|(spoilt, _)| *spoilt == index.0).for_each(|(_, bit)| flip(entry, *bit));
    }

    fn spoil_tile(&self, level: u8, index: u64, tile: &mut [u8]) {
        for (_, hash, bit) in self.plan().hash_bits.iter().filter(|(spoilt, ..)| *spoilt == level) {
            let place = hash.checked_sub(index.saturating_mul(TILE_WIDTH)).filter(|place| *place < TILE_WIDTH);
            let hash = place.and_then(|place| tile.chunks_exact_mut(HASH_BYTES).nth(usize::try_from(place).ok()?));
            if let Some(hash) = hash {
                flip(hash, *bit);
            }
        }
    }

    fn check_doubt(&self) -> Result<(), StoreError> {
        if self.in_doubt() { Err(StoreError::NeedsRecovery) } else { Ok(()) }
    }
}

fn injected(what: &str) -> StoreError {
    StoreError::Io(format!("injected fault: {what}"))
}

/// Flips a bit, if the bytes have it.
fn flip(bytes: &mut [u8], bit: usize) {
    if let Some(byte) = bytes.get_mut(bit / 8) {
        *byte ^= 0x80 >> (bit % 8);
    }
}

/// Damages what is stored, behind the store's back and with no regard to its contract.
pub trait Damage {
    /// Replaces the bytes of a stored entry.
    fn overwrite_entry(&self, index: LeafIndex, entry: &[u8]) -> Result<(), StoreError>;

    /// Replaces a stored hash of a tile level; `index` counts in the level.
    fn overwrite_hash(&self, level: u8, index: u64, hash: Hash) -> Result<(), StoreError>;
}

/// A store over another one, that fails as its [`Faults`] say.
#[derive(Debug)]
pub struct FaultyStore<S> {
    inner: S,
    faults: Faults,
}

impl<S: Store> FaultyStore<S> {
    /// Wraps a store. Keep a clone of the faults to plan them.
    pub fn new(inner: S, faults: Faults) -> FaultyStore<S> {
        FaultyStore { inner, faults }
    }

    /// The store within, which has no faults.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn doubtful(&self, error: StoreError) -> StoreError {
        self.faults.plan().doubt = true;
        error
    }
}

impl<S: Store> Store for FaultyStore<S> {
    fn origin(&self) -> &str {
        self.inner.origin()
    }

    fn head(&self) -> Result<Option<Head>, StoreError> {
        self.faults.meet(Operation::Head)?;
        self.inner.head()
    }

    fn commit(&self, expected: Option<&Head>, batch: &Batch) -> Commit {
        if let Err(error) = self.faults.check_doubt() {
            return Commit::DefinitelyNot(error);
        }
        let fault = self.faults.plan().commits.pop_front().flatten();
        match fault {
            None => self.inner.commit(expected, batch),
            Some(CommitFault::Lost) => Commit::DefinitelyNot(injected("commit lost")),
            Some(CommitFault::NoRoom) => Commit::DefinitelyNot(StoreError::DiskLow { free_bytes: 1, reserve_bytes: 2 }),
            Some(CommitFault::LostUnknown) => Commit::Unknown(self.doubtful(injected("commit, outcome unknown"))),
            Some(CommitFault::PersistedUnknown) => match self.inner.commit(expected, batch) {
                Commit::Committed => Commit::Unknown(self.doubtful(injected("commit, outcome unknown"))),
                refused => refused,
            },
        }
    }

    fn recover(&self) -> Result<Option<Head>, StoreError> {
        self.faults.meet(Operation::Recover)?;
        let head = self.inner.recover()?;
        self.faults.plan().doubt = false;
        Ok(head)
    }

    fn entry(&self, index: LeafIndex) -> Result<Option<Bytes>, StoreError> {
        self.faults.meet(Operation::Entries)?;
        let entry = self.inner.entry(index)?;
        Ok(entry.map(|entry| {
            let mut entry = entry.to_vec();
            self.faults.spoil_entry(index, &mut entry);
            entry.into()
        }))
    }

    fn entries(&self, range: Range<u64>, each: &mut EachEntry<'_>) -> Result<(), StoreError> {
        self.faults.meet(Operation::Entries)?;
        self.inner.entries(range, &mut |index, entry| {
            let mut entry = entry.to_vec();
            self.faults.spoil_entry(index, &mut entry);
            each(index, &entry)
        })
    }

    fn tile(&self, level: u8, index: u64, width: u16) -> Result<Vec<u8>, StoreError> {
        self.faults.meet(Operation::Tile)?;
        let mut tile = self.inner.tile(level, index, width)?;
        self.faults.spoil_tile(level, index, &mut tile);
        Ok(tile)
    }

    fn state(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.faults.meet(Operation::State)?;
        self.inner.state(key)
    }

    fn state_scan(&self, after: Option<&[u8]>, each: &mut EachPair<'_>) -> Result<(), StoreError> {
        self.faults.meet(Operation::State)?;
        self.inner.state_scan(after, each)
    }

    fn rows(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        direction: Direction,
        each: &mut EachPair<'_>,
    ) -> Result<(), StoreError> {
        self.faults.meet(Operation::Rows)?;
        self.inner.rows(prefix, after, direction, each)
    }

    fn put_signed_head(&self, head: &SignedHead) -> Result<(), StoreError> {
        self.faults.check_doubt()?;
        self.faults.meet(Operation::PutSignedHead).map_err(|error| self.doubtful(error))?;
        self.inner.put_signed_head(head)
    }

    fn signed_heads(
        &self,
        after: Option<HeadKey>,
        direction: Direction,
        each: &mut EachHead<'_>,
    ) -> Result<(), StoreError> {
        self.faults.meet(Operation::SignedHeads)?;
        self.inner.signed_heads(after, direction, each)
    }

    fn prune_heads(&self, now: Seconds) -> Result<u64, StoreError> {
        self.faults.check_doubt()?;
        self.inner.prune_heads(now)
    }

    fn put_report(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.faults.check_doubt()?;
        self.inner.put_report(key, value)
    }

    fn reports(&self, after: Option<&[u8]>, each: &mut EachPair<'_>) -> Result<(), StoreError> {
        self.inner.reports(after, each)
    }

    fn rebuild_start(&self) -> Result<(), StoreError> {
        self.faults.check_doubt()?;
        self.inner.rebuild_start()
    }

    fn rebuild_next(&self) -> Result<Option<LeafIndex>, StoreError> {
        self.inner.rebuild_next()
    }

    fn rebuild_put(
        &self,
        from: LeafIndex,
        next: LeafIndex,
        state: &[KeyValue],
        rows: &[KeyValue],
    ) -> Result<(), StoreError> {
        self.faults.check_doubt()?;
        self.inner.rebuild_put(from, next, state, rows)
    }

    fn rebuild_finish(&self) -> Result<(), StoreError> {
        self.faults.check_doubt()?;
        self.inner.rebuild_finish()
    }

    fn disk_free(&self) -> Result<Option<u64>, StoreError> {
        self.inner.disk_free()
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        self.inner.stats()
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.inner.flush()
    }

    fn close(&self) -> Result<(), StoreError> {
        self.inner.close()
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance::{GrowingLog, ORIGIN, check_log};
    use super::super::error::FenceMismatch;
    use super::super::memory::MemoryStore;
    use super::*;

    #[test]
    fn faults_are_lost_or_persisted_as_planned() {
        let faults = Faults::default();
        let store = FaultyStore::new(MemoryStore::new(ORIGIN), faults.clone());
        let mut log = GrowingLog::default();
        log.grow(&store, 5);
        faults.schedule([
            Some(CommitFault::Lost),
            None,
            Some(CommitFault::LostUnknown),
            None,
            Some(CommitFault::PersistedUnknown),
        ]);
        let mut next = log.clone();
        let batch = next.batch(5);
        assert!(matches!(store.commit(log.head(), &batch), Commit::DefinitelyNot(StoreError::Io(_))));
        log.grow(&store, 5);
        for persisted in [false, true] {
            let mut next = log.clone();
            let batch = next.batch(5);
            assert!(matches!(store.commit(log.head(), &batch), Commit::Unknown(_)));
            assert!(faults.in_doubt());
            assert!(matches!(store.commit(log.head(), &batch), Commit::DefinitelyNot(StoreError::NeedsRecovery)));
            faults.fail(Operation::Recover, 0, 1);
            assert!(store.recover().is_err() && faults.in_doubt());
            let head = store.recover().expect("the second try");
            assert_eq!(head.as_ref() == Some(&batch.head), persisted);
            if persisted {
                next.taken(&batch);
                log = next;
            } else {
                log.grow(&store, 1);
            }
            check_log(&store);
        }
        // The fence is older than any plan.
        faults.schedule([Some(CommitFault::PersistedUnknown)]);
        let outcome = store.commit(None, &log.clone().batch(1));
        assert!(
            matches!(&outcome, Commit::DefinitelyNot(StoreError::Fence(mismatch))
            if **mismatch == FenceMismatch { expected: None, found: log.head().copied() }),
            "{outcome:?}"
        );
        faults.flip_entry_bit(LeafIndex(3), 9);
        faults.flip_hash_bit(0, 3, 255);
        let spoilt = store.entry(LeafIndex(3)).expect("readable").expect("there");
        let whole = GrowingLog::entry(3);
        assert_eq!((spoilt[0], spoilt[1] ^ whole[1], &spoilt[2..]), (whole[0], 0x40, &whole[2..]));
        let leaf = Hash::leaf(&whole).0;
        assert_eq!(store.tile(0, 0, 4).expect("readable")[96 + 31], leaf[31] ^ 1);
        faults.heal();
        check_log(&store);
    }
}

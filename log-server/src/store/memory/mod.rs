//! A store in main memory, for tests and benchmarks.
//!
//! It keeps the contract but for the loss of power: its data lives as long as one of the stores opened over it.

#[cfg(any(test, feature = "conformance"))]
mod damage;

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::ops::{Bound, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use proto::hash::{HASH_BYTES, Hash};
use proto::num::{LeafIndex, Seconds};
use service::thinning::{Thinning, thin_before};

use crate::store::check::{check_pair, check_range, check_tile};
use crate::store::error::{Commit, FenceMismatch, StoreError};
use crate::store::types::{Batch, Direction, Head, HeadKey, KeyValue, SignedHead, StoreStats, TILE_WIDTH};
use crate::store::{EachEntry, EachHead, EachPair, Store};

#[cfg(any(test, feature = "conformance"))]
pub use damage::{Moment, Part};

type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

/// Everything stored. Cloned only when a commit meets a scan: scans hold on to the data of their moment.
#[derive(Debug, Clone, Default)]
struct Data {
    head: Option<Head>,
    entries: BTreeMap<u64, Bytes>,
    tiles: BTreeMap<(u8, u64), Hash>,
    state: Pairs,
    rows: Pairs,
    reports: Pairs,
    heads: BTreeMap<HeadKey, Bytes>,
    thinned_before: Seconds,
    rebuild: Option<LeafIndex>,
}

/// A log in main memory.
#[derive(Debug)]
pub struct MemoryStore {
    origin: String,
    data: Arc<RwLock<Arc<Data>>>,
    closed: AtomicBool,
}

impl MemoryStore {
    /// An empty log of this origin.
    pub fn new(origin: &str) -> MemoryStore {
        MemoryStore { origin: origin.to_owned(), data: Arc::default(), closed: AtomicBool::new(false) }
    }

    /// Another store over the same data, as a program that starts again finds it.
    pub fn reopen(&self) -> MemoryStore {
        MemoryStore { origin: self.origin.clone(), data: Arc::clone(&self.data), closed: AtomicBool::new(false) }
    }

    /// The data of this moment. No lock is held afterwards.
    fn read(&self) -> Result<Arc<Data>, StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        // A writer that panicked has not replaced anything half: it changes the data under the lock only after its checks.
        Ok(Arc::clone(&self.data.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Runs one write alone; `change` must check before it changes.
    fn write<T>(&self, change: impl FnOnce(&mut Data) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut data = self.data.write().unwrap_or_else(PoisonError::into_inner);
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        change(Arc::make_mut(&mut data))
    }
}

impl Data {
    fn commit(&mut self, expected: Option<&Head>, batch: &Batch) -> Result<(), StoreError> {
        if self.head.as_ref() != expected {
            let mismatch = FenceMismatch { expected: expected.copied(), found: self.head };
            return Err(StoreError::Fence(Box::new(mismatch)));
        }
        if let Some(next) = self.rebuild {
            return Err(StoreError::Rebuilding { next });
        }
        batch.check(expected)?;
        self.entries.extend((batch.first.0..).zip(batch.entries.iter().cloned()));
        for run in &batch.tiles {
            self.tiles.extend((run.first..).zip(&run.hashes).map(|(index, hash)| ((run.level, index), *hash)));
        }
        self.state.extend(batch.state.iter().cloned());
        self.rows.extend(batch.rows.iter().cloned());
        self.head = Some(batch.head);
        Ok(())
    }

    fn prune(&mut self, now: Seconds) -> u64 {
        let before = thin_before(now);
        if before <= self.thinned_before {
            return 0;
        }
        let mut thinning = Thinning::default();
        let old = self.heads.keys().filter(|key| (self.thinned_before..before).contains(&key.time));
        let removed: Vec<HeadKey> = old.filter_map(|key| thinning.next(key.time, *key)).collect();
        for key in &removed {
            self.heads.remove(key);
        }
        self.thinned_before = before;
        removed.len() as u64
    }
}

impl Store for MemoryStore {
    fn origin(&self) -> &str {
        &self.origin
    }

    fn head(&self) -> Result<Option<Head>, StoreError> {
        Ok(self.read()?.head)
    }

    fn commit(&self, expected: Option<&Head>, batch: &Batch) -> Commit {
        match self.write(|data| data.commit(expected, batch)) {
            Ok(()) => Commit::Committed,
            Err(error) => Commit::DefinitelyNot(error),
        }
    }

    fn recover(&self) -> Result<Option<Head>, StoreError> {
        self.head()
    }

    fn entry(&self, index: LeafIndex) -> Result<Option<Bytes>, StoreError> {
        Ok(self.read()?.entries.get(&index.0).cloned())
    }

    fn entries(&self, range: Range<u64>, each: &mut EachEntry<'_>) -> Result<(), StoreError> {
        let data = self.read()?;
        check_range(&range, data.head.map(|head| head.size).unwrap_or_default())?;
        for index in range {
            let entry = data.entries.get(&index);
            let entry = entry.ok_or_else(|| StoreError::Corrupt(format!("entry {index} is missing")))?;
            if each(LeafIndex(index), entry).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn tile(&self, level: u8, index: u64, width: u16) -> Result<Vec<u8>, StoreError> {
        let data = self.read()?;
        check_tile(level, index, width, data.head.map(|head| head.size).unwrap_or_default())?;
        let first = index * TILE_WIDTH;
        let mut tile = Vec::with_capacity(usize::from(width) * HASH_BYTES);
        for place in first..first + u64::from(width) {
            let hash = data.tiles.get(&(level, place));
            let hash =
                hash.ok_or_else(|| StoreError::Corrupt(format!("hash {place} of tile level {level} is missing")))?;
            tile.extend_from_slice(&hash.0);
        }
        Ok(tile)
    }

    fn state(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.read()?.state.get(key).cloned())
    }

    fn state_scan(&self, after: Option<&[u8]>, each: &mut EachPair<'_>) -> Result<(), StoreError> {
        scan(&self.read()?.state, b"", after, Direction::Forward, each);
        Ok(())
    }

    fn rows(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        direction: Direction,
        each: &mut EachPair<'_>,
    ) -> Result<(), StoreError> {
        scan(&self.read()?.rows, prefix, after, direction, each);
        Ok(())
    }

    fn put_signed_head(&self, head: &SignedHead) -> Result<(), StoreError> {
        self.write(|data| {
            data.heads.insert(head.key, head.note.clone());
            Ok(())
        })
    }

    fn signed_heads(
        &self,
        after: Option<HeadKey>,
        direction: Direction,
        each: &mut EachHead<'_>,
    ) -> Result<(), StoreError> {
        let data = self.read()?;
        let mut show = |(key, note): (&HeadKey, &Bytes)| each(SignedHead { key: *key, note: note.clone() });
        let after = after.map_or(Unbounded, Excluded);
        // A scan that its reader ended is a scan that succeeded.
        let _ended = match direction {
            Direction::Forward => data.heads.range((after, Unbounded)).try_for_each(&mut show),
            Direction::Backward => data.heads.range((Unbounded, after)).rev().try_for_each(&mut show),
        };
        Ok(())
    }

    fn prune_heads(&self, now: Seconds) -> Result<u64, StoreError> {
        self.write(|data| Ok(data.prune(now)))
    }

    fn put_report(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let pair = (key.to_vec(), value.to_vec());
        check_pair(&pair)?;
        self.write(|data| {
            data.reports.extend([pair]);
            Ok(())
        })
    }

    fn reports(&self, after: Option<&[u8]>, each: &mut EachPair<'_>) -> Result<(), StoreError> {
        scan(&self.read()?.reports, b"", after, Direction::Forward, each);
        Ok(())
    }

    fn rebuild_start(&self) -> Result<(), StoreError> {
        self.write(|data| {
            data.state.clear();
            data.rows.clear();
            data.rebuild = Some(LeafIndex(0));
            Ok(())
        })
    }

    fn rebuild_next(&self) -> Result<Option<LeafIndex>, StoreError> {
        Ok(self.read()?.rebuild)
    }

    fn rebuild_put(
        &self,
        from: LeafIndex,
        next: LeafIndex,
        state: &[KeyValue],
        rows: &[KeyValue],
    ) -> Result<(), StoreError> {
        state.iter().chain(rows).try_for_each(check_pair)?;
        self.write(|data| {
            let size = data.head.map(|head| head.size).unwrap_or_default();
            if data.rebuild != Some(from) || next < from || next.0 > size.0 {
                return Err(StoreError::RebuildStep { expected: data.rebuild, given: from });
            }
            data.state.extend(state.iter().cloned());
            data.rows.extend(rows.iter().cloned());
            data.rebuild = Some(next);
            Ok(())
        })
    }

    fn rebuild_finish(&self) -> Result<(), StoreError> {
        self.write(|data| {
            let end = data.head.map(|head| head.size).unwrap_or_default().next_index();
            if data.rebuild != Some(end) {
                return Err(StoreError::RebuildStep { expected: data.rebuild, given: end });
            }
            data.rebuild = None;
            Ok(())
        })
    }

    fn disk_free(&self) -> Result<Option<u64>, StoreError> {
        self.read().map(|_| None)
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        let data = self.read()?;
        let bytes = |pairs: &Pairs| pairs.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum::<u64>();
        let mut stats = StoreStats {
            entries_bytes: data.entries.values().map(|entry| entry.len() as u64).sum(),
            tiles_bytes: (data.tiles.len() * HASH_BYTES) as u64,
            state_bytes: bytes(&data.state),
            rows_bytes: bytes(&data.rows),
            heads_bytes: data.heads.values().map(|note| note.len() as u64).sum(),
            reports_bytes: bytes(&data.reports),
            memory_bytes: 0,
        };
        let derived = stats.tiles_bytes + stats.state_bytes + stats.rows_bytes;
        stats.memory_bytes = stats.entries_bytes + derived + stats.heads_bytes + stats.reports_bytes;
        Ok(stats)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.read().map(|_| ())
    }

    fn close(&self) -> Result<(), StoreError> {
        self.closed.store(true, Ordering::Release);
        Ok(())
    }
}

/// Shows the pairs that start with `prefix`, beyond `after`.
fn scan(pairs: &Pairs, prefix: &[u8], after: Option<&[u8]>, direction: Direction, each: &mut EachPair<'_>) {
    let keys: (Bound<&[u8]>, Bound<&[u8]>) = (Included(prefix), Unbounded);
    let mut show = |(key, value): (&Vec<u8>, &Vec<u8>)| each(key, value);
    let within = pairs.range::<[u8], _>(keys).take_while(|(key, _)| key.starts_with(prefix));
    // A scan that its reader ended is a scan that succeeded.
    let _ended = match direction {
        Direction::Forward => {
            within.filter(|(key, _)| after.is_none_or(|after| key.as_slice() > after)).try_for_each(&mut show)
        }
        Direction::Backward => {
            let within: Vec<_> = within.filter(|(key, _)| after.is_none_or(|after| key.as_slice() < after)).collect();
            within.into_iter().rev().try_for_each(&mut show)
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{Disk, ORIGIN, grow_and_check, run};

    struct Kept(MemoryStore);

    impl Disk for Kept {
        fn open(&self) -> Arc<dyn Store> {
            Arc::new(self.0.reopen())
        }
    }

    #[test]
    fn conformance() {
        run(|| Box::new(Kept(MemoryStore::new(ORIGIN))));
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 16, ..Default::default() })]
        #[test]
        fn batches_of_any_shape(sizes in proptest::collection::vec(0usize..600, 1..6)) {
            grow_and_check(&MemoryStore::new(ORIGIN), &sizes);
        }
    }
}

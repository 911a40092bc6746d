//! A store that goes wrong by the seed's plan in every way that the contract of [`Store`] allows, and no other.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use proto::num::{LeafIndex, Seconds};

use super::plan::{Fate, Plan};
use crate::store::memory::{MemoryStore, Moment, Part};
use crate::store::{
    Batch, Commit, Direction, EachEntry, EachHead, EachPair, Head, HeadKey, KeyValue, SignedHead, Store, StoreError,
    StoreStats,
};

/// What happens to a batch on its way through memory to the store.
pub(super) type Spoil = Box<dyn FnOnce(&mut Batch) + Send>;

/// A write that comes later than its error.
enum Pending {
    Batch(Option<Head>, Box<Batch>),
    Signed(SignedHead),
}

#[derive(Default)]
struct Doubt {
    /// A write failed and nobody recovered.
    doubtful: bool,
    pending: Option<Pending>,
    /// The moment before a commit that can be read, but was never synced.
    before_unsynced: Option<Moment>,
    /// The moments before each signed head that was put since the last synced write.
    before_heads: Vec<Moment>,
    spoil: Option<Spoil>,
}

/// The store of one process over a disk that outlives it.
pub(super) struct WildStore {
    disk: MemoryStore,
    plan: Plan,
    doubt: Mutex<Doubt>,
}

fn injected(what: &str) -> StoreError {
    StoreError::Io(format!("injected fault: {what}"))
}

impl WildStore {
    /// A process opens the disk.
    pub(super) fn open(disk: &MemoryStore, plan: Plan) -> WildStore {
        WildStore { disk: disk.reopen(), plan, doubt: Mutex::default() }
    }

    fn doubt(&self) -> MutexGuard<'_, Doubt> {
        self.doubt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The head that outlives the loss of power, whatever reads say; `None` when that is not settled.
    pub(super) fn durable_head(&self) -> Option<Head> {
        let doubt = self.doubt();
        let settled = doubt.before_unsynced.is_none() && doubt.pending.is_none();
        self.disk.head().ok().flatten().filter(|_| settled)
    }

    /// The next batch that is committed is spoilt before it is stored.
    pub(super) fn spoil(&self, spoil: Spoil) {
        self.doubt().spoil = Some(spoil);
    }

    /// The process ended and the power was lost: what was not synced is lost, from some point on.
    pub(super) fn lose_power(&self) {
        self.settle();
        let mut doubt = self.doubt();
        let kept = self.plan.below(doubt.before_heads.len() + 1);
        if let Some(moment) = doubt.before_heads.get(kept) {
            self.disk.rewind(moment);
            self.plan.count("signed heads torn off in a crash");
        }
        doubt.before_heads.clear();
    }

    /// What was in doubt is decided, as when a process ends and the machine goes on: a late write comes or never will, an
    /// unsynced one stays or is gone.
    pub(super) fn settle(&self) {
        let mut doubt = self.doubt();
        if let Some(moment) = doubt.before_unsynced.take()
            && self.plan.coin()
        {
            self.disk.rewind(&moment);
            self.plan.count("unsynced commit was gone");
        }
        if let Some(pending) = doubt.pending.take()
            && self.plan.coin()
        {
            self.land(pending);
        }
    }

    fn land(&self, pending: Pending) {
        self.plan.count("late write arrived");
        match pending {
            Pending::Batch(expected, batch) => {
                let landed = self.disk.commit(expected.as_ref(), &batch);
                assert!(matches!(landed, Commit::Committed), "nothing can come between: {landed:?}");
            }
            Pending::Signed(head) => self.disk.put_signed_head(&head).expect("the disk is open"),
        }
    }

    /// A late write may come during any call.
    fn time_passes(&self) {
        if !self.plan.is_dead() && self.doubt().pending.is_some() && self.plan.below(8) == 0 {
            let pending = self.doubt().pending.take();
            pending.into_iter().for_each(|pending| self.land(pending));
        }
    }

    fn read(&self, what: &'static str) -> Result<(), StoreError> {
        self.time_passes();
        if self.plan.read_fails(what) { Err(injected(what)) } else { Ok(()) }
    }

    /// A synced write that is not a commit.
    fn write<T>(
        &self,
        what: &'static str,
        write: impl FnOnce(&MemoryStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.time_passes();
        if self.doubt().doubtful {
            return Err(StoreError::NeedsRecovery);
        }
        let fate = self.plan.write(&[Fate::Lost, Fate::Persisted], what);
        let done = match fate {
            Fate::Lost | Fate::DiesBefore => None,
            _ => Some(write(&self.disk)?),
        };
        if done.is_some() {
            self.doubt().before_heads.clear();
        }
        match (fate, done) {
            (Fate::Well, Some(done)) => Ok(done),
            _ => {
                self.doubt().doubtful = true;
                Err(injected(what))
            }
        }
    }
}

impl Store for WildStore {
    fn origin(&self) -> &str {
        self.disk.origin()
    }

    fn head(&self) -> Result<Option<Head>, StoreError> {
        self.read("read of the head failed")?;
        self.disk.head()
    }

    fn commit(&self, expected: Option<&Head>, batch: &Batch) -> Commit {
        const WAYS: [Fate; 5] = [Fate::Refused, Fate::Lost, Fate::Persisted, Fate::Late, Fate::Unsynced];
        self.time_passes();
        let mut doubt = self.doubt();
        if doubt.doubtful {
            return Commit::DefinitelyNot(StoreError::NeedsRecovery);
        }
        let mut batch = batch.clone();
        if let Some(spoil) = doubt.spoil.take() {
            spoil(&mut batch);
        }
        let fate = self.plan.write(&WAYS, "commit");
        let before = self.disk.moment();
        if matches!(fate, Fate::Well | Fate::Persisted | Fate::Unsynced | Fate::DiesAfter) {
            match self.disk.commit(expected, &batch) {
                Commit::Committed => {}
                refused => return refused,
            }
        }
        match fate {
            Fate::Well => {
                doubt.before_heads.clear();
                return Commit::Committed;
            }
            Fate::Refused => return Commit::DefinitelyNot(injected("commit refused")),
            Fate::Persisted | Fate::DiesAfter => doubt.before_heads.clear(),
            Fate::Unsynced => doubt.before_unsynced = Some(before),
            Fate::Late => doubt.pending = Some(Pending::Batch(expected.copied(), Box::new(batch))),
            Fate::Lost | Fate::DiesBefore => {}
        }
        doubt.doubtful = true;
        Commit::Unknown(injected("commit, outcome unknown"))
    }

    fn recover(&self) -> Result<Option<Head>, StoreError> {
        self.time_passes();
        let fate = self.plan.recovery();
        if matches!(fate, Fate::Lost | Fate::DiesBefore) {
            return Err(injected("recovery"));
        }
        self.lose_power();
        match fate {
            Fate::Well => self.doubt().doubtful = false,
            _ => return Err(injected("recovery, though done")),
        }
        self.disk.recover()
    }

    fn entry(&self, index: LeafIndex) -> Result<Option<Bytes>, StoreError> {
        self.read("read of entries failed")?;
        self.disk.entry(index)
    }

    fn entries(&self, range: Range<u64>, each: &mut EachEntry<'_>) -> Result<(), StoreError> {
        self.read("read of entries failed")?;
        self.disk.entries(range, each)?;
        // A scan may also fail after it has shown something.
        self.read("read of entries failed")
    }

    fn tile(&self, level: u8, index: u64, width: u16) -> Result<Vec<u8>, StoreError> {
        self.read("read of a tile failed")?;
        self.disk.tile(level, index, width)
    }

    fn state(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("read of the state failed")?;
        self.disk.state(key)
    }

    fn state_scan(&self, after: Option<&[u8]>, each: &mut EachPair<'_>) -> Result<(), StoreError> {
        self.read("read of the state failed")?;
        self.disk.state_scan(after, each)
    }

    fn rows(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        direction: Direction,
        each: &mut EachPair<'_>,
    ) -> Result<(), StoreError> {
        self.read("read of rows failed")?;
        self.disk.rows(prefix, after, direction, each)
    }

    fn put_signed_head(&self, head: &SignedHead) -> Result<(), StoreError> {
        self.time_passes();
        let mut doubt = self.doubt();
        if doubt.doubtful {
            return Err(StoreError::NeedsRecovery);
        }
        let fate = self.plan.write(&[Fate::Lost, Fate::Persisted, Fate::Late], "signed head");
        if matches!(fate, Fate::Well | Fate::Persisted | Fate::DiesAfter) {
            doubt.before_heads.push(self.disk.moment());
            self.disk.put_signed_head(head)?;
        }
        if fate == Fate::Well {
            return Ok(());
        }
        doubt.doubtful = true;
        if fate == Fate::Late {
            doubt.pending = Some(Pending::Signed(head.clone()));
        }
        Err(injected("signed head"))
    }

    fn signed_heads(
        &self,
        after: Option<HeadKey>,
        direction: Direction,
        each: &mut EachHead<'_>,
    ) -> Result<(), StoreError> {
        self.read("read of signed heads failed")?;
        self.disk.signed_heads(after, direction, each)
    }

    fn prune_heads(&self, now: Seconds) -> Result<u64, StoreError> {
        self.write("pruning", |disk| disk.prune_heads(now))
    }

    fn put_report(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.write("report", |disk| disk.put_report(key, value))
    }

    fn reports(&self, after: Option<&[u8]>, each: &mut EachPair<'_>) -> Result<(), StoreError> {
        self.read("read of reports failed")?;
        self.disk.reports(after, each)
    }

    fn rebuild_start(&self) -> Result<(), StoreError> {
        self.write("rebuild", Store::rebuild_start)
    }

    fn rebuild_next(&self) -> Result<Option<LeafIndex>, StoreError> {
        self.read("read of a rebuild's place failed")?;
        self.disk.rebuild_next()
    }

    fn rebuild_put(
        &self,
        from: LeafIndex,
        next: LeafIndex,
        state: &[KeyValue],
        rows: &[KeyValue],
    ) -> Result<(), StoreError> {
        self.write("rebuild", |disk| disk.rebuild_put(from, next, state, rows))
    }

    fn rebuild_finish(&self) -> Result<(), StoreError> {
        self.write("rebuild", Store::rebuild_finish)
    }

    fn disk_free(&self) -> Result<Option<u64>, StoreError> {
        self.disk.disk_free()
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        self.disk.stats()
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.write("flush", Store::flush)
    }

    fn close(&self) -> Result<(), StoreError> {
        self.write("flush", Store::flush)
    }
}

/// Flips one bit of a batch as it lies in memory, in the part and at the place that the numbers give.
pub(super) fn flip_in_batch(batch: &mut Batch, part: Part, place: usize, bit: usize) {
    let flip = |bytes: &mut [u8]| {
        if let Some(bit) = bit.checked_rem(bytes.len() * 8) {
            bytes[bit / 8] ^= 0x80 >> (bit % 8);
        }
    };
    let at = |length: usize| place.checked_rem(length).unwrap_or(0);
    match part {
        Part::Entry => {
            let place = at(batch.entries.len());
            if let Some(entry) = batch.entries.get_mut(place) {
                let mut bytes = entry.to_vec();
                flip(&mut bytes);
                *entry = bytes.into();
            }
        }
        Part::Hash => {
            let place = at(batch.tiles.len());
            let hash = batch.tiles.get_mut(place).and_then(|run| run.hashes.last_mut());
            hash.into_iter().for_each(|hash| flip(&mut hash.0));
        }
        Part::State | Part::Row => {
            let pairs = if part == Part::State { &mut batch.state } else { &mut batch.rows };
            let place = at(pairs.len());
            pairs.get_mut(place).into_iter().for_each(|(_, value)| flip(value));
        }
        Part::SignedHead | Part::Head => flip(&mut batch.head.root.0),
    }
}

//! The store over RocksDB: one synced write for each batch.

#[cfg(any(test, feature = "conformance"))]
mod damage;
mod database;
mod folder;
mod gate;
mod layout;
mod options;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use proto::num::{LeafIndex, Seconds};
use rocksdb::{DB, Options, WriteBatch, WriteOptions};

use self::database::{check_origin, database_to_read, failed, flush_database, open_database};
use self::folder::Folder;
use self::gate::{Gate, Purpose};
use super::disk;
use super::error::{Commit, StoreError};
use super::types::{Batch, Direction, Head, HeadKey, KeyValue, SignedHead, StoreStats};
use super::{EachEntry, EachHead, EachPair, Store};

pub use self::folder::{FORMAT, OpenError};
pub use self::options::{DEFAULT_CACHE_BYTES, DEFAULT_RESERVE_BYTES, RocksOptions};

/// A log in a data folder of its own.
pub struct RocksStore {
    origin: String,
    dir: PathBuf,
    options: RocksOptions,
    /// What the database was opened with, and is opened with again by a recovery.
    settings: Options,
    read_only: bool,
    gate: Gate,
    /// Held through every write, recovery and close. Holds the folder's lock, which a close gives back.
    writer: Mutex<Option<Folder>>,
    /// A write failed and nobody has recovered since. Changed only by who holds `writer`.
    doubt: AtomicBool,
}

/// Where a write failed decides what is known about it.
enum Failed {
    /// Before a byte was written.
    Before(StoreError),
    /// RocksDB had the batch.
    During(StoreError),
}

impl Failed {
    fn error(self) -> StoreError {
        match self {
            Failed::Before(error) | Failed::During(error) => error,
        }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Failed {
        Failed::Before(error)
    }
}

impl RocksStore {
    /// Makes the store of a new log in an empty or missing folder. Never called for a log that exists: a log that lost its
    /// data must not start afresh by itself.
    pub fn create(dir: &Path, origin: &str, options: RocksOptions) -> Result<RocksStore, OpenError> {
        let folder = Folder::create(dir, origin)?;
        let settings = options::database(true);
        let db = open_database(&folder, &settings, &options)?;
        let damaged = |what: String| OpenError::Damaged { dir: dir.to_owned(), what };
        let found = read::meta(&db, layout::META_ORIGIN).map_err(|error| damaged(error.to_string()))?;
        // A making that was interrupted left the origin at most.
        if found.is_some_and(|found| found != origin.as_bytes()) {
            return Err(damaged("its file STORE is missing, but it holds data".to_owned()));
        }
        if read::head(&db).map_err(|error| damaged(error.to_string()))?.is_some() {
            return Err(damaged("its file STORE is missing, but it holds data".to_owned()));
        }
        let mut batch = WriteBatch::default();
        let meta = read::family(&db, layout::META).map_err(|error| damaged(error.to_string()))?;
        batch.put_cf(meta, layout::META_ORIGIN, origin);
        db.write_opt(batch, &options::synced()).map_err(|error| failed(dir, error))?;
        folder.write_label(origin)?;
        Ok(RocksStore::over(db, folder, origin, (options, settings), false))
    }

    /// Opens the store of a log that exists. Replays what was written last and makes it durable anew.
    pub fn open(dir: &Path, origin: &str, options: RocksOptions) -> Result<RocksStore, OpenError> {
        let folder = Folder::open(dir, origin, true)?;
        let settings = options::database(false);
        let db = open_database(&folder, &settings, &options)?;
        check_origin(&db, dir, origin)?;
        Ok(RocksStore::over(db, folder, origin, (options, settings), false))
    }

    /// Opens the store for reading, as it was left; for checks while no server runs. Several may at a time. All writes are
    /// refused as [`StoreError::ReadOnly`].
    pub fn open_read_only(dir: &Path, origin: &str, options: RocksOptions) -> Result<RocksStore, OpenError> {
        let folder = Folder::open(dir, origin, false)?;
        let settings = options::database(false);
        let db = database_to_read(&folder, &settings, &options)?;
        check_origin(&db, dir, origin)?;
        Ok(RocksStore::over(db, folder, origin, (options, settings), true))
    }

    fn over(
        db: DB,
        folder: Folder,
        origin: &str,
        (options, settings): (RocksOptions, Options),
        read_only: bool,
    ) -> RocksStore {
        RocksStore {
            origin: origin.to_owned(),
            dir: folder.dir().to_owned(),
            options,
            settings,
            read_only,
            gate: Gate::new(db),
            writer: Mutex::new(Some(folder)),
            doubt: AtomicBool::new(false),
        }
    }

    /// The right to write. A thread that panicked with it was between two whole writes or inside RocksDB's own; the flag and
    /// the fence still hold.
    fn writer(&self) -> MutexGuard<'_, Option<Folder>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One atomic write. `fill` checks and puts; it runs alone, on what a fresh read says.
    fn write<T>(
        &self,
        durability: &WriteOptions,
        fill: impl FnOnce(&DB, &mut WriteBatch) -> Result<T, StoreError>,
    ) -> Result<T, Failed> {
        let writer = self.writer();
        self.writable(writer.as_ref())?;
        let db = self.gate.enter()?;
        let mut batch = WriteBatch::default();
        let made = fill(&db, &mut batch)?;
        if let Err(error) = db.write_opt(batch, durability) {
            self.doubt.store(true, Ordering::Release);
            return Err(Failed::During(read::failed(error)));
        }
        Ok(made)
    }

    fn writable(&self, folder: Option<&Folder>) -> Result<(), StoreError> {
        if folder.is_none() {
            return Err(StoreError::Closed);
        }
        if self.read_only {
            return Err(StoreError::ReadOnly);
        }
        if self.doubt.load(Ordering::Acquire) {
            return Err(StoreError::NeedsRecovery);
        }
        Ok(())
    }

    /// Writes everything from memory into its place. In doubt afterwards if that fails.
    fn flush_all(&self) -> Result<(), StoreError> {
        let db = self.gate.enter()?;
        flush_database(&db).map_err(|error| {
            self.doubt.store(true, Ordering::Release);
            read::failed(error)
        })
    }

    fn open_to_read(&self, folder: &Folder) -> Result<DB, OpenError> {
        let db = database_to_read(folder, &self.settings, &self.options)?;
        check_origin(&db, folder.dir(), &self.origin)?;
        Ok(db)
    }

    fn check_reserve(&self) -> Result<(), StoreError> {
        let reserve_bytes = self.options.reserve_bytes;
        if reserve_bytes == 0 {
            return Ok(());
        }
        let free_bytes = disk::free_bytes(&self.dir).map_err(|error| StoreError::Io(error.to_string()))?;
        if free_bytes < reserve_bytes {
            return Err(StoreError::DiskLow { free_bytes, reserve_bytes });
        }
        Ok(())
    }
}

impl Store for RocksStore {
    fn origin(&self) -> &str {
        &self.origin
    }

    fn head(&self) -> Result<Option<Head>, StoreError> {
        read::head(&*self.gate.enter()?)
    }

    fn commit(&self, expected: Option<&Head>, batch: &Batch) -> Commit {
        if let Err(error) = self.check_reserve() {
            return Commit::DefinitelyNot(error);
        }
        match self.write(&options::synced(), |db, write| write::batch(db, write, expected, batch)) {
            Ok(()) => Commit::Committed,
            Err(Failed::Before(error)) => Commit::DefinitelyNot(error),
            Err(Failed::During(error)) => Commit::Unknown(error),
        }
    }

    fn recover(&self) -> Result<Option<Head>, StoreError> {
        let writer = self.writer();
        let Some(folder) = writer.as_ref() else { return Err(StoreError::Closed) };
        if !self.doubt.load(Ordering::Acquire) {
            return self.head();
        }
        tracing::warn!("recovering the store after a failed write");
        // What is closed and cannot be opened again leaves nothing to read from: then it stays open, and in doubt.
        folder.can_be_read().map_err(|error| StoreError::Io(error.to_string()))?;
        self.gate.take_down(Purpose::Recover)?;
        match open_database(folder, &self.settings, &self.options) {
            Ok(db) => self.gate.put_back(Some(db)),
            Err(error) => {
                // A full disk, say: opening for writing needs room. Reads need none and go on; the doubt stays.
                self.gate.put_back(self.open_to_read(folder).ok());
                return Err(StoreError::Io(error.to_string()));
            }
        }
        let head = self.head()?;
        self.doubt.store(false, Ordering::Release);
        Ok(head)
    }

    fn entry(&self, index: LeafIndex) -> Result<Option<Bytes>, StoreError> {
        read::entry(&*self.gate.enter()?, index)
    }

    fn entries(&self, range: Range<u64>, each: &mut EachEntry<'_>) -> Result<(), StoreError> {
        read::entries(&*self.gate.enter()?, range, each)
    }

    fn tile(&self, level: u8, index: u64, width: u16) -> Result<Vec<u8>, StoreError> {
        read::tile(&*self.gate.enter()?, level, index, width)
    }

    fn state(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        read::state(&*self.gate.enter()?, key)
    }

    fn state_scan(&self, after: Option<&[u8]>, each: &mut EachPair<'_>) -> Result<(), StoreError> {
        read::state_scan(&*self.gate.enter()?, after, each)
    }

    fn rows(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        direction: Direction,
        each: &mut EachPair<'_>,
    ) -> Result<(), StoreError> {
        read::rows(&*self.gate.enter()?, prefix, after, direction, each)
    }

    fn put_signed_head(&self, head: &SignedHead) -> Result<(), StoreError> {
        self.write(&options::unsynced(), |db, write| write::signed_head(db, write, head)).map_err(Failed::error)
    }

    fn signed_heads(
        &self,
        after: Option<HeadKey>,
        direction: Direction,
        each: &mut EachHead<'_>,
    ) -> Result<(), StoreError> {
        read::signed_heads(&*self.gate.enter()?, after, direction, each)
    }

    fn prune_heads(&self, now: Seconds) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            // Synced although a lost pruning is only done again: so that unsynced writes stay the business of one function.
            let step = self.write(&options::synced(), |db, write| write::prune(db, write, now));
            let (some, all) = step.map_err(Failed::error)?;
            removed += some;
            if all {
                return Ok(removed);
            }
        }
    }

    fn put_report(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.check_reserve()?;
        self.write(&options::synced(), |db, write| write::report(db, write, key, value)).map_err(Failed::error)
    }

    fn reports(&self, after: Option<&[u8]>, each: &mut EachPair<'_>) -> Result<(), StoreError> {
        read::reports(&*self.gate.enter()?, after, each)
    }

    fn rebuild_start(&self) -> Result<(), StoreError> {
        self.write(&options::synced(), write::rebuild_start).map_err(Failed::error)?;
        // Frees what was emptied, so that the rebuild does not need room for both.
        let db = self.gate.enter()?;
        for name in [layout::STATE, layout::ROWS] {
            db.compact_range_cf(read::family(&db, name)?, None::<&[u8]>, None::<&[u8]>);
        }
        Ok(())
    }

    fn rebuild_next(&self) -> Result<Option<LeafIndex>, StoreError> {
        read::rebuild_next(&*self.gate.enter()?)
    }

    fn rebuild_put(
        &self,
        from: LeafIndex,
        next: LeafIndex,
        state: &[KeyValue],
        rows: &[KeyValue],
    ) -> Result<(), StoreError> {
        self.write(&options::synced(), |db, write| write::rebuild_put(db, write, (from, next), state, rows))
            .map_err(Failed::error)
    }

    fn rebuild_finish(&self) -> Result<(), StoreError> {
        self.write(&options::synced(), write::rebuild_finish).map_err(Failed::error)
    }

    fn disk_free(&self) -> Result<Option<u64>, StoreError> {
        self.gate.enter()?;
        disk::free_bytes(&self.dir).map(Some).map_err(|error| StoreError::Io(error.to_string()))
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        read::stats(&*self.gate.enter()?)
    }

    fn flush(&self) -> Result<(), StoreError> {
        let writer = self.writer();
        self.writable(writer.as_ref())?;
        self.flush_all()
    }

    fn close(&self) -> Result<(), StoreError> {
        let mut writer = self.writer();
        if writer.is_none() {
            return Ok(());
        }
        // A store in doubt is closed as it is: the next start recovers it.
        let flushed = if self.writable(writer.as_ref()).is_ok() { self.flush_all() } else { Ok(()) };
        self.gate.take_down(Purpose::Close)?;
        *writer = None;
        flushed
    }
}

impl fmt::Debug for RocksStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RocksStore").field("origin", &self.origin).field("read_only", &self.read_only).finish()
    }
}

//! What is durable.
//!
//! [`Store`] is the contract, [`memory`] and [`rocks`] keep it, `conformance` holds both to it, and `faulty` breaks it
//! on a schedule, for the sequencer's tests (both with the feature `conformance` only). [`disk`] tells how much room is left.

pub mod check;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod disk;
pub mod error;
#[cfg(any(test, feature = "conformance"))]
pub mod faulty;
pub mod memory;
pub mod rocks;
pub mod types;

use std::ops::{ControlFlow, Range};

use bytes::Bytes;
use proto::num::{LeafIndex, Seconds};

pub use check::{MAX_BATCH_BYTES, MAX_ENTRY_BYTES, MAX_KEY_BYTES};
pub use error::{BadBatch, Commit, FenceMismatch, StoreError};
pub use types::{Batch, Direction, Head, HeadKey, KeyValue, SignedHead, StoreStats, TILE_LEVELS, TILE_WIDTH, TileRun};

/// Is given each entry of a scan; `Break` ends the scan.
pub type EachEntry<'a> = dyn FnMut(LeafIndex, &[u8]) -> ControlFlow<()> + 'a;

/// Is given each key and value of a scan; `Break` ends the scan.
pub type EachPair<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Is given each signed head of a scan; `Break` ends the scan.
pub type EachHead<'a> = dyn FnMut(SignedHead) -> ControlFlow<()> + 'a;

/// Where a log is kept.
///
/// # Durability
/// When [`commit`](Store::commit) says `Committed`, the batch outlives the loss of power. When a write says so, too; the
/// one exception is [`put_signed_head`](Store::put_signed_head). What a store cannot make durable it must not call so: an
/// error of the device is reported, never tried again behind the caller's back, because after a failed write the same
/// write may seem to work without reaching the device.
///
/// # All or nothing
/// A batch becomes visible and durable as a whole: entries, tiles, state, rows and head, or none of them. No reader, not
/// even after a crash, sees a head without its entries or an entry without its state.
///
/// # Order and fence
/// Commits form one line. Each names the head it builds on, and is refused if another one is committed: so of two sequencers
/// on one store only one goes on, and one that missed a commit cannot append. Before a store writes anything it checks the
/// batch ([`Batch::check`]), so what is committed has no gaps and its time never goes back.
///
/// # Unknown outcomes
/// `DefinitelyNot` is a promise: nothing of the batch is there now or will be there after a restart. Whatever a store cannot
/// promise that of is `Unknown`, and in doubt it is `Unknown`. After it, and after any other write that failed, the store
/// refuses every write with [`StoreError::NeedsRecovery`] until [`recover`](Store::recover) has succeeded. Reads go on, and
/// may or may not show the batch in doubt: what may be shown to others is the caller's knowledge, not the store's.
///
/// # Reads
/// A read says what is committed at its start; a scan is of one moment. A read that fails says nothing about the data, a
/// [`StoreError::Corrupt`] says it is damaged. Absence (`None`) is only reported if the key was never written.
/// Scans may be slow and nothing else waits for them, but for [`recover`](Store::recover) and [`close`](Store::close): within
/// the function that a scan calls, other reads and commits are allowed, these two are not.
///
/// # Concurrency
/// All methods may be called from any thread at any time. They block; call them off the async threads. Commits that overlap
/// take turns and the fence decides.
///
/// # The caller's duties
/// Never retry a batch after `Unknown`: recover, read the head, and compare. Never sign what was not committed and read back.
/// Put a signed head only for a committed head. Show nothing beyond the newest signed head.
pub trait Store: Send + Sync + 'static {
    /// The origin of the log that this store was made for.
    fn origin(&self) -> &str;

    /// The committed head; `None` before the first commit.
    fn head(&self) -> Result<Option<Head>, StoreError>;

    /// Makes a batch durable if `expected` is the committed head, in all its fields.
    fn commit(&self, expected: Option<&Head>, batch: &Batch) -> Commit;

    /// Ends the doubt after a failed write: from here on, what a read says is committed is also durable, and commits are
    /// taken again. Waits for running reads to end. Returns the committed head. Fails if the store cannot be brought to
    /// that state, and may then be called again. Harmless on a store that needs none.
    fn recover(&self) -> Result<Option<Head>, StoreError>;

    /// The bytes of one entry; `None` if the tree does not have it.
    fn entry(&self, index: LeafIndex) -> Result<Option<Bytes>, StoreError>;

    /// The entries of a range, ascending and without gaps. A range beyond the tree is [`StoreError::OutOfRange`] before the
    /// first entry is given; an entry that is missing is [`StoreError::Corrupt`].
    fn entries(&self, range: Range<u64>, each: &mut EachEntry<'_>) -> Result<(), StoreError>;

    /// The first `width` (1 to 256) hashes of a tile, 32 bytes each (C2SP tlog-tiles: level, index in the level). Beyond the
    /// tree: [`StoreError::OutOfRange`]; with a hash missing: [`StoreError::Corrupt`].
    fn tile(&self, level: u8, index: u64, width: u16) -> Result<Vec<u8>, StoreError>;

    /// The value of a state key.
    fn state(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// All state, ascending by key; `after` as for [`rows`](Store::rows). For checks; the fold reads single keys.
    fn state_scan(&self, after: Option<&[u8]>, each: &mut EachPair<'_>) -> Result<(), StoreError>;

    /// The rows whose key starts with `prefix`, in the byte order of their keys. With `after`, only those beyond that key in
    /// the scan's direction, without the key itself: the last key of a page is the `after` of the next one.
    fn rows(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        direction: Direction,
        each: &mut EachPair<'_>,
    ) -> Result<(), StoreError>;

    /// Keeps a signed head; one of the same time and size is replaced (its note with more signatures, say). May be lost in a
    /// crash until the next commit: a head can be signed again, with the same bytes, from the committed batch.
    fn put_signed_head(&self, head: &SignedHead) -> Result<(), StoreError>;

    /// The signed heads in order of time, then size. `after` as for [`rows`](Store::rows); it need not exist.
    fn signed_heads(
        &self,
        after: Option<HeadKey>,
        direction: Direction,
        each: &mut EachHead<'_>,
    ) -> Result<(), StoreError>;

    /// Removes signed heads by the rule of [`service::thinning`] and returns how many. Each head is looked at once, so that the work
    /// follows the heads that became old since the last call.
    fn prune_heads(&self, now: Seconds) -> Result<u64, StoreError>;

    /// Keeps a fork report, durably, if the disk has room for more than that. Reports are not derived from entries; a report of the same key is replaced.
    fn put_report(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError>;

    /// The fork reports, ascending by key; `after` as for [`rows`](Store::rows).
    fn reports(&self, after: Option<&[u8]>, each: &mut EachPair<'_>) -> Result<(), StoreError>;

    /// Starts to rebuild state and rows: both are emptied. Until [`rebuild_finish`](Store::rebuild_finish), commits are
    /// refused as [`StoreError::Rebuilding`]. Starting again starts over.
    fn rebuild_start(&self) -> Result<(), StoreError>;

    /// The first entry that a rebuild has not yet folded; `None` when none runs. After a crash go on from here.
    fn rebuild_next(&self) -> Result<Option<LeafIndex>, StoreError>;

    /// One step of a rebuild: the changes of the entries from `from` (what [`rebuild_next`](Store::rebuild_next) says) up
    /// to, without, `next`. Changes and progress become durable together.
    fn rebuild_put(
        &self,
        from: LeafIndex,
        next: LeafIndex,
        state: &[KeyValue],
        rows: &[KeyValue],
    ) -> Result<(), StoreError>;

    /// Ends a rebuild that has reached the committed tree size; before that it is [`StoreError::RebuildStep`].
    fn rebuild_finish(&self) -> Result<(), StoreError>;

    /// Bytes free where the log is kept; `None` if it has no such bound.
    fn disk_free(&self) -> Result<Option<u64>, StoreError>;

    /// What the parts take.
    fn stats(&self) -> Result<StoreStats, StoreError>;

    /// Makes durable what was put without (signed heads), and shortens the next start.
    fn flush(&self) -> Result<(), StoreError>;

    /// Flushes, waits for running reads and lets go of the data; every later call is [`StoreError::Closed`]. Closing twice is
    /// harmless.
    fn close(&self) -> Result<(), StoreError>;
}

//! How a store says no.

use std::fmt;

use proto::num::{LeafIndex, TreeSize};

use super::types::Head;

/// What became of a batch.
#[derive(Debug)]
#[must_use = "an unknown outcome that nobody looks at forks the log"]
pub enum Commit {
    /// The whole batch is durable.
    Committed,
    /// Nothing of the batch was or will be stored.
    DefinitelyNot(StoreError),
    /// All of the batch is stored or nothing of it, and this process cannot tell which. Only
    /// [`Store::recover`](super::Store::recover) can.
    Unknown(StoreError),
}

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The committed head is not the one the caller went by: another sequencer wrote, or the caller missed a commit.
    #[error("{0}")]
    Fence(Box<FenceMismatch>),
    /// The batch contradicts itself or the head before it.
    #[error("the batch is malformed: {0}")]
    Malformed(#[from] BadBatch),
    /// The write would eat into the disk's reserve.
    #[error("the disk is nearly full: {free_bytes} bytes free, {reserve_bytes} are kept in reserve; free some space")]
    DiskLow {
        /// Bytes free for the data folder.
        free_bytes: u64,
        /// Bytes that must stay free.
        reserve_bytes: u64,
    },
    /// An earlier write ended in an error.
    #[error("an earlier write failed with an unknown outcome; the store must be recovered before it takes another")]
    NeedsRecovery,
    /// The store is just being recovered.
    #[error("the store is being recovered; try again")]
    Recovering,
    /// State and rows are being rebuilt from the entries.
    #[error("state and rows are being rebuilt and stand at entry {next}; finish the rebuild first")]
    Rebuilding {
        /// The first entry that is not yet folded.
        next: LeafIndex,
    },
    /// A rebuild step came without its start, or not after the step before it.
    #[error("rebuild out of step: expected entries from {expected:?}, was given entries from {given}")]
    RebuildStep {
        /// The first entry that is not yet folded; `None` when no rebuild runs.
        expected: Option<LeafIndex>,
        /// What the caller gave.
        given: LeafIndex,
    },
    /// Something was asked for that the committed tree does not have (yet).
    #[error("asked for {asked}, but the tree has {size} entries")]
    OutOfRange {
        /// What was asked for.
        asked: String,
        /// The committed tree size.
        size: TreeSize,
    },
    /// Stored data is missing or not what was written.
    #[error("the stored log is damaged: {0}; restore it from a backup or a mirror")]
    Corrupt(String),
    /// The operating system or the database reported an error.
    #[error("storage failed: {0}")]
    Io(String),
    /// The store was opened for reading only.
    #[error("the store is open for reading only")]
    ReadOnly,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// The store's error among the causes of another one, itself included.
    pub fn cause_of<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a StoreError> {
        std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
    }
}

/// The two heads of a fence that did not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FenceMismatch {
    /// The head the caller went by.
    pub expected: Option<Head>,
    /// The head that is committed.
    pub found: Option<Head>,
}

impl fmt::Display for FenceMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |head: &Option<Head>| match head {
            Some(head) => format!("size {}, root {}, time {}", head.size, head.root, head.time),
            None => "no head".to_owned(),
        };
        write!(
            f,
            "the batch builds on {}, but committed is {}; is a second sequencer running?",
            show(&self.expected),
            show(&self.found)
        )
    }
}

/// What is wrong with a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBatch {
    /// `first` is not the size before.
    #[error("it starts at entry {first}, the tree has {size} entries")]
    First {
        /// Where the batch starts.
        first: LeafIndex,
        /// The size before.
        size: TreeSize,
    },
    /// `head.size` is not `first` + number of entries, or above 2^63 - 1.
    #[error("its head says {head} entries, first index and entries make {sum}")]
    Size {
        /// The size in the head.
        head: TreeSize,
        /// The sum.
        sum: u64,
    },
    /// An entry is empty or longer than an entry bundle can hold.
    #[error("entry {index} has {length} bytes; an entry has 1 to 65535")]
    EntryLength {
        /// The entry.
        index: LeafIndex,
        /// Its length in bytes.
        length: usize,
    },
    /// All of the batch is above [`MAX_BATCH_BYTES`](super::MAX_BATCH_BYTES).
    #[error("it has {bytes} bytes, at most {limit} are taken")]
    TooLarge {
        /// Bytes in the batch.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A state key, row key or value has a length that no store must take.
    #[error("a key of {key} bytes with a value of {value} bytes; keys have 1 to {max_key} bytes")]
    Pair {
        /// Bytes of the key.
        key: usize,
        /// Bytes of the value.
        value: usize,
        /// The most a key may have.
        max_key: usize,
    },
    /// Time went back, or entries and head contradict each other's time (DESIGN §3 "Time").
    #[error("time: {0}")]
    Time(&'static str),
    /// A batch without entries changes the tree.
    #[error("it has no entries, but another root or last timestamp than before")]
    EmptyButChanged,
    /// A tile run is empty, crosses a tile's edge, or is not the next one of its level.
    #[error(
        "tile level {level}: the run from {first} with {length} hashes is not the next one (expected from {expected})"
    )]
    Run {
        /// The tile level.
        level: u8,
        /// Where the run starts.
        first: u64,
        /// Hashes in the run.
        length: usize,
        /// Where it should start.
        expected: u64,
    },
    /// The runs of a level end before the tree does.
    #[error("tile level {level}: the runs end at {end}, the tree has {expected} hashes there")]
    RunsMissing {
        /// The tile level.
        level: u8,
        /// Where the runs end.
        end: u64,
        /// Where they should end.
        expected: u64,
    },
}

//! Questions that readers ask: what is current, what was it at some time, who said what.
//!
//! Pure functions over a [`Reader`]: a state, a scan of the fold's rows and the entries. Servers only supply the store.
//! Every answer is of one tree size: rows, entries and records of entries at or beyond that size are left out, although
//! the store may have them already. Every answer reads a bounded number of rows; a [`Page`] says where to go on.
//!
//! | module | the question |
//! |---|---|
//! | [`mod@time`] | how large was the tree at that time? |
//! | [`standing`] | is this claim current, and was it then? |
//! | [`claim`] | what does the entry say, and what became of it? |
//! | [`trail`] | what is said about a product? |
//! | [`search`] | which claims, which products? |
//! | [`issuer`] | who is enrolled, with which keys? |
//! | [`finding`] | what does a claim show against the one before it? |

use std::ops::ControlFlow;

use crate::fold::{State, Stop};
use crate::num::LeafIndex;

pub mod claim;
pub mod finding;
pub mod issuer;
pub mod search;
pub mod standing;
pub mod time;
pub mod trail;

/// Which way a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Ascending by key.
    Forward,
    /// Descending by key.
    Backward,
}

/// Is given each key and value of a scan; `Break` ends the scan.
pub type EachRow<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// What queries read.
pub trait Reader: State {
    /// The rows whose key starts with `prefix`, in the byte order of their keys. With `after`, only those beyond that key
    /// in the scan's direction, without the key itself.
    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        direction: Direction,
        each: &mut EachRow<'_>,
    ) -> std::result::Result<(), Self::Error>;

    /// The bytes of an entry; `None` when there is none.
    fn entry(&self, index: LeafIndex) -> std::result::Result<Option<Vec<u8>>, Self::Error>;
}

impl<R: Reader> Reader for &R {
    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        direction: Direction,
        each: &mut EachRow<'_>,
    ) -> std::result::Result<(), Self::Error> {
        (**self).scan(prefix, after, direction, each)
    }

    fn entry(&self, index: LeafIndex) -> std::result::Result<Option<Vec<u8>>, Self::Error> {
        (**self).entry(index)
    }
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError<E> {
    /// The store could not be read.
    #[error("the store could not be read: {0}")]
    Read(E),
    /// What is stored is not what the fold wrote.
    #[error("stored data are corrupt: {0}; rebuild the indexes from the entries")]
    Corrupt(String),
    /// A record was changed by an entry beyond the size that is asked for, and what it was before is not kept. It will be
    /// shown as soon as that entry is.
    #[error("the record changes in this moment; ask again")]
    Moving,
}

impl<E> From<Stop<E>> for QueryError<E> {
    fn from(stop: Stop<E>) -> QueryError<E> {
        match stop {
            Stop::State(error) => QueryError::Read(error),
            Stop::Corrupt(what) => QueryError::Corrupt(what),
            Stop::Refused(refused) => QueryError::Corrupt(refused.to_string()),
            Stop::UnknownRules(version) => QueryError::Corrupt(format!("rules version {version} is unknown here")),
        }
    }
}

/// The answer, or why there is none.
pub type Result<T, R> = std::result::Result<T, QueryError<<R as State>::Error>>;

/// A part of a list, and from where the next part goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, P> {
    /// At most as many as were asked for; fewer, even none, do not mean that the list ends.
    pub items: Vec<T>,
    /// Where to go on; `None` at the end.
    pub next: Option<P>,
}

/// Bytes of entries in one page, beyond which it ends whatever its limit says: as text and parsed they take a few times
/// their bytes for as long as a reader takes to read them. Every entry fits, since one alone is below 64 KiB.
pub const MAX_PAGE_BYTES: usize = 2 * 1024 * 1024;

/// What a signature takes in an entry: key id and signature.
const SIGNATURE_BYTES: usize = 32 + 64;

/// Room for entries in a page.
struct Room(usize);

impl Room {
    /// Once the room is used up, the page ends.
    fn is_used_up(&self) -> bool {
        self.0 == 0
    }

    /// Takes a claim into the page; the last one may reach beyond.
    fn take(&mut self, logged: &claim::Logged) {
        let bytes = logged.entry.payload.len() + logged.entry.signatures.len() * SIGNATURE_BYTES;
        self.0 = self.0.saturating_sub(bytes);
    }
}

//! What gossip keeps: heads that wait, signed statements about them, and what each peer has.

use client::Error;
use proto::hash::{HASH_BYTES, Hash};
use proto::num::{Seconds, TreeSize};
use redb::{ReadableTable as _, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::LogStore;
use super::unread::{self, Unread};
use crate::gossip::core::{Head, Told};

/// size, root → what waits
const WAITING: TableDefinition<&[u8], &[u8]> = TableDefinition::new("gossip-waiting");
/// size, root, who says so → the statement
pub(super) const STATEMENTS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("gossip-statements");
/// name → number
pub(super) const COUNTS: TableDefinition<&str, u64> = TableDefinition::new("gossip-counts");

const DISCARDED: &str = "discarded";
/// What the counts of peers begin with; the rest is the peer's name.
pub(super) const TAKEN_BY: &str = "evidence taken by ";

/// Statements of one log that are kept of each peer at most. A monitor makes one for a head that waits a day, and at most 64 heads
/// wait; one that makes more has nothing to do with what others have room for.
pub const MOST_STATEMENTS_OF_ONE: usize = 100;

/// A head that waits, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptWaiting {
    /// The note with the log's own lines.
    pub note: String,
    /// Since when.
    pub since: Seconds,
    /// The peer that showed it, by its name; nothing when it was the log or somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// For how many seconds of running time it was asked for.
    #[serde(default)]
    pub asked_for: u64,
    /// The own size at which it was shown to extend the own tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tied: Option<TreeSize>,
    /// Since when nothing ties it, if nothing does; since it came if this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untied: Option<Seconds>,
    /// Whether it was told that it waits.
    #[serde(default)]
    pub alerted: bool,
    /// Whether it was stated that it stays unavailable.
    #[serde(default)]
    pub stated: bool,
}

impl KeptWaiting {
    /// What was told of it.
    pub fn told(&self) -> Told {
        match (self.alerted, self.stated) {
            (_, true) => Told::Stated,
            (true, false) => Told::Alerted,
            (false, false) => Told::Nothing,
        }
    }
}

/// A signed statement, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptStatement {
    /// Who made it.
    pub by: String,
    /// The signed note.
    pub statement: String,
    /// The head that it is about, as the log signed it.
    pub checkpoint: String,
}

/// What changes in one step of gossip.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GossipStep {
    /// Heads that wait, or wait on with something told.
    pub waits: Vec<(Head, KeptWaiting)>,
    /// Heads that wait no more.
    pub over: Vec<Head>,
    /// How many were discarded so far.
    pub discarded: Option<u64>,
    /// Statements of this monitor itself, which always have room: what it stated, it shows.
    pub own_statements: Vec<(Head, KeptStatement)>,
    /// Statements of peers.
    pub statements: Vec<(Head, KeptStatement)>,
    /// Heads that were shown and are not read yet.
    pub unread: Vec<Unread>,
    /// Such heads that are known now, or wait among the others.
    pub read: Vec<Head>,
    /// Statements that say nothing any more, and whose.
    pub statements_over: Vec<(Head, String)>,
}

pub(super) fn key_of(head: Head) -> [u8; 8 + HASH_BYTES] {
    let mut key = [0; 8 + HASH_BYTES];
    key[..8].copy_from_slice(&head.size.0.to_be_bytes());
    key[8..].copy_from_slice(&head.root.0);
    key
}

pub(super) fn head_of(key: &[u8]) -> Option<Head> {
    let (size, root) = key.split_first_chunk::<8>()?;
    Some(Head { size: TreeSize(u64::from_be_bytes(*size)), root: Hash::from_slice(root)? })
}

pub(super) fn text(value: &impl Serialize) -> Result<Vec<u8>, redb::Error> {
    serde_json::to_vec(value).map_err(|e| redb::Error::Io(std::io::Error::other(e)))
}

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    unread::make(transaction)?;
    transaction.open_table(WAITING)?;
    transaction.open_table(STATEMENTS)?;
    transaction.open_table(COUNTS)?;
    super::refused::make(transaction)?;
    super::forks::make(transaction)
}

pub(super) fn apply(transaction: &WriteTransaction, step: &GossipStep) -> Result<(), redb::Error> {
    if *step == GossipStep::default() {
        return Ok(());
    }
    unread::apply(transaction, &step.unread, &step.read)?;
    let mut waiting = transaction.open_table(WAITING)?;
    for (head, kept) in &step.waits {
        waiting.insert(key_of(*head).as_slice(), text(kept)?.as_slice())?;
    }
    for head in &step.over {
        waiting.remove(key_of(*head).as_slice())?;
    }
    if let Some(discarded) = step.discarded {
        transaction.open_table(COUNTS)?.insert(DISCARDED, discarded)?;
    }
    super::statements::apply(transaction, step)
}

impl LogStore {
    /// The heads that wait, the smallest first.
    pub fn waiting(&self) -> Result<Vec<(Head, KeptWaiting)>, Error> {
        self.read(|transaction| {
            let table = transaction.open_table(WAITING)?;
            let mut all = Vec::new();
            for item in table.iter()? {
                let (key, value) = item?;
                let Some(head) = head_of(key.value()) else { continue };
                all.push((head, serde_json::from_slice(value.value()).map_err(std::io::Error::other)?));
            }
            Ok(all)
        })
    }

    /// How many heads were discarded so far.
    pub fn discarded(&self) -> Result<u64, Error> {
        self.gossip_count(DISCARDED)
    }

    pub(super) fn gossip_count(&self, name: &str) -> Result<u64, Error> {
        self.read(|transaction| Ok(transaction.open_table(COUNTS)?.get(name)?.map_or(0, |count| count.value())))
    }
}

//! Claims that a watch is about: their payloads, so that what later claims change can be told, and the matches themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use client::Error;
use client::follow::{Judged, Remark};
use proto::claim::ClaimId;
use proto::entry::Entry;
use proto::fold::ClaimRecord;
use proto::num::LeafIndex;
use redb::{TableDefinition, WriteTransaction};

use super::{LogStore, broken, tiles};
use crate::watch::judge::{Noted, judge};
use crate::watch::{Match, WatchList};

/// claim id in hex → payload
const WATCHED: TableDefinition<&str, &[u8]> = TableDefinition::new("watched");

/// The watch list, and payloads that are not committed yet. That an id names a payload is a fact for ever, so it does no harm
/// if a step is undone.
#[derive(Debug, Default)]
pub(super) struct Watching {
    list: Arc<WatchList>,
    begun: Mutex<HashMap<String, Vec<u8>>>,
}

impl Watching {
    fn begun(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<u8>>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These are on disk now; others were judged meanwhile.
    pub(super) fn committed(&self, ids: &[String]) {
        let mut begun = self.begun();
        ids.iter().for_each(|id| _ = begun.remove(id));
    }
}

/// What the remarks of a step say.
pub(super) fn read(remarks: &[Remark]) -> Result<Vec<Noted>, serde_json::Error> {
    remarks.iter().map(|remark| serde_json::from_slice(&remark.0)).collect()
}

/// Keeps the payloads; gives the matches.
pub(super) fn insert(transaction: &WriteTransaction, noted: Vec<Noted>) -> Result<Vec<Match>, redb::Error> {
    if noted.is_empty() {
        return Ok(Vec::new());
    }
    let mut table = transaction.open_table(WATCHED)?;
    let mut matches = Vec::new();
    for one in noted {
        if let Some(payload) = &one.payload {
            table.insert(one.id.as_str(), payload.as_bytes())?;
        }
        matches.extend(one.matched);
    }
    Ok(matches)
}

impl LogStore {
    /// From now on entries are held against this list.
    pub fn watch(&mut self, list: Arc<WatchList>) -> Result<(), Error> {
        if !list.is_empty() {
            self.write(|transaction| {
                transaction.open_table(WATCHED)?; // opening a table for writing makes it
                Ok(())
            })?;
        }
        self.watching = Watching { list, begun: Mutex::default() };
        Ok(())
    }

    /// What is to be kept and told of an entry.
    pub(super) fn remark(&self, judged: &Judged<'_>) -> Result<Option<Remark>, Error> {
        let watching = &self.watching;
        if watching.list.is_empty() {
            return Ok(None);
        }
        let earlier = |id: &ClaimId, record: &ClaimRecord| self.payload_of(id, record);
        let Some(noted) = judge(&watching.list, &self.origin, judged, &earlier)? else { return Ok(None) };
        if let Some(payload) = &noted.payload {
            watching.begun().insert(noted.id.clone(), payload.clone().into_bytes());
        }
        let text = serde_json::to_vec(&noted).map_err(|e| broken(&self.path, &e))?;
        Ok(Some(Remark(text)))
    }

    /// The payload of an earlier claim: judged just now, watched before, or mirrored.
    fn payload_of(&self, id: &ClaimId, record: &ClaimRecord) -> Result<Option<Vec<u8>>, Error> {
        let name = id.0.to_string();
        if let Some(payload) = self.watching.begun().get(&name) {
            return Ok(Some(payload.clone()));
        }
        let kept = self.read(|transaction| {
            let table = transaction.open_table(WATCHED)?;
            Ok(table.get(name.as_str())?.map(|value| value.value().to_vec()))
        })?;
        if kept.is_some() {
            return Ok(kept);
        }
        let entry = self.read(|transaction| tiles::entry_in(transaction, LeafIndex(record.index)))?;
        Ok(entry.and_then(|bytes| Entry::decode(&bytes).ok()).map(|entry| entry.payload))
    }
}

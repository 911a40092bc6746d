//! What an audit keeps: the state of the fold, the compact range, the times of the entries, and the last head.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proto::fold::State as FoldState;
use proto::hash::Hash;
use proto::merkle::CompactRange;
use proto::num::{Millis, TreeSize};
use redb::{Database, ReadOnlyTable, ReadableDatabase as _, TableDefinition};

use crate::error::Error;
use crate::files;
use crate::state::{State, open_database};

/// state key → value
const STATE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("state");
/// bundle → times of its entries, eight big-endian bytes each
const TIMES: TableDefinition<u64, &[u8]> = TableDefinition::new("times");
/// name → value
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

const RANGE: &str = "range";
const HEAD: &str = "head";
/// All published heads before this time were held against the entries, and were good.
const HEADS_FROM: &str = "heads-from";

/// Records of keys that worker threads keep: 100 bytes each.
const KEPT_KEYS: usize = 100_000;
/// Values that the fold keeps from one commit to the next.
const KEPT_VALUES: usize = 200_000;

/// The database of one log.
pub(super) struct AuditStore {
    database: Arc<Database>,
    place: String,
    range: CompactRange,
    last_head: Option<Vec<u8>>,
    times: HashMap<u64, Vec<u8>>,
}

impl AuditStore {
    /// Opens or makes it; another audit of the same log must not run.
    pub(super) fn open(state: &State, origin: &str) -> Result<AuditStore, Error> {
        files::make_folder(state.folder())?;
        let name = format!("audit-{}.redb", &Hash::of(origin.as_bytes()).to_string()[..16]);
        let path = state.folder().join(name);
        let place = path.display().to_string();
        let database = Arc::new(open_database(&path, Duration::ZERO)?);
        let make = || -> Result<[Option<Vec<u8>>; 2], redb::Error> {
            let transaction = database.begin_write()?;
            let kept = {
                transaction.open_table(STATE)?;
                transaction.open_table(TIMES)?;
                let meta = transaction.open_table(META)?;
                let get = |name| -> Result<Option<Vec<u8>>, redb::Error> {
                    Ok(redb::ReadableTable::get(&meta, name)?.map(|value| value.value().to_vec()))
                };
                [get(RANGE)?, get(HEAD)?]
            };
            transaction.commit()?;
            Ok(kept)
        };
        let [range, last_head] = make().map_err(|e| broken(&place, &e))?;
        let range = match range {
            Some(bytes) => decode_range(&bytes).ok_or_else(|| broken(&place, &"its compact range is damaged"))?,
            None => CompactRange::new(),
        };
        Ok(AuditStore { database, place, range, last_head, times: HashMap::new() })
    }

    pub(super) fn size(&self) -> TreeSize {
        self.range.size()
    }

    pub(super) fn range(&self) -> &CompactRange {
        &self.range
    }

    /// The error for a database that contradicts itself.
    pub(super) fn damaged(&self, what: &str) -> Error {
        broken(&self.place, &what)
    }

    /// The head under which the last audit ended.
    pub(super) fn last_head(&self) -> Option<Vec<u8>> {
        self.last_head.clone()
    }

    pub(super) fn append(&mut self, leaf: Hash) {
        self.range.append(leaf);
    }

    /// The times of a bundle's entries, kept with the next commit.
    pub(super) fn set_times(&mut self, bundle: u64, times: Vec<Millis>) {
        self.times.insert(bundle, times.iter().flat_map(|time| time.0.to_be_bytes()).collect());
    }

    /// The time of an audited entry.
    pub(super) fn time(&self, index: u64) -> Result<Option<Millis>, Error> {
        if index >= self.size().0 {
            return Ok(None);
        }
        let (bundle, place) = (index / super::BUNDLE, usize::try_from(index % super::BUNDLE).unwrap_or(0) * 8);
        let read = || -> Result<Option<Vec<u8>>, redb::Error> {
            let table = self.database.begin_read()?.open_table(TIMES)?;
            Ok(table.get(bundle)?.map(|value| value.value().to_vec()))
        };
        let bytes = read().map_err(|e| broken(&self.place, &e))?;
        let eight = bytes.as_deref().and_then(|bytes| bytes.get(place..place + 8));
        match eight.and_then(|eight| eight.try_into().ok()) {
            Some(eight) => Ok(Some(Millis(u64::from_be_bytes(eight)))),
            None => Err(broken(&self.place, &format!("the time of entry {index} is missing"))),
        }
    }

    pub(super) fn heads_from(&self) -> Result<u64, Error> {
        let read = || -> Result<Option<u64>, redb::Error> {
            let table = self.database.begin_read()?.open_table(META)?;
            let value = table.get(HEADS_FROM)?;
            Ok(value.and_then(|value| value.value().try_into().ok()).map(u64::from_be_bytes))
        };
        Ok(read().map_err(|e| broken(&self.place, &e))?.unwrap_or(0))
    }

    pub(super) fn set_heads_from(&self, time: u64) -> Result<(), Error> {
        let write = || -> Result<(), redb::Error> {
            let transaction = self.database.begin_write()?;
            transaction.open_table(META)?.insert(HEADS_FROM, time.to_be_bytes().as_slice())?;
            Ok(transaction.commit()?)
        };
        write().map_err(|e| broken(&self.place, &e))
    }

    /// Reads of the state with the changes that are not on disk yet.
    pub(super) fn overlay(&self) -> Result<Overlay, Error> {
        let table = self.table()?;
        Ok(Overlay { table, values: HashMap::new(), dirty: HashMap::new() })
    }

    /// Reads of keys for worker threads.
    pub(super) fn keys(&self) -> Keys {
        Keys { database: Arc::clone(&self.database), place: self.place.clone(), kept: Arc::default() }
    }

    fn table(&self) -> Result<Table, Error> {
        open_state(&self.database).map_err(|e| broken(&self.place, &e))
    }

    /// Makes everything so far durable, in one step.
    pub(super) fn commit(&mut self, overlay: &mut Overlay, note: &[u8]) -> Result<(), Error> {
        let mut changes: Vec<_> = overlay.dirty.iter().collect();
        changes.sort();
        let write = || -> Result<(), redb::Error> {
            let transaction = self.database.begin_write()?;
            {
                let mut state = transaction.open_table(STATE)?;
                for (key, value) in &changes {
                    state.insert(key.as_slice(), value.as_slice())?;
                }
                let mut times = transaction.open_table(TIMES)?;
                for (bundle, bytes) in &self.times {
                    times.insert(bundle, bytes.as_slice())?;
                }
                let mut meta = transaction.open_table(META)?;
                meta.insert(RANGE, encode_range(&self.range).as_slice())?;
                meta.insert(HEAD, note)?;
            }
            Ok(transaction.commit()?)
        };
        write().map_err(|e| broken(&self.place, &e))?;
        self.times.clear();
        let dirty = std::mem::take(&mut overlay.dirty);
        overlay.table = self.table()?;
        if overlay.values.len() + dirty.len() > KEPT_VALUES {
            overlay.values.clear();
        }
        overlay.values.extend(dirty);
        Ok(())
    }
}

type Table = ReadOnlyTable<&'static [u8], &'static [u8]>;

fn open_state(database: &Database) -> Result<Table, redb::Error> {
    Ok(database.begin_read()?.open_table(STATE)?)
}

fn broken(place: &str, error: &dyn std::fmt::Display) -> Error {
    Error::local(format!("the audit's state {place} cannot be used: {error}; move it away to audit from the beginning"))
}

/// The state of the fold as the next entry sees it.
pub(super) struct Overlay {
    table: Table,
    /// On disk as well.
    values: HashMap<Vec<u8>, Vec<u8>>,
    /// Not on disk yet.
    dirty: HashMap<Vec<u8>, Vec<u8>>,
}

impl Overlay {
    pub(super) fn apply(&mut self, state: Vec<(Vec<u8>, Vec<u8>)>) {
        self.dirty.extend(state);
    }
}

impl FoldState for Overlay {
    type Error = Error;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if let Some(value) = self.dirty.get(key).or_else(|| self.values.get(key)) {
            return Ok(Some(value.clone()));
        }
        let value = self.table.get(key).map_err(|e| broken("", &e))?;
        Ok(value.map(|value| value.value().to_vec()))
    }
}

/// Records of enrolled keys. That an id names a key is a fact for ever, so what was read once stays true.
#[derive(Clone)]
pub(super) struct Keys {
    database: Arc<Database>,
    place: String,
    kept: Arc<Mutex<HashMap<Vec<u8>, Vec<u8>>>>,
}

impl FoldState for Keys {
    type Error = Error;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = kept().get(key) {
            return Ok(Some(value.clone()));
        }
        let read = || -> Result<Option<Vec<u8>>, redb::Error> {
            Ok(open_state(&self.database)?.get(key)?.map(|value| value.value().to_vec()))
        };
        let value = read().map_err(|e| broken(&self.place, &e))?;
        if let Some(value) = &value {
            let mut kept = kept();
            if kept.len() >= KEPT_KEYS {
                kept.clear();
            }
            kept.insert(key.to_vec(), value.clone());
        }
        Ok(value)
    }
}

/// size, then the hashes
fn encode_range(range: &CompactRange) -> Vec<u8> {
    let hashes = range.hashes().iter().flat_map(|hash| hash.0);
    range.size().0.to_be_bytes().into_iter().chain(hashes).collect()
}

fn decode_range(bytes: &[u8]) -> Option<CompactRange> {
    let (size, hashes) = bytes.split_at_checked(8)?;
    let size = TreeSize(u64::from_be_bytes(size.try_into().ok()?));
    let hashes = hashes.chunks(32).map(Hash::from_slice).collect::<Option<Vec<_>>>()?;
    CompactRange::from_parts(size, hashes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_audited_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(Some(folder.path().to_owned())).unwrap();
        let mut store = AuditStore::open(&state, "log.example").unwrap();
        assert!(AuditStore::open(&state, "log.example").is_err(), "one audit at a time");
        let mut overlay = store.overlay().unwrap();
        for i in 0..5u8 {
            overlay.apply(vec![(vec![i], vec![i, i])]);
            store.append(Hash::leaf(&[i]));
        }
        store.set_times(0, (0..5).map(Millis).collect());
        assert_eq!(overlay.read(&[3]).unwrap(), Some(vec![3, 3]));
        assert_eq!(store.keys().read(&[3]).unwrap(), None);
        store.commit(&mut overlay, b"note").unwrap();
        assert_eq!(store.keys().read(&[3]).unwrap(), Some(vec![3, 3]));
        let root = store.range().root();
        drop((store, overlay));
        let store = AuditStore::open(&state, "log.example").unwrap();
        assert_eq!((store.size(), store.range().root()), (TreeSize(5), root));
        assert_eq!(store.time(4).unwrap(), Some(Millis(4)));
        assert_eq!(store.time(5).unwrap(), None);
        assert_eq!(store.last_head().as_deref(), Some(b"note".as_slice()));
        assert_eq!(store.overlay().unwrap().read(&[4]).unwrap(), Some(vec![4, 4]));
    }
}

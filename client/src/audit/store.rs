//! What an audit keeps: the state of the fold, the compact range, the times of the entries, and the last head.

use std::sync::Arc;
use std::time::Duration;

use proto::hash::Hash;
use proto::merkle::CompactRange;
use redb::TableDefinition;

use crate::database::Reopening;
use crate::error::Error;
use crate::files;
use crate::follow::{Kv, Reading, Step, decode_range, encode_range, encode_times};
use crate::state::State;

/// state key → value
const STATE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("state");
/// bundle → times of its entries
const TIMES: TableDefinition<u64, &[u8]> = TableDefinition::new("times");
/// name → value
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

const RANGE: &str = "range";
const HEAD: &str = "head";
/// All published heads before this time were held against the entries, and were good.
const HEADS_FROM: &str = "heads-from";

/// The compact range and the head of an earlier audit.
type Kept = [Option<Vec<u8>>; 2];

/// The database of one log.
pub(super) struct AuditStore {
    database: Arc<Reopening>,
    place: String,
    state: Reading,
    last_head: Option<Vec<u8>>,
    /// The head that is audited, kept with every commit.
    note: Vec<u8>,
}

impl AuditStore {
    /// Opens or makes it, and gives what was audited before; another audit of the same log must not run.
    pub(super) fn open(state: &State, origin: &str, note: &[u8]) -> Result<(AuditStore, CompactRange), Error> {
        files::make_folder(state.folder())?;
        let name = format!("audit-{}.redb", &Hash::of(origin.as_bytes()).to_string()[..16]);
        let path = state.folder().join(name);
        let place = path.display().to_string();
        let database = Arc::new(Reopening::open(&path, Duration::ZERO)?);
        let make = || -> Result<(Kept, Reading), redb::Error> {
            let kept = database.write(|transaction| {
                transaction.open_table(STATE)?;
                transaction.open_table(TIMES)?;
                let meta = transaction.open_table(META)?;
                let get = |name| -> Result<Option<Vec<u8>>, redb::Error> {
                    Ok(redb::ReadableTable::get(&meta, name)?.map(|value| value.value().to_vec()))
                };
                Ok([get(RANGE)?, get(HEAD)?])
            })?;
            Ok((kept, Reading::open(Arc::clone(&database), STATE)?))
        };
        let ([range, last_head], state) = make().map_err(|e| broken(&place, &e))?;
        let range = match range {
            Some(bytes) => decode_range(&bytes).ok_or_else(|| broken(&place, &"its compact range is damaged"))?,
            None => CompactRange::new(),
        };
        Ok((AuditStore { database, place, state, last_head, note: note.to_vec() }, range))
    }

    /// The error for a database that contradicts itself.
    pub(super) fn damaged(&self, what: &str) -> Error {
        broken(&self.place, &what)
    }

    /// The head under which the last audit ended.
    pub(super) fn last_head(&self) -> Option<Vec<u8>> {
        self.last_head.clone()
    }

    pub(super) fn heads_from(&self) -> Result<u64, Error> {
        let read = self.database.read(|transaction| {
            let value = transaction.open_table(META)?.get(HEADS_FROM)?;
            Ok(value.and_then(|value| value.value().try_into().ok()).map(u64::from_be_bytes))
        });
        Ok(read.map_err(|e| broken(&self.place, &e))?.unwrap_or(0))
    }

    pub(super) fn set_heads_from(&self, time: u64) -> Result<(), Error> {
        let written = self.database.write(|transaction| {
            transaction.open_table(META)?.insert(HEADS_FROM, time.to_be_bytes().as_slice())?;
            Ok(())
        });
        written.map_err(|e| broken(&self.place, &e))
    }
}

impl Kv for AuditStore {
    fn state(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.state.get(key).map_err(|e| broken(&self.place, &e))
    }

    fn times(&self, bundle: u64) -> Result<Option<Vec<u8>>, Error> {
        let read = self
            .database
            .read(|transaction| Ok(transaction.open_table(TIMES)?.get(bundle)?.map(|value| value.value().to_vec())));
        read.map_err(|e| broken(&self.place, &e))
    }

    fn commit(&self, step: &Step<'_>) -> Result<(), Error> {
        let written = self.database.write(|transaction| {
            let mut state = transaction.open_table(STATE)?;
            for (key, value) in &step.state {
                state.insert(*key, *value)?;
            }
            let mut times = transaction.open_table(TIMES)?;
            for taken in step.bundles {
                times.insert(taken.bundle, encode_times(&taken.times).as_slice())?;
            }
            let mut meta = transaction.open_table(META)?;
            meta.insert(RANGE, encode_range(&step.cursor.range).as_slice())?;
            meta.insert(HEAD, self.note.as_slice())?;
            Ok(())
        });
        written.and_then(|()| self.state.renew()).map_err(|e| broken(&self.place, &e))
    }
}

fn broken(place: &str, error: &dyn std::fmt::Display) -> Error {
    Error::local(format!("the audit's state {place} cannot be used: {error}; move it away to audit from the beginning"))
}

#[cfg(test)]
mod tests {
    use proto::num::{LeafIndex, Millis, TreeSize};

    use super::*;
    use crate::follow::{Cursor, Taken, time_of};

    #[test]
    fn what_was_audited_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(Some(folder.path().to_owned())).unwrap();
        let (store, range) = AuditStore::open(&state, "log.example", b"note").unwrap();
        assert!(AuditStore::open(&state, "log.example", b"note").is_err(), "one audit at a time");
        let mut cursor = Cursor::at(range);
        (0..5u8).for_each(|i| _ = cursor.range.append(Hash::leaf(&[i])));
        assert_eq!(store.state(&[3]).unwrap(), None);
        let bundles = [Taken { bundle: 0, times: (0..5).map(Millis).collect(), entries: Vec::new() }];
        let step = Step { cursor: &cursor, state: vec![(&[3], &[3, 3])], bundles: &bundles, nodes: &[], remarks: &[] };
        store.commit(&step).unwrap();
        assert_eq!(store.state(&[3]).unwrap(), Some(vec![3, 3]));
        drop(store);
        let (store, range) = AuditStore::open(&state, "log.example", b"later").unwrap();
        assert_eq!((range.size(), range.root()), (TreeSize(5), cursor.range.root()));
        let time = |index| time_of(&store, range.size(), LeafIndex(index)).unwrap();
        assert_eq!((time(4), time(5)), (Some(Millis(4)), None));
        assert_eq!(store.last_head().as_deref(), Some(b"note".as_slice()));
        assert_eq!(store.state(&[3]).unwrap(), Some(vec![3, 3]));
    }
}

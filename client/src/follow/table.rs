//! A table of a redb database that is read very often.

use std::sync::{Arc, PoisonError, RwLock};

use redb::{ReadOnlyTable, StorageError, TableDefinition};

use crate::database::Reopening;

type Bytes = &'static [u8];

/// Reads of one table as it was at the last [`Reading::renew`]. Opening a table costs more than a read of it, and the fold
/// reads several keys an entry.
pub struct Reading {
    database: Arc<Reopening>,
    definition: TableDefinition<'static, Bytes, Bytes>,
    table: RwLock<ReadOnlyTable<Bytes, Bytes>>,
}

impl Reading {
    /// Reads this table, which must be there.
    pub fn open(
        database: Arc<Reopening>,
        definition: TableDefinition<'static, Bytes, Bytes>,
    ) -> Result<Reading, redb::Error> {
        let table = RwLock::new(open(&database, definition)?);
        Ok(Reading { database, definition, table })
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, redb::Error> {
        self.get_once(key).or_else(|error| {
            // The view is of a database that was closed since then: the same key of what is committed, which has not changed.
            self.database.notice(&error);
            self.renew()?;
            Ok(self.get_once(key)?)
        })
    }

    fn get_once(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        Ok(table.get(key)?.map(|value| value.value().to_vec()))
    }

    /// Reads show what is committed by now. Until then old pages of the file stay in use.
    pub fn renew(&self) -> Result<(), redb::Error> {
        let table = open(&self.database, self.definition)?;
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = table;
        Ok(())
    }
}

fn open(
    database: &Reopening,
    definition: TableDefinition<'static, Bytes, Bytes>,
) -> Result<ReadOnlyTable<Bytes, Bytes>, redb::Error> {
    Ok(database.begin_read()?.open_table(definition)?)
}

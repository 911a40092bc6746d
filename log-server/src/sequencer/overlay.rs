//! The state as a batch sees it: what earlier claims of the batch changed, over what is stored.

use std::collections::HashMap;

use proto::fold::{Changes, State};

use crate::store::{KeyValue, Store, StoreError};

/// The stored state.
pub struct StoredState<'a>(pub &'a dyn Store);

impl State for StoredState<'_> {
    type Error = StoreError;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.state(key)
    }
}

/// Changes over the stored state.
pub(super) struct Overlay<'a> {
    store: &'a dyn Store,
    state: HashMap<Vec<u8>, Vec<u8>>,
    rows: Vec<KeyValue>,
}

impl<'a> Overlay<'a> {
    /// Nothing changed yet.
    pub(super) fn new(store: &'a dyn Store) -> Overlay<'a> {
        Overlay { store, state: HashMap::new(), rows: Vec::new() }
    }

    /// Takes the changes of one entry.
    pub(super) fn apply(&mut self, changes: Changes) {
        self.state.extend(changes.state);
        self.rows.extend(changes.rows);
    }

    /// All changes, each key once.
    pub(super) fn into_changes(self) -> (Vec<KeyValue>, Vec<KeyValue>) {
        let mut state: Vec<KeyValue> = self.state.into_iter().collect();
        state.sort_unstable(); // the same batch always writes the same bytes
        (state, self.rows)
    }
}

impl State for Overlay<'_> {
    type Error = StoreError;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.state.get(key) {
            Some(value) => Ok(Some(value.clone())),
            None => self.store.state(key),
        }
    }
}

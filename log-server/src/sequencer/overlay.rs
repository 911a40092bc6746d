//! The state as a batch sees it: what earlier claims of the batch changed, over what is stored.

use std::cell::RefCell;
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

/// Records that were read for earlier batches: the constitution, keys and issuers are read for nearly every claim. Only the
/// sequencer writes state, so what it keeps up itself is what the store has. It goes with the sequencer: after a fault, what
/// counts is read anew.
#[derive(Debug, Default)]
pub(super) struct Recent(RefCell<HashMap<Vec<u8>, Vec<u8>>>);

/// Records kept at most, of some hundred bytes each: 4 MiB. When there are more, all are forgotten.
const MAX_RECENT: usize = 16_384;

impl Recent {
    fn read(&self, key: &[u8], store: &dyn Store) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(value) = self.0.borrow().get(key) {
            return Ok(Some(value.clone()));
        }
        let found = store.state(key)?;
        if let Some(value) = &found {
            let mut kept = self.0.borrow_mut();
            if kept.len() >= MAX_RECENT {
                kept.clear();
            }
            kept.insert(key.to_vec(), value.clone());
        }
        Ok(found)
    }

    /// Takes over what a batch wrote, once it is stored.
    pub(super) fn stored(&self, state: &[KeyValue]) {
        let mut kept = self.0.borrow_mut();
        for (key, value) in state {
            if let Some(known) = kept.get_mut(key) {
                known.clone_from(value);
            }
        }
    }
}

/// Changes over the stored state.
pub(super) struct Overlay<'a> {
    store: &'a dyn Store,
    recent: &'a Recent,
    state: HashMap<Vec<u8>, Vec<u8>>,
    rows: Vec<KeyValue>,
}

impl<'a> Overlay<'a> {
    /// Nothing changed yet.
    pub(super) fn new(store: &'a dyn Store, recent: &'a Recent) -> Overlay<'a> {
        Overlay { store, recent, state: HashMap::new(), rows: Vec::new() }
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
            None => self.recent.read(key, self.store),
        }
    }
}

//! The fold's state as a follower reads it.

use std::collections::HashMap;
use std::sync::Arc;

use proto::ed25519::KeyId;
use proto::fold::{KeyCache, KnownKey, State, Stop};

use super::Kv;
use crate::error::Error;

/// Values that the fold keeps from one commit to the next.
const KEPT_VALUES: usize = 200_000;

/// The state of the fold as the next entry sees it.
pub(super) struct Overlay<'a, K> {
    kv: &'a K,
    /// On disk as well.
    values: HashMap<Vec<u8>, Vec<u8>>,
    /// Not on disk yet.
    dirty: HashMap<Vec<u8>, Vec<u8>>,
}

impl<'a, K: Kv> Overlay<'a, K> {
    pub(super) fn new(kv: &'a K) -> Overlay<'a, K> {
        Overlay { kv, values: HashMap::new(), dirty: HashMap::new() }
    }

    pub(super) fn apply(&mut self, state: Vec<(Vec<u8>, Vec<u8>)>) {
        self.dirty.extend(state);
    }

    /// What is not on disk yet, ascending.
    pub(super) fn changes(&self) -> Vec<(&[u8], &[u8])> {
        let mut changes: Vec<_> = self.dirty.iter().map(|(key, value)| (key.as_slice(), value.as_slice())).collect();
        changes.sort_unstable();
        changes
    }

    /// It is on disk now.
    pub(super) fn committed(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        if self.values.len() + dirty.len() > KEPT_VALUES {
            self.values.clear();
        }
        self.values.extend(dirty);
    }
}

impl<K: Kv> State for Overlay<'_, K> {
    type Error = Error;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self.dirty.get(key).or_else(|| self.values.get(key)) {
            Some(value) => Ok(Some(value.clone())),
            None => self.kv.state(key),
        }
    }
}

/// Enrolled keys, shared by the worker threads and the fold. That an id names a key is a fact for ever, so what was read once
/// stays true; keys that sign many claims are prepared.
pub(super) struct Keys<'a, K> {
    stored: Stored<'a, K>,
    cache: KeyCache,
}

impl<'a, K: Kv> Keys<'a, K> {
    pub(super) fn new(kv: &'a K) -> Keys<'a, K> {
        Keys { stored: Stored(kv), cache: KeyCache::new() }
    }

    /// A key that was found before, or that is on disk.
    pub(super) fn stored(&self, id: &KeyId) -> Result<Arc<KnownKey>, Stop<Error>> {
        self.cache.find(id, &self.stored)
    }

    /// The same, also when the entry that enrolled it is not on disk yet. From then on the worker threads find it.
    pub(super) fn folded(&self, id: &KeyId, state: &Overlay<'_, K>) -> Result<Arc<KnownKey>, Stop<Error>> {
        self.cache.find(id, state)
    }
}

/// The state that is on disk.
struct Stored<'a, K>(&'a K);

impl<K: Kv> State for Stored<'_, K> {
    type Error = Error;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.0.state(key)
    }
}

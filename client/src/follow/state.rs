//! The fold's state as a follower reads it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use proto::fold::State;

use super::Kv;
use crate::error::Error;

/// Records of keys that worker threads keep: 100 bytes each.
const KEPT_KEYS: usize = 100_000;
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

/// Records of enrolled keys, for worker threads. That an id names a key is a fact for ever, so what was read once stays true.
pub(super) struct Keys<'a, K> {
    kv: &'a K,
    kept: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
}

impl<'a, K: Kv> Keys<'a, K> {
    pub(super) fn new(kv: &'a K) -> Keys<'a, K> {
        Keys { kv, kept: Mutex::default() }
    }
}

impl<K: Kv> State for Keys<'_, K> {
    type Error = Error;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = kept().get(key) {
            return Ok(Some(value.clone()));
        }
        let value = self.kv.state(key)?;
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

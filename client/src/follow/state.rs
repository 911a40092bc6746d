//! The fold's state as a follower reads it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use proto::ed25519::{KeyId, PublicKey};
use proto::fold::{KeyCache, LogRecord, State, Stop};

use super::Kv;
use crate::error::Error;

/// Values that the fold keeps from one commit to the next, of those that it read and of those that it wrote; some 30 MB each. A larger
/// step is kept as a whole.
const KEPT_VALUES: usize = 200_000;

/// Changes of the fold's state by key; shared while they are written.
pub(super) type Changed = Arc<HashMap<Vec<u8>, Vec<u8>>>;

/// The state of the fold as the next entry sees it.
pub(super) struct Overlay<'a, K> {
    kv: &'a K,
    /// Read from disk since the values below began: an entry reads its issuer's records again and again.
    read: RefCell<HashMap<Vec<u8>, Vec<u8>>>,
    /// Written, and on disk.
    values: HashMap<Vec<u8>, Vec<u8>>,
    /// On their way to the disk.
    sealed: Changed,
    /// Not even on their way.
    dirty: HashMap<Vec<u8>, Vec<u8>>,
}

impl<'a, K: Kv> Overlay<'a, K> {
    pub(super) fn new(kv: &'a K) -> Overlay<'a, K> {
        let (read, values) = (RefCell::default(), HashMap::new());
        Overlay { kv, read, values, sealed: Changed::default(), dirty: HashMap::new() }
    }

    pub(super) fn apply(&mut self, state: Vec<(Vec<u8>, Vec<u8>)>) {
        self.dirty.extend(state);
    }

    /// What is to be written next. What was sealed before must be on disk.
    pub(super) fn seal(&mut self) -> Changed {
        self.sealed = Arc::new(std::mem::take(&mut self.dirty));
        Arc::clone(&self.sealed)
    }

    /// What was sealed is on disk now.
    pub(super) fn committed(&mut self) {
        let sealed = std::mem::take(&mut self.sealed);
        let sealed = Arc::try_unwrap(sealed).unwrap_or_else(|shared| (*shared).clone());
        if self.values.len() + sealed.len() > KEPT_VALUES {
            // Together: what was read may be older than what was written.
            self.values = sealed;
            self.read.get_mut().clear();
        } else {
            self.values.extend(sealed);
        }
    }

    fn written(&self, key: &[u8]) -> Option<&Vec<u8>> {
        self.dirty.get(key).or_else(|| self.sealed.get(key)).or_else(|| self.values.get(key))
    }
}

impl<K: Kv> State for Overlay<'_, K> {
    type Error = Error;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if let Some(value) = self.written(key) {
            return Ok(Some(value.clone()));
        }
        if let Some(value) = self.read.borrow().get(key) {
            return Ok(Some(value.clone()));
        }
        let value = self.kv.state(key)?;
        if let Some(value) = &value {
            let mut read = self.read.borrow_mut();
            if read.len() >= KEPT_VALUES {
                read.clear();
            }
            read.insert(key.to_vec(), value.clone());
        }
        Ok(value)
    }
}

/// Enrolled keys, shared by the worker threads and the fold. That an id names a key is a fact for ever, so what was read once
/// stays true.
pub(super) struct Keys<'a, K> {
    stored: Stored<'a, K>,
    cache: KeyCache,
}

impl<'a, K: Kv> Keys<'a, K> {
    pub(super) fn new(kv: &'a K) -> Keys<'a, K> {
        Keys { stored: Stored(kv), cache: KeyCache::new() }
    }

    /// A key that was found before, or that is on disk.
    pub(super) fn stored(&self, id: &KeyId) -> Result<PublicKey, Stop<Error>> {
        self.cache.find(id, &self.stored).map(|known| known.key)
    }

    /// The same, also when the entry that enrolled it is not on disk yet. From then on the worker threads find it.
    pub(super) fn folded(&self, id: &KeyId, state: &Overlay<'_, K>) -> Result<PublicKey, Stop<Error>> {
        self.cache.find(id, state).map(|known| known.key)
    }
}

/// The constitution in force at the last entry that the rules were run over, and what is under way; nothing before entry 0.
///
/// # Errors
/// When what is kept cannot be read.
pub fn constitution<K: Kv>(kv: &K) -> Result<Option<LogRecord>, Error> {
    proto::fold::constitution(&Stored(kv)).map_err(|stop| match stop {
        Stop::State(error) => error,
        other => Error::local(format!("the state is damaged: {other}; begin anew")),
    })
}

/// The state that is on disk.
struct Stored<'a, K>(&'a K);

impl<K: Kv> State for Stored<'_, K> {
    type Error = Error;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.0.state(key)
    }
}

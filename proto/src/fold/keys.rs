//! Keys that were read before: for whoever checks the signatures of many claims.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{EnrolledKey, State, Stop, enrolled_key};
use crate::ed25519::KeyId;

/// Keys kept at most, at about 300 bytes each: 5 MiB. When there are more, all are forgotten, and those that still sign are
/// back with their next claim; whoever sees that many keys pays for it once in so many claims.
const MAX_KEYS: usize = 16_384;

/// Enrolled keys by id, shared by threads. Which key an id names and whose it is holds for ever, so nothing here grows old;
/// whether it may speak is decided elsewhere.
#[derive(Debug, Default)]
pub struct KeyCache(Mutex<HashMap<KeyId, Arc<EnrolledKey>>>);

impl KeyCache {
    /// Nothing kept yet.
    pub fn new() -> KeyCache {
        KeyCache::default()
    }

    /// The key and whose it is, from memory or from the state.
    ///
    /// # Errors
    /// As [`enrolled_key`].
    pub fn find<S: State>(&self, id: &KeyId, state: &S) -> Result<Arc<EnrolledKey>, Stop<S::Error>> {
        if let Some(known) = self.kept().get(id) {
            return Ok(known.clone());
        }
        let found = Arc::new(enrolled_key(id, state)?);
        let mut kept = self.kept();
        if kept.len() >= MAX_KEYS {
            kept.clear();
        }
        kept.insert(*id, found.clone());
        Ok(found)
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<KeyId, Arc<EnrolledKey>>> {
        // Nothing here panics while the lock is held; if a later change did, the map itself would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::ed25519::SecretKey;
    use crate::fold::{KeyHolder, KeyRecord, StateKey, record};

    /// A state in memory that counts its reads.
    struct Counted(HashMap<Vec<u8>, Vec<u8>>, Cell<usize>);

    impl State for Counted {
        type Error = std::convert::Infallible;

        fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error> {
            self.1.set(self.1.get() + 1);
            self.0.read(key)
        }
    }

    fn with_key(secret: &SecretKey) -> Counted {
        let key = secret.public();
        let record = KeyRecord {
            issuer: "acme.example".into(),
            holder: KeyHolder::Sign,
            spki: key.to_spki(),
            added: 1,
            from_ms: 0,
            until_ms: None,
            revoked: None,
        };
        let mut state = HashMap::new();
        state.insert(StateKey::Key(&key.id()).encode(), record::encode(&record));
        Counted(state, Cell::new(0))
    }

    #[test]
    fn a_key_is_read_once_and_an_unknown_one_is_never_kept() {
        let (secret, other) = (SecretKey::from_seed(&[3; 32]), SecretKey::from_seed(&[4; 32])); // test keys
        let (state, keys) = (with_key(&secret), KeyCache::new());
        let found = keys.find(&secret.public().id(), &state).expect("enrolled");
        assert_eq!((found.key, found.issuer.as_str()), (secret.public(), "acme.example"));
        keys.find(&secret.public().id(), &state).expect("kept");
        assert_eq!(state.1.get(), 1);
        for reads in [2, 3] {
            assert!(matches!(keys.find(&other.public().id(), &state), Err(Stop::Refused(_))));
            assert_eq!(state.1.get(), reads, "it may be enrolled at any moment");
        }
    }
}

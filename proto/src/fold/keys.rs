//! Keys that were read before: for whoever checks the signatures of many claims.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::{EnrolledKey, State, Stop, enrolled_key};
use crate::ed25519::{BadSignature, KeyId, PREPARED_BYTES, PreparedKey, PublicKey, Signature};

/// Keys kept at most, at about 300 bytes each: 5 MiB. When there are more, all are forgotten, and those that still sign are
/// back with their next claim; whoever sees that many keys pays for it once in so many claims.
const MAX_KEYS: usize = 16_384;

/// Keys that are prepared at most: 16 MB.
const MAX_PREPARED: usize = 16_000_000 / PREPARED_BYTES;

/// A key that was asked for so often is prepared. That takes about as long as one check and pays itself back within the next
/// ten; a key that signs now and then is not worth its memory.
const PREPARED_AFTER: u32 = 32;

/// What checks signatures.
pub trait Verify {
    /// Strict verification of `signature` over `message`.
    ///
    /// # Errors
    /// When the signature does not verify.
    fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature>;
}

impl Verify for PublicKey {
    fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        PublicKey::verify(self, message, signature)
    }
}

/// A key of the log, with what is kept of it.
#[derive(Debug)]
pub struct KnownKey {
    enrolled: EnrolledKey,
    uses: AtomicU32,
    prepared: OnceLock<PreparedKey>,
}

impl KnownKey {
    /// Whose it is; empty for a key of the operator or a registrar.
    pub fn issuer(&self) -> &str {
        &self.enrolled.issuer
    }

    /// The key.
    pub fn key(&self) -> PublicKey {
        self.enrolled.key
    }
}

impl Verify for Arc<KnownKey> {
    fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        match self.prepared.get() {
            Some(prepared) => prepared.verify(message, signature),
            None => self.enrolled.key.verify(message, signature),
        }
    }
}

/// Enrolled keys by id, shared by threads. Which key an id names and whose it is holds for ever, so nothing here grows old;
/// whether it may speak is decided elsewhere.
#[derive(Debug, Default)]
pub struct KeyCache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    keys: HashMap<KeyId, Arc<KnownKey>>,
    prepared: usize,
}

impl KeyCache {
    /// Nothing kept yet.
    pub fn new() -> KeyCache {
        KeyCache::default()
    }

    /// The key, from memory or from the state.
    ///
    /// # Errors
    /// As [`enrolled_key`].
    pub fn find<S: State>(&self, id: &KeyId, state: &S) -> Result<Arc<KnownKey>, Stop<S::Error>> {
        let known = self.kept().keys.get(id).cloned();
        match known {
            Some(known) => {
                if known.uses.fetch_add(1, Ordering::Relaxed) == PREPARED_AFTER {
                    self.prepare(&known);
                }
                Ok(known)
            }
            None => Ok(self.keep(*id, enrolled_key(id, state)?)),
        }
    }

    fn keep(&self, id: KeyId, enrolled: EnrolledKey) -> Arc<KnownKey> {
        let known = Arc::new(KnownKey { enrolled, uses: AtomicU32::new(0), prepared: OnceLock::new() });
        let mut kept = self.kept();
        if kept.keys.len() >= MAX_KEYS {
            *kept = Kept::default();
        }
        kept.keys.insert(id, known.clone());
        known
    }

    fn prepare(&self, known: &KnownKey) {
        let mut kept = self.kept();
        if kept.prepared >= MAX_PREPARED {
            return;
        }
        kept.prepared += 1;
        drop(kept);
        known.prepared.get_or_init(|| PreparedKey::new(known.enrolled.key));
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
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
        assert_eq!((found.key(), found.issuer()), (secret.public(), "acme.example"));
        keys.find(&secret.public().id(), &state).expect("kept");
        assert_eq!(state.1.get(), 1);
        for reads in [2, 3] {
            assert!(matches!(keys.find(&other.public().id(), &state), Err(Stop::Refused(_))));
            assert_eq!(state.1.get(), reads, "it may be enrolled at any moment");
        }
    }

    #[test]
    fn a_key_that_is_used_often_is_prepared_and_says_the_same() {
        let secret = SecretKey::from_seed(&[3; 32]); // a test key
        let (state, keys) = (with_key(&secret), KeyCache::new());
        let signature = secret.sign(b"message");
        for use_number in 0..PREPARED_AFTER + 3 {
            let known = keys.find(&secret.public().id(), &state).expect("enrolled");
            assert_eq!(known.prepared.get().is_some(), use_number > PREPARED_AFTER, "use {use_number}");
            assert_eq!(known.verify(b"message", &signature), Ok(()));
            assert_eq!(known.verify(b"massage", &signature), Err(BadSignature));
        }
    }
}

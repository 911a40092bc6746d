//! Keys that were read before: decompressing a key costs about a third of checking a signature with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use proto::ed25519::KeyId;
use proto::fold::{self, EnrolledKey, State, Stop};

/// Keys kept at most, at about 300 bytes each: 5 MiB. When there are more, all are forgotten, and those that still sign are
/// back with their next claim; a log with that many keys in use pays for it once in so many claims.
const MAX_KEYS: usize = 16_384;

/// Enrolled keys by id. Which key an id names and whose it is holds for ever, so nothing here grows old; whether it may
/// speak is decided elsewhere.
#[derive(Debug, Default)]
pub(in crate::log) struct KeyCache(Mutex<HashMap<KeyId, Arc<EnrolledKey>>>);

impl KeyCache {
    /// The key, from memory or from the state.
    pub(super) fn find<S: State>(&self, id: &KeyId, state: &S) -> Result<Arc<EnrolledKey>, Stop<S::Error>> {
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            return Ok(known.clone());
        }
        let found = Arc::new(fold::enrolled_key(id, state)?);
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MAX_KEYS {
            keys.clear();
        }
        keys.insert(*id, found.clone());
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proto::fold::{Changes, Submission};

    use super::*;
    use crate::testing::{self, number};

    /// A state in memory that counts its reads.
    struct Counted(HashMap<Vec<u8>, Vec<u8>>, Cell<usize>);

    impl State for Counted {
        type Error = std::convert::Infallible;

        fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error> {
            self.1.set(self.1.get() + 1);
            self.0.read(key)
        }
    }

    fn founded() -> Counted {
        let empty = HashMap::<Vec<u8>, Vec<u8>>::new();
        let submission = Submission::from_envelope(testing::constitution()).expect("a claim");
        let checked = fold::check_signatures(submission, &empty).expect("signed");
        let decided = fold::decide(proto::num::LeafIndex(0), proto::num::Millis(0), &checked, &empty);
        let Changes { state, .. } = decided.expect("a constitution").changes;
        Counted(state.into_iter().collect(), Cell::new(0))
    }

    #[test]
    fn a_key_is_read_once_and_an_unknown_one_is_never_kept() {
        let (state, keys) = (founded(), KeyCache::default());
        let operator = testing::key(number::OPERATOR).public();
        let found = keys.find(&operator.id(), &state).expect("enrolled");
        assert_eq!((found.key, found.issuer.as_str()), (operator, ""));
        assert_eq!(keys.find(&operator.id(), &state).expect("kept"), found);
        assert_eq!(state.1.get(), 1);
        let stranger = testing::key(number::ACME_SIGN).public().id();
        for reads in [2, 3] {
            assert!(matches!(keys.find(&stranger, &state), Err(Stop::Refused(_))));
            assert_eq!(state.1.get(), reads, "it may be enrolled at any moment");
        }
    }
}

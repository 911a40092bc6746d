//! The one place of the client that draws randomness: seeds of keys, and the jitter of waiting.

use zeroize::Zeroizing;

use crate::error::Error;

/// A fresh 32-byte seed from the operating system, wiped when dropped.
#[allow(clippy::disallowed_methods, reason = "the one place where the client draws randomness")]
pub fn seed() -> Result<Zeroizing<[u8; 32]>, Error> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice())
        .map_err(|e| Error::local(format!("the operating system gives no randomness: {e}; no key was made")))?;
    Ok(seed)
}

/// A number from 0 up to and including `most`, for spreading retries; without randomness, half of it.
#[allow(clippy::disallowed_methods, reason = "the one place where the client draws randomness")]
pub fn jitter(most: u64) -> u64 {
    match getrandom::u64() {
        Ok(random) => random % most.saturating_add(1).max(1),
        Err(_) => most / 2,
    }
}

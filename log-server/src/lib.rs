//! The log server of Claimtrail.
//!
//! | module | what it holds |
//! |---|---|
//! | [`store`] | what is durable: entries, tiles, the fold's state and rows, signed heads, fork reports |

pub mod clock;
pub mod http;
pub mod log;
pub mod sequencer;
pub mod signer;
pub mod store;
#[cfg(any(test, feature = "conformance"))]
pub mod testing;

//! The log server of Claimtrail.
//!
//! | module | what it holds |
//! |---|---|
//! | [`store`] | what is durable: entries, tiles, the fold's state and rows, signed heads, fork reports |

pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod http;
pub mod log;
pub mod refold;
pub mod sequencer;
pub mod signer;
pub mod store;
#[cfg(any(test, feature = "conformance"))]
pub mod testing;

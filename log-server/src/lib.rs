//! The log server of Claimtrail.
//!
//! | module | what it holds |
//! |---|---|
//! | [`store`] | what is durable: entries, tiles, the fold's state and rows, signed heads, fork reports |
//! | [`clock`], [`signer`] | the log's time; its keys, and the record of what was signed |
//! | [`sequencer`] | the one place where claims become entries |
//! | [`log`] | the log as the rest of the server sees it: submit, look up, in which mode |
//! | [`witness`] | cosignatures: asked for, collected, published |
//! | [`http`] | the public address |
//! | [`refold`], [`check`] | the rules run again over what is stored: rebuilt indexes, and the whole log checked |
//! | [`export`] | the log as files that any static server can serve |
//! | [`config`], [`cli`] | the operator's side: configuration and the command |

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests damage files of their own"))]

/// Set here and not in a program, so that tests and measurements run what operators run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod export;
pub mod http;
pub mod log;
pub mod refold;
pub mod sequencer;
pub mod signer;
pub mod store;
#[cfg(any(test, feature = "conformance"))]
pub mod testing;
#[cfg(any(test, feature = "conformance"))]
pub mod torture;
pub mod witness;

//! The monitor of Claimtrail: follows logs, runs their rules again, keeps what they signed, and cosigns their heads.
//!
//! | module | what it holds |
//! |---|---|
//! | [`finding`] | what is found, in which class, and the events that tell of it |
//! | [`store`] | what is kept of one log, in one database: cursor, state, tiles, bundles, heads, findings, events |
//! | [`follow`] | one log followed: its head judged, its entries hashed, its rules run again |
//! | [`evidence`] | misbehaviour files: made, taken, kept, and what follows from them |
//! | [`witness`] | heads cosigned, never below what was cosigned (C2SP tlog-witness) |
//! | [`http`] | the public address: witness, mirror, heads |
//! | [`config`], [`cli`] | the operator's side: configuration and the command |

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests damage files of their own"))]

pub mod cli;
pub mod config;
pub mod evidence;
pub mod finding;
pub mod follow;
pub mod http;
pub mod store;
pub mod witness;

pub use cli::run;

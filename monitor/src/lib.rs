//! The monitor of Claimtrail: follows logs, runs their rules again, keeps what they signed, and cosigns their heads.
//!
//! | module | what it holds |
//! |---|---|
//! | [`finding`] | what is found, in which class, and the events that tell of it |
//! | [`acknowledge`] | what the operator says of a finding that does not end |
//! | [`store`] | what is kept of one log, in one database: cursor, state, tiles, bundles, heads, findings, events |
//! | [`follow`] | one log followed: its head judged, its entries hashed, its rules run again |
//! | [`gossip`] | heads that others were shown, held against own leaf hashes and tied by proofs |
//! | [`evidence`] | misbehaviour files: made, taken, kept, and what follows from them |
//! | [`witness`] | heads cosigned, never below what was cosigned (C2SP tlog-witness) |
//! | [`alert`] | alerts: an outbox, and the channels that it goes out by |
//! | [`watch`] | watch lists: which claims and findings are told |
//! | [`http`] | the public address: witness, mirror, heads |
//! | [`clock`] | the machine's clock, held against the time that passed |
//! | [`config`], [`cli`] | the operator's side: configuration and the command |

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests damage files of their own"))]

pub mod acknowledge;
pub mod alert;
pub mod cli;
pub mod clock;
pub mod config;
pub mod evidence;
pub mod finding;
pub mod follow;
pub mod gossip;
pub mod http;
pub mod store;
pub mod watch;
pub mod witness;

pub use cli::run;

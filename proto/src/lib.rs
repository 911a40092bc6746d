//! The rules of Claimtrail.
//!
//! Everything that two parties must agree on is in this crate, as pure functions of bytes: no I/O, no clock, no
//! randomness. The log server applies these rules, and a monitor or an auditor applies the very same code to what the
//! server published.
//!
//! | module | what it holds | source |
//! |---|---|---|
//! | [`num`], [`hash`], [`b64`] | index, size, time, hash, strict decimals and base64 | RFC 4648, RFC 6962 §2.1 |
//! | [`merkle`], [`tile`] | proofs made and checked, compact range, tiles and entry bundles | RFC 6962 §2.1, C2SP tlog-tiles |
//! | [`note`], [`checkpoint`], [`cosignature`] | signed notes, vkeys, tree heads | C2SP signed-note, tlog-checkpoint, tlog-cosignature |
//! | [`policy`], [`tlog_proof`] | whom a reader trusts, and a proof that verifies offline | C2SP tlog-policy, tlog-proof |
//! | [`ed25519`], [`dsse`], [`entry`] | keys, envelopes, what the tree hashes | RFC 8032, DSSE 1.0.2, RFC 8949 §4.2.1 |
//! | [`json`], [`claim`] | the claim's payload, its nine bodies and their form | RFC 8259 |
//! | [`fold`] | admission, issuers, keys, slots and links: a step from state to state | docs/formats.md |
//! | [`query`] | what is current, what was, who said what: pure questions to the fold's rows and entries | docs/formats.md |
//! | [`receipt`], [`statement`] | what a submitter gets back | docs/formats.md |

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "unit tests may read vectors from files")
)]

pub mod b64;
pub mod checkpoint;
pub mod claim;
pub mod code;
pub mod cosignature;
pub mod dsse;
pub mod ed25519;
pub mod entry;
pub mod fold;
pub mod hash;
pub mod json;
pub mod merkle;
pub mod note;
pub mod num;
pub mod policy;
pub mod query;
pub mod receipt;
pub mod statement;
pub mod tile;
pub mod tlog_proof;

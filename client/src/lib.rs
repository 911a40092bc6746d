//! What talks to a Claimtrail log: keys, claims, submission, verification, audit. A library, and with the feature `cli`
//! the `claimtrail` command.
//!
//! | module | what it holds |
//! |---|---|
//! | [`http`], [`egress`], [`problem`], [`api`] | requests with bounds and retries, by which way out; the log's refusals; the log's own endpoints |
//! | [`clock`], [`random`] | the one place each that reads the wall clock, that draws randomness |
//! | [`keyfile`], [`files`], [`trust`] | key files, the atomic writer, whom the reader believes |
//! | [`database`], [`plain`] | a database that survives a full disk; text of others for a terminal |
//! | [`state`], [`head`] | the newest verified head of each log, and the demand that newer ones agree with it |
//! | [`tiles`], [`follow`], [`audit`] | tiles and bundles over HTTP; a log followed: re-hashed, its rules run again; an audit |
//! | [`compose`], [`submit`] | claims filled in, written as templates, signed and submitted |
//! | [`import`] | files and folders of what others published, as claims |
//! | `hammer` | the load tool, with the feature of that name |
//! | [`report`] | what was shown, handed in at a monitor |
//! | [`verify`] | receipts and proofs checked with no network |

pub mod api;
pub mod audit;
#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
pub mod compose;
pub mod database;
pub mod egress;
pub mod error;
pub mod files;
pub mod follow;
#[cfg(feature = "hammer")]
pub mod hammer;
pub mod head;
pub mod http;
pub mod identity;
pub mod import;
pub mod keyfile;
pub mod plain;
pub mod problem;
pub mod random;
pub mod report;
pub mod state;
pub mod submit;
pub mod tiles;
pub mod trust;
pub mod verify;

pub use error::{Error, ErrorKind};

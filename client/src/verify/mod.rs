//! Offline verification: a pure function of files and the reader's trust.
//!
//! A report says of each sentence on what it rests: proven by hashes and signatures, committed to by the log, attested
//! by witnesses, asserted by the issuer, or not checked. A file never vouches for itself: without a trust file nothing
//! is more than consistent.

mod files;
mod judge;
mod report;
mod statements;

pub use files::{Material, MaterialPaths, Part};
pub use judge::{Content, Proof, judge};
pub use report::{Facts, Report, Standing, Statement, Verdict};

#[cfg(test)]
mod tests;

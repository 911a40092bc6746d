//! Strict JSON: one document, no duplicate members, bounded depth, numbers and strings; every refusal names its place.
//!
//! The tokens are `serde_json`'s (RFC 8259); what it leaves open is decided here, once, for claims, envelopes,
//! receipts and imported files alike. [`parse`] gives a [`Value`] that keeps the order of members; [`Fields`] takes
//! members out of an object, typed, and refuses what is left over.

mod fields;
mod limits;
mod parse;
mod pointer;
#[cfg(test)]
mod tests;
mod value;

pub use fields::{Fields, Item, Text};
pub use limits::{Codes, Limits, MAX_NUMBER};
pub use parse::parse;
pub use pointer::{Place, child, element};
pub use value::{Number, Value};

//! Strict JSON: one document, no duplicate members, bounded depth, numbers and strings; every refusal names its place.
//!
//! The tokens are `serde_json`'s (RFC 8259); what it leaves open is decided here, once, for claims, envelopes,
//! receipts and imported files alike.

mod limits;
mod pointer;
mod value;

pub use limits::{Codes, Limits, MAX_NUMBER};
pub use pointer::{child, element};
pub use value::{Number, Value};

//! Importers: what others published, as claims. Pure functions of bytes; files and folders are the client's.
//!
//! An importer yields [`Draft`]s, each of which has the form of a claim, and a [`Report`] in which nothing is silently
//! dropped: every row of the source is a claim, was seen before, or is refused with a reason, and what of a row has no
//! place in a claim is counted by kind. Who speaks, for which logs and when is a [`Frame`] of the caller's; one draft
//! and one frame always give the same bytes.
//!
//! | module | what it reads | what it makes |
//! |---|---|---|
//! | [`csaf`] | CSAF 2.0 documents | `vulnerability/v1`, one per document, vulnerability and product name |
//! | [`firmware`] | sightings of Zigbee firmware, a JSON object a line | `release/v1` |
//! | [`makers`] | makers' names as sources spell them | issuer ids, or `name:` and the name |

mod build;
pub mod csaf;
mod draft;
pub mod firmware;
mod ledger;
pub mod makers;
mod node;
mod report;
mod spellings;
#[cfg(test)]
mod tests;
mod zigbee;

pub use draft::{Draft, Frame};
pub use makers::Makers;
pub use report::{NotMapped, Place, Reason, RefusedRow, Report};

use crate::code::Code;
use crate::json::{Codes, Limits};

/// Largest document that is read, in bytes: the largest public advisories have a few megabytes, and a parsed one takes
/// several times its size in memory.
pub const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;
/// Largest row of a file of rows, in bytes: what does not fit an entry cannot become a claim.
pub const MAX_ROW_BYTES: usize = 64 * 1024;

/// JSON of imported documents: product trees nest a few dozen levels at most, notes are long texts.
const DOCUMENT_JSON: Limits = Limits { depth: 100, string_bytes: 1024 * 1024, codes: &SOURCE_CODES };
/// JSON of imported rows.
const ROW_JSON: Limits = Limits { depth: 16, string_bytes: MAX_ROW_BYTES, codes: &SOURCE_CODES };
/// Sources are no claims: one code for whatever is wrong with them, the message says what.
const SOURCE_CODES: Codes = Codes::uniform(Code::RequestInvalid, Code::RequestInvalid);

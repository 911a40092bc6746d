//! The importers on real data: every document and every row is accounted for, and every draft is a claim.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests read real data from files and stop at the first surprise; the library does neither"
)]

mod data;
mod properties;
mod real;

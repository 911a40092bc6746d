//! The importers on real data: every document and every row is accounted for, and every draft is a claim.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests read real data from files; the library does not"
)]

mod data;
mod real;

//! The fold: every rule with its code and place, stories, a naive model beside it, and vectors that freeze version 1.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "vectors are files, and an environment variable blesses them")]

mod bytes;
mod constitution;
mod model;
mod pages;
mod random;
mod receipts;
mod recovery;
mod registry;
mod rights;
mod slots;
mod stories;
mod submission;
mod vectors;
mod vectors_claims;
mod world;

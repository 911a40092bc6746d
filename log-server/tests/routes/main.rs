//! The routes as clients see them, against a log in main memory. The files mirror the routes.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads and writes files of its own"
)]

mod changes;
mod claims;
mod clock;
mod entries;
mod find;
mod issuers;
mod limits;
mod log;
mod openapi;
mod products;
mod schema;
mod stream;
mod support;
mod tiles;
mod witnessed;

//! The routes as clients see them, against a log in main memory. The files mirror the routes.

mod changes;
mod claims;
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

//! Attack and overload: what hostile, broken or too many clients do to a server that runs, and a machine that denies it what it
//! needs. Real processes on loopback; after each, the server takes a good claim and the log agrees with itself.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, reads and writes files of its own, and says what it saw"
)]

mod denied;
mod fair;
mod flood;
mod grammar;
mod oversized;
mod site;
mod slow;
mod smuggling;
mod tricks;
mod wire;

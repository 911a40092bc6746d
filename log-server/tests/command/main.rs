//! The command `claimtrail-log` as a process: made, served, checked, exported, rebuilt, frozen.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads and writes files of its own"
)]

mod damage;
mod export;
mod freeze;
mod init;
mod serve;
mod support;

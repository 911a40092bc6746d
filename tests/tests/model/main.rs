//! Models of the witness and of gossip, tried in every order up to a bound, and simulations of a network from seeds.
//!
//! They ask the very code that the monitor runs. Each model has mutants, in which one rule is broken: there the checker must
//! find what goes wrong, or its silence about the real rules would say nothing.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, and says how far it looked"
)]

mod check;
mod gossip;
mod history;
mod network;
mod put_back;
mod witness;

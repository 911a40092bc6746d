//! A zoo of logs that misbehave, each in exactly one way, and what must catch it.
//!
//! ```text
//! Script   entries by the log's own rules (proto::fold), then past them where the animal strays; heads under test keys
//! Show     the files of a script as tlog-tiles, the list of heads, and odd answers
//! Served   a show at an address; another show at another address with the same keys is a fork shown only to some
//! Animal   its life: what it shows first, what it shows then, and what an honest twin shows in its place
//! ```
//!
//! Every key is a test key of the log server's library. [`animals`] is the one table: tests run each animal against the
//! real programs, and the table in docs/reliability.md is compared with it.

mod animal;
mod answers;
mod entries;
mod forks;
mod heads;
mod script;
mod server;
mod show;
mod targets;

pub use animal::{Animal, Audit, Life};
pub use script::{Published, Script, trust};
pub use server::Served;
pub use show::{Odd, Show};

/// Every animal, in the order of the documentation.
pub fn animals() -> impl Iterator<Item = &'static Animal> {
    [forks::ALL, heads::ALL, entries::ALL, targets::ALL, answers::ALL].into_iter().flatten()
}

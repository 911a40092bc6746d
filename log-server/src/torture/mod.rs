//! The log on a machine that fails in every way, by schedules drawn from seeds.
//!
//! A schedule starts and ends processes, submits, freezes, rebuilds, sets the clock, and flips bits, while calls to the store
//! and to the signer's record fail as `plan` draws them: refused, lost, persisted but errored, late, readable but never
//! synced, torn off in a crash; and the process dies before or after any call. Everything runs on one thread, so the same seed
//! is the same schedule again. After each step `check_log` (`model`) re-verifies the disk and all that was ever said.
//!
//! The tests run some thousands of schedules, `make torture` as many as there is time for.

mod claims;
#[cfg(test)]
mod flip_tests;
mod ledger;
mod machine;
mod model;
mod plan;
mod random;
mod record;
mod schedule;
mod store;
#[cfg(test)]
mod tests;

pub use plan::Counts;
pub use random::Random;
pub use schedule::{Failure, run};

//! What the tests of the whole share.
//!
//! [`workspace`] reads the workspace itself, for the tests that keep the rules of the house; [`inputs`] finds what a test
//! needs from outside the repository, and says visibly when it is not there; [`audit_load`] and [`monitor_load`] are parts of the benchmark.

pub mod audit_load;
pub mod cluster;
pub mod disk;
pub mod facts;
pub mod inputs;
pub mod links;
pub mod monitor_load;
pub mod placeholder;
pub mod process;
pub mod transcript;
pub mod watcher;
pub mod workspace;
pub mod zoo;

//! The `claimtrail` command.
fn main() {}

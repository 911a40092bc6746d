//! Gossip: heads that others were shown, held against what this monitor was shown.

pub mod config;
pub mod core;
pub mod head;

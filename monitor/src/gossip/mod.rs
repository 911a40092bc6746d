//! Gossip: heads that others were shown, held against what this monitor was shown.

pub mod core;

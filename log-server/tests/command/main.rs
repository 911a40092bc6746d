//! The command `claimtrail-log` as a process: made, served, checked, exported, rebuilt, frozen.

mod damage;
mod export;
mod freeze;
mod init;
mod serve;
mod support;

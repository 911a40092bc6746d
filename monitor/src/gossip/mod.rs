//! Gossip: heads that others were shown, held against what this monitor was shown.
//!
//! ```text
//! a peer pushes, somebody reports, another way out shows ─ the log's signature ─▶ core ─▶ kept: waiting, findings
//!                                                                                  │
//!               the log, the sender, all peers are asked for a proof ◀─ outputs ───┘──▶ pushes, evidence, statements
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`core`] | what is decided: a state machine with no clock, chance or network |
//! | [`head`] | a head with the log's own lines alone |
//! | [`log`] | the machine of one log, with its outcome made durable |
//! | `evidence` | misbehaviour files that are sent to peers and taken from them |
//! | `statement` | that heads stay unavailable, as peers state it |
//! | [`peer`] | another monitor over HTTP |
//! | [`run`] | what is done: asking, pushing, pulling |
//! | `refused` | evidence that a peer does not take |
//! | `lanes` | who waits for whom in that |
//! | `branch` | proofs of a history that contradicts the followed one |
//! | `once` | one round of that, for a monitor that looks once |
//! | `ways` | how a log is reached |
//! | `cosigned` | own cosignatures shown to the peers |
//! | [`last_cosigned`] | peers asked for this witness's own last cosignature |
//! | `start` | who is to answer at a start, and who has |
//! | `look_after` | the witness looked after: does it know what it cosigned last? |
//! | [`config`] | peers and ways out |

mod act;
mod branch;
pub mod config;
pub mod core;
mod cosigned;
mod evidence;
pub mod head;
mod lanes;
pub mod last_cosigned;
pub mod log;
mod look_after;
mod once;
mod own;
pub mod peer;
mod pull;
mod refused;
pub mod run;
mod silence;
mod start;
mod statement;
mod step;
mod tell;
mod unread;
mod ways;

pub use act::{Act, Became};
pub use branch::branch_proof;
pub use cosigned::NotCosigned;
pub use log::LogGossip;
pub use own::own_proof;
pub use run::Gossip;
pub use statement::{NotKept, STATEMENTS_PAGE};

#[cfg(test)]
mod repeated;
#[cfg(test)]
mod tests;

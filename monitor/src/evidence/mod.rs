//! Evidence: misbehaviour files that this monitor made or was given, each proven before it is kept.
//!
//! ```text
//! following finds it ─ a file is made ─┐
//! a peer or the operator hands it in ──┴─ proven ─▶ store (file, finding, cursor: one transaction) ─▶ alert, peers
//!                                                     │ two histories under the log's key
//!                                                     ▼
//!                                                   cosigning stops ─ until `resume-origin --despite-evidence`
//! ```
//!
//! That act covers the heads of the files that it names: whatever file is made of them later ends nothing again (`store/stops.rs`).
//!
//! [`ProvenFile`] is made by verification alone, so that nothing else can be kept. A file says which key it convicts; it is
//! taken only when the operator's own trust file names that key for that log.

mod accuse;
mod file;
mod kept;
mod stop;
mod take;

pub(crate) use accuse::Again;
pub use accuse::Reach;
pub use file::{EvidenceId, NotEvidence, ProvenFile};
pub(crate) use file::{claimed_head, heads_of};
pub use kept::{Kept, NewEvidence, Source, Stored};
pub use stop::Stop;
pub use take::{Refused, Taken, take_evidence};

#[cfg(test)]
mod mutations;
#[cfg(test)]
mod replayed;
#[cfg(test)]
mod resumed;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
pub(crate) mod withheld;

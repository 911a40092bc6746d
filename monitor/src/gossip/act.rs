//! What follows from an input: what is to be done, and what became of a head.

use std::sync::Arc;

use proto::num::TreeSize;

use super::core::{Head, Output, PeerId, Whom};
use crate::follow::Verdict;

/// What is to be done outside of this process.
#[derive(Debug, Clone)]
pub enum Act {
    /// Ask for the proof from so many entries to this head.
    Ask {
        /// Whom.
        whom: Whom,
        /// The head.
        head: Head,
        /// Where the proof begins.
        from: TreeSize,
    },
    /// Send a peer this head.
    Push {
        /// Which peer.
        peer: PeerId,
        /// The head.
        head: Head,
        /// The note; the same for every peer.
        note: Arc<[u8]>,
        /// The size that the peer has.
        old: TreeSize,
    },
    /// Send a peer this piece of evidence.
    SendEvidence {
        /// Which peer.
        peer: PeerId,
        /// Its number.
        number: u64,
    },
    /// Send every peer this statement.
    SendStatement {
        /// The signed note.
        statement: String,
        /// The head that it is about.
        checkpoint: String,
    },
}

/// What became of a head that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// It is a state of the tree that was followed.
    Known,
    /// The log signed what contradicts it.
    Contradicts,
    /// It is larger than what was followed; it waits, and is asked for.
    Waits,
    /// It is larger, and more heads wait than have room.
    Discarded,
}

/// What became of a head, by how it stands to the tree and what the machine did with it.
pub(super) fn became(verdict: &Verdict, head: Head, outputs: &[Output]) -> Became {
    let is_gone = |output: &Output| matches!(output, Output::Discarded { head: gone, .. } if *gone == head);
    match verdict {
        Verdict::Known => Became::Known,
        Verdict::Contradicts(_) => Became::Contradicts,
        Verdict::Larger if outputs.iter().any(is_gone) => Became::Discarded,
        Verdict::Larger => Became::Waits,
    }
}

//! What a witness shows to everybody as the last head of this log that it cosigned (C2SP tlog-witness, `<hash>/checkpoint`).
//!
//! It is asked for when somebody else submits heads to the witness faster than the log does. Of the answer nothing but the
//! witness's own line is taken: the head beside it has to be one that this log signed, and is read from its own store.

use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use proto::hash::Hash;
use proto::note::NoteSignature;
use proto::num::{Seconds, TreeSize};

use super::board::text_of;
use crate::log::Log;
use crate::store::Direction;

/// How long a witness may take to show it: less than a question takes by default, of which it is the last part.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

/// Heads of its own that the log looks through for the one that a witness shows, the newest first: those of ten seconds and more of
/// a busy log, which signs hundreds a second. Read in some milliseconds.
const MAX_HEADS_BACK: usize = 4096;

/// A head of this log with the line of a witness that was not asked for it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// Entries in its tree.
    pub(super) size: TreeSize,
    /// The note as this log signed it.
    pub(super) own: Bytes,
    /// The witness's line, verified over it.
    pub(super) line: NoteSignature,
    /// The time in the line.
    pub(super) time: Seconds,
}

/// Where a witness shows it.
pub(super) fn path(origin: &str) -> String {
    format!("{}/checkpoint", Hash::of(origin.as_bytes()))
}

/// The head that this log signed and published itself, of the same size and root as the one in a stranger's note. Blocks.
pub(super) fn own_head(log: &Log, note: &[u8]) -> Option<(TreeSize, Bytes)> {
    let theirs = text_of(note)?;
    let newest = log.published();
    if theirs.size() > newest.head.size {
        return None;
    }
    let (mut left, mut found) = (MAX_HEADS_BACK, None);
    let read = log.store().signed_heads(None, Direction::Backward, &mut |head| {
        left -= 1;
        if head.key.size == theirs.size() {
            found = Some(head.note);
        } else if left > 0 && head.key.size > theirs.size() {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(())
    });
    if let Err(error) = read {
        tracing::warn!(%error, "the heads that this log signed cannot be read");
        return None;
    }
    let own = found?;
    text_of(&own)?.same_head(&theirs).then_some((theirs.size(), own))
}

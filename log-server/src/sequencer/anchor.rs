//! A claim may name a head of the log: the head must be the log's own.

use proto::code::{Code, Refused};
use proto::hash::Hash;
use proto::merkle::{NodeReader, ProofError, root_at};
use proto::num::TreeSize;

/// Why `(size, root)` is no head of this log, of which heads up to `shown` were shown; `None` when it is one. If it is
/// not, the claim proves a fork or a lie.
///
/// # Errors
/// When the tree cannot be read.
pub(crate) fn wrong_anchor<R: NodeReader>(
    tree: &R,
    shown: TreeSize,
    (size, root): (TreeSize, Hash),
) -> Result<Option<Refused>, ProofError<R::Error>> {
    let message = if size > shown {
        format!("the claim names a head of size {size}; this log has shown {shown} entries")
    } else {
        let ours = root_at(tree, size)?;
        if ours == root {
            return Ok(None);
        }
        format!("the claim names the root {} at size {size}; this log's is {}", root.to_base64(), ours.to_base64())
    };
    let advice = "keep that head with its signatures and show it to a monitor or the operator; to submit all the same, \
                  sign the claim anew without an anchor (--no-anchor)";
    Ok(Some(Refused::at(Code::AnchorFork, "/logs", format!("{message}; {advice}"))))
}

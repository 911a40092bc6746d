//! Accepting a head: verified under the trust file, and consistent with the newest one that was seen before.
//!
//! A larger head must contain the remembered tree, a smaller one must be a part of it. Both are checked by computing a
//! root from tiles that are tied to a signed root, so a contradiction found here is one between two signatures.

use proto::hash::Hash;
use proto::merkle::{consistency_proof, root_at};
use proto::num::TreeSize;
use proto::policy::Checked;

use crate::error::{Error, ErrorKind};
use crate::state::{Contradiction, State};
use crate::tiles::{HttpTiles, HttpTree, proof_error, tree_error};
use crate::trust::{self, Trust};

/// How a head stands to what was remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// This log was never seen before.
    First,
    /// The same tree as the remembered one.
    Same,
    /// It extends the remembered tree of this size.
    Extends(TreeSize),
    /// It is an earlier state of the remembered tree of this size: an old answer, not a contradiction.
    Earlier(TreeSize),
}

/// A head that was accepted.
#[derive(Debug, Clone)]
pub struct Head {
    /// The verified checkpoint and what the reader's policy says of it.
    pub checked: Checked,
    /// How it stands to the remembered one.
    pub seen: Seen,
}

impl Head {
    /// What a person should know about it, if anything.
    pub fn remark(&self) -> Option<String> {
        match self.seen {
            Seen::Earlier(remembered) => Some(format!(
                "note: the log shows a head of {} entries, but one of {remembered} was seen before; they are consistent, \
                 so this is an old answer (a cache, or a log that was restored)",
                self.checked.checkpoint.size()
            )),
            _ => None,
        }
    }
}

/// Verifies a checkpoint note and checks it against the remembered head, which it then becomes if it is larger. Waits for
/// the network; see [`HttpTiles`].
pub fn accept(trust: &Trust, state: &State, tiles: &HttpTiles, note: &[u8]) -> Result<Head, Error> {
    let checked = trust.policy().check(note).map_err(|e| trust::of_network(&e, "the log's head"))?;
    let origin = checked.checkpoint.origin().to_owned();
    let seen = match state.newest(&origin)? {
        None => Seen::First,
        Some(old) => {
            let old = trust.policy().check(&old).map_err(|e| {
                Error::not_proven(format!(
                    "the head of {origin} that was remembered is not one under this trust file: {e}. Either the trust file \
                     names another key than before, or the state folder is another's"
                ))
            })?;
            compare(state, tiles, &old, &checked)?
        }
    };
    if !matches!(seen, Seen::Earlier(_)) {
        state.remember(&origin, checked.checkpoint.size(), note)?;
    }
    Ok(Head { checked, seen })
}

fn compare(state: &State, tiles: &HttpTiles, old: &Checked, new: &Checked) -> Result<Seen, Error> {
    let (old_size, new_size) = (old.checkpoint.size(), new.checkpoint.size());
    let (smaller, larger) = if old_size <= new_size { (old, new) } else { (new, old) };
    match contained(tiles, smaller, larger) {
        Ok(None) if old_size == new_size => Ok(Seen::Same),
        Ok(None) if old_size < new_size => Ok(Seen::Extends(old_size)),
        Ok(None) => Ok(Seen::Earlier(old_size)),
        Ok(Some(alternative)) => {
            let (first, second) = (smaller.checkpoint.to_bytes(), larger.checkpoint.to_bytes());
            let origin = new.checkpoint.origin();
            let found = Contradiction { origin, first: &first, second: &second, alternative: alternative.0 };
            Err(state.contradiction(&found))
        }
        Err(error) if old_size > new_size => Err(Error::new(
            if error.kind == ErrorKind::Unreachable { ErrorKind::NotProven } else { error.kind },
            format!(
                "the log shows a head of {new_size} entries, but one of {old_size} was seen before, and it does not serve \
                 what would show that they are consistent: {error}"
            ),
        )),
        Err(error) => Err(error),
    }
}

/// A larger head's tree has another root at the smaller head's size. Between equal sizes there is nothing more to say.
struct Alternative(Option<(TreeSize, Hash, Vec<Hash>)>);

/// Whether the smaller head is a part of the larger one.
fn contained(tiles: &HttpTiles, smaller: &Checked, larger: &Checked) -> Result<Option<Alternative>, Error> {
    let (small, large) = (&smaller.checkpoint, &larger.checkpoint);
    if small.size() == large.size() {
        return Ok((small.root() != large.root()).then_some(Alternative(None)));
    }
    if small.size() == TreeSize(0) {
        return Ok(None); // every tree extends the empty one, and a checkpoint of size 0 has its root
    }
    let tree = HttpTree::open(tiles.clone(), large.size(), &large.root()).map_err(tree_error)?;
    let root = root_at(&tree, small.size()).map_err(proof_error)?;
    if root == small.root() {
        return Ok(None);
    }
    let proof = consistency_proof(&tree, small.size(), large.size()).map_err(proof_error)?;
    Ok(Some(Alternative(Some((small.size(), root, proof)))))
}

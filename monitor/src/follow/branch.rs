//! The other history, as far as the log shows it: where it parts from the one that was followed, and its leaf hashes from there
//! on, tied to its own signed head.

use client::tiles::{HttpTree, proof_error, tree_error};
use client::{Error, ErrorKind};
use proto::hash::Hash;
use proto::merkle::{NodeReader as _, inclusion_proof, root_at};
use proto::misbehaviour::{Misbehaviour, ShownLeaf};
use proto::note::Note;
use proto::num::{LeafIndex, Millis, TreeSize};
use proto::policy::Checked;

use super::FollowedLog;
use crate::evidence::{NewEvidence, ProvenFile};
use crate::finding::{Finding, code};
use crate::store::{Batch, Branch, Findings, MOST_BRANCH_LEAVES};

impl FollowedLog {
    /// Keeps what the log shows of the history that a fork's other head leads to. A log that does not serve it is no error: the
    /// head itself is kept already.
    pub(super) fn follow_branch(&self, finding: &Finding, other: &Checked, now: Millis) -> Result<(), Error> {
        if finding.code != code::FORK {
            return Ok(());
        }
        let evidence = match self.read_branch(finding, other) {
            Ok(evidence) if evidence.is_empty() => return Ok(()),
            Ok(evidence) => evidence,
            Err(error) if error.kind == ErrorKind::Local => return Err(error),
            Err(error) => {
                tracing::info!(origin = self.origin(), error = error.message, "the other history is not served");
                return Ok(());
            }
        };
        let named = evidence.iter().map(|new| new.file.id()).collect();
        let findings = Findings::begin(vec![Finding { evidence: named, ..finding.clone() }]);
        self.store.commit_batch(&Batch { findings, evidence, ..Batch::default() }, now)
    }

    /// Files that show where the histories part, if that is not known yet.
    fn read_branch(&self, finding: &Finding, other: &Checked) -> Result<Vec<NewEvidence>, Error> {
        let (size, root) = (other.checkpoint.size(), other.checkpoint.root());
        let known = self.store.branches()?;
        let name = format!("branch {root}");
        if known.iter().any(|branch| branch.root == root) || self.is_given_up(&name) {
            return Ok(Vec::new());
        }
        let tree = HttpTree::open(self.tiles.clone(), size, &root).map_err(tree_error)?;
        let Some(parts_at) = self.parts_at(&tree)? else { return Ok(Vec::new()) };
        let most = TreeSize(parts_at.0.saturating_add(MOST_BRANCH_LEAVES as u64)).min(size);
        let leaf = |index| tree.node(0, index).map_err(tree_error);
        let leaves = (parts_at.0..most.0).map(leaf).collect::<Result<Vec<Hash>, _>>()?;
        // The same branch under a smaller head: what is known of it goes on in this one.
        let before = known
            .iter()
            .find(|branch| branch.parts_at == parts_at && branch.size < size && leaves.starts_with(&branch.leaves));
        let branch = Branch { finding: finding.id.clone(), size, root, parts_at, leaves };
        match (self.store.keep_branch(&branch, before)?, before) {
            (true, None) => self.two_entries(&tree, other, parts_at),
            (true, Some(_)) => Ok(Vec::new()),
            // There is no room: it is not read again in every round.
            (false, _) => {
                self.give_up(&name);
                Ok(Vec::new())
            }
        }
    }

    /// The first entry that is another one than in the followed history.
    fn parts_at(&self, other: &HttpTree) -> Result<Option<LeafIndex>, Error> {
        let followed = self.store.cursor()?.range.size();
        let same = |size: TreeSize| -> Result<bool, Error> {
            if size == TreeSize(0) {
                return Ok(true);
            }
            Ok(self.own_root(followed, size)? == root_at(other, size).map_err(proof_error)?)
        };
        // Trees that begin alike have the same roots up to where they part, and never again behind it.
        let (mut low, mut high) = (0, followed.min(other.size()).0);
        if same(TreeSize(high))? {
            return Ok(None);
        }
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            match same(TreeSize(middle))? {
                true => low = middle,
                false => high = middle,
            }
        }
        Ok(Some(LeafIndex(low)))
    }

    /// Files that show the very entry at which the histories part.
    fn two_entries(&self, tree: &HttpTree, other: &Checked, index: LeafIndex) -> Result<Vec<NewEvidence>, Error> {
        let followed = self.store.cursor()?.range.size();
        let newest = self.newest()?.filter(|head| index.is_in(head.checkpoint.size()));
        let Some(newest) = newest.filter(|head| head.checkpoint.size() <= followed) else { return Ok(Vec::new()) };
        let own = self.store.tree(followed);
        let damaged = |what: &dyn std::fmt::Display| Error::local(format!("the state of the tree is damaged: {what}"));
        let ours = ShownLeaf {
            index,
            leaf: own.node(0, index.0).map_err(|e| damaged(&e))?,
            proof: inclusion_proof(&own, index, newest.checkpoint.size()).map_err(|e| damaged(&e))?,
        };
        let theirs = ShownLeaf {
            index,
            leaf: tree.node(0, index.0).map_err(tree_error)?,
            proof: inclusion_proof(tree, index, other.checkpoint.size()).map_err(proof_error)?,
        };
        let note = |head: &Checked| Note::parse(&head.checkpoint.to_bytes()).ok();
        let (Some(a), Some(b)) = (note(&newest), note(other)) else { return Ok(Vec::new()) };
        let made = self.log_keys().filter_map(|key| {
            let both = [(&a, ours.clone()), (&b, theirs.clone())];
            Misbehaviour::two_entries(self.origin(), key, both).ok()
        });
        Ok(made.filter_map(|file| ProvenFile::of(&file).ok()).map(NewEvidence::own).collect())
    }
}

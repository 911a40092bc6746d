//! A witness that signed two histories: its lines are held against each other, wherever they came from.
//!
//! Heads travel without witnesses' lines, and anybody can show one: so the lines of the witnesses that the trust file names are kept
//! apart from the heads. Of each witness there are few that can convict it. Any of its heads in the own tree contradicts a head of
//! another history as soon as it is not smaller than where the two part, so that of the own tree the largest one is enough; of those
//! that are not of the own tree, or not known to be, the smallest ones are kept, which the own tree reaches first.
//!
//! A file is made when two heads exclude each other by themselves (one size, two roots) or by a proof: out of own leaf hashes for
//! two sizes of which the larger one is of the own tree, else one that a fork came with, or the log's tiles. Both lines were
//! verified under the trust file's key, and the file verifies itself when it is made: a witness that signed one history has none.

use client::Error;
use client::tiles::{HttpTree, proof_error, tree_error};
use proto::checkpoint::CheckpointText;
use proto::hash::Hash;
use proto::merkle::{consistency_proof, root_at};
use proto::misbehaviour::{Alternative, Misbehaviour};
use proto::note::{Note, Vkey};
use proto::num::{Millis, TreeSize};

use super::FollowedLog;
use crate::evidence::{NewEvidence, ProvenFile, Reach};
use crate::finding::code;
use crate::gossip::branch_proof;
use crate::gossip::core::Head;
use crate::store::{Batch, LineChange};
use crate::witness::Cosigned;

/// Heads of a witness that are kept though they are no states of the own tree: as many as may wait in gossip.
const MOST_STRAY: usize = 64;
/// Heads of one witness that a round holds against the log's tiles.
const MOST_ASKED: usize = 2;

/// How a cosigned head stands to the own tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is a state of it.
    Own,
    /// It is not.
    Other,
    /// It is larger than what was read.
    Ahead,
}

/// A head with a witness's line, and how it stands.
#[derive(Debug, Clone)]
struct Line {
    head: Cosigned,
    standing: Standing,
}

impl FollowedLog {
    /// Lines of witnesses of the trust file that are new, held against those that are kept: the files that they prove, and what is
    /// kept of them from now on.
    ///
    /// # Errors
    /// When what is kept cannot be read.
    pub(super) fn weigh_lines(
        &self,
        found: &[(String, Cosigned)],
    ) -> Result<(Vec<NewEvidence>, Vec<LineChange>), Error> {
        let (mut evidence, mut changes) = (Vec::new(), Vec::new());
        for vkey in self.witnesses_of_trust() {
            let name = vkey.to_string();
            let new: Vec<&Cosigned> = found.iter().filter(|(key, _)| *key == name).map(|(_, head)| head).collect();
            if new.is_empty() {
                continue;
            }
            let kept = self.store.lines_of(&name)?;
            if self.store.is_convicted(&name)? {
                changes.push(LineChange { vkey: name, more: Vec::new(), over: kept }); // one file convicts a key
                continue;
            }
            let lines = self.lines(&name, &kept, &new)?;
            let change = change(name, &lines, &kept);
            if !change.more.is_empty() {
                evidence.extend(self.contradiction(vkey, &lines, Reach::Kept)?);
            }
            changes.push(change);
        }
        Ok((evidence, changes))
    }

    /// All lines that are kept, held against each other once more: the own tree has grown, or a fork is known by now. The log may be
    /// asked.
    ///
    /// # Errors
    /// When what is kept cannot be read, or what is proven not be kept.
    pub(super) fn weigh_lines_again(&self, reach: Reach, now: Millis) -> Result<(), Error> {
        let mut evidence = Vec::new();
        for vkey in self.witnesses_of_trust() {
            let name = vkey.to_string();
            if !self.store.is_convicted(&name)? {
                let lines = self.lines(&name, &self.store.lines_of(&name)?, &[])?;
                evidence.extend(self.contradiction(vkey, &lines, reach)?);
            }
        }
        self.keep_evidence(evidence, now)
    }

    /// Makes files about witnesses durable. Each begins a finding of its own.
    pub(super) fn keep_evidence(&self, evidence: Vec<NewEvidence>, now: Millis) -> Result<(), Error> {
        if evidence.is_empty() {
            return Ok(());
        }
        self.stored(&self.store.commit_evidence(&Batch { evidence, ..Batch::default() }, now)?);
        self.look(None)
    }

    /// Who cosigns heads of this log by the trust file. The log's time key is none of them: its line is a part of the head.
    fn witnesses_of_trust(&self) -> impl Iterator<Item = &Vkey> {
        let witnesses = self.config.trust.policy().witnesses().iter();
        witnesses.filter(|witness| witness.time_key_of().is_none()).map(proto::policy::Witness::vkey)
    }

    /// What is known of a key: what is kept, its highest head, and these; each head once, the smallest first.
    fn lines(&self, vkey: &str, kept: &[Cosigned], new: &[&Cosigned]) -> Result<Vec<Line>, Error> {
        let (highest, followed) = (self.store.cosigned_by(vkey)?, self.store.cursor()?.range.size());
        let mut lines: Vec<Line> = Vec::new();
        for head in kept.iter().chain(&highest).chain(new.iter().copied()) {
            if !lines.iter().any(|line| is_same(&line.head, head)) {
                let standing = match head.size > followed {
                    true => Standing::Ahead,
                    false if self.own_root(followed, head.size)? == head.root => Standing::Own,
                    false => Standing::Other,
                };
                lines.push(Line { head: head.clone(), standing });
            }
        }
        lines.sort_by_key(|line| line.head.size);
        Ok(lines)
    }

    /// Two of these heads, the smallest first, that exclude each other, if that can be shown.
    fn contradiction(&self, vkey: &Vkey, lines: &[Line], reach: Reach) -> Result<Option<NewEvidence>, Error> {
        let mut asked = 0;
        for (at, large) in lines.iter().enumerate() {
            let may_ask = at > 0 && reach == Reach::Log && asked < MOST_ASKED;
            let is_asked = may_ask && large.standing != Standing::Own && self.has_fork();
            asked += usize::from(is_asked);
            let open = || HttpTree::open(self.tiles().clone(), large.head.size, &large.head.root).map_err(tree_error);
            let tree = is_asked.then(open).and_then(Result::ok);
            for small in &lines[..at] {
                let file = match small.head.size == large.head.size {
                    true => self.file_of(vkey, &small.head, &large.head, None),
                    false if (small.standing, large.standing) == (Standing::Own, Standing::Own) => None,
                    false => {
                        let tie = self.tie_here(&small.head, large)?;
                        let tie = tie.or_else(|| tie_of(tree.as_ref()?, &small.head, &large.head));
                        let tie = tie.filter(|tie| tie.root != small.head.root);
                        tie.and_then(|tie| self.file_of(vkey, &small.head, &large.head, Some(tie)))
                    }
                };
                if file.is_some() {
                    return Ok(file);
                }
            }
        }
        Ok(None)
    }

    /// Whether the log is known to have signed two histories. An honest one is read soon, and its branches need not be asked for.
    fn has_fork(&self) -> bool {
        self.seen().open.iter().any(|open| open.finding.code == code::FORK)
    }

    /// What ties two heads of different sizes, out of what is kept here.
    fn tie_here(&self, small: &Cosigned, large: &Line) -> Result<Option<Alternative>, Error> {
        if small.size == TreeSize(0) {
            return Ok(None); // every tree extends the empty one
        }
        if large.standing == Standing::Own {
            let followed = self.store.cursor()?.range.size();
            let proof = consistency_proof(&self.store.tree(followed), small.size, large.head.size);
            let proof = proof.map_err(|e| Error::local(format!("the state of the tree is damaged: {e}")))?;
            return Ok(Some(Alternative { root: self.own_root(followed, small.size)?, proof }));
        }
        if !self.has_fork() {
            return Ok(None);
        }
        let head = Head { size: large.head.size, root: large.head.root };
        if let Some((proof, _)) = branch_proof(self, small.size, head)? {
            return Ok(proof.root.map(|root| Alternative { root, proof: proof.hashes }));
        }
        Ok(self.tie_of_fork(small.size, head))
    }

    /// What an open fork with this larger head came with, if it begins at this size.
    fn tie_of_fork(&self, from: TreeSize, large: Head) -> Option<Alternative> {
        let seen = self.seen();
        let forks = seen.open.iter().map(|open| &open.finding).filter(|finding| finding.code == code::FORK);
        let mut tied = forks.filter(|finding| finding.heads.get(1).and_then(|note| claimed(note)) == Some(large));
        tied.find_map(|finding| {
            let found = finding.alternative.as_ref().filter(|found| found.size == from)?;
            let hashes = found.consistency.iter().map(|hash| Hash::from_base64(hash).ok());
            let proof: Vec<Hash> = hashes.collect::<Option<_>>()?;
            Some(Alternative { root: Hash::from_base64(&found.root).ok()?, proof }).filter(|tie| !tie.proof.is_empty())
        })
    }

    fn file_of(
        &self,
        vkey: &Vkey,
        small: &Cosigned,
        large: &Cosigned,
        tie: Option<Alternative>,
    ) -> Option<NewEvidence> {
        let (small, large) = (Note::parse(&small.note).ok()?, Note::parse(&large.note).ok()?);
        let file = match tie {
            None => Misbehaviour::same_size(self.origin(), vkey, [&small, &large]),
            Some(tie) => Misbehaviour::inconsistent(self.origin(), vkey, &small, &large, tie),
        };
        ProvenFile::of(&file.ok()?).ok().map(NewEvidence::own)
    }
}

fn is_same(a: &Cosigned, b: &Cosigned) -> bool {
    (a.size, a.root) == (b.size, b.root)
}

fn tie_of(tree: &HttpTree, small: &Cosigned, large: &Cosigned) -> Option<Alternative> {
    let root = root_at(tree, small.size).map_err(proof_error).ok()?;
    let proof = consistency_proof(tree, small.size, large.size).map_err(proof_error).ok()?;
    Some(Alternative { root, proof })
}

/// What a note of a finding says.
fn claimed(note: &str) -> Option<Head> {
    let end = note.find("\n\n")? + 1;
    let text = CheckpointText::parse(&note[..end]).ok()?;
    Some(Head { size: text.size(), root: text.root() })
}

/// What is kept from now on: the largest head of the own tree, and the smallest others.
fn change(vkey: String, lines: &[Line], kept: &[Cosigned]) -> LineChange {
    let own = lines.iter().rev().find(|line| line.standing == Standing::Own);
    let stray = lines.iter().filter(|line| line.standing != Standing::Own).take(MOST_STRAY);
    let wanted: Vec<&Cosigned> = own.into_iter().chain(stray).map(|line| &line.head).collect();
    let is_kept = |head: &Cosigned| kept.iter().any(|other| is_same(other, head));
    let is_wanted = |head: &Cosigned| wanted.iter().any(|other| is_same(other, head));
    let more = wanted.iter().copied().filter(|head| !is_kept(head)).cloned().collect();
    let over = kept.iter().filter(|head| !is_wanted(head)).cloned().collect();
    LineChange { vkey, more, over }
}

#[cfg(test)]
mod tests;

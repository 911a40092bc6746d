//! Heads held against the own tree, and against each other.

use proto::hash::Hash;
use proto::merkle::{BadProof, verify_consistency};
use proto::num::{Seconds, TreeSize};

use super::{Core, Head, Output, OwnTree, Proof, Source, Told, Waiting};

/// Two heads, both signed by the log, that cannot both be true.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fork {
    /// The smaller one, or the one that was known before.
    pub smaller: Head,
    /// The larger one.
    pub larger: Head,
    /// Why they exclude each other.
    pub shown: Shown,
}

/// What shows a fork.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Shown {
    /// The two have one size.
    SameSize,
    /// The larger one is the own head: own leaf hashes give its other root at the smaller size, and the proof.
    OwnTree,
    /// The larger tree has this root at the smaller size, by this proof.
    Proof {
        /// The root.
        root: Hash,
        /// The consistency proof from it to the larger head.
        hashes: Vec<Hash>,
    },
}

/// How a head stands to what is known.
enum Standing {
    /// It is a state of the own tree.
    Known,
    /// It contradicts it, or another head.
    Contradicts(Fork),
    /// It is larger than the own tree.
    Ahead,
}

impl Core {
    /// A head was shown.
    #[expect(clippy::too_many_arguments, reason = "the parts of one input, taken apart once")]
    pub(super) fn receive(
        &mut self,
        now: Seconds,
        head: Head,
        source: Source,
        proof: Option<&Proof>,
        random: u64,
        tree: &impl OwnTree,
        out: &mut Vec<Output>,
    ) {
        match self.standing(head, tree) {
            Standing::Known => return,
            Standing::Contradicts(fork) => return out.push(Output::Fork(fork)),
            Standing::Ahead => {}
        }
        if self.table.contains(head) {
            if let Some(proof) = proof {
                self.prove(head, proof, out);
            }
            return self.shown_again(head, source, out);
        }
        let mut waiting = Waiting::new(head, source, now, Told::Nothing);
        match proof.map(|proof| self.weigh(head, proof)) {
            Some(Weight::Contradicts(fork)) => return out.push(Output::Fork(fork)),
            Some(Weight::Ties(size)) => waiting.tie(size),
            Some(Weight::Nothing) | None => {}
        }
        self.wait(now, waiting, random, out);
    }

    /// The head begins to wait, if there is room, and is asked for.
    fn wait(&mut self, now: Seconds, waiting: Waiting, random: u64, out: &mut Vec<Output>) {
        let (head, is_tied) = (waiting.head, waiting.tied.is_some());
        let gone = self.table.insert(waiting.clone(), random);
        if gone != Some(head) {
            out.push(Output::Waits(waiting));
        }
        if let Some(gone) = gone {
            self.discarded = self.discarded.saturating_add(1);
            out.push(Output::Discarded { head: gone, total: self.discarded });
        }
        if gone != Some(head) && !is_tied {
            self.ask_few(now, head, out);
        }
    }

    /// The own tree has grown: what waits is held against it, and every peer is shown the new head.
    pub(super) fn grow(&mut self, now: Seconds, own: Head, tree: &impl OwnTree, out: &mut Vec<Output>) {
        if self.own.is_some_and(|before| before.size > own.size) {
            return; // told late
        }
        let is_new = self.own != Some(own);
        self.own = Some(own);
        let heads: Vec<Head> = self.table.iter().map(|waiting| waiting.head).collect();
        for head in heads {
            match self.standing(head, tree) {
                Standing::Known => self.settle(head, false, out),
                Standing::Contradicts(fork) if fork.larger == own || fork.smaller == own => {
                    out.push(Output::Fork(fork));
                    self.settle(head, true, out);
                }
                // Against another one that waits: that was told when the later of them came.
                Standing::Contradicts(_) | Standing::Ahead if is_new => self.tie_again(now, head, own.size, out),
                Standing::Contradicts(_) | Standing::Ahead => {}
            }
        }
        if is_new {
            self.push_own(now, out);
        }
    }

    /// A head that was tied to a smaller own tree may part from the one that is there now.
    fn tie_again(&mut self, now: Seconds, head: Head, own: TreeSize, out: &mut Vec<Output>) {
        let Some(waiting) = self.table.get_mut(head) else { return };
        if waiting.tied.is_some_and(|tied| tied < own) {
            waiting.untie(now);
            out.push(Output::Waits(waiting.clone()));
            self.ask_few(now, head, out);
        }
    }

    pub(super) fn settle(&mut self, head: Head, contradicts: bool, out: &mut Vec<Output>) {
        if self.table.remove(head).is_some() {
            out.push(Output::Settled { head, contradicts });
        }
    }

    /// A proof for a head that waits, from whomever.
    pub(super) fn prove(&mut self, head: Head, proof: &Proof, out: &mut Vec<Output>) {
        if !self.table.contains(head) {
            return;
        }
        match self.weigh(head, proof) {
            Weight::Nothing => {}
            Weight::Ties(size) => {
                if let Some(waiting) = self.table.get_mut(head) {
                    waiting.pending.clear();
                    if waiting.tied != Some(size) {
                        waiting.tie(size);
                        out.push(Output::Waits(waiting.clone()));
                    }
                }
            }
            Weight::Contradicts(fork) => {
                let is_own = Some(fork.smaller) == self.own;
                out.push(Output::Fork(fork));
                if is_own {
                    self.settle(head, true, out);
                }
            }
        }
    }

    /// How the head stands to the own tree and to what waits.
    fn standing(&self, head: Head, tree: &impl OwnTree) -> Standing {
        if let Some(own) = self.own
            && head.size <= own.size
        {
            let same_size = head.size == own.size;
            let ours = if same_size { Some(own.root) } else { tree.root_at(head.size) };
            return match ours {
                // Empty trees are all the same, and a root that cannot be read now says nothing.
                _ if head.size == TreeSize(0) => Standing::Known,
                None => Standing::Ahead,
                Some(root) if root == head.root => Standing::Known,
                Some(_) => {
                    let shown = if same_size { Shown::SameSize } else { Shown::OwnTree };
                    Standing::Contradicts(Fork { smaller: head, larger: own, shown })
                }
            };
        }
        let twin =
            self.waiting().map(|waiting| waiting.head).find(|other| other.size == head.size && other.root != head.root);
        match twin {
            Some(smaller) => Standing::Contradicts(Fork { smaller, larger: head, shown: Shown::SameSize }),
            None => Standing::Ahead,
        }
    }

    /// What a proof says of a head. One that fails says nothing.
    fn weigh(&self, head: Head, proof: &Proof) -> Weight {
        let Some(root) = proven_root(head, proof) else { return Weight::Nothing };
        let signed = self.own.into_iter().chain(self.waiting().map(|waiting| waiting.head));
        let other = signed.into_iter().find(|known| known.size == proof.from && known.root != root);
        if let Some(smaller) = other {
            let shown = Shown::Proof { root, hashes: proof.hashes.clone() };
            return Weight::Contradicts(Fork { smaller, larger: head, shown });
        }
        match self.own {
            Some(own) if own.size == proof.from => Weight::Ties(own.size),
            _ => Weight::Nothing,
        }
    }
}

enum Weight {
    Nothing,
    Ties(TreeSize),
    Contradicts(Fork),
}

/// The root that the head's tree has where the proof begins, if the proof holds.
fn proven_root(head: Head, proof: &Proof) -> Option<Hash> {
    if proof.from >= head.size {
        return None;
    }
    let check = |root: &Hash| verify_consistency(proof.from, head.size, root, &head.root, &proof.hashes);
    let root = match proof.root {
        Some(root) => root,
        // The old root is compared first, and is named when it is another: that is the one that this proof begins with.
        None => match check(&Hash::EMPTY_ROOT) {
            Err(BadProof::OldRoot { computed }) => computed,
            _ => return None,
        },
    };
    check(&root).ok().map(|()| root)
}

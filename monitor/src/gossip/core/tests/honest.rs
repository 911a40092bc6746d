//! No honest log is ever accused, whatever is sent, in whatever order; and what is called a fork always convinces.

use proptest::prelude::*;
use proto::hash::Hash;
use proto::num::{Seconds, TreeSize};

use super::world::{Branch, convinces};
use super::{OTHER, PEER};
use crate::gossip::core::*;

const SIZE: u64 = 40;

/// What somebody sends. Heads are the log's: nobody else can make them.
#[derive(Debug, Clone)]
enum Act {
    Shown { branch: bool, size: u64, source: u8, proof: Option<Sent> },
    Grew { size: u64 },
    Proven { branch: bool, size: u64, whom: u8, proof: Sent },
    NotProven { branch: bool, size: u64, whom: u8 },
    Answered { branch: bool, pushed: u64, theirs: Option<u64> },
    Unanswered,
    Tick { seconds: u64 },
    Restart,
}

/// A proof: a true one of a branch, perhaps under another root, perhaps damaged.
#[derive(Debug, Clone)]
struct Sent {
    branch: bool,
    from: u64,
    to: u64,
    root: u8,
    damage: Option<usize>,
    cut: usize,
}

fn sent() -> impl Strategy<Value = Sent> {
    (any::<bool>(), 1..SIZE, 1..=SIZE, 0u8..4, prop::option::of(0usize..8), prop::sample::select(vec![0, 0, 0, 1, 9]))
        .prop_map(|(branch, from, to, root, damage, cut)| Sent { branch, from, to, root, damage, cut })
}

fn act() -> impl Strategy<Value = Act> {
    let size = 0..=SIZE;
    prop_oneof![
        4 => (any::<bool>(), size.clone(), any::<u8>(), prop::option::of(sent()))
            .prop_map(|(branch, size, source, proof)| Act::Shown { branch, size, source, proof }),
        3 => size.clone().prop_map(|size| Act::Grew { size }),
        3 => (any::<bool>(), size.clone(), any::<u8>(), sent())
            .prop_map(|(branch, size, whom, proof)| Act::Proven { branch, size, whom, proof }),
        1 => (any::<bool>(), size.clone(), any::<u8>())
            .prop_map(|(branch, size, whom)| Act::NotProven { branch, size, whom }),
        2 => (any::<bool>(), size.clone(), prop::option::of(size))
            .prop_map(|(branch, pushed, theirs)| Act::Answered { branch, pushed, theirs }),
        1 => Just(Act::Unanswered),
        2 => (0u64..100_000).prop_map(|seconds| Act::Tick { seconds }),
        1 => Just(Act::Restart),
    ]
}

/// A log of one or two branches and a monitor that follows the first.
struct World {
    mine: Branch,
    other: Branch,
    core: Core,
    now: Seconds,
    own: u64,
}

impl World {
    fn branch(&self, other: bool) -> &Branch {
        if other { &self.other } else { &self.mine }
    }

    fn proof(&self, sent: &Sent) -> Proof {
        let to = sent.to.max(sent.from);
        let mut proof = self.branch(sent.branch).proof(sent.from, to);
        if let Some(hash) = sent.damage.and_then(|at| proof.hashes.get_mut(at)) {
            hash.0[7] ^= 1;
        }
        proof.hashes.truncate(proof.hashes.len().saturating_sub(sent.cut));
        match sent.root {
            0 => proof.root = None,
            1 => proof.root = Some(Hash::of(b"made up")),
            2 => proof.root = Some(self.branch(!sent.branch).head(sent.from).root),
            _ => {}
        }
        proof
    }

    fn input(&mut self, act: &Act) -> Option<Input> {
        let source = |n: u8| [Source::Log, Source::Peer(PEER), Source::Peer(OTHER), Source::Anyone][usize::from(n % 4)];
        let whom = |n: u8| [Whom::Log, Whom::Peer(PEER), Whom::Peer(OTHER)][usize::from(n % 3)];
        let head = |branch: bool, size: u64| self.branch(branch).head(size);
        Some(match act {
            Act::Shown { branch, size, source: from, proof } => {
                let proof = proof.as_ref().map(|sent| self.proof(sent));
                Input::Received { head: head(*branch, *size), source: source(*from), proof, random: *size }
            }
            Act::Grew { size } => {
                self.own = self.own.max(*size);
                Input::Grew { own: self.mine.head(self.own) }
            }
            Act::Proven { branch, size, whom: by, proof } => {
                Input::Proven { head: head(*branch, *size), whom: whom(*by), proof: self.proof(proof) }
            }
            Act::NotProven { branch, size, whom: by } => {
                Input::NotProven { head: head(*branch, *size), whom: whom(*by) }
            }
            Act::Answered { branch, pushed, theirs } => {
                let theirs = theirs.map(|size| head(*branch, size));
                Input::Answered { peer: PEER, pushed: self.mine.head(*pushed), theirs, random: 5 }
            }
            Act::Unanswered => Input::Unanswered { peer: PEER },
            Act::Tick { seconds } => {
                self.now = Seconds(self.now.0 + seconds);
                Input::Tick
            }
            Act::Restart => {
                let kept: Vec<Waiting> = self.core.waiting().cloned().collect();
                let kept = kept.into_iter().map(|one| Waiting::new(one.head, one.source, one.since, one.told));
                self.core = Core::restore([(PEER, 0), (OTHER, 0)], kept, self.core.discarded());
                Input::Grew { own: self.mine.head(self.own) }
            }
        })
    }

    fn run(&mut self, acts: &[Act]) -> Vec<Output> {
        let mut all = Vec::new();
        for act in acts {
            if let Some(input) = self.input(act) {
                let (now, own) = (self.now, self.own);
                all.extend(self.core.step(now, input, &self.mine.at(own)));
            }
            assert!(self.core.waiting().count() <= MOST_WAITING);
        }
        all
    }
}

fn world(parts_at: u64) -> World {
    let (mine, other) = (Branch::new(1, SIZE, parts_at), Branch::new(2, SIZE, parts_at));
    World { mine, other, core: Core::new([PEER, OTHER]), now: Seconds(1000), own: 0 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn an_honest_log_is_never_accused(acts in prop::collection::vec(act(), 1..60)) {
        let mut world = world(SIZE);
        let out = world.run(&acts);
        prop_assert!(!out.iter().any(|output| matches!(output, Output::Fork(_))), "{:?}", out);
        // Whatever happened, what waits is known once the tree is there.
        let out = world.run(&[Act::Grew { size: SIZE }]);
        let accuses = |output: &Output| matches!(output, Output::Fork(_) | Output::Settled { contradicts: true, .. });
        prop_assert!(!out.iter().any(accuses), "{:?}", out);
        prop_assert_eq!(world.core.waiting().count(), 0);
    }

    #[test]
    fn what_is_called_a_fork_convinces_anybody(parts_at in 0..SIZE, acts in prop::collection::vec(act(), 1..60)) {
        let mut world = world(parts_at);
        let out = world.run(&acts);
        for output in &out {
            if let Output::Fork(fork) = output {
                prop_assert!(convinces(fork, &world.mine), "{fork:?}");
                prop_assert!(fork.smaller.size > TreeSize(parts_at) || fork.larger.size > TreeSize(parts_at));
            }
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_outputs(parts_at in 0..SIZE, acts in prop::collection::vec(act(), 1..40)) {
        let (mut one, mut two) = (world(parts_at), world(parts_at));
        prop_assert_eq!(one.run(&acts), two.run(&acts));
        prop_assert_eq!(one.core, two.core);
    }

    #[test]
    fn whatever_was_shown_of_a_fork_is_found_once_the_own_tree_is_there(
        parts_at in 1..SIZE - 1,
        seen in 1..SIZE,
        acts in prop::collection::vec(act(), 0..30),
    ) {
        let mut world = world(parts_at);
        world.run(&[Act::Grew { size: parts_at.min(seen) }]);
        let size = seen.max(parts_at + 1);
        let mut out = world.run(&[Act::Shown { branch: true, size, source: 3, proof: None }]);
        out.extend(world.run(&acts));
        out.extend(world.run(&[Act::Grew { size: SIZE }]));
        prop_assert!(out.iter().any(|output| matches!(output, Output::Fork(_))));
    }
}

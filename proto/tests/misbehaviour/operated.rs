//! No honest log is framed by how it is run: crashes after which clients submit again what was not signed, copies of the store that are put
//! back, a clock that is set back. What the log does then is what `log-server` does: a head is signed once its entries are durable, and the
//! signer's record, which is in no copy, says what was signed last; time is held for a small step back and stands for a larger one.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proto::dsse::Envelope;
use proto::entry::Entry;
use proto::hash::Hash;
use proto::merkle::consistency_proof;
use proto::misbehaviour::{Alternative, CannotAccuse, Kind, Misbehaviour, ShownLeaf};
use proto::note::Note;
use proto::num::TreeSize;

use crate::honest::{Dice, claim_of, dice, is_over};
use crate::log::*;
use crate::world::*;

/// The longest step back of the clock for which the log holds its time, in milliseconds; further back it takes nothing.
const HOLD_MS: u64 = 10_000;

#[derive(Debug, Clone)]
enum Act {
    Claim(Dice),
    /// The batch is durable, and a head of it, or the same tree once more, is signed.
    Sign,
    /// The process dies before the batch is durable; it starts again later, and the clients submit again.
    Lose(u64),
    /// The same behind that: the start signs the head that was committed with the batch.
    Keep(u64),
    /// A copy of the store is made, perhaps with what is not signed yet.
    Copy,
    /// The copy takes the store's place.
    PutBack,
    ClockBack(u64),
    ClockAhead(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let later = prop_oneof![Just(0u64), 1u64..5000];
    prop_oneof![
        8 => dice().prop_map(Act::Claim),
        4 => Just(Act::Sign),
        2 => later.clone().prop_map(Act::Lose),
        2 => later.prop_map(Act::Keep),
        1 => Just(Act::Copy),
        2 => Just(Act::PutBack),
        2 => prop_oneof![1u64..HOLD_MS, Just(HOLD_MS), Just(HOLD_MS + 1)].prop_map(Act::ClockBack),
        1 => (1u64..30_000).prop_map(Act::ClockAhead),
    ]
}

/// What an operator's log must not do, to see that files prove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// It goes on from any copy that is put back.
    RecordIgnored,
    /// It takes the clock as it stands.
    TimeNotHeld,
    /// It signs heads over what is not durable.
    SignsFirst,
}

struct Operated {
    fault: Fault,
    /// What the store has, and of it what the last signed head is of.
    world: World,
    signed: World,
    /// Claims behind that: their clients have no answer yet.
    pending: Vec<Envelope>,
    /// The signer's record: size, time and root of the last head signed.
    record: (u64, u64, Hash),
    heads: Vec<(u64, Note)>,
    /// What the machine's clock says, and the last time that the log gave.
    wall: u64,
    last: u64,
    /// A copy of the store, and the time of the head that was committed with its last batch.
    copy: Option<(World, u64)>,
    /// Trees that somebody may have seen, of which nothing beyond the signed heads counts.
    dropped: Vec<Log>,
    step: usize,
}

impl Operated {
    fn new(fault: Fault) -> Operated {
        let world = World::settled();
        let mut log = Operated {
            fault,
            signed: world.clone(),
            wall: world.now,
            last: world.now - 1000,
            world,
            pending: Vec::new(),
            record: (0, 0, Hash::EMPTY_ROOT),
            heads: Vec::new(),
            copy: None,
            dropped: Vec::new(),
            step: 0,
        };
        log.act(&Act::Sign);
        log
    }

    fn act(&mut self, act: &Act) {
        self.step += 1;
        match act {
            Act::Claim(dice) => self.claim(dice),
            Act::Sign => {
                if let Some(now) = self.time() {
                    self.sign(now / 1000);
                }
            }
            Act::Lose(later) => {
                if self.fault == Fault::SignsFirst {
                    let log = Log::of(&self.world);
                    self.heads.push((log.size(), log.head_at(log.size(), self.last / 1000)));
                }
                self.dropped.push(Log::of(&self.world));
                self.wall += later;
                self.start_with(self.signed.clone());
            }
            Act::Keep(later) => {
                let Some(now) = self.time() else { return };
                self.wall += later;
                let tail = self.pending.clone();
                self.sign(now / 1000);
                // Who had no answer asks again, and the first entry answers.
                let is_refused = |envelope| is_over(&self.world) || self.world.decide(envelope).is_err();
                assert!(tail.iter().all(is_refused));
            }
            Act::Copy => {
                let time =
                    if self.pending.is_empty() { Some(self.record.1) } else { self.time().map(|now| now / 1000) };
                self.copy = time.map(|time| (self.world.clone(), time));
            }
            Act::PutBack => self.put_back(),
            Act::ClockBack(by) => self.wall -= by,
            Act::ClockAhead(by) => self.wall += by,
        }
    }

    /// The log's time; none while the clock is not believed.
    fn time(&mut self) -> Option<u64> {
        let is_believed = self.last.saturating_sub(self.wall) <= HOLD_MS;
        match self.fault {
            Fault::TimeNotHeld => self.last = self.wall,
            _ => self.last = self.last.max(if is_believed { self.wall } else { 0 }),
        }
        is_believed.then_some(self.last)
    }

    fn claim(&mut self, dice: &Dice) {
        self.wall += dice.step_ms;
        let Some(now) = self.time() else { return };
        self.world.now = now;
        if is_over(&self.world) {
            return;
        }
        let (claim, signers) = claim_of(dice, self.step, &self.world);
        let names: Vec<&str> = signers.iter().map(String::as_str).collect();
        self.submit(World::envelope(&claim, &names));
    }

    fn submit(&mut self, envelope: Envelope) {
        let Some(now) = self.time() else { return };
        self.world.now = now;
        if !is_over(&self.world) && self.world.submit_envelope(&envelope).is_ok() {
            self.pending.push(envelope);
        }
    }

    /// Signs what the store has, unless the record says that it is not what was signed last, or comes before it.
    fn sign(&mut self, time: u64) {
        let log = Log::of(&self.world);
        let size = log.size();
        let (signed, signed_time, root) = self.record;
        if self.fault == Fault::None {
            assert!(size >= signed && time >= signed_time && log.root(signed) == root, "the signer would refuse it");
        }
        self.record = (size, time, log.root(size));
        self.heads.push((size, log.head_at(size, time)));
        self.signed = self.world.clone();
        self.pending.clear();
    }

    /// The process starts with this store; who had no answer submits again.
    fn start_with(&mut self, world: World) {
        self.world = world;
        let last = Entry::decode(self.world.entries.last().unwrap()).unwrap().timestamp.0;
        self.last = last.max(self.record.1 * 1000);
        for envelope in std::mem::take(&mut self.pending) {
            self.wall += 7;
            self.submit(envelope);
        }
    }

    /// The start signs the head that was committed last, or the same tree again. A copy below the record, beside it, or of an earlier time
    /// signs nothing: the operator finds the store that was signed over, and that goes on.
    fn put_back(&mut self) {
        let Some((copy, time)) = self.copy.take() else { return };
        let log = Log::of(&copy);
        let (signed, signed_time, root) = self.record;
        let goes_on = log.size() >= signed && time >= signed_time && log.root(signed) == root;
        self.dropped.extend([Log::of(&self.world), log]);
        let unanswered = self.pending.clone();
        if goes_on {
            self.world = copy;
            self.sign(time);
            self.pending = unanswered;
            self.start_with(self.signed.clone());
        } else {
            self.start_with(if self.fault == Fault::RecordIgnored { copy } else { self.signed.clone() });
        }
    }

    /// The kind of a file that proves something of this log, if anybody can make one.
    fn convicted(&self, picks: &[u64]) -> Option<Kind> {
        let history = Log::of(&self.signed);
        let some: Vec<u64> = picks.iter().map(|pick| pick % history.size()).collect();
        self.by_hashes(&history, &some)
            .or_else(|| self.by_times(&history, &some))
            .or_else(|| by_entries(&history, &some))
    }

    /// All that two signed heads could be held against each other with, from every tree that somebody saw.
    fn by_hashes(&self, history: &Log, some: &[u64]) -> Option<Kind> {
        let keys = [log_key_of(), time_signer().vkey().clone(), witness().vkey().clone()];
        let place = |at: &u64| usize::try_from(*at).unwrap() % self.heads.len();
        let near = self.heads.windows(2).map(|pair| (&pair[0], &pair[1]));
        let far = some.windows(2).map(|pair| (&self.heads[place(&pair[0])], &self.heads[place(&pair[1])]));
        for (a, b) in near.chain(far) {
            let ((small, smaller), (large, larger)) = if a.0 <= b.0 { (a, b) } else { (b, a) };
            for tree in self.dropped.iter().chain([history]).filter(|tree| tree.size() >= *large) {
                for key in &keys {
                    let alternative = alternative(tree, *small, *large);
                    let leaves = [(smaller, leaf(history, *small)), (larger, leaf_at(tree, small - 1, *large))];
                    let files = [
                        Misbehaviour::same_size(ORIGIN, key, [smaller, larger]),
                        Misbehaviour::inconsistent(ORIGIN, key, smaller, larger, alternative),
                        Misbehaviour::two_entries(ORIGIN, key, leaves),
                    ];
                    if let Some(kind) = files.into_iter().find_map(proven) {
                        return Some(kind);
                    }
                }
            }
        }
        None
    }

    /// Every signed time against the entries at the edge of its head and some others, shown by any later head.
    fn by_times(&self, history: &Log, some: &[u64]) -> Option<Kind> {
        let key = time_signer().vkey().clone();
        let (newest, head) = self.heads.iter().rev().find(|(size, _)| *size <= history.size())?;
        for (size, stated) in &self.heads {
            let all = [size - 1, *size].into_iter().chain(some.iter().copied());
            for index in all.filter(|index| index < newest) {
                let file = Misbehaviour::head_time(ORIGIN, &key, stated, head, history.shown_at(index, *newest));
                if let Some(kind) = proven(file) {
                    return Some(kind);
                }
            }
        }
        None
    }
}

/// What needs entries of one tree: their times, ids, links and rules.
fn by_entries(history: &Log, some: &[u64]) -> Option<Kind> {
    let (key, head) = (log_key_of(), history.head());
    let near = (1..history.size()).map(|index| [index - 1, index]);
    let far = some.windows(2).map(|pair| [pair[0], pair[1]]);
    for pair in near.chain(far) {
        let shown = || pair.map(|index| history.shown(index));
        let files = [
            Misbehaviour::time_back(ORIGIN, &key, &head, shown()),
            Misbehaviour::duplicate_claim(ORIGIN, &key, &head, shown()),
            Misbehaviour::after_freeze(ORIGIN, &key, &head, history.shown(pair[1]), history.shown(pair[0])),
        ];
        if let Some(kind) = files.into_iter().find_map(proven) {
            return Some(kind);
        }
    }
    some.iter().find_map(|&index| {
        let shown = || (history.shown(index), history.support(index, some));
        let link = Misbehaviour::wrong_link(ORIGIN, &key, &head, shown().0, shown().1);
        proven(link).or_else(|| proven(Misbehaviour::broken_rule(ORIGIN, &key, &head, shown().0, shown().1)))
    })
}

fn proven(file: Result<Misbehaviour, CannotAccuse>) -> Option<Kind> {
    file.ok().map(|file| file.verify().expect("what is made is proven").kind)
}

fn alternative(tree: &Log, small: u64, large: u64) -> Alternative {
    let proof = consistency_proof(&tree.tree(), TreeSize(small), TreeSize(large)).unwrap_or_default();
    Alternative { root: tree.root(small), proof }
}

/// The last leaf of a tree's first entries, as far as it has so many.
fn leaf(tree: &Log, size: u64) -> ShownLeaf {
    let size = size.min(tree.size());
    leaf_at(tree, size - 1, size)
}

fn leaf_at(tree: &Log, index: u64, size: u64) -> ShownLeaf {
    let shown = tree.shown_at(index, size);
    ShownLeaf { index: shown.index, leaf: Entry::leaf_hash(&shown.entry), proof: shown.proof }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_operated_log_is_convicted(
        acts in prop::collection::vec(act(), 1..40),
        picks in prop::collection::vec(any::<u64>(), 5),
    ) {
        let mut log = Operated::new(Fault::None);
        acts.iter().for_each(|act| log.act(act));
        log.wall = log.wall.max(log.last); // the operator sets the clock right
        log.act(&Act::Sign);
        prop_assert_eq!(log.convicted(&picks), None);
    }
}

/// One story each that a careless log would not survive.
#[test]
fn what_the_log_must_not_do_is_proven() {
    let say =
        |model| Act::Claim(Dice { act: 14, issuer: 1, signer: 0, model, target: any_index(), step_ms: 1500, wrong: 0 });
    let (first, second, third) = (say(0), say(1), say(0));
    let put_back = [Act::Copy, first.clone(), Act::Sign, Act::PutBack, second.clone(), Act::Sign];
    let grown = [Act::Copy, first.clone(), Act::Sign, Act::PutBack, second.clone(), third.clone(), Act::Sign];
    let retried = [first.clone(), Act::Lose(900), Act::Sign];
    let back = [first, Act::Sign, Act::ClockBack(9000), second, Act::Sign];
    for (fault, acts, kind) in [
        (Fault::RecordIgnored, &put_back[..], Kind::SameSize),
        (Fault::RecordIgnored, &grown[..], Kind::Inconsistent),
        (Fault::SignsFirst, &retried[..], Kind::SameSize),
        (Fault::TimeNotHeld, &back[..], Kind::HeadTime),
    ] {
        let run = |fault| {
            let mut log = Operated::new(fault);
            acts.iter().for_each(|act| log.act(act));
            log.convicted(&[3, 1, 2])
        };
        assert_eq!((run(fault), run(Fault::None)), (Some(kind), None), "{fault:?}");
    }
}

/// What a claim without a target does not look at.
fn any_index() -> Index {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    any::<Index>().new_tree(&mut runner).unwrap().current()
}

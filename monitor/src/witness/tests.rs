//! The witness against a model, two requests at once, crashes between its steps, and databases restored from old copies.

use std::path::Path;
use std::sync::Barrier;

use client::trust::Trust;
use proptest::prelude::*;
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::ed25519::SecretKey;
use proto::merkle::{MemoryTree, consistency_proof, root_at};
use proto::note::{KeyName, Note, NoteSigner, Verifier};

use super::*;

pub(super) const ORIGIN: &str = "log.example/test";

/// Entries of the trees: the first ones are the same in both, the rest differ.
const COMMON: u8 = 4;
const ALL: u8 = 12;

fn log_key() -> NoteSigner {
    NoteSigner::new(KeyName::parse(ORIGIN).unwrap(), SecretKey::from_seed(&[1; 32])) // a test key
}

pub(super) fn witness_key() -> Cosigner {
    // A test key.
    Cosigner::new(KeyName::parse("witness.example").unwrap(), SecretKey::from_seed(&[2; 32])).unwrap()
}

fn trust() -> Trust {
    Trust::parse(format!("log {} https://log.example\nquorum none\n", log_key().vkey()).as_bytes()).unwrap()
}

/// Two trees of one log's key: an honest one and a fork.
pub(super) fn trees() -> [MemoryTree; 2] {
    let mut trees = [MemoryTree::new(), MemoryTree::new()];
    for i in 0..ALL {
        trees[0].append(Hash::leaf(&[i]));
        trees[1].append(Hash::leaf(if i < COMMON { vec![i] } else { vec![i, 1] }.as_slice()));
    }
    trees
}

pub(super) fn head(tree: &MemoryTree, size: u64) -> VerifiedCheckpoint {
    let root = root_at(tree, TreeSize(size)).unwrap();
    let text = CheckpointText::new(ORIGIN, TreeSize(size), root).unwrap();
    let note = Note::parse(text.sign(&[&log_key()], &[]).unwrap().as_bytes()).unwrap();
    VerifiedCheckpoint::verify(note, ORIGIN, &[Verifier::new(log_key().vkey()).unwrap()], &[]).unwrap()
}

pub(super) fn proof(tree: &MemoryTree, old: u64, new: u64) -> Vec<Hash> {
    if old == 0 || old > new { Vec::new() } else { consistency_proof(tree, TreeSize(old), TreeSize(new)).unwrap() }
}

pub(super) fn open(folder: &Path) -> Witness {
    let keys = WitnessKeys::ed25519(witness_key());
    Witness::open(keys, &folder.join("state"), &folder.join("record"), &[(ORIGIN.to_owned(), trust())]).unwrap()
}

pub(super) fn begun(folder: &Path) -> Witness {
    Witness::create_record(&folder.join("record"), ORIGIN).unwrap();
    open(folder)
}

pub(super) fn ask(witness: &Witness, tree: &MemoryTree, old: u64, new: u64, now: u64) -> Answer {
    witness.cosign(TreeSize(old), &proof(tree, old, new), &head(tree, new), Seconds(now))
}

pub(super) fn is_cosigned(answer: &Answer) -> bool {
    matches!(answer, Answer::Cosigned(_))
}

/// The last cosigned note's size and the time of the witness's line; the line must verify.
pub(super) fn shown(witness: &Witness) -> Option<(u64, u64)> {
    let note = Note::parse(&witness.checkpoint(ORIGIN)?).unwrap();
    let keys = [Verifier::new(log_key().vkey()).unwrap()];
    let others = [Verifier::new(witness_key().vkey()).unwrap()];
    let head = VerifiedCheckpoint::verify(note, ORIGIN, &keys, &others).unwrap();
    let times: Vec<u64> = head.cosignatures().map(|cosignature| cosignature.time.0).collect();
    assert_eq!(times.len(), 1, "one line of the witness");
    Some((head.size().0, times[0]))
}

#[test]
fn the_published_flow() {
    let folder = tempfile::tempdir().unwrap();
    let witness = begun(folder.path());
    let [tree, fork] = trees();
    assert!(is_cosigned(&ask(&witness, &tree, 0, 5, 100)));
    assert_eq!(ask(&witness, &tree, 0, 7, 100), Answer::Conflict(TreeSize(5)));
    assert_eq!(ask(&witness, &tree, 7, 5, 100), Answer::OldTooLarge);
    assert_eq!(ask(&witness, &fork, 5, 5, 100), Answer::OtherRoot);
    assert_eq!(ask(&witness, &fork, 5, 7, 100), Answer::NotProven);
    let spoiled = witness.cosign(TreeSize(5), &[Hash::of(b"x")], &head(&tree, 5), Seconds(100));
    assert_eq!(spoiled, Answer::NotProven, "the same tree has an empty proof");
    assert!(is_cosigned(&ask(&witness, &tree, 5, 7, 90)), "an earlier clock");
    assert_eq!(shown(&witness), Some((7, 100)), "never lowers a time");
    assert!(is_cosigned(&ask(&witness, &tree, 7, 7, 130)), "the same tree again gets a fresh time");
    assert_eq!(shown(&witness), Some((7, 130)));
    drop(witness);
    assert_eq!(shown(&open(folder.path())), Some((7, 130)), "the same note after a restart");
}

#[test]
fn the_same_head_in_the_same_second_is_answered_from_memory() {
    let folder = tempfile::tempdir().unwrap();
    let witness = begun(folder.path());
    let [tree, _] = trees();
    let written = || std::fs::read(folder.path().join("state/witness.redb")).unwrap();
    let first = ask(&witness, &tree, 0, 7, 100);
    let then = written();
    assert_eq!(ask(&witness, &tree, 7, 7, 100), first);
    assert!(written() == then, "nothing is written");
    assert_ne!(ask(&witness, &tree, 7, 7, 101), first, "a second later it is signed anew");
    assert!(written() != then);
}

#[test]
fn nothing_before_the_first_head_and_only_an_empty_proof_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let witness = begun(folder.path());
    let [tree, _] = trees();
    assert_eq!(witness.checkpoint(ORIGIN), None);
    assert_eq!(witness.cosign(TreeSize(0), &[Hash::of(b"x")], &head(&tree, 5), Seconds(9)), Answer::NotProven);
    assert!(is_cosigned(&ask(&witness, &tree, 0, 0, 9)));
    assert_eq!(witness.refuse_empty_root(ORIGIN, TreeSize(1)), Some(Answer::OldTooLarge));
    assert_eq!(witness.refuse_empty_root(ORIGIN, TreeSize(0)), Some(Answer::NotProven));
    assert!(is_cosigned(&ask(&witness, &tree, 0, 5, 9)));
    assert_eq!(witness.refuse_empty_root(ORIGIN, TreeSize(0)), Some(Answer::Conflict(TreeSize(5))));
    assert!(!witness.knows("other.example") && witness.size("other.example").is_none());
}

#[test]
fn of_two_requests_at_once_one_is_decided_first() {
    let folder = tempfile::tempdir().unwrap();
    let witness = begun(folder.path());
    let [tree, fork] = trees();
    assert!(is_cosigned(&ask(&witness, &tree, 0, 4, 100)));
    // Each pair races from the same old size to two histories, or to two sizes of one.
    let begin = Barrier::new(4);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let asked = [(&tree, 6), (&fork, 6), (&tree, 5), (&fork, 9)].map(|(tree, size)| {
            let (witness, begin) = (&witness, &begin);
            scope.spawn(move || {
                begin.wait();
                ask(witness, tree, 4, size, 100)
            })
        });
        asked.map(|thread| thread.join().unwrap()).into()
    });
    assert_eq!(answers.iter().filter(|answer| is_cosigned(answer)).count(), 1, "{answers:?}");
    let size = witness.size(ORIGIN).unwrap();
    let lost = answers.iter().filter(|answer| !is_cosigned(answer));
    assert!(lost.clone().all(|answer| *answer == Answer::Conflict(size) || *answer == Answer::OldTooLarge));
}

#[test]
fn a_crash_between_database_and_record_lowers_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let witness = begun(folder.path());
    let [tree, fork] = trees();
    assert!(is_cosigned(&ask(&witness, &tree, 0, 5, 100)));
    // The database was written and the record was not: as if the process had ended there.
    let next = head(&tree, 7);
    let note = signed_by_log(&next).into_bytes();
    witness.table.put(ORIGIN, &Cosigned { size: next.size(), root: next.root(), time: Seconds(101), note }).unwrap();
    drop(witness);
    let witness = open(folder.path());
    assert_eq!(witness.stopped(ORIGIN), None);
    assert_eq!(shown(&witness), Some((7, 101)));
    assert_eq!(ask(&witness, &fork, 5, 6, 102), Answer::Conflict(TreeSize(7)));
    assert!(is_cosigned(&ask(&witness, &tree, 7, 8, 102)));
}

#[test]
fn an_old_database_or_a_lost_record_stops_it_until_the_operator_acts() {
    let folder = tempfile::tempdir().unwrap();
    let (state, records) = (folder.path().join("state"), folder.path().join("record"));
    let database = state.join("witness.redb");
    let [tree, fork] = trees();
    let witness = begun(folder.path());
    assert!(is_cosigned(&ask(&witness, &tree, 0, 5, 100)));
    drop(witness);
    let old = std::fs::read(&database).unwrap();
    let witness = open(folder.path());
    assert!(is_cosigned(&ask(&witness, &tree, 5, 8, 200)));
    drop(witness);

    std::fs::write(&database, &old).unwrap();
    let witness = open(folder.path());
    assert!(matches!(ask(&witness, &fork, 5, 6, 300), Answer::Stopped(_)));
    assert!(matches!(ask(&witness, &tree, 8, 9, 300), Answer::Stopped(_)), "also not what it could check");
    assert_eq!(witness.checkpoint(ORIGIN), None);
    drop(witness);
    let resumed = Witness::resume(&state, &records, ORIGIN, Resume::FromRecord).unwrap();
    assert_eq!(resumed.last.map(|last| (last.size.0, last.time.0)), Some((8, 200)));
    let witness = open(folder.path());
    assert_eq!(ask(&witness, &fork, 5, 6, 300), Answer::Conflict(TreeSize(8)), "it goes on from the record");
    assert!(is_cosigned(&ask(&witness, &tree, 8, 9, 150)));
    assert_eq!(shown(&witness), Some((9, 200)));
    drop(witness);

    std::fs::remove_dir_all(&records).unwrap();
    let witness = open(folder.path());
    assert!(matches!(ask(&witness, &tree, 9, 9, 300), Answer::Stopped(_)));
    drop(witness);
    assert!(!Witness::may_begin(&state, ORIGIN).unwrap(), "following it anew does not make up for a lost record");
    assert!(Witness::may_begin(&state, "other.example").unwrap());
    let refused = Witness::resume(&state, &records, ORIGIN, Resume::FromRecord).unwrap_err();
    assert!(refused.message.contains("--nothing-newer"), "{refused}");
    Witness::resume(&state, &records, ORIGIN, Resume::NothingNewer).unwrap();
    assert!(is_cosigned(&ask(&open(folder.path()), &tree, 9, 9, 300)));

    std::fs::write(&database, &old).unwrap();
    for file in std::fs::read_dir(&records).unwrap() {
        std::fs::write(file.unwrap().path(), b"damaged").unwrap();
    }
    assert!(open(folder.path()).stopped(ORIGIN).unwrap().contains("resume-origin"));
    Witness::resume(&state, &records, ORIGIN, Resume::NothingNewer).unwrap();
    assert_eq!(open(folder.path()).size(ORIGIN), Some(TreeSize(5)));
    assert_eq!(std::fs::read_dir(&records).unwrap().count(), 2, "the damaged record is kept");
}

#[test]
fn two_roots_for_one_size_are_never_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let [tree, fork] = trees();
    drop(begun(folder.path()));
    let table = Table::open(&folder.path().join("state")).unwrap();
    let of = |tree: &MemoryTree| {
        let head = head(tree, 6);
        Cosigned { size: head.size(), root: head.root(), time: Seconds(9), note: signed_by_log(&head).into_bytes() }
    };
    table.put(ORIGIN, &of(&tree)).unwrap();
    drop(table);
    drop(open(folder.path()));
    let table = Table::open(&folder.path().join("state")).unwrap();
    table.put(ORIGIN, &of(&fork)).unwrap();
    drop(table);
    assert!(open(folder.path()).stopped(ORIGIN).is_some());
    let (state, records) = (folder.path().join("state"), folder.path().join("record"));
    assert!(Witness::resume(&state, &records, ORIGIN, Resume::NothingNewer).is_err());
}

/// What a client or the world does.
#[derive(Debug, Clone)]
enum Act {
    /// Asks for a head of one of the two trees, with the proof of one of them.
    Ask { fork: bool, proof_of_fork: bool, old: u64, new: u64, now: u64 },
    /// The process ends and starts again.
    Restart,
    /// The database is kept aside.
    Copy,
    /// It is replaced by the copy, and the process starts again.
    Restore,
    /// The operator lets the log be cosigned again.
    Resume,
}

fn act() -> impl Strategy<Value = Act> {
    let size = 0..=u64::from(ALL);
    let ask = (any::<bool>(), prop::bool::weighted(0.3), size.clone(), size, 1..50u64);
    prop_oneof![
        12 => ask.prop_map(|(fork, other, old, new, now)| {
            Act::Ask { fork, proof_of_fork: fork != other, old, new, now }
        }),
        1 => Just(Act::Restart),
        1 => Just(Act::Copy),
        1 => Just(Act::Restore),
        1 => Just(Act::Resume),
    ]
}

/// What is allowed, by the words of the specification alone.
#[derive(Default)]
struct Model {
    /// Size and whether it is the fork's; what was cosigned last.
    last: Option<(u64, bool)>,
    time: u64,
}

impl Model {
    fn status(&self, act: (bool, bool, u64, u64)) -> u16 {
        let (fork, proof_of_fork, old, new) = act;
        let stored = self.last.map_or(0, |(size, _)| size);
        // Below the first differing entry both trees are one.
        let same = |a: bool, b: bool, size: u64| a == b || size <= u64::from(COMMON);
        let proof_fits = old == 0 || old == new || same(fork, proof_of_fork, new);
        let extends = self.last.is_none_or(|(size, of)| size == 0 || same(of, fork, size));
        match () {
            () if old > new => 400,
            () if old != stored => 409,
            () if !extends || !proof_fits => 422,
            () => 200,
        }
    }
}

fn status_of(answer: &Answer) -> u16 {
    match answer {
        Answer::Cosigned(_) => 200,
        Answer::OldTooLarge => 400,
        Answer::Conflict(_) => 409,
        Answer::OtherRoot | Answer::NotProven => 422,
        Answer::Stopped(_) | Answer::Waits(_) => 503,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_the_model_says_and_never_signs_two_histories(acts in prop::collection::vec(act(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let (state, records) = (folder.path().join("state"), folder.path().join("record"));
        let trees = trees();
        let mut witness = Some(begun(folder.path()));
        let (mut model, mut copy) = (Model::default(), None);
        let (mut cosigned, mut last_time) = (Vec::<(u64, bool)>::new(), 0);
        for act in acts {
            match act {
                Act::Ask { fork, proof_of_fork, old, new, now } => {
                    let asked = witness.as_ref().unwrap();
                    let proof = proof(&trees[usize::from(proof_of_fork)], old, new);
                    let head = head(&trees[usize::from(fork)], new);
                    let answer = asked.cosign(TreeSize(old), &proof, &head, Seconds(now));
                    if asked.stopped(ORIGIN).is_some() {
                        prop_assert_eq!(status_of(&answer), 503);
                        continue;
                    }
                    prop_assert_eq!(status_of(&answer), model.status((fork, proof_of_fork, old, new)));
                    if is_cosigned(&answer) {
                        model.last = Some((new, fork));
                        model.time = model.time.max(now);
                        prop_assert_eq!(shown(asked), Some((new, model.time)));
                        prop_assert!(cosigned.last().is_none_or(|(size, _)| *size <= new), "sizes never go down");
                        prop_assert!(last_time <= model.time, "times never go back");
                        cosigned.push((new, fork));
                        last_time = model.time;
                    }
                }
                Act::Restart => {
                    drop(witness.take());
                    witness = Some(open(folder.path()));
                }
                Act::Copy => {
                    drop(witness.take());
                    copy = Some(std::fs::read(state.join("witness.redb")).unwrap());
                    witness = Some(open(folder.path()));
                }
                Act::Restore => {
                    drop(witness.take());
                    if let Some(copy) = &copy {
                        std::fs::write(state.join("witness.redb"), copy).unwrap();
                    }
                    witness = Some(open(folder.path()));
                }
                Act::Resume => {
                    drop(witness.take());
                    Witness::resume(&state, &records, ORIGIN, Resume::FromRecord).unwrap();
                    witness = Some(open(folder.path()));
                    prop_assert_eq!(witness.as_ref().unwrap().stopped(ORIGIN), None);
                }
            }
        }
        // Everything that was ever cosigned beyond the common part is of one history.
        let beyond: Vec<bool> =
            cosigned.iter().filter(|(size, _)| *size > u64::from(COMMON)).map(|(_, fork)| *fork).collect();
        prop_assert!(beyond.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", cosigned);
    }
}

//! Witnesses that sign two histories, and such as do not.

use proto::merkle::MemoryTree;
use proto::misbehaviour::Kind;
use proto::note::Verifier;

use super::*;
use crate::evidence::tests::{Followed, NOW, ORIGIN, entry, head, others, three};
use crate::finding::{Alternative as FoundAlternative, Class};
use crate::follow::fork;
use crate::gossip::head::check;
use crate::store::Findings;

const WITNESS: &str = "witness.example";

fn followed() -> Followed {
    let followed = Followed::new();
    let keys = followed.log.config.trust.policy().witnesses().iter();
    let keys = keys.map(|witness| Verifier::new(witness.vkey()).unwrap()).collect();
    followed.log.keep_cosignatures_of(keys);
    followed
}

/// A head with its lines is seen somewhere, such as in a peer's list.
fn shown(followed: &Followed, note: &[u8]) {
    let note = Note::parse(note).unwrap();
    let head = check(followed.log.config.trust.policy(), ORIGIN, note.clone()).unwrap();
    followed.log.keep_cosigned(&note, &head).unwrap();
}

fn vkey(followed: &Followed) -> String {
    followed.log.witnesses_of_trust().next().unwrap().to_string()
}

fn kept(followed: &Followed) -> Vec<u64> {
    followed.log.store.lines_of(&vkey(followed)).unwrap().iter().map(|head| head.size.0).collect()
}

fn is_convicted(followed: &Followed, kind: Kind) {
    assert_eq!(followed.convicted(), [(kind, WITNESS.to_owned())]);
    let open = followed.open_findings();
    assert_eq!((open.len(), open[0].class, open[0].code.as_str()), (1, Class::Tamper, code::EVIDENCE), "{open:#?}");
    assert_eq!(followed.log.store.stop().why(), None, "that a witness misbehaves is no reason to cosign no more");
}

/// Three entries, and so many more.
fn own(more: u8) -> Vec<Vec<u8>> {
    three().into_iter().chain((0..more).map(|n| entry(13 + u64::from(n), 10 + n))).collect()
}

/// Another history that parts at this entry, and goes on.
fn stray(from: usize, more: u8) -> Vec<Vec<u8>> {
    others(from).into_iter().chain((0..more).map(|n| entry(13 + u64::from(n), 200 + n))).collect()
}

#[test]
fn two_roots_of_one_size_need_no_tree() {
    let followed = followed();
    shown(&followed, &head(&own(3), 15));
    assert_eq!(followed.convicted(), []);
    shown(&followed, &head(&stray(1, 3), 15));
    is_convicted(&followed, Kind::SameSize);
    // One file is enough, and nothing more of it is kept.
    shown(&followed, &head(&stray(2, 3), 15));
    shown(&followed, &head(&stray(2, 4), 16));
    is_convicted(&followed, Kind::SameSize);
    assert_eq!(kept(&followed), Vec::<u64>::new());
    is_convicted(&followed.reopened(), Kind::SameSize);
}

#[test]
fn a_smaller_head_of_another_history_contradicts_a_larger_one_of_the_own_tree_in_either_order() {
    let heads = [head(&others(1)[..2], 11), head(&three(), 12)];
    for order in [[0, 1], [1, 0]] {
        let followed = followed();
        followed.follow(&three(), 12, None);
        shown(&followed, &heads[order[0]]);
        assert_eq!(followed.convicted(), []);
        shown(&followed, &heads[order[1]]);
        is_convicted(&followed, Kind::Inconsistent);
    }
}

#[test]
fn what_was_ahead_is_held_against_the_own_tree_when_that_is_there() {
    let followed = followed();
    followed.follow(&three(), 12, None);
    shown(&followed, &head(&three(), 12));
    shown(&followed, &head(&stray(1, 1), 13));
    assert_eq!((followed.convicted(), kept(&followed)), (vec![], vec![3, 4]), "nobody can tie the two");
    let followed = followed.reopened();
    followed.log.keep_cosignatures_of(self::followed().log.cosigners.get().unwrap().clone());
    followed.follow(&own(2), 14, None);
    followed.log.weigh_lines_again(Reach::Kept, NOW).unwrap();
    assert_eq!(followed.convicted(), [], "it signed nothing behind that");
    shown(&followed, &head(&own(2), 14));
    is_convicted(&followed, Kind::Inconsistent);
}

/// A fork that gossip found by a proof: the own head, and a larger one of another history.
fn forked(followed: &Followed, larger: &[Vec<u8>], seconds: u64) {
    let policy = followed.log.config.trust.policy();
    let stripped = |note: &[u8]| check(policy, ORIGIN, Note::parse(note).unwrap()).unwrap();
    let tree: MemoryTree = larger.iter().map(|entry| Hash::leaf(entry)).collect();
    let (from, to) = (TreeSize(3), tree.size());
    let tie = FoundAlternative::new(from, root_at(&tree, from).unwrap(), &consistency_proof(&tree, from, to).unwrap());
    let found = fork(&stripped(&head(&three(), 12)), &stripped(&head(larger, seconds)), Some(tie));
    let findings = Findings::begin(vec![found]);
    followed.log.store.commit_batch(&Batch { findings, ..Batch::default() }, NOW).unwrap();
    followed.log.look(None).unwrap();
}

#[test]
fn a_proof_that_a_fork_came_with_ties_its_lines_and_no_others() {
    let larger = stray(1, 2);
    let followed = followed();
    followed.follow(&three(), 12, None);
    forked(&followed, &larger, 14);
    // What both histories begin with contradicts neither.
    shown(&followed, &head(&three()[..1], 10));
    shown(&followed, &head(&larger, 14));
    followed.log.weigh_lines_again(Reach::Kept, NOW).unwrap();
    assert_eq!(followed.convicted(), []);
    shown(&followed, &head(&three(), 12));
    assert_eq!(followed.convicted(), [(Kind::Inconsistent, WITNESS.to_owned())]);
}

#[test]
fn a_fork_that_is_known_later_convicts_by_lines_that_were_seen_before() {
    let larger = stray(1, 2);
    let followed = followed();
    followed.follow(&three(), 12, None);
    shown(&followed, &head(&three(), 12));
    shown(&followed, &head(&larger, 14));
    assert_eq!(followed.convicted(), []);
    forked(&followed, &larger, 14);
    followed.log.weigh_lines_again(Reach::Kept, NOW).unwrap();
    assert_eq!(followed.convicted(), [(Kind::Inconsistent, WITNESS.to_owned())]);
}

#[test]
fn who_signed_one_history_is_never_accused_whichever_and_whatever_else_is_there() {
    let without = |note: &[u8]| {
        let note = std::str::from_utf8(note).unwrap().to_owned();
        let line = note.lines().find(|line| line.contains(&format!(" {WITNESS} "))).unwrap().to_owned();
        (note.replace(&format!("{line}\n"), ""), line)
    };
    for signs_own in [true, false] {
        let followed = followed();
        followed.follow(&three(), 12, None);
        for size in 1..=6usize {
            let (own, stray) = (own(3), stray(1, 3));
            let (own, stray) = (head(&own[..size], 9 + size as u64), head(&stray[..size], 9 + size as u64));
            let (signed, other) = if signs_own || size == 1 { (own, stray) } else { (stray, own) };
            let (bare, line) = without(&other);
            shown(&followed, bare.as_bytes());
            shown(&followed, &signed);
            // Its line under the other head is a forgery, and says nothing.
            let (_, good) = without(&signed);
            let forged = if size == 1 { bare } else { String::from_utf8(other.clone()).unwrap().replace(&line, &good) };
            shown(&followed, forged.as_bytes());
        }
        forked(&followed, &stray(1, 2), 14);
        followed.follow(&own(3), 15, None);
        followed.log.weigh_lines_again(Reach::Kept, NOW).unwrap();
        assert_eq!(followed.convicted(), [], "signs the own history: {signs_own}");
    }
}

#[test]
fn few_heads_of_a_witness_are_kept() {
    let followed = followed();
    followed.follow(&own(9), 30, None);
    for size in 3..=12 {
        shown(&followed, &head(&own(9)[..size], 10 + size as u64));
    }
    assert_eq!(kept(&followed), [12], "of the own tree the largest");
    for more in (10..90).rev() {
        shown(&followed, &head(&own(more), 40));
    }
    let sizes = kept(&followed);
    assert_eq!((sizes.len(), sizes[0], sizes[1]), (MOST_STRAY + 1, 12, 13), "and the smallest of what is not read");
}

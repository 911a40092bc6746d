//! A witness in doubt, over restarts and with what peers say.

use proto::hash::Hash;
use proto::num::{Seconds, TreeSize};

use super::super::tests::{ORIGIN, ask, begun, head, is_cosigned, open, shown, trees};
use super::super::{Answer, Resume, signed_by_log};
use super::*;

/// What a peer knows after a head was cosigned.
fn known(size: u64, time: u64) -> Known {
    let head = head(&trees()[0], size);
    let record = SignedRecord { size: head.size(), root: head.root(), time: Seconds(time) };
    Known { record, note: signed_by_log(&head).into_bytes() }
}

fn says(peer: &str, known: Option<&Known>) -> PeerAnswer {
    PeerAnswer { peer: peer.to_owned(), last: known.map(|known| known.record) }
}

/// A witness that cosigned 5 entries at 100 and 8 at 200, and whose database is then put back to what it was before the
/// second; with its record, or without.
fn put_back(folder: &Path, with_record: bool) -> Witness {
    let [tree, _] = trees();
    let witness = begun(folder);
    assert!(is_cosigned(&ask(&witness, &tree, 0, 5, 100)));
    drop(witness);
    let database = folder.join("state/witness.redb");
    let old = std::fs::read(&database).unwrap();
    let witness = open(folder);
    assert!(is_cosigned(&ask(&witness, &tree, 5, 8, 200)));
    drop(witness);
    std::fs::write(&database, old).unwrap();
    if !with_record {
        std::fs::remove_dir_all(folder.join("record")).unwrap();
    }
    open(folder)
}

#[test]
fn with_the_record_gone_it_goes_on_from_what_enough_peers_know() {
    let folder = tempfile::tempdir().unwrap();
    let [tree, fork] = trees();
    let witness = put_back(folder.path(), false);
    assert!(witness.doubt(ORIGIN).is_some());
    let (five, eight) = (known(5, 100), known(8, 200));
    let one = [says("a", Some(&eight))];
    let few = Restored::TooFew { counted: 1, needed: 2, below: vec![] };
    assert_eq!(witness.restore(ORIGIN, &one, std::slice::from_ref(&eight), 1).unwrap(), Some(few));
    witness.asked(ORIGIN, "one answered");
    assert!(witness.stopped(ORIGIN).unwrap().ends_with("one answered"));
    assert!(matches!(ask(&witness, &tree, 5, 9, 300), Answer::Stopped(_)));

    // What one of them showed before is known from then on: who knows less of it is not enough without it.
    let old = [says("b", Some(&five)), says("c", Some(&five))];
    let below = vec!["b".to_owned(), "c".to_owned()];
    let few = Restored::TooFew { counted: 0, needed: 2, below };
    assert_eq!(witness.restore(ORIGIN, &old, &[five.clone(), five.clone()], 1).unwrap(), Some(few));

    let both = [says("b", Some(&five)), says("a", Some(&eight))];
    let from = witness.restore(ORIGIN, &both, &[five, eight.clone()], 1).unwrap();
    assert_eq!(from, Some(Restored::From(eight.record)));
    assert_eq!((witness.stopped(ORIGIN), witness.doubt(ORIGIN)), (None, None));
    assert_eq!(shown(&witness), Some((8, 200)), "the same cosignature again");
    assert_eq!(witness.restore(ORIGIN, &both, &[], 1).unwrap(), None, "nothing is in doubt any more");
    drop(witness);
    let witness = open(folder.path());
    assert_eq!(ask(&witness, &fork, 5, 9, 300), Answer::Conflict(TreeSize(8)), "it is durable");
    assert!(is_cosigned(&ask(&witness, &tree, 8, 9, 150)));
    assert_eq!(shown(&witness), Some((9, 200)), "no time is lowered");
}

#[test]
fn a_record_that_is_newer_counts_whatever_peers_know() {
    let folder = tempfile::tempdir().unwrap();
    let witness = put_back(folder.path(), true);
    assert!(witness.doubt(ORIGIN).is_some());
    let blind = [says("a", None), says("b", Some(&known(5, 100)))];
    let below = vec!["a".to_owned(), "b".to_owned()];
    let few = Some(Restored::TooFew { counted: 0, needed: 2, below });
    assert_eq!(witness.restore(ORIGIN, &blind, &[], 1).unwrap(), few);
    // They saw the size, but not the last time of it.
    let seven = known(8, 170);
    let enough = [says("a", Some(&seven)), says("b", Some(&seven))];
    let from = witness.restore(ORIGIN, &enough, std::slice::from_ref(&seven), 1).unwrap();
    assert_eq!(from, Some(Restored::From(known(8, 200).record)));
    assert_eq!(shown(&witness), Some((8, 200)));
}

#[test]
fn an_own_cosignature_that_neither_has_stops_it() {
    let folder = tempfile::tempdir().unwrap();
    let [tree, fork] = trees();
    let witness = begun(folder.path());
    assert!(is_cosigned(&ask(&witness, &tree, 0, 5, 100)));
    witness.wait_for_peers(ORIGIN);
    assert!(matches!(ask(&witness, &tree, 5, 6, 120), Answer::Waits(_)), "not before the peers were asked");
    assert_eq!(witness.doubt(ORIGIN), None);
    witness.peers_were_asked(ORIGIN);
    for old in [known(5, 100), known(5, 90), known(4, 80)] {
        assert!(!witness.saw_own(ORIGIN, &old), "that is no news");
    }
    assert!(!witness.saw_own("other.example", &known(9, 900)));
    assert_eq!(witness.stopped(ORIGIN), None);
    assert!(witness.saw_own(ORIGIN, &known(8, 200)));
    assert!(matches!(ask(&witness, &fork, 5, 6, 300), Answer::Stopped(_)));
    assert!(witness.stopped(ORIGIN).unwrap().contains("resume-origin"));
    let eight = [says("a", Some(&known(8, 200)))];
    assert_eq!(witness.restore(ORIGIN, &eight, &[], 0).unwrap(), Some(Restored::From(known(8, 200).record)));
    assert!(is_cosigned(&ask(&witness, &tree, 8, 9, 300)));
}

#[test]
fn two_roots_stay_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let witness = put_back(folder.path(), true);
    let other = Known { record: SignedRecord { root: Hash::of(b"other"), ..known(8, 1).record }, note: vec![] };
    let said = [says("a", Some(&other)), says("b", Some(&other))];
    let ended = Some(Restored::TwoRoots(TreeSize(8)));
    assert_eq!(witness.restore(ORIGIN, &said, &[other], 1).unwrap(), ended);
    let good = [says("a", Some(&known(8, 200))), says("b", Some(&known(8, 200)))];
    assert_eq!(witness.restore(ORIGIN, &good, &[], 1).unwrap(), ended, "it is not forgotten");
    drop(witness);
    let witness = open(folder.path());
    assert_eq!(witness.restore(ORIGIN, &good, &[], 1).unwrap(), ended, "nor by a restart");
    drop(witness);
    let (state, records) = (folder.path().join("state"), folder.path().join("record"));
    assert!(Witness::resume(&state, &records, ORIGIN, Resume::FromRecord).is_err(), "nor by the operator");
}

#[test]
fn what_was_learned_outlives_restarts_until_it_is_restored_or_resumed() {
    let [tree, fork] = trees();
    for with_peers in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let witness = begun(folder.path());
        assert!(is_cosigned(&ask(&witness, &tree, 0, 5, 100)));
        assert!(witness.saw_own(ORIGIN, &known(8, 200)));
        drop(witness);
        // Nobody says it again.
        for _ in 0..2 {
            let witness = open(folder.path());
            assert!(witness.doubt(ORIGIN).is_some_and(|why| why.contains("8 entries at 200")));
            assert!(matches!(ask(&witness, &fork, 5, 6, 300), Answer::Stopped(_)));
            let old = [says("a", Some(&known(5, 100)))];
            let few = Restored::TooFew { counted: 0, needed: 1, below: vec!["a".to_owned()] };
            assert_eq!(witness.restore(ORIGIN, &old, &[known(5, 100)], 0).unwrap(), Some(few));
        }
        if with_peers {
            let eight = [says("a", Some(&known(8, 200)))];
            let from = open(folder.path()).restore(ORIGIN, &eight, &[], 0).unwrap();
            assert_eq!(from, Some(Restored::From(known(8, 200).record)));
        } else {
            let (state, records) = (folder.path().join("state"), folder.path().join("record"));
            let resumed = Witness::resume(&state, &records, ORIGIN, Resume::FromRecord).unwrap();
            assert_eq!(resumed.last.unwrap().record(), known(8, 200).record);
        }
        let witness = open(folder.path());
        assert_eq!((witness.stopped(ORIGIN), shown(&witness)), (None, Some((8, 200))));
        assert_eq!(ask(&witness, &fork, 5, 6, 300), Answer::Conflict(TreeSize(8)));
        assert!(is_cosigned(&ask(&witness, &tree, 8, 9, 300)));
        drop(witness);
        assert_eq!(open(folder.path()).stopped(ORIGIN), None, "it is over for good");
    }
}

#[test]
fn a_file_of_what_was_learned_that_is_damaged_is_a_doubt() {
    let folder = tempfile::tempdir().unwrap();
    let [tree, _] = trees();
    let witness = begun(folder.path());
    assert!(is_cosigned(&ask(&witness, &tree, 0, 5, 100)));
    assert!(witness.saw_own(ORIGIN, &known(8, 200)));
    drop(witness);
    std::fs::write(remembered::path(&folder.path().join("record"), ORIGIN), b"garbage").unwrap();
    let witness = open(folder.path());
    assert!(witness.doubt(ORIGIN).is_some_and(|why| why.contains("damaged")));
    drop(witness);
    let (state, records) = (folder.path().join("state"), folder.path().join("record"));
    let resume = |how| Witness::resume(&state, &records, ORIGIN, how);
    assert!(resume(Resume::FromRecord).unwrap_err().message.contains("--nothing-newer"));
    resume(Resume::NothingNewer).unwrap();
    assert_eq!(open(folder.path()).stopped(ORIGIN), None);
}

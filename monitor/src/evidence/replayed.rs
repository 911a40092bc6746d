//! Heads of a fork that is known are shown again and again by whoever likes to: nothing is written for that.

use proto::note::Note;

use super::tests::{Followed, NOW, ORIGIN, entry, file, head, others, three};
use super::{Source, Stored};
use crate::finding::code;
use crate::follow::Verdict;
use crate::gossip::head::only_of_log;
use crate::store::LogStore;

/// Every byte of the log's database: a transaction that changes nothing changes some of them, too.
fn database(followed: &Followed) -> Vec<u8> {
    std::fs::read(LogStore::path_in(followed.folder.path(), ORIGIN)).unwrap()
}

fn contradicts(followed: &Followed, note: &[u8]) {
    assert!(matches!(followed.offer(note), Verdict::Contradicts(_)));
}

#[test]
fn a_known_contradiction_costs_no_write() {
    let followed = Followed::new();
    followed.follow(&three(), 12, None);
    let full = head(&others(1)[..2], 11);
    let policy = followed.log.config.trust.policy();
    let stripped = only_of_log(policy, ORIGIN, Note::parse(&full).unwrap()).unwrap().to_bytes();
    contradicts(&followed, &stripped);
    assert_eq!(followed.convicted().len(), 2, "the log and its time key");
    let before = database(&followed);
    for _ in 0..3 {
        contradicts(&followed, &stripped);
    }
    assert!(database(&followed) == before, "nothing is written");
    assert_eq!(followed.log.store.last_event().unwrap(), 1);

    // With a witness's line it convicts one key more, once.
    contradicts(&followed, &full);
    assert_eq!(followed.convicted().len(), 3);
    assert!(database(&followed) != before, "a write is seen here");
    let before = database(&followed);
    contradicts(&followed, &full);
    contradicts(&followed, &stripped);
    assert!(database(&followed) == before);
}

#[test]
fn nor_does_a_file_that_is_kept() {
    let followed = Followed::new();
    let take = |source| followed.log.take_evidence(&file(10), source, NOW).unwrap();
    assert!(matches!(take(Source::Report), Stored::New(_)));
    let before = database(&followed);
    for source in [Source::Report, Source::Peer("peer.example".to_owned())] {
        assert!(matches!(take(source), Stored::Known(_)));
    }
    assert!(database(&followed) == before);
}

#[test]
fn nor_does_a_file_of_which_there_is_enough() {
    let followed = Followed::new();
    let take = |n| followed.log.take_evidence(&file(n), Source::Report, NOW).unwrap();
    (10..18).for_each(|n| assert!(matches!(take(n), Stored::New(_))));
    assert!(matches!(take(18), Stored::Enough(_)));
    let (before, standing) = (database(&followed), followed.log.store.stop().standing());
    for _ in 0..1000 {
        assert!(matches!(take(18), Stored::Enough(_)));
    }
    assert!(database(&followed) == before);
    assert_eq!(followed.log.store.stop().standing(), standing);
}

#[test]
fn nor_does_one_that_has_no_room() {
    let followed = Followed::new();
    followed.follow(&three(), 12, None);
    let forks: Vec<Vec<u8>> = (0..=200).map(|n| head(&[entry(10, 0), entry(11, 200 - n + 50)], 12)).collect();
    forks.iter().for_each(|fork| contradicts(&followed, fork));
    let open = followed.open_findings();
    assert_eq!(open.iter().filter(|one| one.code == code::FORK).count(), 200);
    assert!(open.iter().any(|one| one.code == code::MANY));
    forks.iter().for_each(|fork| contradicts(&followed, fork));
    let before = database(&followed);
    for at in [0, 100, 199, 200] {
        contradicts(&followed, &forks[at]);
    }
    assert!(database(&followed) == before, "neither the finding nor the files have room");
}

//! After the operator let a log be cosigned despite evidence, what is shown of a further fork is kept, told and heeded.

use std::time::Duration;

use proto::note::Note;

use super::tests::{Followed, NOW, entry, file, head, inconsistent, others, proof, three};
use super::{EvidenceId, Source, Stored};
use crate::finding::code;
use crate::gossip::core::{Head, Input, Source as ShownBy};
use crate::gossip::{Became, LogGossip};

/// Evidence that stands, named by the operator.
fn resume(followed: &Followed) -> Vec<EvidenceId> {
    let standing = followed.log.store.stop().standing();
    followed.log.store.resume_despite(&standing, NOW).unwrap();
    assert_eq!(followed.log.store.stop().why(), None);
    standing
}

fn take(followed: &Followed, n: u8) -> Stored {
    followed.log.take_evidence(&file(n), Source::Report, NOW).unwrap()
}

/// How many times the beginning of a finding of evidence was told.
fn told(followed: &Followed) -> usize {
    followed.log.store.events_after(0, 100).unwrap().iter().filter(|event| event.what.kind() == "began").count()
}

#[test]
fn there_is_room_again_for_what_is_shown_after_a_resume() {
    let followed = Followed::new();
    for n in 10..18 {
        assert!(matches!(take(&followed, n), Stored::New(_)));
    }
    assert!(matches!(take(&followed, 18), Stored::Enough(_)), "one convicts the key");
    assert_eq!((resume(&followed).len(), told(&followed)), (8, 1));
    let followed = followed.reopened();
    assert!(matches!(take(&followed, 10), Stored::Known(_)));
    assert_eq!(followed.log.store.stop().why(), None, "what was looked at ends nothing again");

    let Stored::New(id) = take(&followed, 18) else { panic!("it is another fork") };
    assert_eq!(followed.log.store.stop().standing(), [id]);
    assert_eq!(followed.kept().last().unwrap().number, 9, "peers are sent it by its number");
    let open = followed.open_findings();
    let new: Vec<_> = open.iter().filter(|one| one.evidence == [id]).collect();
    assert!(new.len() == 1 && new[0].code == code::EVIDENCE && open.len() == 2, "{open:#?}");
    assert_eq!(told(&followed), 2, "it is told though the finding of the first ones is open");

    // The room is bounded as before, and made again by an act of the operator alone.
    for n in 19..26 {
        assert!(matches!(take(&followed, n), Stored::New(_)), "{n}");
    }
    assert!(matches!(take(&followed, 26), Stored::Enough(_)));
    assert_eq!((resume(&followed).len(), told(&followed)), (8, 2));
    assert!(matches!(take(&followed, 26), Stored::New(_)));
    assert_eq!(told(&followed), 3);
}

#[test]
fn a_state_that_was_begun_anew_gives_no_room_to_what_was_resumed_despite() {
    let (first, folder) = (Followed::new(), tempfile::tempdir().unwrap());
    first.log.store.stop().beside(folder.path().join("stop")).unwrap();
    (10..18).for_each(|n| _ = take(&first, n));
    resume(&first);
    let anew = Followed::new();
    anew.log.store.stop().beside(folder.path().join("stop")).unwrap();
    for n in 10..18 {
        assert!(matches!(take(&anew, n), Stored::New(_)), "the state does not know it");
    }
    assert_eq!(anew.log.store.stop().why(), None, "the file beside the record does");
    assert!(matches!(take(&anew, 18), Stored::New(_)), "shown again, they do not keep the next one out");
    assert!(anew.log.store.stop().why().is_some());
}

/// So many entries of the followed history.
fn own(count: u64) -> Vec<Vec<u8>> {
    let more = (3..count).map(|at| entry(10 + at, 9));
    three().into_iter().chain(more).collect()
}

fn take_file(followed: &Followed, file: &[u8]) -> Stored {
    followed.log.take_evidence(file, Source::Report, NOW).unwrap()
}

#[test]
fn an_act_covers_every_file_that_can_be_made_of_the_same_heads() {
    let followed = Followed::new();
    followed.follow(&own(5), 14, None);
    let other = &others(1)[..2];
    assert!(matches!(take_file(&followed, &inconsistent(other, &own(4))), Stored::New(_)));
    resume(&followed);
    let before = (followed.kept().len(), told(&followed));
    // With the next head of the log, one that is not read yet, and one of before.
    for own in [own(5), own(6), own(3)] {
        let stored = take_file(&followed, &inconsistent(other, &own));
        assert!(matches!(stored, Stored::Enough(_)), "{}", own.len());
        assert_eq!(followed.log.store.stop().why(), None, "{}", own.len());
    }
    assert_eq!((followed.kept().len(), told(&followed)), before, "nobody is told, and nothing is kept");
    let unread = followed.log.store.unread().unwrap();
    assert_eq!(unread.iter().map(|one| one.head.size.0).collect::<Vec<_>>(), [6], "that one is judged when it is read");

    // What this monitor finds of it by itself is told and kept, and ends nothing either; so after a restart.
    followed.offer(&head(other, 11));
    assert!(followed.kept().len() > before.0 && followed.open_findings().iter().any(|one| one.code == code::FORK));
    assert_eq!((followed.log.store.stop().why(), followed.log.forked()), (None, None));
    let followed = followed.reopened();
    assert_eq!((followed.log.store.stop().why(), followed.log.forked()), (None, None));

    // Another head of the other history is news.
    let Stored::New(id) = take_file(&followed, &inconsistent(&others(0)[..1], &own(5))) else { panic!("it is news") };
    assert_eq!(followed.log.store.stop().standing(), [id]);
}

#[test]
fn a_head_that_is_shown_beside_a_growing_tree_is_one_fork() {
    let followed = Followed::new();
    followed.follow(&three(), 12, None);
    let gossip = LogGossip::open(followed.log.clone(), Vec::new(), None, Duration::from_secs(60)).unwrap();
    let large: Vec<Vec<u8>> = others(1).into_iter().chain((0..1000).map(|at| entry(100 + at, 7))).collect();
    let note = head(&large, 2000);
    let shown = || {
        let read = usize::try_from(followed.log.store.cursor().unwrap().range.size().0).unwrap();
        let checked = gossip.check(Note::parse(&note).unwrap()).unwrap();
        let proof = Some(proof(&large, read));
        let input = |head: Head, random| Input::Received { head, source: ShownBy::Anyone, proof, random };
        gossip.take(&checked, input, NOW).unwrap().0
    };
    let mut known = None;
    for count in 3..23 {
        followed.follow(&own(count), 10 + count, None);
        gossip.grown(NOW).unwrap();
        assert_eq!(shown(), Became::Contradicts, "{count}");
        let found = (followed.open_findings().len(), followed.kept().len(), followed.log.store.last_event().unwrap());
        assert_eq!(*known.get_or_insert(found), found, "{count}");
        match count {
            3..13 => assert!(followed.log.store.stop().why().is_some()),
            13 => _ = resume(&followed),
            _ => assert_eq!(followed.log.store.stop().why(), None),
        }
    }
    assert_eq!(followed.open_findings()[0].evidence.len(), 2, "the log and its time key");
}

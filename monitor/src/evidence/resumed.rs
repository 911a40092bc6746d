//! After the operator let a log be cosigned despite evidence, what is shown of a further fork is kept, told and heeded.

use std::time::Duration;

use proto::note::Note;

use super::tests::{Followed, NOW, entry, file, head, inconsistent, others, proof, three};
use super::withheld::withheld;
use super::{EvidenceId, NewEvidence, ProvenFile, Reach, Source, Stored};
use crate::finding::{Class, Finding, code};
use crate::gossip::core::{Head, Input, Source as ShownBy};
use crate::gossip::{Became, LogGossip};
use crate::store::{Batch, Findings};

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
    let followed = followed.reopened(); // the operator acts on the files of a monitor that is stopped
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

/// So many entries of the followed history, and behind them others, which `n` makes other ones.
fn parted(at: u64, count: u64, n: u8) -> Vec<Vec<u8>> {
    own(at).into_iter().chain((at..count).map(|at| entry(10 + at, n))).collect()
}

#[test]
fn a_state_of_the_followed_tree_covers_nothing_that_is_shown_beside_it() {
    let followed = Followed::new();
    followed.follow(&own(6), 15, None);
    let known = parted(4, 7, 50);
    assert!(matches!(take_file(&followed, &inconsistent(&own(5), &known)), Stored::New(_)));
    resume(&followed);
    assert!(matches!(take_file(&followed, &inconsistent(&own(6), &known)), Stored::Enough(_)));
    assert_eq!(followed.log.store.stop().why(), None, "it shows the head that the act named");
    // A third history beside the same head of the followed one, and the known one grown: neither was looked at.
    for news in [parted(4, 9, 51), parted(4, 8, 50)] {
        let Stored::New(id) = take_file(&followed, &inconsistent(&own(5), &news)) else { panic!("it is news") };
        assert_eq!(resume(&followed), [id]);
    }
}

#[test]
fn files_that_an_act_covers_take_no_room_of_what_comes_after_it() {
    let followed = Followed::new();
    followed.follow(&own(80), 90, None);
    let known = parted(3, 90, 50);
    let keep = |small: u64, large: &[Vec<u8>]| {
        let file = ProvenFile::check(&inconsistent(&own(small), large)).unwrap();
        let batch = Batch { evidence: vec![NewEvidence::own(file)], ..Batch::default() };
        followed.log.store.commit_evidence(&batch, NOW).unwrap().remove(0)
    };
    assert!(matches!(keep(4, &known), Stored::New(_)));
    resume(&followed);
    let kept = (5..75).filter(|size| matches!(keep(*size, &known), Stored::New(_))).count();
    assert_eq!((kept, followed.log.store.stop().why()), (64, None), "bounded, and they end nothing");
    let Stored::New(id) = keep(4, &parted(3, 91, 51)) else { panic!("another history has room") };
    assert_eq!(followed.log.store.stop().standing(), [id]);
}

/// A finding of two heads under this name, as a round makes it.
fn found(followed: &Followed, name: &str, heads: [&[u8]; 2]) -> Finding {
    let fork = Finding::new(Class::Tamper, code::FORK, "two histories").named(name).with_heads(&heads);
    let mut findings = Findings::begin(vec![fork]);
    let evidence = followed.log.prove(&mut findings, Reach::Kept).unwrap();
    let finding = findings.found()[0].clone();
    followed.log.store.commit_batch(&Batch { findings, evidence, ..Batch::default() }, NOW).unwrap();
    finding
}

#[test]
fn a_third_history_under_the_name_of_a_fork_that_was_resumed_despite_is_proven_and_told() {
    let followed = Followed::new();
    followed.follow(&three(), 12, None);
    let ours = head(&three(), 12);
    // Two heads of one size whose names are the same: a name has a part of a root.
    let first = found(&followed, "3-same", [&ours, &head(&others(1), 12)]);
    assert!(!first.evidence.is_empty() && followed.log.store.stop().why().is_some());
    resume(&followed);
    let again = found(&followed, "3-same", [&ours, &head(&others(1), 12)]);
    assert_eq!((again.id, followed.log.store.stop().why()), (first.id.clone(), None));

    for _ in 0..2 {
        let third = found(&followed, "3-same", [&ours, &head(&others(0), 12)]);
        assert_ne!(third.id, first.id);
        assert_eq!((followed.open_findings().len(), told(&followed)), (2, 2), "once");
        assert_eq!(followed.log.store.stop().standing().len(), 1);
    }
    resume(&followed);
    let open = || followed.open_findings().len();
    found(&followed, "3-same", [&ours, &head(&others(0), 12)]);
    found(&followed, "3-same", [&ours, &head(&others(1), 12)]);
    assert_eq!((open(), followed.log.store.stop().why()), (2, None), "both are known");
    found(&followed, "3-same", [&ours, &head(&others(2), 12)]);
    assert_eq!((open(), followed.log.store.stop().standing().len()), (3, 1));
}

#[test]
fn a_fork_without_a_file_is_covered_by_its_heads_and_not_by_its_name() {
    let followed = withheld();
    followed.log.store.commit_batch(&Batch { read_head: Some(b"none"), ..Batch::default() }, NOW).unwrap();
    let forked = || followed.log.store.unproven_fork().unwrap();
    followed.offer(&head(&others(1)[..2], 11));
    let name = followed.log.store.unproven_forks().unwrap()[0].id.clone();
    followed.log.store.resume_despite_forks(std::slice::from_ref(&name), NOW).unwrap();
    assert_eq!(forked(), None);
    let ours = followed.log.store.newest().unwrap().unwrap();
    let name = name.split_once(':').unwrap().1;
    let covered = found(&followed, name, [&head(&others(1)[..2], 11), &ours]);
    assert_eq!((covered.id.ends_with(name), forked()), (true, None));
    let third = found(&followed, name, [&head(&others(0)[..2], 11), &ours]);
    assert!(!third.id.ends_with(name) && forked().is_some());
    let followed = followed.reopened();
    assert!(followed.log.forked().is_some(), "after a restart as well");
    followed.log.store.resume_despite_forks(&[third.id], NOW).unwrap();
    assert_eq!(followed.log.store.unproven_fork().unwrap(), None);
}

//! A log that shows a newer head and keeps back its entries keeps no proof back.

use std::time::Duration;

use proto::misbehaviour::Kind;
use proto::note::Note;

use super::tests::{Followed, NOW, ORIGIN, entry, head, others, three};
use crate::finding::code;
use crate::follow::Verdict;
use crate::gossip::core::{Input, PeerId};
use crate::gossip::{Act, Became, LogGossip};
use crate::store::Batch;

/// A log whose newest head is larger than what could be read.
pub(crate) fn withheld() -> Followed {
    let followed = Followed::new();
    followed.follow(&three(), 12, None);
    let log = &followed.log;
    // As a round does that finds a larger head, and then no entries.
    let mut more = three();
    more.push(three()[0].clone());
    let (newest, read) = (head(&more, 14), head(&three(), 12));
    let batch = Batch { newest: Some(&newest), read_head: Some(&read), ..Batch::default() };
    log.store.commit_batch(&batch, NOW).unwrap();
    log.look(None).unwrap();
    assert_eq!(log.followed().unwrap(), None, "the entries are not read");
    followed
}

#[test]
fn a_fork_is_proven_by_the_head_before() {
    for (fork, kind) in [(head(&others(1)[..2], 11), Kind::Inconsistent), (head(&others(1), 12), Kind::SameSize)] {
        let followed = withheld();
        assert!(matches!(followed.offer(&fork), Verdict::Contradicts(_)));
        assert_eq!(followed.convicted()[0], (kind, ORIGIN.to_owned()));
        assert!(followed.log.store.stop().why().is_some());
    }
}

#[test]
fn a_fork_that_no_file_shows_yet_is_known_as_the_reason_not_to_cosign() {
    let followed = withheld();
    // The state of a program that did not keep the head before.
    followed.log.store.commit_batch(&Batch { read_head: Some(b"none"), ..Batch::default() }, NOW).unwrap();
    assert_eq!(followed.log.forked(), None);
    followed.offer(&head(&others(1)[..2], 11));
    assert!(followed.open_findings().iter().any(|one| one.code == code::FORK && one.unproven.is_some()));
    assert_eq!(followed.log.store.stop().why(), None);
    assert!(followed.log.forked().is_some());
    assert!(followed.reopened().log.forked().is_some(), "after a restart as well");
}

#[test]
fn a_peer_that_answers_with_a_head_that_is_being_read_has_answered() {
    let followed = Followed::new();
    followed.follow(&three(), 12, None);
    let peer = PeerId(0);
    let names = vec!["peer.example".to_owned()];
    let gossip = LogGossip::open(followed.log.clone(), names, None, Duration::from_secs(60)).unwrap();
    let acts = gossip.grown(NOW).unwrap();
    let pushed = acts.iter().find_map(|act| if let Act::Push { head, .. } = act { Some(*head) } else { None }).unwrap();
    gossip.feed(Input::Unanswered { peer }, NOW).unwrap();
    let newest = head(&[three(), vec![entry(13, 3)]].concat(), 13);
    followed.log.store.commit_batch(&Batch { newest: Some(&newest), ..Batch::default() }, NOW).unwrap();
    let shown = gossip.check(Note::parse(&newest).unwrap()).unwrap();
    let answered = |theirs, random| Input::Answered { peer, pushed, theirs: Some(theirs), random };
    assert_eq!(gossip.take(&shown, answered, NOW).unwrap().0, Became::Waits);
    assert_eq!(gossip.look(|core| core.peer(peer).unwrap().taken()), Some(pushed), "it is not sent again");
}

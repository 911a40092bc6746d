//! After the operator let a log be cosigned despite evidence, what is shown of a further fork is kept, told and heeded.

use super::tests::{Followed, NOW, file};
use super::{EvidenceId, Source, Stored};
use crate::finding::code;

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

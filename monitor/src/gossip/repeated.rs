//! What clients hand in again and again costs one record.

use std::time::Duration;

use proto::note::Note;

use super::core::{Input, Source};
use super::{Became, LogGossip};
use crate::evidence::tests::{Followed, NOW, ORIGIN, entry, head, others, three};
use crate::follow::cosigners;
use crate::store::LogStore;

/// As a report over HTTP does.
fn report(gossip: &LogGossip, note: &[u8]) -> Became {
    let note = Note::parse(note).unwrap();
    let shown = gossip.check(note.clone()).unwrap();
    let input = |head, random| Input::Received { head, source: Source::Anyone, proof: None, random };
    let became = gossip.take(&shown, input, NOW).unwrap().0;
    gossip.log().keep_cosigned(&note, &shown).unwrap();
    became
}

/// The log's own line alone: whoever hands it in cut off the others.
fn untimed(note: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(note.to_vec()).unwrap();
    let is_kept = |line: &&str| !line.starts_with('\u{2014}') || line.starts_with(&format!("\u{2014} {ORIGIN} "));
    text.lines().filter(is_kept).map(|line| format!("{line}\n")).collect::<String>().into_bytes()
}

#[test]
fn a_head_that_is_handed_in_a_thousand_times_is_kept_once() {
    let followed = Followed::new();
    followed.follow(&three(), 12, None);
    let keys = cosigners(&followed.log.config.trust, &[], &[]).unwrap();
    followed.log.keep_cosignatures_of(keys);
    let gossip = LogGossip::open(followed.log.clone(), Vec::new(), None, Duration::from_secs(60)).unwrap();
    gossip.grown(NOW).unwrap();
    // Every byte of the database: a transaction that changes nothing changes some of them, too.
    let database = || std::fs::read(LogStore::path_in(followed.folder.path(), ORIGIN)).unwrap();
    let heads = || followed.log.store.heads_after(None, 100).unwrap().len();
    let known = head(&three()[..2], 11);
    let contradicting = head(&others(1), 12);
    let waiting = head(&[others(0), vec![entry(13, 3)]].concat(), 13);
    for (note, became, kept) in [
        (known.clone(), Became::Known, 1),
        (untimed(&known), Became::Known, 1),
        (contradicting.clone(), Became::Contradicts, 2),
        (untimed(&contradicting), Became::Contradicts, 3),
        (waiting.clone(), Became::Waits, 4),
        (untimed(&waiting), Became::Waits, 5),
    ] {
        assert_eq!(report(&gossip, &note), became);
        let before = database();
        for _ in 0..1000 {
            assert_eq!(report(&gossip, &note), became);
        }
        assert_eq!(heads(), kept, "{became:?}");
        assert!(database() == before, "{became:?}: nothing is written");
    }
    assert_eq!(followed.log.store.waiting().unwrap().len(), 1);
}

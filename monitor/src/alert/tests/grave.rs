//! Two histories behind a flood of something else.

use super::*;
use crate::evidence::EvidenceId;
use crate::finding::code;
use crate::store::Findings;
use proto::hash::Hash;

fn evidence(name: &str) -> EvidenceId {
    EvidenceId(Hash::of(name.as_bytes()))
}

/// A fork that a file proves.
fn fork(name: &str) -> Finding {
    let finding = Finding::new(Class::Tamper, code::FORK, "two trees").named(name).with_heads(&[b"one", b"two"]);
    Finding { evidence: vec![evidence(name)], ..finding }
}

fn tell(source: &MadeUp, finding: Finding) {
    source.add(Class::Tamper, "x.y");
    source.0.lock().unwrap().last_mut().unwrap().what = What::Began(finding);
}

#[test]
fn a_fork_behind_a_flood_goes_out_first_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (source, outbox) = (MadeUp::default(), Outbox::open(folder.path(), "m").unwrap());
    outbox.resume("c", &source).unwrap();
    (0..300).for_each(|_| source.add(Class::Tamper, code::SIGNATURE));
    let summary = next(&source, &outbox, 20).unwrap();
    assert_eq!(summary.alert.kind, Kind::Summary, "and one is under way");
    tell(&source, fork("a"));
    source.add(Class::Tamper, code::SIGNATURE);
    let first = next(&source, &outbox, 0).unwrap();
    assert_eq!((first.alert.kind, first.alert.id.as_str(), first.alone), (Kind::Began, "log#301-301000", true));
    assert_eq!((&first.alert.evidence, first.alert.heads.len()), (&vec![evidence("a")], 2));
    assert_eq!(next(&source, &outbox, 0), Some(first.clone()), "until it is taken");
    done(&source, &outbox, &first);
    drop(outbox);
    let outbox = Outbox::open(folder.path(), "m").unwrap();
    outbox.resume("c", &source).unwrap();
    assert_eq!(next(&source, &outbox, 0), Some(summary.clone()), "once, and what was begun is as it was");
    done(&source, &outbox, &summary);
    let rest = next(&source, &outbox, 20).unwrap();
    assert_eq!(rest.alert.id, "log#302-302000", "the fork is not told again");
    done(&source, &outbox, &rest);
    assert_eq!(next(&source, &outbox, 20), None);
}

#[test]
fn a_summary_has_a_line_for_each_code_the_heaviest_first() {
    let folder = tempfile::tempdir().unwrap();
    let (source, outbox) = (MadeUp::default(), Outbox::open(folder.path(), "m").unwrap());
    for i in 0..200 {
        source.add(Class::Tamper, if i % 2 == 0 { code::SIGNATURE } else { code::SERVED });
    }
    (0..15).for_each(|i| source.add(Class::Tamper, &format!("code.{i}")));
    ["a", "b"].into_iter().for_each(|name| tell(&source, fork(name)));
    let look = Look { channel: "c", filter: &tamper_only(), source: &source, outbox: &outbox, monitor: "m" };
    let Next::Send(parcel) = look.next(20).unwrap() else { panic!("nothing") };
    let summary = parcel.alert.summary.as_ref().unwrap();
    assert!(summary.worst[0].subject.contains("head.fork"), "{:#?}", summary.worst);
    assert_eq!(summary.worst[0].evidence, [evidence("a"), evidence("b")]);
    let of = |code: &str| summary.worst.iter().filter(|line| line.subject.contains(code)).count();
    assert_eq!((of("head.fork"), of("head.signature"), of("log.served"), summary.worst.len()), (1, 1, 1, 10));
    assert_eq!(parcel.alert.evidence.len(), 2);
    assert_eq!(parcel.alert.bare().evidence.len(), 2, "also without its text");
    assert!(parcel.alert.to_text().contains(&format!("evidence {}", evidence("b"))));
}

#[test]
fn a_list_that_flaps_costs_a_channel_three_alerts() {
    let folder = tempfile::tempdir().unwrap();
    let log = Outbox::open(&folder.path().join("log"), "log").unwrap(); // a source like any other
    let outbox = Outbox::open(folder.path(), "m").unwrap();
    let list = Finding::new(Class::Tamper, code::SIGNATURE, "listed").named("list");
    for round in 0..500u64 {
        let mut findings = Findings::begin(if round % 2 == 0 { vec![list.clone()] } else { Vec::new() });
        findings.over(&list.id);
        if round == 400 {
            findings.push(fork("a"));
        }
        log.note(&findings, Millis(round * 1000)).unwrap();
    }
    let look = Look { channel: "c", filter: &tamper_only(), source: &log, outbox: &outbox, monitor: "m" };
    let grave = look.grave().unwrap().unwrap();
    assert_eq!((grave.alert.code.as_deref(), grave.alert.heads.len()), (Some(code::FORK), 2));
    assert_eq!(log.last_event().unwrap(), 4, "it began, ended, began again; and the fork");
}

#[test]
fn a_mark_of_grave_events_counts_in_its_own_state_only() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path(), "m").unwrap();
    let told = |after: u64| {
        let source = MadeUp(Mutex::default(), "one");
        source.add(Class::Tamper, code::SIGNATURE);
        tell(&source, fork("a"));
        source.0.lock().unwrap()[1].at.0 += after;
        outbox.resume("c", &source).unwrap();
        let grave = Look { channel: "c", filter: &tamper_only(), source: &source, outbox: &outbox, monitor: "m" };
        let parcel = grave.grave().unwrap();
        parcel.iter().for_each(|parcel| done(&source, &outbox, parcel));
        parcel.is_some()
    };
    assert_eq!(
        (told(0), told(0), told(7), told(7)),
        (true, false, true, false),
        "a backup in which it was found again"
    );
}

//! The outbox over made-up events: nothing lost, ids that stay, summaries that count.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proto::num::Millis;

use super::config::Filter;
use super::message::{Kind, id_of};
use super::parcel::{Look, Next, Parcel};
use super::*;
use crate::finding::{Class, Finding, Severity, What};

mod grave;
mod refusing;

/// A log whose events a test makes up.
#[derive(Default)]
struct MadeUp(Mutex<Vec<Event>>, &'static str);

impl MadeUp {
    fn add(&self, class: Class, code: &str) {
        let mut events = self.0.lock().unwrap();
        let number = events.len() as u64 + 1;
        let finding = Finding::new(class, code, format!("found {number}")).with_heads(&[b"a head"]);
        let what = if number.is_multiple_of(5) { What::Ended(finding) } else { What::Began(finding) };
        events.push(Event { number, at: Millis(number * 1000), origin: "log".into(), what });
    }
}

impl Source for MadeUp {
    fn name(&self) -> &str {
        "log"
    }

    fn life(&self) -> &str {
        self.1
    }

    fn link(&self, index: u64) -> Option<String> {
        Some(format!("https://log.example/v1/entries/{index}"))
    }

    fn events_after(&self, number: u64, limit: usize) -> Result<Vec<Event>, Error> {
        let events = self.0.lock().unwrap();
        Ok(events.iter().filter(|event| event.number > number).take(limit).cloned().collect())
    }

    fn last_event(&self) -> Result<u64, Error> {
        Ok(self.0.lock().unwrap().len() as u64)
    }

    fn open(&self) -> Result<Vec<Open>, Error> {
        Ok(Vec::new())
    }

    fn state(&self) -> String {
        "made up".to_owned()
    }
}

fn tamper_only() -> Filter {
    Filter::new(vec![Class::Tamper], None, Default::default())
}

fn next(source: &MadeUp, outbox: &Outbox, room: u64) -> Option<Parcel> {
    let look = Look { channel: "c", filter: &tamper_only(), source, outbox, monitor: "m" };
    if let Some(grave) = look.grave().unwrap() {
        return Some(grave);
    }
    match look.next(room).unwrap() {
        Next::Send(parcel) => Some(*parcel),
        Next::Nothing => None,
        Next::Done(through) => {
            outbox.done("c", source, through).unwrap();
            None
        }
    }
}

fn done(source: &MadeUp, outbox: &Outbox, parcel: &Parcel) {
    Look { channel: "c", filter: &tamper_only(), source, outbox, monitor: "m" }.done(parcel).unwrap();
}

#[test]
fn what_a_channel_is_not_told_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let (source, outbox) = (MadeUp::default(), Outbox::open(folder.path(), "m").unwrap());
    (0..3).for_each(|_| source.add(Class::Outage, "log.unreachable"));
    assert_eq!(next(&source, &outbox, 9), None);
    assert_eq!(outbox.cursor("c", "log").unwrap().number, 3, "it is not looked at again");
    source.add(Class::Tamper, "log.served");
    let parcel = next(&source, &outbox, 9).unwrap();
    assert_eq!((parcel.through.number, parcel.alert.id.as_str()), (4, "log#4-4000"));
    assert_eq!(next(&source, &outbox, 0), None, "there is no room now");
    assert_eq!(next(&source, &outbox, 9), Some(parcel), "and nothing is lost for that");
}

#[test]
fn a_state_that_was_begun_anew_or_brought_back_is_told_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path(), "m").unwrap();
    let found = |life, codes: &[&str], after: u64| {
        let source = MadeUp(Mutex::default(), life);
        codes.iter().for_each(|code| source.add(Class::Tamper, code));
        source.0.lock().unwrap().iter_mut().skip(1).for_each(|event| event.at.0 += after);
        outbox.resume("c", &source).unwrap();
        source
    };
    let take_all = |source: &MadeUp| {
        let mut ids = Vec::new();
        while let Some(parcel) = next(source, &outbox, 9) {
            done(source, &outbox, &parcel);
            ids.push(parcel.alert.id);
        }
        ids
    };
    let one = ["a.b", "a.c", "a.d"];
    assert_eq!(take_all(&found("one", &one, 0)).len(), 3);
    assert_eq!(take_all(&found("one", &one, 0)).len(), 0, "nothing is told twice");
    let begun_anew = ["a.x", "a.y", "a.z", "head.fork"];
    let told = take_all(&found("two", &begun_anew, 0));
    assert_eq!(told.len(), 4, "all of another state, though its numbers were done with: {told:?}");
    assert_eq!(take_all(&found("two", &begun_anew[..2], 0)).len(), 2, "fewer events than were told: a backup");
    assert_eq!(take_all(&found("two", &begun_anew, 7)).len(), 4, "a backup in which as much was found again since");
    // A summary that was begun over events that are not there any more is not waited for.
    outbox.plan("c", "log", 4).unwrap();
    let brought_back = found("two", &begun_anew[..2], 7);
    assert_eq!(outbox.planned("c", "log").unwrap(), None);
    assert_eq!(take_all(&brought_back).len(), 2);
}

#[test]
fn a_summary_counts_all_and_stays_as_it_was_begun() {
    let folder = tempfile::tempdir().unwrap();
    let (source, outbox) = (MadeUp::default(), Outbox::open(folder.path(), "m").unwrap());
    for i in 0..250 {
        source.add(if i % 2 == 0 { Class::Tamper } else { Class::Degraded }, &format!("code.{}", i % 150));
    }
    let parcel = next(&source, &outbox, 20).unwrap();
    let summary = parcel.alert.summary.clone().unwrap();
    assert_eq!((parcel.alert.kind, summary.events, parcel.through.number), (Kind::Summary, 125, 250));
    let counted: u64 = summary.counts.iter().map(|count| count.count).sum();
    assert_eq!(counted + summary.others, 125);
    assert!(summary.others > 0 && summary.worst.len() == 10, "{summary:?}");
    assert!(summary.worst.iter().all(|line| line.severity == Severity::Alarm));
    source.add(Class::Tamper, "log.served");
    drop(outbox);
    let outbox = Outbox::open(folder.path(), "m").unwrap();
    assert_eq!(next(&source, &outbox, 20), Some(parcel.clone()), "the same after a crash, though there is more");
    outbox.done("c", &source, parcel.through).unwrap();
    assert_eq!(next(&source, &outbox, 20).unwrap().alert.id, "log#251-251000");
}

#[test]
fn an_alert_says_how_long_it_waited_and_keeps_its_id() {
    let source = MadeUp::default();
    source.add(Class::Tamper, "head.fork");
    let event = source.0.lock().unwrap()[0].clone();
    let alert = Alert::of(&event, &tamper_only(), &source, "m");
    let late = alert.clone().sent_at(event.at, Millis(event.at.0 + 3_600_000));
    assert_eq!((alert.queued_seconds, late.queued_seconds), (None, Some(3600)));
    assert_eq!((late.id.clone(), late.token()), (id_of(&event), alert.token()));
    let other = Alert::of(&event, &tamper_only(), &source, "another monitor");
    assert_ne!(other.token(), alert.token(), "receivers of several monitors tell them apart");
    assert!(late.to_text().contains("3600 s before") && late.to_json().contains("\"queued_seconds\":3600"));
    assert!(!alert.to_json().contains("queued_seconds") && alert.to_json().contains("\"heads\":[\"a head\"]"));
}

#[test]
fn heads_that_are_too_large_are_counted_and_left_out() {
    let large = vec![b'x'; 100 * 1024];
    let finding = Finding::new(Class::Tamper, "head.fork", "two").with_heads(&[&large, &large]);
    let event = Event { number: 1, at: Millis(1), origin: "log".into(), what: What::Began(finding) };
    let alert = Alert::of(&event, &tamper_only(), &MadeUp::default(), "m");
    assert_eq!((alert.heads.len(), alert.heads_left_out), (1, Some(1)));
}

#[test]
fn what_others_wrote_forges_no_line_and_no_character() {
    let evil = "x\nseverity  info\nlink      https://evil.example/\u{202e}\u{1b}[2J";
    let finding = Finding::new(Class::Tamper, "head.fork", evil)
        .with_heads(&[b"log\n1\nroot\n\nlink      https://evil.example/\n"]);
    let event = |what| Event { number: 1, at: Millis(1), origin: "log".into(), what };
    let about = Alert::of(&event(What::Began(finding)), &tamper_only(), &MadeUp::default(), "m");
    let found = crate::watch::Match {
        watches: vec![crate::watch::Hit { watch: "w".into(), on: vec![crate::watch::On::new("model", evil)] }],
        severity: Severity::Info,
        id: "i".into(),
        index: proto::num::LeafIndex(1),
        time: Millis(1),
        claim_type: evil.into(),
        rel: "new".into(),
        issuer: "i".into(),
        role: "r".into(),
        manufacturer: Some(evil.into()),
        model: Some(evil.into()),
        before: None,
        changed: Vec::new(),
        changed_left_out: 0,
        findings: Vec::new(),
    };
    let matched = Alert::of(&event(What::Matched(Box::new(found))), &tamper_only(), &MadeUp::default(), "m");
    for alert in [about, matched] {
        let text = format!("{}\n{}", alert.subject, alert.to_text());
        assert!(!text.lines().any(|line| line.starts_with("link      https://evil")), "{text}");
        assert!(!text.lines().any(|line| line == "severity  info" && alert.severity != Severity::Info), "{text}");
        assert!(!text.chars().any(|c| client::plain::is_obeyed(c) && c != '\n'), "{text}");
    }
}

#[test]
fn an_alert_names_its_evidence_or_why_there_is_none() {
    let id = crate::evidence::EvidenceId(proto::hash::Hash::of(b"file"));
    let of = |evidence, unproven: Option<&str>| {
        let finding =
            Finding { evidence, unproven: unproven.map(Into::into), ..Finding::new(Class::Tamper, "head.fork", "two") };
        let event = Event { number: 1, at: Millis(1), origin: "log".into(), what: What::Proven(finding) };
        Alert::of(&event, &tamper_only(), &MadeUp::default(), "m")
    };
    let proven = of(vec![id], None);
    let json: serde_json::Value = serde_json::from_str(&proven.to_json()).unwrap();
    assert_eq!((&json["evidence"][0], &json["kind"]), (&id.to_string().into(), &"proven".into()));
    assert!(proven.to_text().contains(&format!("evidence export {id}")) && proven.subject.starts_with("proven: "));
    assert!(of(vec![], Some("it is not signed")).to_text().contains("none: it is not signed"));
    assert_eq!(proven.bare().evidence, [id]);
}

#[test]
fn the_public_hears_neither_of_own_faults_nor_of_watches() {
    let own = Finding::new(Class::Degraded, "monitor.failed", "/secret/place is full");
    let event = Event { number: 1, at: Millis(1), origin: "log".into(), what: What::Began(own) };
    let feed = Filter::new(Class::ALL.to_vec(), Some(Vec::new()), Default::default()).for_public();
    let told = |filter| Alert::of(&event, filter, &MadeUp::default(), "m").to_json();
    assert!(!told(&feed).contains("secret") && told(&tamper_only()).contains("secret"));
}

#[test]
fn a_channel_that_waits_for_claims_is_told_that_none_will_match() {
    let watch: crate::watch::config::WatchConfig =
        serde_json::from_value(serde_json::json!({ "name": "w", "log": "log", "model": "CAM" })).unwrap();
    let list = Arc::new(crate::watch::WatchList::new(crate::watch::config::watches(&[watch]).unwrap()));
    let broken = Finding::new(Class::Claim, "key.unknown", "no").named(7).at(Some(proto::num::LeafIndex(7)));
    let wants = |filter: Filter, origin: &str, finding: &Finding| {
        filter.wants(&Event { number: 1, at: Millis(1), origin: origin.into(), what: What::Began(finding.clone()) })
    };
    let of =
        |names: Option<&str>| Filter::new(vec![Class::Tamper], names.map(|name| vec![name.to_owned()]), list.clone());
    assert!(wants(of(Some("w")), "log", &broken) && wants(of(None), "log", &broken));
    assert!(!wants(of(Some("other")), "log", &broken) && !wants(of(None), "other", &broken));
    assert!(wants(of(None), "log", &Finding::new(Class::Degraded, "rules.unknown", "too new")));
    assert!(!wants(of(None), "log", &Finding::new(Class::Degraded, "head.old", "old")));
}

/// What happens to a channel.
#[derive(Debug, Clone)]
enum Step {
    Found(Class),
    /// What goes out before the rest.
    Grave,
    /// The receiver takes what is next, when so many may be sent one by one.
    Takes(u64),
    /// It takes it, and the monitor ends before it has noted that.
    TakesUnseen(u64),
    /// It does not answer.
    Fails(u64),
    Restarts,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let class = prop_oneof![Just(Class::Tamper), Just(Class::Degraded)];
    let step = prop_oneof![
        6 => class.prop_map(Step::Found),
        1 => Just(Step::Grave),
        3 => (0u64..4).prop_map(Step::Takes),
        1 => (0u64..4).prop_map(Step::TakesUnseen),
        2 => (0u64..4).prop_map(Step::Fails),
        1 => Just(Step::Restarts),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever fails and ends when, every event that the channel is to be told reaches it, at least once, and one id always
    /// says the same.
    #[test]
    fn none_is_lost(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let source = MadeUp::default();
        let mut outbox = Outbox::open(folder.path(), "m").unwrap();
        let mut seen: std::collections::BTreeMap<String, String> = Default::default();
        let mut told = std::collections::BTreeSet::new();
        let mut take = |outbox: &Outbox, parcel: &Parcel| -> Result<(), TestCaseError> {
            let (before, to) = (outbox.cursor("c", "log").unwrap().number, parcel.through.number);
            told.extend(if parcel.alone { to } else { before + 1 }..=to);
            let json = parcel.alert.to_json();
            let was = seen.entry(parcel.alert.id.clone()).or_insert_with(|| json.clone());
            prop_assert_eq!(&*was, &json, "one id says one thing");
            Ok(())
        };
        for step in steps {
            match step {
                Step::Found(class) => source.add(class, "code.x"),
                Step::Grave => source.add(Class::Tamper, "head.fork"),
                Step::Takes(room) => {
                    if let Some(parcel) = next(&source, &outbox, room) {
                        take(&outbox, &parcel)?;
                        done(&source, &outbox, &parcel);
                    }
                }
                Step::TakesUnseen(room) => {
                    if let Some(parcel) = next(&source, &outbox, room) {
                        take(&outbox, &parcel)?;
                    }
                }
                Step::Fails(room) => _ = next(&source, &outbox, room),
                Step::Restarts => {
                    drop(outbox);
                    outbox = Outbox::open(folder.path(), "m").unwrap();
                }
            }
        }
        while let Some(parcel) = next(&source, &outbox, 2) {
            take(&outbox, &parcel)?;
            done(&source, &outbox, &parcel);
        }
        let events = source.0.lock().unwrap();
        let wanted = events.iter().filter(|event| tamper_only().wants(event)).map(|event| event.number);
        for number in wanted {
            prop_assert!(told.contains(&number), "event {} was never told", number);
        }
    }
}

//! Heads that are late, early, forged or without their entries.

use claimtrail_log::testing::{ORIGIN, key};
use monitor::finding::Class;
use proto::checkpoint::CheckpointText;
use proto::misbehaviour::Kind;
use proto::note::{KeyName, NoteSigner};
use proto::num::{Millis, Seconds};

use super::animal::{Animal, Audit, Life};
use super::script::{Published, Script};
use super::show::{Odd, Show};

/// A test key that no trust file of the zoo names.
const STRANGER: u8 = 99;
/// A head that is older than this is not fresh for a monitor, and one that is so far ahead not of this time.
const AN_HOUR_MS: u64 = 3_600_000;

pub(super) const ALL: &[Animal] = &[
    Animal {
        name: "frozen head",
        does: "shows a head of an hour ago",
        class: Class::Degraded,
        code: "head.old",
        proven: &[],
        ends: true,
        audit: Audit::Clean,
        life: frozen,
    },
    Animal {
        name: "head of tomorrow",
        does: "signs a head an hour ahead of time",
        class: Class::Degraded,
        code: "head.ahead",
        proven: &[],
        ends: true,
        audit: Audit::Clean,
        life: ahead,
    },
    Animal {
        name: "bit in a head",
        does: "shows a head with one bit of its size flipped",
        class: Class::Tamper,
        code: "head.signature",
        proven: &[],
        ends: true,
        audit: Audit::Says(1, "signature"),
        life: bit,
    },
    Animal {
        name: "head by a stranger",
        does: "shows a larger head that another key signed",
        class: Class::Tamper,
        code: "head.signature",
        proven: &[],
        ends: true,
        audit: Audit::Says(1, "sign"),
        life: stranger,
    },
    Animal {
        name: "head before its entries",
        does: "signs a head whose entries it does not serve yet",
        class: Class::Outage,
        code: "log.unreachable",
        proven: &[],
        ends: true,
        audit: Audit::Says(69, "does not have it"),
        life: before_entries,
    },
    Animal {
        name: "withheld entries",
        does: "serves head and tiles, but not the entries",
        class: Class::Outage,
        code: "log.unreachable",
        proven: &[],
        ends: true,
        audit: Audit::Says(69, "does not have it"),
        life: withheld,
    },
    Animal {
        name: "head older than its entry",
        does: "signs a head with a time before that of its last entry",
        class: Class::Tamper,
        code: "head.time",
        proven: &[Kind::HeadTime],
        ends: false,
        audit: Audit::Says(1, "head.time"),
        life: early,
    },
    Animal {
        name: "list with a forged head",
        does: "lists a head that its key did not sign",
        class: Class::Tamper,
        code: "head.signature",
        proven: &[],
        ends: true,
        audit: Audit::Says(1, "head.malformed"),
        life: forged_list,
    },
    Animal {
        name: "list with a wrong time",
        does: "lists a head under another time than the one it signed",
        class: Class::Tamper,
        code: "head.time",
        proven: &[],
        ends: false,
        audit: Audit::Says(1, "head.time"),
        life: wrong_list,
    },
    Animal {
        name: "list in no order",
        does: "lists heads so that nobody can read on from where they were",
        class: Class::Outage,
        code: "log.unreachable",
        proven: &[],
        ends: true,
        audit: Audit::Says(69, "not in the order"),
        life: unordered_list,
    },
    Animal {
        name: "list without end",
        does: "lists heads, page after page, for ever",
        class: Class::Degraded,
        code: "log.list",
        proven: &[],
        ends: false,
        audit: Audit::NotAsked,
        life: endless_list,
    },
    Animal {
        name: "list that flaps",
        does: "answers with its list of heads at one look, and with a page of HTML at the next",
        class: Class::Outage,
        code: "log.unreachable",
        proven: &[],
        ends: true,
        audit: Audit::Clean,
        life: flapping_list,
    },
];

/// A log that grew since it was looked at first.
fn grown(now: Millis) -> (Show, Script) {
    let mut script = Script::begun(now);
    let before = Show::of(&script);
    script.pass(10);
    script.promise("CAM-2");
    script.publish();
    (before, script)
}

fn frozen(now: Millis) -> Life {
    let mut old = Script::begun(Millis(now.0 - AN_HOUR_MS));
    let odd = Show::of(&old);
    old.now = Millis(now.0 - 1000);
    old.publish();
    Life::new(odd, Show::of(&old))
}

fn ahead(now: Millis) -> Life {
    let (before, script) = grown(now);
    let honest = Show::of(&script);
    let later = Seconds(now.seconds().0 + AN_HOUR_MS / 1000);
    let odd = honest.clone().with_checkpoint(script.head(script.size(), later).note);
    Life::after(before, odd, honest)
}

fn bit(now: Millis) -> Life {
    let (before, script) = grown(now);
    let honest = Show::of(&script);
    let mut note = script.heads[1].note.clone().into_bytes();
    note[ORIGIN.len() + 1] ^= 1;
    Life::after(before, honest.clone().with_checkpoint(note), honest)
}

fn by_stranger(script: &Script) -> Published {
    let stranger = NoteSigner::new(KeyName::parse(ORIGIN).expect("a name"), key(STRANGER));
    let text = CheckpointText::new(ORIGIN, script.size(), script.root(script.size())).expect("a head");
    let note = text.sign(&[&stranger], &[]).expect("a test key signs");
    Published { note, ..script.head(script.size(), script.now.seconds()) }
}

fn stranger(now: Millis) -> Life {
    let (before, script) = grown(now);
    let honest = Show::of(&script);
    Life::after(before, honest.clone().with_checkpoint(by_stranger(&script).note), honest)
}

fn before_entries(now: Millis) -> Life {
    let (before, script) = grown(now);
    let honest = Show::of(&script);
    Life::after(before.clone(), before.with_checkpoint(script.heads[1].note.clone()), honest)
}

fn withheld(now: Millis) -> Life {
    let (before, script) = grown(now);
    let honest = Show::of(&script);
    let gone = Odd::Instead(404, "text/plain", b"gone".to_vec());
    Life::after(before, honest.clone().with_odd("/tile/entries/", gone), honest)
}

fn early(now: Millis) -> Life {
    let (before, script) = grown(now);
    let honest = Show::of(&script);
    let early = Seconds(script.decoded(3).timestamp.seconds().0 - 1);
    let head = script.head(script.size(), early);
    Life::after(before, honest.clone().with_checkpoint(head.note).with_list(Vec::new()), honest)
}

fn forged_list(now: Millis) -> Life {
    let (before, script) = grown(now);
    let honest = Show::of(&script);
    Life::after(before, honest.clone().with_listed(by_stranger(&script)), honest)
}

fn wrong_list(now: Millis) -> Life {
    let (before, script) = grown(now);
    let honest = Show::of(&script);
    let mut wrong = script.head(script.size(), script.now.seconds());
    wrong.time.0 += 1;
    Life::after(before, honest.clone().with_listed(wrong), honest)
}

fn endless_list(now: Millis) -> Life {
    let (before, script) = grown(now);
    let honest = Show::of(&script);
    Life::after(before, honest.clone().with_odd("/v1/heads", Odd::EndlessList), honest)
}

fn flapping_list(now: Millis) -> Life {
    let (before, script) = grown(now);
    let honest = Show::of(&script);
    Life::after(before, honest.clone().with_odd("/v1/heads", Odd::EveryOther), honest)
}

fn unordered_list(now: Millis) -> Life {
    let (before, mut script) = grown(now);
    script.pass(5);
    script.publish();
    let honest = Show::of(&script);
    let mut list = script.heads.clone();
    list.reverse();
    Life::after(before, honest.clone().with_list(list), honest)
}

//! Entries that the rules of the log do not allow, and entries that are not those of the signed tree.

use claimtrail_log::testing::{constitution_claim, enrolment, number, sign, support, support_claim};
use monitor::finding::Class;
use proto::dsse::Envelope;
use proto::entry::{Entry, Links};
use proto::hash::Hash;
use proto::misbehaviour::Kind;
use proto::num::{LeafIndex, Millis};
use serde_json::json;

use super::animal::{Animal, Audit, Life};
use super::script::Script;
use super::show::{Odd, Show};

/// Test keys of an issuer that the zoo's logs know besides Acme, and of one that they do not know.
const GLOBEX: [u8; 2] = [20, 21];
const NOBODY: u8 = 90;

/// An entry that should not be there is signed for and never ends.
const fn entry(
    name: &'static str,
    does: &'static str,
    class: Class,
    code: &'static str,
    proven: &'static [Kind],
    life: fn(Millis) -> Life,
) -> Animal {
    Animal { name, does, class, code, proven, ends: false, audit: Audit::Says(1, code), life }
}

/// What is served is not what was signed.
const fn served(name: &'static str, does: &'static str, ends: bool, life: fn(Millis) -> Life) -> Animal {
    let (class, code, audit) = (Class::Tamper, "log.served", Audit::Says(1, "signed"));
    Animal { name, does, class, code, proven: &[], ends, audit, life }
}

use Class::{Claim, Tamper};

pub(super) const ALL: &[Animal] = &[
    entry(
        "backdated entry",
        "stamps a new entry with a time before a head that was signed without it",
        Tamper,
        "head.time",
        &[Kind::HeadTime],
        backdated,
    ),
    entry(
        "postdated entry",
        "stamps an entry an hour after the head that contains it",
        Tamper,
        "head.time",
        &[Kind::HeadTime],
        postdated,
    ),
    entry(
        "time goes back",
        "stamps an entry before its predecessor",
        Tamper,
        "entry.time",
        &[Kind::TimeBack],
        time_back,
    ),
    entry(
        "duplicate claim",
        "takes a claim that it has already",
        Tamper,
        "entry.duplicate",
        &[Kind::DuplicateClaim],
        duplicate,
    ),
    entry(
        "wrong link",
        "links an entry to no registry entry of its issuer",
        Tamper,
        "entry.link",
        &[Kind::WrongLink],
        wrong_link,
    ),
    entry("malformed entry", "puts bytes into the tree that are no entry", Tamper, "entry.malformed", &[], malformed),
    entry(
        "entry after the end",
        "takes a claim after its freeze",
        Tamper,
        "mode.frozen",
        &[Kind::AfterFreeze],
        after_freeze,
    ),
    entry(
        "false anchor",
        "takes a claim that is anchored to a head it never signed",
        Tamper,
        "anchor.fork",
        &[],
        false_anchor,
    ),
    entry(
        "unenrolled key",
        "takes a claim signed by a key that nobody enrolled",
        Claim,
        "key.unknown",
        &[Kind::BrokenRule],
        unenrolled,
    ),
    entry(
        "bad signature",
        "takes a claim whose signature is another claim's",
        Claim,
        "signature.invalid",
        &[Kind::BrokenRule],
        bad_signature,
    ),
    entry(
        "claim by another",
        "takes a claim of Acme that Globex signed",
        Claim,
        "right.other_issuer",
        &[Kind::BrokenRule],
        by_another,
    ),
    entry(
        "key without possession",
        "enrols a key that did not sign its enrolment",
        Claim,
        "key.no_possession",
        &[Kind::BrokenRule],
        no_possession,
    ),
    Animal {
        name: "rules of tomorrow",
        does: "applies rules that this program does not know: no misbehaviour, but nobody can check it",
        class: Class::Degraded,
        code: "rules.unknown",
        proven: &[],
        ends: false,
        audit: Audit::Says(3, "update"),
        life: tomorrow,
    },
    served("bit in an entry", "serves an entry with one bit flipped", true, bit_in_entry),
    served("bit in a tile", "serves a tile with one bit flipped", true, bit_in_tile),
    served("bit in a leaf hash", "signs a tree in which one bit of a leaf hash flipped in memory", false, bit_in_leaf),
    served(
        "another entry served",
        "serves another entry at an index than the one in its signed tree",
        true,
        another_served,
    ),
];

/// Links of a claim of Acme in a slot of its own: the constitution, and Acme's enrolment.
const ACMES: Links = Links { constitution: Some(LeafIndex(0)), registry: Some(LeafIndex(1)), previous: None };

/// A log that was looked at, and then has one entry more: the odd one as `make` makes it, or an honest one.
fn with_entry(now: Millis, make: impl FnOnce(&Script) -> Vec<u8>) -> Life {
    let mut odd = Script::begun(now);
    let before = Show::of(&odd);
    let mut honest = odd.clone();
    honest.promise("CAM-2");
    honest.publish();
    odd.pass(1);
    let entry = make(&odd);
    odd.force(entry);
    odd.publish();
    Life::after(before, Show::of(&odd), Show::of(&honest))
}

fn encoded(entry: &Entry) -> Vec<u8> {
    entry.encode().expect("an entry by its form")
}

fn with_claim(now: Millis, envelope: Envelope, links: Links) -> Life {
    with_entry(now, |script| encoded(&script.entry(envelope, links)))
}

/// Ten seconds pass before the head that is seen, so that a time between is free.
fn with_time(now: Millis, time: impl FnOnce(&Script) -> Millis) -> Life {
    let mut odd = Script::begun(now);
    odd.pass(10);
    odd.publish();
    let before = Show::of(&odd);
    let mut honest = odd.clone();
    honest.promise("CAM-2");
    honest.publish();
    odd.pass(1);
    let stamped = Entry { timestamp: time(&odd), ..odd.entry(support("CAM-2", "2031-03"), ACMES) };
    odd.force(encoded(&stamped));
    odd.publish();
    Life::after(before, Show::of(&odd), Show::of(&honest))
}

/// It hides the head that the entry contradicts: whoever saw it must have kept it.
fn backdated(now: Millis) -> Life {
    let life = with_time(now, |script| Millis(script.now.0 - 5_000));
    Life { odd: life.odd.with_list(Vec::new()), ..life }
}

fn postdated(now: Millis) -> Life {
    with_time(now, |script| Millis(script.now.0 + 3_600_000))
}

/// It shows no head without the entry, which would contradict it as well.
fn time_back(now: Millis) -> Life {
    let mut odd = Script::begun(now);
    odd.heads.clear();
    let mut honest = odd.clone();
    honest.promise("CAM-2");
    honest.publish();
    let before = odd.decoded(2).timestamp;
    let entry = Entry { timestamp: Millis(before.0 - 500), ..odd.entry(support("CAM-2", "2031-03"), ACMES) };
    odd.force(encoded(&entry));
    odd.publish();
    Life::new(Show::of(&odd), Show::of(&honest))
}

fn duplicate(now: Millis) -> Life {
    let links = Links { previous: Some(LeafIndex(2)), ..ACMES };
    with_claim(now, support("CAM-1", "2031-03"), links)
}

fn wrong_link(now: Millis) -> Life {
    with_claim(now, support("CAM-2", "2031-03"), Links { registry: None, ..ACMES })
}

fn malformed(now: Millis) -> Life {
    with_entry(now, |_| b"no entry".to_vec())
}

fn after_freeze(now: Millis) -> Life {
    let mut odd = Script::begun(now);
    let mut freeze = constitution_claim();
    freeze["asserted_at"] = json!("2027-02-02T12:00:00Z");
    freeze["body"]["freeze"] = json!({ "successor": null });
    odd.take(sign(&freeze, &[number::OPERATOR]));
    odd.publish();
    let honest = Show::of(&odd);
    odd.pass(1);
    let links = Links { constitution: Some(LeafIndex(3)), ..ACMES };
    odd.force(encoded(&odd.entry(support("CAM-2", "2031-03"), links)));
    odd.publish();
    Life::after(honest.clone(), Show::of(&odd), honest)
}

fn false_anchor(now: Millis) -> Life {
    let mut claim = support_claim("CAM-2", "2031-03");
    claim["logs"][0]["size"] = json!(2);
    claim["logs"][0]["root"] = json!(Hash::of(b"another tree").to_base64());
    with_claim(now, sign(&claim, &[number::ACME_SIGN]), ACMES)
}

fn unenrolled(now: Millis) -> Life {
    with_claim(now, sign(&support_claim("CAM-2", "2031-03"), &[NOBODY]), ACMES)
}

fn bad_signature(now: Millis) -> Life {
    let signatures = support("CAM-3", "2031-03").signatures;
    with_claim(now, Envelope { signatures, ..support("CAM-2", "2031-03") }, ACMES)
}

fn by_another(now: Millis) -> Life {
    let mut odd = Script::begun(now);
    odd.take(enrolment("globex.example", "manufacturer", GLOBEX[0], GLOBEX[1]));
    odd.publish();
    let before = Show::of(&odd);
    let mut honest = odd.clone();
    honest.promise("CAM-2");
    honest.publish();
    odd.pass(1);
    odd.force(encoded(&odd.entry(sign(&support_claim("CAM-2", "2031-03"), &[GLOBEX[1]]), ACMES)));
    odd.publish();
    Life::after(before, Show::of(&odd), Show::of(&honest))
}

fn no_possession(now: Millis) -> Life {
    let mut envelope = enrolment("globex.example", "manufacturer", GLOBEX[0], GLOBEX[1]);
    let silent = claimtrail_log::testing::key(GLOBEX[1]).public().id();
    envelope.signatures.retain(|by| by.key_id != silent);
    with_claim(now, envelope, Links { registry: None, ..ACMES })
}

fn tomorrow(now: Millis) -> Life {
    let founded = |version: u32| {
        let mut script = Script::empty(now);
        let mut claim = constitution_claim();
        claim["body"]["rules_version"] = json!(version);
        let envelope = sign(&claim, &[number::OPERATOR, number::REGISTRAR]);
        script.pass(1);
        script.force(encoded(&script.entry(envelope, Links::default())));
        script.publish();
        Show::of(&script)
    };
    Life::new(founded(proto::fold::RULES_VERSION + 1), founded(proto::fold::RULES_VERSION))
}

/// A log that is looked at for the first time, with an odd answer and without.
fn answered(now: Millis, path: &'static str, odd: Odd) -> Life {
    let honest = Show::of(&Script::begun(now));
    Life::new(honest.clone().with_odd(path, odd), honest)
}

fn bit_in_entry(now: Millis) -> Life {
    answered(now, "/tile/entries/", Odd::Flipped(1))
}

fn bit_in_tile(now: Millis) -> Life {
    answered(now, "/tile/0/", Odd::Flipped(1))
}

fn bit_in_leaf(now: Millis) -> Life {
    let mut odd = Script::begun(now);
    let (before, mut honest) = (Show::of(&odd), odd.clone());
    honest.promise("CAM-2");
    let entry = honest.entries[3].clone();
    honest.publish();
    let mut leaf = Hash::leaf(&entry);
    leaf.0[0] ^= 1;
    odd.pass(1);
    odd.force_leaf(leaf, entry);
    odd.publish();
    Life::after(before, Show::of(&odd), Show::of(&honest))
}

fn another_served(now: Millis) -> Life {
    let script = Script::begun(now);
    let mut entries = script.entries.clone();
    entries[2] = encoded(&Entry { timestamp: Millis(script.now.0 - 1), ..script.decoded(2) });
    let bundle = proto::tile::encode_bundle(&entries).expect("a bundle");
    answered(now, "/tile/entries/", Odd::Instead(200, "application/octet-stream", bundle))
}

//! Entries about other claims that the rules of the log do not allow.

use claimtrail_log::testing::{enrolment, number, sign, support, support_claim};
use monitor::finding::Class;
use proto::claim::ClaimId;
use proto::dsse::Envelope;
use proto::entry::Links;
use proto::misbehaviour::Kind;
use proto::num::{LeafIndex, Millis};
use serde_json::{Value, json};

use super::animal::{Animal, Audit, Life};
use super::script::Script;
use super::show::Show;

/// Test keys of a researcher beside the manufacturer Acme.
const INITECH: [u8; 2] = [30, 31];

/// A claim that the log should have refused; it is signed for and never ends.
const fn taken(name: &'static str, does: &'static str, code: &'static str, life: fn(Millis) -> Life) -> Animal {
    let (class, proven, audit): (_, &[Kind], _) = (Class::Claim, &[Kind::BrokenRule], Audit::Says(1, code));
    Animal { name, does, class, code, proven, ends: false, audit, life }
}

pub(super) const ALL: &[Animal] = &[
    taken(
        "superseded by another",
        "takes a researcher's claim that supersedes Acme's promise",
        "right.target",
        superseded_by_another,
    ),
    taken(
        "withdrawn by another",
        "takes a researcher's withdrawal of Acme's promise",
        "right.target",
        withdrawn_by_another,
    ),
    taken(
        "withdrawn and superseded",
        "takes a claim that supersedes one that was withdrawn long before",
        "target.withdrawn",
        withdrawn_and_superseded,
    ),
    taken("withdrawn twice", "takes a second withdrawal of a claim", "target.withdrawn", withdrawn_twice),
];

/// Acme's promise for CAM-1, which is entry 2 of every script.
fn promise() -> ClaimId {
    let promise = support("CAM-1", "2031-03");
    ClaimId::of(&promise.payload_type, &promise.payload)
}

/// A claim about that promise.
fn about(kind: &str, mut claim: Value) -> Value {
    claim["rel"] = json!({ "kind": kind, "target": { "id": promise().to_string() }, "reason": "a test" });
    if kind == "withdraw" {
        claim["body"] = json!({});
    }
    claim
}

/// The same by the researcher.
fn by_researcher(kind: &str) -> Envelope {
    let mut claim = about(kind, support_claim("CAM-1", "2020-01"));
    (claim["issuer"], claim["role"]) = ("initech.example".into(), "researcher".into());
    sign(&claim, &[INITECH[1]])
}

fn by_acme(kind: &str, until: &str) -> Envelope {
    sign(&about(kind, support_claim("CAM-1", until)), &[number::ACME_SIGN])
}

/// A log that has what it should, and then takes a claim that it should not; its twin takes a promise for another model.
fn then(mut odd: Script, envelope: Envelope, registry: u64, previous: u64) -> Life {
    odd.publish();
    let (before, mut honest) = (Show::of(&odd), odd.clone());
    honest.promise("CAM-9");
    honest.publish();
    odd.pass(1);
    let links = Links {
        constitution: Some(LeafIndex(0)),
        registry: Some(LeafIndex(registry)),
        previous: Some(LeafIndex(previous)),
    };
    let entry = odd.entry(envelope, links).encode().expect("an entry by its form");
    odd.force(entry);
    odd.publish();
    Life::after(before, Show::of(&odd), Show::of(&honest))
}

fn with_researcher(now: Millis) -> Script {
    let mut script = Script::begun(now);
    script.take(enrolment("initech.example", "researcher", INITECH[0], INITECH[1]));
    script
}

fn superseded_by_another(now: Millis) -> Life {
    then(with_researcher(now), by_researcher("supersede"), 3, 2)
}

fn withdrawn_by_another(now: Millis) -> Life {
    then(with_researcher(now), by_researcher("withdraw"), 3, 2)
}

/// Acme's promise withdrawn as it may, with other promises before and after.
fn withdrawn(now: Millis) -> Script {
    let mut script = Script::begun(now);
    script.promise("CAM-2");
    script.take(by_acme("withdraw", "2031-03"));
    script.promise("CAM-3");
    script
}

fn withdrawn_and_superseded(now: Millis) -> Life {
    then(withdrawn(now), by_acme("supersede", "2034-01"), 1, 4)
}

fn withdrawn_twice(now: Millis) -> Life {
    let mut again = about("withdraw", support_claim("CAM-1", "2031-03"));
    again["rel"]["note"] = "again".into();
    then(withdrawn(now), sign(&again, &[number::ACME_SIGN]), 1, 4)
}

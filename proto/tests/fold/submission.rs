//! What comes before the right to speak: form, signatures, address, time, twins.

use proptest::prelude::*;
use proto::code::{Code, Refused};
use proto::dsse::Envelope;
use proto::ed25519::Signature;
use proto::entry::{Entry, Links};
use proto::fold::{self, Stop, Submission, check_signatures, decide, step};
use proto::num::{LeafIndex, Millis};
use serde_json::json;

use crate::world::*;

const SIGN: &str = "acme.example/sign";

fn place(refused: &Refused) -> (Code, Option<&str>) {
    (refused.code, refused.pointer.as_deref())
}

#[test]
fn other_payload_types_are_refused() {
    let envelope = Envelope::sign("application/json", b"{}", &[&key(SIGN)]);
    let refused = Submission::from_envelope(envelope).unwrap_err();
    assert_eq!(place(&refused), (Code::PayloadTypeUnsupported, Some("/payloadType")));
}

#[test]
fn signatures_verify_over_this_payload() {
    let mut world = World::settled();
    let mut envelope = World::envelope(&support("2031-03"), &[SIGN]);
    envelope.signatures[0].signature.0[0] ^= 1;
    let refused = world.submit_envelope(&envelope).unwrap_err();
    assert_eq!(place(&refused), (Code::SignatureInvalid, Some("/signatures")));
    envelope.signatures[0].signature = Signature(vec![0; 63]);
    assert_eq!(world.submit_envelope(&envelope).unwrap_err().code, Code::SignatureInvalid);
    let mut other = World::envelope(&support("2031-04"), &[SIGN]);
    other.signatures = World::envelope(&support("2031-03"), &[SIGN]).signatures;
    assert_eq!(world.submit_envelope(&other).unwrap_err().code, Code::SignatureInvalid);
}

#[test]
fn signatures_made_up_in_a_program_are_held_to_the_same_form() {
    let good = World::envelope(&support("2031-03"), &[SIGN, "acme.example/admin"]);
    let with = |change: &dyn Fn(&mut Envelope)| {
        let mut envelope = good.clone();
        change(&mut envelope);
        Submission::from_envelope(envelope).unwrap_err()
    };
    let none = with(&|envelope| envelope.signatures.clear());
    assert_eq!(place(&none), (Code::SignatureMissing, Some("/signatures")));
    let turned = with(&|envelope| envelope.signatures.reverse());
    assert_eq!(place(&turned), (Code::SignatureExtra, Some("/signatures")));
    let twice = with(&|envelope| envelope.signatures[1] = envelope.signatures[0].clone());
    assert_eq!(place(&twice), (Code::SignatureExtra, Some("/signatures")));
}

#[test]
pub(crate) fn the_claim_is_for_this_log_and_in_time() {
    let mut world = World::settled();
    let elsewhere = set(support("2031-03"), "/logs", json!([{"origin": "other.example"}]));
    world.refuse(&elsewhere, &[SIGN], Code::ClaimWrongLog, "/logs");
    let both = set(elsewhere, "/logs/", json!({"origin": ORIGIN}));
    world.ok(&both, &[SIGN]);
    let timed = set(support("2031-03"), "/submit_before", json!("2027-01-16T08:00:00.000Z"));
    world.now = START + DAY + 1;
    world.refuse(&timed, &[SIGN], Code::ClaimTooLate, "/submit_before");
    world.now = START + DAY;
    world.ok(&timed, &[SIGN]);
}

#[test]
pub(crate) fn a_claim_id_stands_once_whatever_signs_it() {
    let mut world = World::settled();
    world.ok(&support("2031-03"), &[SIGN]);
    world.refuse(&support("2031-03"), &[SIGN], Code::EntryDuplicate, "-");
    let change = issuer_v1("acme.example", &["manufacturer"], &[("s2", "sign")]);
    world.ok(&change, &["acme.example/admin", "s2"]);
    world.refuse(&support("2031-03"), &["s2"], Code::EntryDuplicate, "-");
    world.refuse(&log_v1(), &["operator"], Code::EntryDuplicate, "-");
    world.refuse(&change, &["acme.example/admin", "s2"], Code::EntryDuplicate, "-");
}

/// Steps an entry that is changed after the log decided it.
fn stepped(world: &World, change: impl Fn(&mut Entry)) -> Refused {
    let (_, bytes, _) = world.decide(&World::envelope(&support("2031-04"), &[SIGN])).unwrap();
    let mut entry = Entry::decode(&bytes).unwrap();
    change(&mut entry);
    match step(LeafIndex(world.entries.len() as u64), &entry, &world.state) {
        Err(Stop::Refused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_auditor_refuses_wrong_links_and_times() {
    let mut world = World::settled();
    world.ok(&support("2031-03"), &[SIGN]);
    let wrong = [None, Some(LeafIndex(0)), Some(LeafIndex(2)), Some(LeafIndex(9))];
    for link in wrong {
        assert_eq!(stepped(&world, |entry| entry.links.registry = link).code, Code::EntryLink);
        assert_eq!(stepped(&world, |entry| entry.links.previous = link).code, Code::EntryLink);
        if link != Some(LeafIndex(0)) {
            assert_eq!(stepped(&world, |entry| entry.links.constitution = link).code, Code::EntryLink);
        }
    }
    let before = stepped(&world, |entry| entry.timestamp = Millis(world.now - 1001));
    assert_eq!(place(&before), (Code::EntryTime, None));
    world.now -= 1000; // the same millisecond as the entry before is in order
    world.ok(&support("2031-05"), &[SIGN]);
}

#[test]
fn a_state_that_is_not_of_this_index_is_corrupt_not_a_breach() {
    let empty = World::empty();
    let world = World::settled();
    let submission = Submission::from_envelope(World::envelope(&support("2031-03"), &[SIGN])).unwrap();
    let checked = check_signatures(submission, &world.state).unwrap();
    let found = decide(LeafIndex(5), Millis(START), &checked, &empty.state);
    assert!(matches!(found, Err(Stop::Corrupt(_))));
    let mut broken = world.state.clone();
    broken.insert(fold::StateKey::Issuer("acme.example").encode(), b"?".to_vec());
    let found = decide(LeafIndex(3), Millis(world.now), &checked, &broken);
    assert!(matches!(found, Err(Stop::Corrupt(_))));
}

#[test]
fn an_anchor_is_read_for_this_log_only() {
    let world = World::settled();
    let root = proto::hash::Hash([9; 32]);
    let logs = json!([{"origin": "other.example"}, {"origin": ORIGIN, "size": 3, "root": root.to_base64()}]);
    let claim = set(support("2031-03"), "/logs", logs);
    let submission = Submission::from_envelope(World::envelope(&claim, &[SIGN])).unwrap();
    let checked = check_signatures(submission, &world.state).unwrap();
    assert_eq!(checked.anchor(ORIGIN), Some((proto::num::TreeSize(3), root)));
    assert_eq!(checked.anchor("other.example"), None);
}

#[test]
fn the_digest_tells_signatures_apart() {
    let digest = |change: &dyn Fn(&mut Envelope)| {
        let mut envelope = World::envelope(&support("2031-03"), &[SIGN, "acme.example/admin"]);
        change(&mut envelope);
        Submission::from_envelope(envelope).unwrap().digest()
    };
    let good = digest(&|_| {});
    assert_ne!(good, digest(&|envelope| envelope.signatures[1].signature.0[63] ^= 1));
    assert_ne!(good, digest(&|envelope| drop(envelope.signatures.pop())));
    // Two signatures run together into one.
    let joined = |envelope: &mut Envelope| {
        let second = envelope.signatures.remove(1);
        envelope.signatures[0].signature.0.extend([second.key_id.0.as_slice(), &second.signature.0].concat());
    };
    assert_ne!(good, digest(&joined));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The length that the rule computes is the length of the entry: a log whose limit is exactly that takes it, one
    /// byte less does not.
    #[test]
    fn the_computed_length_is_the_entrys(
        timestamp in prop_oneof![0u64..300, any::<u32>().prop_map(u64::from), START..u64::MAX / 2],
        padding in prop_oneof![0usize..40, 200usize..300, 60_000usize..63_000],
    ) {
        let text = |n: usize| "x".repeat(n);
        let texts: Vec<_> = (0..padding / 1000).map(|_| text(1000)).chain([text(padding % 1000)]).collect();
        let claim = claim("https://example.com/t", "acme.example", "manufacturer", json!({"kind": "new"}), json!(texts));
        let founding = |limit: usize| set(log_v1(), "/body/limits/entry_bytes", json!(limit));
        let enrol = |limit: usize| {
            let mut world = World { now: timestamp, ..World::empty() };
            world.ok(&founding(65_535), &["operator", "registrar"]);
            world.now = timestamp;
            world.enrol("acme.example", &["manufacturer"]);
            world.now = timestamp;
            let mut record = fold::constitution(&world.state).unwrap().unwrap();
            record.current.entry_bytes = u32::try_from(limit).unwrap();
            world.state.insert(fold::StateKey::Log.encode(), minicbor::to_vec(&record).unwrap());
            world
        };
        let links = Links { constitution: Some(LeafIndex(0)), registry: Some(LeafIndex(1)), previous: None };
        let submission = Submission::from_envelope(World::envelope(&claim, &[SIGN])).unwrap();
        let checked = check_signatures(submission, &enrol(1).state).unwrap();
        let length = checked.encode_entry(Millis(timestamp), links).unwrap().len();
        enrol(length).ok(&claim, &[SIGN]);
        enrol(length - 1).refuse(&claim, &[SIGN], Code::SizeEntry, "-");
    }
}

//! `log/v1`: founding, change, freeze.

use proto::code::Code;
use proto::fold::{self, Stop, Submission, check_signatures, decide};
use proto::note::SignatureType;
use proto::num::{LeafIndex, Millis};
use serde_json::{Value, json};

use crate::world::*;

/// A change that holds two days after `START`, distinct by δ.
fn change(delta: u32) -> Value {
    let claim = set(log_v1(), "/effective", json!("2027-01-17T08:00:00Z"));
    set(claim, "/body/delta_seconds", json!(delta))
}

fn freeze() -> Value {
    set(log_v1(), "/body/freeze", json!({"successor": "log.example/next"}))
}

fn in_force(world: &World) -> fold::LogRecord {
    fold::constitution(&world.state).unwrap().unwrap()
}

#[test]
fn entry_0_is_the_constitution_and_links_to_nothing() {
    let mut world = World::empty();
    assert_eq!(fold::constitution(&world.state).unwrap(), None);
    let taken = world.ok(&log_v1(), &["operator", "registrar"]);
    assert_eq!((taken.index, links(&taken)), (0, (None, None, None)));
    let log = in_force(&world);
    assert_eq!((log.current.index, log.current.effective_ms, log.last_timestamp), (0, START, START));
}

#[test]
fn nothing_but_a_constitution_founds_a_log() {
    let claim = issuer_v1("acme.example", &["manufacturer"], &[("a", "admin")]);
    World::empty().refuse(&claim, &["a"], Code::RightOperator, "/type");
}

#[test]
fn every_key_of_entry_0_signs_and_nobody_else() {
    let mut world = World::empty();
    world.refuse(&log_v1(), &["operator"], Code::KeyNoPossession, "/body/registrar_keys/0");
    world.refuse(&log_v1(), &["registrar"], Code::KeyNoPossession, "/body/operator_keys/0");
    world.refuse(&log_v1(), &["operator", "registrar", "other"], Code::KeyUnknown, "/signatures");
}

#[test]
fn entry_0_holds_at_once() {
    let signers = ["operator", "registrar"];
    let mut world = World::empty();
    world.refuse(&freeze(), &signers, Code::SlotConstitution, "/body/freeze");
    world.refuse(&change(60), &signers, Code::SlotConstitution, "/effective");
    let late = set(log_v1(), "/submit_before", json!("2027-01-15T07:59:59Z"));
    world.refuse(&late, &signers, Code::ClaimTooLate, "/submit_before");
    let other = set(log_v1(), "/logs", json!([{"origin": "other.example"}]));
    world.refuse(&other, &signers, Code::ClaimValue, "/body/origin");
    let amended = related(log_v1(), "supersede", &World::founded().ok(&change(9), &["operator"]).id);
    world.refuse(&amended, &signers, Code::ClaimValue, "/rel/kind");
}

#[test]
pub(crate) fn a_change_waits_24_hours_of_log_time() {
    let mut world = World::founded();
    world.now = START;
    let too_soon = set(change(61), "/effective", json!("2027-01-16T07:59:59.999Z"));
    world.refuse(&too_soon, &["operator"], Code::SlotConstitution, "/effective");
    let never = set(log_v1(), "/body/delta_seconds", json!(61));
    world.refuse(&never, &["operator"], Code::ClaimMissing, "/effective");
    let just = set(change(61), "/effective", json!("2027-01-16T08:00:00Z"));
    let taken = world.ok(&just, &["operator"]);
    assert_eq!(links(&taken), (Some(0), None, Some(0)), "judged under the constitution before it");
    assert_eq!(in_force(&world).current.delta_seconds, 60);
    world.now = START + DAY - 1;
    let before = world.enrol("a.example", &["manufacturer"]);
    assert_eq!(links(&before), (Some(0), None, None), "a pending change does not count yet");
    world.now = START + DAY;
    let after = world.enrol("b.example", &["manufacturer"]);
    assert_eq!(links(&after), (Some(1), None, None), "in force at its very millisecond");
    assert_eq!((in_force(&world).current.delta_seconds, in_force(&world).pending), (61, None));
}

#[test]
fn a_month_or_day_holds_from_its_last_instant() {
    let mut world = World::founded();
    world.ok(&set(change(61), "/effective", json!("2027-01-16")), &["operator"]);
    world.now = START + DAY;
    assert_eq!(links(&world.enrol("a.example", &["csirt"])).0, Some(0));
    world.now = 1_800_144_000_000 - 1; // 2027-01-16T23:59:59.999Z
    assert_eq!(links(&world.enrol("b.example", &["csirt"])).0, Some(1));
}

#[test]
fn a_newer_change_takes_the_place_of_one_that_waits() {
    let mut world = World::founded();
    world.ok(&change(61), &["operator"]);
    let second = world.ok(&change(62), &["operator"]);
    assert_eq!(links(&second), (Some(0), None, Some(1)), "previous is the last log/v1, in force or not");
    world.now = START + 3 * DAY;
    let third = world.enrol("a.example", &["csirt"]);
    assert_eq!(links(&third).0, Some(2));
    assert_eq!(in_force(&world).current.delta_seconds, 62);
}

#[test]
pub(crate) fn origin_and_log_keys_are_fixed_for_ever() {
    let mut world = World::founded();
    let log_vkey = set(change(60), "/body/log_vkey", json!(vkey(ORIGIN, SignatureType::Ed25519, "log 2")));
    world.refuse(&log_vkey, &["operator"], Code::SlotConstitution, "/body/log_vkey");
    let time = vkey(&format!("{ORIGIN}/time"), SignatureType::CosignatureV1, "time 2");
    let time_vkey = set(change(60), "/body/time_vkey", json!(time));
    world.refuse(&time_vkey, &["operator"], Code::SlotConstitution, "/body/time_vkey");
}

#[test]
pub(crate) fn exactly_the_threshold_of_old_keys_and_every_new_key_sign() {
    let mut world = World::empty();
    let founding = set(log_v1(), "/body/operator_keys", json!([log_key("o1"), log_key("o2"), log_key("o3")]));
    let founding = set(founding, "/body/operator_threshold", json!(2));
    world.ok(&founding, &["o1", "o2", "o3", "registrar"]);
    let next = set(founding, "/effective", json!("2027-01-17"));
    let next = set(next, "/body/operator_keys", json!([log_key("o3"), log_key("o4")]));
    let next = set(next, "/body/registrar_keys/", log_key("r2"));
    world.refuse(&next, &["o1", "o4", "r2"], Code::RightOperator, "/signatures");
    world.refuse(&next, &["o1", "o2", "o3", "o4", "r2"], Code::SignatureExtra, "/signatures");
    world.refuse(&next, &["o1", "o2", "r2"], Code::KeyNoPossession, "/body/operator_keys/1");
    world.refuse(&next, &["o1", "o2", "o4"], Code::KeyNoPossession, "/body/registrar_keys/1");
    world.refuse(&next, &["o1", "o2", "o4", "r2", "registrar"], Code::SignatureExtra, "/signatures");
    world.ok(&next, &["o1", "o2", "o4", "r2"]);
    // The old keys hold until the change does, the new ones from then on.
    let enrolment = issuer_v1("a.example", &["csirt"], &[("a", "admin")]);
    world.refuse(&enrolment, &["r2", "a"], Code::RightRegistrar, "/signatures");
    world.now = START + 3 * DAY;
    world.ok(&enrolment, &["r2", "a"]);
    let last = set(next, "/effective", json!("2027-01-30"));
    world.refuse(&last, &["o1", "o3"], Code::SignatureExtra, "/signatures");
    world.ok(&last, &["o3", "o4"]);
}

#[test]
fn a_key_has_one_role_for_ever() {
    let mut world = World::settled();
    let issuers = set(change(60), "/body/operator_keys/", log_key("acme.example/sign"));
    world.refuse(&issuers, &["operator", "acme.example/sign"], Code::KeyTaken, "/body/operator_keys/1");
    let swapped = set(change(60), "/body/operator_keys", json!([log_key("registrar")]));
    let swapped = set(swapped, "/body/registrar_keys", json!([log_key("new")]));
    world.refuse(&swapped, &["operator", "new"], Code::KeyTaken, "/body/operator_keys/0");
    for (name, kind) in [("acme.example/admin", "issuer"), ("registrar", "registrar")] {
        let witness = vkey("w2.example", SignatureType::CosignatureV1, name);
        let claim = set(change(60), "/body/registrar_keys", json!([log_key("new")]));
        let claim = set(claim, "/body/witnesses", json!([{"vkey": witness}]));
        world.refuse(&claim, &["operator", "new"], Code::KeyTaken, "/body/witnesses/0/vkey");
        assert!(!kind.is_empty());
    }
    let twice = set(change(60), "/body/registrar_keys/", log_key("operator"));
    world.refuse(&twice, &["operator"], Code::ClaimValue, "/body/registrar_keys/1");
}

#[test]
fn keys_of_a_change_that_waits_are_taken() {
    let mut world = World::founded();
    let claim = set(change(60), "/body/registrar_keys/", log_key("r2"));
    world.ok(&claim, &["operator", "r2"]);
    let enrolment = issuer_v1("a.example", &["csirt"], &[("r2", "admin")]);
    world.refuse(&enrolment, &["registrar", "r2"], Code::KeyTaken, "/body/keys/0");
    // Proof of possession again, because the key was never in force.
    let again = set(claim, "/body/delta_seconds", json!(90));
    world.refuse(&again, &["operator"], Code::KeyNoPossession, "/body/registrar_keys/1");
    world.ok(&again, &["operator", "r2"]);
}

#[test]
fn only_the_operator_changes_the_rules() {
    let mut world = World::settled();
    world.refuse(&change(61), &["registrar"], Code::SignatureExtra, "/signatures");
    world.refuse(&change(61), &["acme.example/admin"], Code::SignatureExtra, "/signatures");
    world.refuse(&change(61), &["log"], Code::KeyUnknown, "/signatures");
    world.refuse(&change(61), &["witness"], Code::KeyUnknown, "/signatures");
    let manufacturer = set(change(61), "/role", json!("manufacturer"));
    world.refuse(&manufacturer, &["operator"], Code::ClaimValue, "/role");
    let mandated = set(change(61), "/authority", json!(format!("sha256:{}", "00".repeat(32))));
    world.refuse(&mandated, &["operator"], Code::RightAuthority, "/authority");
}

#[test]
pub(crate) fn a_freeze_holds_at_once_and_carries_nothing_else() {
    let mut world = World::settled();
    world.ok(&change(61), &["operator"]); // waits, and is dropped by the freeze
    let effective = set(freeze(), "/effective", json!("2030-01"));
    world.refuse(&effective, &["operator"], Code::SlotConstitution, "/effective");
    for (pointer, value) in [("/body/quorum", json!(0)), ("/body/delta_seconds", json!(61))] {
        world.refuse(&set(freeze(), pointer, value), &["operator"], Code::SlotConstitution, "/body");
    }
    world.refuse(&freeze(), &["registrar"], Code::SignatureExtra, "/signatures");
    let taken = world.ok(&freeze(), &["operator"]);
    assert_eq!(links(&taken), (Some(0), None, Some(3)));
    let log = in_force(&world);
    assert!(log.current.frozen && log.pending.is_none());
    assert_eq!(log.current.successor.as_deref(), Some("log.example/next"));
    world.now += 5 * DAY;
    world.refuse(&support("2031-03"), &["acme.example/sign"], Code::ModeFrozen, "-");
    world.refuse(&change(62), &["operator"], Code::ModeFrozen, "-");
}

/// What a claim leads to, without the panic of the harness.
fn stop(world: &World, claim: &Value, signers: &[&str]) -> Option<Stop<std::convert::Infallible>> {
    let submission = Submission::from_envelope(World::envelope(claim, signers)).unwrap();
    let checked = match check_signatures(submission, &world.state) {
        Ok(checked) => checked,
        Err(stop) => return Some(stop),
    };
    decide(LeafIndex(world.entries.len() as u64), Millis(world.now), &checked, &world.state).err()
}

#[test]
fn rules_that_are_not_known_end_the_fold_only_once_they_hold() {
    let version_2 = |claim| set(claim, "/body/rules_version", json!(2));
    let found = stop(&World::empty(), &version_2(log_v1()), &["operator", "registrar"]);
    assert!(matches!(found, Some(Stop::UnknownRules(2))));
    let mut world = World::settled();
    // Nobody outside can bring the fold to its end.
    let strangers = set(version_2(change(60)), "/body/operator_keys", json!([log_key("stranger")]));
    assert!(matches!(stop(&world, &strangers, &["stranger"]), Some(Stop::Refused(_))));
    world.ok(&version_2(change(60)), &["operator"]);
    world.ok(&support("2031-03"), &["acme.example/sign"]);
    world.now = START + 3 * DAY;
    let found = stop(&world, &support("2031-04"), &["acme.example/sign"]);
    assert!(matches!(found, Some(Stop::UnknownRules(2))));
}

#[test]
fn form_and_signatures_are_judged_by_the_rules_in_force() {
    let mut world = World::settled();
    world.ok(&set(change(60), "/body/rules_version", json!(2)), &["operator"]);
    let strange = |days: u64| proto::entry::Entry {
        timestamp: Millis(START + days * DAY),
        links: proto::entry::Links::default(),
        payload_type: "application/of.a.later.version".to_owned(),
        payload: b"no claim of version 1".to_vec(),
        signatures: Vec::new(),
    };
    let step = |days| fold::step(LeafIndex(world.entries.len() as u64), &strange(days), &world.state).err();
    assert!(matches!(step(1), Some(Stop::Refused(_))), "version 1 still holds");
    assert!(matches!(step(3), Some(Stop::UnknownRules(2))));
    // An entry whose time cannot be read may be under the version that is announced.
    let no = || proto::code::Refused::new(Code::EntryMalformed, "no entry");
    let under = |time| fold::refused_under(time, no(), &world.state);
    assert!(matches!(under(Millis(u64::MAX)), Stop::UnknownRules(2)));
    assert!(matches!(fold::refused_under(Millis(u64::MAX), no(), &World::settled().state), Stop::Refused(_)));
}

#[test]
fn the_limit_of_entries_is_a_rule() {
    let mut world = World::founded();
    let tight = set(change(60), "/body/limits/entry_bytes", json!(900));
    world.ok(&tight, &["operator"]);
    world.enrol("acme.example", &["manufacturer"]);
    world.now = START + 3 * DAY;
    world.ok(&support("2031-03"), &["acme.example/sign"]);
    let long = set(
        support("2031-04"),
        "/legal",
        json!((0..5).map(|n| format!("cra:{n}{}", "x".repeat(190))).collect::<Vec<_>>()),
    );
    world.refuse(&long, &["acme.example/sign"], Code::SizeEntry, "-");
    let founding = set(log_v1(), "/body/limits/entry_bytes", json!(500));
    World::empty().refuse(&founding, &["operator", "registrar"], Code::SizeEntry, "-");
}

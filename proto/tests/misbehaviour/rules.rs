//! Wrong links and broken rules: each with the entries that show it, and what a file does not show.

use proto::claim::ClaimId;
use proto::code::Code;
use proto::dsse::Envelope;
use proto::entry::Links;
use proto::fold::RECOVERY_WAIT_MS;
use proto::misbehaviour::{Kind, Misbehaviour};
use serde_json::{Value, json};

use crate::cases::{Case, case, freeze, spoken};
use crate::forged::Raw;
use crate::log::*;
use crate::world::*;

const SIGN: &str = "acme.example/sign";
const ADMIN: &str = "acme.example/admin";
const CSIRT: &str = "csirt.example/sign";
const ROLES: [&str; 2] = ["manufacturer", "authorised-representative"];

/// A log that took `entry` after what its world took.
fn after(world: &World, claim: &Value, signers: &[&str], links: Links) -> Log {
    Log::of(world).with(&entry(claim, signers, world.now, links))
}

/// The links that an honest log sets to acme's next support claim for CAM-3.
fn acme(world: &World) -> Links {
    let last = world.entries.len() as u64;
    links_to(0, Some(1), (3..last).next_back())
}

/// The file about the last entry, which breaks the rule of this code.
fn broken(name: &'static str, log: &Log, besides: &[u64], code: Code) -> Case {
    let file = log.broken_rule(log.size() - 1, besides).unwrap_or_else(|why| panic!("{name}: {why}"));
    assert_eq!(file.verify().unwrap().code, Some(code), "{name}");
    case(name, file)
}

fn wrong(name: &'static str, log: &Log, besides: &[u64]) -> Case {
    let file = log.wrong_link(log.size() - 1, besides).unwrap_or_else(|why| panic!("{name}: {why}"));
    case(name, file)
}

/// A change of the rules that holds days later.
fn change(effective: &str, delta: u32) -> Value {
    let mut claim = set(log_v1(), "/body/delta_seconds", json!(delta));
    claim["effective"] = json!(effective);
    claim
}

pub(crate) fn rule_cases() -> Vec<Case> {
    let mut cases = signature_cases();
    cases.extend(key_cases());
    cases.extend(registry_cases());
    cases.extend(target_cases());
    cases.extend(form_cases());
    cases.extend(link_cases());
    cases.extend(slot_link_cases());
    cases
}

fn signature_cases() -> Vec<Case> {
    let world = World::settled();
    let mut flipped = entry(&support("2031-03"), &[SIGN], world.now, acme(&world));
    flipped.signatures[0].signature.0[10] ^= 1;
    let none_enrolled = |signers: &[&str]| after(&world, &support("2031-03"), signers, acme(&world));
    vec![
        broken(
            "proven: a signature that does not verify",
            &Log::of(&world).with(&flipped),
            &[],
            Code::SignatureInvalid,
        ),
        broken("proven: a stranger's key", &none_enrolled(&["stranger"]), &[], Code::KeyUnknown),
        broken("proven: another issuer's key", &none_enrolled(&[CSIRT]), &[], Code::KeyUnknown),
        broken("proven: the registrar's key on a claim", &none_enrolled(&["registrar"]), &[], Code::RightOtherIssuer),
        broken("proven: an admin key on a claim", &none_enrolled(&[ADMIN]), &[], Code::RightUse),
        broken("proven: two signatures on a claim", &none_enrolled(&[SIGN, ADMIN]), &[], Code::SignatureExtra),
    ]
}

fn key_cases() -> Vec<Case> {
    let mut revoked = World::settled();
    revoked.ok(&operator_revokes("acme.example", &[SIGN]), &["registrar"]);
    let revoked = after(&revoked, &support("2031-03"), &[SIGN], links_to(0, Some(3), None));
    let mut expired = World::settled();
    let claim = issuer_v1("acme.example", &ROLES, &[("acme 2", "sign")]);
    expired.ok(&set(claim, "/body/keys/0/until", json!("2027-01-20")), &[ADMIN, "acme 2"]);
    expired.now += 10 * DAY;
    let expired = after(&expired, &support("2031-03"), &["acme 2"], links_to(0, Some(3), None));
    let mut early = World::settled();
    let start =
        set(issuer_v1("acme.example", &ROLES, &[("found", "admin")]), "/body/recovery", json!({"kind": "start"}));
    early.ok(&start, &["registrar", "found"]);
    early.now += RECOVERY_WAIT_MS - 2000;
    let early = after(
        &early,
        &issuer_v1("acme.example", &ROLES, &[("acme 4", "sign")]),
        &["found", "acme 4"],
        links_to(0, Some(3), Some(3)),
    );
    let mut vetoed = World::settled();
    let thief = vetoed.ok(&start, &["registrar", "found"]);
    let veto = json!({"kind": "veto", "claim": thief.id.to_string()});
    vetoed.ok(&set(issuer_v1("acme.example", &ROLES, &[]), "/body/recovery", veto), &[ADMIN]);
    vetoed.now += RECOVERY_WAIT_MS;
    let vetoed = after(
        &vetoed,
        &issuer_v1("acme.example", &ROLES, &[("acme 4", "sign")]),
        &["found", "acme 4"],
        links_to(0, Some(4), Some(4)),
    );
    let world = World::settled();
    let role = set(support("2031-03"), "/role", json!("importer"));
    let other_maker = set(support("2031-03"), "/subject/manufacturer", json!("other.example"));
    let mandate = set(support("2031-03"), "/authority", json!(format!("sha256:{}", "07".repeat(32))));
    let say = |claim: &Value| after(&world, claim, &[SIGN], acme(&world));
    vec![
        broken("proven: a revoked key", &revoked, &[], Code::KeyRevoked),
        broken("proven: a key after its time", &expired, &[], Code::KeyExpired),
        broken("proven: a recovered key before its time", &early, &[], Code::KeyExpired),
        broken("proven: a recovered key that was vetoed", &vetoed, &[], Code::KeyRevoked),
        broken("proven: a role that was not enrolled", &say(&role), &[], Code::RightRole),
        broken("proven: a maker about another's product", &say(&other_maker), &[], Code::RightOtherIssuer),
        broken("proven: a mandate that was not given", &say(&mandate), &[], Code::RightAuthority),
    ]
}

fn registry_cases() -> Vec<Case> {
    let world = World::settled();
    let enrolment = issuer_v1("new.example", &["csirt"], &[("new sign", "sign"), ("new admin", "admin")]);
    let enrolled = |signers: &[&str]| after(&world, &enrolment, signers, links_to(0, None, None));
    let changed = |keys: &[(&str, &str)], signers: &[&str]| {
        after(&world, &issuer_v1("acme.example", &ROLES, keys), signers, links_to(0, Some(1), Some(1)))
    };
    let mut two = World::settled();
    let claim = issuer_v1("acme.example", &ROLES, &[("admin 2", "admin")]);
    two.ok(&set(claim, "/body/admin_threshold", json!(2)), &[ADMIN, "admin 2"]);
    let claim = issuer_v1("acme.example", &ROLES, &[("acme 2", "sign")]);
    let two = after(&two, &claim, &[ADMIN, "acme 2"], links_to(0, Some(3), Some(3)));
    let to_log = |claim: &Value, signers: &[&str]| after(&world, claim, signers, links_to(0, None, Some(0)));
    let quorum = change("2030-01", 90);
    let new_operator = set(quorum.clone(), "/body/operator_keys/", log_key("operator 2"));
    vec![
        broken("proven: no possession", &enrolled(&["registrar", "new sign"]), &[], Code::KeyNoPossession),
        broken("proven: no registrar", &enrolled(&["new sign", "new admin"]), &[], Code::RightRegistrar),
        broken("proven: no admin", &changed(&[("acme 2", "sign")], &["acme 2"]), &[], Code::SignatureMissing),
        broken("proven: one admin where two are needed", &two, &[], Code::SignatureMissing),
        broken("proven: a key twice", &changed(&[(SIGN, "sign")], &[ADMIN, SIGN]), &[], Code::KeyTaken),
        broken(
            "proven: rules changed without the operator",
            &to_log(&new_operator, &["operator 2"]),
            &[],
            Code::RightOperator,
        ),
        broken(
            "proven: rules changed at once",
            &to_log(&change("2027-01-15", 90), &["operator"]),
            &[],
            Code::SlotConstitution,
        ),
    ]
}

fn target_cases() -> Vec<Case> {
    let world = spoken();
    let first = ClaimId::of(proto::claim::PAYLOAD_TYPE, &Log::of(&world).entry(3).payload);
    let mut theft = related(support("2020-01"), "supersede", &first);
    theft["issuer"] = json!("csirt.example");
    theft["role"] = json!("researcher");
    let theft = after(&world, &theft, &[CSIRT], links_to(0, Some(2), None));
    let mut gone = world.clone();
    gone.ok(&about("acme.example", "manufacturer", "withdraw", &first), &[SIGN]);
    let gone = after(&gone, &related(support("2034-01"), "amend", &first), &[SIGN], links_to(0, Some(1), Some(5)));
    let later = support("2035-01");
    let later_id = ClaimId::of(proto::claim::PAYLOAD_TYPE, &serde_json::to_vec(&later).unwrap());
    let mut ahead = after(&world, &related(support("2034-01"), "amend", &later_id), &[SIGN], acme(&world));
    ahead = ahead.with(&entry(&later, &[SIGN], world.now + 1000, links_to(0, Some(1), Some(5))));
    let ahead = case("proven: a target that comes later", ahead.broken_rule(5, &[6]).unwrap());
    let other_type = set(related(support("2034-01"), "amend", &first), "/type", json!("https://acme.example/type/v1"));
    let other_type = after(&world, &other_type, &[SIGN], links_to(0, Some(1), None));
    let other_model = set(related(support("2034-01"), "amend", &first), "/subject/model", json!("CAM-4"));
    let other_model = after(&world, &other_model, &[SIGN], links_to(0, Some(1), None));
    vec![
        broken("proven: another's claim superseded", &theft, &[3], Code::RightTarget),
        broken("proven: a withdrawn claim amended", &gone, &[3, 5], Code::TargetWithdrawn),
        broken("proven: a target about another product", &other_model, &[3], Code::TargetSlot),
        broken("proven: a target of another type", &other_type, &[3], Code::TargetType),
        ahead,
    ]
}

fn form_cases() -> Vec<Case> {
    let world = World::settled();
    let say = |claim: &Value| after(&world, claim, &[SIGN], acme(&world));
    let bytes = |payload_type: &str, payload: &[u8]| {
        let envelope = Envelope::sign(payload_type, payload, &[&key(SIGN)]);
        Log::of(&world).with(&of_envelope(envelope, world.now, acme(&world)))
    };
    let kind = proto::claim::PAYLOAD_TYPE;
    let elsewhere = set(support("2031-03"), "/logs", json!([{"origin": "log.example/next"}]));
    let too_late = set(support("2031-03"), "/submit_before", json!("2027-01-15T08:00:00Z"));
    let unknown = set(support("2031-03"), "/colour", json!("red"));
    let mut missing = support("2031-03");
    missing.as_object_mut().unwrap().remove("asserted_at");
    let mut ended = world.clone();
    ended.ok(&freeze(), &["operator"]);
    let frozen = after(&ended, &support("2031-03"), &[SIGN], links_to(3, Some(1), None));
    vec![
        broken("proven: no JSON", &bytes(kind, b"a claim"), &[], Code::ClaimJson),
        broken("proven: another payload type", &bytes("text/plain", b"{}"), &[], Code::PayloadTypeUnsupported),
        broken(
            "proven: a member twice",
            &bytes(kind, br#"{"type":"support/v1","type":"support/v1"}"#),
            &[],
            Code::ClaimDuplicateKey,
        ),
        broken("proven: an unknown member", &say(&unknown), &[], Code::ClaimUnknownMember),
        broken("proven: a missing member", &say(&missing), &[], Code::ClaimMissing),
        broken(
            "proven: an unknown type",
            &say(&set(support("x"), "/type", json!("support/v9"))),
            &[],
            Code::ClaimUnknownType,
        ),
        broken("proven: a claim for another log", &say(&elsewhere), &[], Code::ClaimWrongLog),
        broken("proven: a claim taken too late", &say(&too_late), &[], Code::ClaimTooLate),
        broken("proven: taken by a frozen constitution", &frozen, &[], Code::ModeFrozen),
    ]
}

fn link_cases() -> Vec<Case> {
    let world = spoken();
    let say = |links| after(&world, &support("2033-03"), &[SIGN], links);
    let mut changed = world.clone();
    changed.ok(&change("2027-02", 90), &["operator"]); // entry 5 waits until the end of February
    let early = after(&changed, &support("2033-03"), &[SIGN], links_to(5, Some(1), Some(4)));
    let mut held = changed.clone();
    held.now += 60 * DAY;
    held.ok(&support("2033-03"), &[SIGN]); // entry 6 names entry 5
    let back = after(&held, &support("2034-03"), &[SIGN], links_to(0, Some(1), Some(6)));
    let again = change("2028-02", 91);
    let no_previous = after(&held, &again, &["operator"], links_to(5, None, None));
    let old_previous = after(&held, &again, &["operator"], links_to(5, None, Some(0)));
    let other_previous = after(&held, &again, &["operator"], links_to(5, None, Some(3)));
    let with_registry = after(&held, &again, &["operator"], links_to(5, Some(1), Some(5)));
    let mut revoked = World::settled();
    revoked.ok(&operator_revokes("acme.example", &[SIGN]), &["registrar"]);
    let old_registry = after(&revoked, &support("2031-03"), &[SIGN], links_to(0, Some(1), None));
    let keys = issuer_v1("acme.example", &ROLES, &[("acme 2", "sign")]);
    let first_again = after(&world, &keys, &[ADMIN, "acme 2"], links_to(0, None, None));
    let unlike = after(&world, &keys, &[ADMIN, "acme 2"], links_to(0, Some(1), None));
    let none = Links { constitution: None, ..links_to(0, Some(1), Some(4)) };
    vec![
        wrong("proven: a link to itself", &say(links_to(0, Some(1), Some(5))), &[]),
        wrong("proven: a link ahead", &say(links_to(0, Some(7), Some(4))), &[]),
        wrong("proven: no constitution", &say(none), &[]),
        wrong("proven: a constitution that is none", &say(links_to(3, Some(1), Some(4))), &[]),
        wrong("proven: a constitution that waits", &early, &[]),
        wrong("proven: a constitution that was replaced", &back, &[6]),
        wrong("proven: a constitution that follows none", &no_previous, &[]),
        wrong("proven: a constitution that passes over one", &old_previous, &[5]),
        wrong("proven: a constitution that follows a claim", &other_previous, &[3]),
        wrong("proven: a constitution with a registry entry", &with_registry, &[]),
        wrong("proven: another issuer's registry entry", &say(links_to(0, Some(2), Some(4))), &[]),
        wrong("proven: a claim as registry entry", &say(links_to(0, Some(3), Some(4))), &[]),
        wrong("proven: no registry entry", &say(links_to(0, None, Some(4))), &[]),
        wrong("proven: a registry entry passed over", &old_registry, &[3]),
        wrong("proven: enrolled a second time", &first_again, &[1]),
        wrong("proven: registry links that differ", &unlike, &[]),
    ]
}

fn slot_link_cases() -> Vec<Case> {
    let mut world = spoken();
    world.ok(&set(support("2031-03"), "/subject/model", json!("CAM-9")), &[SIGN]); // entry 5
    let first = ClaimId::of(proto::claim::PAYLOAD_TYPE, &Log::of(&world).entry(3).payload);
    let say = |previous| after(&world, &support("2033-03"), &[SIGN], links_to(0, Some(1), previous));
    let dispute = about("csirt.example", "researcher", "dispute", &first);
    let disputed = |previous| after(&world, &dispute, &[CSIRT], links_to(0, Some(2), previous));
    let elsewhere = json!({"id": format!("sha256:{}", "07".repeat(32)), "origin": "log.example/next"});
    let outside =
        after(&world, &set(dispute.clone(), "/rel/target", elsewhere), &[CSIRT], links_to(0, Some(2), Some(3)));
    let mut argued = world.clone();
    argued.ok(&dispute, &[CSIRT]); // entry 6, in the slot of entries 3 and 4
    let skipped = after(&argued, &support("2033-03"), &[SIGN], links_to(0, Some(1), Some(4)));
    vec![
        wrong("proven: an entry of another slot", &say(Some(5)), &[5]),
        wrong("proven: a registry entry as predecessor", &say(Some(1)), &[1]),
        wrong("proven: a later entry of the slot passed over", &say(Some(3)), &[4]),
        wrong("proven: a slot begun twice", &say(None), &[3]),
        wrong("proven: a dispute in another slot", &disputed(Some(5)), &[3, 5]),
        wrong("proven: a dispute that passes over", &disputed(Some(3)), &[3, 4]),
        wrong("proven: a dispute passed over", &skipped, &[3, 6]),
        wrong("proven: a predecessor outside this log", &outside, &[]),
    ]
}

/// Files that show too little, or what an honest log does.
pub(crate) fn refused_cases() -> Vec<(String, String)> {
    let find = |name: &str| Raw::of(&rule_cases().into_iter().find(|case| case.name == name).unwrap().file);
    let revoked = find("proven: a revoked key");
    let theft = find("proven: another's claim superseded");
    let skipped = find("proven: a later entry of the slot passed over");
    let honest = Log::of(&spoken());
    let of_honest = |kind: &str, indices: &[u64]| {
        revoked.clone().with_kind(kind).with_head(0, &honest.head()).with_entries(&honest, indices)
    };
    let without = |mut raw: Raw, index: &str| {
        raw.entries.retain(|entry| entry.index != index);
        raw
    };
    let mut version_2 = World::settled();
    let claim = set(change("2027-02", 90), "/body/rules_version", json!(2));
    version_2.ok(&claim, &["operator"]);
    version_2.now += 60 * DAY;
    let version_2 = after(&version_2, &support("2031-03"), &["stranger"], links_to(3, Some(1), None));
    let under_2 = |kind: &str, indices: &[u64]| {
        revoked.clone().with_kind(kind).with_head(0, &version_2.head()).with_entries(&version_2, indices)
    };
    let founding = set(log_v1(), "/body/rules_version", json!(2));
    let founded_2 = Log { entries: Vec::new() }.with(&entry(&founding, &["stranger"], START, Links::default()));
    let founded_2 =
        revoked.clone().with_kind("broken-rule").with_head(0, &founded_2.head()).with_entries(&founded_2, &[0]);
    let mut swapped = revoked.clone();
    swapped.entries[0].entry = find("proven: a stranger's key").entries[0].entry.clone();
    let cases = [
        ("an honest claim", of_honest("broken-rule", &[4, 0, 1])),
        ("an honest enrolment", of_honest("broken-rule", &[2, 0])),
        ("an honest constitution", of_honest("broken-rule", &[0])),
        ("honest links", of_honest("wrong-link", &[4, 0, 1, 2, 3])),
        ("honest links of an enrolment", of_honest("wrong-link", &[1, 0, 2, 3])),
        ("no links of entry 0", of_honest("wrong-link", &[0, 1, 2])),
        ("a registry chain with a gap", without(revoked.clone(), "1")),
        ("no constitution in the file", without(revoked.clone(), "0")),
        ("no target in the file", without(theft, "3")),
        ("what was passed over is not in the file", without(skipped, "4")),
        ("rules that are not known, by links", under_2("wrong-link", &[4, 0, 1, 2, 3])),
        ("rules that are not known", under_2("broken-rule", &[4, 0, 1, 3])),
        ("entry 0 under rules that are not known", founded_2),
        ("an entry in another's place", swapped),
    ];
    cases.map(|(name, raw)| (format!("not-proven: {name}"), raw.text())).to_vec()
}

#[test]
fn every_rule_case_is_proven_and_reads_back() {
    for Case { name, file } in rule_cases() {
        let proven = file.verify().unwrap();
        assert!(matches!(proven.kind, Kind::WrongLink | Kind::BrokenRule), "{name}");
        assert_eq!(proven.accused, log_key_of());
        assert_eq!(Misbehaviour::parse(file.to_text().as_bytes()).as_ref(), Ok(&file), "{name}");
    }
}

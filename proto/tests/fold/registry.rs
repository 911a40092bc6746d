//! `issuer/v1`: enrolment, change of keys, revocation.

use proto::code::Code;
use proto::fold;
use serde_json::{Value, json};

use crate::world::*;

const SIGN: &str = "acme.example/sign";
const ADMIN: &str = "acme.example/admin";

/// A change by `acme.example` that adds these keys.
fn change(keys: &[(&str, &str)]) -> Value {
    issuer_v1("acme.example", &["manufacturer", "authorised-representative"], keys)
}

fn revoking(keys: &[&str]) -> Value {
    let list: Vec<_> = keys.iter().map(|name| json!({"key_id": key_id(name), "reason": "superseded"})).collect();
    set(change(&[]), "/body/revoke", json!(list))
}

#[test]
pub(crate) fn the_first_entry_needs_every_key_and_one_registrar() {
    let mut world = World::founded();
    let claim = issuer_v1("acme.example", &["manufacturer"], &[("s", "sign"), ("a", "admin")]);
    world.refuse(&claim, &["s", "a"], Code::RightRegistrar, "/signatures");
    world.refuse(&claim, &["registrar", "a"], Code::KeyNoPossession, "/body/keys/0");
    world.refuse(&claim, &["registrar", "s"], Code::KeyNoPossession, "/body/keys/1");
    world.refuse(&claim, &["operator", "s", "a"], Code::SignatureExtra, "/signatures");
    world.refuse(&claim, &["registrar", "operator", "s", "a"], Code::SignatureExtra, "/signatures");
    let taken = world.ok(&claim, &["registrar", "s", "a"]);
    assert_eq!(links(&taken), (Some(0), None, None));
}

#[test]
fn two_registrars_are_one_too_many() {
    let mut world = World::empty();
    world.ok(&set(log_v1(), "/body/registrar_keys/", log_key("r2")), &["operator", "registrar", "r2"]);
    let claim = issuer_v1("acme.example", &["manufacturer"], &[("a", "admin")]);
    world.refuse(&claim, &["registrar", "r2", "a"], Code::SignatureExtra, "/signatures");
    world.ok(&claim, &["r2", "a"]);
}

#[test]
fn the_first_entry_leaves_the_issuer_able_to_manage_its_keys() {
    let mut world = World::founded();
    let only_sign = issuer_v1("acme.example", &["manufacturer"], &[("s", "sign")]);
    world.refuse(&only_sign, &["registrar", "s"], Code::ClaimValue, "/body/keys");
    let none = issuer_v1("acme.example", &["manufacturer"], &[]);
    world.refuse(&none, &["registrar"], Code::ClaimValue, "/body/keys");
    let one = set(issuer_v1("acme.example", &["manufacturer"], &[("a", "admin")]), "/body/admin_threshold", json!(2));
    world.refuse(&one, &["registrar", "a"], Code::ClaimValue, "/body/admin_threshold");
}

#[test]
fn the_first_entry_revokes_and_recovers_nothing() {
    let mut world = World::founded();
    world.refuse(&operator_revokes("acme.example", &["s"]), &["registrar"], Code::RightIssuer, "/issuer");
    let claim = issuer_v1("acme.example", &["manufacturer"], &[("a", "admin")]);
    let recovering = set(claim.clone(), "/body/recovery", json!({"kind": "start"}));
    world.refuse(&recovering, &["registrar", "a"], Code::RightIssuer, "/issuer");
    let revoke = set(claim, "/body/revoke", json!([{"key_id": key_id("s"), "reason": "lost"}]));
    world.refuse(&revoke, &["registrar", "a"], Code::RightIssuer, "/issuer");
}

#[test]
fn the_role_that_is_used_is_one_of_the_roles() {
    let mut world = World::founded();
    let claim = set(issuer_v1("a.example", &["csirt"], &[("a", "admin")]), "/role", json!("manufacturer"));
    world.refuse(&claim, &["registrar", "a"], Code::RightRole, "/role");
}

#[test]
pub(crate) fn a_change_needs_the_admins_and_links_to_the_last_registry_entry() {
    let mut world = World::settled();
    let claim = change(&[("s2", "sign")]);
    world.refuse(&claim, &["s2"], Code::SignatureMissing, "/signatures");
    world.refuse(&claim, &["s2", SIGN], Code::RightUse, "/signatures");
    world.refuse(&claim, &["s2", "registrar"], Code::SignatureMissing, "/signatures");
    world.refuse(&claim, &["s2", ADMIN, "registrar"], Code::SignatureExtra, "/signatures");
    world.refuse(&claim, &["s2", "csirt.example/admin"], Code::SignatureExtra, "/signatures");
    world.refuse(&claim, &["s2", ADMIN, "csirt.example/sign"], Code::SignatureExtra, "/signatures");
    world.refuse(&claim, &[ADMIN], Code::KeyNoPossession, "/body/keys/0");
    let taken = world.ok(&claim, &["s2", ADMIN]);
    assert_eq!(links(&taken), (Some(0), Some(1), Some(1)));
    assert_eq!(links(&world.ok(&support("2031-03"), &["s2"])), (Some(0), Some(3), None));
}

#[test]
pub(crate) fn the_threshold_is_exact() {
    let mut world = World::settled();
    let two = set(change(&[("a2", "admin"), ("a3", "admin")]), "/body/admin_threshold", json!(2));
    world.ok(&two, &[ADMIN, "a2", "a3"]); // the threshold before counts
    let claim = change(&[("s2", "sign")]);
    world.refuse(&claim, &[ADMIN, "s2"], Code::SignatureMissing, "/signatures");
    world.refuse(&claim, &[ADMIN, "a2", "a3", "s2"], Code::SignatureExtra, "/signatures");
    world.ok(&claim, &["a2", "a3", "s2"]);
    let four = set(change(&[]), "/body/admin_threshold", json!(4));
    world.refuse(&four, &[ADMIN, "a2"], Code::ClaimValue, "/body/admin_threshold");
    // One that only revokes may go below; afterwards nothing grows without an admin key.
    world.ok(&revoking(&["a2", "a3"]), &["a2", "a3"]);
    let more = change(&[("s3", "sign")]);
    world.refuse(&more, &[ADMIN, "s3"], Code::SignatureMissing, "/signatures");
}

#[test]
fn what_the_registrar_admitted_only_the_registrar_changes() {
    let mut world = World::settled();
    let roles = set(change(&[]), "/body/roles", json!(["manufacturer", "importer"]));
    let name = set(change(&[]), "/body/legal_name", json!("Another name"));
    let replay = set(change(&[]), "/body/replay", json!(true));
    for claim in [roles, name, replay] {
        world.refuse(&claim, &[ADMIN], Code::RightRegistrar, "/signatures");
        world.refuse(&claim, &["registrar"], Code::SignatureMissing, "/signatures");
        let mut copy = world.clone();
        copy.ok(&claim, &[ADMIN, "registrar"]);
    }
    // Roles can be given up without the registrar, and then they cannot be used.
    let fewer = set(change(&[]), "/body/roles", json!(["authorised-representative"]));
    let fewer = set(fewer, "/role", json!("authorised-representative"));
    world.ok(&fewer, &[ADMIN]);
    world.refuse(&support("2031-03"), &[SIGN], Code::RightRole, "/role");
}

#[test]
pub(crate) fn a_key_is_enrolled_once_for_ever() {
    let mut world = World::settled();
    for (name, extra) in [(SIGN, None), ("csirt.example/sign", None), ("operator", None), ("registrar", None)] {
        let signers: Vec<&str> = [Some(ADMIN), Some(name), extra].into_iter().flatten().collect();
        world.refuse(&change(&[(name, "sign")]), &signers, Code::KeyTaken, "/body/keys/0");
    }
    for name in ["log", "time", "witness"] {
        world.refuse(&change(&[("s2", "sign"), (name, "sign")]), &[ADMIN, "s2", name], Code::KeyTaken, "/body/keys/1");
    }
    world.ok(&revoking(&[SIGN]), &[ADMIN]);
    world.refuse(&change(&[(SIGN, "sign")]), &[ADMIN, SIGN], Code::KeyTaken, "/body/keys/0");
}

#[test]
pub(crate) fn a_revoked_key_is_silent_from_the_next_entry_on() {
    let mut world = World::settled();
    world.ok(&support("2031-03"), &[SIGN]);
    let taken = world.ok(&revoking(&[SIGN, ADMIN]), &[ADMIN]); // an admin key may revoke itself
    world.refuse(&support("2031-04"), &[SIGN], Code::KeyRevoked, "/signatures");
    world.refuse(&change(&[("s2", "sign")]), &[ADMIN, "s2"], Code::KeyRevoked, "/signatures");
    let record = fold::read::key(&world.state, &key(SIGN).public().id()).unwrap().unwrap();
    assert_eq!((record.added, record.revoked), (1, Some(taken.index)));
    world.refuse(&operator_revokes("acme.example", &[SIGN]), &["registrar"], Code::KeyRevoked, "/body/revoke/0/key_id");
}

#[test]
fn only_own_keys_are_revoked() {
    let mut world = World::settled();
    for name in ["nobody", "csirt.example/sign", "operator", "log"] {
        world.refuse(&revoking(&[SIGN, name]), &[ADMIN], Code::KeyUnknown, "/body/revoke/1/key_id");
    }
    let same = set(change(&[("s2", "sign")]), "/body/revoke", json!([{"key_id": key_id("s2"), "reason": "lost"}]));
    world.refuse(&same, &[ADMIN, "s2"], Code::KeyUnknown, "/body/revoke/0/key_id");
}

#[test]
fn the_operator_revokes_with_a_registrar_alone() {
    let mut world = World::settled();
    let claim = operator_revokes("acme.example", &[SIGN, ADMIN]);
    world.refuse(&claim, &["operator"], Code::SignatureExtra, "/signatures");
    world.refuse(&claim, &[ADMIN], Code::RightRegistrar, "/signatures");
    world.refuse(&claim, &["registrar", ADMIN], Code::SignatureExtra, "/signatures");
    let taken = world.ok(&claim, &["registrar"]);
    assert_eq!(links(&taken), (Some(0), Some(1), Some(1)));
    let issuer = fold::read::issuer(&world.state, "acme.example").unwrap().unwrap();
    assert_eq!((issuer.admins, issuer.entries, issuer.last), (0, 2, taken.index));
    assert_eq!((issuer.roles.len(), issuer.legal_name.as_str()), (2, "acme.example (test)"));
}

#[test]
pub(crate) fn a_key_speaks_before_its_until() {
    let mut world = World::settled();
    let claim = set(change(&[("s2", "sign")]), "/body/keys/0/until", json!("2027-01-16T08:00:00Z"));
    world.ok(&claim, &[ADMIN, "s2"]);
    world.now = START + DAY - 1;
    world.ok(&support("2031-03"), &["s2"]);
    world.now = START + DAY;
    world.refuse(&support("2031-04"), &["s2"], Code::KeyExpired, "/signatures");
    let day = set(change(&[("s3", "sign")]), "/body/keys/0/until", json!("2027-01"));
    world.ok(&day, &[ADMIN, "s3"]);
    world.now = 1_801_440_000_000 - 2; // 2027-01-31T23:59:59.998Z, before the month's last instant
    world.ok(&support("2031-05"), &["s3"]);
    world.now = 1_801_440_000_000 - 1;
    world.refuse(&support("2031-06"), &["s3"], Code::KeyExpired, "/signatures");
}

#[test]
fn registry_claims_are_new_and_nobodys_proxy() {
    let mut world = World::settled();
    let target = world.ok(&change(&[]), &[ADMIN]).id;
    world.refuse(
        &related(change(&[("s2", "sign")]), "supersede", &target),
        &[ADMIN, "s2"],
        Code::ClaimValue,
        "/rel/kind",
    );
    let mandated = set(change(&[("s2", "sign")]), "/authority", json!(target.to_string()));
    world.refuse(&mandated, &[ADMIN, "s2"], Code::RightAuthority, "/authority");
    let behalf = set(change(&[("s2", "sign")]), "/on_behalf_of", json!("csirt.example"));
    world.refuse(&behalf, &[ADMIN, "s2"], Code::RightAuthority, "/on_behalf_of");
}

#[test]
fn keys_of_an_issuer_are_listed() {
    let mut world = World::settled();
    world.ok(&change(&[("s2", "sign")]), &[ADMIN, "s2"]);
    let listed: Vec<_> = (0..4).map(|n| fold::read::issuer_key(&world.state, "acme.example", n).unwrap()).collect();
    let ids = keys(&[SIGN, ADMIN, "s2"]).iter().map(|key| Some(key.public().id())).collect::<Vec<_>>();
    assert_eq!(listed, [ids, vec![None]].concat());
}

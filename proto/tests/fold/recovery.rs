//! Recovery of lost keys, and the veto.

use proto::code::Code;
use proto::fold::{self, RECOVERY_WAIT_MS};
use serde_json::{Value, json};

use crate::world::*;

const ADMIN: &str = "acme.example/admin";
const ROLES: &[&str] = &["manufacturer", "authorised-representative"];

fn start(keys: &[(&str, &str)]) -> Value {
    set(issuer_v1("acme.example", ROLES, keys), "/body/recovery", json!({"kind": "start"}))
}

fn veto(claim: &str) -> Value {
    set(issuer_v1("acme.example", ROLES, &[]), "/body/recovery", json!({"kind": "veto", "claim": claim}))
}

fn change(keys: &[(&str, &str)]) -> Value {
    issuer_v1("acme.example", ROLES, keys)
}

#[test]
pub(crate) fn the_keys_speak_after_seven_days() {
    let mut world = World::settled();
    let claim = start(&[("s2", "sign"), ("a2", "admin")]);
    world.refuse(&claim, &["s2", "a2", ADMIN], Code::RightRegistrar, "/signatures");
    world.refuse(&claim, &["registrar", "s2"], Code::KeyNoPossession, "/body/keys/1");
    world.refuse(&claim, &["registrar", "s2", "a2", ADMIN], Code::SignatureExtra, "/signatures");
    let at = world.now;
    world.ok(&claim, &["registrar", "s2", "a2"]);
    world.now = at + RECOVERY_WAIT_MS - 1;
    world.refuse(&support("2031-03"), &["s2"], Code::KeyExpired, "/signatures");
    world.refuse(&change(&[("s3", "sign")]), &["a2", "s3"], Code::KeyExpired, "/signatures");
    world.now = at + RECOVERY_WAIT_MS;
    world.ok(&support("2031-03"), &["s2"]);
    world.ok(&change(&[("s3", "sign")]), &["a2", "s3"]);
    assert_eq!(fold::read::issuer(&world.state, "acme.example").unwrap().unwrap().recovery, None);
}

#[test]
fn an_old_admin_key_vetoes_before_they_speak() {
    let mut world = World::settled();
    let at = world.now;
    let id = world.ok(&start(&[("a2", "admin")]), &["registrar", "a2"]).id.to_string();
    let other = format!("sha256:{}", "00".repeat(32));
    world.refuse(&veto(&other), &[ADMIN], Code::SlotRecovery, "/body/recovery");
    world.refuse(&veto(&id), &["a2"], Code::KeyExpired, "/signatures");
    world.refuse(&veto(&id), &["acme.example/sign"], Code::RightUse, "/signatures");
    world.refuse(&veto(&id), &["registrar"], Code::SignatureMissing, "/signatures");
    world.refuse(&veto(&id), &["registrar", ADMIN], Code::SignatureExtra, "/signatures");
    let mut late = world.clone();
    late.now = at + RECOVERY_WAIT_MS;
    late.refuse(&veto(&id), &[ADMIN], Code::SlotRecovery, "/body/recovery");
    world.now = at + RECOVERY_WAIT_MS - 1;
    world.ok(&veto(&id), &[ADMIN]);
    world.now = at + RECOVERY_WAIT_MS + 1;
    world.refuse(&change(&[("s3", "sign")]), &["a2", "s3"], Code::KeyRevoked, "/signatures");
    let issuer = fold::read::issuer(&world.state, "acme.example").unwrap().unwrap();
    assert_eq!((issuer.admins, issuer.recovery), (1, None));
    let again = set(start(&[("a2", "admin")]), "/body/country", json!("DE"));
    world.refuse(&again, &["registrar", "a2"], Code::KeyTaken, "/body/keys/0");
    world.ok(&start(&[("a3", "admin")]), &["registrar", "a3"]);
}

#[test]
fn one_recovery_waits_at_a_time() {
    let mut world = World::settled();
    let at = world.now;
    world.ok(&start(&[("a2", "admin")]), &["registrar", "a2"]);
    world.refuse(&start(&[("a3", "admin")]), &["registrar", "a3"], Code::SlotRecovery, "/body/recovery");
    world.now = at + RECOVERY_WAIT_MS;
    world.ok(&start(&[("a3", "admin")]), &["registrar", "a3"]);
}

#[test]
pub(crate) fn a_recovery_only_adds_keys_and_a_veto_only_stops_it() {
    let mut world = World::settled();
    world.enrol("maker.example", &["manufacturer"]);
    let revoke = json!([{"key_id": key_id(ADMIN), "reason": "lost"}]);
    let extras = [
        ("/body/revoke", revoke),
        ("/body/admin_threshold", json!(1)),
        ("/body/mandate", json!({"mandator": "maker.example"})),
        ("/body/successor_of", json!("maker.example")),
    ];
    for (pointer, value) in &extras {
        let claim = set(start(&[("a2", "admin")]), pointer, value.clone());
        world.refuse(&claim, &["registrar", "a2"], Code::ClaimValue, pointer);
    }
    let id = world.ok(&start(&[("a2", "admin")]), &["registrar", "a2"]).id.to_string();
    for (pointer, value) in &extras {
        world.refuse(&set(veto(&id), pointer, value.clone()), &[ADMIN], Code::ClaimValue, pointer);
    }
    let keys = set(veto(&id), "/body/keys/", json!({"alg": "ed25519", "spki": spki("a3"), "use": "admin"}));
    world.refuse(&keys, &[ADMIN, "a3"], Code::ClaimValue, "/body/keys");
}

#[test]
fn neither_changes_what_the_body_repeats() {
    let mut world = World::settled();
    let before = fold::read::issuer(&world.state, "acme.example").unwrap().unwrap();
    let other = |claim: Value| {
        let claim = set(claim, "/body/legal_name", json!("Another name"));
        let claim = set(claim, "/body/replay", json!(true));
        set(claim, "/body/roles", json!(["manufacturer", "authority"]))
    };
    let id = world.ok(&other(start(&[("a2", "admin")])), &["registrar", "a2"]).id.to_string();
    world.ok(&other(veto(&id)), &[ADMIN]);
    let after = fold::read::issuer(&world.state, "acme.example").unwrap().unwrap();
    assert_eq!(
        (after.legal_name, after.roles, after.admin_threshold, after.replay),
        (before.legal_name, before.roles, before.admin_threshold, before.replay)
    );
    let role = set(other(start(&[("a3", "admin")])), "/role", json!("authority"));
    world.refuse(&role, &["registrar", "a3"], Code::RightRole, "/role");
}

#[test]
fn a_recovery_brings_as_many_admin_keys_as_the_threshold_says() {
    let mut world = World::settled();
    world.refuse(&start(&[("s2", "sign")]), &["registrar", "s2"], Code::ClaimValue, "/body/keys");
    world.refuse(&start(&[]), &["registrar"], Code::ClaimValue, "/body/keys");
    world.ok(&set(change(&[("a2", "admin")]), "/body/admin_threshold", json!(2)), &[ADMIN, "a2"]);
    world.refuse(&start(&[("a3", "admin")]), &["registrar", "a3"], Code::ClaimValue, "/body/keys");
    let id = world.ok(&start(&[("a3", "admin"), ("a4", "admin")]), &["registrar", "a3", "a4"]).id.to_string();
    // One admin key vetoes, whatever the threshold; more are too many.
    world.refuse(&veto(&id), &[ADMIN, "a2"], Code::SignatureExtra, "/signatures");
    world.ok(&veto(&id), &["a2"]);
}

#[test]
fn a_waiting_key_that_is_revoked_stays_revoked_by_that_entry() {
    let mut world = World::settled();
    let id = world.ok(&start(&[("a2", "admin")]), &["registrar", "a2"]).id.to_string();
    let revoke = set(change(&[]), "/body/revoke", json!([{"key_id": key_id("a2"), "reason": "unspecified"}]));
    let revoked = world.ok(&revoke, &[ADMIN]).index;
    world.ok(&veto(&id), &[ADMIN]);
    let record = fold::read::key(&world.state, &key("a2").public().id()).unwrap().unwrap();
    assert_eq!(record.revoked, Some(revoked));
    assert_eq!(fold::read::issuer(&world.state, "acme.example").unwrap().unwrap().admins, 1);
}

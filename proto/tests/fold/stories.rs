//! Whole stories, as a reader would tell them.

use proto::code::Code;
use proto::fold::{self, RECOVERY_WAIT_MS};
use serde_json::json;

use crate::world::*;

const SIGN: &str = "acme.example/sign";
const ADMIN: &str = "acme.example/admin";
const CSIRT: &str = "csirt.example/sign";

/// Everything once: the log that vectors and bytes are taken from.
pub(crate) fn whole_story() -> World {
    let mut world = World::settled();
    promises(&mut world);
    rotation(&mut world);
    recoveries(&mut world);
    representation(&mut world);
    rules(&mut world);
    world
}

/// Claim, supersede, dispute, branch, withdraw, claims about another log.
fn promises(world: &mut World) {
    let units = json!({"batch": "B 7", "placed_from": "2026-01"});
    let a = world.ok(&support("2031-03"), &[SIGN]);
    let b = world.ok(&related(support("2030-03"), "supersede", &a.id), &[SIGN]);
    world.ok(&about("csirt.example", "researcher", "dispute", &b.id), &[CSIRT]);
    world.ok(&related(support("2031-03-31"), "amend", &a.id), &[SIGN]);
    world.ok(&about("acme.example", "manufacturer", "confirm", &b.id), &[SIGN]);
    world.ok(&about("acme.example", "manufacturer", "withdraw", &b.id), &[SIGN]);
    world.ok(&set(support("tba"), "/subject/units", units), &[SIGN]);
    let elsewhere = json!({"id": format!("sha256:{}", "07".repeat(32)), "origin": "other.example"});
    world.ok(&set(about("csirt.example", "csirt", "dispute", &a.id), "/rel/target", elsewhere), &[CSIRT]);
}

/// A new signing key, the old one revoked by the issuer, then the new one by the operator.
fn rotation(world: &mut World) {
    let roles = ["manufacturer", "authorised-representative"];
    let claim = issuer_v1("acme.example", &roles, &[("acme 2", "sign"), ("acme 3", "sign"), ("admin 2", "admin")]);
    let claim = set(claim, "/body/revoke", json!([{"key_id": key_id(SIGN), "reason": "superseded"}]));
    world.ok(&claim, &[ADMIN, "acme 2", "acme 3", "admin 2"]);
    world.refuse(&support("2033-01"), &[SIGN], Code::KeyRevoked, "/signatures");
    world.ok(&support("2033-01"), &["acme 2"]);
    world.ok(&operator_revokes("acme.example", &["acme 2"]), &["registrar"]);
    world.refuse(&support("2033-02"), &["acme 2"], Code::KeyRevoked, "/signatures");
    world.ok(&support("2033-02"), &["acme 3"]);
}

/// One recovery that is vetoed, one that holds.
fn recoveries(world: &mut World) {
    let roles = ["manufacturer", "authorised-representative"];
    let start = |key: &str| {
        set(issuer_v1("acme.example", &roles, &[(key, "admin")]), "/body/recovery", json!({"kind": "start"}))
    };
    let thief = world.ok(&start("thief"), &["registrar", "thief"]);
    let veto = json!({"kind": "veto", "claim": thief.id.to_string()});
    world.ok(&set(issuer_v1("acme.example", &roles, &[]), "/body/recovery", veto), &["admin 2"]);
    world.ok(&start("found again"), &["registrar", "found again"]);
    world.now += RECOVERY_WAIT_MS;
    let change = issuer_v1("acme.example", &roles, &[("acme 4", "sign")]);
    world.refuse(&change, &["thief", "acme 4"], Code::KeyRevoked, "/signatures");
    world.ok(&change, &["found again", "acme 4"]);
}

/// A representative with a mandate, and a successor.
fn representation(world: &mut World) {
    let first = world.ok(&set(support("2035-01"), "/subject/model", json!("CAM-9")), &["acme 4"]);
    let claim = issuer_v1("rep.example", &["authorised-representative"], &[("rep", "sign"), ("rep admin", "admin")]);
    let claim =
        set(claim, "/body/mandate", json!({"mandator": "acme.example", "types": ["support/v1"], "until": "2028"}));
    world.refuse(&claim, &["registrar", "rep", "rep admin", ADMIN], Code::ClaimDate, "/body/mandate/until");
    let claim = set(claim, "/body/mandate/until", json!("2028-01"));
    let mandate = world.ok(&claim, &["registrar", "rep", "rep admin", ADMIN]);
    let mut next = set(related(support("2036-01"), "supersede", &first.id), "/subject/model", json!("CAM-9"));
    next["issuer"] = json!("rep.example");
    next["role"] = json!("authorised-representative");
    next["authority"] = json!(mandate.id.to_string());
    let second = world.ok(&next, &["rep"]);
    assert_eq!(links(&second).2, Some(first.index));
    let heir = issuer_v1("heir.example", &["manufacturer"], &[("heir", "sign"), ("heir admin", "admin")]);
    let heir = set(heir, "/body/successor_of", json!("acme.example"));
    let succession = world.ok(&heir, &["registrar", "heir", "heir admin", "found again"]);
    let mut last = set(about("heir.example", "manufacturer", "withdraw", &second.id), "/subject/model", json!("CAM-9"));
    last["authority"] = json!(succession.id.to_string());
    assert_eq!(links(&world.ok(&last, &["heir"])).2, Some(second.index));
}

/// A change of the rules that waits and then holds, then the end.
fn rules(world: &mut World) {
    let next = set(log_v1(), "/effective", json!("2027-03-01"));
    let next = set(next, "/body/registrar_keys", json!([log_key("registrar 2")]));
    let change = world.ok(&next, &["operator", "registrar 2"]);
    assert_eq!(links(&world.enrol("early.example", &["importer"])).0, Some(0));
    world.now = START + 60 * DAY;
    let late = issuer_v1("late.example", &["importer"], &[("late admin", "admin")]);
    world.refuse(&late, &["registrar", "late admin"], Code::RightRegistrar, "/signatures");
    assert_eq!(links(&world.ok(&late, &["registrar 2", "late admin"])).0, Some(change.index));
    let freeze = set(next, "/body/freeze", json!({"successor": null}));
    world.refuse(&freeze, &["operator"], Code::SlotConstitution, "/effective");
    let mut freeze = freeze;
    freeze.as_object_mut().unwrap().remove("effective");
    assert_eq!(links(&world.ok(&freeze, &["operator"])), (Some(change.index), None, Some(change.index)));
    world.refuse(&support("2040-01"), &["acme 4"], Code::ModeFrozen, "-");
}

#[test]
fn a_promise_is_made_shortened_disputed_and_taken_back() {
    let mut world = World::settled();
    promises(&mut world);
    let slot = fold::read::slot(&world.state, 3).unwrap().unwrap();
    assert_eq!((slot.entries, slot.heads, slot.last), (6, 1, 8));
    let current = fold::read::claim(&world.state, &proto::claim::ClaimId(proto::hash::Hash(slot.current.unwrap())));
    assert_eq!(current.unwrap().unwrap().index, 6, "the amendment of the longer promise");
}

#[test]
fn a_log_lives_and_ends() {
    let world = whole_story();
    let log = fold::constitution(&world.state).unwrap().unwrap();
    assert!(log.current.frozen);
    // No gap: every slot's chain by `previous` has as many entries as its record says.
    let previous: Vec<_> = world
        .entries
        .iter()
        .map(|bytes| proto::entry::Entry::decode(bytes).unwrap().links.previous.map(|index| index.0))
        .collect();
    for first in 0..world.entries.len() as u64 {
        let Some(slot) = fold::read::slot(&world.state, first).unwrap() else { continue };
        let chain: Vec<_> =
            std::iter::successors(Some(slot.last), |index| previous[usize::try_from(*index).unwrap()]).collect();
        assert_eq!((chain.len() as u64, chain.last()), (slot.entries, Some(&first)));
    }
}

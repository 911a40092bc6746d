//! Slots: heads, targets, the chain of `previous`.

use proto::claim::ClaimId;
use proto::code::Code;
use proto::fold;
use serde_json::{Value, json};

use crate::world::*;

const SIGN: &str = "acme.example/sign";
const CSIRT: &str = "csirt.example/sign";

fn record(world: &World, id: &ClaimId) -> fold::ClaimRecord {
    fold::read::claim(&world.state, id).unwrap().unwrap()
}

/// Current claim and number of heads of the slot that began at `first`.
fn slot(world: &World, first: u64) -> (Option<[u8; 32]>, u64) {
    let slot = fold::read::slot(&world.state, first).unwrap().unwrap();
    (slot.current, slot.heads)
}

fn release(version: &str, digest: u8) -> Value {
    let body = json!({
        "version": version,
        "artifacts": [{"role": "firmware", "sha256": format!("{digest:02x}").repeat(32)}],
    });
    let mut claim = claim("release/v1", "acme.example", "manufacturer", json!({"kind": "new"}), body);
    claim["subject"] = json!({"manufacturer": "acme.example", "model": "CAM-3"});
    claim
}

#[test]
fn new_is_always_accepted_and_contests() {
    let mut world = World::settled();
    let a = world.ok(&support("2031-03"), &[SIGN]);
    let respelt = set(support("2032-03"), "/subject/model", json!("  cam-3 "));
    let b = world.ok(&respelt, &[SIGN]);
    assert_eq!((links(&a).2, links(&b).2), (None, Some(a.index)), "one slot, however the model is spelt");
    assert_eq!(slot(&world, a.index), (Some(b.id.0.0), 2));
    assert!(record(&world, &a.id).head && record(&world, &b.id).head);
}

#[test]
fn slots_differ_by_issuer_product_type_and_key() {
    let mut world = World::settled();
    world.ok(&support("2031-03"), &[SIGN]);
    let model = set(support("2031-03"), "/subject/model", json!("CAM-4"));
    let units = set(support("2031-03"), "/subject/units", json!({"batch": "B1"}));
    for other in [model, units, release("1.0", 1), release("1.0 ", 1), release("1.1", 1)] {
        assert_eq!(links(&world.ok(&other, &[SIGN])).2, None);
    }
    let mut other = set(support("2031-03"), "/issuer", json!("csirt.example"));
    other["role"] = json!("csirt");
    assert_eq!(links(&world.ok(&other, &[CSIRT])).2, None);
    let uri = claim("https://example.com/t", "acme.example", "manufacturer", json!({"kind": "new"}), json!(3));
    let first = world.ok(&uri, &[SIGN]);
    let again = world.ok(&set(uri, "/body", json!([4])), &[SIGN]);
    assert_eq!(links(&again).2, Some(first.index));
}

#[test]
fn amend_and_supersede_replace() {
    let mut world = World::settled();
    let a = world.ok(&support("2031-03"), &[SIGN]);
    let b = world.ok(&related(support("2031-04"), "amend", &a.id), &[SIGN]);
    assert_eq!((slot(&world, a.index), record(&world, &a.id).head), ((Some(b.id.0.0), 1), false));
    let c = world.ok(&related(support("2031-05"), "supersede", &b.id), &[SIGN]);
    assert_eq!((slot(&world, a.index), links(&c).2), ((Some(c.id.0.0), 1), Some(b.index)));
}

#[test]
pub(crate) fn a_branch_is_accepted_and_contests() {
    let mut world = World::settled();
    let a = world.ok(&support("2031-03"), &[SIGN]);
    let b = world.ok(&related(support("2031-04"), "supersede", &a.id), &[SIGN]);
    let c = world.ok(&related(support("2031-05"), "supersede", &a.id), &[SIGN]);
    assert_eq!((slot(&world, a.index), links(&c).2), ((Some(c.id.0.0), 2), Some(b.index)));
    // Withdrawing the current one lets the other head be current again.
    let d = world.ok(&about("acme.example", "manufacturer", "withdraw", &c.id), &[SIGN]);
    assert_eq!((slot(&world, a.index), links(&d).2), ((Some(b.id.0.0), 1), Some(c.index)));
    // Withdrawing what is no head changes no head.
    world.ok(&about("acme.example", "manufacturer", "withdraw", &a.id), &[SIGN]);
    assert_eq!((slot(&world, a.index), record(&world, &a.id).withdrawn), ((Some(b.id.0.0), 1), true));
}

#[test]
pub(crate) fn a_head_in_the_middle_leaves_its_neighbours_linked() {
    let mut world = World::settled();
    let ids: Vec<_> = (1..=4).map(|n| world.ok(&support(&format!("203{n}-01")), &[SIGN])).collect();
    let first = ids[0].index;
    world.ok(&about("acme.example", "manufacturer", "withdraw", &ids[1].id), &[SIGN]);
    world.ok(&about("acme.example", "manufacturer", "withdraw", &ids[3].id), &[SIGN]);
    assert_eq!(slot(&world, first), (Some(ids[2].id.0.0), 2));
    world.ok(&about("acme.example", "manufacturer", "withdraw", &ids[2].id), &[SIGN]);
    assert_eq!(slot(&world, first), (Some(ids[0].id.0.0), 1));
    world.ok(&about("acme.example", "manufacturer", "withdraw", &ids[0].id), &[SIGN]);
    assert_eq!(slot(&world, first), (None, 0));
    let again = world.ok(&support("2040-01"), &[SIGN]);
    assert_eq!((slot(&world, first), links(&again).2), ((Some(again.id.0.0), 1), Some(again.index - 1)));
}

#[test]
pub(crate) fn others_confirm_and_dispute_in_the_targets_slot() {
    let mut world = World::settled();
    let a = world.ok(&support("2031-03"), &[SIGN]);
    let dispute = world.ok(&about("csirt.example", "researcher", "dispute", &a.id), &[CSIRT]);
    assert_eq!(links(&dispute), (Some(0), Some(2), Some(a.index)));
    let confirm = world.ok(&about("acme.example", "manufacturer", "confirm", &a.id), &[SIGN]);
    assert_eq!(links(&confirm).2, Some(dispute.index));
    assert_eq!(slot(&world, a.index), (Some(a.id.0.0), 1));
    assert_eq!(fold::read::slot(&world.state, a.index).unwrap().unwrap().entries, 3);
    // The researcher takes its own dispute back, and nothing else; a maker may dispute another maker's claim.
    world.refuse(&about("csirt.example", "csirt", "withdraw", &a.id), &[CSIRT], Code::RightTarget, "/rel/target/id");
    let back = world.ok(&about("csirt.example", "csirt", "withdraw", &dispute.id), &[CSIRT]);
    assert_eq!(links(&back).2, Some(confirm.index));
    assert!(record(&world, &dispute.id).withdrawn && record(&world, &a.id).head);
    world.enrol("rival.example", &["manufacturer"]);
    world.ok(&about("rival.example", "manufacturer", "dispute", &a.id), &["rival.example/sign"]);
    // Nobody withdraws another's dispute.
    let foreign = about("acme.example", "manufacturer", "withdraw", &dispute.id);
    world.refuse(&foreign, &[SIGN], Code::TargetWithdrawn, "/rel/target/id");
}

#[test]
pub(crate) fn targets_exist_below_and_are_not_withdrawn() {
    let mut world = World::settled();
    let a = world.ok(&support("2031-03"), &[SIGN]);
    let unknown = ClaimId(proto::hash::Hash([7; 32]));
    let at = "/rel/target/id";
    world.refuse(&related(support("2032-03"), "supersede", &unknown), &[SIGN], Code::TargetUnknown, at);
    world.ok(&about("acme.example", "manufacturer", "withdraw", &a.id), &[SIGN]);
    for kind in ["withdraw", "confirm", "dispute"] {
        let claim = set(about("acme.example", "manufacturer", kind, &a.id), "/rel/note", json!("again"));
        world.refuse(&claim, &[SIGN], Code::TargetWithdrawn, at);
    }
    for kind in ["amend", "supersede"] {
        world.refuse(&related(support("2032-03"), kind, &a.id), &[SIGN], Code::TargetWithdrawn, at);
    }
}

#[test]
fn targets_have_the_same_type_product_and_slot() {
    let mut world = World::settled();
    let a = world.ok(&support("2031-03"), &[SIGN]);
    let r = world.ok(&release("1.0", 1), &[SIGN]);
    let at = "/rel/target/id";
    world.refuse(&related(release("1.1", 1), "supersede", &a.id), &[SIGN], Code::TargetType, at);
    world.refuse(&related(release("1.1", 1), "supersede", &r.id), &[SIGN], Code::TargetSlot, at);
    let other_model = set(related(support("2032-03"), "amend", &a.id), "/subject/model", json!("CAM-4"));
    world.refuse(&other_model, &[SIGN], Code::TargetSlot, "/subject");
    let confirm = set(about("csirt.example", "csirt", "confirm", &a.id), "/subject/model", json!("CAM-4"));
    world.refuse(&confirm, &[CSIRT], Code::TargetSlot, "/subject");
    let units = set(related(support("2032-03"), "amend", &a.id), "/subject/units", json!({"batch": "B1"}));
    world.refuse(&units, &[SIGN], Code::TargetSlot, at);
    let enrolment = World::settled().enrol("x.example", &["csirt"]);
    let mut with_issuer = world.clone();
    with_issuer.enrol("x.example", &["csirt"]);
    let about_issuer = about("csirt.example", "csirt", "dispute", &enrolment.id);
    with_issuer.refuse(&about_issuer, &[CSIRT], Code::TargetType, at);
}

#[test]
pub(crate) fn only_claims_with_a_body_are_replaced_and_only_by_their_issuer() {
    let mut world = World::settled();
    let a = world.ok(&support("2031-03"), &[SIGN]);
    let dispute = world.ok(&about("csirt.example", "csirt", "dispute", &a.id), &[CSIRT]);
    let at = "/rel/target/id";
    world.refuse(&related(support("2032-03"), "supersede", &dispute.id), &[SIGN], Code::TargetKind, at);
    let mut other = set(related(support("2032-03"), "supersede", &a.id), "/issuer", json!("csirt.example"));
    other["role"] = json!("csirt");
    world.refuse(&other, &[CSIRT], Code::RightTarget, at);
    let withdraw = about("acme.example", "manufacturer", "withdraw", &dispute.id);
    world.refuse(&withdraw, &[SIGN], Code::RightTarget, at);
}

#[test]
pub(crate) fn a_target_of_another_log_is_kept_as_not_checked() {
    let mut world = World::settled();
    let elsewhere = ClaimId(proto::hash::Hash([7; 32]));
    let target = json!({"id": elsewhere.to_string(), "origin": "other.example"});
    let dispute = set(about("csirt.example", "csirt", "dispute", &elsewhere), "/rel/target", target.clone());
    let taken = world.ok(&dispute, &[CSIRT]);
    assert_eq!((links(&taken).2, record(&world, &taken.id).slot), (None, None));
    // What has a body has its own slot here and a chain without gaps.
    let a = world.ok(&support("2031-03"), &[SIGN]);
    let supersede = set(related(support("2032-03"), "supersede", &elsewhere), "/rel/target", target);
    let b = world.ok(&supersede, &[SIGN]);
    assert_eq!((links(&b).2, slot(&world, a.index)), (Some(a.index), (Some(b.id.0.0), 2)));
    // The own origin, named, is this log.
    let named = json!({"id": elsewhere.to_string(), "origin": ORIGIN});
    let own = set(about("csirt.example", "csirt", "confirm", &elsewhere), "/rel/target", named);
    world.refuse(&own, &[CSIRT], Code::TargetUnknown, "/rel/target/id");
    // A claim in no slot can be taken back, once.
    let confirm = about("acme.example", "manufacturer", "confirm", &taken.id);
    assert_eq!(links(&world.ok(&confirm, &[SIGN])).2, None);
    world.refuse(
        &about("acme.example", "manufacturer", "withdraw", &taken.id),
        &[SIGN],
        Code::RightTarget,
        "/rel/target/id",
    );
    world.ok(&about("csirt.example", "csirt", "withdraw", &taken.id), &[CSIRT]);
    assert!(record(&world, &taken.id).withdrawn);
    let again = set(about("csirt.example", "csirt", "withdraw", &taken.id), "/rel/note", json!("again"));
    world.refuse(&again, &[CSIRT], Code::TargetWithdrawn, "/rel/target/id");
    let mut typed = set(
        release("1.0", 1),
        "/rel",
        json!({"kind": "confirm", "target": {"id": taken.id.to_string()}, "reason": "x"}),
    );
    typed["body"] = json!({});
    world.refuse(&typed, &[SIGN], Code::TargetWithdrawn, "/rel/target/id");
    typed["rel"]["target"]["id"] = json!(world.ok(&set(dispute, "/rel/note", json!("2")), &[CSIRT]).id.to_string());
    world.refuse(&typed, &[SIGN], Code::TargetType, "/rel/target/id");
}

#[test]
fn rows_list_the_trail_the_issuer_and_the_ids() {
    let mut world = World::settled();
    let claim = set(support("2031-03"), "/subject/ids", json!([{"scheme": "gtin", "value": "96385074"}]));
    let a = world.ok(&claim, &[SIGN]);
    let b = world.ok(&about("csirt.example", "csirt", "dispute", &a.id), &[CSIRT]);
    let trail = fold::RowPrefix::trail("acme.example", "cam-3");
    let listed: Vec<_> = world.rows.keys().filter_map(|key| trail.index_of(key)).map(|index| index.0).collect();
    assert_eq!(listed, [a.index, b.index]);
    let by_id = fold::RowPrefix::id("gtin", "00000096385074");
    let listed: Vec<_> = world.rows.keys().filter_map(|key| by_id.index_of(key)).map(|index| index.0).collect();
    assert_eq!(listed, [a.index]);
    let item = fold::TrailItem::decode(&world.rows[&trail.at(proto::num::LeafIndex(b.index))]).unwrap();
    assert_eq!(
        (item.rel.as_str(), item.slot, item.target, item.claim_id()),
        ("dispute", Some(a.index), Some(a.id.0.0), b.id)
    );
    let product = fold::ProductItem::decode(&world.rows[fold::RowPrefix::product("acme.example", "cam-3").as_bytes()]);
    assert_eq!(product.unwrap().model, "CAM-3");
    let by_acme = fold::RowPrefix::by_issuer("acme.example");
    assert_eq!(world.rows.keys().filter_map(|key| by_acme.index_of(key)).count(), 2);
}

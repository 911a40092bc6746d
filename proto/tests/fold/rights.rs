//! Which key may say what for whom.

use proto::code::Code;
use serde_json::{Value, json};

use crate::world::*;

const SIGN: &str = "acme.example/sign";

/// A mandate of `acme.example` for `rep.example`, given with the representative's own registry entry.
fn mandate(extra: Value) -> Value {
    let mut mandate = json!({"mandator": "acme.example"});
    for (member, value) in extra.as_object().unwrap() {
        mandate[member] = value.clone();
    }
    set(issuer_v1("rep.example", &["authorised-representative", "manufacturer"], &[]), "/body/mandate", mandate)
}

/// A log with `rep.example` (entry 3).
fn world() -> World {
    let mut world = World::settled();
    world.enrol("rep.example", &["authorised-representative", "manufacturer"]);
    world
}

fn by_rep(claim: Value, authority: Option<String>) -> Value {
    let mut claim = claim;
    claim["issuer"] = json!("rep.example");
    claim["role"] = json!("authorised-representative");
    if let Some(id) = authority {
        claim["authority"] = json!(id);
        claim["on_behalf_of"] = json!("acme.example");
    }
    claim
}

#[test]
pub(crate) fn a_claim_has_one_signature_by_a_signing_key_of_its_issuer() {
    let mut world = World::settled();
    let claim = support("2031-03");
    world.refuse(&claim, &[SIGN, "acme.example/admin"], Code::SignatureExtra, "/signatures");
    world.refuse(&claim, &["acme.example/admin"], Code::RightUse, "/signatures");
    world.refuse(&claim, &["csirt.example/sign"], Code::RightOtherIssuer, "/issuer");
    world.refuse(&claim, &["registrar"], Code::RightOtherIssuer, "/issuer");
    world.refuse(&claim, &["operator"], Code::RightOtherIssuer, "/issuer");
    for unknown in ["nobody", "log", "time", "witness"] {
        world.refuse(&claim, &[unknown], Code::KeyUnknown, "/signatures");
    }
    assert_eq!(links(&world.ok(&claim, &[SIGN])), (Some(0), Some(1), None));
}

#[test]
pub(crate) fn roles_are_the_enrolled_ones() {
    let mut world = World::settled();
    world.refuse(&set(support("2031-03"), "/role", json!("researcher")), &[SIGN], Code::RightRole, "/role");
    world.refuse(&set(support("2031-03"), "/role", json!("operator")), &[SIGN], Code::ClaimValue, "/role");
}

#[test]
pub(crate) fn a_maker_speaks_about_its_own_products_only() {
    let mut world = World::settled();
    for other in ["csirt.example", "name:ACME", "unknown.example"] {
        let claim = set(support("2031-03"), "/subject/manufacturer", json!(other));
        world.refuse(&claim, &[SIGN], Code::RightOtherIssuer, "/subject/manufacturer");
    }
    let mut researcher = set(support("2031-03"), "/issuer", json!("csirt.example"));
    researcher["role"] = json!("researcher");
    world.ok(&researcher, &["csirt.example/sign"]);
}

#[test]
fn a_mandate_needs_the_mandators_admins() {
    let mut world = world();
    let claim = mandate(json!({}));
    world.refuse(&claim, &["rep.example/admin"], Code::SignatureMissing, "/signatures");
    world.refuse(&claim, &["acme.example/admin"], Code::SignatureMissing, "/signatures");
    world.refuse(&claim, &["rep.example/admin", SIGN], Code::SignatureExtra, "/signatures");
    world.refuse(&claim, &["rep.example/admin", "csirt.example/admin"], Code::SignatureExtra, "/signatures");
    let unknown = set(claim.clone(), "/body/mandate/mandator", json!("unknown.example"));
    world.refuse(&unknown, &["rep.example/admin"], Code::RightIssuer, "/body/mandate/mandator");
    let own = set(claim.clone(), "/body/mandate/mandator", json!("rep.example"));
    world.refuse(&own, &["rep.example/admin"], Code::ClaimValue, "/body/mandate/mandator");
    let both = set(claim.clone(), "/body/successor_of", json!("acme.example"));
    world.refuse(&both, &["rep.example/admin", "acme.example/admin"], Code::ClaimValue, "/body/successor_of");
    world.ok(&claim, &["rep.example/admin", "acme.example/admin"]);
}

#[test]
fn a_mandate_needs_as_many_admins_as_the_mandators_threshold() {
    let mut world = world();
    let roles = ["manufacturer", "authorised-representative"];
    let two = set(issuer_v1("acme.example", &roles, &[("a2", "admin")]), "/body/admin_threshold", json!(2));
    world.ok(&two, &["acme.example/admin", "a2"]);
    let claim = mandate(json!({}));
    world.refuse(&claim, &["rep.example/admin", "a2"], Code::SignatureMissing, "/signatures");
    world.ok(&claim, &["rep.example/admin", "acme.example/admin", "a2"]);
}

#[test]
pub(crate) fn a_representative_names_its_mandate() {
    let mut world = world();
    let sign = ["rep.example/sign"];
    world.refuse(&by_rep(support("2031-03"), None), &sign, Code::RightAuthority, "/authority");
    let behalf = set(by_rep(support("2031-03"), None), "/on_behalf_of", json!("acme.example"));
    world.refuse(&behalf, &sign, Code::RightAuthority, "/authority");
    let no_mandate = world.ok(&support("2031-03"), &[SIGN]).id.to_string();
    world.refuse(&by_rep(support("2031-03"), Some(no_mandate)), &sign, Code::RightAuthority, "/authority");
    let granted = world.ok(&mandate(json!({"types": ["support/v1"]})), &["rep.example/admin", "acme.example/admin"]);
    let id = granted.id.to_string();
    let other = set(by_rep(support("2031-03"), Some(id.clone())), "/on_behalf_of", json!("csirt.example"));
    world.refuse(&other, &sign, Code::RightAuthority, "/on_behalf_of");
    let maker = set(by_rep(support("2031-03"), Some(id.clone())), "/subject/manufacturer", json!("csirt.example"));
    world.refuse(&maker, &sign, Code::RightOtherIssuer, "/subject/manufacturer");
    let taken = world.ok(&by_rep(support("2031-03"), Some(id.clone())), &sign);
    assert_eq!(links(&taken), (Some(0), Some(granted.index), None), "a new claim opens the representative's own slot");
    // The mandate is nobody else's.
    let stolen = set(support("2031-04"), "/authority", json!(id));
    world.refuse(&stolen, &[SIGN], Code::RightAuthority, "/authority");
}

#[test]
fn a_mandate_is_for_its_types_and_its_time() {
    let mut world = world();
    let limits = json!({"types": ["contact/v1"], "until": "2027-01-20T08:00:00Z"});
    let id = world.ok(&mandate(limits), &["rep.example/admin", "acme.example/admin"]).id.to_string();
    let support_claim = by_rep(support("2031-03"), Some(id.clone()));
    world.refuse(&support_claim, &["rep.example/sign"], Code::RightAuthority, "/authority");
    let contact = |days: u32| {
        let body = json!({
            "contacts": ["mailto:security@acme.example"], "policy_uri": "https://acme.example/policy",
            "expires": "2028-01", "ack_days": days,
        });
        by_rep(claim("contact/v1", "", "", json!({"kind": "new"}), body), Some(id.clone()))
    };
    world.now = START + 5 * DAY - 1;
    world.ok(&contact(1), &["rep.example/sign"]);
    world.now = START + 5 * DAY;
    world.refuse(&contact(2), &["rep.example/sign"], Code::RightAuthority, "/authority");
}

#[test]
pub(crate) fn a_mandated_replacement_belongs_to_the_makers_slot() {
    let mut world = world();
    let first = world.ok(&support("2031-03"), &[SIGN]);
    let rep = |claim, id: &String| by_rep(claim, Some(id.clone()));
    let without = by_rep(related(support("2032-03"), "supersede", &first.id), None);
    let without = set(without, "/role", json!("manufacturer"));
    world.refuse(&without, &["rep.example/sign"], Code::RightOtherIssuer, "/subject/manufacturer");
    let until = json!({"until": "2027-01-20T08:00:00Z"});
    let id = world.ok(&mandate(until), &["rep.example/admin", "acme.example/admin"]).id.to_string();
    let second = world.ok(&rep(related(support("2032-03"), "supersede", &first.id), &id), &["rep.example/sign"]);
    assert_eq!(links(&second).2, Some(first.index));
    let third = world.ok(&rep(related(support("2033-03"), "amend", &second.id), &id), &["rep.example/sign"]);
    assert_eq!(links(&third).2, Some(second.index));
    // Without the mandate it cannot take back even what it said itself: it is the maker's.
    let withdraw = about("rep.example", "manufacturer", "withdraw", &third.id);
    world.refuse(&withdraw, &["rep.example/sign"], Code::RightTarget, "/rel/target/id");
    world.now = START + 6 * DAY;
    let over = rep(about("rep.example", "manufacturer", "withdraw", &third.id), &id);
    world.refuse(&over, &["rep.example/sign"], Code::RightAuthority, "/authority");
    // The maker can.
    let fourth = world.ok(&related(support("2034-03"), "supersede", &third.id), &[SIGN]);
    assert_eq!(links(&fourth).2, Some(third.index));
}

#[test]
fn a_successor_takes_over_slots() {
    let mut world = World::settled();
    let first = world.ok(&support("2031-03"), &[SIGN]);
    let claim = issuer_v1("new.example", &["manufacturer"], &[("new.example/sign", "sign"), ("n", "admin")]);
    let claim = set(claim, "/body/successor_of", json!("acme.example"));
    let own = ["registrar", "new.example/sign", "n"];
    world.refuse(&claim, &own, Code::SignatureMissing, "/signatures");
    let signers = ["registrar", "new.example/sign", "n", "acme.example/admin"];
    let id = world.ok(&claim, &signers).id.to_string();
    let mut next = set(related(support("2032-03"), "supersede", &first.id), "/issuer", json!("new.example"));
    world.refuse(&next, &["new.example/sign"], Code::RightOtherIssuer, "/subject/manufacturer");
    next["authority"] = json!(id);
    assert_eq!(links(&world.ok(&next, &["new.example/sign"])).2, Some(first.index));
}

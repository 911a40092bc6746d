//! Claim ids, slot keys and normalised forms of rules version 1, frozen. Blessed as [`crate::vectors`] says.

use proto::claim::{
    Claim, ClaimId, ClaimType, PAYLOAD_TYPE, ProductId, ProductKey, Scheme, normal, strip_comments, template,
};
use serde_json::{Value, json};

use crate::vectors::compare_or_bless;
use crate::world::*;

/// What the parser makes of a payload: ids and keys, or the refusal.
fn claim_vector(payload: &str) -> Value {
    let id = ClaimId::of(PAYLOAD_TYPE, payload.as_bytes()).to_string();
    match Claim::parse(payload.as_bytes()) {
        Ok(claim) => json!({
            "payload": payload, "id": id, "type": claim.claim_type.as_str(), "slot_key": claim.slot_key(),
            "product": claim.product().map(|key| [key.manufacturer, key.model_normalised]),
            "product_ids": claim.subject.iter().flat_map(|subject| &subject.ids)
                .map(|id| json!([id.scheme.as_str(), id.normalised])).collect::<Vec<_>>(),
        }),
        Err(refused) => {
            json!({"payload": payload, "id": id, "code": refused.code.as_str(), "pointer": refused.pointer})
        }
    }
}

fn payloads() -> Vec<String> {
    let templates = ClaimType::KNOWN.iter().map(|kind| strip_comments(&template(kind)));
    let mut payloads: Vec<String> = templates.collect();
    let claim = support("2031-03");
    let wrong = [
        set(claim.clone(), "/x", json!(1)),
        set(claim.clone(), "/type", json!("support/v2")),
        set(claim.clone(), "/role", json!("king")),
        set(claim.clone(), "/asserted_at", json!("2027-02-30T00:00:00Z")),
        set(claim.clone(), "/issuer", json!("ACME.example")),
        set(claim.clone(), "/rel", json!({"kind": "withdraw"})),
        set(claim.clone(), "/rel", json!({"kind": "reveal"})),
        set(claim.clone(), "/body/security_until", json!("soon")),
        set(claim.clone(), "/logs", json!([])),
        set(claim.clone(), "/logs/0/size", json!(9)),
        set(claim.clone(), "/legal", json!(["A:b"])),
        set(claim.clone(), "/subject/model", json!("a\u{200b}b")),
        set(claim.clone(), "/subject/units", json!({})),
        set(claim.clone(), "/effective", json!("2031")),
    ];
    payloads.extend(wrong.iter().map(Value::to_string));
    let right = [
        set(claim.clone(), "/subject/units", json!({"batch": " B\u{a0}7", "placed_from": "2026-01"})),
        set(claim.clone(), "/subject/units", json!({"placed_until": "2026-02-28"})),
        set(
            claim.clone(),
            "/subject/ids",
            json!([
                {"scheme": "gtin", "value": "96385074"}, {"scheme": "zigbee", "value": "0x117a:0xd002"},
                {"scheme": "oui", "value": "00-1A-2B"}, {"scheme": "model", "value": "Ｃam  3"},
            ]),
        ),
        set(claim.clone(), "/type", json!("https://example.com/t")),
    ];
    payloads.extend(right.iter().map(Value::to_string));
    payloads.extend(
        ["", "[]", "{}", "{\"type\":1}", "{\"a\":1,\"a\":1}", "{\"a\":9007199254740993}", "{} "].map(String::from),
    );
    payloads
}

#[test]
fn claims_of_version_1_are_frozen() {
    let names =
        ["CAM-3", " cam-3 ", "Ｃam\u{3000}3", "Straße", "İ", "ﬁ", "ΑΣ", "x\t y", "\u{212B}", "A\u{30A}", "①", "ẞ"];
    let names: Vec<_> = names.iter().map(|name| json!([name, normal::normalise(name)])).collect();
    let makers = ["acme.example", "name: ACME  GmbH", "name:", "ACME", "name:ﬁ"];
    let makers = makers.iter().map(|maker| {
        json!([maker, ProductKey::parse(maker, "M 1").map(|key| [key.manufacturer, key.model_normalised])])
    });
    let values = [
        "96385074",
        "4006381333931",
        "https://id.gs1.org/01/04006381333931",
        "Pkg:Generic/acme/cam-3@2.4.1",
        "AbC 1",
        "cpe:2.3:h:Acme:cam-3:-:*:*:*:*:*:*:*",
        "00:1a:2B",
        "2ABCD-cam3",
        "4474:53250",
        "A1..A9",
        "amazon-kindle",
    ];
    let ids = Scheme::ALL.into_iter().flat_map(|scheme| {
        values.map(|value| json!([scheme.as_str(), value, ProductId::new(scheme, value).ok().map(|id| id.normalised)]))
    });
    let claims: Vec<_> = payloads().iter().map(|payload| claim_vector(payload)).collect();
    let found = json!({
        "about": "Claims under rules version 1: claim id, slot key and product, or the refusal; names and product ids \
            as they are compared, null where refused.",
        "payload_type": PAYLOAD_TYPE, "claims": claims, "names": names, "makers": makers.collect::<Vec<_>>(),
        "ids": ids.collect::<Vec<_>>(),
    });
    compare_or_bless("claims-v1.json", &found);
}

//! `log/v1` and `issuer/v1`.

use serde_json::json;

use super::Edit::{Remove, Set};
use super::examples::{self, DIGEST, claim_id, spki, vkey, vkey_of};
use super::{bad, edited, good, parse, refused};
use crate::claim::body::Recovery;
use crate::claim::{Body, ClaimId, Role};
use crate::code::Code;

#[test]
fn issuers_are_read() {
    let claim = parse(&examples::issuer()).unwrap();
    let Body::Issuer(body) = &claim.body else { panic!("{claim:?}") };
    assert_eq!(body.roles, [Role::Manufacturer, Role::Importer]);
    assert_eq!(crate::b64::encode(&body.keys[0].spki), spki(1));
    assert!(body.replay);
    assert_eq!((body.recovery, claim.slot_key().as_deref()), (Some(Recovery::Start), Some("")));
    let veto = good(&examples::issuer(), "/body/recovery", json!({"kind": "veto", "claim": claim_id()}));
    let Body::Issuer(body) = veto.body else { panic!("another body") };
    assert_eq!(body.recovery, Some(Recovery::Veto(ClaimId::parse(&claim_id()).unwrap())));
}

#[test]
fn issuers_of_bad_form() {
    let base = examples::issuer();
    for member in ["/body/legal_name", "/body/roles", "/body/keys", "/body/identity", "/body/keys/0/spki"] {
        refused(&base, &[Remove(member)], Code::ClaimMissing, member);
    }
    bad(&base, "/body/roles", json!([]), Code::ClaimValue);
    refused(&base, &[Set("/body/roles/0", json!("operator"))], Code::ClaimValue, "/body/roles/0");
    refused(&base, &[Set("/body/roles", json!(["csirt", "csirt"]))], Code::ClaimValue, "/body/roles/1");
    good(&base, "/body/keys", json!([]));
    let twin = json!({"alg": "ed25519", "spki": spki(1), "use": "sign"});
    refused(&base, &[Set("/body/keys/1", twin)], Code::ClaimValue, "/body/keys/1");
    let many: Vec<_> = (0..17).map(|n| json!({"alg": "ed25519", "spki": spki(n), "use": "sign"})).collect();
    bad(&base, "/body/keys", json!(many), Code::ClaimTooMany);
    good(&base, "/body/keys", json!(many[..16]));
    bad(&base, "/body/keys/0/alg", json!("ES256"), Code::ClaimValue);
    bad(&base, "/body/keys/0/use", json!("both"), Code::ClaimValue);
    bad(&base, "/body/keys/0/until", json!("tba"), Code::ClaimDate);
    bad(&base, "/body/keys/0/spki", json!("%"), Code::ClaimValue);
    let mut weak = crate::b64::decode(&spki(1)).unwrap();
    weak.truncate(12);
    weak.extend([0u8; 32]); // a point of order 4
    bad(&base, "/body/keys/0/spki", json!(crate::b64::encode(&weak)), Code::KeyWeak);
    bad(&base, "/body/keys/0/spki", json!("AAAA"), Code::KeyWeak);
    bad(&base, "/body/revoke/0/key_id", json!(DIGEST.to_uppercase()), Code::ClaimValue);
    bad(&base, "/body/revoke/0/reason", json!("bored"), Code::ClaimValue);
    let revocation = json!({"key_id": DIGEST, "reason": "lost"});
    refused(&base, &[Set("/body/revoke/1", revocation.clone())], Code::ClaimValue, "/body/revoke/1");
    bad(&base, "/body/revoke", json!(vec![revocation; 17]), Code::ClaimTooMany);
    bad(&base, "/body/identity/method", json!("trust"), Code::ClaimValue);
    bad(&base, "/body/identity/evidence_sha256", json!("00"), Code::ClaimValue);
    bad(&base, "/body/admin_threshold", json!(0), Code::ClaimValue);
    bad(&base, "/body/admin_threshold", json!(17), Code::ClaimValue);
    bad(&base, "/body/country", json!("DEU"), Code::ClaimValue);
    bad(&base, "/body/website", json!("acme.example"), Code::ClaimValue);
    bad(&base, "/body/mandate/mandator", json!("x"), Code::ClaimValue);
    refused(&base, &[Set("/body/mandate/types/0", json!("issuer/v1"))], Code::ClaimValue, "/body/mandate/types/0");
    refused(&base, &[Set("/body/mandate/types/0", json!("x"))], Code::ClaimUnknownType, "/body/mandate/types/0");
    bad(&base, "/body/recovery/kind", json!("stop"), Code::ClaimValue);
    refused(&base, &[Set("/body/recovery/kind", json!("veto"))], Code::ClaimMissing, "/body/recovery/claim");
    refused(&base, &[Set("/body/recovery/claim", json!(claim_id()))], Code::ClaimUnknownMember, "/body/recovery/claim");
    bad(&base, "/body/successor_of", json!("x"), Code::ClaimValue);
    bad(&base, "/body/replay", json!(1), Code::ClaimWrongType);
    bad(&base, "/body/x", json!(1), Code::ClaimUnknownMember);
}

#[test]
fn the_operator_only_revokes() {
    let revoke = json!({"revoke": [{"key_id": DIGEST, "reason": "compromised"}]});
    let base = edited(examples::issuer(), &[Set("/role", json!("operator")), Set("/body", revoke)]);
    let claim = parse(&base).unwrap();
    let Body::Issuer(body) = claim.body else { panic!("another body") };
    assert_eq!((body.revoke.len(), body.legal_name, body.identity), (1, None, None));
    bad(&base, "/body/legal_name", json!("ACME"), Code::ClaimUnknownMember);
    bad(&base, "/body/keys", json!([]), Code::ClaimUnknownMember);
    bad(&base, "/body/revoke", json!([]), Code::ClaimValue);
    refused(&base, &[Remove("/body/revoke")], Code::ClaimMissing, "/body/revoke");
}

#[test]
fn constitutions_are_read() {
    let claim = parse(&examples::log()).unwrap();
    let Body::Log(body) = claim.body else { panic!("another body") };
    assert_eq!((body.operator_threshold, body.quorum, body.delta_seconds), (2, 1, 60));
    assert_eq!(body.witnesses[1].name, None);
    assert_eq!(body.freeze.unwrap().successor.unwrap().as_str(), "next.example");
    // A change to rules this program does not know must be readable under the rules before it.
    good(&examples::log(), "/body/rules_version", json!(2));
    good(&examples::log(), "/body/freeze", json!({"successor": null}));
    good(&examples::log(), "/body/witnesses/0", json!({"vkey": vkey("w9.example", 4, 99)}));
}

#[test]
fn constitutions_of_bad_form() {
    let base = examples::log();
    let required = [
        "/body/origin",
        "/body/log_vkey",
        "/body/time_vkey",
        "/body/hash",
        "/body/entry_format",
        "/body/operator_keys",
        "/body/operator_threshold",
        "/body/registrar_keys",
        "/body/witnesses",
        "/body/quorum",
        "/body/delta_seconds",
        "/body/rules_version",
        "/body/limits",
        "/body/limits/entry_bytes",
        "/body/limits/envelope_bytes",
        "/body/retention",
        "/body/predecessor/root",
        "/body/freeze/successor",
    ];
    for member in required {
        refused(&base, &[Remove(member)], Code::ClaimMissing, member);
    }
    refused(&base, &[Set("/logs/0/origin", json!("another.example"))], Code::ClaimValue, "/body/origin");
    bad(&base, "/body/hash", json!("sha-512"), Code::ClaimValue);
    bad(&base, "/body/entry_format", json!(2), Code::ClaimValue);
    bad(&base, "/body/operator_keys", json!([]), Code::ClaimValue);
    bad(&base, "/body/registrar_keys", json!([]), Code::ClaimValue);
    for (member, values) in [
        ("/body/operator_threshold", [0, 3]),
        ("/body/quorum", [-1, 3]),
        ("/body/delta_seconds", [0, 86_401]),
        ("/body/limits/entry_bytes", [0, 65_536]),
        ("/body/limits/envelope_bytes", [0, 131_073]),
        ("/body/rules_version", [0_i64, 1 << 32]),
    ] {
        for value in values {
            bad(&base, member, json!(value), Code::ClaimValue);
        }
    }
    bad(&base, "/body/retention", json!("10 years"), Code::ClaimValue);
    refused(&base, &[Set("/body/refusal_codes", json!(["a", "a"]))], Code::ClaimValue, "/body/refusal_codes/1");
    bad(&base, "/body/x", json!(1), Code::ClaimUnknownMember);
    bad(&base, "/body/limits/x", json!(1), Code::ClaimUnknownMember);
    bad(&base, "/body/freeze/successor", json!("a b"), Code::ClaimValue);
    bad(&base, "/body/predecessor/root", json!(DIGEST), Code::ClaimValue);
}

#[test]
fn vkeys_are_checked() {
    let base = examples::log();
    let name = "log.example/main";
    let right = vkey(name, 1, 10);
    let hash = right.split('+').nth(1).unwrap();
    for wrong in [
        vkey("other.example", 1, 10),
        vkey(name, 4, 10),
        right.replacen(hash, "00000000", 1),
        right.replacen(hash, &hash[..7], 1),
        format!("{right}\n"),
        name.to_owned(),
        format!("{name}+{hash}+"),
        String::new(),
    ] {
        bad(&base, "/body/log_vkey", json!(wrong), Code::ClaimValue);
    }
    bad(&base, "/body/log_vkey", json!(vkey_of(name, 1, &[0; 32])), Code::KeyWeak);
    bad(&base, "/body/log_vkey", json!(vkey_of(name, 1, &[0; 31])), Code::KeyWeak);
    bad(&base, "/body/time_vkey", json!(vkey(name, 4, 11)), Code::ClaimValue);
    bad(&base, "/body/witnesses/0/vkey", json!(vkey("w.example", 1, 30)), Code::ClaimValue);
    bad(&base, "/body/witnesses/0/vkey", json!(vkey_of("w.example", 6, &[1; 32])), Code::KeyWeak);
}

#[test]
fn no_key_has_two_roles() {
    let base = examples::log();
    let key = |n| json!({"alg": "ed25519", "spki": spki(n)});
    refused(&base, &[Set("/body/operator_keys/1", key(12))], Code::ClaimValue, "/body/operator_keys/1");
    refused(&base, &[Set("/body/registrar_keys/0", key(13))], Code::ClaimValue, "/body/registrar_keys/0");
    refused(&base, &[Set("/body/registrar_keys/0", key(10))], Code::ClaimValue, "/body/registrar_keys/0");
    bad(&base, "/body/time_vkey", json!(vkey("log.example/main/time", 4, 10)), Code::ClaimValue);
    bad(&base, "/body/witnesses/0/vkey", json!(vkey("w.example", 4, 11)), Code::ClaimValue);
    let twins = json!([{"vkey": vkey("w.example", 4, 40)}, {"vkey": vkey("w.example", 4, 41)}]);
    refused(&base, &[Set("/body/witnesses", twins)], Code::ClaimValue, "/body/witnesses/1/vkey");
}

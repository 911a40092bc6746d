//! One valid claim of every type, with every optional member of its body. The keys are test keys.

use serde_json::{Value, json};

use crate::ed25519::SecretKey;
use crate::hash::Hash;

pub(super) const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A claim id for targets.
pub(super) fn claim_id() -> String {
    format!("sha256:{DIGEST}")
}

/// The test key of this number, as `spki` carries it.
pub(super) fn spki(number: u8) -> String {
    crate::b64::encode(SecretKey::from_seed(&[number; 32]).public().to_spki())
}

/// A vkey of the test key of this number.
pub(super) fn vkey(name: &str, kind: u8, number: u8) -> String {
    vkey_of(name, kind, &SecretKey::from_seed(&[number; 32]).public().to_raw())
}

/// A vkey of any key bytes.
pub(super) fn vkey_of(name: &str, kind: u8, key: &[u8]) -> String {
    let data = [&[kind], key].concat();
    let hash = Hash::of_parts(&[name.as_bytes(), b"\n", &data]);
    format!("{name}+{}+{}", hex::encode(&hash.0[..4]), crate::b64::encode(&data))
}

/// A claim of this type about CAM-3.
pub(super) fn claim(claim_type: &str, role: &str, body: Value) -> Value {
    let mut claim = json!({
        "type": claim_type,
        "logs": [{"origin": "log.example/main"}],
        "issuer": "acme.example",
        "role": role,
        "asserted_at": "2027-02-01T12:00:00Z",
        "rel": {"kind": "new"},
        "body": body,
    });
    if !matches!(claim_type, "log/v1" | "issuer/v1" | "contact/v1") {
        claim["subject"] = json!({"manufacturer": "acme.example", "model": "CAM-3"});
    }
    claim
}

pub(super) fn support() -> Value {
    let mut claim = claim(
        "support/v1",
        "manufacturer",
        json!({
            "security_until": "2031-03", "last_updated": "2027-02-01T12:00:00Z", "start": "2027-01-15",
            "general_availability": "2027-01-15", "end_of_sales": "none", "end_of_life": "tba", "updates": "auto",
            "policy_uri": "https://acme.example/support", "eoas": false, "support": "2030-01-01",
        }),
    );
    claim["subject"]["units"] = json!({"batch": "B 7", "placed_from": "2027-01", "placed_until": "2027-12-31"});
    claim
}

/// A claim with every member of the frame.
pub(super) fn full_frame() -> Value {
    let mut claim = support();
    claim["logs"] = json!([
        {"origin": "log.example/main", "size": 7, "root": Hash::EMPTY_ROOT.to_base64()},
        {"origin": "log.example/second"},
    ]);
    claim["on_behalf_of"] = json!("mandator.example");
    claim["subject"] = json!({
        "manufacturer": "name:ACME Corp.", "model": " CAM-3 ", "versions": ["All versions prior to V3.0"],
        "ids": [{"scheme": "gtin", "value": "4006381333931"}], "markets": ["EU", "UK"],
        "units": {"batch": "B7"}, "manufacturer_name": "ACME", "model_name": "CAM 3",
    });
    claim["submit_before"] = json!("2027-02-02T00:00:00Z");
    claim["effective"] = json!("2027-02-01");
    claim["until"] = json!("2032-01");
    let target = json!({"id": claim_id(), "origin": "log.example/second"});
    claim["rel"] = json!({"kind": "supersede", "target": target, "reason": "longer", "note": "two\nlines"});
    claim["authority"] = json!(claim_id());
    claim["legal"] = json!(["cra:annex-ii.7", "psti:sch1.3"]);
    claim["docs"] = json!([{
        "rel": "declaration", "media_type": "application/pdf", "sha256": DIGEST, "size": 1234,
        "uri": "https://acme.example/doc.pdf", "publish": true,
    }]);
    claim
}

pub(super) fn issuer() -> Value {
    claim(
        "issuer/v1",
        "manufacturer",
        json!({
            "legal_name": "ACME GmbH",
            "roles": ["manufacturer", "importer"],
            "keys": [
                {"alg": "ed25519", "spki": spki(1), "use": "admin"},
                {"alg": "ed25519", "spki": spki(2), "use": "sign", "until": "2030-01"},
            ],
            "revoke": [{"key_id": DIGEST, "reason": "compromised", "compromised_since": "2027-01-01"}],
            "identity": {"method": "dns", "checked_at": "2027-02-01", "evidence_sha256": DIGEST},
            "admin_threshold": 1, "country": "DE", "website": "https://acme.example/", "registry_ids": ["HRB 12345"],
            "mandate": {"mandator": "mandator.example", "until": "2030-01", "types": ["support/v1"]},
            "successor_of": "old.example", "ceases_on": "2030-01-31", "recovery": {"kind": "start"}, "replay": true,
        }),
    )
}

pub(super) fn log() -> Value {
    claim(
        "log/v1",
        "operator",
        json!({
            "origin": "log.example/main",
            "log_vkey": vkey("log.example/main", 1, 10),
            "time_vkey": vkey("log.example/main/time", 4, 11),
            "hash": "sha-256", "entry_format": 1,
            "operator_keys": [{"alg": "ed25519", "spki": spki(12)}, {"alg": "ed25519", "spki": spki(13)}],
            "operator_threshold": 2,
            "registrar_keys": [{"alg": "ed25519", "spki": spki(14)}],
            "witnesses": [
                {"name": "one", "vkey": vkey("w1.example", 4, 15)},
                {"vkey": vkey_of("w2.example", 6, &[7; 1312])},
            ],
            "quorum": 1, "delta_seconds": 60, "rules_version": 1,
            "limits": {"entry_bytes": 65535, "envelope_bytes": 131072},
            "retention": "forever", "refusal_codes": ["claim.value"],
            "predecessor": {"origin": "old.example", "size": 9, "root": Hash::EMPTY_ROOT.to_base64()},
            "freeze": {"successor": "next.example"},
        }),
    )
}

pub(super) fn product() -> Value {
    claim(
        "product/v1",
        "manufacturer",
        json!({
            "name": "ACME Camera 3", "category": "IP camera", "placed_on_market": "2027-01-15",
            "end_of_placing": "2030-06", "hw_versions": ["A1"], "predecessor": "CAM-2",
            "intended_purpose_uri": "https://acme.example/purpose",
        }),
    )
}

pub(super) fn contact() -> Value {
    claim(
        "contact/v1",
        "manufacturer",
        json!({
            "contacts": ["mailto:psirt@acme.example"], "policy_uri": "https://acme.example/policy",
            "expires": "2028-02-01T00:00:00Z", "ack_days": 3, "status_days": 14, "fix_days": 90,
            "languages": ["de", "pt-BR"], "csaf_provider_uri": "https://acme.example/csaf.json",
        }),
    )
}

pub(super) fn release() -> Value {
    claim(
        "release/v1",
        "researcher",
        json!({
            "version": "36832016",
            "artifacts": [
                {"role": "firmware", "sha512": "ab".repeat(64), "size": 134487, "filename": "cam.bin"},
                {"role": "sbom", "sha256": DIGEST},
            ],
            "published_at": "2027-02-01", "observed_at": "2027-02-01T18:11:50+01:00", "security": true,
            "fixes": ["CVE-2027-12345"], "replaces": "2.4.0", "min_from": "2.0.0", "channel": "stable",
            "available_until": "2037-02-01", "urls": ["https://acme.example/cam.bin"],
        }),
    )
}

pub(super) fn vulnerability() -> Value {
    claim(
        "vulnerability/v1",
        "csirt",
        json!({
            "ids": ["CVE-2027-12345", "GHSA-xxxx"],
            "status": [
                {"versions": ["< 2.4.1"], "state": "affected"},
                {"versions": ["1.x"], "state": "not_affected", "justification": "component_not_present"},
            ],
            "severity": {"vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "score": 9.8},
            "times": {"reported": "2027-01-01", "aware": "2027-01-01", "public": "2027-02", "exploited_since": "2027-01-20",
                "fixed": "2027-02-01"},
            "fix_release": "2.4.1",
            "remediation": [{"category": "vendor_fix", "details": "Update.", "url": "https://acme.example/fw"}],
            "advisory": {"tracking_id": "ACME-2027-001", "version": "1"},
        }),
    )
}

pub(super) fn conformity() -> Value {
    claim(
        "conformity/v1",
        "manufacturer",
        json!({
            "scheme": "cra-doc", "status": "issued", "issued_at": "2027-01-10", "expires": "2032-01",
            "standards": ["EN 18031-1:2024"], "procedure": "module A", "body_no": "0123", "certificate_id": "DOC-7",
            "level": "substantial", "doc_uri": "https://acme.example/doc", "support_until_stated": "2032-01",
        }),
    )
}

pub(super) fn observation() -> Value {
    claim(
        "observation/v1",
        "researcher",
        json!({
            "target": claim_id(), "uri": "https://acme.example/cam.bin", "observed_at": "2027-02-01T11:00:00Z",
            "kind": "hash-mismatch", "value": "another digest", "capture_sha256": DIGEST, "method": "HTTP GET",
        }),
    )
}

pub(super) fn other() -> Value {
    claim("https://acme.example/types/energy", "manufacturer", json!({"watts": [1, 2.5, null], "x": {"y": true}}))
}

/// One of each.
pub(super) fn all() -> Vec<Value> {
    vec![
        full_frame(),
        log(),
        issuer(),
        product(),
        support(),
        contact(),
        release(),
        vulnerability(),
        conformity(),
        observation(),
        other(),
    ]
}

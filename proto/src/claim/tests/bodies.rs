//! The bodies about products, and product ids.

use serde_json::{Value, json};

use super::Edit::{Remove, Set};
use super::examples::{self, DIGEST, claim_id};
use super::{bad, edited, good, parse, refused};
use crate::claim::body::{AsGiven, SupportDate};
use crate::claim::{Body, ProductId, Scheme};
use crate::code::Code;

#[test]
fn required_members_of_bodies() {
    let cases: [(Value, &[&'static str]); 6] = [
        (examples::product(), &["/body/name", "/body/category", "/body/placed_on_market"]),
        (examples::contact(), &["/body/contacts", "/body/policy_uri", "/body/expires"]),
        (examples::release(), &["/body/version", "/body/artifacts", "/body/artifacts/0/role"]),
        (
            examples::vulnerability(),
            &[
                "/body/ids",
                "/body/status",
                "/body/status/0/versions",
                "/body/status/0/state",
                "/body/remediation/0/category",
                "/body/advisory/tracking_id",
            ],
        ),
        (examples::conformity(), &["/body/scheme", "/body/status", "/body/issued_at"]),
        (examples::observation(), &["/body/observed_at", "/body/kind"]),
    ];
    for (base, members) in cases {
        for member in members {
            refused(&base, &[Remove(member)], Code::ClaimMissing, member);
        }
        bad(&base, "/body/x", json!(1), Code::ClaimUnknownMember);
    }
}

#[test]
fn products() {
    let base = examples::product();
    assert_eq!(parse(&base).unwrap().slot_key().as_deref(), Some(""));
    bad(&base, "/body/name", json!("x".repeat(201)), Code::ClaimTooLong);
    bad(&base, "/body/placed_on_market", json!("soon"), Code::ClaimDate);
    bad(&base, "/body/hw_versions", json!(vec!["a"; 65]), Code::ClaimTooMany);
    bad(&base, "/body/intended_purpose_uri", json!("x"), Code::ClaimValue);
}

#[test]
fn support_dates() {
    let base = examples::support();
    for (text, date) in [("tba", SupportDate::Tba), ("none", SupportDate::None), ("ended", SupportDate::Ended)] {
        let claim = good(&base, "/body/security_until", json!(text));
        let Body::Support(body) = claim.body else { panic!("another body") };
        assert_eq!((body.security_until.as_str(), &body.security_until), (text, &date));
        assert_eq!(body.eoas, Some(AsGiven::Bool(false)));
        assert_eq!(body.support, Some(AsGiven::Text("2030-01-01".into())));
    }
    for text in ["TBA", "unknown", "", "2031"] {
        bad(&base, "/body/security_until", json!(text), Code::ClaimDate);
    }
    bad(&base, "/body/security_until", json!(true), Code::ClaimWrongType);
    bad(&base, "/body/last_updated", json!("tba"), Code::ClaimDate);
    bad(&base, "/body/updates", json!("sometimes"), Code::ClaimValue);
    bad(&base, "/body/eoas", json!(1), Code::ClaimWrongType);
}

#[test]
fn openeox_examples_keep_their_dates() {
    let Ok(data) = std::env::var("CLAIMTRAIL_DATA") else {
        eprintln!("skipped: CLAIMTRAIL_DATA not set");
        return;
    };
    let folder = match std::fs::read_dir(std::path::Path::new(&data).join("openeox")) {
        Ok(folder) => folder,
        Err(error) if std::env::var_os("CI").is_some() => panic!("openeox: {error}"),
        Err(error) => {
            eprintln!("skipped: openeox: {error}");
            return;
        }
    };
    let mut files = 0;
    for file in folder {
        let source: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        let mut claim = examples::support();
        claim["body"] = json!({"security_until": source["end_of_security_support"]});
        for member in ["end_of_life", "end_of_sales", "general_availability", "last_updated"] {
            if let Some(date) = source.get(member) {
                claim["body"][member] = date.clone();
            }
        }
        let Body::Support(body) = parse(&claim).unwrap().body else { panic!("another body") };
        let text = |date: &Option<SupportDate>| date.as_ref().map(|date| date.as_str().to_owned());
        let given = |member: &str| source.get(member).map(|date| date.as_str().unwrap().to_owned());
        assert_eq!(Some(body.security_until.as_str().to_owned()), given("end_of_security_support"));
        assert_eq!(text(&body.end_of_life), given("end_of_life"));
        assert_eq!(text(&body.end_of_sales), given("end_of_sales"));
        assert_eq!(text(&body.general_availability), given("general_availability"));
        assert_eq!(body.last_updated.map(|date| date.as_str().to_owned()), given("last_updated"));
        files += 1;
    }
    assert_eq!(files, 7);
}

#[test]
fn contacts() {
    let base = examples::contact();
    assert_eq!(parse(&base).unwrap().slot_key().as_deref(), Some(""));
    bad(&base, "/body/contacts", json!([]), Code::ClaimValue);
    refused(&base, &[Set("/body/contacts/0", json!("psirt@acme.example"))], Code::ClaimValue, "/body/contacts/0");
    for member in ["/body/ack_days", "/body/status_days", "/body/fix_days"] {
        bad(&base, member, json!(-1), Code::ClaimValue);
        bad(&base, member, json!(36_526), Code::ClaimValue);
        bad(&base, member, json!("3"), Code::ClaimWrongType);
    }
    for tag in ["", "d", "de_DE", "de-", "deutschland", "12"] {
        refused(&base, &[Set("/body/languages/0", json!(tag))], Code::ClaimValue, "/body/languages/0");
    }
    bad(&base, "/body/expires", json!("never"), Code::ClaimDate);
}

#[test]
fn releases() {
    let base = examples::release();
    assert_eq!(parse(&base).unwrap().slot_key().as_deref(), Some("36832016"));
    bad(&base, "/body/version", json!(36_832_016), Code::ClaimWrongType);
    bad(&base, "/body/version", json!("x".repeat(2049)), Code::ClaimTooLong);
    bad(&base, "/body/version", json!("1\u{0}2"), Code::ClaimValue);
    bad(&base, "/body/artifacts", json!([]), Code::ClaimValue);
    let artifact = json!({"role": "firmware", "sha256": DIGEST});
    good(&base, "/body/artifacts", json!(vec![artifact.clone(); 256]));
    bad(&base, "/body/artifacts", json!(vec![artifact; 257]), Code::ClaimTooMany);
    refused(&base, &[Remove("/body/artifacts/0/sha512")], Code::ClaimMissing, "/body/artifacts/0/sha256");
    bad(&base, "/body/artifacts/0/sha512", json!("AB".repeat(64)), Code::ClaimValue);
    bad(&base, "/body/artifacts/0/sha512", json!(DIGEST), Code::ClaimValue);
    bad(&base, "/body/artifacts/0/role", json!("binary"), Code::ClaimValue);
    bad(&base, "/body/artifacts/0/size", json!(1.5), Code::ClaimValue);
    bad(&base, "/body/artifacts/0/x", json!(1), Code::ClaimUnknownMember);
    bad(&base, "/body/security", json!("yes"), Code::ClaimWrongType);
    refused(&base, &[Set("/body/fixes/0", json!("cve-2027-12345"))], Code::ClaimValue, "/body/fixes/0");
    bad(&base, "/body/urls", json!(vec!["https://a/"; 65]), Code::ClaimTooMany);
}

#[test]
fn vulnerabilities() {
    let base = examples::vulnerability();
    assert_eq!(parse(&base).unwrap().slot_key().as_deref(), Some("CVE-2027-12345\0ACME-2027-001"));
    let bare = edited(base.clone(), &[Remove("/body/advisory")]);
    assert_eq!(parse(&bare).unwrap().slot_key().as_deref(), Some("CVE-2027-12345"));
    refused(&base, &[Set("/body/ids", json!(["GHSA-x", "CVE-2027-12345"]))], Code::ClaimValue, "/body/ids/0");
    refused(&base, &[Set("/body/ids", json!(["A", "A"]))], Code::ClaimValue, "/body/ids/1");
    for id in ["CVE-27-12345", "CVE-2027-123", "Cve-2027-12345", "CVE-2027-1234x", "CVE-2027-"] {
        refused(&base, &[Set("/body/ids", json!([id]))], Code::ClaimValue, "/body/ids/0");
    }
    bad(&base, "/body/ids", json!([]), Code::ClaimValue);
    let ids: Vec<String> = (0..65).map(|n| format!("ID-{n}")).collect();
    bad(&base, "/body/ids", json!(ids), Code::ClaimTooMany);
    let row = json!({"versions": ["1"], "state": "fixed"});
    good(&base, "/body/status", json!(vec![row.clone(); 512]));
    bad(&base, "/body/status", json!(vec![row; 513]), Code::ClaimTooMany);
    bad(&base, "/body/status", json!([]), Code::ClaimValue);
    bad(&base, "/body/status/0/versions", json!([]), Code::ClaimValue);
    bad(&base, "/body/status/0/state", json!("known_affected"), Code::ClaimValue);
    bad(&base, "/body/status/0/justification", json!("x".repeat(201)), Code::ClaimTooLong);
    bad(&base, "/body/status/0/x", json!(1), Code::ClaimUnknownMember);
    bad(&base, "/body/severity/score", json!(10.1), Code::ClaimValue);
    bad(&base, "/body/severity/score", json!(-0.1), Code::ClaimValue);
    good(&base, "/body/severity", json!({"score": 10}));
    refused(&base, &[Set("/body/severity", json!({}))], Code::ClaimMissing, "/body/severity/vector");
    bad(&base, "/body/times/fixed", json!("no"), Code::ClaimDate);
    bad(&base, "/body/times/x", json!("2027-01"), Code::ClaimUnknownMember);
    bad(&base, "/body/remediation/0/details", json!("x".repeat(201)), Code::ClaimTooLong);
    bad(&base, "/body/remediation/0/category", json!("Vendor fix"), Code::ClaimValue);
    bad(&base, "/body/remediation/0/url", json!("x"), Code::ClaimValue);
    bad(&base, "/body/advisory/version", json!(1), Code::ClaimWrongType);
}

#[test]
fn conformities() {
    let base = examples::conformity();
    assert_eq!(parse(&base).unwrap().slot_key().as_deref(), Some("cra-doc\0DOC-7"));
    let bare = edited(base.clone(), &[Remove("/body/certificate_id")]);
    assert_eq!(parse(&bare).unwrap().slot_key().as_deref(), Some("cra-doc\0"));
    bad(&base, "/body/scheme", json!("CRA DoC"), Code::ClaimValue);
    bad(&base, "/body/scheme", json!("x".repeat(65)), Code::ClaimTooLong);
    bad(&base, "/body/status", json!("valid"), Code::ClaimValue);
    bad(&base, "/body/body_no", json!(123), Code::ClaimWrongType);
    bad(&base, "/body/support_until_stated", json!("tba"), Code::ClaimDate);
}

#[test]
fn observations() {
    let base = examples::observation();
    assert_eq!(parse(&base).unwrap().slot_key(), Some(claim_id()));
    let page = edited(base.clone(), &[Remove("/body/target")]);
    assert_eq!(parse(&page).unwrap().slot_key().as_deref(), Some("https://acme.example/cam.bin"));
    refused(&page, &[Remove("/body/uri")], Code::ClaimMissing, "/body/target");
    bad(&base, "/body/target", json!("x"), Code::ClaimValue);
    bad(&base, "/body/kind", json!("gone"), Code::ClaimValue);
    bad(&base, "/body/capture_sha256", json!("x"), Code::ClaimValue);
    bad(&base, "/body/value", json!("x".repeat(201)), Code::ClaimTooLong);
}

#[test]
fn product_ids_are_normalised_per_scheme() {
    let taken = [
        (Scheme::Model, " CAM  3", "cam 3"),
        (Scheme::Gtin, "4006381333931", "04006381333931"),
        (Scheme::Gtin, "96385074", "00000096385074"),
        (Scheme::Gs1Dl, "HTTPS://ID.GS1.org/01/09506000134352?A=b", "https://id.gs1.org/01/09506000134352?A=b"),
        (Scheme::DppUid, "AbC  1", "AbC 1"),
        (Scheme::Purl, "PKG://Generic/Acme/Cam@1", "pkg:generic/Acme/Cam@1"),
        (Scheme::Cpe23, r"cpe:2.3:h:ACME:cam\:3:-:*:*:*:*:*:*:*", r"cpe:2.3:h:acme:cam\:3:-:*:*:*:*:*:*:*"),
        (Scheme::Oui, "00-1A-2B", "001a2b"),
        (Scheme::Oui, "001A2B3", "001a2b3"),
        (Scheme::FccId, "2ahmr-esp32", "2AHMR-ESP32"),
        (Scheme::Sku, "Ab-1", "Ab-1"),
        (Scheme::Zigbee, "0x117A:53250", "4474:53250"),
        (Scheme::SerialRange, "A001..A999", "A001..A999"),
        (Scheme::EolSlug, "iphone/5c", "iphone/5c"),
    ];
    for (scheme, value, normalised) in taken {
        let id = ProductId::new(scheme, value).unwrap();
        assert_eq!((id.value.as_str(), id.normalised.as_str()), (value, normalised));
        assert_eq!(scheme.normalise(normalised).as_deref(), Ok(normalised));
    }
    let refused = [
        (Scheme::Gtin, &["4006381333932", "400638133393", "4006381333931 ", "٤006381333931"][..]),
        (Scheme::Gs1Dl, &["ftp://a/", "https:///x", "https://a b", "id.gs1.org/01/1"]),
        (Scheme::Purl, &["pkg:generic", "pkg:/x", "npm:a/b", "pkg:generic/a b"]),
        (
            Scheme::Cpe23,
            &[
                "cpe:/h:acme:cam",
                "cpe:2.3:x:a:b:c:*:*:*:*:*:*:*",
                "cpe:2.3:h:a:b:c:*:*:*:*:*:*",
                r"cpe:2.3:h:a:b:c:*:*:*:*:*:*:\",
            ],
        ),
        (Scheme::Oui, &["00-1A", "00-1A-2G", "00-1A-2B-3C"]),
        (Scheme::FccId, &["abc", "a b c d", "-abcd"]),
        (Scheme::Zigbee, &["4474", "65536:1", "01:1", "0x:1", "+1:1", "1:2:3", "0x+1:1"]),
        (Scheme::SerialRange, &["A1", "A1..", "..A1", "A1...A2", "A1..A2..A3", "A 1..A2"]),
        (Scheme::EolSlug, &["iPhone", "a b", ""]),
        (Scheme::Sku, &[" ", "a\u{200b}"]),
    ];
    for (scheme, values) in refused {
        for value in values {
            assert!(ProductId::new(scheme, value).is_err(), "{scheme:?} {value:?}");
        }
    }
}

#[test]
fn product_ids_in_claims() {
    let base = examples::full_frame();
    bad(&base, "/subject/ids/0/scheme", json!("ean"), Code::ClaimValue);
    bad(&base, "/subject/ids/0/value", json!("1"), Code::ClaimValue);
    let spelled_twice = json!([{"scheme": "oui", "value": "001a2b"}, {"scheme": "oui", "value": "00:1A:2B"}]);
    refused(&base, &[Set("/subject/ids", spelled_twice)], Code::ClaimValue, "/subject/ids/1");
    let many: Vec<Value> = (0..65).map(|n| json!({"scheme": "sku", "value": format!("S{n}")})).collect();
    bad(&base, "/subject/ids", json!(many), Code::ClaimTooMany);
    good(&base, "/subject/ids", json!(many[..64]));
}

//! What claims show, each finding with the change that makes it and one that does not.

use serde_json::{Value, json};

use super::*;

fn claim(claim_type: &str, kind: &str, body: Value) -> Claim {
    let mut claim = json!({
        "type": claim_type,
        "logs": [{"origin": "log.example/main"}],
        "issuer": "acme.example",
        "role": "manufacturer",
        "asserted_at": "2027-02-01T12:00:00Z",
        "rel": {"kind": kind},
        "body": body,
    });
    if kind != "new" {
        claim["rel"]["target"] = json!({"id": format!("sha256:{}", "ab".repeat(32))});
        claim["rel"]["reason"] = json!("a reason");
    }
    if claim_type != "contact/v1" {
        claim["subject"] = json!({"manufacturer": "acme.example", "model": "CAM-3"});
    }
    Claim::parse(claim.to_string().as_bytes()).unwrap_or_else(|refused| panic!("{refused}: {claim:#}"))
}

/// The log's time of everything here: 2027-02-02.
const TIME: Millis = Millis(1_801_526_400_000);

fn codes(before: Option<&Claim>, after: &Claim) -> Vec<String> {
    let place = Place { claim: after, time: TIME, before, beside: &[], heads: 1, replay: false };
    shown(place).into_iter().map(|shown| shown.code).collect()
}

/// The codes that a change of a body makes.
fn change(claim_type: &str, old: Value, new: Value) -> Vec<String> {
    codes(Some(&claim(claim_type, "new", old)), &claim(claim_type, "supersede", new))
}

#[test]
fn support_that_ends_earlier() {
    let until = |date: &str| json!({"security_until": date});
    for (old, new, is_earlier) in [
        ("2031-03", "2031-02", true),
        ("2031-03-31", "2031-03", false),
        ("2031-03", "2032-01", false),
        ("tba", "none", true),
        ("2031-03", "ended", true),
        ("tba", "2031-03", false),
        ("none", "2031-03", false),
    ] {
        let mut found = change("support/v1", until(old), until(new));
        found.retain(|code| code != "S4");
        assert_eq!(found, if is_earlier { vec!["S1"] } else { vec![] }, "{old} {new}");
    }
    let place = Place {
        claim: &claim("support/v1", "new", until("2031-03")),
        time: TIME,
        before: None,
        beside: &[],
        heads: 1,
        replay: false,
    };
    assert_eq!((shown(place), worst(&shown(place))), (vec![], Severity::Info));
}

mod dated;

#[test]
fn releases() {
    let body = |digest: &str, name: &str| json!({"version": "1.0", "artifacts": [{"role": "firmware", "sha256": digest.repeat(32), "filename": name}]});
    assert_eq!(change("release/v1", body("aa", "a.bin"), body("bb", "a.bin")), ["U1"]);
    assert!(change("release/v1", body("aa", "a.bin"), body("aa", "a.bin")).is_empty());
    assert!(change("release/v1", body("aa", "a.bin"), body("bb", "b.bin")).is_empty(), "another file");
    let late = |date: &str| {
        let mut late = body("aa", "a.bin");
        late["published_at"] = json!(date);
        claim("release/v1", "new", late)
    };
    assert_eq!(codes(None, &late("2026-12-01")), ["U4"]);
    assert!(codes(None, &late("2027-01-15")).is_empty());
    let replayed = late("2020-12-01");
    let place = Place { claim: &replayed, time: TIME, before: None, beside: &[], heads: 1, replay: true };
    assert!(shown(place).is_empty(), "a replay is late by its nature");
}

#[test]
fn vulnerabilities() {
    let body = |state: &str, score: u32, version: Option<&str>| {
        let mut body = json!({
            "ids": ["CVE-2027-12345"],
            "status": [{"versions": ["1.0", "1.1"], "state": state}],
            "severity": {"score": score},
            "advisory": {"tracking_id": "ACME-1"},
        });
        if let Some(version) = version {
            body["advisory"]["version"] = json!(version);
        }
        body
    };
    let change = |old, new| change("vulnerability/v1", old, new);
    assert_eq!(change(body("affected", 7, None), body("not_affected", 7, None)), ["V2"]);
    assert!(change(body("affected", 7, None), body("fixed", 7, None)).is_empty());
    let mut justified = body("not_affected", 7, None);
    justified["status"][0]["justification"] = json!("component_not_present");
    assert!(change(body("affected", 7, None), justified).is_empty());
    assert_eq!(change(body("affected", 7, Some("1")), body("affected", 3, Some("1"))), ["V3"]);
    assert!(change(body("affected", 7, Some("1")), body("affected", 3, Some("2"))).is_empty(), "that is a new version");
    assert!(change(body("affected", 7, None), body("affected", 3, None)).is_empty(), "no version to compare");
}

#[test]
fn contacts_and_certificates() {
    let contact = |days: Option<u32>| {
        let mut body = json!({"contacts": ["mailto:psirt@acme.example"], "policy_uri": "https://acme.example/p", "expires": "2028-01"});
        if let Some(days) = days {
            body["ack_days"] = json!(days);
        }
        body
    };
    assert_eq!(change("contact/v1", contact(Some(3)), contact(Some(5))), ["C2"]);
    assert_eq!(change("contact/v1", contact(Some(3)), contact(None)), ["C2"]);
    assert!(change("contact/v1", contact(Some(3)), contact(Some(2))).is_empty());
    let status = |status: &str| json!({"scheme": "red-doc", "status": status, "issued_at": "2027-01-01"});
    assert_eq!(change("conformity/v1", status("issued"), status("suspended")), ["K1"]);
    assert!(change("conformity/v1", status("suspended"), status("issued")).is_empty());
}

#[test]
fn what_is_done_to_a_claim_and_what_stands_beside_it() {
    assert_eq!(codes(None, &claim("support/v1", "dispute", json!({}))), ["disputed"]);
    assert_eq!(codes(None, &claim("support/v1", "withdraw", json!({}))), ["withdrawn"]);
    assert!(codes(None, &claim("support/v1", "confirm", json!({}))).is_empty());
    let twice = claim("support/v1", "new", json!({"security_until": "2030-01"}));
    let before = claim("support/v1", "new", json!({"security_until": "2031-01"}));
    let place = Place { claim: &twice, time: TIME, before: Some(&before), beside: &[], heads: 2, replay: false };
    let found = shown(place);
    let seen: Vec<_> = found.iter().map(|shown| shown.code.as_str()).collect();
    assert_eq!((seen, worst(&found)), (vec!["S1", "contested"], Severity::Alarm), "the worst first");
    assert!(found.iter().all(|shown| CODES.contains(&shown.code.as_str()) && !shown.innocent.is_empty()));
}

#[test]
fn every_code_has_a_severity() {
    assert!(CODES.iter().all(|code| severity_of(code).is_some_and(|severity| severity > Severity::Info)));
    assert_eq!(severity_of("S9"), None);
}

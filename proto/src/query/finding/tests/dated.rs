//! Findings that go by dates, or by what else the issuer says: known answers.

use serde_json::{Value, json};

use super::{TIME, claim};
use crate::claim::Claim;
use crate::num::Millis;
use crate::query::finding::{Place, shown};

/// What a claim shows beside these; of a log's time of 2027-02-02.
fn beside(claim: &Claim, others: &[Claim]) -> Vec<String> {
    let place = Place { claim, time: TIME, before: None, beside: others, heads: 1, replay: false };
    shown(place).into_iter().map(|shown| shown.code).collect()
}

fn alone(claim_type: &str, body: Value) -> Vec<String> {
    beside(&claim(claim_type, "new", body), &[])
}

/// The same as a replay of public data.
fn replayed(claim: &Claim) -> Vec<String> {
    let place = Place { claim, time: TIME, before: None, beside: &[], heads: 1, replay: true };
    shown(place).into_iter().map(|shown| shown.code).collect()
}

const NOTHING: Vec<&str> = Vec::new();

fn support(body: Value) -> Claim {
    claim("support/v1", "new", body)
}

/// A promise for units that were placed in this time.
fn of_units(until: &str, units: Value) -> Claim {
    edited(&support(json!({ "security_until": until })), |claim| claim["subject"]["units"] = units)
}

fn edited(claim: &Claim, edit: impl FnOnce(&mut Value)) -> Claim {
    let mut value = json!({
        "type": claim.claim_type.as_str(),
        "logs": [{"origin": "log.example/main"}],
        "issuer": "acme.example",
        "role": "manufacturer",
        "asserted_at": "2027-02-01T12:00:00Z",
        "subject": {"manufacturer": "acme.example", "model": "CAM-3"},
        "rel": {"kind": "new"},
        "body": {"security_until": "2031-03"},
    });
    if let crate::claim::Body::Support(body) = &claim.body {
        value["body"]["security_until"] = json!(body.security_until.as_str());
    }
    edit(&mut value);
    Claim::parse(value.to_string().as_bytes()).unwrap_or_else(|refused| panic!("{refused}: {value:#}"))
}

fn product(placed: &str, end: Option<&str>) -> Claim {
    let mut body = json!({"name": "Cam", "category": "camera", "placed_on_market": placed});
    if let Some(end) = end {
        body["end_of_placing"] = json!(end);
    }
    claim("product/v1", "new", body)
}

fn declaration(until: &str) -> Claim {
    let body =
        json!({"scheme": "cra-doc", "status": "issued", "issued_at": "2027-01-01", "support_until_stated": until});
    claim("conformity/v1", "new", body)
}

#[test]
fn s2_less_than_five_years_without_a_word() {
    for (placed, until, found) in [
        ("2027-01", "2031-12", vec!["S2"]),
        ("2027-01", "2032-01", NOTHING),
        ("2027-01-15", "2032-01-14", vec!["S2"]),
        ("2027-01-15", "2032-01-15", NOTHING),
        ("2028-02-29", "2033-02-28", vec!["S2"]),
        ("2027-01", "tba", NOTHING),
        ("2027-01", "none", vec!["S2"]),
    ] {
        let promise = |place: &str| support(json!({"security_until": until, place: placed}));
        assert_eq!(alone("support/v1", json!({"security_until": until, "start": placed})), found, "{placed} {until}");
        assert_eq!(beside(&promise("general_availability"), &[]), found, "{placed} {until}");
        assert_eq!(
            beside(&support(json!({"security_until": until})), &[product(placed, None)]),
            found,
            "{placed} {until}"
        );
    }
    let units = json!({"placed_from": "2027-01", "placed_until": "2028-06"});
    assert_eq!(beside(&of_units("2033-05", units.clone()), &[]), ["S2"], "the last unit");
    assert_eq!(beside(&of_units("2033-06", units), &[product("2020-01", None)]), NOTHING, "units before the product");
    assert_eq!(alone("support/v1", json!({"security_until": "2028-01"})), NOTHING, "nothing says since when");
    for explain in [
        |claim: &mut Value| claim["rel"]["note"] = json!("expected to be in use for three years"),
        |claim: &mut Value| claim["docs"] = json!([{"rel": "rationale", "sha256": "ab".repeat(32)}]),
    ] {
        let explained = edited(&support(json!({"security_until": "2028-06"})), |claim| {
            claim["body"]["start"] = json!("2027-01");
            explain(claim);
        });
        assert_eq!(beside(&explained, &[]), NOTHING);
    }
}

#[test]
fn s4_over_or_soon_by_the_logs_time() {
    for (until, found) in [
        ("2027-01", vec!["S4"]),
        ("ended", vec!["S4"]),
        ("2027-02-02", vec!["S4"]),
        ("2027-05-02", vec!["S4"]),
        ("2027-05-04", NOTHING),
        ("tba", NOTHING),
    ] {
        let promise = support(json!({"security_until": until}));
        assert_eq!(beside(&promise, &[]), found, "{until}");
        assert_eq!(replayed(&promise), NOTHING, "{until}: the log's time says nothing of a replay");
    }
}

#[test]
fn s5_a_declaration_that_states_another_end() {
    let until = |until: &str| support(json!({"security_until": until}));
    for (promised, stated, found) in [
        ("2031-03", "2031-04", vec!["S5"]),
        ("2032-03", "2031-03", vec!["S5"]),
        ("2031-03", "2031-03-31", NOTHING),
        ("2031-03-15", "2031-03", NOTHING),
        ("tba", "2031-03", NOTHING),
    ] {
        assert_eq!(beside(&until(promised), &[declaration(stated)]), found, "{promised} {stated}");
        assert_eq!(beside(&declaration(stated), &[until(promised)]), found, "{promised} {stated}");
    }
    assert_eq!(beside(&declaration("2031-03"), &[until("ended")]), ["S5"]);
    assert_eq!(beside(&declaration("2026-03"), &[until("ended")]), NOTHING, "that is over as well");
    let units = of_units("2040-01", json!({"placed_from": "2030-01"}));
    assert_eq!(beside(&units, &[declaration("2031-03")]), NOTHING, "it is about some units alone");
}

#[test]
fn s7_sold_longer_than_supported() {
    let promise = |until: &str, sold: &str| support(json!({"security_until": until, "end_of_sales": sold}));
    assert_eq!(beside(&promise("2031-03", "2031-04"), &[]), ["S7"]);
    assert_eq!(beside(&promise("2031-03", "2031-03-15"), &[]), NOTHING, "in the same month");
    assert_eq!(beside(&promise("ended", "2028-01"), &[]), ["S7", "S4"]);
    assert_eq!(beside(&promise("ended", "2026-01"), &[]), ["S4"]);
    assert_eq!(beside(&promise("2031-03", "none"), &[]), NOTHING);
    let units = json!({"placed_until": "2031-04"});
    assert_eq!(beside(&of_units("2031-03", units), &[]), ["S7", "S2"]);
    let until = support(json!({"security_until": "2031-03"}));
    assert_eq!(beside(&until, &[product("2020-01", Some("2032-01"))]), ["S7"]);
    assert_eq!(beside(&product("2020-01", Some("2032-01")), std::slice::from_ref(&until)), ["S7"]);
    assert_eq!(beside(&product("2020-01", Some("2031-01")), &[until]), NOTHING);
}

#[test]
fn u2_a_version_that_replaces_a_higher_one() {
    let artifacts = json!([{"role": "firmware", "sha256": "ab".repeat(32)}]);
    for (version, replaces, found) in [
        ("1.9", "1.10", vec!["U2"]),
        ("1.10", "1.9", NOTHING),
        ("v2.0.1", "2.0.2", vec!["U2"]),
        ("2.0", "2.0", NOTHING),
        ("1.2", "1.2.1", NOTHING),
        ("1.2b", "1.3", NOTHING),
        ("1..2", "1..3", NOTHING),
        ("99999999999999999999", "999999999999999999999", NOTHING),
    ] {
        let body = json!({"version": version, "replaces": replaces, "artifacts": artifacts});
        assert_eq!(alone("release/v1", body), found, "{version} {replaces}");
    }
}

#[test]
fn u5_gone_before_its_day() {
    let artifacts = json!([{"role": "firmware", "sha256": "ab".repeat(32)}]);
    let release =
        claim("release/v1", "new", json!({"version": "1", "artifacts": artifacts, "available_until": "2036-03"}));
    let seen = |kind: &str, at: &str| {
        let target = format!("sha256:{}", "ab".repeat(32));
        claim("observation/v1", "new", json!({"target": target, "observed_at": at, "kind": kind}))
    };
    let release = std::slice::from_ref(&release);
    assert_eq!(beside(&seen("removed", "2027-02-01"), release), ["U5"]);
    assert_eq!(beside(&seen("unreachable", "2027-02-01"), release), NOTHING, "that may pass");
    assert_eq!(beside(&seen("removed", "2036-03-05"), release), NOTHING, "in the month that is named");
    assert_eq!(beside(&seen("removed", "2027-02-01"), &[]), NOTHING);
}

#[test]
fn v1_and_v4_what_takes_long() {
    let body = |state: &str, times: Value| json!({"ids": ["CVE-2027-12345"], "status": [{"versions": ["1"], "state": state}], "times": times});
    let with = |state: &str, times: Value| claim("vulnerability/v1", "new", body(state, times));
    for (state, times, found) in [
        ("fixed", json!({"public": "2026-01-01", "fixed": "2026-04-01"}), NOTHING),
        ("fixed", json!({"public": "2026-01-01", "fixed": "2026-04-05"}), vec!["V1"]),
        ("affected", json!({"public": "2026-12-01"}), NOTHING),
        ("affected", json!({"public": "2026-10-01"}), vec!["V1"]),
        ("not_affected", json!({"public": "2026-10-01"}), NOTHING),
        ("under_investigation", json!({"aware": "2026-12-30"}), vec!["V4"]),
        ("under_investigation", json!({"aware": "2027-01-10", "public": "2027-01-20"}), NOTHING),
        ("under_investigation", json!({}), NOTHING),
    ] {
        assert_eq!(beside(&with(state, times.clone()), &[]), found, "{state} {times}");
    }
    let open = with("affected", json!({"public": "2026-10-01"}));
    assert_eq!(replayed(&open), NOTHING);
    assert_eq!(replayed(&with("fixed", json!({"public": "2026-01-01", "fixed": "2026-06-01"}))), ["V1"], "own dates");
    let contact = json!({"contacts": ["mailto:psirt@acme.example"], "policy_uri": "https://acme.example/p", "expires": "2028-01"});
    let mut promised = contact.clone();
    promised["fix_days"] = json!(10);
    let (plain, promised) = (claim("contact/v1", "new", contact), claim("contact/v1", "new", promised));
    let soon = with("fixed", json!({"public": "2026-01-01", "fixed": "2026-01-20"}));
    assert_eq!(beside(&soon, &[promised]), ["V1"], "later than the issuer promises");
    assert_eq!(beside(&soon, &[plain]), NOTHING);
    let mut named = body("affected", json!({"public": "2026-01-01"}));
    named["fix_release"] = json!("2.0");
    assert_eq!(alone("vulnerability/v1", named), NOTHING, "when it was fixed is not said");
}

#[test]
fn c1_a_contact_that_is_over_or_gone() {
    let contact = |expires: &str| {
        claim(
            "contact/v1",
            "new",
            json!({"contacts": ["mailto:psirt@acme.example"], "policy_uri": "https://acme.example/p", "expires": expires}),
        )
    };
    assert_eq!(beside(&contact("2027-01"), &[]), ["C1"]);
    assert_eq!(beside(&contact("2027-02"), &[]), NOTHING);
    assert_eq!(replayed(&contact("2020-01")), NOTHING);
    let withdraw = claim("contact/v1", "withdraw", json!({}));
    let codes = |before: Option<&Claim>, heads: u64| -> Vec<String> {
        let place = Place { claim: &withdraw, time: TIME, before, beside: &[], heads, replay: false };
        shown(place).into_iter().map(|shown| shown.code).collect()
    };
    assert_eq!(codes(Some(&contact("2028-01")), 0), ["C1", "withdrawn"]);
    assert_eq!(codes(Some(&contact("2028-01")), 1), ["withdrawn"], "another one stands");
    assert_eq!(codes(Some(&support(json!({"security_until": "2031-03"}))), 0), ["withdrawn"]);
    assert_eq!(codes(None, 0), ["withdrawn"], "what it was is not known");
}

#[test]
fn no_date_and_no_time_makes_a_panic() {
    for time in [0, 1, u64::MAX] {
        for until in ["1970-01", "9999-12-31", "tba", "none", "ended"] {
            let promise = support(json!({"security_until": until, "start": "9999-12", "end_of_sales": "9999-12"}));
            let others = [product("1970-01", Some("9999-12-31")), declaration("9999-12")];
            let place =
                Place { claim: &promise, time: Millis(time), before: None, beside: &others, heads: 1, replay: false };
            drop(shown(place));
        }
    }
}

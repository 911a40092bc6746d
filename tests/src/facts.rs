//! The facts that the demo replays: real makers, models, versions, digests, dates and CVE ids, as claims.
//!
//! The named makers did not sign these. Issuers are `replay.<name>.example`, enrolled with `replay: true`, and every place
//! that shows such a claim says so.

use std::collections::BTreeMap;

use proto::claim::{ClaimId, PAYLOAD_TYPE};
use proto::import::Makers;
use serde_json::{Value, json};

/// The facts, one a line.
const FACTS: &str = include_str!("../data/demo-facts.tsv");
/// A column that says nothing.
const NONE: &str = "-";

/// A claim that is ready to be signed.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Who signs.
    pub issuer: String,
    /// What kind of fact it is.
    pub kind: &'static str,
    /// The exact payload.
    pub payload: Vec<u8>,
}

/// An issuer under whose name facts are replayed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Replayed {
    /// Its id.
    pub issuer: String,
    /// Its role.
    pub role: &'static str,
}

fn rows() -> impl Iterator<Item = Vec<&'static str>> {
    FACTS.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect())
}

fn role_of(kind: &str) -> &'static str {
    match kind {
        "vulnerability" => "csirt",
        "release" => "researcher",
        _ => "manufacturer",
    }
}

/// Everyone who speaks in the facts, each once.
pub fn issuers() -> Vec<Replayed> {
    let all = rows().map(|row| Replayed { issuer: row[1].to_owned(), role: role_of(row[0]) });
    let mut all: Vec<Replayed> = all.collect();
    all.sort();
    all.dedup();
    all
}

/// All facts as claims for `origin`, in the order in which they became known. A later support date of a product supersedes
/// the earlier one.
pub fn claims(origin: &str, asserted_at: &str) -> Vec<Ready> {
    let makers = Makers::replay();
    let mut newest: BTreeMap<(&str, &str), ClaimId> = BTreeMap::new();
    rows()
        .map(|row| {
            let mut claim = json!({
                "type": format!("{}/v1", row[0]), "logs": [{"origin": origin}], "issuer": row[1], "role": role_of(row[0]),
                "asserted_at": asserted_at, "rel": {"kind": "new"}, "body": body(&row),
            });
            if row[3] != NONE {
                let maker = maker(&row, &makers);
                claim["subject"] = json!({"manufacturer": maker, "model": row[3], "manufacturer_name": row[2]});
            }
            if row[0] == "vulnerability" {
                claim["docs"] = json!([{"rel": "advisory", "media_type": "application/json", "sha256": row[7]}]);
            }
            let slot = (row[2], row[3]);
            if let Some(before) = newest.get(&slot).filter(|_| row[0] == "support") {
                let reason = "the published date changed";
                claim["rel"] = json!({"kind": "supersede", "target": {"id": before.to_string()}, "reason": reason});
            }
            let payload = claim.to_string().into_bytes();
            if row[0] == "support" {
                newest.insert(slot, ClaimId::of(PAYLOAD_TYPE, &payload));
            }
            Ready { issuer: row[1].to_owned(), kind: row[0], payload }
        })
        .collect()
}

/// Makers speak for themselves under their replay name. Others place them by the table that importers use too, else they
/// name them.
fn maker(row: &[&str], makers: &Makers) -> String {
    match row[0] {
        "release" | "vulnerability" => makers.place(row[2]).to_string(),
        _ => row[1].to_owned(),
    }
}

fn body(row: &[&str]) -> Value {
    let mut body = match row[0] {
        "product" => json!({"name": row[3], "category": row[4], "placed_on_market": row[5]}),
        "support" => json!({"security_until": row[4]}),
        "contact" => json!({"contacts": [row[4]], "policy_uri": row[5], "expires": row[6]}),
        "release" => {
            let size: u64 = row[6].parse().unwrap_or_default();
            let artifact = json!({"role": "firmware", "sha512": row[5], "size": size});
            json!({"version": row[4], "artifacts": [artifact], "observed_at": row[7]})
        }
        _ => {
            let status = json!([{"versions": [row[5]], "state": "affected"}]);
            json!({"ids": [row[4]], "status": status, "times": {"public": row[8]}, "advisory": {"tracking_id": row[6]}})
        }
    };
    let optional = match row[0] {
        "product" => Some(("predecessor", row[6])),
        "support" => Some(("end_of_sales", row[5])),
        _ => None,
    };
    if let Some((member, value)) = optional.filter(|(_, value)| *value != NONE) {
        body[member] = json!(value);
    }
    body
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};
    use std::path::Path;

    use proto::claim::{Claim, Instant, IssuerId, LogRef, Origin, Role};
    use proto::import::csaf::CsafImport;
    use proto::import::firmware::FirmwareImport;
    use proto::import::{Draft, Frame};

    use super::*;
    use crate::inputs;

    /// Test: the form of these claims is looked at, the time is any.
    const ASSERTED_AT: &str = "2026-11-23T00:00:00Z";

    #[test]
    fn every_fact_is_a_claim_of_valid_form() {
        let claims = claims("log.example/demo", ASSERTED_AT);
        assert!(claims.len() > 300);
        for ready in &claims {
            let text = String::from_utf8_lossy(&ready.payload).into_owned();
            let claim = Claim::parse(&ready.payload).unwrap_or_else(|e| panic!("{e}: {text}"));
            assert_eq!(claim.issuer.as_str(), ready.issuer);
        }
        let ids: BTreeSet<_> = claims.iter().map(|r| ClaimId::of(PAYLOAD_TYPE, &r.payload)).collect();
        assert_eq!(ids.len(), claims.len(), "no fact stands twice");
        assert!(issuers().iter().all(|replayed| replayed.issuer.starts_with("replay.")));
        let kinds: BTreeSet<_> = claims.iter().map(|ready| ready.kind).collect();
        assert_eq!(kinds, BTreeSet::from(["contact", "product", "release", "support", "vulnerability"]));
    }

    /// What a fact and what an importer made of the source must agree on.
    fn said(claim: &Value) -> Vec<String> {
        let subject = &claim["subject"];
        let mut said = vec![&subject["manufacturer"], &subject["manufacturer_name"], &subject["model"]];
        let body = &claim["body"];
        match claim["type"].as_str() {
            Some("release/v1") => said.extend([&body["version"], &body["artifacts"]]),
            _ => said.extend([&body["ids"][0], &body["advisory"]["tracking_id"], &claim["docs"][0]["sha256"]]),
        }
        said.into_iter().map(Value::to_string).collect()
    }

    fn imported(data: &Path) -> HashSet<Vec<String>> {
        let makers = Makers::replay();
        let frame = Frame {
            logs: vec![LogRef { origin: Origin::parse("log.example/demo").unwrap(), size: None, root: None }],
            issuer: IssuerId::parse("replay.test.example").unwrap(),
            role: Role::Researcher,
            asserted_at: Instant::parse(ASSERTED_AT).unwrap(),
        };
        let mut csaf = CsafImport::new(&makers);
        let mut drafts: Vec<Draft> = Vec::new();
        for year in ["2018", "2022"] {
            for file in std::fs::read_dir(data.join("csaf").join(year)).unwrap() {
                drafts.extend(csaf.document("advisory", &std::fs::read(file.unwrap().path()).unwrap()));
            }
        }
        let rows = std::fs::read(data.join("firmware-releases.jsonl")).unwrap();
        drafts.extend(FirmwareImport::new(&makers).rows("firmware", &rows));
        let payloads = drafts.iter().map(|draft| draft.payload(&frame).unwrap());
        payloads.map(|payload| said(&serde_json::from_slice(&payload).unwrap())).collect()
    }

    #[test]
    fn releases_and_vulnerabilities_say_what_the_importers_make_of_the_sources() {
        let Some(data) = inputs::data("releases_and_vulnerabilities_say_what_the_importers_make_of_the_sources") else {
            return;
        };
        let imported = imported(&data);
        let mut compared = 0;
        for ready in claims("log.example/demo", ASSERTED_AT) {
            if !["release", "vulnerability"].contains(&ready.kind) {
                continue;
            }
            let said = said(&serde_json::from_slice(&ready.payload).unwrap());
            assert!(imported.contains(&said), "no source says {said:?}");
            compared += 1;
        }
        assert!(compared > 150, "{compared}");
    }
}

//! The facts that the demo replays: real makers, models, versions, digests, dates and CVE ids, as claims.
//!
//! The named makers did not sign these. Issuers are `replay.<name>.example`, enrolled with `replay: true`, and every place
//! that shows such a claim says so.

use std::collections::BTreeMap;

use proto::claim::{ClaimId, PAYLOAD_TYPE};
use serde_json::{Value, json};

/// The facts, one a line.
const FACTS: &str = include_str!("../data/demo-facts.tsv");

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
        "support" => "manufacturer",
        "vulnerability" => "csirt",
        _ => "researcher",
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
    let mut newest: BTreeMap<(String, String), ClaimId> = BTreeMap::new();
    rows()
        .map(|row| {
            let mut claim = json!({
                "type": format!("{}/v1", row[0]), "logs": [{"origin": origin}], "issuer": row[1], "role": role_of(row[0]),
                "asserted_at": asserted_at, "rel": {"kind": "new"},
                "subject": {"manufacturer": maker(&row), "model": row[3], "manufacturer_name": row[2]},
                "body": body(&row),
            });
            let slot = (row[2].to_owned(), row[3].to_owned());
            if let Some(before) = newest.get(&slot).filter(|_| row[0] == "support") {
                let reason = "the published date changed";
                claim["rel"] = json!({"kind": "supersede", "target": {"id": before.to_string()}, "reason": reason});
            }
            let payload = claim.to_string().into_bytes();
            if row[0] == "support" {
                newest.insert(slot, ClaimId::of(PAYLOAD_TYPE, &payload));
            }
            let kind = match row[0] {
                "support" => "support",
                "vulnerability" => "vulnerability",
                _ => "release",
            };
            Ready { issuer: row[1].to_owned(), kind, payload }
        })
        .collect()
}

/// Makers speak for themselves under their replay name; others name them.
fn maker(row: &[&str]) -> String {
    match row[0] {
        "support" => row[1].to_owned(),
        _ => format!("name:{}", row[2]),
    }
}

fn body(row: &[&str]) -> Value {
    match row[0] {
        "support" => {
            let mut body = json!({"security_until": row[4]});
            if row[5] != "-" {
                body["end_of_sales"] = json!(row[5]);
            }
            body
        }
        "release" => {
            let size: u64 = row[6].parse().unwrap_or_default();
            let artifact = json!({"role": "firmware", "sha512": row[5], "size": size});
            json!({"version": row[4], "artifacts": [artifact], "observed_at": row[7]})
        }
        _ => {
            let status = json!([{"versions": [row[5]], "state": "affected"}]);
            json!({"ids": [row[4]], "status": status, "times": {"public": row[8]}, "advisory": {"tracking_id": row[6]}})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_is_a_claim_of_valid_form() {
        let claims = claims("log.example/demo", "2026-11-23T00:00:00Z");
        assert!(claims.len() > 300);
        for ready in &claims {
            let text = String::from_utf8_lossy(&ready.payload).into_owned();
            let claim = proto::claim::Claim::parse(&ready.payload).unwrap_or_else(|e| panic!("{e}: {text}"));
            assert_eq!(claim.issuer.as_str(), ready.issuer);
        }
        let ids: std::collections::BTreeSet<_> = claims.iter().map(|r| ClaimId::of(PAYLOAD_TYPE, &r.payload)).collect();
        assert_eq!(ids.len(), claims.len(), "no fact stands twice");
        assert!(issuers().iter().all(|replayed| replayed.issuer.starts_with("replay.")));
    }
}

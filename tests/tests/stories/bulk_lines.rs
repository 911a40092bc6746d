//! Many claims at once, one envelope a line.

use std::fmt::Write as _;

use client::{compose, keyfile};
use harness::cluster::{LogUnderTest, ORIGIN};
use proto::claim::{ClaimType, PAYLOAD_TYPE};
use proto::ed25519::SecretKey;
use serde_json::Value;

use crate::json;

/// More than a tile and its bundle hold, and a part of the next.
pub(crate) const LINES: usize = 330;

/// Envelopes of Acme about models `<stem>-<number>`, one a line.
pub(crate) fn lines(key: &SecretKey, stem: &str, count: usize) -> String {
    let address = compose::LogAddress { origin: ORIGIN.to_owned(), anchor: None };
    let fill = compose::Fill { log: Some(address), now: client::clock::now() };
    let mut lines = String::new();
    for number in 0..count {
        let members = [("issuer", "acme.example"), ("role", "manufacturer"), ("manufacturer", "acme.example")];
        let mut members: Vec<_> = members.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        members.push(("model", format!("{stem}-{number}")));
        let claim = compose::new_claim(&compose::NewClaim { claim_type: ClaimType::Support, fill: &fill, members });
        let payload = compose::payload(claim.as_bytes(), &fill).expect("a claim");
        let envelope = proto::dsse::Envelope::sign(PAYLOAD_TYPE, &payload, &[key]);
        writeln!(lines, "{}", envelope.to_json()).expect("a string takes text");
    }
    lines
}

/// Acme's signing key.
pub(crate) fn acme_key(log: &LogUnderTest) -> SecretKey {
    keyfile::load(&log.path().join("acme.sign.key")).expect("enrolled with it")
}

/// Submits [`LINES`] claims in one stream; all of them are new.
pub(crate) fn submit_many(log: &LogUnderTest, name: &str) -> Value {
    std::fs::write(log.path().join(name), lines(&acme_key(log), "MANY", LINES)).expect("written");
    let summary = json(&log.client(&["--json", "submit", name]));
    assert_eq!((&summary["created"], &summary["rejected"]), (&LINES.into(), &0.into()), "{summary}");
    summary
}

//! The operator's own claims: entry 0, and the freeze.

use client::clock;
use proto::claim::{Claim, PAYLOAD_TYPE};
use proto::dsse::Envelope;
use proto::ed25519::{PublicKey, SecretKey};
use proto::num::Millis;
use serde_json::{Value, json};

use super::{Exit, Failure};

/// What entry 0 says.
pub(super) struct Founding<'a> {
    pub(super) origin: &'a str,
    pub(super) issuer: &'a str,
    pub(super) log_vkey: String,
    pub(super) time_vkey: String,
    pub(super) operators: &'a [SecretKey],
    pub(super) threshold: u32,
    pub(super) registrars: &'a [SecretKey],
    pub(super) delta_seconds: u32,
    pub(super) entry_bytes: u32,
    pub(super) envelope_bytes: u32,
    /// Origin, size and root of the last head of the log before this one.
    pub(super) predecessor: Option<(String, u64, String)>,
    pub(super) now: Millis,
}

impl Founding<'_> {
    /// The claim, signed by every key that it names.
    pub(super) fn sign(&self) -> Result<Envelope, Failure> {
        let mut body = json!({
            "origin": self.origin,
            "log_vkey": self.log_vkey,
            "time_vkey": self.time_vkey,
            "hash": "sha-256",
            "entry_format": 1,
            "operator_keys": keys(self.operators),
            "operator_threshold": self.threshold,
            "registrar_keys": keys(self.registrars),
            "witnesses": [],
            "quorum": 0,
            "delta_seconds": self.delta_seconds,
            "rules_version": proto::fold::RULES_VERSION,
            "limits": {"entry_bytes": self.entry_bytes, "envelope_bytes": self.envelope_bytes},
            "retention": "forever",
        });
        if let Some((origin, size, root)) = &self.predecessor {
            body["predecessor"] = json!({"origin": origin, "size": size, "root": root});
        }
        let claim = json!({
            "type": "log/v1",
            "logs": [{"origin": self.origin}],
            "issuer": self.issuer,
            "role": "operator",
            "asserted_at": clock::rfc3339(self.now),
            "rel": {"kind": "new"},
            "body": body,
        });
        sign(&claim, self.operators.iter().chain(self.registrars))
    }
}

fn keys(keys: &[SecretKey]) -> Vec<Value> {
    keys.iter().map(|key| json!({"alg": "ed25519", "spki": spki(&key.public())})).collect()
}

fn spki(key: &PublicKey) -> String {
    proto::b64::encode(key.to_spki())
}

/// The claim that ends a log: the constitution in force, word for word, with `freeze` added.
pub(super) fn freeze(
    constitution: &[u8],
    successor: Option<&str>,
    operators: &[SecretKey],
    now: Millis,
) -> Result<Envelope, Failure> {
    let unreadable = |error: serde_json::Error| {
        Failure::new(Exit::Different, format!("the constitution in force is not readable: {error}; run `check`"))
    };
    let mut claim: Value = serde_json::from_slice(constitution).map_err(unreadable)?;
    claim["asserted_at"] = json!(clock::rfc3339(now));
    claim["body"]["freeze"] = json!({"successor": successor});
    if let Some(members) = claim.as_object_mut() {
        members.remove("effective"); // a freeze holds at once
        members.remove("submit_before");
    }
    sign(&claim, operators)
}

/// Signs, after the form was checked here: a refusal names the place before anything is made.
fn sign<'a>(claim: &Value, keys: impl IntoIterator<Item = &'a SecretKey>) -> Result<Envelope, Failure> {
    let payload = claim.to_string();
    if let Err(refused) = Claim::parse(payload.as_bytes()) {
        return Err(Failure::new(Exit::Usage, format!("the claim cannot be made so: {refused}")));
    }
    let keys: Vec<&SecretKey> = keys.into_iter().collect();
    Ok(Envelope::sign(PAYLOAD_TYPE, payload.as_bytes(), &keys))
}

//! The log that bad input meets: two issuers, keys in every state, claims to name.

use claimtrail_log::testing::{self, number};
use proto::claim::ClaimId;
use proto::dsse::Envelope;
use proto::ed25519::KeyId;
use proto::hash::Hash;
use proto::num::TreeSize;
use serde_json::{Value, json};

use crate::support::{Site, id_of};

/// Numbers of test keys besides those of [`number`].
pub(crate) mod keys {
    /// Beta's admin key.
    pub(crate) const BETA_ADMIN: u8 = 20;
    /// Beta's signing key.
    pub(crate) const BETA_SIGN: u8 = 21;
    /// A signing key of Acme that was revoked (entry 4).
    pub(crate) const REVOKED: u8 = 12;
    /// A signing key of Acme whose validity is over.
    pub(crate) const EXPIRED: u8 = 13;
    /// Two keys that nobody enrolled.
    pub(crate) const NEW_ADMIN: u8 = 70;
    /// See [`NEW_ADMIN`].
    pub(crate) const NEW_SIGN: u8 = 71;
}

/// Milliseconds of a day and an hour: past the end of the day on which the log begins.
const PAST_TODAY_MS: u64 = 25 * 60 * 60 * 1000;

/// The log and what rows name of it.
pub(crate) struct World {
    pub(crate) site: Site,
    /// Acme's promise about `CAM-1`.
    pub(crate) promise: String,
    /// Acme's promise about `CAM-2`, withdrawn.
    pub(crate) withdrawn: String,
    /// Beta's claim about Acme's `CAM-1`.
    pub(crate) of_beta: String,
    /// The root at size 3.
    pub(crate) root_at_3: Hash,
}

impl World {
    /// Grows the log.
    pub(crate) async fn start() -> World {
        let site = Site::with_acme().await;
        let beta = testing::enrolment("beta.example", "importer", keys::BETA_ADMIN, keys::BETA_SIGN);
        site.accept(&beta).await;
        let mut added = change(json!([key(keys::REVOKED, "sign"), key(keys::EXPIRED, "sign")]));
        added["body"]["keys"][1]["until"] = json!("2027-02-01");
        site.accept(&testing::sign(&added, &[keys::REVOKED, keys::EXPIRED, number::ACME_ADMIN])).await;
        let mut revoked = change(json!([]));
        revoked["body"]["revoke"] = json!([{"key_id": id(keys::REVOKED).to_string(), "reason": "compromised"}]);
        site.accept(&testing::sign(&revoked, &[number::ACME_ADMIN])).await;
        site.log.time.pass(PAST_TODAY_MS);
        let promise = site.support("CAM-1", "2031-03").await;
        let withdrawn = site.support("CAM-2", "2031-03").await;
        site.answer_to(&withdrawn, "withdraw", "CAM-2", "").await;
        let of_beta = id_of(&site.accept(&testing::sign(&of_beta("CAM-1", "2030-01"), &[keys::BETA_SIGN])).await);
        let root_at_3 = site.log.log.root_at(TreeSize(3)).expect("a root");
        World { site, promise, withdrawn, of_beta, root_at_3 }
    }

    /// Entries in the log.
    pub(crate) async fn size(&self) -> u64 {
        self.site.get_json("/v1/log").await["size"].as_u64().expect("a size")
    }

    /// The fork reports that the log keeps: claim id and envelope.
    pub(crate) fn reports(&self) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        let mut each = |key: &[u8], value: &[u8]| {
            let id = ClaimId(Hash::from_slice(key).expect("a claim id"));
            found.push((id.to_string(), value.to_vec()));
            std::ops::ControlFlow::Continue(())
        };
        self.site.log.store.reports(None, &mut each).expect("readable");
        found
    }
}

/// The id of the test key with this number.
pub(crate) fn id(number: u8) -> KeyId {
    testing::key(number).public().id()
}

/// Standard base64 of the key's SubjectPublicKeyInfo.
pub(crate) fn spki(number: u8) -> String {
    proto::b64::encode(testing::key(number).public().to_spki())
}

/// A key as an `issuer/v1` claim lists it.
pub(crate) fn key(number: u8, key_use: &str) -> Value {
    json!({"alg": "ed25519", "spki": spki(number), "use": key_use})
}

/// A change of Acme's keys, to be signed by its admin key.
pub(crate) fn change(added: Value) -> Value {
    registry("acme.example", "manufacturer", added)
}

/// A registry claim of an issuer that lists these keys.
pub(crate) fn registry(issuer: &str, role: &str, added: Value) -> Value {
    let body = json!({
        "legal_name": issuer,
        "roles": [role],
        "keys": added,
        "identity": {"method": "paper", "checked_at": "2027-02-01"},
    });
    testing::claim("issuer/v1", issuer, role, body)
}

/// Beta's claim, as importer, about the support of Acme's product.
pub(crate) fn of_beta(model: &str, until: &str) -> Value {
    let mut claim = testing::support_claim(model, until);
    claim["issuer"] = json!("beta.example");
    claim["role"] = json!("importer");
    claim
}

/// Acme's promise with something changed, signed as it should be.
pub(crate) fn promise(model: &str, change: impl FnOnce(&mut Value)) -> Envelope {
    let mut claim = testing::support_claim(model, "2031-03");
    change(&mut claim);
    testing::sign(&claim, &[number::ACME_SIGN])
}

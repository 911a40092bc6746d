//! A log in memory under test keys. Every accepted claim is decided, encoded, decoded and stepped again.

use std::collections::{BTreeMap, HashMap, HashSet};

use proto::claim::ClaimId;
use proto::code::{Code, Refused};
use proto::dsse::Envelope;
use proto::ed25519::SecretKey;
use proto::entry::{Entry, Links};
use proto::fold::{self, Changes, Stop, Submission, check_signatures, decide};
use proto::hash::Hash;
use proto::note::{KeyName, SignatureType, Vkey};
use proto::num::{LeafIndex, Millis};
use serde_json::{Value, json};

/// The origin of every log in these tests.
pub(crate) const ORIGIN: &str = "log.example/test";
/// 2027-01-15T08:00:00Z, the time of entry 0.
pub(crate) const START: u64 = 1_800_000_000_000;
/// Milliseconds of a day.
pub(crate) const DAY: u64 = 86_400_000;

/// A test key, never to be used outside tests: its seed is the hash of its name.
pub(crate) fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(&Hash::of(format!("claimtrail test key {name}").as_bytes()).0)
}

/// Names of test keys to keys.
pub(crate) fn keys(names: &[&str]) -> Vec<SecretKey> {
    names.iter().map(|name| key(name)).collect()
}

pub(crate) fn key_id(name: &str) -> String {
    key(name).public().id().to_string()
}

pub(crate) fn spki(name: &str) -> String {
    proto::b64::encode(key(name).public().to_spki())
}

pub(crate) fn vkey(name: &str, kind: SignatureType, test_key: &str) -> String {
    let name = KeyName::parse(name).unwrap();
    Vkey::new(name, kind, key(test_key).public().to_raw().to_vec()).unwrap().to_string()
}

/// Sets a member by JSON pointer; the parent exists.
pub(crate) fn set(mut claim: Value, pointer: &str, value: Value) -> Value {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let parent = claim.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(list) => list.push(value),
        other => other[member] = value,
    }
    claim
}

/// What an accepted claim became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) index: u64,
    pub(crate) id: ClaimId,
    pub(crate) links: Links,
}

/// Links as plain numbers: constitution, registry, previous.
pub(crate) fn links(taken: &Taken) -> (Option<u64>, Option<u64>, Option<u64>) {
    let plain = |link: Option<LeafIndex>| link.map(|index| index.0);
    (plain(taken.links.constitution), plain(taken.links.registry), plain(taken.links.previous))
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) state: HashMap<Vec<u8>, Vec<u8>>,
    pub(crate) rows: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) entries: Vec<Vec<u8>>,
    /// The log's time for the next claim.
    pub(crate) now: u64,
}

impl World {
    pub(crate) fn empty() -> World {
        World { state: HashMap::new(), rows: BTreeMap::new(), entries: Vec::new(), now: START }
    }

    /// A log with its constitution.
    pub(crate) fn founded() -> World {
        let mut world = World::empty();
        world.ok(&log_v1(), &["operator", "registrar"]);
        world
    }

    /// A founded log with `acme.example` (entry 1), a manufacturer, and `csirt.example` (entry 2).
    pub(crate) fn settled() -> World {
        let mut world = World::founded();
        world.enrol("acme.example", &["manufacturer", "authorised-representative"]);
        world.enrol("csirt.example", &["csirt", "researcher"]);
        world
    }

    /// Enrols an issuer with the keys `<id>/sign` and `<id>/admin`.
    pub(crate) fn enrol(&mut self, id: &str, roles: &[&str]) -> Taken {
        let (sign, admin) = (format!("{id}/sign"), format!("{id}/admin"));
        let claim = issuer_v1(id, roles, &[(&sign, "sign"), (&admin, "admin")]);
        self.ok(&claim, &["registrar", &sign, &admin])
    }

    pub(crate) fn envelope(claim: &Value, signers: &[&str]) -> Envelope {
        let keys = keys(signers);
        let payload = serde_json::to_vec(claim).unwrap();
        Envelope::sign(proto::claim::PAYLOAD_TYPE, &payload, &keys.iter().collect::<Vec<_>>())
    }

    /// Submits a claim signed by the named test keys.
    pub(crate) fn submit(&mut self, claim: &Value, signers: &[&str]) -> Result<Taken, Refused> {
        self.submit_envelope(&World::envelope(claim, signers))
    }

    pub(crate) fn submit_envelope(&mut self, envelope: &Envelope) -> Result<Taken, Refused> {
        let now = self.now;
        let result = self.decide(envelope).map(|(taken, bytes, changes)| {
            self.apply(changes);
            self.entries.push(bytes);
            self.now += 1000;
            taken
        });
        crate::vectors::note(self, envelope, now, crate::vectors::result_of(&result));
        result
    }

    /// Decides, and sees that an auditor who steps the entry's bytes comes to the same changes.
    pub(crate) fn decide(&self, envelope: &Envelope) -> Result<(Taken, Vec<u8>, Changes), Refused> {
        let refused = |stop| match stop {
            Stop::Refused(refused) => refused,
            other => panic!("neither accepted nor refused: {other}"),
        };
        let submission = Submission::from_envelope(Envelope::parse(envelope.to_json().as_bytes())?)?;
        let checked = check_signatures(submission, &self.state).map_err(refused)?;
        let index = LeafIndex(self.entries.len() as u64);
        let decision = decide(index, Millis(self.now), &checked, &self.state).map_err(refused)?;
        let bytes = checked.encode_entry(Millis(self.now), decision.links).unwrap();
        assert!(bytes.len() <= decision.max_entry_bytes);
        let entry = Entry::decode(&bytes).unwrap();
        assert_eq!(fold::step(index, &entry, &self.state).map_err(refused)?, decision.changes);
        let keys: HashSet<_> = decision.changes.state.iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), decision.changes.state.len(), "a key is put twice in one step");
        Ok((Taken { index: index.0, id: checked.id(), links: decision.links }, bytes, decision.changes))
    }

    pub(crate) fn apply(&mut self, changes: Changes) {
        self.state.extend(changes.state);
        self.rows.extend(changes.rows);
    }

    #[track_caller]
    pub(crate) fn ok(&mut self, claim: &Value, signers: &[&str]) -> Taken {
        self.submit(claim, signers).unwrap_or_else(|refused| panic!("{refused}"))
    }

    /// Submits what must be refused, with this code at this place (`"-"`: no place), leaving no trace.
    #[track_caller]
    pub(crate) fn refuse(&mut self, claim: &Value, signers: &[&str], code: Code, pointer: &str) {
        let refused = self.submit(claim, signers).expect_err("accepted");
        let found = refused.pointer.as_deref().unwrap_or("-");
        assert_eq!((refused.code, found), (code, pointer), "{}", refused.message);
    }

    /// SHA-256 over the sorted state.
    pub(crate) fn digest(&self) -> Hash {
        digest(&self.state)
    }
}

/// SHA-256 over the state: keys ascending, each key and value with its length before it.
pub(crate) fn digest(state: &HashMap<Vec<u8>, Vec<u8>>) -> Hash {
    let sorted: BTreeMap<_, _> = state.iter().collect();
    let mut bytes = Vec::new();
    for part in sorted.iter().flat_map(|(key, value)| [*key, *value]) {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    Hash::of(&bytes)
}

/// A claim of any type, without a subject.
pub(crate) fn claim(claim_type: &str, issuer: &str, role: &str, rel: Value, body: Value) -> Value {
    json!({
        "type": claim_type, "logs": [{"origin": ORIGIN}], "issuer": issuer, "role": role,
        "asserted_at": "2027-01-15T08:00:00Z", "rel": rel, "body": body,
    })
}

pub(crate) fn log_key(name: &str) -> Value {
    json!({"alg": "ed25519", "spki": spki(name)})
}

/// The constitution: one operator, one registrar, one witness.
pub(crate) fn log_v1() -> Value {
    let body = json!({
        "origin": ORIGIN,
        "log_vkey": vkey(ORIGIN, SignatureType::Ed25519, "log"),
        "time_vkey": vkey(&format!("{ORIGIN}/time"), SignatureType::CosignatureV1, "time"),
        "hash": "sha-256", "entry_format": 1,
        "operator_keys": [log_key("operator")], "operator_threshold": 1,
        "registrar_keys": [log_key("registrar")],
        "witnesses": [{"vkey": vkey("witness.example", SignatureType::CosignatureV1, "witness")}],
        "quorum": 1, "delta_seconds": 60, "rules_version": 1,
        "limits": {"entry_bytes": 65535, "envelope_bytes": 131_072}, "retention": "forever",
    });
    claim("log/v1", "operator.example", "operator", json!({"kind": "new"}), body)
}

/// An enrolment or change: keys by test name and use.
pub(crate) fn issuer_v1(id: &str, roles: &[&str], keys: &[(&str, &str)]) -> Value {
    let keys: Vec<_> =
        keys.iter().map(|(name, use_)| json!({"alg": "ed25519", "spki": spki(name), "use": use_})).collect();
    let body = json!({
        "legal_name": format!("{id} (test)"), "roles": roles, "keys": keys,
        "identity": {"method": "dns", "checked_at": "2027-01-10"},
    });
    claim("issuer/v1", id, roles[0], json!({"kind": "new"}), body)
}

/// The operator's revocation of keys.
pub(crate) fn operator_revokes(id: &str, keys: &[&str]) -> Value {
    let revoke: Vec<_> = keys.iter().map(|name| json!({"key_id": key_id(name), "reason": "compromised"})).collect();
    claim("issuer/v1", id, "operator", json!({"kind": "new"}), json!({"revoke": revoke}))
}

/// A support claim of `acme.example` on `CAM-3`.
pub(crate) fn support(until: &str) -> Value {
    let mut claim = claim(
        "support/v1",
        "acme.example",
        "manufacturer",
        json!({"kind": "new"}),
        json!({"security_until": until, "policy_uri": "https://acme.example/support"}),
    );
    claim["subject"] = json!({"manufacturer": "acme.example", "model": "CAM-3"});
    claim
}

/// The same claim with another relation.
pub(crate) fn related(claim: Value, kind: &str, target: &ClaimId) -> Value {
    set(claim, "/rel", json!({"kind": kind, "target": {"id": target.to_string()}, "reason": "a test"}))
}

/// A claim about a support claim on `CAM-3`, with an empty body.
pub(crate) fn about(issuer: &str, role: &str, kind: &str, target: &ClaimId) -> Value {
    let mut claim = related(support("tba"), kind, target);
    claim["issuer"] = json!(issuer);
    claim["role"] = json!(role);
    claim["body"] = json!({});
    claim
}

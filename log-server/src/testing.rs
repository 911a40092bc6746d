//! A log in main memory with known keys, for tests. Every key here is a test key, made of a constant seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use proto::claim::PAYLOAD_TYPE;
use proto::dsse::Envelope;
use proto::ed25519::SecretKey;
use proto::hash::Hash;
use serde_json::{Value, json};

use crate::check::Progress;
use crate::clock::TimeSource;
use crate::log::{IssuerLimit, Log, LogConfig, OpenError};
use crate::sequencer::QueueLimits;
use crate::signer::{HeadSigner, HeadToSign, LogKeys, SignError};
use crate::store::Store;
use crate::store::memory::MemoryStore;

/// The origin of test logs.
pub const ORIGIN: &str = "log.example/test";

/// The time at which test logs are founded: 2027-02-01T12:00:00Z, in milliseconds.
pub const START_MS: u64 = 1_801_483_200_000;

/// The test key of this number.
pub fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

/// Numbers of the keys of a test log.
pub mod number {
    /// The log's heads.
    pub const LOG: u8 = 1;
    /// The log's time.
    pub const TIME: u8 = 2;
    /// The operator.
    pub const OPERATOR: u8 = 3;
    /// The registrar.
    pub const REGISTRAR: u8 = 4;
    /// Acme's admin key.
    pub const ACME_ADMIN: u8 = 10;
    /// Acme's signing key.
    pub const ACME_SIGN: u8 = 11;
}

/// The keys of test logs.
pub fn log_keys() -> LogKeys {
    LogKeys::new(ORIGIN, key(number::LOG), key(number::TIME)).expect("the test origin is a key name")
}

fn spki(number: u8) -> String {
    proto::b64::encode(key(number).public().to_spki())
}

/// Signs a claim with test keys.
pub fn sign(claim: &Value, keys: &[u8]) -> Envelope {
    let keys: Vec<SecretKey> = keys.iter().map(|number| key(*number)).collect();
    Envelope::sign(PAYLOAD_TYPE, claim.to_string().as_bytes(), &keys.iter().collect::<Vec<_>>())
}

/// A claim for the test log.
pub fn claim(claim_type: &str, issuer: &str, role: &str, body: Value) -> Value {
    json!({
        "type": claim_type,
        "logs": [{"origin": ORIGIN}],
        "issuer": issuer,
        "role": role,
        "asserted_at": "2027-02-01T12:00:00Z",
        "rel": {"kind": "new"},
        "body": body,
    })
}

/// The claim of entry 0.
pub fn constitution_claim() -> Value {
    let keys = log_keys();
    claim(
        "log/v1",
        "operator.example",
        "operator",
        json!({
            "origin": ORIGIN,
            "log_vkey": keys.log_vkey(),
            "time_vkey": keys.time_vkey(),
            "hash": "sha-256",
            "entry_format": 1,
            "operator_keys": [{"alg": "ed25519", "spki": spki(number::OPERATOR)}],
            "operator_threshold": 1,
            "registrar_keys": [{"alg": "ed25519", "spki": spki(number::REGISTRAR)}],
            "witnesses": [],
            "quorum": 0,
            "delta_seconds": 60,
            "rules_version": 1,
            "limits": {"entry_bytes": 65535, "envelope_bytes": 131072},
            "retention": "forever",
        }),
    )
}

/// Entry 0, signed.
pub fn constitution() -> Envelope {
    sign(&constitution_claim(), &[number::OPERATOR, number::REGISTRAR])
}

/// The enrolment of an issuer with an admin key and a signing key.
pub fn enrolment(issuer: &str, role: &str, admin: u8, signing: u8) -> Envelope {
    let claim = claim(
        "issuer/v1",
        issuer,
        role,
        json!({
            "legal_name": issuer,
            "roles": [role],
            "keys": [
                {"alg": "ed25519", "spki": spki(admin), "use": "admin"},
                {"alg": "ed25519", "spki": spki(signing), "use": "sign"},
            ],
            "identity": {"method": "paper", "checked_at": "2027-02-01"},
        }),
    );
    sign(&claim, &[admin, signing, number::REGISTRAR])
}

/// Acme's enrolment.
pub fn acme() -> Envelope {
    enrolment("acme.example", "manufacturer", number::ACME_ADMIN, number::ACME_SIGN)
}

/// Acme's promise of support for a model.
pub fn support_claim(model: &str, until: &str) -> Value {
    let mut claim = claim("support/v1", "acme.example", "manufacturer", json!({"security_until": until}));
    claim["subject"] = json!({"manufacturer": "acme.example", "model": model});
    claim
}

/// The same, signed.
pub fn support(model: &str, until: &str) -> Envelope {
    sign(&support_claim(model, until), &[number::ACME_SIGN])
}

/// The bytes of an envelope as they are submitted.
pub fn body(envelope: &Envelope) -> Bytes {
    Bytes::from(envelope.to_json())
}

/// A clock that tests set.
#[derive(Debug, Clone)]
pub struct ManualTime(Arc<(AtomicU64, AtomicU64)>);

impl Default for ManualTime {
    fn default() -> ManualTime {
        ManualTime(Arc::new((AtomicU64::new(START_MS), AtomicU64::new(0))))
    }
}

impl ManualTime {
    /// Time passes.
    pub fn pass(&self, ms: u64) {
        self.0.0.fetch_add(ms, Ordering::SeqCst);
        self.0.1.fetch_add(ms, Ordering::SeqCst);
    }

    /// Someone sets the machine's clock.
    pub fn set_wall(&self, ms: u64) {
        self.0.0.store(ms, Ordering::SeqCst);
    }
}

impl TimeSource for ManualTime {
    fn wall_ms(&self) -> u64 {
        self.0.0.load(Ordering::SeqCst)
    }

    fn monotonic_ms(&self) -> u64 {
        self.0.1.load(Ordering::SeqCst)
    }
}

/// A signer that keeps its record in memory; it is as strict as the one with a file, and survives the log in a test.
#[derive(Clone)]
pub struct MemorySigner {
    keys: LogKeys,
    last: Arc<std::sync::Mutex<Option<HeadToSign>>>,
}

impl MemorySigner {
    /// Nothing signed yet.
    pub fn new() -> MemorySigner {
        MemorySigner { keys: log_keys(), last: Arc::default() }
    }
}

impl Default for MemorySigner {
    fn default() -> MemorySigner {
        MemorySigner::new()
    }
}

impl HeadSigner for MemorySigner {
    fn last(&self) -> Option<HeadToSign> {
        *self.last.lock().expect("no test panics while it holds the lock")
    }

    fn sign(&mut self, head: &HeadToSign, proof: &[Hash]) -> Result<String, SignError> {
        crate::signer::check_extends(self.last().as_ref(), head, proof)?;
        *self.last.lock().expect("no test panics while it holds the lock") = Some(*head);
        self.keys.sign_head(head)
    }
}

/// Hears how far a check is and says nothing.
#[derive(Debug)]
pub struct Silent;

impl Progress for Silent {
    fn part(&self, _: &'static str, _: u64) {}
    fn done(&self, _: u64) {}
}

/// A running test log with what it was made of.
pub struct TestLog {
    /// The log.
    pub log: Arc<Log>,
    /// Its store.
    pub store: Arc<dyn Store>,
    /// Its clock.
    pub time: ManualTime,
    /// Its signer's memory.
    pub signer: MemorySigner,
}

impl TestLog {
    /// A log in main memory with entry 0.
    pub fn start() -> TestLog {
        TestLog::start_on(Arc::new(MemoryStore::new(ORIGIN))).expect("a new log in main memory starts")
    }

    /// Founds a log on an empty store and starts it.
    pub fn start_on(store: Arc<dyn Store>) -> Result<TestLog, OpenError> {
        let (time, signer) = (ManualTime::default(), MemorySigner::new());
        Log::found(store.clone(), Box::new(signer.clone()), Box::new(time.clone()), constitution())?;
        TestLog::open(store, time, signer)
    }

    /// A log in main memory with entry 0, founded at this time.
    pub fn founded_at(ms: u64) -> TestLog {
        let (store, time, signer) = (Arc::new(MemoryStore::new(ORIGIN)), ManualTime::default(), MemorySigner::new());
        time.set_wall(ms);
        let founded = Log::found(store.clone(), Box::new(signer.clone()), Box::new(time.clone()), constitution());
        founded.and_then(|_| TestLog::open(store, time, signer)).expect("a new log in main memory starts")
    }

    /// Opens a log that was founded before.
    pub fn open(store: Arc<dyn Store>, time: ManualTime, signer: MemorySigner) -> Result<TestLog, OpenError> {
        TestLog::open_with(store, time, signer, QueueLimits::default())
    }

    /// As [`TestLog::open`], with bounds of its queue.
    pub fn open_with(
        store: Arc<dyn Store>,
        time: ManualTime,
        signer: MemorySigner,
        queue: QueueLimits,
    ) -> Result<TestLog, OpenError> {
        let log = Log::open(LogConfig {
            keys: log_keys(),
            signer: Box::new(signer.clone()),
            store: store.clone(),
            time: Box::new(time.clone()),
            queue,
            issuer: IssuerLimit::default(),
            read_only: None,
        })?;
        Ok(TestLog { log, store, time, signer })
    }
}

impl Drop for TestLog {
    fn drop(&mut self) {
        self.log.stop();
    }
}

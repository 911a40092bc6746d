//! The values of the state: CBOR arrays with a fixed order of fields.

use minicbor::{Decode, Encode};

use super::{State, StateKey, Stop, View};
use crate::claim::{ClaimId, ClaimType, ProductKey};
use crate::ed25519::KeyId;
use crate::hash::Hash;
use crate::num::{LeafIndex, Millis};

/// The constitution in force, what is under way, and the log's last time.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct LogRecord {
    /// In force at the last entry's time. The stored record may still have it pending.
    #[n(0)]
    pub current: Constitution,
    /// Accepted, but not in force before its `effective_ms`.
    #[n(1)]
    pub pending: Option<Constitution>,
    /// Index of the last `log/v1` entry, in force or not.
    #[n(2)]
    pub last: u64,
    /// Timestamp of the last entry, in milliseconds. Kept apart in the state, since it alone changes with every entry.
    #[cbor(skip)]
    pub last_timestamp: u64,
}

impl LogRecord {
    /// Puts a pending constitution in force whose time has come.
    pub fn advance(&mut self, timestamp: Millis) {
        if let Some(pending) = self.pending.take_if(|pending| pending.effective_ms <= timestamp.0) {
            self.current = pending;
        }
    }

    /// The constitution that held for the entry at `index`: a freeze takes effect at its own entry, but that entry
    /// itself was taken under the rules before.
    pub(super) fn constitution_before(&self, index: LeafIndex) -> u64 {
        if self.current.index == index.0 { self.current.previous } else { self.current.index }
    }
}

/// What the rules need of a `log/v1` claim.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Constitution {
    /// Index of its entry.
    #[n(0)]
    pub index: u64,
    /// Index of the constitution it replaced; its own for entry 0.
    #[n(1)]
    pub previous: u64,
    /// Milliseconds since 1970 from which it holds.
    #[n(2)]
    pub effective_ms: u64,
    /// The log's origin.
    #[n(3)]
    pub origin: String,
    /// The vkey of its checkpoints.
    #[n(4)]
    pub log_vkey: String,
    /// The vkey of its time.
    #[n(5)]
    pub time_vkey: String,
    /// The operator's keys.
    #[n(6)]
    pub operators: Vec<EnrolledKey>,
    /// How many operator keys sign a change.
    #[n(7)]
    pub threshold: u32,
    /// The registrars' keys.
    #[n(8)]
    pub registrars: Vec<EnrolledKey>,
    /// Vkeys of the witnesses it names.
    #[n(9)]
    pub witnesses: Vec<String>,
    /// How many of them make a quorum.
    #[n(10)]
    pub quorum: u32,
    /// δ in seconds.
    #[n(11)]
    pub delta_seconds: u32,
    /// Rules version.
    #[n(12)]
    pub rules_version: u32,
    /// Bytes of an entry at most.
    #[n(13)]
    pub entry_bytes: u32,
    /// Bytes of an envelope at most.
    #[n(14)]
    pub envelope_bytes: u32,
    /// Whether the log is frozen.
    #[n(15)]
    pub frozen: bool,
    /// Origin of the log that goes on after a freeze.
    #[n(16)]
    pub successor: Option<String>,
}

/// A key with its id, as constitutions list them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct EnrolledKey {
    /// SHA-256 of the SubjectPublicKeyInfo.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub id: [u8; 32],
    /// The SubjectPublicKeyInfo.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub spki: Vec<u8>,
}

/// Who holds a key and when it speaks.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct KeyRecord {
    /// The holder.
    #[n(0)]
    pub holder: KeyHolder,
    /// The issuer's id; empty when the holder is the log, its operator or a witness.
    #[n(1)]
    pub issuer: String,
    /// The SubjectPublicKeyInfo; empty for keys that never sign entries.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub spki: Vec<u8>,
    /// Index of the entry that added it.
    #[n(3)]
    pub added: u64,
    /// It speaks from this time on, in milliseconds (a recovery's keys wait).
    #[n(4)]
    pub from_ms: u64,
    /// It speaks before this time, in milliseconds.
    #[n(5)]
    pub until_ms: Option<u64>,
    /// Index of the entry that revoked it.
    #[n(6)]
    pub revoked: Option<u64>,
}

/// In which capacity a key was enrolled. A key has one, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum KeyHolder {
    /// An issuer's key for claims.
    #[n(0)]
    Sign,
    /// An issuer's key for its own keys.
    #[n(1)]
    Admin,
    /// The operator.
    #[n(2)]
    Operator,
    /// A registrar.
    #[n(3)]
    Registrar,
    /// The log's checkpoints or its time.
    #[n(4)]
    Log,
    /// A witness.
    #[n(5)]
    Witness,
}

/// An issuer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct IssuerRecord {
    /// Index of its first registry entry.
    #[n(0)]
    pub first: u64,
    /// Index of its last registry entry.
    #[n(1)]
    pub last: u64,
    /// How many registry entries it has.
    #[n(2)]
    pub entries: u64,
    /// Name in law, as last given.
    #[n(3)]
    pub legal_name: String,
    /// Names of the roles it may speak in.
    #[n(4)]
    pub roles: Vec<String>,
    /// Admin signatures that a change needs.
    #[n(5)]
    pub admin_threshold: u32,
    /// Admin keys that are not revoked.
    #[n(6)]
    pub admins: u32,
    /// Keys it ever enrolled; they are listed under `issuer-key`.
    #[n(7)]
    pub keys: u64,
    /// Whether public data are replayed under this name.
    #[n(8)]
    pub replay: bool,
    /// A recovery that waits.
    #[n(9)]
    pub recovery: Option<PendingRecovery>,
}

/// A recovery that waits for its time or a veto.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PendingRecovery {
    /// The claim that started it.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub claim: [u8; 32],
    /// When its keys begin to speak, in milliseconds.
    #[n(1)]
    pub effective_ms: u64,
    /// Ids of those keys, one after the other.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub keys: Vec<u8>,
}

/// A mandate or a succession.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct AuthorityRecord {
    /// Who gave it.
    #[n(0)]
    pub from: String,
    /// Who may use it.
    #[n(1)]
    pub to: String,
    /// Whether it is a succession; else a mandate.
    #[n(2)]
    pub succession: bool,
    /// It holds before this time, in milliseconds.
    #[n(3)]
    pub until_ms: Option<u64>,
    /// The claim types it is for; empty means all.
    #[n(4)]
    pub types: Vec<String>,
}

/// Where a claim is, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ClaimRecord {
    /// Its leaf index.
    #[n(0)]
    pub index: u64,
    /// First entry of its slot; `None` when it is in no slot of this log.
    #[n(1)]
    pub slot: Option<u64>,
    /// Who made it.
    #[n(2)]
    pub issuer: String,
    /// Whether it carries a body, and so can be replaced.
    #[n(3)]
    pub full: bool,
    /// Whether it is a head of its slot: nobody replaced or withdrew it.
    #[n(4)]
    pub head: bool,
    /// Whether it was withdrawn.
    #[n(5)]
    pub withdrawn: bool,
    /// Its type, when it is in no slot.
    #[n(6)]
    pub claim_type: Option<String>,
    /// The head before it in its slot's list of heads.
    #[cbor(n(7), with = "minicbor::bytes")]
    pub head_before: Option<[u8; 32]>,
    /// The head after it in that list.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub head_after: Option<[u8; 32]>,
}

/// A slot: whose it is, its chain of entries and its heads.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SlotRecord {
    /// Whose claims it holds.
    #[n(0)]
    pub issuer: String,
    /// Type of its claims.
    #[n(1)]
    pub claim_type: String,
    /// Manufacturer as slots key it; empty without a product.
    #[n(2)]
    pub manufacturer: String,
    /// Normalised model; empty without a product.
    #[n(3)]
    pub model: String,
    /// Index of its last entry, of whatever kind.
    #[n(4)]
    pub last: u64,
    /// How many entries it has.
    #[n(5)]
    pub entries: u64,
    /// How many heads it has; more than one means contested.
    #[n(6)]
    pub heads: u64,
    /// The head with the highest index, which is the current claim.
    #[cbor(n(7), with = "minicbor::bytes")]
    pub current: Option<[u8; 32]>,
}

/// The bytes of a record.
pub(super) fn encode(value: &impl Encode<()>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = minicbor::encode(value, &mut bytes);
    debug_assert!(written.is_ok(), "a Vec takes every byte");
    bytes
}

impl<S: State> View<'_, S> {
    fn record<T: for<'b> Decode<'b, ()>>(&self, key: StateKey<'_>) -> Result<Option<T>, Stop<S::Error>> {
        let Some(bytes) = self.state.read(&key.encode()).map_err(Stop::State)? else { return Ok(None) };
        minicbor::decode(&bytes).map(Some).map_err(|_| Stop::Corrupt(format!("{key:?}")))
    }

    pub(super) fn log(&self) -> Result<Option<LogRecord>, Stop<S::Error>> {
        let Some(mut log) = self.record::<LogRecord>(StateKey::Log)? else { return Ok(None) };
        log.last_timestamp = self.record(StateKey::Time)?.ok_or_else(|| Stop::Corrupt("the log's time".into()))?;
        log.advance(Millis(log.last_timestamp));
        Ok(Some(log))
    }

    pub(super) fn key(&self, id: &KeyId) -> Result<Option<KeyRecord>, Stop<S::Error>> {
        self.record(StateKey::Key(id))
    }

    pub(super) fn issuer(&self, id: &str) -> Result<Option<IssuerRecord>, Stop<S::Error>> {
        self.record(StateKey::Issuer(id))
    }

    pub(super) fn authority(&self, id: &ClaimId) -> Result<Option<AuthorityRecord>, Stop<S::Error>> {
        self.record(StateKey::Authority(id))
    }

    pub(super) fn claim(&self, id: &ClaimId) -> Result<Option<ClaimRecord>, Stop<S::Error>> {
        self.record(StateKey::Claim(id))
    }

    pub(super) fn slot(&self, first: u64) -> Result<Option<SlotRecord>, Stop<S::Error>> {
        self.record(StateKey::Slot(first))
    }

    pub(super) fn slot_of(&self, name: &Hash) -> Result<Option<u64>, Stop<S::Error>> {
        self.record(StateKey::SlotOf(name))
    }
}

/// Public reads of single records, for servers and clients that show them.
pub mod read {
    use super::*;

    macro_rules! reader {
        ($(#[$doc:meta])* $name:ident, $arg:ty, $out:ty) => {
            $(#[$doc])*
            pub fn $name<S: State>(state: &S, id: $arg) -> Result<Option<$out>, Stop<S::Error>> {
                View { state }.$name(id)
            }
        };
    }

    reader!(
        /// Who holds a key.
        key, &KeyId, KeyRecord
    );
    reader!(
        /// An issuer.
        issuer, &str, IssuerRecord
    );
    reader!(
        /// Where a claim is and what became of it.
        claim, &ClaimId, ClaimRecord
    );
    reader!(
        /// A slot, by the index of its first entry.
        slot, u64, SlotRecord
    );

    /// The slot of this issuer, type, product and slot key.
    pub fn slot_named<S: State>(
        state: &S,
        issuer: &str,
        claim_type: &ClaimType,
        product: Option<&ProductKey>,
        slot_key: &str,
    ) -> Result<Option<SlotRecord>, Stop<S::Error>> {
        let view = View { state };
        let name = super::super::slot::name_of(issuer, claim_type, product, slot_key);
        view.slot_of(&name)?.map_or(Ok(None), |first| view.slot(first))
    }

    /// The n-th key that an issuer enrolled.
    pub fn issuer_key<S: State>(state: &S, id: &str, n: u64) -> Result<Option<KeyId>, Stop<S::Error>> {
        let bytes: Option<minicbor::bytes::ByteArray<32>> = View { state }.record(StateKey::IssuerKey(id, n))?;
        Ok(bytes.map(|bytes| KeyId(bytes.into())))
    }
}

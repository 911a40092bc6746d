//! `log/v1`: the log's own rules. Entry 0 of every log is one; later ones change what may change.

use crate::claim::names::Origin;
use crate::ed25519::PublicKey;
use crate::hash::Hash;
use crate::num::TreeSize;

/// The constitution. From when it holds is the claim's own `effective`.
///
/// | member | form |
/// |---|---|
/// | `origin` | the log's origin, as in the claim's `logs` |
/// | `log_vkey` | vkey of type 01 (Ed25519), name = origin |
/// | `time_vkey` | vkey of type 04 (cosignature/v1), name = `<origin>/time` |
/// | `hash` | `"sha-256"` |
/// | `entry_format` | `1` |
/// | `operator_keys` | 1–16 of `{alg: "ed25519", spki}`; `spki` is base64 of the DER SubjectPublicKeyInfo |
/// | `operator_threshold` | how many operator keys sign a change, 1 to their number |
/// | `registrar_keys` | 1–16 of the same form |
/// | `witnesses` | 0–32 of `{vkey, name?}` |
/// | `quorum` | how many witnesses must cosign, 0 to their number |
/// | `delta_seconds` | δ, 1–86,400 |
/// | `rules_version` | `1` |
/// | `limits` | `{entry_bytes: 1–65,535, envelope_bytes: 1–131,072}` |
/// | `retention` | `"forever"` |
/// | `refusal_codes` | optional: the codes this log refuses with |
/// | `predecessor` | optional: `{origin, size, root}`, the last head of the log before this one |
/// | `freeze` | optional: `{successor}`, an origin or null: this log takes nothing more |
///
/// No key stands in two roles: a key that speaks for the operator never speaks for the log, its time or a witness.
#[derive(Debug, Clone, PartialEq)]
pub struct LogBody {
    /// The log's origin.
    pub origin: Origin,
    /// The vkey of the log's checkpoints.
    pub log_vkey: String,
    /// The vkey of the log's time.
    pub time_vkey: String,
    /// Who may change the rules.
    pub operator_keys: Vec<LogKey>,
    /// How many of them must sign a change.
    pub operator_threshold: u32,
    /// Who may admit issuers.
    pub registrar_keys: Vec<LogKey>,
    /// Who cosigns.
    pub witnesses: Vec<Witness>,
    /// How many of them make a quorum.
    pub quorum: u32,
    /// δ: seconds within which entries appear under a quorum's head.
    pub delta_seconds: u32,
    /// The rules in force; 1.
    pub rules_version: u32,
    /// What fits.
    pub limits: LogLimits,
    /// How long entries are kept; `forever`.
    pub retention: String,
    /// The codes this log refuses with, when it lists them.
    pub refusal_codes: Vec<String>,
    /// The log before this one.
    pub predecessor: Option<Predecessor>,
    /// The end of this log.
    pub freeze: Option<Freeze>,
}

/// A key of the operator or a registrar.
#[derive(Debug, Clone, PartialEq)]
pub struct LogKey {
    /// DER SubjectPublicKeyInfo as given.
    pub spki: Vec<u8>,
    /// The key, checked.
    pub key: PublicKey,
}

/// A witness the log names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// What people call it.
    pub name: Option<String>,
    /// Its vkey, type 04 or 06.
    pub vkey: String,
}

/// Bounds the log announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// Largest entry, in bytes.
    pub entry_bytes: u32,
    /// Largest envelope body, in bytes.
    pub envelope_bytes: u32,
}

/// The last head of the log before this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predecessor {
    /// Its origin.
    pub origin: Origin,
    /// Size of its last head.
    pub size: TreeSize,
    /// Root hash of its last head.
    pub root: Hash,
}

/// The end of a log: any entry after it is a provable breach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// The log that goes on, if any.
    pub successor: Option<Origin>,
}

//! Whom a reader trusts (C2SP tlog-policy): the logs, the witnesses, and how many of them must have seen a head.
//!
//! The file is read by [`Policy::parse`], whose errors name the line. [`Policy::check`] judges a checkpoint: the log's
//! signature decides between `Ok` and `Err`; whether the quorum was met is reported beside it, so that "consistent, but
//! your policy is not met" can be told from "not proven".
//!
//! A `witness` line whose vkey is named `<origin>/time`, where a `log` line has that origin, is the log's own time key.
//! Its time is reported as the log's word, and it can be in no group and no quorum.

mod check;
mod parse;
mod quorum;

use crate::note::{BadVerifier, Verifier, Vkey};

pub use check::{CheckError, Checked, WitnessReport, WitnessState};
pub use parse::{BadPolicy, Fault};
pub use quorum::{QuorumReport, Threshold};

/// The largest policy file that is read, in bytes: 256 logs and 256 witnesses with ML-DSA keys of 2 KB each.
pub const MAX_POLICY_BYTES: usize = 1 << 20;

/// The most logs, and the most witnesses and groups together. The format asks for at least 32 of each.
pub const MAX_POLICY_ITEMS: usize = 256;

/// What the name of a log's own time key adds to its origin.
pub const TIME_KEY_SUFFIX: &str = "/time";

/// The name of a witness or group inside a policy: any bytes without space, tab and line feed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyName(Vec<u8>);

impl PolicyName {
    /// The name's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Display for PolicyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// A key of a policy, with the verifier or the reason why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    vkey: Vkey,
    verifier: Result<Verifier, BadVerifier>,
}

impl Key {
    fn new(vkey: Vkey) -> Key {
        let verifier = Verifier::new(&vkey);
        Key { vkey, verifier }
    }
}

/// A log that the reader accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    key: Key,
    url: Option<String>,
}

impl Log {
    /// The log's origin, which is the name of its key.
    pub fn origin(&self) -> &str {
        self.key.vkey.name().as_str()
    }

    /// The log's key.
    pub fn vkey(&self) -> &Vkey {
        &self.key.vkey
    }

    /// Where the log can be found, if the policy says so.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

/// A cosigner that the reader knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    name: PolicyName,
    key: Key,
    url: Option<String>,
    time_key_of: Option<String>,
}

impl Witness {
    /// The name in the policy.
    pub fn name(&self) -> &PolicyName {
        &self.name
    }

    /// The cosigner's key.
    pub fn vkey(&self) -> &Vkey {
        &self.key.vkey
    }

    /// What checks the cosigner's lines, or why nothing can.
    pub fn verifier(&self) -> Result<&Verifier, BadVerifier> {
        self.key.verifier.as_ref().map_err(|why| *why)
    }

    /// Where checkpoints are submitted to it, if the policy says so.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// The origin of the listed log whose own time key this is; then it is no witness and never counts.
    pub fn time_key_of(&self) -> Option<&str> {
        self.time_key_of.as_deref()
    }
}

/// A reader's trust, read from a file. It was checked that every key is well formed, that names are unique and that no
/// key has two roles; whether each key is a good curve point is said by [`Policy::check_keys`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    quorum: quorum::Quorum,
}

impl Policy {
    /// The logs, in the order of the file.
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The witnesses and time keys, in the order of the file.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// Whether the policy asks for no witness at all (`quorum none`).
    pub fn has_no_quorum(&self) -> bool {
        self.quorum.is_none()
    }

    /// Whether the quorum would be met if exactly these witnesses cosigned, each told with its place in
    /// [`Policy::witnesses`]: for those who collect cosignatures, and for those who ask beforehand whether they can.
    pub fn is_met_by(&self, cosigned: impl Fn(usize, &Witness) -> bool) -> bool {
        self.quorum.is_met(&|place| self.witnesses.get(place).is_some_and(|witness| cosigned(place, witness)))
    }

    /// The smallest number of these witnesses in any set that meets the quorum, whoever else is in it: for those who hold one
    /// policy against another.
    pub fn fewest_of(&self, counts: impl Fn(usize, &Witness) -> bool) -> usize {
        self.quorum.fewest_of(&|place| self.witnesses.get(place).is_some_and(|witness| counts(place, witness)))
    }

    /// Says which key is malformed or of small order, so that a reader learns it when the file is loaded. Keys of types
    /// that cannot be checked are no fault: their lines are ignored.
    pub fn check_keys(&self) -> Result<(), CheckError> {
        let keys = self.logs.iter().map(|log| &log.key).chain(self.witnesses.iter().map(|w| &w.key));
        for key in keys {
            if let Err(BadVerifier::Key(why)) = key.verifier {
                return Err(CheckError::Key { vkey: key.vkey.clone(), why });
            }
        }
        Ok(())
    }

    /// The policy that trusts these log keys and asks for no witness; `time_key` is the log's own. For a first use,
    /// where nobody said yet whom to trust.
    pub fn trusting(log_keys: &[Vkey], time_key: Option<&Vkey>) -> Result<Policy, BadPolicy> {
        let logs = log_keys.iter().map(|vkey| format!("log {vkey}\n"));
        let time = time_key.map(|vkey| format!("witness log-time {vkey}\n"));
        let text: String = logs.chain(time).chain(["quorum none\n".to_owned()]).collect();
        Policy::parse(text)
    }

    /// The policy as a file that reads back equal: logs, then witnesses and groups, then the quorum.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for log in &self.logs {
            out.extend_from_slice(format!("log {}", log.vkey()).as_bytes());
            end_line(&mut out, log.url());
        }
        for witness in &self.witnesses {
            out.extend_from_slice(b"witness ");
            out.extend_from_slice(witness.name.as_bytes());
            out.extend_from_slice(format!(" {}", witness.vkey()).as_bytes());
            end_line(&mut out, witness.url());
        }
        self.quorum.write(&self.witnesses, &mut out);
        out
    }
}

fn end_line(out: &mut Vec<u8>, url: Option<&str>) {
    if let Some(url) = url {
        out.push(b' ');
        out.extend_from_slice(url.as_bytes());
    }
    out.push(b'\n');
}

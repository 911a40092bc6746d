//! Judging a checkpoint by a policy.

use super::{Log, Policy, PolicyName, QuorumReport, Witness};
use crate::checkpoint::{CheckpointError, VerifiedCheckpoint};
use crate::ed25519::BadKey;
use crate::note::{BadNote, BadVerifier, Note, SignatureType, Verifier, Vkey};
use crate::num::Seconds;

/// Why a checkpoint is not proven under a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The bytes are not a note.
    #[error(transparent)]
    Malformed(BadNote),
    /// A key of the policy is no good; the policy must be mended first.
    #[error("the policy's key of {} is unusable: {why}; get the right vkey from its owner", vkey.name())]
    Key {
        /// The key as it stands in the policy.
        vkey: Vkey,
        /// What is wrong with it.
        why: BadKey,
    },
    /// The policy lists no log of the checkpoint's origin.
    #[error("the policy lists no log of the origin {0:?}")]
    UnknownLog(String),
    /// The policy lists the log only with keys of a type that cannot be checked.
    #[error("the policy lists the log {0} only with keys of a type that this version cannot check")]
    UncheckableLog(String),
    /// A signature fails, the log's is missing, or the text is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// A checkpoint that a listed log signed, and what the witnesses say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The checkpoint.
    pub checkpoint: VerifiedCheckpoint,
    /// The head's time by the log's own time key, if the policy lists that key and it signed. The log's word only.
    pub log_time: Option<Seconds>,
    /// Whether the reader's quorum was met, and the times.
    pub quorum: QuorumReport,
    /// Each witness of the policy; time keys of logs are not among them.
    pub witnesses: Vec<WitnessReport>,
}

/// What one witness of the policy did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessReport {
    /// Its name in the policy.
    pub name: PolicyName,
    /// Its key.
    pub vkey: Vkey,
    /// Whether the quorum counts it.
    pub counts: bool,
    /// Whether it cosigned.
    pub state: WitnessState,
}

/// Whether a witness cosigned a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WitnessState {
    /// It did, at this time by its own clock.
    Cosigned(Seconds),
    /// The note has no line of it.
    Absent,
    /// Its key is of a type that cannot be checked here; a line of it was ignored.
    NotChecked(SignatureType),
}

impl WitnessState {
    fn time(self) -> Option<Seconds> {
        match self {
            WitnessState::Cosigned(time) => Some(time),
            WitnessState::Absent | WitnessState::NotChecked(_) => None,
        }
    }
}

impl Policy {
    /// Checks the bytes of a checkpoint note. `Ok` says that a listed log, whose key name is the checkpoint's origin,
    /// signed it, and that no line of a listed key fails; [`Checked::quorum`] says whether enough witnesses saw it.
    pub fn check(&self, note: &[u8]) -> Result<Checked, CheckError> {
        self.check_note(Note::parse(note).map_err(CheckError::Malformed)?)
    }

    /// The note without the lines that name none of the policy's keys. They say nothing under this policy, and anybody can add
    /// some: what is kept or passed on is better without them.
    #[must_use]
    pub fn only_known_lines(&self, note: Note) -> Note {
        let keys = || self.logs.iter().map(Log::vkey).chain(self.witnesses.iter().map(Witness::vkey));
        note.only_lines(|line| keys().any(|key| key.key_hash() == line.key_hash() && key.name() == line.name()))
    }

    /// As [`Policy::check`], for a note that was parsed.
    pub fn check_note(&self, note: Note) -> Result<Checked, CheckError> {
        self.check_keys()?;
        let origin = note.claimed_origin().to_owned();
        let log_keys = self.log_keys(&origin)?;
        let others = self.other_keys(&origin);
        let checkpoint = VerifiedCheckpoint::verify(note, &origin, &log_keys, &others)?;
        let states: Vec<WitnessState> = self.witnesses.iter().map(|witness| state_of(witness, &checkpoint)).collect();
        Ok(Checked {
            log_time: self.log_time(&origin, &states),
            quorum: self.quorum.judge(&states.iter().map(|state| state.time()).collect::<Vec<_>>()),
            witnesses: self.reports(&states),
            checkpoint,
        })
    }

    fn log_keys(&self, origin: &str) -> Result<Vec<Verifier>, CheckError> {
        let listed: Vec<&Log> = self.logs.iter().filter(|log| log.origin() == origin).collect();
        if listed.is_empty() {
            return Err(CheckError::UnknownLog(origin.to_owned()));
        }
        let keys: Vec<Verifier> = listed.iter().filter_map(|log| log.key.verifier.clone().ok()).collect();
        if keys.is_empty() {
            return Err(CheckError::UncheckableLog(origin.to_owned()));
        }
        Ok(keys)
    }

    /// Every other key of the policy: a line that names one and fails spoils the note.
    fn other_keys(&self, origin: &str) -> Vec<Verifier> {
        let logs = self.logs.iter().filter(|log| log.origin() != origin).map(|log| &log.key);
        let witnesses = self.witnesses.iter().map(|witness| &witness.key);
        logs.chain(witnesses).filter_map(|key| key.verifier.clone().ok()).collect()
    }

    fn log_time(&self, origin: &str, states: &[WitnessState]) -> Option<Seconds> {
        let own = |witness: &Witness| witness.time_key_of.as_deref() == Some(origin);
        let times = self.witnesses.iter().zip(states).filter(|(witness, _)| own(witness));
        times.filter_map(|(_, state)| state.time()).next()
    }

    fn reports(&self, states: &[WitnessState]) -> Vec<WitnessReport> {
        let counted = self.quorum.counted();
        let witnesses = self.witnesses.iter().zip(states).enumerate();
        witnesses
            .filter(|(_, (witness, _))| witness.time_key_of.is_none())
            .map(|(i, (witness, state))| WitnessReport {
                name: witness.name.clone(),
                vkey: witness.key.vkey.clone(),
                counts: counted.contains(&i),
                state: *state,
            })
            .collect()
    }
}

fn state_of(witness: &Witness, checkpoint: &VerifiedCheckpoint) -> WitnessState {
    if let Err(BadVerifier::Unsupported(kind)) = witness.key.verifier {
        return WitnessState::NotChecked(kind);
    }
    let signature = checkpoint.note().signature_by(&witness.key.vkey);
    signature.and_then(|s| s.time()).map_or(WitnessState::Absent, WitnessState::Cosigned)
}

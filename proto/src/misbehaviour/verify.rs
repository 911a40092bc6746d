//! Judging a file: a pure function of its bytes.

use std::fmt;

use super::shown::Shown;
use super::{Kind, Misbehaviour, hashes, links, rule, times};
use crate::checkpoint::{BadCheckpoint, CheckpointText};
use crate::code::Code;
use crate::entry::BadEntry;
use crate::merkle::BadProof;
use crate::note::{SignatureType, Verifier, VerifyError, Vkey};
use crate::num::{LeafIndex, Seconds};
use crate::policy::TIME_KEY_SUFFIX;

/// Whose key was convicted, by its type and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// The log's own key: type 01, named by the origin.
    Log,
    /// The log's time key: type 04, named `<origin>/time`.
    LogTime,
    /// A witness: any other key of type 04.
    Witness,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Party::Log => "log",
            Party::LogTime => "log-time",
            Party::Witness => "witness",
        })
    }
}

/// The party of this key at this origin; `None` when its signatures are no word of anyone about it.
pub(super) fn party(key: &Vkey, origin: &str) -> Option<Party> {
    let name = key.name().as_str();
    match key.signature_type() {
        SignatureType::Ed25519 if name == origin => Some(Party::Log),
        SignatureType::CosignatureV1 if name.strip_suffix(TIME_KEY_SUFFIX) == Some(origin) => Some(Party::LogTime),
        SignatureType::CosignatureV1 => Some(Party::Witness),
        _ => None,
    }
}

/// What a file proves: a holder of [`Proven::accused`] signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Of what it was convicted.
    pub kind: Kind,
    /// At which log.
    pub origin: String,
    /// The convicted key. Whether it is one that matters is for the reader's trust file.
    pub accused: Vkey,
    /// Whose key it is by its type and name.
    pub party: Party,
    /// What contradicts what, in one sentence.
    pub finding: String,
    /// The code with which the rules refuse the entry, when a rule was broken.
    pub code: Option<Code>,
}

/// Why a file proves nothing. The accused may be as honest as any.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// The accused key did not sign a head.
    #[error("head {0}: {1}")]
    Signature(usize, VerifyError),
    /// A head is no checkpoint.
    #[error("head {0}: {1}")]
    Head(usize, BadCheckpoint),
    /// A head is of another log.
    #[error("head {0} is of the log {1:?}")]
    Origin(usize, String),
    /// A proof fails. That is never evidence.
    #[error("a proof does not hold, which says nothing about the accused: {0}")]
    Proof(#[from] BadProof),
    /// An entry is not of format 1.
    #[error("entry {0}: {1}")]
    Entry(LeafIndex, BadEntry),
    /// The parts do not contradict each other.
    #[error("no contradiction: {0}")]
    Harmless(String),
    /// The rules need something that the file does not show.
    #[error("not decided by what the file shows: {0}")]
    NotShown(String),
}

pub(super) fn harmless<T>(why: impl Into<String>) -> Result<T, NotProven> {
    Err(NotProven::Harmless(why.into()))
}

pub(super) fn not_shown<T>(what: impl Into<String>) -> Result<T, NotProven> {
    Err(NotProven::NotShown(what.into()))
}

/// A head that the accused signed, and the time it stated with it.
pub(super) struct Head {
    pub(super) text: CheckpointText,
    pub(super) time: Option<Seconds>,
}

/// What contradicts what, and the code of a broken rule.
pub(super) type Finding = (String, Option<Code>);

impl Misbehaviour {
    /// Whether the file proves what it accuses of. No clock, no network, no other file is asked.
    pub fn verify(&self) -> Result<Proven, NotProven> {
        let heads = self.verified_heads()?;
        let plain = |finding: String| (finding, None);
        let (finding, code) = match (self.kind, heads.as_slice()) {
            (Kind::SameSize, [a, b]) => plain(hashes::same_size(a, b)?),
            (Kind::Inconsistent, [a, b]) => plain(hashes::inconsistent(a, b, self.alternative.as_ref())?),
            (Kind::TwoEntries, [a, b]) => plain(hashes::two_entries([a, b], &self.leaves)?),
            (Kind::HeadTime, [stated, shown]) => plain(times::head_time(stated, &self.shown(shown)?)?),
            (Kind::TimeBack, [head]) => plain(times::time_back(&self.shown(head)?)?),
            (Kind::DuplicateClaim, [head]) => plain(times::duplicate_claim(&self.shown(head)?)?),
            (Kind::AfterFreeze, [head]) => plain(times::after_freeze(head, &self.shown(head)?)?),
            (Kind::WrongLink, [head]) => plain(links::wrong_link(&self.shown(head)?)?),
            (Kind::BrokenRule, [head]) => rule::broken_rule(&self.shown(head)?)?,
            // The form was checked when the file was read or made.
            _ => return harmless("the file has not the heads of its kind"),
        };
        let Some(party) = party(&self.accused, &self.origin) else {
            return harmless("the accused key says nothing about this log");
        };
        let (kind, origin, accused) = (self.kind, self.origin.clone(), self.accused.clone());
        Ok(Proven { kind, origin, accused, party, finding, code })
    }

    fn verified_heads(&self) -> Result<Vec<Head>, NotProven> {
        let Ok(verifier) = Verifier::new(&self.accused) else { return harmless("the accused key checks nothing") };
        let verified = |(n, note): (usize, &crate::note::Note)| {
            let note =
                note.clone().verify(std::slice::from_ref(&verifier)).map_err(|why| NotProven::Signature(n, why))?;
            let text = CheckpointText::parse(note.text()).map_err(|why| NotProven::Head(n, why))?;
            if text.origin() != self.origin {
                return Err(NotProven::Origin(n, text.origin().to_owned()));
            }
            let time = note.signature_by(&self.accused).and_then(|signature| signature.time());
            Ok(Head { text, time })
        };
        self.heads.iter().enumerate().map(verified).collect()
    }

    /// The entries, each proven to be in the tree of this head.
    fn shown(&self, head: &Head) -> Result<Shown, NotProven> {
        Shown::under(head, &self.entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cosignature::Cosigner;
    use crate::ed25519::SecretKey;
    use crate::note::{KeyName, NoteSigner};

    #[test]
    fn a_key_is_the_logs_by_its_type_and_its_whole_name() {
        // Test keys.
        let name = |text: &str| KeyName::parse(text).expect("a name");
        let log = |text: &str| NoteSigner::new(name(text), SecretKey::from_seed(&[1; 32])).vkey().clone();
        let cosigner =
            |text: &str| Cosigner::new(name(text), SecretKey::from_seed(&[2; 32])).expect("a key").vkey().clone();
        let of = |key: &Vkey| party(key, "log.example");
        assert_eq!(of(&log("log.example")), Some(Party::Log));
        for other in ["other.example", "log.example/time", "log.exampl", "log.example.evil.example"] {
            assert_eq!(of(&log(other)), None, "{other}");
        }
        assert_eq!(of(&cosigner("log.example/time")), Some(Party::LogTime));
        assert_eq!(of(&cosigner("other.example/time")), Some(Party::Witness));
        assert_eq!(of(&cosigner("log.example")), Some(Party::Witness));
    }
}

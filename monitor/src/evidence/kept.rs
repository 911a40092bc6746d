//! What is kept of a file beside its bytes.

use proto::misbehaviour::Kind;
use proto::num::Millis;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{EvidenceId, ProvenFile};
use crate::finding::{Class, Finding, code};

/// Where a file came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// This monitor found it and made the file.
    Own,
    /// A peer of this name handed it in: it was asked, or sent it from where it sends from.
    Peer(String),
    /// Somebody who calls himself by the name of this peer handed it in, from elsewhere. Anybody can.
    Named(String),
    /// The operator or somebody on this machine handed it in.
    Report,
}

impl Source {
    /// Whether it came from anybody but this monitor.
    pub fn is_outside(&self) -> bool {
        *self != Source::Own
    }

    /// For people.
    pub fn words(&self) -> String {
        match self {
            Source::Own => "found by this monitor".to_owned(),
            Source::Peer(name) => format!("from the peer {name}"),
            Source::Named(name) => format!("from somebody who calls himself {name}"),
            Source::Report => "handed in here".to_owned(),
        }
    }
}

/// A file on its way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvidence {
    /// The file.
    pub file: ProvenFile,
    /// Where it came from.
    pub source: Source,
}

impl NewEvidence {
    /// What following found.
    pub fn own(file: ProvenFile) -> NewEvidence {
        NewEvidence { file, source: Source::Own }
    }

    /// The finding that begins with a file which no other finding names. There is one for each kind and key, so that many
    /// files about one thing are one finding; and one more after each time that the operator let the log be cosigned despite
    /// files of that kind, of which there are `resumed`.
    pub fn finding(&self, resumed: u64) -> Finding {
        let (proven, id) = (self.file.proven(), self.file.id());
        let message = format!("{} {}: {} (evidence {id})", proven.headline(), self.source.words(), proven.finding);
        let again = if resumed == 0 { String::new() } else { format!("-after-{resumed}") };
        let name = format!("{}-{}{again}", proven.kind, proven.accused.key_hash());
        let mut finding = Finding::new(Class::Tamper, code::EVIDENCE, message).named(name);
        finding.evidence = vec![id];
        finding
    }
}

/// A file that is kept, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its number within the log, from 1 on, without gaps.
    pub number: u64,
    /// Its name.
    pub id: EvidenceId,
    /// What it proves.
    #[serde(serialize_with = "write_kind", deserialize_with = "read_kind")]
    pub kind: Kind,
    /// The convicted key, as a vkey.
    pub accused: String,
    /// What contradicts what, in one sentence.
    pub finding: String,
    /// When it was kept here, in milliseconds since 1970.
    pub found_at: Millis,
    /// Where it came from first.
    pub source: Source,
    /// Bytes of the file.
    pub bytes: u64,
    /// Whether it is a reason to cosign no more for the log: two histories under the log's key, and not what an act of the
    /// operator's covered before.
    pub stops_cosigning: bool,
}

impl Kept {
    /// Of a new file.
    pub fn new(number: u64, new: &NewEvidence, found_at: Millis) -> Kept {
        let (file, proven) = (&new.file, new.file.proven());
        Kept {
            number,
            id: file.id(),
            kind: proven.kind,
            accused: proven.accused.to_string(),
            finding: proven.finding.clone(),
            found_at,
            source: new.source.clone(),
            bytes: file.bytes().len() as u64,
            stops_cosigning: file.stops_cosigning(),
        }
    }
}

/// What became of a file on its way into the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is kept now.
    New(EvidenceId),
    /// It was kept before.
    Known(EvidenceId),
    /// It is not kept: as many of its kind against this key are as ever are, and one convicts the key; or an act of the operator's
    /// covers all that it shows.
    Enough(EvidenceId),
}

fn write_kind<S: Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.as_str())
}

fn read_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    let name = String::deserialize(deserializer)?;
    Kind::parse(&name).ok_or_else(|| serde::de::Error::custom("no kind of misbehaviour"))
}

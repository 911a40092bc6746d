//! Files that belong together share a stem (DECISIONS 22): `x.envelope.json`, `x.receipt.json`, `x.tlog-proof`,
//! `x.entry`, and `x.payload.json` for a payload alone.

use std::path::{Path, PathBuf};

use proto::claim::PAYLOAD_TYPE;
use proto::dsse::{Envelope, MAX_ENVELOPE_BYTES};
use proto::ed25519::PublicKey;
use proto::entry::MAX_ENTRY_BYTES;
use proto::receipt::{MAX_RECEIPT_BYTES, Receipt};
use proto::tlog_proof::TlogProof;

use super::{Content, Proof, Report, Verdict, judge};
use crate::error::{Error, ErrorKind};
use crate::files;
use crate::trust::Trust;

/// The largest of the files that are read here.
const MAX_FILE_BYTES: usize = 1 << 20;

/// Where the parts of one claim stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MaterialPaths {
    /// The envelope that was submitted.
    pub envelope: Option<PathBuf>,
    /// The log's receipt.
    pub receipt: Option<PathBuf>,
    /// The offline proof.
    pub proof: Option<PathBuf>,
    /// The entry's bytes.
    pub entry: Option<PathBuf>,
    /// The claim's payload alone.
    pub payload: Option<PathBuf>,
}

const ENVELOPE: &str = ".envelope.json";
const RECEIPT: &str = ".receipt.json";
const PROOF: &str = ".tlog-proof";
const ENTRY: &str = ".entry";
const PAYLOAD: &str = ".payload.json";

impl MaterialPaths {
    /// The file that was named and those beside it with the same stem. A name without a known ending is told by what is
    /// in the file.
    pub fn beside(path: &Path) -> Result<MaterialPaths, Error> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let stem = [ENVELOPE, RECEIPT, PROOF, ENTRY, PAYLOAD].iter().find_map(|suffix| name.strip_suffix(suffix));
        let mut found = MaterialPaths::default();
        let stem = match stem {
            Some(stem) => stem.to_owned(),
            None => {
                *found.place_for(&files::read(path, MAX_FILE_BYTES)?) = Some(path.to_owned());
                path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned()
            }
        };
        for (suffix, place) in [
            (ENVELOPE, &mut found.envelope),
            (RECEIPT, &mut found.receipt),
            (PROOF, &mut found.proof),
            (ENTRY, &mut found.entry),
            (PAYLOAD, &mut found.payload),
        ] {
            let candidate = path.with_file_name(format!("{stem}{suffix}"));
            if place.is_none() && candidate.is_file() {
                *place = Some(candidate);
            }
        }
        if found == MaterialPaths::default() {
            return Err(Error::local(format!("{} cannot be read: there is no such file", path.display())));
        }
        Ok(found)
    }

    /// The part that bytes look like; an envelope when they look like nothing.
    fn place_for(&mut self, bytes: &[u8]) -> &mut Option<PathBuf> {
        let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        if bytes.starts_with(b"c2sp.org/tlog-proof") {
            &mut self.proof
        } else if has(proto::receipt::FORMAT) {
            &mut self.receipt
        } else if bytes.first() == Some(&0x86) {
            &mut self.entry // CBOR: an array of six
        } else {
            &mut self.envelope
        }
    }
}

/// What a part of a claim's material is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The log's receipt, JSON.
    Receipt,
    /// A C2SP tlog-proof.
    Proof,
    /// The entry's bytes.
    Entry,
    /// The envelope that was submitted.
    Envelope,
    /// The payload alone.
    Payload,
}

impl Part {
    /// The largest file of this kind that is read, in bytes.
    fn limit(self) -> usize {
        match self {
            Part::Receipt => MAX_RECEIPT_BYTES,
            Part::Proof => MAX_FILE_BYTES,
            Part::Envelope => MAX_ENVELOPE_BYTES,
            Part::Entry | Part::Payload => MAX_ENTRY_BYTES,
        }
    }
}

/// The parts of one claim, parsed.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// The proofs, at least one.
    pub proofs: Vec<Proof>,
    /// What they are for, in every form that was given, at least one.
    pub contents: Vec<Content>,
}

impl Material {
    /// Reads the files. The report says which of them is malformed or missing.
    pub fn load(paths: &MaterialPaths) -> Result<Result<Material, Report>, Error> {
        match Material::read(paths) {
            Ok(material) => Ok(Ok(material)),
            Err(error) if error.kind == ErrorKind::Malformed => {
                Ok(Err(Report::short(Verdict::Malformed, error.message)))
            }
            Err(error) if error.kind == ErrorKind::NotProven => {
                Ok(Err(Report::short(Verdict::NotProven, error.message)))
            }
            Err(error) => Err(error),
        }
    }

    fn read(paths: &MaterialPaths) -> Result<Material, Error> {
        let mut material = Material::default();
        for (part, path) in [
            (Part::Receipt, &paths.receipt),
            (Part::Proof, &paths.proof),
            (Part::Entry, &paths.entry),
            (Part::Envelope, &paths.envelope),
            (Part::Payload, &paths.payload),
        ] {
            if let Some(path) = path {
                let bytes = files::read(path, part.limit())?;
                material.add(part, bytes).map_err(|e| Error { message: format!("{}: {e}", path.display()), ..e })?;
            }
        }
        material.is_whole().map(|()| material)
    }

    /// Parses one part and adds it.
    pub fn add(&mut self, part: Part, bytes: Vec<u8>) -> Result<(), Error> {
        let bad = |e: &dyn std::fmt::Display| Error::malformed(e.to_string());
        match part {
            Part::Receipt => self.proofs.push(Proof::Receipt(Receipt::parse(&bytes).map_err(|e| bad(&e))?)),
            Part::Proof => self.proofs.push(Proof::Tlog(TlogProof::parse(&bytes).map_err(|e| bad(&e))?)),
            Part::Entry => self.contents.push(Content::Entry(bytes)),
            Part::Envelope => {
                let envelope = Envelope::parse(&bytes).map_err(|e| bad(&e))?;
                if envelope.payload_type != PAYLOAD_TYPE {
                    return Err(bad(&format!("its payload type is {}, not {PAYLOAD_TYPE}", envelope.payload_type)));
                }
                self.contents.push(Content::Payload(envelope.payload, Some(envelope.signatures)));
            }
            Part::Payload => self.contents.push(Content::Payload(bytes, None)),
        }
        Ok(())
    }

    /// Whether there is a proof, and something that it proves.
    fn is_whole(&self) -> Result<(), Error> {
        if self.proofs.is_empty() {
            return Err(Error::not_proven(
                "there is no proof beside it (x.receipt.json or x.tlog-proof); get one with `claimtrail proof ID -o x.tlog-proof`",
            ));
        }
        if self.contents.is_empty() {
            return Err(Error::not_proven(
                "the proof names a claim, but the claim is not beside it (x.envelope.json, x.entry or x.payload.json)",
            ));
        }
        Ok(())
    }

    /// Judges every proof with every form of the claim; the report is the worst of them.
    pub fn judge(&self, trust: Option<&Trust>, keys: &[PublicKey]) -> Report {
        let pairs = self.proofs.iter().flat_map(|proof| self.contents.iter().map(move |content| (proof, content)));
        let reports = pairs.map(|(proof, content)| judge(proof, content, trust, keys));
        let worst = reports.min_by_key(|report| report.verdict);
        worst.unwrap_or_else(|| Report::short(Verdict::Malformed, "there is nothing to verify"))
    }
}

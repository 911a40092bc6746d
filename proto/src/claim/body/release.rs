//! `release/v1`: a version and its artifacts.

use super::vulnerability::vulnerability_id;
use crate::claim::date::DateText;
use crate::claim::limits::{MAX_ARTIFACTS, MAX_IDS, MAX_STATUS};
use crate::claim::parse::file_size;
use crate::claim::read;
use crate::code::{Code, Refused};
use crate::hash::Hash;
use crate::json::Item;

/// A release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseBody {
    /// The exact version string; the slot key.
    pub version: String,
    /// What was released, 1–256.
    pub artifacts: Vec<Artifact>,
    /// When the issuer published it.
    pub published_at: Option<DateText>,
    /// When somebody else first saw it.
    pub observed_at: Option<DateText>,
    /// Whether it is a security update.
    pub security: Option<bool>,
    /// Vulnerabilities it fixes.
    pub fixes: Vec<String>,
    /// The version it replaces.
    pub replaces: Option<String>,
    /// The oldest version it installs on.
    pub min_from: Option<String>,
    /// The channel, such as `stable`.
    pub channel: Option<String>,
    /// Until when it stays available.
    pub available_until: Option<DateText>,
    /// Where it can be had.
    pub urls: Vec<String>,
}

/// A file of a release, named by its digests, at least one of which is present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// What the file is.
    pub role: ArtifactRole,
    /// SHA-256 of its bytes.
    pub sha256: Option<Hash>,
    /// SHA-512 of its bytes.
    pub sha512: Option<[u8; 64]>,
    /// Its length in bytes.
    pub size: Option<u64>,
    /// Its name.
    pub filename: Option<String>,
}

/// What a file of a release is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArtifactRole {
    /// `firmware`
    Firmware,
    /// `sbom`
    Sbom,
    /// `manifest`
    Manifest,
    /// `source`
    Source,
    /// `notes`
    Notes,
}

impl ReleaseBody {
    pub(super) fn read(item: Item) -> Result<ReleaseBody, Refused> {
        let mut fields = item.object()?;
        let body = ReleaseBody {
            version: fields.read("version", read::line)?,
            artifacts: fields.non_empty_list("artifacts", MAX_ARTIFACTS, artifact)?,
            published_at: fields.read_opt("published_at", read::date)?,
            observed_at: fields.read_opt("observed_at", read::date)?,
            security: fields.read_opt("security", Item::boolean)?,
            fixes: fields.list_opt("fixes", MAX_STATUS, vulnerability_id)?,
            replaces: fields.read_opt("replaces", read::line)?,
            min_from: fields.read_opt("min_from", read::line)?,
            channel: fields.read_opt("channel", read::free)?,
            available_until: fields.read_opt("available_until", read::date)?,
            urls: fields.list_opt("urls", MAX_IDS, read::uri)?,
        };
        read::no_twins(&body.fixes, fields.place(), "fixes")?;
        fields.finish()?;
        Ok(body)
    }
}

fn artifact(item: Item) -> Result<Artifact, Refused> {
    let mut fields = item.object()?;
    let artifact = Artifact {
        role: fields.read("role", artifact_role)?,
        sha256: fields.read_opt("sha256", read::sha256)?,
        sha512: fields.read_opt("sha512", sha512)?,
        size: fields.read_opt("size", file_size)?,
        filename: fields.read_opt("filename", read::line)?,
    };
    if artifact.sha256.is_none() && artifact.sha512.is_none() {
        return Err(fields.refuse("sha256", Code::ClaimMissing, "an artifact has \"sha256\", \"sha512\" or both"));
    }
    fields.finish()?;
    Ok(artifact)
}

fn artifact_role(item: Item) -> Result<ArtifactRole, Refused> {
    item.text()?.choice(&[
        ("firmware", ArtifactRole::Firmware),
        ("sbom", ArtifactRole::Sbom),
        ("manifest", ArtifactRole::Manifest),
        ("source", ArtifactRole::Source),
        ("notes", ArtifactRole::Notes),
    ])
}

fn sha512(item: Item) -> Result<[u8; 64], Refused> {
    let text = item.text()?;
    let lower = !text.as_str().bytes().any(|b| b.is_ascii_uppercase());
    let bytes = hex::decode(text.as_str()).ok().filter(|_| lower).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| text.bad("expected a SHA-512 digest: 128 lower-case hex digits"))
}

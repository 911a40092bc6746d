//! `release/v1`: a version and its artifacts.

use crate::claim::date::DateText;
use crate::hash::Hash;

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

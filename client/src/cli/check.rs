//! Reading what people name on the command line.

use std::path::{Path, PathBuf};

use proto::claim::ClaimId;
use proto::ed25519::SecretKey;
use proto::num::{LeafIndex, parse_decimal};

use crate::error::Error;
use crate::files;
use crate::keyfile;

/// The largest file with a claim that is read; a payload must fit into an entry, comments may be long.
const MAX_CLAIM_FILE_BYTES: usize = 512 * 1024;

/// A claim, by its id or its place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    Id(ClaimId),
    Index(LeafIndex),
}

impl std::str::FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Which, String> {
        if let Ok(index) = parse_decimal(text) {
            return Ok(Which::Index(LeafIndex(index)));
        }
        id(text).map(Which::Id).map_err(|e| format!("{e}, nor the index of an entry"))
    }
}

/// A claim id on the command line.
pub(super) fn id(text: &str) -> Result<ClaimId, String> {
    ClaimId::parse(text).map_err(|e| e.to_string())
}

/// The bytes of a claim's file.
pub(super) fn claim_file(path: &Path) -> Result<Vec<u8>, Error> {
    files::read(path, MAX_CLAIM_FILE_BYTES)
}

/// Secret keys.
pub(super) fn keys(paths: &[PathBuf]) -> Result<Vec<SecretKey>, Error> {
    paths.iter().map(|path| keyfile::load(path)).collect()
}

/// Where the envelope of a claim's file goes: beside it, `x.envelope.json`.
pub(super) fn envelope_path(claim: &Path) -> PathBuf {
    let name = claim.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let endings = [".claim.json", ".claim.jsonc", ".payload.json", ".jsonc", ".json"];
    let stem = endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    claim.with_file_name(format!("{stem}.envelope.json"))
}

//! Where the real data is.

use std::path::{Path, PathBuf};

use proto::claim::{Instant, IssuerId, LogRef, Origin, Role};
use proto::import::Frame;

/// The folder of real data, or nothing when none is named; then the test says so and is over. A folder that is named
/// must be there.
pub(crate) fn folder() -> Option<PathBuf> {
    let Some(data) = std::env::var_os("CLAIMTRAIL_DATA").filter(|value| !value.is_empty()) else {
        eprintln!("skipped: CLAIMTRAIL_DATA not set");
        return None;
    };
    Some(PathBuf::from(data))
}

/// The files of a folder, ascending by name.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A frame of a replay issuer.
pub(crate) fn frame(issuer: &str, role: Role) -> Frame {
    Frame {
        logs: vec![LogRef { origin: Origin::parse("log.example/trail").unwrap(), size: None, root: None }],
        issuer: IssuerId::parse(issuer).unwrap(),
        role,
        asserted_at: Instant::parse("2026-11-01T00:00:00Z").unwrap(),
    }
}

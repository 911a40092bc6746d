//! How much room is left on the disk of the data folder.

use std::io;
use std::path::Path;

/// Bytes of the file system that holds `path` which an ordinary process may still take. What the file system keeps for the
/// administrator does not count.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let numbers = rustix::fs::statvfs(path)?;
    Ok(numbers.f_bavail.saturating_mul(numbers.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_room_and_a_missing_one_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(free_bytes(folder.path()).expect("free space") > 0);
        let error = free_bytes(&folder.path().join("missing")).expect_err("no such folder");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}

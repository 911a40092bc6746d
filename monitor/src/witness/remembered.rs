//! What a witness learned of higher cosignatures of its own, in a small file beside its record: that it does not know what it signed
//! is known after a restart, too, whether or not anybody says it again.
//!
//! The file is there as long as database and record are below what it says. It lies outside of the database and of its backups, as the
//! record does. Its form: magic, then each head with its length before it, then SHA-256 over all of that.

use std::fs::File;
use std::path::{Path, PathBuf};

use client::Error;
use client::files::{self, Access, Existing};
use proto::hash::{HASH_BYTES, Hash};

use super::open::record_path;
use super::{Cosigned, Known};

/// Says what the file is, and its version.
const MAGIC: [u8; 8] = *b"CTSEEN\x00\x01";

/// Room for a few heads with their notes, each of which is below 64 KiB.
const MAX_FILE_BYTES: usize = 2 << 20;

/// Where it is.
pub(super) fn path(records: &Path, origin: &str) -> PathBuf {
    record_path(records, origin).with_extension("seen")
}

/// What it says; nothing when there is none.
///
/// # Errors
/// When it cannot be read or is damaged: then something higher was seen, and nobody knows what.
pub(super) fn read(path: &Path) -> Result<Vec<Known>, String> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{shown} cannot be read: {error}")),
        Ok(_) => {}
    }
    let bytes = files::read(path, MAX_FILE_BYTES).map_err(|error| error.message)?;
    parse(&bytes).ok_or_else(|| {
        format!("{shown}, which says that a higher cosignature of this witness's own key was seen, is damaged")
    })
}

/// Makes it durable in the place of what was there.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(path: &Path, seen: &[Known]) -> Result<(), Error> {
    files::make_folder(path.parent().unwrap_or(Path::new(".")))?;
    files::write(path, &bytes_of(seen), Access::Owner, Existing::Replace)
}

/// Removes it: database and record are not below it any more.
///
/// # Errors
/// When it stays.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    let io = |error| Error::local(format!("{} cannot be removed: {error}", path.display()));
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        removed => removed.map_err(io)?,
    }
    File::open(path.parent().unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all()).map_err(io)
}

fn bytes_of(seen: &[Known]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for known in seen {
        let head = Cosigned::from(known).to_bytes();
        bytes.extend(u32::try_from(head.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(head);
    }
    let sum = Hash::of(&bytes);
    bytes.extend(sum.0);
    bytes
}

fn parse(bytes: &[u8]) -> Option<Vec<Known>> {
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(HASH_BYTES)?)?;
    if Hash::of(body).0.as_slice() != sum {
        return None;
    }
    let mut rest = body.strip_prefix(&MAGIC)?;
    let mut seen = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let (head, behind) = behind.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let head = Cosigned::from_bytes(head)?;
        seen.push(Known { record: head.record(), note: head.note });
        rest = behind;
    }
    rest.is_empty().then_some(seen)
}

impl From<&Known> for Cosigned {
    fn from(known: &Known) -> Cosigned {
        let Known { record, note } = known;
        Cosigned { size: record.size, root: record.root, time: record.time, note: note.clone() }
    }
}

#[cfg(test)]
mod tests {
    use proto::num::{Seconds, TreeSize};
    use service::record::SignedRecord;

    use super::*;

    fn known(size: u64) -> Known {
        let record =
            SignedRecord { size: TreeSize(size), root: Hash::of(&size.to_be_bytes()), time: Seconds(size * 10) };
        Known { record, note: format!("a note of {size}").into_bytes() }
    }

    #[test]
    fn it_says_what_was_written_or_that_it_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(&folder.path().join("record"), "log.example");
        assert_eq!(read(&path), Ok(Vec::new()), "there is none");
        remove(&path).unwrap();
        for seen in [vec![known(7)], vec![known(9), known(7)]] {
            write(&path, &seen).unwrap();
            assert_eq!(read(&path), Ok(seen));
        }
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut spoiled = whole.clone();
            spoiled[at] ^= 1;
            assert_eq!(parse(&spoiled), None, "byte {at}");
            assert_eq!(parse(&whole[..at]), None, "cut at {at}");
        }
        std::fs::write(&path, b"garbage").unwrap();
        assert!(read(&path).unwrap_err().contains("damaged"));
        remove(&path).unwrap();
        assert_eq!(read(&path), Ok(Vec::new()));
    }
}

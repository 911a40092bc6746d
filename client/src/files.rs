//! Reading files within bounds, and the one way to write them: in full or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Who may read a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone whom the umask allows.
    Public,
    /// Only the owner (mode 0600).
    Owner,
}

/// Whether a file that is there already is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It is replaced, in one step.
    Replace,
    /// It stays, and the write is an error.
    Keep,
}

/// Reads a whole file of at most `limit` bytes.
pub fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Error> {
    let open = |e| Error::local(format!("{} cannot be read: {e}", path.display()));
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).map_err(open)?.take(most).read_to_end(&mut bytes).map_err(open)?;
    if bytes.len() > limit {
        let message = format!("{} has more than {limit} bytes; it is not the kind of file expected", path.display());
        return Err(Error::malformed(message));
    }
    Ok(bytes)
}

/// Writes a file so that a reader sees the old bytes or the new ones: into a neighbour, synced, then renamed.
pub fn write(path: &Path, bytes: &[u8], access: Access, existing: Existing) -> Result<(), Error> {
    let fail = |e: io::Error| match e.kind() {
        io::ErrorKind::AlreadyExists => taken(path),
        _ => Error::local(format!("{} cannot be written: {e}", path.display())),
    };
    let folder = folder_of(path);
    let temporary = temporary_name(path)?;
    let written = write_new(&temporary, bytes, access).and_then(|()| match existing {
        Existing::Replace => fs::rename(&temporary, path),
        // A hard link fails when the name is taken, which a rename would not.
        Existing::Keep => fs::hard_link(&temporary, path).and_then(|()| fs::remove_file(&temporary)),
    });
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary); // it may never have been made
        return Err(fail(error));
    }
    sync_folder(folder).map_err(fail)
}

/// The error for a name that is taken.
pub fn taken(path: &Path) -> Error {
    Error::local(format!("{} is there already; choose another name or move it away", path.display()))
}

/// Makes a folder and its parents, readable by the owner only.
pub fn make_folder(path: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|e| Error::local(format!("the folder {} cannot be made: {e}", path.display())))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn temporary_name(path: &Path) -> Result<PathBuf, Error> {
    let name = path.file_name().ok_or_else(|| Error::usage(format!("{} is no file name", path.display())))?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.{:08x}", std::process::id(), crate::random::jitter(u64::from(u32::MAX))));
    Ok(folder_of(path).join(temporary))
}

fn write_new(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if access == Access::Owner {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = access;
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_or_kept_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, b"one", Access::Public, Existing::Keep).unwrap();
        assert!(write(&path, b"two", Access::Public, Existing::Keep).unwrap_err().message.contains("already"));
        assert_eq!(read(&path, 3).unwrap(), b"one");
        write(&path, b"two", Access::Public, Existing::Replace).unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"two");
        assert!(read(&path, 2).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn secrets_are_for_the_owner() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write(&path, b"secret", Access::Owner, Existing::Keep).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

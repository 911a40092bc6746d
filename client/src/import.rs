//! Files and folders for the importers of `proto`, which are pure: what is read, in which order, and what becomes of a
//! file that cannot be.

use std::fs;
use std::path::{Path, PathBuf};

use proto::claim::{Instant, IssuerId, LogRef, Origin, Role};
use proto::import::csaf::CsafImport;
use proto::import::firmware::FirmwareImport;
use proto::import::{Draft, Frame, MAX_DOCUMENT_BYTES, Makers, Reason, Report};

use crate::compose::LogAddress;
use crate::error::{Error, ErrorKind};
use crate::files;

/// How deep folders are searched.
const MAX_DEPTH: usize = 16;
/// Largest file with a table of makers, in bytes.
const MAX_MAKERS_BYTES: usize = 8 * 1024 * 1024;

/// What is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// CSAF 2.0 documents, a file each.
    Csaf,
    /// Firmware sightings, a JSON object a line.
    Firmware,
}

impl Kind {
    /// The role in which such claims are made when nobody says otherwise.
    pub fn role(self) -> Role {
        match self {
            Kind::Csaf => Role::Csirt,
            Kind::Firmware => Role::Researcher,
        }
    }

    /// What the names of its files end with, in folders; a file that is named itself may be called anything.
    fn ending(self) -> &'static str {
        match self {
            Kind::Csaf => "json",
            Kind::Firmware => "jsonl",
        }
    }
}

/// The files to read, ascending by name, and how many others the folders hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// To be read.
    pub files: Vec<PathBuf>,
    /// Left alone because of their names, such as signatures beside documents.
    pub others: u64,
}

/// Files as named, and those in folders and the folders in them. A path that is not there is an error: nothing is read
/// before everything was found.
pub fn find(kind: Kind, paths: &[PathBuf]) -> Result<Found, Error> {
    let mut found = Found::default();
    for path in paths {
        let meta = fs::metadata(path).map_err(|e| Error::local(format!("{} cannot be read: {e}", path.display())))?;
        if meta.is_dir() {
            collect(path, kind.ending(), MAX_DEPTH, &mut found)?;
        } else {
            found.files.push(path.clone());
        }
    }
    // The order decides which of two rows of one slot comes first, so it must not depend on the folder's own order.
    found.files.sort();
    found.files.dedup();
    Ok(found)
}

fn collect(folder: &Path, ending: &str, depth: usize, found: &mut Found) -> Result<(), Error> {
    let fail = |e| Error::local(format!("the folder {} cannot be read: {e}", folder.display()));
    if depth == 0 {
        return Err(Error::usage(format!("{} is nested more than {MAX_DEPTH} folders deep", folder.display())));
    }
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(fail)?);
        if kind.is_dir() {
            collect(&path, ending, depth - 1, found)?;
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(ending)) {
            found.files.push(path);
        } else {
            found.others += 1;
        }
    }
    Ok(())
}

/// Reads files one after another and hands on every draft; the report accounts for every file and every row. An error
/// of `each` ends it; a file that cannot be read does not.
pub fn run(
    kind: Kind,
    files: &[PathBuf],
    makers: &Makers,
    each: &mut dyn FnMut(Draft) -> Result<(), Error>,
    progress: &mut dyn FnMut(usize),
) -> Result<Report, Error> {
    let mut import = Import::new(kind, makers);
    for (done, file) in files.iter().enumerate() {
        let source = file.display().to_string();
        match files::read(file, MAX_DOCUMENT_BYTES) {
            Ok(bytes) => import.take(&source, &bytes).into_iter().try_for_each(&mut *each)?,
            Err(error) if error.kind == ErrorKind::Malformed => import.absent(&source, Reason::TooLarge, error),
            Err(error) => import.absent(&source, Reason::Unreadable, error),
        }
        progress(done + 1);
    }
    Ok(import.into_report())
}

/// One of the importers.
enum Import<'m> {
    Csaf(CsafImport<'m>),
    Firmware(FirmwareImport<'m>),
}

impl<'m> Import<'m> {
    fn new(kind: Kind, makers: &'m Makers) -> Import<'m> {
        match kind {
            Kind::Csaf => Import::Csaf(CsafImport::new(makers)),
            Kind::Firmware => Import::Firmware(FirmwareImport::new(makers)),
        }
    }

    fn take(&mut self, source: &str, bytes: &[u8]) -> Vec<Draft> {
        match self {
            Import::Csaf(import) => import.document(source, bytes),
            Import::Firmware(import) => import.rows(source, bytes),
        }
    }

    fn absent(&mut self, source: &str, reason: Reason, error: Error) {
        match self {
            Import::Csaf(import) => import.absent(source, reason, error.message),
            Import::Firmware(import) => import.absent(source, reason, error.message),
        }
    }

    fn into_report(self) -> Report {
        match self {
            Import::Csaf(import) => import.into_report(),
            Import::Firmware(import) => import.into_report(),
        }
    }
}

/// The table of makers in a file: a JSON object with spellings as members and issuer ids as values.
pub fn makers(path: &Path) -> Result<Makers, Error> {
    let bytes = files::read(path, MAX_MAKERS_BYTES)?;
    Makers::parse(&bytes).map_err(|refused| Error::malformed(format!("{}: {refused}", path.display())))
}

/// The frame of all claims of an import.
pub fn frame(log: &LogAddress, issuer: IssuerId, role: Role, asserted_at: Instant) -> Result<Frame, Error> {
    let origin = Origin::parse(&log.origin).map_err(|e| Error::malformed(format!("{}: {e}", log.origin)))?;
    let (size, root) = log.anchor.unzip();
    Ok(Frame { logs: vec![LogRef { origin, size, root }], issuer, role, asserted_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_one_order_and_what_cannot_be_read_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| {
            files::write(&at(name), text.as_bytes(), files::Access::Public, files::Existing::Keep).unwrap();
        };
        files::make_folder(&at("in")).unwrap();
        write("b.json", "{}");
        write("in/a.JSON", "[]");
        write("b.json.asc", "signature");
        let found = find(Kind::Csaf, &[folder.path().to_owned(), at("b.json")]).unwrap();
        assert_eq!(found, Found { files: vec![at("b.json"), at("in/a.JSON")], others: 1 });
        assert!(find(Kind::Csaf, &[at("nowhere")]).is_err());

        let large = std::fs::OpenOptions::new().write(true).create_new(true).open(at("large.json")).unwrap();
        large.set_len(u64::try_from(MAX_DOCUMENT_BYTES).unwrap() + 1).unwrap();
        let files = [at("b.json"), at("in/a.JSON"), at("large.json"), at("gone.json")];
        let mut done = Vec::new();
        let mut none = |_| panic!("no drafts here");
        let report = run(Kind::Csaf, &files, &Makers::none(), &mut none, &mut |n| done.push(n)).unwrap();
        assert!(report.adds_up());
        let reasons: Vec<_> = report.documents_refused.iter().map(|row| row.reason).collect();
        assert_eq!(reasons, [Reason::Shape, Reason::Shape, Reason::TooLarge, Reason::Unreadable]);
        assert_eq!(done, [1, 2, 3, 4]);
    }
}

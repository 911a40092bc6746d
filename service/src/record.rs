//! A signer's own record: the last head signed for an origin, in a small file with two places that are written in turn. It
//! lies outside the signer's database and its backups, so that a database restored from an old one is noticed.
//!
//! One place is 128 bytes: magic, sequence number, size, time, root, SHA-256 of the origin, SHA-256 over all of that. A write
//! that is torn leaves the other place whole, and the place with the higher number that is whole counts.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::{fmt, io};

use proto::hash::Hash;
use proto::num::{Seconds, TreeSize};

/// Says what the file is, and its version.
const MAGIC: [u8; 8] = *b"CTSIGN\x00\x01";

/// Bytes of one place: 8 + 8 + 8 + 8 + 32 + 32 + 32.
const PLACE_BYTES: usize = 128;

/// The sequence number of a record under which nothing was signed yet.
const NOTHING_SIGNED: u64 = 0;

/// The last head signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedRecord {
    /// Its size.
    pub size: TreeSize,
    /// Its root.
    pub root: Hash,
    /// Its time.
    pub time: Seconds,
}

/// What stands in a record under which nothing was signed yet.
const NOTHING: SignedRecord = SignedRecord { size: TreeSize(0), root: Hash::EMPTY_ROOT, time: Seconds(0) };

/// Why the record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A new log's record cannot be made.
    #[error("the signer's record {path} cannot be made: {error}; {}", Self::before_making(error.kind()))]
    NotMade {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// There is none where it should be, or the disk failed.
    #[error("the signer's record {path}: {error}; without it this origin never signs again")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// Neither place is whole.
    #[error(
        "the signer's record {path} is damaged; this origin must not sign again: start a new origin as its successor"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The record is another log's.
    #[error("the signer's record {path} is not the one of {origin}")]
    OtherOrigin {
        /// The file.
        path: PathBuf,
        /// The origin that was expected.
        origin: String,
    },
    /// A write failed earlier; what the file holds is unknown.
    #[error("an earlier write of the signer's record {path} failed; restart this server")]
    Failed {
        /// The file.
        path: PathBuf,
    },
}

impl RecordError {
    /// What to do before a record can be made.
    fn before_making(kind: io::ErrorKind) -> &'static str {
        match kind {
            io::ErrorKind::NotFound => "make its folder first",
            io::ErrorKind::AlreadyExists => {
                "another log may have signed by it, so that it is never overwritten: name another file"
            }
            _ => "name a file in a folder that can be written",
        }
    }

    /// This user may not read or write the record. It says nothing about what is in it.
    pub fn is_not_allowed(&self) -> bool {
        matches!(self, RecordError::Io { error, .. } if error.kind() == io::ErrorKind::PermissionDenied)
    }
}

/// Where the two places are: a file, or what fails in a file's stead.
pub trait Medium: Send + fmt::Debug {
    /// Reads all of `bytes` from `offset` on.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` from `offset` on; not durable yet.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes durable what was written.
    fn sync_data(&self) -> io::Result<()>;
}

impl Medium for File {
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }
}

/// The record, open for writing.
#[derive(Debug)]
pub struct SignerRecord {
    path: PathBuf,
    medium: Box<dyn Medium>,
    origin: Hash,
    sequence: u64,
    last: Option<SignedRecord>,
    /// Whether this process knows that what it read or wrote is durable.
    durable: bool,
    failed: bool,
}

impl SignerRecord {
    /// Makes the record of an origin that has signed nothing yet; never overwrites one.
    pub fn create(path: &Path, origin: &str) -> Result<SignerRecord, RecordError> {
        let io = |error| RecordError::NotMade { path: path.to_owned(), error };
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
        let places = nothing_signed(origin);
        let origin = Hash::of(origin.as_bytes());
        FileExt::write_all_at(&file, &places, 0).and_then(|()| file.sync_all()).map_err(io)?;
        if let Some(folder) = path.parent() {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?; // the name is durable, too
        }
        let (path, medium) = (path.to_owned(), Box::new(file));
        Ok(SignerRecord { path, medium, origin, sequence: NOTHING_SIGNED, last: None, durable: true, failed: false })
    }

    /// Opens the record of an origin.
    pub fn open(path: &Path, origin: &str) -> Result<SignerRecord, RecordError> {
        let file = open(path, OpenOptions::new().read(true).write(true))?;
        SignerRecord::open_on(path, Box::new(file), origin)
    }

    /// The same on any medium; the path is for messages.
    ///
    /// # Errors
    /// As [`SignerRecord::open`].
    pub fn open_on(path: &Path, medium: Box<dyn Medium>, origin: &str) -> Result<SignerRecord, RecordError> {
        let (sequence, last) = newest(path, &*medium, origin)?;
        let origin = Hash::of(origin.as_bytes());
        let path = path.to_owned();
        Ok(SignerRecord { path, medium, origin, sequence, last, durable: false, failed: false })
    }

    /// The last head signed, as the record of an origin says it. Needs no more than the right to read: for checks, by
    /// whoever makes them and wherever the log's folder is mounted.
    pub fn read(path: &Path, origin: &str) -> Result<Option<SignedRecord>, RecordError> {
        let file = open(path, OpenOptions::new().read(true))?;
        Ok(newest(path, &file, origin)?.1)
    }

    /// The last head signed.
    pub fn last(&self) -> Option<SignedRecord> {
        self.last
    }

    /// Makes a head durable before it is signed. The same head again is not written again.
    pub fn write(&mut self, record: &SignedRecord) -> Result<(), RecordError> {
        if self.failed {
            return Err(RecordError::Failed { path: self.path.clone() });
        }
        if !self.durable {
            // What was read may be in a cache only: an earlier process ended before its sync, or its sync failed. Nobody signs
            // by it until it is durable. It is written to its own place again, so that the other one stays whole.
            self.put(self.sequence, &self.last.unwrap_or(NOTHING))?;
            self.durable = true;
        }
        if self.last.as_ref() == Some(record) {
            return Ok(());
        }
        let sequence = self.sequence + 1;
        self.put(sequence, record)?;
        self.sequence = sequence;
        self.last = Some(*record);
        Ok(())
    }

    /// Writes and syncs one place.
    fn put(&mut self, sequence: u64, record: &SignedRecord) -> Result<(), RecordError> {
        let written = self.medium.write_all_at(&encode(&self.origin, sequence, record), offset(sequence));
        // A failed sync is never tried again: the next one may succeed without having written.
        written.and_then(|()| self.medium.sync_data()).map_err(|error| {
            self.failed = true;
            RecordError::Io { path: self.path.clone(), error }
        })
    }
}

fn open(path: &Path, options: &OpenOptions) -> Result<File, RecordError> {
    options.open(path).map_err(|error| RecordError::Io { path: path.to_owned(), error })
}

/// The newest place that is whole, with its sequence number; it must be this origin's.
fn newest(path: &Path, file: &dyn Medium, origin: &str) -> Result<(u64, Option<SignedRecord>), RecordError> {
    let mut bytes = [0u8; 2 * PLACE_BYTES];
    file.read_exact_at(&mut bytes, 0).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => RecordError::Damaged { path: path.to_owned() }, // it was cut off
        _ => RecordError::Io { path: path.to_owned(), error },
    })?;
    let places = bytes.chunks_exact(PLACE_BYTES).filter_map(decode);
    let Some((sequence, found, last)) = places.max_by_key(|(sequence, _, _)| *sequence) else {
        return Err(RecordError::Damaged { path: path.to_owned() });
    };
    if found != Hash::of(origin.as_bytes()) {
        return Err(RecordError::OtherOrigin { path: path.to_owned(), origin: origin.to_owned() });
    }
    Ok((sequence, (sequence != NOTHING_SIGNED).then_some(last)))
}

/// The two places of an origin that has signed nothing yet.
pub fn nothing_signed(origin: &str) -> Vec<u8> {
    encode(&Hash::of(origin.as_bytes()), NOTHING_SIGNED, &NOTHING).repeat(2)
}

/// Where the record of a sequence number stands: the two places take turns.
fn offset(sequence: u64) -> u64 {
    (sequence % 2) * PLACE_BYTES as u64
}

fn encode(origin: &Hash, sequence: u64, record: &SignedRecord) -> [u8; PLACE_BYTES] {
    let mut place = [0u8; PLACE_BYTES];
    place[..8].copy_from_slice(&MAGIC);
    place[8..16].copy_from_slice(&sequence.to_be_bytes());
    place[16..24].copy_from_slice(&record.size.0.to_be_bytes());
    place[24..32].copy_from_slice(&record.time.0.to_be_bytes());
    place[32..64].copy_from_slice(&record.root.0);
    place[64..96].copy_from_slice(&origin.0);
    let sum = Hash::of(&place[..96]);
    place[96..].copy_from_slice(&sum.0);
    place
}

fn decode(place: &[u8]) -> Option<(u64, Hash, SignedRecord)> {
    let whole = place.len() == PLACE_BYTES && place[..8] == MAGIC && Hash::of(&place[..96]).0 == place[96..];
    if !whole {
        return None;
    }
    let number = |at: usize| place[at..at + 8].try_into().ok().map(u64::from_be_bytes);
    let record = SignedRecord {
        size: TreeSize(number(16)?),
        time: Seconds(number(24)?),
        root: Hash::from_slice(&place[32..64])?,
    };
    Some((number(8)?, Hash::from_slice(&place[64..96])?, record))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(size: u64) -> SignedRecord {
        SignedRecord { size: TreeSize(size), root: Hash::of(&size.to_be_bytes()), time: Seconds(size) }
    }

    #[test]
    fn a_torn_write_leaves_the_record_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        let mut open = SignerRecord::create(&path, "log.example").unwrap();
        for size in 1..=3 {
            open.write(&record(size)).unwrap();
        }
        drop(open);
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        let break_at = |offset| FileExt::write_all_at(&file, &[0xff; 20], offset).unwrap();
        // The third write went to the second place; break it in the middle.
        break_at(PLACE_BYTES as u64 + 40);
        assert_eq!(SignerRecord::open(&path, "log.example").unwrap().last(), Some(record(2)));
        break_at(40);
        assert!(matches!(SignerRecord::open(&path, "log.example"), Err(RecordError::Damaged { .. })));
    }

    #[test]
    fn other_origins_and_missing_records_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        assert!(matches!(SignerRecord::open(&path, "log.example"), Err(RecordError::Io { .. })));
        drop(SignerRecord::create(&path, "log.example").unwrap());
        assert_eq!(SignerRecord::open(&path, "log.example").unwrap().last(), None);
        assert!(matches!(SignerRecord::open(&path, "other.example"), Err(RecordError::OtherOrigin { .. })));
        assert!(matches!(SignerRecord::read(&path, "other.example"), Err(RecordError::OtherOrigin { .. })));
    }

    #[test]
    fn a_record_that_cannot_be_made_says_what_to_do_and_nothing_of_signing() {
        let folder = tempfile::tempdir().unwrap();
        let says = |path: &Path| SignerRecord::create(path, "log.example").unwrap_err().to_string();
        let missing = says(&folder.path().join("none/record"));
        assert!(missing.contains("make its folder first"), "{missing}");
        drop(SignerRecord::create(&folder.path().join("record"), "log.example").unwrap());
        let there = says(&folder.path().join("record"));
        assert!(there.contains("name another file") && !there.contains("never signs"), "{there}");
    }

    #[test]
    fn reading_sees_what_was_written_and_cut_off_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        let mut open = SignerRecord::create(&path, "log.example").unwrap();
        assert_eq!(SignerRecord::read(&path, "log.example").unwrap(), None);
        open.write(&record(7)).unwrap();
        assert_eq!(SignerRecord::read(&path, "log.example").unwrap(), Some(record(7)));
        OpenOptions::new().write(true).open(&path).unwrap().set_len(2 * PLACE_BYTES as u64 - 1).unwrap();
        assert!(matches!(SignerRecord::read(&path, "log.example"), Err(RecordError::Damaged { .. })));
        assert!(matches!(SignerRecord::open(&path, "log.example"), Err(RecordError::Damaged { .. })));
    }
}

//! What was answered already: receipts, kept where the next run finds them.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use proto::claim::ClaimId;
use proto::receipt::{MAX_RECEIPT_BYTES, Receipt};

use super::Item;
use crate::error::Error;
use crate::files::{self, Access, Existing};

/// Receipts after which the journal is made durable. What a power cut loses is only asked for again.
const SYNC_EVERY: u32 = 256;

/// Where receipts are kept.
#[derive(Debug)]
pub enum Journal {
    /// Beside each envelope, `x.receipt.json`.
    Beside,
    /// In one file, one a line.
    Lines {
        /// The file.
        path: PathBuf,
        /// It, open at its end.
        file: File,
        /// The claims in it.
        done: HashSet<ClaimId>,
        /// Receipts since it was last made durable.
        unsynced: u32,
    },
    /// Nowhere: they are only handed on.
    Nowhere,
}

/// Where the receipt of an envelope's file stands.
pub fn receipt_path(envelope: &Path) -> PathBuf {
    let name = envelope.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = [".envelope.json", ".json"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(&name);
    envelope.with_file_name(format!("{stem}.receipt.json"))
}

impl Journal {
    /// Opens or makes a file of receipts. A line that was cut off by an interruption is taken away.
    pub fn lines(path: &Path, origin: &str) -> Result<Journal, Error> {
        let fail = |e: std::io::Error| Error::local(format!("the journal {} cannot be used: {e}", path.display()));
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = open.map_err(fail)?;
        let mut done = HashSet::new();
        let mut whole = 0;
        let mut reader = BufReader::new(&mut file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(fail)?;
            if read == 0 || !line.ends_with(b"\n") {
                break;
            }
            let receipt = Receipt::parse(line.trim_ascii()).map_err(|e| {
                Error::malformed(format!("{} is not a journal of receipts: {e}; name another file", path.display()))
            })?;
            if receipt.origin != origin {
                let message = format!(
                    "{} holds receipts of {}, not of {origin}; name another file",
                    path.display(),
                    receipt.origin
                );
                return Err(Error::usage(message));
            }
            done.insert(receipt.claim_id);
            whole += read as u64;
        }
        file.set_len(whole).and_then(|()| file.seek(SeekFrom::End(0))).map_err(fail)?;
        Ok(Journal::Lines { path: path.to_owned(), file, done, unsynced: 0 })
    }

    /// Whether this claim has a receipt of this log.
    pub fn has(&self, item: &Item, origin: &str) -> bool {
        match self {
            Journal::Beside => item.path.as_ref().is_some_and(|path| {
                let receipt = files::read(&receipt_path(path), MAX_RECEIPT_BYTES).ok();
                let receipt = receipt.and_then(|bytes| Receipt::parse(&bytes).ok());
                receipt.is_some_and(|receipt| receipt.claim_id == item.id && receipt.origin == origin)
            }),
            Journal::Lines { done, .. } => done.contains(&item.id),
            Journal::Nowhere => false,
        }
    }

    /// Keeps a receipt.
    pub fn keep(&mut self, item: &Item, receipt: &Receipt) -> Result<(), Error> {
        let line = format!("{}\n", receipt.to_json());
        match self {
            Journal::Beside => match &item.path {
                Some(path) => files::write(&receipt_path(path), line.as_bytes(), Access::Public, Existing::Replace),
                None => Ok(()),
            },
            Journal::Lines { path, file, done, unsynced } => {
                let fail = |e: std::io::Error| Error::local(format!("{} cannot be written: {e}", path.display()));
                file.write_all(line.as_bytes()).map_err(fail)?;
                done.insert(item.id);
                *unsynced += 1;
                if *unsynced >= SYNC_EVERY {
                    *unsynced = 0;
                    file.sync_data().map_err(fail)?;
                }
                Ok(())
            }
            Journal::Nowhere => Ok(()),
        }
    }

    /// Makes what was kept durable.
    pub fn finish(&mut self) -> Result<(), Error> {
        match self {
            Journal::Lines { path, file, .. } => {
                file.sync_all().map_err(|e| Error::local(format!("{} cannot be written: {e}", path.display())))
            }
            Journal::Beside | Journal::Nowhere => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::claim::PAYLOAD_TYPE;
    use proto::dsse::Envelope;
    use proto::ed25519::SecretKey;
    use proto::entry::Links;
    use proto::num::{LeafIndex, Millis};

    use super::*;

    fn item(text: &str) -> (Item, Receipt) {
        let envelope = Envelope::sign(PAYLOAD_TYPE, text.as_bytes(), &[&SecretKey::from_seed(&[1; 32])]); // a test key
        let item = Item::parse("x".into(), None, envelope.to_json().as_bytes()).unwrap();
        let receipt = Receipt {
            origin: "log.example".into(),
            claim_id: item.id,
            index: LeafIndex(1),
            timestamp: Millis(5),
            links: Links::default(),
            signatures: item.envelope.signatures.clone(),
            inclusion: Vec::new(),
            checkpoint: "c\n".into(),
        };
        (item, receipt)
    }

    #[test]
    fn a_cut_line_is_taken_away_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.ndjson");
        let (first, first_receipt) = item("1");
        let (second, second_receipt) = item("2");
        let mut journal = Journal::lines(&path, "log.example").unwrap();
        journal.keep(&first, &first_receipt).unwrap();
        journal.finish().unwrap();
        drop(journal);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&second_receipt.to_json().as_bytes()[..50]).unwrap();
        let mut journal = Journal::lines(&path, "log.example").unwrap();
        assert!(journal.has(&first, "log.example") && !journal.has(&second, "log.example"));
        journal.keep(&second, &second_receipt).unwrap();
        drop(journal);
        assert!(Journal::lines(&path, "log.example").unwrap().has(&second, "log.example"));
        assert!(Journal::lines(&path, "other.example").is_err());
    }

    #[test]
    fn receipts_stand_beside_their_envelopes() {
        assert_eq!(receipt_path(Path::new("a/x.envelope.json")), Path::new("a/x.receipt.json"));
        assert_eq!(receipt_path(Path::new("x.json")), Path::new("x.receipt.json"));
        let folder = tempfile::tempdir().unwrap();
        let (mut item, receipt) = item("1");
        item.path = Some(folder.path().join("x.envelope.json"));
        let mut journal = Journal::Beside;
        assert!(!journal.has(&item, "log.example"));
        journal.keep(&item, &receipt).unwrap();
        assert!(journal.has(&item, "log.example") && !journal.has(&item, "other.example"));
    }
}

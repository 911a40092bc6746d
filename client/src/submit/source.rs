//! Where envelopes come from: a file with one, a file or pipe with one a line, a folder.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use proto::claim::ClaimId;
use proto::dsse::{Envelope, MAX_ENVELOPE_BYTES};

use crate::error::{Error, ErrorKind};
use crate::files;

/// How deep folders are searched.
const MAX_DEPTH: usize = 16;
/// What envelopes' file names end with.
const ENVELOPE: &str = ".envelope.json";

/// An envelope that was read.
#[derive(Debug, Clone)]
pub struct Item {
    /// How to name it to a person: a path, or a file and a line.
    pub label: String,
    /// Its file, when it has one of its own.
    pub path: Option<PathBuf>,
    /// The envelope.
    pub envelope: Envelope,
    /// Its claim's id.
    pub id: ClaimId,
}

impl Item {
    /// Reads an envelope.
    pub fn parse(label: String, path: Option<PathBuf>, bytes: &[u8]) -> Result<Item, Error> {
        let envelope = Envelope::parse(bytes).map_err(|e| Error::malformed(format!("{label}: {e}")))?;
        let id = ClaimId::of(&envelope.payload_type, &envelope.payload);
        Ok(Item { label, path, envelope, id })
    }

    /// Reads a file with one envelope.
    pub fn load(path: &Path) -> Result<Item, Error> {
        let bytes = files::read(path, MAX_ENVELOPE_BYTES)?;
        Item::parse(path.display().to_string(), Some(path.to_owned()), &bytes)
    }
}

/// Envelopes one after the other. An envelope that is malformed, or one file of a folder that cannot be read, is an error
/// of its own and ends nothing; an input that cannot be read on is at its end.
pub enum Source {
    /// Files with one envelope each.
    Files(VecDeque<PathBuf>),
    /// Envelopes one a line.
    Lines {
        /// How to name it.
        name: String,
        /// What is read.
        input: Box<dyn BufRead + Send>,
        /// The line that was read last.
        line: u64,
        /// The input failed: reading on would fail again, and for ever.
        failed: bool,
    },
}

impl Source {
    /// Every `*.envelope.json` in a folder and the folders in it, in the order of their names.
    pub fn folder(path: &Path) -> Result<Source, Error> {
        let mut found = Vec::new();
        collect(path, MAX_DEPTH, &mut found)?;
        found.sort();
        Ok(Source::Files(found.into()))
    }

    /// A file with one envelope a line.
    pub fn lines(path: &Path) -> Result<Source, Error> {
        let file = File::open(path).map_err(|e| Error::local(format!("{} cannot be read: {e}", path.display())))?;
        Ok(Source::Lines {
            name: path.display().to_string(),
            input: Box::new(BufReader::new(file)),
            line: 0,
            failed: false,
        })
    }

    /// Standard input with one envelope a line.
    pub fn stdin() -> Source {
        let input = Box::new(BufReader::new(std::io::stdin()));
        Source::Lines { name: "standard input".into(), input, line: 0, failed: false }
    }

    /// Whether it ended because its input could not be read on.
    pub fn is_broken(&self) -> bool {
        matches!(self, Source::Lines { failed: true, .. })
    }

    /// How many envelopes there are, where that is known.
    pub fn len(&self) -> Option<u64> {
        match self {
            Source::Files(files) => u64::try_from(files.len()).ok(),
            Source::Lines { .. } => None,
        }
    }

    /// Whether it is known that there is nothing (more).
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }
}

impl Iterator for Source {
    type Item = Result<Item, Error>;

    fn next(&mut self) -> Option<Result<Item, Error>> {
        match self {
            Source::Files(files) => files.pop_front().map(|path| Item::load(&path)),
            Source::Lines { failed: true, .. } => None,
            Source::Lines { name, input, line, failed } => {
                let next = next_line(name, input.as_mut(), line);
                *failed = matches!(&next, Some(Err(error)) if error.kind == ErrorKind::Local);
                next
            }
        }
    }
}

fn next_line(name: &str, mut input: &mut dyn BufRead, line: &mut u64) -> Option<Result<Item, Error>> {
    loop {
        *line += 1;
        let label = format!("{name}, line {line}");
        let mut bytes = Vec::new();
        let most = MAX_ENVELOPE_BYTES as u64 + 2;
        match (&mut input).take(most).read_until(b'\n', &mut bytes) {
            Err(e) => return Some(Err(Error::local(format!("{label} cannot be read: {e}")))),
            Ok(0) => return None,
            Ok(_) if !bytes.ends_with(b"\n") && bytes.len() as u64 == most => {
                return Some(skip_line(input).map_or_else(
                    |e| Err(Error::local(format!("{label} cannot be read: {e}"))),
                    |()| {
                        Err(Error::malformed(format!(
                            "{label} is longer than an envelope may be ({MAX_ENVELOPE_BYTES} bytes)"
                        )))
                    },
                ));
            }
            Ok(_) if bytes.trim_ascii().is_empty() => {}
            Ok(_) => return Some(Item::parse(label, None, bytes.trim_ascii())),
        }
    }
}

/// Reads on to the end of an overlong line without keeping it.
fn skip_line(input: &mut dyn BufRead) -> std::io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |at| at + 1);
        let done = end.is_some() || buffer.is_empty();
        input.consume(used);
        if done {
            return Ok(());
        }
    }
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    let fail = |e| Error::local(format!("the folder {} cannot be read: {e}", folder.display()));
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.is_dir() && depth > 0 {
            collect(&path, depth - 1, found)?;
        } else if path.to_string_lossy().ends_with(ENVELOPE) {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proto::ed25519::SecretKey;

    use super::*;

    fn envelope(text: &str) -> String {
        Envelope::sign("t", text.as_bytes(), &[&SecretKey::from_seed(&[1; 32])]).to_json() // a test key
    }

    #[test]
    fn bad_lines_are_named_and_end_nothing() {
        let long = "x".repeat(MAX_ENVELOPE_BYTES + 5);
        let text = format!("{}\n\n{long}\nnonsense\n{}", envelope("a"), envelope("b"));
        let input = Box::new(std::io::Cursor::new(text));
        let source = Source::Lines { name: "in".into(), input, line: 0, failed: false };
        let labels: Vec<_> = source.map(|item| item.map(|item| item.label).map_err(|e| e.message)).collect();
        assert_eq!(labels.len(), 4);
        assert_eq!(labels[0].as_deref(), Ok("in, line 1"));
        assert!(labels[1].as_ref().unwrap_err().starts_with("in, line 3 is longer"));
        assert!(labels[2].as_ref().unwrap_err().starts_with("in, line 4: envelope.malformed"));
        assert_eq!(labels[3].as_deref(), Ok("in, line 5"));
    }

    #[test]
    fn an_input_that_cannot_be_read_ends() {
        let folder = tempfile::tempdir().unwrap();
        let mut source = Source::lines(folder.path()).unwrap(); // a folder opens, but cannot be read
        let error = source.next().unwrap().unwrap_err();
        assert_eq!(error.kind, ErrorKind::Local, "{error}");
        assert!(source.next().is_none() && source.is_broken(), "it would be read for ever");
    }

    #[test]
    fn folders_give_their_envelopes_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.envelope.json", "a.envelope.json", "a.receipt.json", "in/c.envelope.json"] {
            let path = folder.path().join(name);
            files::make_folder(path.parent().unwrap()).unwrap();
            files::write(&path, envelope(name).as_bytes(), files::Access::Public, files::Existing::Keep).unwrap();
        }
        let source = Source::folder(folder.path()).unwrap();
        assert_eq!(source.len(), Some(3));
        let names: Vec<_> = source.map(|item| item.unwrap().path.unwrap().file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["a.envelope.json", "b.envelope.json", "c.envelope.json"]);
    }
}

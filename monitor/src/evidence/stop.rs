//! Whether a log is cosigned no more because of evidence.
//!
//! Two histories under the log's own key end cosigning for it until the operator's act. That is known twice: from the evidence
//! itself, in the log's database, and from a small file beside the witness's record, which no backup brings back to an older
//! state. What either of them says stands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use client::Error;
use client::files::{self, Access, Existing};
use proto::num::Millis;

use super::EvidenceId;

/// Room for thousands of lines: those that stand are bounded, and each act is the operator's.
const MAX_FILE_BYTES: usize = 1 << 20;

/// Pieces of evidence that stand at most: more than the store keeps of one key, so that more come only while it cannot be written.
/// One is enough to end cosigning. What the database keeps beyond that stands from the next start on.
const MOST_STANDING: usize = 128;

/// What ends cosigning for one log, and whether the operator resumed despite it.
#[derive(Debug, Default)]
pub struct Stop {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Each piece of evidence, and when the operator resumed despite it.
    known: BTreeMap<EvidenceId, Option<Millis>>,
    /// Where it is written besides; nothing when this monitor is no witness.
    file: Option<PathBuf>,
    /// Why the file cannot be relied on.
    damaged: Option<String>,
}

impl Stop {
    /// As the log's database knows it.
    pub(crate) fn new(known: impl IntoIterator<Item = (EvidenceId, Option<Millis>)>) -> Stop {
        Stop { inner: Mutex::new(Inner { known: known.into_iter().collect(), file: None, damaged: None }) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        // A panic under the lock leaves what was known: evidence is only ever added.
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why the log is not cosigned, if evidence is the reason.
    pub fn why(&self) -> Option<String> {
        self.with(|inner| {
            if let Some(why) = &inner.damaged {
                return Some(why.clone());
            }
            let standing = inner.standing();
            let (first, more) = (standing.first()?, standing.len() - 1);
            let others = if more == 0 { String::new() } else { format!(" and {more} more") };
            Some(format!(
                "it is proven that a holder of the log's key signed two histories (evidence {first}{others}); look at it with \
                 `claimtrail-monitor evidence show {first}`"
            ))
        })
    }

    /// The evidence that ends cosigning and that no act of the operator's covers.
    pub fn standing(&self) -> Vec<EvidenceId> {
        self.with(|inner| inner.standing())
    }

    /// The evidence despite which the operator lets the log be cosigned.
    pub fn resumed(&self) -> Vec<EvidenceId> {
        self.with(|inner| inner.known.iter().filter(|(_, resumed)| resumed.is_some()).map(|(id, _)| *id).collect())
    }

    /// Ends cosigning from now on; gives what was not known. Called before the evidence is durable: nothing is signed in between.
    pub(crate) fn raise(&self, ids: impl IntoIterator<Item = EvidenceId>) -> Vec<EvidenceId> {
        self.with(|inner| {
            let room = MOST_STANDING.saturating_sub(inner.standing().len());
            let new: Vec<EvidenceId> = ids.into_iter().filter(|id| !inner.known.contains_key(id)).take(room).collect();
            inner.known.extend(new.iter().map(|id| (*id, None)));
            new
        })
    }

    /// These are not kept: they end nothing. Whether that changes anything; what the operator named stays named.
    pub(crate) fn forget(&self, ids: impl IntoIterator<Item = EvidenceId>) -> bool {
        self.with(|inner| {
            let before = inner.known.len();
            let gone: Vec<EvidenceId> = ids.into_iter().filter(|id| inner.known.get(id) == Some(&None)).collect();
            gone.iter().for_each(|id| _ = inner.known.remove(id));
            inner.known.len() < before
        })
    }

    /// Writes what is known into the file, if there is one.
    pub(crate) fn write(&self) -> Result<(), Error> {
        self.with(|inner| inner.write())
    }

    /// Takes up the file of this path, which is beside the witness's record: what it says and what the database says are
    /// joined, and written again. An act of the operator's is recorded in the database first, so that of evidence that the file
    /// knows the file says whether it was made: one that the database alone knows was not done to its end.
    ///
    /// # Errors
    /// When it cannot be written. One that cannot be read ends cosigning instead.
    pub fn beside(&self, file: PathBuf) -> Result<(), Error> {
        self.with(|inner| {
            match read(&file) {
                Ok(lines) => lines.into_iter().for_each(|(id, resumed)| {
                    inner.known.insert(id, resumed);
                }),
                Err(why) => inner.damaged = Some(why),
            }
            inner.file = Some(file);
            inner.write()
        })
    }

    /// The operator's act: cosigning goes on despite these. `record` makes it durable in the database; only then it is written
    /// into the file, and only then it counts.
    ///
    /// # Errors
    /// When one of them is not known here, others stand that are not named, or it cannot be recorded: then nothing is changed here.
    pub(crate) fn resume(
        &self,
        despite: &[EvidenceId],
        now: Millis,
        record: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.with(|inner| {
            inner.may_resume(despite)?;
            record()?;
            let before = inner.known.clone();
            despite.iter().for_each(|id| _ = inner.known.insert(*id, Some(now)));
            inner.write().inspect_err(|_| inner.known = before)
        })
    }
}

impl Inner {
    fn may_resume(&self, despite: &[EvidenceId]) -> Result<(), Error> {
        if let Some(stranger) = despite.iter().find(|id| !self.known.contains_key(id)) {
            return Err(Error::usage(format!("no evidence {stranger} ends cosigning of this log")));
        }
        let left: Vec<String> =
            self.standing().iter().filter(|id| !despite.contains(id)).map(EvidenceId::to_string).collect();
        if left.is_empty() {
            return Ok(());
        }
        Err(Error::usage(format!(
            "further evidence ends cosigning of this log: {}. Look at each (`claimtrail-monitor evidence show ID`), and name each \
             with --despite-evidence",
            left.join(", ")
        )))
    }

    fn standing(&self) -> Vec<EvidenceId> {
        self.known.iter().filter(|(_, resumed)| resumed.is_none()).map(|(id, _)| *id).collect()
    }

    fn write(&self) -> Result<(), Error> {
        let Some(file) = &self.file else { return Ok(()) };
        if self.damaged.is_some() || (self.known.is_empty() && !file.exists()) {
            return Ok(());
        }
        let line = |(id, resumed): (&EvidenceId, &Option<Millis>)| match resumed {
            Some(at) => format!("{id} resumed {at}\n"),
            None => format!("{id} stopped\n"),
        };
        file.parent().map_or(Ok(()), files::make_folder)?;
        let text: String = self.known.iter().map(line).collect();
        files::write(file, text.as_bytes(), Access::Owner, Existing::Replace)
    }
}

/// The lines of a file; none when there is none.
fn read(path: &Path) -> Result<Vec<(EvidenceId, Option<Millis>)>, String> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let damaged = |why: &str| {
        format!(
            "{} cannot be read ({why}), and it may say that cosigning was ended: look into it, then move it away",
            path.display()
        )
    };
    let bytes = files::read(path, MAX_FILE_BYTES).map_err(|error| damaged(&error.message))?;
    let text = String::from_utf8(bytes).map_err(|_| damaged("it is no text"))?;
    let line = |line: &str| {
        let (id, said) = line.split_once(' ')?;
        let resumed = match said.strip_prefix("resumed ") {
            Some(at) => Some(Millis(proto::num::parse_decimal(at).ok()?)),
            None if said == "stopped" => None,
            None => return None,
        };
        Some((id.parse().ok()?, resumed))
    };
    text.lines().map(line).collect::<Option<_>>().ok_or_else(|| damaged("a line is not of its form"))
}

#[cfg(test)]
mod tests {
    use proto::hash::Hash;

    use super::*;

    fn id(text: &[u8]) -> EvidenceId {
        EvidenceId(Hash::of(text))
    }

    #[test]
    fn what_database_or_file_says_stands_until_the_act_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stop");
        let stop = Stop::new([]);
        stop.beside(file.clone()).unwrap();
        assert!(stop.why().is_none() && !file.exists(), "nothing is written about a log that nothing is known of");
        assert_eq!(stop.raise([id(b"one"), id(b"two")]).len(), 2);
        stop.write().unwrap();

        // The database was restored from before: the file still knows.
        let restored = Stop::new([]);
        restored.beside(file.clone()).unwrap();
        assert_eq!(restored.standing().len(), 2);
        let resume = |names: &[EvidenceId]| restored.resume(names, Millis(7), || Ok(()));
        assert!(resume(&[id(b"one")]).unwrap_err().message.contains(&id(b"two").to_string()));
        assert!(resume(&[id(b"three")]).is_err());
        resume(&[id(b"one"), id(b"two")]).unwrap();
        assert_eq!(restored.why(), None);

        // The file was lost: the database knows.
        let known = Stop::new([(id(b"one"), None), (id(b"two"), Some(Millis(7)))]);
        known.beside(folder.path().join("other")).unwrap();
        assert_eq!(known.standing(), [id(b"one")]);
        assert!(folder.path().join("other").exists());
        // The act that the file knows was made.
        known.beside(file).unwrap();
        assert_eq!(known.why(), None);
        assert!(known.raise([id(b"one")]).is_empty());
        assert_eq!(known.why(), None, "the same evidence again does not end it again");
    }

    #[test]
    fn while_the_database_fails_no_more_stands_than_is_enough() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stop");
        let stop = Stop::new([]);
        stop.beside(file.clone()).unwrap();
        let raised: usize = (0..1000u32).map(|n| stop.raise([id(&n.to_be_bytes())]).len()).sum();
        stop.write().unwrap();
        assert_eq!((raised, stop.standing().len()), (MOST_STANDING, MOST_STANDING));
        let again = Stop::new([]);
        again.beside(file).unwrap();
        assert_eq!(again.standing(), stop.standing(), "its file can be read");
        let all = again.standing();
        again.resume(&all, Millis(7), || Ok(())).unwrap();
        assert_eq!(again.raise([id(b"another")]).len(), 1);
    }

    #[test]
    fn an_act_that_fails_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let (records, aside) = (folder.path().join("record"), folder.path().join("aside"));
        let file = records.join("stop");
        let stop = Stop::new([]);
        stop.beside(file.clone()).unwrap();
        stop.raise([id(b"one")]);
        stop.write().unwrap();
        let before = std::fs::read(&file).unwrap();

        // The database cannot be written.
        let full = || Err(Error::local("the disk is full"));
        assert_eq!(stop.resume(&[id(b"one")], Millis(7), full).unwrap_err().message, "the disk is full");
        assert!(stop.why().is_some() && std::fs::read(&file).unwrap() == before, "nothing is changed");

        // The file cannot: its folder is away.
        std::fs::rename(&records, &aside).unwrap();
        std::fs::write(&records, b"in the way").unwrap();
        stop.resume(&[id(b"one")], Millis(7), || Ok(())).unwrap_err();
        assert!(stop.why().is_some());
        std::fs::remove_file(&records).unwrap();
        std::fs::rename(&aside, &records).unwrap();
        // At the next start the database knows of the act, and the file does not.
        let half = Stop::new([(id(b"one"), Some(Millis(7)))]);
        half.beside(file.clone()).unwrap();
        assert_eq!(half.standing(), [id(b"one")], "it said that it failed");
        half.resume(&[id(b"one")], Millis(8), || Ok(())).unwrap();
        let again = Stop::new([(id(b"one"), Some(Millis(8)))]);
        again.beside(file).unwrap();
        assert_eq!(again.why(), None);
    }

    #[test]
    fn a_file_that_cannot_be_read_ends_cosigning() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["x", "x stopped\n", &format!("{} resumed never\n", id(b"one"))] {
            let file = folder.path().join("stop");
            std::fs::write(&file, text).unwrap();
            let stop = Stop::new([]);
            stop.beside(file.clone()).unwrap();
            assert!(stop.why().is_some_and(|why| why.contains("cannot be read")), "{text}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "it stays as it is");
        }
    }
}

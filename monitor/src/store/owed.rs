//! What was found while the database could not be written, kept in memory until it can.
//!
//! What a log must not be able to do is fill the disk and then show a fork: found in that moment, it is made durable as soon as there
//! is room. That cosigning ended is durable already (`evidence/stop.rs`), in a file beside the witness's record.

use std::sync::{Mutex, PoisonError};

use client::Error;
use proto::num::Millis;

use super::{Batch, Findings, HeadKey, KeptHead, LogStore};
use crate::evidence::NewEvidence;

/// Steps that are owed at most, each of some findings with their files; what comes again is found again.
const MOST_OWED: usize = 64;
/// Those of them that are nothing but files of others: as many as are kept of one kind and key. Nobody outside takes the room of what
/// is found here.
const MOST_OUTSIDE: usize = 8;
/// Bytes of all files that are owed: some of the largest ones, or hundreds of usual ones.
const MOST_BYTES: usize = 32 << 20;

/// Steps that could not be written.
#[derive(Debug, Default)]
pub(super) struct Owed(Mutex<Vec<Step>>);

#[derive(Debug, PartialEq, Eq)]
struct Step {
    findings: Findings,
    evidence: Vec<NewEvidence>,
    heads: Vec<(HeadKey, Vec<u8>)>,
}

impl Step {
    fn bytes(&self) -> usize {
        self.evidence.iter().map(|new| new.file.bytes().len()).sum()
    }

    fn is_of_others(&self) -> bool {
        self.findings.found().is_empty() && self.evidence.iter().all(|new| new.source.is_outside())
    }

    fn is_empty(&self) -> bool {
        self.findings.found().is_empty() && self.evidence.is_empty()
    }
}

impl LogStore {
    /// Remembers what was found, if anything was.
    pub(super) fn owe(&self, batch: &Batch<'_>) {
        if batch.findings.found().is_empty() && batch.evidence.is_empty() {
            return;
        }
        let mut owed = self.owed.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A file is owed once, whoever hands it in again.
        let is_owed = |new: &NewEvidence| owed.iter().flat_map(|step| &step.evidence).any(|one| one.file == new.file);
        let evidence: Vec<NewEvidence> = batch.evidence.iter().filter(|new| !is_owed(new)).cloned().collect();
        let heads = batch.heads.iter().map(|head| (head.key, head.note.to_vec())).collect();
        // Not what is over: that may not be so any more.
        let step = Step { findings: Findings::begin(batch.findings.found().to_vec()), evidence, heads };
        let bytes: usize = owed.iter().chain([&step]).map(Step::bytes).sum();
        let of_others = owed.iter().filter(|step| step.is_of_others()).count();
        let has_room =
            owed.len() < MOST_OWED && bytes <= MOST_BYTES && (of_others < MOST_OUTSIDE || !step.is_of_others());
        // Its files may be owed already, or be none.
        let is_same = |one: &Step| one.findings == step.findings && one.heads == step.heads;
        let is_known = step.evidence.is_empty() && owed.iter().any(is_same);
        if has_room && !step.is_empty() && !is_known {
            owed.push(step);
        }
    }

    /// Writes what is owed; whether anything was.
    ///
    /// # Errors
    /// When it still cannot be written; it is owed on.
    pub fn pay(&self, now: Millis) -> Result<bool, Error> {
        let owed = std::mem::take(&mut *self.owed.0.lock().unwrap_or_else(PoisonError::into_inner));
        let any = !owed.is_empty();
        let (mut failed, mut first) = (Vec::new(), None);
        for step in owed {
            let covered = self.covered_of(&step.evidence);
            let heads = step.heads.iter().map(|(key, note)| KeptHead { key: *key, note }).collect();
            let (findings, evidence) = (step.findings.clone(), step.evidence.clone());
            let stored = self.commit_all(&Batch { findings, evidence, heads, ..Batch::default() }, &covered, now);
            match stored {
                Ok(stored) => first = first.or(self.forget_what_has_no_room(&stored).err()),
                Err(error) => {
                    first = first.or(Some(error));
                    failed.push(step);
                }
            }
        }
        self.owed.0.lock().unwrap_or_else(PoisonError::into_inner).extend(failed);
        first.map_or(Ok(any), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tests::{Followed, NOW, file, head, others, three};
    use crate::evidence::{ProvenFile, Source};
    use crate::finding::{Class, Finding, code};

    #[test]
    fn what_was_found_while_nothing_could_be_written_is_written_later() {
        let followed = Followed::new();
        followed.follow(&three(), 12, None);
        let store = &followed.log.store;
        let fork = Finding::new(Class::Tamper, code::FORK, "two histories")
            .with_heads(&[&head(&others(1), 12), &head(&three(), 12)]);
        let mut findings = Findings::begin(vec![fork]);
        let evidence = followed.log.prove(&mut findings, crate::evidence::Reach::Kept).unwrap();
        assert_eq!(evidence.len(), 3, "the log, its time key and the witness that cosigned both");
        findings.over(code::UNREACHABLE);
        let batch = Batch { findings, evidence, ..Batch::default() };
        (0..3).for_each(|_| store.owe(&batch));
        store.owe(&Batch { findings: Findings::end(code::OLD), ..Batch::default() });
        assert_eq!(store.owed.0.lock().unwrap().len(), 1, "the same once, and nothing that only ends");
        assert_eq!((followed.open_findings().len(), followed.convicted().len()), (0, 0));
        assert!(store.pay(NOW).unwrap());
        assert_eq!((followed.open_findings().len(), followed.convicted().len()), (1, 3));
        assert!(!store.pay(NOW).unwrap(), "paid once");
    }

    fn of_others(bytes: &[u8], source: Source) -> Batch<'static> {
        let file = ProvenFile::check(bytes).unwrap();
        Batch { evidence: vec![NewEvidence { file, source }], ..Batch::default() }
    }

    #[test]
    fn a_file_that_has_no_room_when_it_is_paid_ends_nothing() {
        let followed = Followed::new();
        (10..18).for_each(|n| _ = followed.log.take_evidence(&file(n), Source::Report, NOW).unwrap());
        let store = &followed.log.store;
        // As when the ninth comes while nothing can be written.
        let ninth = of_others(&file(18), Source::Report);
        store.stop().raise([ninth.evidence[0].file.id()]);
        store.owe(&ninth);
        assert_eq!(store.stop().standing().len(), 9);
        store.pay(NOW).unwrap();
        assert_eq!((store.stop().standing().len(), followed.kept().len()), (8, 8), "the operator can look at each");
    }

    #[test]
    fn what_others_hand_in_takes_no_room_of_what_is_found_here() {
        let followed = Followed::new();
        followed.follow(&three(), 12, None);
        let store = &followed.log.store;
        for n in 10..110 {
            store.owe(&of_others(&file(n), Source::Report));
            store.owe(&of_others(&file(n), Source::Named("peer.example".to_owned())));
        }
        let fork = Finding::new(Class::Tamper, code::FORK, "two histories");
        store.owe(&Batch { findings: Findings::begin(vec![fork]), ..Batch::default() });
        assert_eq!(store.owed.0.lock().unwrap().len(), MOST_OUTSIDE + 1, "each once, whoever sends it");
        store.pay(NOW).unwrap();
        assert!(followed.open_findings().iter().any(|one| one.code == code::FORK));
        assert_eq!(followed.kept().len(), MOST_OUTSIDE);
    }
}

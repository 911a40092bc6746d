//! Files made of what following finds.
//!
//! A finding holds all that names it: its heads with their signatures, the proof that ties them, the entry's index. The files
//! are made from that and from what is kept, so that one for which something was missing is tried again in later rounds, and
//! after a crash.

mod again;
mod entries;
mod entry;
mod fork;
mod time;

use std::sync::PoisonError;

use client::Error;
use proto::misbehaviour::{CannotAccuse, Misbehaviour, NotProven};
use proto::note::{Note, Vkey};

use entries::Asking;

use super::{NewEvidence, ProvenFile};
use crate::finding::{Class, Finding, code};
use crate::follow::FollowedLog;
use crate::store::Findings;

pub(crate) use again::Again;

/// What may be asked for what a file needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only what is kept here: nobody waits for a log that does not answer.
    Kept,
    /// The log as well.
    Log,
}

/// Why there is no file.
#[derive(Debug)]
enum Why {
    /// Something is missing that may come.
    NotYet(String),
    /// None can be made of this.
    Never(String),
}

impl From<Error> for Why {
    fn from(error: Error) -> Why {
        Why::NotYet(error.message)
    }
}

impl From<CannotAccuse> for Why {
    fn from(why: CannotAccuse) -> Why {
        Why::Never(why.to_string())
    }
}

impl From<NotProven> for Why {
    fn from(why: NotProven) -> Why {
        Why::Never(why.to_string())
    }
}

/// Whether a file may be made of a finding at all. What was not signed, or was not read, proves nothing to others.
fn is_accusation(finding: &Finding) -> bool {
    let of_entry = finding.index.is_some() && finding.code != code::TIME;
    let by_head = matches!(finding.code.as_str(), code::FORK | code::TIME) && !finding.heads.is_empty();
    matches!(finding.class, Class::Tamper | Class::Claim) && (of_entry || by_head)
}

impl FollowedLog {
    /// Makes the files of findings that are about to be committed: each finding names its files, and says why it has none.
    pub fn prove(&self, findings: &mut Findings, reach: Reach) -> Result<Vec<NewEvidence>, Error> {
        let (mut all, asking) = (Vec::new(), Asking::new(reach));
        for finding in findings.found_mut().iter_mut().filter(|finding| is_accusation(finding)) {
            self.name_anew(finding)?;
            let convicted = self.convicted(finding)?;
            match self.accuse(finding, &convicted, &asking) {
                Ok(files) => {
                    finding.unproven = None;
                    finding.evidence = files.iter().map(ProvenFile::id).collect();
                    all.extend(files.into_iter().map(NewEvidence::own));
                }
                Err(Why::Never(why) | Why::NotYet(why)) if convicted.is_empty() => finding.unproven = Some(why),
                Err(_) => {}
            }
        }
        Ok(all)
    }

    /// Tries again some of what is open and has no file yet, such as an entry at which the rules stopped.
    pub(crate) fn prove_open(&self, findings: &mut Findings) -> Result<(), Error> {
        let found: Vec<String> = findings.found().iter().map(|finding| finding.id.clone()).collect();
        let open = self.store.open_findings()?.into_iter().map(|open| open.finding);
        let is_done = |finding: &Finding| {
            !finding.evidence.is_empty() || found.contains(&finding.id) || self.is_given_up(&finding.id)
        };
        let open: Vec<Finding> = open.filter(|finding| is_accusation(finding) && !is_done(finding)).collect();
        let turn = self.again.lock().unwrap_or_else(PoisonError::into_inner).of_round(open);
        turn.into_iter().for_each(|finding| findings.push(finding));
        Ok(())
    }

    /// The keys that files of this finding convicted already.
    fn convicted(&self, finding: &Finding) -> Result<Vec<String>, Error> {
        let Some(open) = self.store.open_finding(&finding.id)? else { return Ok(Vec::new()) };
        let mut keys = Vec::new();
        for id in &open.finding.evidence {
            keys.extend(self.store.evidence(*id)?.map(|(kept, _)| kept.accused));
        }
        Ok(keys)
    }

    /// A file for each key that a finding convicts and that is not convicted of it yet.
    fn accuse(&self, finding: &Finding, convicted: &[String], asking: &Asking) -> Result<Vec<ProvenFile>, Why> {
        let made = match finding.code.as_str() {
            code::FORK => self.accuse_of_fork(finding, convicted),
            _ if !convicted.is_empty() => Ok(Vec::new()),
            code::TIME => self.accuse_of_time(finding, asking).map(|file| vec![file]),
            _ => self.accuse_of_entry(finding, asking).map(|file| vec![file]),
        };
        if matches!(made, Err(Why::Never(_))) && asking.reach() == Reach::Log {
            self.give_up(&finding.id);
        }
        made?.iter().map(|file| ProvenFile::of(file).map_err(Why::from)).collect()
    }

    /// The log's own keys, as the operator's trust file has them.
    pub(crate) fn log_keys(&self) -> impl Iterator<Item = &Vkey> {
        let of_log = |log: &&proto::policy::Log| log.origin() == self.origin();
        self.config.trust.policy().logs().iter().filter(of_log).map(proto::policy::Log::vkey)
    }

    /// Everybody who cosigns heads of this log and whom the trust file names; the log's time key is among them.
    fn cosigners(&self) -> impl Iterator<Item = &Vkey> {
        let of_log = |witness: &&proto::policy::Witness| witness.time_key_of().is_none_or(|of| of == self.origin());
        self.config.trust.policy().witnesses().iter().filter(of_log).map(proto::policy::Witness::vkey)
    }

    fn time_key(&self) -> Option<&Vkey> {
        let is_it = |witness: &&proto::policy::Witness| witness.time_key_of() == Some(self.origin());
        self.config.trust.policy().witnesses().iter().find(is_it).map(proto::policy::Witness::vkey)
    }
}

/// Whether a note has a line of this key, verified or not: a file with one that fails is not made.
fn has_line(note: &Note, key: &Vkey) -> bool {
    note.signatures().iter().any(|line| line.name() == key.name() && line.key_hash() == key.key_hash())
}

fn note(text: &str) -> Result<Note, Why> {
    Note::parse(text.as_bytes()).map_err(|why| Why::Never(format!("a head is no note: {why}")))
}

/// What every attempt gives.
type Made<T> = Result<T, Why>;

/// A file of the first key with which it can be made, or why there is none.
fn first<'a>(
    keys: impl Iterator<Item = &'a Vkey>,
    make: impl Fn(&Vkey) -> Result<Misbehaviour, CannotAccuse>,
) -> Made<Misbehaviour> {
    let mut why = Why::Never("the trust file names no key that signed it".to_owned());
    for key in keys {
        match make(key) {
            Ok(file) => return Ok(file),
            Err(no) => why = no.into(),
        }
    }
    Err(why)
}

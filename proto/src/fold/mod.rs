//! The fold: admission and state as one pure step.
//!
//! Issuers, keys, slots and the constitution in force are a fold over the entries. A step is given an entry and a
//! one-method reader of the state so far and returns the changes; the log server commits them in the same write as the
//! entry, an auditor in its own store. Nobody holds all state in memory, and every step reads a bounded number of keys.
//!
//! ```text
//!  envelope ─ Submission::from_envelope ─┐
//!                                        ├─ check_signatures ─ Checked ─ decide ─ Decision { links, changes }
//!  entry ──── Submission::from_entry ────┘                                          │
//!                                            step = the whole chain, and the links compared with the entry's
//! ```
//!
//! What cannot be decided from the state alone is said by [`Checked::anchor`]: a claim may name a head of this log, and
//! only someone who holds the tree can compare its root.

mod constitution;
mod key;
mod keys;
mod record;
mod registry;
mod right;
mod row;
mod slot;
mod submission;

pub use key::StateKey;
pub use keys::KeyCache;
pub use record::read;
pub use record::{
    AuthorityRecord, ClaimRecord, Constitution, IssuerRecord, KeyHolder, KeyRecord, LogRecord, PendingRecovery,
    SlotRecord,
};
pub use right::RECOVERY_WAIT_MS;
pub use row::{IssuerItem, ProductItem, RowPrefix, TrailItem, VULNERABILITY_SCHEME};
pub use submission::{
    Checked, EnrolledKey, Submission, check_signatures, check_signatures_by, enrolled_key, entry_digest,
};

pub use constitution::CHANGE_WAIT_MS;

pub(crate) use constitution::constitution_record;
pub(crate) use registry::end_ms;
pub(crate) use slot::slot_name;

use crate::claim::ClaimType;
use crate::code::{Code, Refused};
use crate::entry::{Entry, Links};
use crate::num::{LeafIndex, Millis};

/// The newest rules version that this code knows. A mended rule is a new version that holds from an index on.
pub const RULES_VERSION: u32 = 1;

/// What the rules read: the newest value of a state key.
pub trait State {
    /// Why a read can fail.
    type Error;

    /// The value of `key`, if it was ever put.
    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;
}

impl<S: State> State for &S {
    type Error = S::Error;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, S::Error> {
        (**self).read(key)
    }
}

/// A state in memory, for tests and small logs.
impl State for std::collections::HashMap<Vec<u8>, Vec<u8>> {
    type Error = std::convert::Infallible;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error> {
        Ok(self.get(key).cloned())
    }
}

/// What an entry changes. Values are put, never deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// What later steps read, by canonical CBOR tuples that begin with their kind.
    pub state: Vec<(Vec<u8>, Vec<u8>)>,
    /// What readers scan in order; the fold never reads it.
    pub rows: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Changes {
    fn put(&mut self, key: StateKey<'_>, value: &impl minicbor::Encode<()>) {
        self.state.push((key.encode(), record::encode(value)));
    }

    fn row(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.rows.push((key, value));
    }
}

/// Why a step ended without changes.
#[derive(Debug, thiserror::Error)]
pub enum Stop<E> {
    /// The rules refuse the claim.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The state could not be read.
    #[error("the state could not be read")]
    State(E),
    /// The state holds bytes that this code did not write.
    #[error("the state is corrupt at {0}; rebuild it from the entries")]
    Corrupt(String),
    /// The constitution names rules that this code does not know; the reader is too old, the log is not wrong.
    #[error("the log applies rules version {0}; this program knows up to {RULES_VERSION}: update it")]
    UnknownRules(u32),
}

/// What the rules say to a claim at its own index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What the log commits to have applied.
    pub links: Links,
    /// What the entry changes.
    pub changes: Changes,
    /// Bytes the entry may have at most, by the constitution in force; this one has no more.
    pub max_entry_bytes: usize,
}

/// Decides on a claim whose signatures were checked, at `index` and `timestamp`.
///
/// A claim id that the log has already is refused with [`Code::EntryDuplicate`]; a server looks for it before.
pub fn decide<S: State>(
    index: LeafIndex,
    timestamp: Millis,
    checked: &Checked,
    state: &S,
) -> Result<Decision, Stop<S::Error>> {
    let view = View { state };
    let mut log = view.log()?;
    check_time(&log, index, timestamp)?;
    if let Some(log) = &mut log {
        log.advance(timestamp);
        if log.current.rules_version > RULES_VERSION {
            return Err(Stop::UnknownRules(log.current.rules_version));
        }
        if log.current.frozen {
            return Err(Refused::new(Code::ModeFrozen, "the log is frozen; it takes no more claims").into());
        }
        check_address(&log.current.origin, timestamp, checked)?;
    }
    check_no_authority(checked)?;
    if view.claim(&checked.id())?.is_some() {
        return Err(Refused::new(Code::EntryDuplicate, "the claim is in the log already").into());
    }
    let mut step = Step { index, timestamp, checked, view, log, changes: Changes::default(), links: Links::default() };
    match (&checked.claim().claim_type, step.log.is_some()) {
        (ClaimType::Log, false) => step.found()?,
        (_, false) => {
            return Err(
                Refused::at(Code::RightOperator, "/type", "entry 0 of a log is its constitution, log/v1").into()
            );
        }
        (ClaimType::Log, true) => step.change_constitution()?,
        (ClaimType::Issuer, true) => step.register()?,
        (_, true) => step.speak()?,
    }
    step.finish()
}

/// Applies an entry of a log: form, signatures, right to speak, and that its links are the ones the rules give.
pub fn step<S: State>(index: LeafIndex, entry: &Entry, state: &S) -> Result<Changes, Stop<S::Error>> {
    let stepped = Submission::from_entry(entry)
        .map_err(Stop::from)
        .and_then(|submission| check_signatures(submission, state))
        .and_then(|checked| step_checked(index, entry.timestamp, entry.links, &checked, state));
    match stepped {
        Err(Stop::Refused(no)) => Err(refused_under(entry.timestamp, no, state)),
        other => other,
    }
}

/// What a refusal is worth for an entry of this time: form and signatures are judged by the rules in force as all else is, and
/// who does not know those refuses nothing. An entry whose time cannot be read has the latest time that there is: also rules
/// that are only announced may hold for it.
pub fn refused_under<S: State>(timestamp: Millis, no: Refused, state: &S) -> Stop<S::Error> {
    match constitution(state) {
        Ok(Some(mut log)) => {
            log.advance(Millis(timestamp.0.max(log.last_timestamp)));
            let version = log.current.rules_version;
            if version > RULES_VERSION { Stop::UnknownRules(version) } else { Stop::Refused(no) }
        }
        Ok(None) => Stop::Refused(no),
        Err(stop) => stop,
    }
}

/// As [`step`], for a caller that checked the signatures already, perhaps many at once.
pub fn step_checked<S: State>(
    index: LeafIndex,
    timestamp: Millis,
    links: Links,
    checked: &Checked,
    state: &S,
) -> Result<Changes, Stop<S::Error>> {
    let decision = decide(index, timestamp, checked, state)?;
    if decision.links != links {
        let message = format!("the entry's links are {links:?}, the rules give {:?}", decision.links);
        return Err(Refused::new(Code::EntryLink, message).into());
    }
    Ok(decision.changes)
}

/// The constitution in force at the last entry's time, and what is under way; `None` for an empty log.
pub fn constitution<S: State>(state: &S) -> Result<Option<LogRecord>, Stop<S::Error>> {
    View { state }.log()
}

fn check_time<E>(log: &Option<LogRecord>, index: LeafIndex, timestamp: Millis) -> Result<(), Stop<E>> {
    match log {
        None if index.0 != 0 => Err(Stop::Corrupt("the constitution".into())),
        Some(log) if timestamp.0 < log.last_timestamp => {
            let message = format!("the entry's time {timestamp} is before {}, its predecessor's", log.last_timestamp);
            Err(Refused::new(Code::EntryTime, message).into())
        }
        _ => Ok(()),
    }
}

/// Constitutions and registry entries use no mandate and no succession: nobody makes them for another.
fn check_no_authority(checked: &Checked) -> Result<(), Refused> {
    let claim = checked.claim();
    let pointer = match (&claim.authority, &claim.on_behalf_of) {
        _ if !claim.claim_type.is_registry() => return Ok(()),
        (Some(_), _) => "/authority",
        (None, Some(_)) => "/on_behalf_of",
        (None, None) => return Ok(()),
    };
    Err(Refused::at(Code::RightAuthority, pointer, format!("{} is never made for another", claim.claim_type)))
}

/// The claim names this log, and is not too late.
fn check_address(origin: &str, timestamp: Millis, checked: &Checked) -> Result<(), Refused> {
    let claim = checked.claim();
    if !claim.logs.iter().any(|log| log.origin.as_str() == origin) {
        let message = format!("the claim is not meant for {origin}; its `logs` must name this origin");
        return Err(Refused::at(Code::ClaimWrongLog, "/logs", message));
    }
    if let Some(limit) = &claim.submit_before
        && i128::from(timestamp.0) > i128::from(limit.millis())
    {
        let now = timestamp.to_rfc3339();
        let message = format!("the log's time is {now}, past the claim's `submit_before` ({limit})");
        return Err(Refused::at(Code::ClaimTooLate, "/submit_before", message));
    }
    Ok(())
}

/// Typed reads of the state.
struct View<'a, S> {
    state: &'a S,
}

/// One step under way.
struct Step<'a, S> {
    index: LeafIndex,
    timestamp: Millis,
    checked: &'a Checked,
    view: View<'a, S>,
    log: Option<LogRecord>,
    changes: Changes,
    links: Links,
}

impl<S: State> Step<'_, S> {
    /// What every entry has: the link to the constitution, a length within its limit, and the log's time.
    fn finish(mut self) -> Result<Decision, Stop<S::Error>> {
        let Some(log) = self.log.take() else { return Err(Stop::Corrupt("the constitution".into())) };
        if self.index.0 > 0 {
            self.links.constitution = Some(LeafIndex(log.constitution_before(self.index)));
        }
        let max_entry_bytes = log.current.entry_bytes as usize;
        let length = self.checked.submission().entry_bytes(self.timestamp, self.links);
        if length > max_entry_bytes {
            let message = format!(
                "the entry would have {length} bytes; at most {max_entry_bytes} fit in this log, so name long parts as \"docs\""
            );
            return Err(Refused::new(Code::SizeEntry, message).into());
        }
        self.changes.put(StateKey::Time, &self.timestamp.0);
        Ok(Decision { links: self.links, changes: self.changes, max_entry_bytes })
    }
}

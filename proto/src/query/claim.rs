//! One claim as the log has it: its entry, what it says, and what became of it.

use super::standing::{Standing, Standings};
use super::time::entry_at;
use super::{QueryError, Reader, Result};
use crate::claim::{Claim, ClaimId};
use crate::entry::Entry;
use crate::fold::read;
use crate::num::{LeafIndex, TreeSize};

/// A claim in the log.
#[derive(Debug, Clone)]
pub struct Logged {
    /// Where it is.
    pub index: LeafIndex,
    /// Its id.
    pub id: ClaimId,
    /// Its entry.
    pub entry: Entry,
    /// What it says.
    pub claim: Claim,
    /// Its slot, by the index of the slot's first entry.
    pub slot: Option<u64>,
    /// Whether public data are replayed under its issuer's name.
    pub replay: bool,
    /// What became of it; `None` when too many claims would have to be folded to say.
    pub standing: Option<Standing>,
}

/// The claim with this id, if it is among the first `size` entries.
pub fn by_id<R: Reader>(reader: &R, id: &ClaimId, size: TreeSize) -> Result<Option<Logged>, R> {
    match read::claim(reader, id)? {
        Some(record) if LeafIndex(record.index).is_in(size) => {
            at(reader, LeafIndex(record.index), &mut Standings::at(size)).map(Some)
        }
        _ => Ok(None),
    }
}

/// The claim at an index, with what became of it; the claims of one answer share `standings`.
pub fn at<R: Reader>(reader: &R, index: LeafIndex, standings: &mut Standings) -> Result<Logged, R> {
    let mut logged = without_standing(reader, index)?;
    logged.standing = standings.of(reader, &logged.id)?;
    Ok(logged)
}

/// The claim at an index, for callers that know what became of it.
pub fn without_standing<R: Reader>(reader: &R, index: LeafIndex) -> Result<Logged, R> {
    let entry = entry_at(reader, index)?;
    let corrupt = |what: &dyn std::fmt::Display| QueryError::Corrupt(format!("entry {index}: {what}"));
    let claim = Claim::parse(&entry.payload).map_err(|error| corrupt(&error))?;
    let id = ClaimId::of(&entry.payload_type, &entry.payload);
    let record = read::claim(reader, &id)?.ok_or_else(|| corrupt(&"its claim is not in the state"))?;
    let issuer = read::issuer(reader, claim.issuer.as_str())?;
    let replay = issuer.is_some_and(|issuer| issuer.replay);
    Ok(Logged { index, id, entry, claim, slot: record.slot, replay, standing: None })
}

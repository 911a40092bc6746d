//! Who is enrolled, and with which keys.

use std::ops::ControlFlow;

use super::{Direction, Page, QueryError, Reader, Result};
use crate::ed25519::KeyId;
use crate::fold::{IssuerRecord, KeyRecord, RowPrefix, read};
use crate::num::{LeafIndex, Millis, TreeSize};

/// Keys of one issuer that are shown at most, the newest ones.
pub const MAX_KEYS_SHOWN: u64 = 256;

/// An issuer and its keys.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// What the registry says.
    pub record: IssuerRecord,
    /// Its keys, oldest first; of more than [`MAX_KEYS_SHOWN`] the newest.
    pub keys: Vec<(KeyId, KeyRecord)>,
}

/// Whether a key can speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStatus {
    /// It can.
    Active,
    /// It was revoked.
    Revoked,
    /// Its time is over.
    Expired,
    /// It was enrolled by a recovery that is not in force yet.
    Waiting,
}

impl KeyStatus {
    /// The status at a time, after the entries below `size`.
    pub fn of(key: &KeyRecord, size: TreeSize, time: Millis) -> KeyStatus {
        match key {
            KeyRecord { revoked: Some(entry), .. } if *entry < size.0 => KeyStatus::Revoked,
            KeyRecord { until_ms: Some(until), .. } if *until <= time.0 => KeyStatus::Expired,
            KeyRecord { from_ms, .. } if *from_ms > time.0 => KeyStatus::Waiting,
            _ => KeyStatus::Active,
        }
    }

    /// The status as answers name it.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyStatus::Active => "active",
            KeyStatus::Revoked => "revoked",
            KeyStatus::Expired => "expired",
            KeyStatus::Waiting => "waiting",
        }
    }
}

/// An issuer as of `size`, which must be the newest that is shown: the registry keeps no earlier states.
///
/// # Errors
/// [`QueryError::Moving`] when an entry at or beyond `size` changed it.
pub fn by_id<R: Reader>(reader: &R, id: &str, size: TreeSize) -> Result<Option<Issuer>, R> {
    let Some(record) = record(reader, id, size)? else { return Ok(None) };
    let mut keys = Vec::new();
    for n in record.keys.saturating_sub(MAX_KEYS_SHOWN)..record.keys {
        let corrupt = || QueryError::Corrupt(format!("key {n} of {id}"));
        let key_id = read::issuer_key(reader, id, n)?.ok_or_else(corrupt)?;
        let mut key = read::key(reader, &key_id)?.ok_or_else(corrupt)?;
        key.revoked = key.revoked.filter(|entry| *entry < size.0);
        keys.push((key_id, key));
    }
    Ok(Some(Issuer { record, keys }))
}

/// What the registry says of an issuer as of `size`; errors as for [`by_id`].
pub fn record<R: Reader>(reader: &R, id: &str, size: TreeSize) -> Result<Option<IssuerRecord>, R> {
    match read::issuer(reader, id)? {
        Some(record) if !LeafIndex(record.first).is_in(size) => Ok(None),
        Some(record) if !LeafIndex(record.last).is_in(size) => Err(QueryError::Moving),
        found => Ok(found),
    }
}

/// Issuers by id, after the given one, at most `limit`.
pub fn list<R: Reader>(
    reader: &R,
    size: TreeSize,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<(String, IssuerRecord), String>, R> {
    let prefix = RowPrefix::issuers();
    let after = after.map(RowPrefix::issuer);
    let (mut ids, mut more, mut corrupt) = (Vec::new(), false, false);
    let after = after.as_ref().map(RowPrefix::as_bytes);
    let scanned = reader.scan(prefix.as_bytes(), after, Direction::Forward, &mut |key, _| {
        if ids.len() == limit {
            more = true;
            return ControlFlow::Break(());
        }
        match prefix.parts_of(key).as_deref() {
            Some([id]) => ids.push((*id).to_owned()),
            _ => corrupt = true,
        }
        if corrupt { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    scanned.map_err(QueryError::Read)?;
    if corrupt {
        return Err(QueryError::Corrupt("a row of the list of issuers".into()));
    }
    let next = if more { ids.last().cloned() } else { None };
    let mut items = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(record) = record(reader, &id, size)? {
            items.push((id, record));
        }
    }
    Ok(Page { items, next })
}

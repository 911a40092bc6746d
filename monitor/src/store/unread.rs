//! Heads that were shown before their entries were read: each is kept here until the log's tree says what it is.
//!
//! They are among all heads as well (`heads.rs`), but those are named by the time that the log stated, and thinned: a log that states
//! an old time, or waits a day, must not get rid of one that way.

use client::Error;
use proto::num::{Seconds, TreeSize};
use redb::{ReadableTable as _, ReadableTableMetadata as _, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::LogStore;
use super::gossip::{head_of, key_of};
use crate::gossip::core::Head;

/// size, root → since when, note
const UNREAD: TableDefinition<&[u8], &[u8]> = TableDefinition::new("heads-unread");

/// Such heads of a log at most, of some hundred bytes each. An honest log's are tied to its newest head within seconds, so that
/// this is room for hundreds a second; what finds none is told.
pub const MOST_UNREAD: u64 = 4096;

/// A head that was shown and not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The head.
    pub head: Head,
    /// When it was shown first.
    pub since: Seconds,
    /// The signed note.
    pub note: Vec<u8>,
}

/// How many such heads there are, since when, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadHeads {
    /// How many.
    pub heads: u64,
    /// When the first of them was shown.
    pub since: Seconds,
    /// Those of them that are larger than the newest head that was taken from the log.
    pub beyond_newest: u64,
}

impl UnreadHeads {
    /// Why they are not held against the tree yet.
    pub fn why(&self) -> String {
        let below = self.heads.saturating_sub(self.beyond_newest);
        let is = |count: u64| if count == 1 { "is" } else { "are" };
        let below = (below > 0).then(|| {
            let is = is(below);
            format!("{below} {is} below the newest head, whose entries are not read and whose tiles did not say yet what is under it")
        });
        let beyond = (self.beyond_newest > 0).then(|| {
            let (count, is) = (self.beyond_newest, is(self.beyond_newest));
            format!("{count} {is} larger than any head that the log showed here")
        });
        [below, beyond].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

impl std::fmt::Display for UnreadHeads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (heads, since, why) = (self.heads, self.since.millis().to_rfc3339(), self.why());
        let what = if heads == 1 { "head that was shown is" } else { "heads that were shown are" };
        write!(f, "{heads} {what} not held against the tree yet, the first since {since}: {why}")
    }
}

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(UNREAD)?;
    Ok(())
}

/// Adds these where there is room, and removes those.
pub(super) fn apply(transaction: &WriteTransaction, new: &[Unread], read: &[Head]) -> Result<(), redb::Error> {
    if new.is_empty() && read.is_empty() {
        return Ok(());
    }
    let mut table = transaction.open_table(UNREAD)?;
    for head in read {
        table.remove(key_of(*head).as_slice())?;
    }
    for one in new {
        let key = key_of(one.head);
        // Since when it is there stays.
        if table.len()? < MOST_UNREAD && table.get(key.as_slice())?.is_none() {
            let value = [one.since.0.to_be_bytes().as_slice(), &one.note].concat();
            table.insert(key.as_slice(), value.as_slice())?;
        }
    }
    Ok(())
}

impl LogStore {
    /// All of them, the smallest first.
    pub fn unread(&self) -> Result<Vec<Unread>, Error> {
        self.read(|transaction| {
            let mut all = Vec::new();
            for item in transaction.open_table(UNREAD)?.iter()? {
                let (key, value) = item?;
                // Only this file writes them.
                let Some((head, (since, note))) = head_of(key.value()).zip(value.value().split_first_chunk::<8>())
                else {
                    continue;
                };
                all.push(Unread { head, since: Seconds(u64::from_be_bytes(*since)), note: note.to_vec() });
            }
            Ok(all)
        })
    }

    /// How many there are, if any; `newest` is the size of the newest head that was taken.
    pub fn unread_heads(&self, newest: TreeSize) -> Result<Option<UnreadHeads>, Error> {
        self.read(|transaction| {
            let mut found: Option<UnreadHeads> = None;
            for item in transaction.open_table(UNREAD)?.iter()? {
                let (key, value) = item?;
                let Some((head, (since, _))) = head_of(key.value()).zip(value.value().split_first_chunk::<8>()) else {
                    continue;
                };
                let since = Seconds(u64::from_be_bytes(*since));
                let all = found.get_or_insert(UnreadHeads { heads: 0, since, beyond_newest: 0 });
                all.heads += 1;
                all.since = all.since.min(since);
                all.beyond_newest += u64::from(head.size > newest);
            }
            Ok(found)
        })
    }

    /// Whether this head is among them, and how many there are.
    pub fn is_unread(&self, head: Head) -> Result<(bool, u64), Error> {
        self.read(|transaction| {
            let table = transaction.open_table(UNREAD)?;
            Ok((table.get(key_of(head).as_slice())?.is_some(), table.len()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tests::{Followed, NOW, entry, head, others, three};

    #[test]
    fn what_is_not_read_yet_is_counted_with_its_reason() {
        let followed = Followed::new();
        followed.follow(&three(), 12, None);
        let store = &followed.log.store;
        assert_eq!(store.unread_heads(TreeSize(3)).unwrap(), None);
        for (more, second) in [(vec![entry(13, 3)], 13), (vec![entry(13, 3), entry(14, 4)], 14)] {
            followed.offer(&head(&[others(1), more].concat(), second));
        }
        let found = store.unread_heads(TreeSize(4)).unwrap().unwrap();
        assert_eq!(found, UnreadHeads { heads: 2, since: NOW.seconds(), beyond_newest: 1 });
        assert_eq!(
            found.to_string(),
            "2 heads that were shown are not held against the tree yet, the first since 1970-01-01T00:01:39Z: 1 is below the newest \
             head, whose entries are not read and whose tiles did not say yet what is under it; 1 is larger than any head that the \
             log showed here"
        );
        assert_eq!(followed.log.seen().unread, store.unread_heads(TreeSize(3)).unwrap(), "as it is shown");
    }
}

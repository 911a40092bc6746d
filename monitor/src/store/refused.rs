//! Which peer has taken which evidence, and which it refuses.

use client::Error;
use proto::num::Millis;
use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

use super::gossip::{COUNTS, TAKEN_BY};
use super::{Findings, LogStore, findings};

/// peer, number of the evidence → nothing
const REFUSED: TableDefinition<(&str, u64), ()> = TableDefinition::new("gossip-evidence-refused");

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(REFUSED).map(drop).map_err(redb::Error::from)
}

/// The first one from this number on.
fn first(
    table: &impl ReadableTable<(&'static str, u64), ()>,
    peer: &str,
    from: u64,
) -> Result<Option<u64>, redb::Error> {
    let mut all = table.range((peer, from)..=(peer, u64::MAX))?;
    Ok(all.next().transpose()?.map(|(key, _)| key.value().1))
}

impl LogStore {
    /// The number up to which a peer was sent this log's evidence.
    pub fn evidence_taken_by(&self, peer: &str) -> Result<u64, Error> {
        self.gossip_count(&format!("{TAKEN_BY}{peer}"))
    }

    /// The first piece of evidence behind this number that a peer refuses.
    pub fn evidence_refused_by(&self, peer: &str, after: u64) -> Result<Option<u64>, Error> {
        self.read(|transaction| first(&transaction.open_table(REFUSED)?, peer, after.saturating_add(1)))
    }

    /// A peer has answered to a piece of evidence. `found` says which findings begin and end, told whether it refuses any now.
    pub fn evidence_answered(
        &self,
        peer: &str,
        number: u64,
        is_refused: bool,
        found: impl FnOnce(bool) -> Findings,
        now: Millis,
    ) -> Result<(), Error> {
        self.write(|transaction| {
            let mut counts = transaction.open_table(COUNTS)?;
            let name = format!("{TAKEN_BY}{peer}");
            // What it refused is sent again later: that lowers nothing.
            let before = counts.get(name.as_str())?.map_or(0, |count| count.value());
            counts.insert(name.as_str(), before.max(number))?;
            let mut refused: Table<'_, (&'static str, u64), ()> = transaction.open_table(REFUSED)?;
            match is_refused {
                true => _ = refused.insert((peer, number), ())?,
                false => _ = refused.remove((peer, number))?,
            }
            let refuses = first(&refused, peer, 0)?.is_some();
            findings::apply(transaction, &self.origin, &found(refuses), now)
        })
    }
}

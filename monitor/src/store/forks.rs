//! Forks that are known though no file proves them, and the operator's act despite them.

use std::collections::BTreeSet;

use client::Error;
use proto::num::Millis;
use redb::{ReadableTable as _, TableDefinition, WriteTransaction};

use super::LogStore;
use super::gossip::{head_of, key_of};
use crate::evidence::claimed_head;
use crate::finding::{Finding, code};
use crate::gossip::core::Head;

/// size, root of a head of another history → when the operator resumed cosigning despite it. A finding is named by one of its heads,
/// and by a part of that one's root: what an act covers is told by no name.
const RESUMED: TableDefinition<&[u8], u64> = TableDefinition::new("fork-heads-resumed");

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(RESUMED).map(drop).map_err(redb::Error::from)
}

impl LogStore {
    /// What ends cosigning without a file: two heads, both signed by the log, that cannot both be true, where what would show that
    /// to others is missing, and no act of the operator's covers it.
    pub fn unproven_forks(&self) -> Result<Vec<Finding>, Error> {
        let open = self.open_findings()?.into_iter().map(|open| open.finding);
        let is_one = |f: &Finding| f.code == code::FORK && f.evidence.is_empty() && f.heads.len() == 2;
        let mut forks: Vec<Finding> = open.filter(is_one).collect();
        forks.retain(|fork| !self.is_fork_covered(fork).unwrap_or(false));
        Ok(forks)
    }

    /// Why nothing is cosigned though no file proves it, if so.
    pub fn unproven_fork(&self) -> Result<Option<String>, Error> {
        let why = |fork: &Finding| {
            let (message, name, origin) = (&fork.message, &fork.id, self.origin());
            format!(
                "{message}; what proves it to others is still missing. To cosign all the same: `claimtrail-monitor resume-origin \
                 {origin} --despite-fork {name}`"
            )
        };
        Ok(self.unproven_forks()?.first().map(why))
    }

    /// Whether an act of the operator's covers the two heads that a fork is found by.
    pub(crate) fn is_fork_covered(&self, fork: &Finding) -> Result<bool, Error> {
        self.is_covered(&heads(fork))
    }

    /// The heads of other histories despite which the operator resumed though no file proves them.
    pub(super) fn heads_of_resumed_forks(&self) -> Result<BTreeSet<Head>, Error> {
        self.read(|transaction| {
            let mut heads = BTreeSet::new();
            for item in transaction.open_table(RESUMED)?.iter()? {
                heads.extend(head_of(item?.0.value()));
            }
            Ok(heads)
        })
    }

    /// The operator's act: the log is cosigned again despite the heads of these forks.
    ///
    /// # Errors
    /// When one of them is not known as one without a file, or others are that are not named.
    pub fn resume_despite_forks(&self, names: &[String], now: Millis) -> Result<(), Error> {
        let forks = self.unproven_forks()?;
        let known: Vec<String> = forks.iter().map(|fork| fork.id.clone()).collect();
        if let Some(stranger) = names.iter().find(|name| !known.contains(name)) {
            return Err(Error::usage(format!(
                "no open fork without a file is called {stranger}; those of this log: {}",
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            )));
        }
        let left: Vec<String> = known.into_iter().filter(|name| !names.contains(name)).collect();
        if !left.is_empty() {
            return Err(Error::usage(format!(
                "further forks end cosigning of this log: {}. Look at each (`claimtrail-monitor status --json` has the heads), and \
                 name each with --despite-fork",
                left.join(", ")
            )));
        }
        let others = self.not_own(&forks.iter().flat_map(heads).collect::<Vec<Head>>())?;
        self.write(|transaction| {
            let mut table = transaction.open_table(RESUMED)?;
            for head in &others {
                table.insert(key_of(*head).as_slice(), now.0)?;
            }
            Ok(())
        })
    }
}

fn heads(fork: &Finding) -> Vec<Head> {
    fork.heads.iter().filter_map(|note| claimed_head(note.as_bytes())).collect()
}

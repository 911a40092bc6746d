//! Forks that are known though no file proves them, and the operator's act despite them.

use std::collections::BTreeSet;

use client::Error;
use proto::num::Millis;
use redb::{ReadableTable as _, TableDefinition, WriteTransaction};

use super::LogStore;
use crate::evidence::claimed_head;
use crate::finding::{Finding, code};
use crate::gossip::core::Head;

/// the finding's name → when the operator resumed cosigning despite it
const RESUMED: TableDefinition<&str, u64> = TableDefinition::new("forks-resumed");

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
        if !forks.is_empty() {
            let resumed = self.resumed_forks()?;
            let is_covered = |fork: &Finding| self.is_covered(&heads(fork)).unwrap_or(false);
            forks.retain(|fork| !resumed.contains(&fork.id) && !is_covered(fork));
        }
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

    fn resumed_forks(&self) -> Result<BTreeSet<String>, Error> {
        self.read(|transaction| {
            let mut names = BTreeSet::new();
            for item in transaction.open_table(RESUMED)?.iter()? {
                names.insert(item?.0.value().to_owned());
            }
            Ok(names)
        })
    }

    /// The operator's act: the log is cosigned again despite these forks.
    ///
    /// # Errors
    /// When one of them is not known as one without a file, or others are that are not named.
    pub fn resume_despite_forks(&self, names: &[String], now: Millis) -> Result<(), Error> {
        let known: Vec<String> = self.unproven_forks()?.into_iter().map(|fork| fork.id).collect();
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
        self.write(|transaction| {
            let mut table = transaction.open_table(RESUMED)?;
            for name in names {
                table.insert(name.as_str(), now.0)?;
            }
            Ok(())
        })
    }
}

fn heads(fork: &Finding) -> Vec<Head> {
    fork.heads.iter().filter_map(|note| claimed_head(note.as_bytes())).collect()
}

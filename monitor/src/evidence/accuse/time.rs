//! A head's time against an entry's.

use proto::misbehaviour::Misbehaviour;
use proto::num::LeafIndex;

use super::entries::{Asking, Entries};
use super::{Made, Why, first, note};
use crate::finding::Finding;
use crate::follow::FollowedLog;

impl FollowedLog {
    /// The head that states the time, and the entry under the newest head that was followed. Only a time that the log's own
    /// time key signed is evidence; one that the log's list shows is not signed.
    pub(super) fn accuse_of_time(&self, finding: &Finding, asking: &Asking) -> Made<Misbehaviour> {
        let (Some(index), [stated]) = (finding.index, finding.heads.as_slice()) else {
            return Err(Why::Never("the time was listed, not signed".to_owned()));
        };
        let stated = note(stated)?;
        let entries = Entries::open(self, asking)?;
        let entry = entries.shown(index)?;
        first(self.time_key().into_iter(), |key| {
            Misbehaviour::head_time(self.origin(), key, &stated, entries.head(), entry.clone())
        })
        .map_err(|why| of_entry(why, index))
    }
}

fn of_entry(why: Why, index: LeafIndex) -> Why {
    match why {
        Why::Never(why) => Why::Never(format!("entry {index}: {why}")),
        other @ Why::NotYet(_) => other,
    }
}

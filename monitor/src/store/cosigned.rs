//! The highest cosigned head of each witness that is known here: what that witness is told when it asks for its own last
//! cosignature, and what this monitor knows of its own.

use client::Error;
use redb::{ReadableTable as _, TableDefinition, WriteTransaction};

use super::lines::LineChange;
use super::{LogStore, lines};
use crate::witness::Cosigned;

/// vkey → size, time, root, note with the log's lines and that key's alone
const COSIGNED_BY: TableDefinition<&str, &[u8]> = TableDefinition::new("cosigned-by");

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(COSIGNED_BY)?;
    Ok(())
}

pub(super) fn read(bytes: &[u8]) -> Result<Cosigned, redb::Error> {
    Cosigned::from_bytes(bytes).ok_or_else(|| std::io::Error::other("a cosigned head is damaged").into())
}

/// Whether a head takes the place of the kept one: larger, or the same again at a later time. Of two roots for one size the
/// first stays.
fn is_higher(new: &Cosigned, kept: &Cosigned) -> bool {
    new.size > kept.size || (new.size == kept.size && new.root == kept.root && new.time > kept.time)
}

impl LogStore {
    /// The highest head that is known to be cosigned under a key.
    pub fn cosigned_by(&self, vkey: &str) -> Result<Option<Cosigned>, Error> {
        self.read(|transaction| {
            let table = transaction.open_table(COSIGNED_BY)?;
            table.get(vkey)?.map(|value| read(value.value())).transpose()
        })
    }

    /// Keeps those of these heads that are higher than what is kept, and what changes of further ones. There are as many as keys
    /// that are known by name; what changes nothing writes nothing.
    pub fn keep_cosigned(&self, heads: &[(String, Cosigned)], changes: &[LineChange]) -> Result<(), Error> {
        let higher = |kept: Option<Cosigned>, new: &Cosigned| kept.is_none_or(|kept| is_higher(new, &kept));
        let mut wanted = Vec::new();
        for (vkey, new) in heads {
            if higher(self.cosigned_by(vkey)?, new) {
                wanted.push((vkey, new));
            }
        }
        if wanted.is_empty() && changes.iter().all(LineChange::is_none) {
            return Ok(());
        }
        self.write(|transaction| {
            lines::apply(transaction, changes)?;
            let mut table = transaction.open_table(COSIGNED_BY)?;
            for (vkey, new) in wanted {
                // Another may have been faster.
                let kept = table.get(vkey.as_str())?.map(|value| read(value.value())).transpose()?;
                if higher(kept, new) {
                    table.insert(vkey.as_str(), new.to_bytes().as_slice())?;
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use proto::hash::Hash;
    use proto::num::{Seconds, TreeSize};

    use super::*;

    fn cosigned(size: u64, root: &[u8], time: u64) -> Cosigned {
        Cosigned { size: TreeSize(size), root: Hash::of(root), time: Seconds(time), note: vec![1, 2, 3] }
    }

    #[test]
    fn the_highest_is_kept_for_each_key_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        LogStore::create(folder.path(), "log.example").unwrap();
        let open = || LogStore::open(folder.path(), "log.example", false).unwrap();
        let store = open();
        let keep = |key: &str, head: Cosigned| store.keep_cosigned(&[(key.to_owned(), head)], &[]).unwrap();
        assert_eq!(store.cosigned_by("a").unwrap(), None);
        keep("a", cosigned(5, b"x", 100));
        keep("a", cosigned(4, b"w", 200));
        keep("a", cosigned(5, b"x", 90));
        keep("a", cosigned(5, b"y", 300));
        assert_eq!(store.cosigned_by("a").unwrap(), Some(cosigned(5, b"x", 100)));
        keep("a", cosigned(5, b"x", 110));
        keep("b", cosigned(9, b"z", 7));
        drop(store);
        assert_eq!(open().cosigned_by("a").unwrap(), Some(cosigned(5, b"x", 110)));
        assert_eq!(open().cosigned_by("b").unwrap(), Some(cosigned(9, b"z", 7)));
    }
}

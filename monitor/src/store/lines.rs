//! Heads with a line of a witness of the trust file that are kept beside its highest one: the highest that is a state of the own
//! tree, and those that are none, or not yet.

use client::Error;
use proto::hash::{HASH_BYTES, Hash};
use proto::misbehaviour::Kind;
use redb::{TableDefinition, WriteTransaction};

use super::evidence::COUNTS;
use super::{LogStore, cosigned};
use crate::witness::Cosigned;

/// SHA-256 of the vkey, size, root → size, time, root, note with the log's lines and that key's alone
const LINES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("cosigned-lines");

/// What the kinds of files that convict a cosigner are.
const OF_COSIGNERS: [Kind; 3] = [Kind::SameSize, Kind::Inconsistent, Kind::TwoEntries];

const KEY_BYTES: usize = 8 + 2 * HASH_BYTES;

/// What changes of the heads of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineChange {
    /// The key.
    pub vkey: String,
    /// Heads that are kept from now on.
    pub more: Vec<Cosigned>,
    /// Heads that are kept no more.
    pub over: Vec<Cosigned>,
}

impl LineChange {
    pub(super) fn is_none(&self) -> bool {
        self.more.is_empty() && self.over.is_empty()
    }
}

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(LINES)?;
    Ok(())
}

fn key(vkey: &str, head: &Cosigned) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    key[..HASH_BYTES].copy_from_slice(&Hash::of(vkey.as_bytes()).0);
    key[HASH_BYTES..HASH_BYTES + 8].copy_from_slice(&head.size.0.to_be_bytes());
    key[HASH_BYTES + 8..].copy_from_slice(&head.root.0);
    key
}

pub(super) fn apply(transaction: &WriteTransaction, changes: &[LineChange]) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(LINES)?;
    for LineChange { vkey, more, over } in changes {
        for head in over {
            table.remove(key(vkey, head).as_slice())?;
        }
        for head in more {
            table.insert(key(vkey, head).as_slice(), head.to_bytes().as_slice())?;
        }
    }
    Ok(())
}

impl LogStore {
    /// The heads with a line of this key that are kept besides its highest one, the smallest first.
    pub fn lines_of(&self, vkey: &str) -> Result<Vec<Cosigned>, Error> {
        let (mut begin, mut end) = ([0; KEY_BYTES], [0xff; KEY_BYTES]);
        let whose = Hash::of(vkey.as_bytes()).0;
        begin[..HASH_BYTES].copy_from_slice(&whose);
        end[..HASH_BYTES].copy_from_slice(&whose);
        self.read(|transaction| {
            let table = transaction.open_table(LINES)?;
            let range = table.range::<&[u8]>(begin.as_slice()..=end.as_slice())?;
            range.map(|item| cosigned::read(item?.1.value())).collect()
        })
    }

    /// Whether a file is kept that proves two histories under this key.
    pub fn is_convicted(&self, vkey: &str) -> Result<bool, Error> {
        self.read(|transaction| {
            let counts = transaction.open_table(COUNTS)?;
            for kind in OF_COSIGNERS {
                for whose in ["own", "outside"] {
                    if counts.get(format!("{whose} {kind} {vkey}").as_str())?.is_some() {
                        return Ok(true);
                    }
                }
            }
            Ok(false)
        })
    }
}

#[cfg(test)]
mod tests {
    use proto::num::{Seconds, TreeSize};

    use super::*;

    #[test]
    fn heads_of_each_key_are_kept_until_they_are_over() {
        let folder = tempfile::tempdir().unwrap();
        LogStore::create(folder.path(), "log.example").unwrap();
        let store = LogStore::open(folder.path(), "log.example", false).unwrap();
        let head = |size: u64, root: &[u8]| Cosigned {
            size: TreeSize(size),
            root: Hash::of(root),
            time: Seconds(1),
            note: vec![1],
        };
        let (a, b, c) = (head(5, b"x"), head(5, b"y"), head(700, b"z"));
        let keep = |vkey: &str, more: &[&Cosigned], over: &[&Cosigned]| {
            let of = |heads: &[&Cosigned]| heads.iter().map(|head| (*head).clone()).collect();
            let change = LineChange { vkey: vkey.to_owned(), more: of(more), over: of(over) };
            store.keep_cosigned(&[], &[change]).unwrap();
        };
        keep("w", &[&c, &a, &b], &[]);
        keep("v", &[&a], &[]);
        keep("w", &[], &[&a]);
        drop(store);
        let store = LogStore::open(folder.path(), "log.example", false).unwrap();
        assert_eq!(store.lines_of("w").unwrap(), [b, c]);
        assert_eq!(store.lines_of("v").unwrap(), [a]);
        assert_eq!(store.lines_of("u").unwrap(), []);
        assert!(!store.is_convicted("w").unwrap());
    }
}

//! What a log showed of a history that is not the one that was followed: where the two part, and the leaf hashes from there on.

use client::Error;
use proto::hash::{HASH_BYTES, Hash};
use proto::num::{LeafIndex, TreeSize};
use redb::{ReadableTable as _, ReadableTableMetadata as _, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::LogStore;

/// root of the largest head of a branch that was read → what is known of it
const BRANCHES: TableDefinition<&str, &[u8]> = TableDefinition::new("branches");

/// Branches that are kept of one log. A log can sign as many as it likes; each of them is in a head that is kept, and the first
/// ones show how it forks.
const MOST_BRANCHES: u64 = 8;
/// Leaf hashes that are kept of one branch: 256 tiles, 2 MiB.
pub const MOST_BRANCH_LEAVES: usize = 256 * 256;

/// A history that is not the one that was followed, under one of its signed heads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// The finding that tells of it.
    pub finding: String,
    /// The size of the head.
    pub size: TreeSize,
    /// Its root.
    pub root: Hash,
    /// The first entry that is another one than in the history that was followed.
    pub parts_at: LeafIndex,
    /// The leaf hashes from there on, as many as are kept.
    pub leaves: Vec<Hash>,
}

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(BRANCHES)?;
    Ok(())
}

fn encode(branch: &Branch) -> Vec<u8> {
    let name = branch.finding.as_bytes();
    let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(&name[..usize::from(length)]);
    bytes.extend_from_slice(&branch.size.0.to_be_bytes());
    bytes.extend_from_slice(&branch.root.0);
    bytes.extend_from_slice(&branch.parts_at.0.to_be_bytes());
    branch.leaves.iter().for_each(|leaf| bytes.extend_from_slice(&leaf.0));
    bytes
}

fn decode(bytes: &[u8]) -> Option<Branch> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (name, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let (size, rest) = rest.split_first_chunk::<8>()?;
    let (root, rest) = rest.split_at_checked(HASH_BYTES)?;
    let (parts_at, rest) = rest.split_first_chunk::<8>()?;
    Some(Branch {
        finding: std::str::from_utf8(name).ok()?.to_owned(),
        size: TreeSize(u64::from_be_bytes(*size)),
        root: Hash::from_slice(root)?,
        parts_at: LeafIndex(u64::from_be_bytes(*parts_at)),
        leaves: rest.chunks(HASH_BYTES).map(Hash::from_slice).collect::<Option<_>>()?,
    })
}

impl LogStore {
    /// Keeps what is known of a branch. `before` is what was known of the same branch under a smaller head; its place is taken.
    /// Gives whether there was room.
    pub fn keep_branch(&self, branch: &Branch, before: Option<&Branch>) -> Result<bool, Error> {
        self.write(|transaction| {
            let mut table = transaction.open_table(BRANCHES)?;
            if let Some(before) = before {
                table.remove(before.root.to_string().as_str())?;
            }
            let has_room = table.len()? < MOST_BRANCHES;
            if has_room {
                table.insert(branch.root.to_string().as_str(), encode(branch).as_slice())?;
            }
            Ok(has_room)
        })
    }

    /// The branch whose newest head has this root, if it is known.
    pub fn branch(&self, root: Hash) -> Result<Option<Branch>, Error> {
        let damaged = || std::io::Error::other("a branch is damaged");
        self.read(|transaction| {
            let found = transaction.open_table(BRANCHES)?.get(root.to_string().as_str())?;
            Ok(found.map(|bytes| decode(bytes.value()).ok_or_else(damaged)).transpose()?)
        })
    }

    /// The branches that are known.
    pub fn branches(&self) -> Result<Vec<Branch>, Error> {
        let damaged = || std::io::Error::other("a branch is damaged");
        self.read(|transaction| {
            let mut all = Vec::new();
            for item in transaction.open_table(BRANCHES)?.iter()? {
                all.push(decode(item?.1.value()).ok_or_else(damaged)?);
            }
            Ok(all)
        })
    }
}

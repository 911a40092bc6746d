//! A store in main memory that is damaged or set back, for tests of what notices it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use proto::hash::Hash;
use proto::num::{LeafIndex, TreeSize};

use super::{Data, MemoryStore};
use crate::store::error::StoreError;
use crate::store::types::be64;

/// All that a store held at a moment.
#[derive(Debug, Clone)]
pub struct Moment(Arc<Data>);

/// What of a store a bit is flipped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// An entry.
    Entry,
    /// A hash of a tile level.
    Hash,
    /// A value of the state.
    State,
    /// A row's value.
    Row,
    /// A signed head's note.
    SignedHead,
    /// The committed head: its size or its root.
    Head,
}

impl MemoryStore {
    /// What is stored now.
    pub fn moment(&self) -> Moment {
        Moment(Arc::clone(&self.data.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Goes back to an earlier moment, as a disk does that lost what was not synced.
    pub fn rewind(&self, moment: &Moment) {
        *self.data.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&moment.0);
    }

    /// Flips a bit of the value at `place`, counted over all of that part and beginning anew at its end; bits likewise.
    /// `false` when there is nothing to flip.
    pub fn flip(&self, part: Part, place: usize, bit: usize) -> bool {
        let mut data = self.data.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut data).flip(part, place, bit).is_some()
    }
}

impl Data {
    fn flip(&mut self, part: Part, place: usize, bit: usize) -> Option<()> {
        let flip = |bytes: &mut [u8]| {
            let bit = bit.checked_rem(bytes.len() * 8)?;
            bytes[bit / 8] ^= 0x80 >> (bit % 8);
            Some(())
        };
        let flipped = |bytes: &mut Bytes| {
            let mut copy = bytes.to_vec();
            flip(&mut copy)?;
            *bytes = copy.into();
            Some(())
        };
        match part {
            Part::Entry => flipped(nth(&mut self.entries, place)?),
            Part::Hash => flip(&mut nth(&mut self.tiles, place)?.0),
            Part::State => flip(nth(&mut self.state, place)?),
            Part::Row => flip(nth(&mut self.rows, place)?),
            Part::SignedHead => flipped(nth(&mut self.heads, place)?),
            Part::Head => {
                let head = self.head.as_mut()?;
                let mut bytes = [head.size.0.to_be_bytes().as_slice(), &head.root.0].concat();
                flip(&mut bytes)?;
                head.size = TreeSize(be64(&bytes[..8])?);
                head.root = Hash::from_slice(&bytes[8..])?;
                Some(())
            }
        }
    }
}

/// The value at a place of a map that is gone round and round.
fn nth<K: Ord, V>(map: &mut BTreeMap<K, V>, place: usize) -> Option<&mut V> {
    let place = place.checked_rem(map.len())?;
    map.values_mut().nth(place)
}

impl crate::store::faulty::Damage for MemoryStore {
    fn overwrite_entry(&self, index: LeafIndex, entry: &[u8]) -> Result<(), StoreError> {
        self.write(|data| {
            data.entries.insert(index.0, Bytes::copy_from_slice(entry));
            Ok(())
        })
    }

    fn overwrite_hash(&self, level: u8, index: u64, hash: Hash) -> Result<(), StoreError> {
        self.write(|data| {
            data.tiles.insert((level, index), hash);
            Ok(())
        })
    }
}

//! Bytes that were tampered with, and state that is built again.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use proto::entry::Entry;
use proto::fold::{self, State};
use proto::hash::Hash;
use proto::num::LeafIndex;

use crate::stories::whole_story;
use crate::world::*;

/// The entries of a log, stepped one after the other.
fn rebuild(entries: &[Vec<u8>]) -> World {
    let mut world = World::empty();
    for (index, bytes) in entries.iter().enumerate() {
        let changes = fold::step(LeafIndex(index as u64), &Entry::decode(bytes).unwrap(), &world.state).unwrap();
        world.apply(changes);
    }
    world
}

/// Another kind of store: ordered.
struct Ordered(BTreeMap<Vec<u8>, Vec<u8>>);

impl State for Ordered {
    type Error = std::convert::Infallible;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error> {
        Ok(self.0.get(key).cloned())
    }
}

#[test]
fn the_same_entries_give_the_same_state_and_rows() {
    let world = whole_story();
    let again = rebuild(&world.entries);
    assert_eq!((again.state, again.rows), (world.state.clone(), world.rows.clone()));
    let mut ordered = Ordered(BTreeMap::new());
    for (index, bytes) in world.entries.iter().enumerate() {
        let mut changes = fold::step(LeafIndex(index as u64), &Entry::decode(bytes).unwrap(), &ordered).unwrap();
        changes.state.reverse(); // the order in which a step's changes are put does not matter
        ordered.0.extend(changes.state);
    }
    assert_eq!(ordered.0.into_iter().collect::<HashMap<_, _>>(), world.state);
}

#[test]
fn every_entry_can_be_decided_only_once_and_only_in_its_place() {
    let world = whole_story();
    let mut so_far = World::empty();
    for (index, bytes) in world.entries.iter().enumerate() {
        let entry = Entry::decode(bytes).unwrap();
        let changes = fold::step(LeafIndex(index as u64), &entry, &so_far.state).unwrap();
        so_far.apply(changes);
        assert!(fold::step(LeafIndex(index as u64 + 1), &entry, &so_far.state).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// One flipped bit anywhere in an entry: never a panic; refused, or another leaf (the log's own word, its timestamp,
    /// is the only part that no signature and no link covers).
    #[test]
    fn a_flipped_bit_is_refused_or_another_time(at in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>()) {
        let world = STORY.with(Clone::clone);
        let index = at.index(world.entries.len());
        let before = rebuild(&world.entries[..index]);
        let good = &world.entries[index];
        let mut bad = good.clone();
        let bit = bit.index(bad.len() * 8);
        bad[bit / 8] ^= 1 << (bit % 8);
        prop_assert_ne!(Entry::leaf_hash(&bad), Entry::leaf_hash(good));
        let Ok(entry) = Entry::decode(&bad) else { return Ok(()) };
        if fold::step(LeafIndex(index as u64), &entry, &before.state).is_ok() {
            let original = Entry::decode(good).unwrap();
            prop_assert_eq!(Entry { timestamp: original.timestamp, ..entry.clone() }, original.clone());
            prop_assert_ne!(entry.timestamp, original.timestamp);
        }
    }

    /// A state of random bytes is corrupt, never a panic.
    #[test]
    fn a_damaged_state_never_panics(at in any::<prop::sample::Index>(), value in prop::collection::vec(any::<u8>(), 0..80)) {
        let world = STORY.with(Clone::clone);
        let mut keys: Vec<_> = world.state.keys().cloned().collect();
        keys.sort();
        let mut state = world.state;
        state.insert(keys[at.index(keys.len())].clone(), value);
        for (index, bytes) in world.entries.iter().enumerate() {
            let _any = fold::step(LeafIndex(index as u64), &Entry::decode(bytes).unwrap(), &state).is_ok();
        }
    }
}

thread_local! {
    static STORY: World = whole_story();
}

#[test]
fn the_digest_of_the_state_depends_on_every_value() {
    let world = World::settled();
    let good = world.digest();
    for key in world.state.keys() {
        let mut other = world.state.clone();
        other.get_mut(key).unwrap().push(0);
        assert_ne!(digest(&other), good);
    }
    assert_ne!(good, Hash::of(b""));
}

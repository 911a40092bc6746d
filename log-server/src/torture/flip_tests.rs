//! One flipped bit, wherever a claim lies between its arrival and a check years later: refused before anything is signed over
//! it, or found by `check`.

use proto::entry::Entry;
use proto::hash::Hash;
use proto::merkle::CompactRange;

use super::claims::claims;
use super::machine::{End, Machine};
use super::random::Random;
use super::schedule::small;
use crate::check::Difference;
use crate::store::memory::Part;
use crate::store::{Batch, Store as _, TileRun};

/// One flipped bit of a batch in memory.
type Spoil = fn(&mut Batch);

fn difference(machine: &Machine) -> Option<Difference> {
    let scratch = tempfile::tempdir().unwrap();
    machine.check(scratch.path()).expect("the check runs")
}

/// A log with a few promises, running.
fn running() -> Machine {
    let mut machine = Machine::from(small(), 7);
    machine.start().expect("started");
    (0..5).for_each(|number| machine.submit(&[claims().promise(number)], None));
    assert_eq!(machine.ledger.verdict(), Ok(()));
    machine
}

/// Submits a promise whose batch is spoilt on its way; whether it became part of what is shown.
fn submit_spoilt(machine: &mut Machine, spoil: impl FnOnce(&mut Batch) + Send + 'static) -> bool {
    let before = machine.ledger.published().expect("shown").note;
    machine.store().expect("running").spoil(Box::new(spoil));
    machine.submit(&[claims().promise(9)], None);
    machine.ledger.published().expect("shown").note != before
}

/// A bit of payload or signature flipped before the entry was hashed: entry, tile and root agree with each other, but not with
/// what came.
#[test]
fn a_bit_of_a_claim_that_flips_before_it_is_hashed_is_never_signed() {
    let payload: fn(&mut Entry) -> &mut Vec<u8> = |entry| &mut entry.payload;
    let signature: fn(&mut Entry) -> &mut Vec<u8> = |entry| &mut entry.signatures[0].signature.0;
    for (part, bit) in
        [(payload, 0), (payload, 77), (payload, 1003), (signature, 0), (signature, 300), (signature, 511)]
    {
        let mut machine = running();
        let disk = machine.disk.reopen();
        let spoilt = submit_spoilt(&mut machine, move |batch| {
            let mut entry = Entry::decode(&batch.entries[0]).expect("an entry");
            part(&mut entry)[bit / 8] ^= 0x80 >> (bit % 8);
            let bytes = entry.encode().expect("an entry");
            let mut range = CompactRange::new();
            let mut each = |_, bytes: &[u8]| {
                range.append(Hash::leaf(bytes));
                std::ops::ControlFlow::Continue(())
            };
            disk.entries(0..batch.first.0, &mut each).expect("readable");
            let leaf = Hash::leaf(&bytes);
            range.append(leaf);
            batch.tiles = vec![TileRun { level: 0, first: batch.first.0, hashes: vec![leaf] }];
            batch.entries = vec![bytes.into()];
            batch.head.root = range.root();
        });
        assert!(!spoilt, "bit {bit}: it was signed");
        assert!(machine.why_halted().expect("stopped").contains("other bytes than were submitted"));
        // Nor is it signed by the next process: the claim's own signature tells.
        machine.end(End::Killed);
        let why = machine.start().expect_err("not over a flipped bit");
        assert!(why.contains("signature") || why.contains("JSON") || why.contains("claim"), "bit {bit}: {why}");
        assert!(difference(&machine).is_some(), "bit {bit}");
    }
}

#[test]
fn a_bit_of_the_entry_or_the_root_that_flips_after_hashing_is_never_signed() {
    let spoils: [Spoil; 2] = [
        |batch| {
            let mut bytes = batch.entries[0].to_vec();
            bytes[40] ^= 1;
            batch.entries[0] = bytes.into();
        },
        |batch| batch.head.root.0[31] ^= 1,
    ];
    for spoil in spoils {
        let mut machine = running();
        assert!(!submit_spoilt(&mut machine, spoil), "it was signed");
        machine.end(End::Killed);
        assert!(machine.start().is_err(), "nor after a restart");
        assert!(difference(&machine).is_some());
    }
}

/// Hashes, state and rows are derived: no head is wrong because of them, and `check` finds them.
#[test]
fn a_bit_of_a_hash_of_state_or_of_a_row_that_flips_in_memory_is_found() {
    let spoils: [(Spoil, &str); 3] = [
        (|batch| batch.tiles[0].hashes[0].0[3] ^= 8, "tile level 0"),
        (|batch| batch.state[0].1[0] ^= 1, "state key"),
        (|batch| batch.rows[0].0[0] ^= 1, "row"),
    ];
    for (spoil, place) in spoils {
        let mut machine = running();
        submit_spoilt(&mut machine, spoil);
        machine.end(End::Killed);
        let found = difference(&machine).expect(place);
        assert!(found.place.starts_with(place), "{found:?}");
    }
}

#[test]
fn a_claim_is_not_acknowledged_when_its_digest_does_not_fit() {
    for bit in 0..256 {
        let mut machine = running();
        let before = machine.ledger.published().expect("shown").note;
        machine.submit(&[claims().promise(9)], Some(bit));
        assert_eq!(machine.ledger.verdict(), Ok(()), "bit {bit}");
        assert_eq!(machine.ledger.published().expect("shown").note, before, "bit {bit}: something was signed");
    }
}

/// Samples of every stored bit; the committed head's size and root among them.
#[test]
fn stored_bits_that_flip_are_found_wherever_they_are() {
    let mut machine = running();
    machine.stop(&[]);
    assert_eq!(difference(&machine), None);
    let (sound, mut random) = (machine.disk.moment(), Random::new(11));
    for part in [Part::Entry, Part::Hash, Part::State, Part::Row, Part::SignedHead, Part::Head] {
        let mut flips = 0;
        while flips < 40 {
            let (place, bit) = (random.place(1 << 20), random.place(1 << 20));
            if machine.disk.flip(part, place, bit) {
                flips += 1;
                assert!(difference(&machine).is_some(), "{part:?}, value {place}, bit {bit}");
                machine.disk.rewind(&sound);
            }
        }
    }
    // A log over a flipped bit may start; what it does then hides nothing.
    let mut started = 0;
    for bit in 0..40 {
        machine.disk.rewind(&sound);
        machine.ledger.damage();
        machine.disk.flip(Part::State, bit, bit);
        if machine.start().is_ok() {
            machine.submit(&[claims().promise(9)], None);
            machine.end(End::Killed);
            started += 1;
        }
        assert!(difference(&machine).is_some(), "state value {bit}");
    }
    assert!(started > 0, "no log started over a flipped bit of its state");
}

/// What no check can tell from a true time: a committed head that is later than it was. The log signs it, waits, and goes on.
#[test]
fn a_head_that_became_later_makes_the_log_wait_and_convicts_it_of_nothing() {
    /// More than a correction of the clock.
    const LATER_SECONDS: u64 = 3600;
    let mut machine = running();
    let spoilt = submit_spoilt(&mut machine, |batch| batch.head.time.0 += LATER_SECONDS);
    assert!(!spoilt, "the head that is read back is another one");
    machine.end(End::Killed);
    machine.ledger.damage();
    machine.start().expect("nothing contradicts the later time");
    let waiting = machine.ledger.published().expect("shown");
    machine.submit(&[claims().promise(10)], None);
    assert_eq!(machine.ledger.published().expect("shown").note, waiting.note, "the clock is behind: no claim is taken");
    machine.end(End::Killed);
    machine.pass(2 * LATER_SECONDS * 1000);
    machine.start().expect("started");
    machine.submit(&[claims().promise(10)], None);
    assert!(machine.ledger.published().expect("shown").head.size > waiting.head.size, "it goes on");
    machine.stop(&[]);
    assert_eq!(difference(&machine), None);
}

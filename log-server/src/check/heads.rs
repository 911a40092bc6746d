//! The signed heads that were kept.

use std::ops::ControlFlow;
use std::sync::Arc;

use proto::checkpoint::VerifiedCheckpoint;
use proto::entry::Entry;
use proto::fold::Constitution;
use proto::note::{Note, Verifier, Vkey};
use proto::num::{LeafIndex, Seconds};
use proto::tile::TileTree;

use super::{Ended, Progress, Report, check_root, differs};
use crate::sequencer::StoreTiles;
use crate::store::{Direction, Head, HeadKey, SignedHead, Store};

/// Heads that are read at once.
const CHUNK_HEADS: usize = 1024;

/// Each kept head is signed by the log, its time by the log's time key; it is of this very tree; and it keeps the rule of
/// time: the entries below its size are not later, those from its size on not earlier (DESIGN §3 "Time").
pub(super) fn check(
    report: &mut Report,
    store: &Arc<dyn Store>,
    head: &Head,
    tree: &TileTree<StoreTiles>,
    constitution: &Constitution,
    progress: &dyn Progress,
) -> Result<(), Ended> {
    progress.part("signed heads", 0);
    let log = verifier(&constitution.log_vkey)?;
    let time = verifier(&constitution.time_vkey)?;
    let mut after: Option<HeadKey> = None;
    loop {
        let mut chunk: Vec<SignedHead> = Vec::new();
        store.signed_heads(after, Direction::Forward, &mut |signed| {
            chunk.push(signed);
            if chunk.len() < CHUNK_HEADS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        if chunk.is_empty() {
            return Ok(());
        }
        for signed in &chunk {
            let place = format!("the signed head of size {} at time {}", signed.key.size, signed.key.time);
            if signed.key.size > head.size || signed.key.time > head.time {
                return Err(differs(place, format!("it is beyond the committed head of size {}", head.size)));
            }
            check_signed(&place, signed, store, tree, (&log, &time))?;
            check_time(&place, &**store, &signed.key, head)?;
        }
        after = chunk.last().map(|signed| signed.key);
        report.heads += chunk.len() as u64;
        progress.done(chunk.len() as u64);
    }
}

fn verifier(vkey: &str) -> Result<Verifier, Ended> {
    let bad = |error: &dyn std::fmt::Display| differs("entry 0", format!("the vkey {vkey} cannot be used: {error}"));
    let vkey = Vkey::parse(vkey).map_err(|e| bad(&e))?;
    Verifier::new(&vkey).map_err(|e| bad(&e))
}

fn check_signed(
    place: &str,
    signed: &SignedHead,
    store: &Arc<dyn Store>,
    tree: &TileTree<StoreTiles>,
    (log, time): (&Verifier, &Verifier),
) -> Result<(), Ended> {
    let bad = |error: &dyn std::fmt::Display| differs(place, error.to_string());
    let note = Note::parse(&signed.note).map_err(|e| bad(&e))?;
    let verified =
        VerifiedCheckpoint::verify(note, store.origin(), std::slice::from_ref(log), std::slice::from_ref(time));
    let verified = verified.map_err(|e| bad(&e))?;
    if verified.size() != signed.key.size {
        return Err(differs(place, format!("its note is of size {}", verified.size())));
    }
    let stamped: Option<Seconds> = verified.note().signature_by(time.vkey()).and_then(|signature| signature.time());
    if stamped != Some(signed.key.time) {
        let stamped = stamped.map_or_else(|| "nothing".to_owned(), |time| time.to_string());
        return Err(differs(place, format!("the log's time key says {stamped}")));
    }
    check_root(place, tree, signed.key.size, verified.root())
}

/// Entries' times never go back, so the two entries at the head's edge speak for all.
fn check_time(place: &str, store: &dyn Store, key: &HeadKey, head: &Head) -> Result<(), Ended> {
    let second_of = |index: u64| -> Result<Seconds, Ended> {
        let missing = || differs(format!("entry {index}"), "it is missing");
        let bytes = store.entry(LeafIndex(index))?.ok_or_else(missing)?;
        let entry = Entry::decode(&bytes).map_err(|error| differs(format!("entry {index}"), error.to_string()))?;
        Ok(entry.timestamp.seconds())
    };
    if let Some(below) = key.size.0.checked_sub(1) {
        let second = second_of(below)?;
        if second > key.time {
            return Err(differs(place, format!("entry {below}, which it holds, is of {second}, later than the head")));
        }
    }
    if key.size < head.size {
        let second = second_of(key.size.0)?;
        if second < key.time {
            let what = format!("entry {}, which it does not hold, is of {second}, earlier than the head", key.size);
            return Err(differs(place, what));
        }
    }
    Ok(())
}

//! Claims on their way: admission, a batch, and every answer held against all that was said before.

use std::ops::ControlFlow;

use proto::claim::ClaimId;
use proto::code::Code;
use proto::dsse::Envelope;
use proto::fold::{self, Stop, Submission, check_signatures};
use proto::hash::Hash;
use proto::num::LeafIndex;

use super::{Machine, Process};
use crate::clock::{AHEAD_MS, HOLD_MS, TimeSource as _};
use crate::sequencer::{Answers, Halt, Item, Outcome, Published, Reply, StoredState, Submitted};
use crate::store::{Direction, HeadKey, Store, StoreError};
use crate::torture::claims;
use crate::torture::store::WildStore;

/// A claim on its way: what an answer is compared with.
pub(super) struct Asked {
    id: ClaimId,
    digest: Hash,
    payload: Vec<u8>,
    answer: Answers,
    /// Its digest was spoilt in memory.
    spoilt: bool,
}

impl Machine {
    /// Submits claims in one batch. `spoil_bit`: a bit of the last one's digest flips while it waits.
    pub(in crate::torture) fn submit(&mut self, envelopes: &[&'static Envelope], spoil_bit: Option<usize>) {
        if !self.is_running() {
            return; // whoever asks a log that stopped is told to ask again
        }
        let (items, asked) = self.admit(envelopes, spoil_bit);
        if !items.is_empty() {
            self.append(items);
        }
        self.hear(asked);
    }

    /// The unchanged head is stamped again.
    pub(in crate::torture) fn stamp(&mut self) {
        self.append(Vec::new());
    }

    fn append(&mut self, items: Vec<Item>) {
        let (ledger, jumped) = (self.ledger.clone(), self.clock_jumped());
        self.process = match std::mem::replace(&mut self.process, Process::Down) {
            Process::Running(sequencer) => match sequencer.append(items, &|published| ledger.show(published)) {
                Ok((sequencer, published)) => {
                    let written = published.is_some();
                    self.plan.count(if written { "· batches" } else { "· batches with nothing to write" });
                    published.iter().for_each(|published| self.is_kept(published));
                    if written && jumped {
                        self.ledger.wrong("the log went on over a jump of its clock");
                    }
                    Process::Running(Box::new(sequencer))
                }
                Err(halted) => {
                    // What the log itself made is always fit to be written, and nobody else writes.
                    if let Halt::NotWritten(error @ (StoreError::Malformed(_) | StoreError::Fence(_))) = halted.why() {
                        self.ledger.see(|_| Err(format!("the log made a batch that no store takes: {error}")));
                    }
                    Process::Halted(Box::new(halted))
                }
            },
            other => other,
        };
    }

    /// Whether the clock jumped so far since the process last read it that no correction explains it: to the bounds of
    /// [`clock`](crate::clock), the time that the log may be holding is added.
    fn clock_jumped(&mut self) -> bool {
        let (wall, monotonic) = (self.time.wall_ms(), self.time.monotonic_ms());
        let (wall_before, monotonic_before) = std::mem::replace(&mut self.clock_read, (wall, monotonic));
        let expected = wall_before + (monotonic - monotonic_before);
        wall > expected + AHEAD_MS + HOLD_MS || wall + HOLD_MS < expected
    }

    /// What is shown was stored before: who sees a head can ask for it again.
    fn is_kept(&self, published: &Published) {
        let key = HeadKey { time: published.head.time, size: published.head.size };
        self.ledger.see(|_| {
            let mut found = false;
            let scanned = self.disk.signed_heads(None, Direction::Backward, &mut |kept| {
                found = kept.key == key && kept.note == published.note;
                ControlFlow::Break(())
            });
            match scanned.is_ok() && found {
                true => Ok(()),
                false => Err(format!("the head of size {} is shown and not stored", key.size)),
            }
        });
    }

    /// Admission as the log does it before its queue.
    pub(super) fn admit(
        &mut self,
        envelopes: &[&'static Envelope],
        spoil_bit: Option<usize>,
    ) -> (Vec<Item>, Vec<Asked>) {
        let (mut items, mut asked) = (Vec::new(), Vec::new());
        let Some(store) = self.store.clone() else { return (items, asked) };
        for envelope in envelopes {
            self.sent.insert(claims::id(envelope), envelope);
            let Ok(submission) = Submission::from_envelope((*envelope).clone()) else { continue };
            let Some(submitted) = self.look(&store, submission) else { continue };
            let (reply, answer) = Reply::single();
            let right = submitted.submission().digest();
            let mut digest = right;
            let spoilt = spoil_bit.filter(|_| std::ptr::eq(*envelope, *envelopes.last().unwrap_or(envelope)));
            if let Some(bit) = spoilt {
                digest.0[bit / 8 % digest.0.len()] ^= 0x80 >> (bit % 8);
            }
            let (id, payload) = (submitted.submission().id(), submitted.submission().payload().to_vec());
            asked.push(Asked { id, digest: right, payload, answer, spoilt: spoilt.is_some() });
            items.push(Item { submitted, digest, reply });
        }
        (items, asked)
    }

    fn look(&self, store: &WildStore, submission: Submission) -> Option<Submitted> {
        let (state, id, digest) = (StoredState(store), submission.id(), submission.digest());
        let known = fold::read::claim(&state, &id).ok()?;
        let shown = self.ledger.published()?.head.size;
        if let Some(index) = known.map(|known| LeafIndex(known.index)).filter(|index| index.is_in(shown)) {
            let entry = store.entry(index).ok()??;
            let same = proto::entry::Entry::decode(&entry).is_ok_and(|entry| entry.payload == submission.payload());
            self.ledger.see(|model| match same {
                true => model.known(id, index),
                false => Err(format!("{id} is known as entry {index}, which is another claim")),
            });
            return None;
        }
        match check_signatures(submission.clone(), &state) {
            Ok(checked) => Some(Submitted::Checked(checked)),
            Err(Stop::Refused(refused)) if refused.code == Code::KeyUnknown => Some(Submitted::KeyUnknown(submission)),
            Err(Stop::Refused(refused)) => {
                self.ledger.see(|model| model.refused(id, digest, &refused));
                None
            }
            Err(_) => None,
        }
    }

    /// Holds every answer against all that was said before.
    pub(super) fn hear(&mut self, asked: Vec<Asked>) {
        for Asked { id, digest, payload, mut answer, spoilt } in asked {
            match answer.try_recv().ok().and_then(|mut answers| answers.pop().flatten()) {
                Some(Outcome::Accepted(accepted)) => {
                    if spoilt {
                        self.ledger.wrong(format!("{id} was accepted although its bytes were spoilt in memory"));
                    }
                    self.plan.count("· claims acknowledged");
                    self.ledger.see(|model| model.accepted(&accepted, digest, &payload));
                }
                Some(Outcome::Known(index)) => self.ledger.see(|model| model.known(id, index)),
                Some(Outcome::Refused { why: refused, .. }) if refused.code == Code::EntryTime => {
                    self.ledger.see(|_| Err(format!("the log's own time refuses {id}: {refused}")));
                }
                Some(Outcome::Refused { why: refused, .. }) => {
                    self.ledger.see(|model| model.refused(id, digest, &refused))
                }
                Some(Outcome::Undecided(_) | Outcome::NotQueued(_)) => self.plan.count("· claims told to ask again"),
                None => self.ledger.wrong(format!("{id} was answered with silence")),
            }
        }
    }
}

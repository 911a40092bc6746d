//! One batch: decide, write, read back, sign, publish.

use std::ops::ControlFlow;

use bytes::Bytes;
use proto::code::{Code, Refused};
use proto::entry::{Entry, Links};
use proto::fold::{self, Checked, Stop, check_signatures, entry_digest};
use proto::hash::Hash;
use proto::merkle::{CompactRange, InclusionProofs, consistency_proof};
use proto::num::{LeafIndex, Millis, TreeSize};

use super::anchor::wrong_anchor;
use super::answer::{Accepted, Item, Outcome, Submitted};
use super::overlay::{Overlay, StoredState};
use super::recover::{Halt, Halted};
use super::run::RESTAMP_AFTER;
use super::{Published, Sequencer, leaf};
use crate::clock::ClockJump;
use crate::signer::HeadToSign;
use crate::store::{Batch, Commit, Head, HeadKey, SignedHead, StoreError, TileRun};

/// A claim of this batch that becomes an entry.
struct Taken {
    item: Item,
    index: LeafIndex,
    links: Links,
}

/// What was decided about the claims of a batch, before anything is written.
struct Plan {
    timestamp: Millis,
    taken: Vec<Taken>,
    known: Vec<(Item, LeafIndex)>,
    batch: Batch,
    range: CompactRange,
}

impl Sequencer {
    /// Appends a batch, publishes its head, answers everyone and returns what is now shown. An empty list stamps the tree again. `None` when
    /// there was nothing to write: every claim was refused or known.
    pub fn append(
        mut self,
        items: Vec<Item>,
        publish: &dyn Fn(&Published),
    ) -> Result<(Sequencer, Option<Published>), Halted> {
        let asked_to_stamp = items.is_empty();
        let now = match self.core.clock.now() {
            Ok(now) => now,
            Err(_) => {
                answer_all(items, &Outcome::Undecided(ClockJump::refused()));
                return Ok((self, None));
            }
        };
        let plan = match self.plan(items, now) {
            Ok(plan) => plan,
            Err(halt) => return Err(Halted::new(self.core, halt)),
        };
        // A flood of refused claims must not let the head grow old.
        let old = self.head.is_some_and(|head| now.seconds().0.saturating_sub(head.time.0) >= RESTAMP_AFTER.as_secs());
        if plan.taken.is_empty() && !asked_to_stamp && !old {
            answer_known(plan.known);
            return Ok((self, None));
        }
        match self.core.store.commit(self.head.as_ref(), &plan.batch) {
            Commit::Committed => self.finish(plan, publish),
            // Never tried, by the store's own word: nothing is in doubt, and nothing has to be recovered.
            Commit::DefinitelyNot(error @ StoreError::DiskLow { .. }) => {
                tracing::warn!(%error, "a batch was not written");
                let first = plan.batch.first;
                // A twin of a claim of this batch is in no log either.
                let (known, twins): (Vec<_>, Vec<_>) = plan.known.into_iter().partition(|(_, index)| *index < first);
                let unwritten = plan.taken.into_iter().map(|taken| taken.item);
                answer_all(unwritten.chain(twins.into_iter().map(|(item, _)| item)), &Outcome::Undecided(no_room()));
                answer_known(known);
                Ok((self, None))
            }
            Commit::DefinitelyNot(error) => Err(self.halt(plan, Halt::NotWritten(error))),
            Commit::Unknown(error) => Err(self.halt(plan, Halt::Unknown(error))),
        }
    }

    /// Steps after the write: read back, sign, store, publish, answer.
    fn finish(mut self, plan: Plan, publish: &dyn Fn(&Published)) -> Result<(Sequencer, Option<Published>), Halted> {
        let previous = self.head;
        if let Err(halt) = self.read_back(&plan) {
            return Err(self.halt(plan, halt));
        }
        self.recent.stored(&plan.batch.state);
        self.head = Some(plan.batch.head);
        self.tree.set_size(plan.batch.head.size);
        let published = match self.show(previous.map_or(TreeSize(0), |head| head.size)) {
            Ok(published) => published,
            Err(halt) => return Err(self.halt(plan, halt)),
        };
        self.range = plan.range;
        publish(&published); // before anyone is answered: who asks for what was just acknowledged finds it
        self.answer_taken(plan.taken, plan.timestamp, &published);
        answer_known(plan.known);
        Ok((self, Some(published)))
    }

    /// Answers the claims that became entries, each with its proof.
    fn answer_taken(&self, taken: Vec<Taken>, timestamp: Millis, published: &Published) {
        let mut proofs = match InclusionProofs::new(&self.tree, published.head.size) {
            Ok(proofs) => proofs,
            Err(error) => {
                tracing::error!(%error, "inclusion proofs could not be made");
                return answer_all(taken.into_iter().map(|taken| taken.item), &Outcome::Undecided(ask_again()));
            }
        };
        for taken in taken {
            let outcome = match proofs.of(taken.index) {
                Ok(inclusion) => accepted(&taken, timestamp, inclusion.to_vec(), published),
                Err(error) => {
                    tracing::error!(index = taken.index.0, %error, "an inclusion proof could not be made");
                    Outcome::Undecided(ask_again())
                }
            };
            taken.item.reply.send(outcome);
        }
    }

    fn halt(self, plan: Plan, halt: Halt) -> Halted {
        let (taken, known) =
            (plan.taken.into_iter().map(|taken| taken.item), plan.known.into_iter().map(|(item, _)| item));
        answer_all(taken.chain(known), &Outcome::Undecided(ask_again()));
        Halted::new(self.core, halt)
    }

    /// Decides on each claim in its turn.
    fn plan(&self, items: Vec<Item>, now: Millis) -> Result<Plan, Halt> {
        let first = LeafIndex(self.head.map_or(0, |head| head.size.0));
        let mut overlay = Overlay::new(&*self.core.store, &self.recent);
        let mut plan = Plan {
            timestamp: now,
            taken: Vec::with_capacity(items.len()),
            known: Vec::new(),
            batch: Batch {
                first,
                entries: Vec::with_capacity(items.len()),
                tiles: Vec::new(),
                state: Vec::new(),
                rows: Vec::new(),
                head: Head {
                    size: TreeSize(0),
                    root: Hash::EMPTY_ROOT,
                    time: now.seconds(),
                    last_timestamp: Millis(0),
                },
            },
            range: self.range.clone(),
        };
        let mut items = items.into_iter();
        for item in items.by_ref() {
            let decided = self.decide(&mut plan, &mut overlay, item);
            if let Err(halt) = decided {
                // What was read cannot be trusted: nobody of this batch gets an answer but "ask again".
                let known = plan.known.into_iter().map(|(item, _)| item);
                let taken = plan.taken.into_iter().map(|taken| taken.item);
                answer_all(taken.chain(known).chain(items), &Outcome::Undecided(ask_again()));
                return Err(halt);
            }
        }
        let before = self.head.map_or(Millis(0), |head| head.last_timestamp);
        plan.batch.head.size = plan.range.size();
        plan.batch.head.root = plan.range.root();
        plan.batch.head.last_timestamp = if plan.taken.is_empty() { before } else { now };
        (plan.batch.state, plan.batch.rows) = overlay.into_changes();
        Ok(plan)
    }

    fn decide(&self, plan: &mut Plan, overlay: &mut Overlay<'_>, item: Item) -> Result<(), Halt> {
        let index = LeafIndex(plan.batch.first.0 + plan.taken.len() as u64);
        let (item, checked) = match checked(item, overlay) {
            Ok(found) => found,
            Err((item, stop)) => return refuse_or_halt(item, stop, false),
        };
        if let Some(anchor) = checked.anchor(self.core.store.origin()) {
            // Compared before the queue as well, but not for claims whose key was unknown there.
            let shown = self.head.map_or(TreeSize(0), |head| head.size);
            match wrong_anchor(&self.tree, shown, anchor) {
                Ok(None) => {}
                Ok(Some(refused)) => return refuse_or_halt(item, Stop::Refused(refused), true),
                Err(error) => {
                    item.reply.send(Outcome::Undecided(ask_again()));
                    return Err(Halt::Mismatch(error.to_string()));
                }
            }
        }
        let decision = match fold::decide(index, plan.timestamp, &checked, overlay) {
            Ok(decision) => decision,
            // Whatever else the rules say of a claim that is in the log: it has its answer.
            Err(stop @ Stop::Refused(_)) => match fold::read::claim(overlay, &checked.id()) {
                Ok(Some(found)) => {
                    plan.known.push((item, LeafIndex(found.index)));
                    return Ok(());
                }
                Ok(None) => return refuse_or_halt(item, stop, true),
                Err(unread) => return refuse_or_halt(item, unread, true),
            },
            Err(stop) => return refuse_or_halt(item, stop, true),
        };
        let bytes = match checked.encode_entry(plan.timestamp, decision.links) {
            Ok(bytes) if bytes.len() <= decision.max_entry_bytes => bytes,
            encoded => {
                let length = encoded.map_or_else(|error| error.to_string(), |bytes| format!("{} bytes", bytes.len()));
                let limit = decision.max_entry_bytes;
                let message = format!("the entry would be too large ({length}); at most {limit} bytes fit");
                return refuse_or_halt(item, Stop::Refused(Refused::new(Code::SizeEntry, message)), true);
            }
        };
        overlay.apply(decision.changes);
        let tiles = &mut plan.batch.tiles;
        plan.range.append_collect(leaf(&bytes), &mut |level, at, hash| TileRun::push(tiles, level, at, hash));
        plan.batch.entries.push(Bytes::from(bytes));
        plan.taken.push(Taken { item, index, links: decision.links });
        Ok(())
    }

    /// Compares what is stored with what arrived, and derives the root from the stored bytes.
    fn read_back(&self, plan: &Plan) -> Result<(), Halt> {
        let (first, size) = (plan.batch.first.0, plan.batch.head.size.0);
        let mut range = self.range.clone();
        let mut bad = None;
        let mut digests = plan.taken.iter().map(|taken| taken.item.digest);
        self.core.store.entries(first..size, &mut |index, bytes| {
            let stored = Entry::decode(bytes).ok().map(|entry| entry_digest(&entry));
            range.append(leaf(bytes));
            if stored.is_some() && stored == digests.next() {
                return ControlFlow::Continue(());
            }
            bad = Some(index);
            ControlFlow::Break(())
        })?;
        if let Some(index) = bad {
            return Err(Halt::Mismatch(format!("entry {index} is stored with other bytes than were submitted")));
        }
        let stored = self.core.store.head()?;
        if stored != Some(plan.batch.head) || range.root() != plan.batch.head.root {
            return Err(Halt::Mismatch("the root derived from the stored entries is not the head's".into()));
        }
        Ok(())
    }

    /// Signs the committed head and stores the signed one. `signed` is the size of the head that was signed before.
    pub(super) fn show(&mut self, signed: TreeSize) -> Result<Published, Halt> {
        let Some(head) = self.head else { return Err(Halt::Mismatch("nothing is committed".into())) };
        let last = self.core.signer.last().map_or(signed, |last| last.size);
        let proof = consistency_proof(&self.tree, last, head.size).map_err(|e| Halt::Mismatch(e.to_string()))?;
        let wanted = HeadToSign { size: head.size, root: head.root, time: head.time };
        let note = Bytes::from(self.core.signer.sign(&wanted, &proof)?);
        let key = HeadKey { time: head.time, size: head.size };
        self.core.store.put_signed_head(&SignedHead { key, note: note.clone() })?;
        let constitution = fold::constitution(&StoredState(&*self.core.store)).map_err(Halt::from)?;
        let constitution = constitution.ok_or_else(|| Halt::Mismatch("the log has no constitution".into()))?;
        Ok(Published { head, note, constitution })
    }
}

/// Makes sure of the signatures of a claim whose key was unknown when it arrived.
fn checked(item: Item, overlay: &Overlay<'_>) -> Result<(Item, Checked), (Item, Stop<StoreError>)> {
    match &item.submitted {
        Submitted::Checked(checked) => {
            let checked = checked.clone();
            Ok((item, checked))
        }
        Submitted::KeyUnknown(submission) => match check_signatures(submission.clone(), overlay) {
            Ok(checked) => Ok((item, checked)),
            Err(stop) => Err((item, stop)),
        },
    }
}

/// `signed`: whether the claim's signatures verify.
fn refuse_or_halt(item: Item, stop: Stop<StoreError>, signed: bool) -> Result<(), Halt> {
    match stop {
        Stop::Refused(why) => {
            item.reply.send(Outcome::Refused { why, signed });
            Ok(())
        }
        // The constitution in force was known when the log started, so these rules are the ones the claim asks for.
        Stop::UnknownRules(version) => {
            let message = format!("this log does not know rules version {version}; update it first");
            let why = Refused::at(Code::SlotConstitution, "/body/rules_version", message);
            item.reply.send(Outcome::Refused { why, signed });
            Ok(())
        }
        other => {
            item.reply.send(Outcome::Undecided(ask_again()));
            Err(Halt::from(other))
        }
    }
}

fn accepted(taken: &Taken, timestamp: Millis, inclusion: Vec<Hash>, published: &Published) -> Outcome {
    let submission = taken.item.submitted.submission();
    Outcome::Accepted(Box::new(Accepted {
        claim_id: submission.id(),
        index: taken.index,
        timestamp,
        links: taken.links,
        signatures: submission.signatures().to_vec(),
        inclusion,
        note: published.note.clone(),
    }))
}

fn answer_known(known: Vec<(Item, LeafIndex)>) {
    for (item, index) in known {
        item.reply.send(Outcome::Known(index));
    }
}

/// Gives everyone the same answer.
pub(super) fn answer_all(items: impl IntoIterator<Item = Item>, outcome: &Outcome) {
    for item in items {
        item.reply.send(outcome.clone());
    }
}

/// The answer when a write would eat into the disk's reserve.
pub(crate) fn no_room() -> Refused {
    Refused::new(Code::DiskLow, "the log's disk reserve is reached; the operator must make room")
}

/// The answer when the outcome of a write is not known.
pub(crate) fn ask_again() -> Refused {
    Refused::new(
        Code::ModeRecovering,
        "the log is recovering from a failed write; ask again, it answers with the same entry",
    )
}

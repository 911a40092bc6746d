//! A claim's way in, cheap checks first.
//!
//! Envelope (size, form) → claim (form, meant for this log) → known already? → mode → queue full? → key known? signatures →
//! issuer's quota → anchor ([`check`]) → queue → answer. Only what no queued claim could mend is refused before the queue; the rest the
//! sequencer decides at the claim's own index.
//!
//! Claims come alone or in groups, as the lines of a stream do: a group crosses each border between threads once.

mod check;
mod checks;
mod turns;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use proto::claim::ClaimId;
use proto::code::{Code, Refused};
use proto::fold::Submission;
use proto::num::{LeafIndex, Millis};
use proto::receipt::Receipt;
use proto::statement::Refusal;
use tokio::sync::oneshot;

pub(super) use checks::Checks;
pub use turns::{Turn, Turns};

use super::mode::{CLOCK_RETRY_AFTER_SECONDS, DISK_RETRY_AFTER_SECONDS};
use super::{Answer, Declined, Log, Mode};
use crate::sequencer::{Accepted, Full, Item, Outcome, Reply, Submitted};
use check::failed;

/// What the checks before the queue found.
enum Ready {
    /// The claim is in the log already. Answered where it was read, so that a stream of claims that are known keeps their receipts
    /// in memory and not the claims.
    Known(Box<Answer>),
    /// To the sequencer.
    Queue(Submitted),
}

/// What is known of a claim that came alone, by whoever found it out.
enum Told {
    /// Before the queue.
    Settled(Result<Answer, Declined>),
    /// By the sequencer, or that the queue is full.
    Decided(Submitted, Outcome),
}

/// An answer, or what is left to do for it.
enum Settled {
    Answered(Box<Result<Answer, Declined>>),
    /// The entry at this index is to be compared.
    Known(Submission, LeafIndex),
    /// To be kept as a fork report.
    Fork(Submission, Refused),
}

impl From<Result<Answer, Declined>> for Settled {
    fn from(answered: Result<Answer, Declined>) -> Settled {
        Settled::Answered(Box::new(answered))
    }
}

impl Log {
    /// Takes one envelope, waits for its entry to be durable and proven, and answers; a full queue is said at once. Once
    /// this was first polled, dropping the future changes nothing.
    pub async fn submit(self: &Arc<Self>, envelope: Bytes) -> Result<Answer, Declined> {
        let (teller, told) = oneshot::channel();
        let log = Arc::clone(self);
        self.checks.alone(move || log.take_in_alone(&envelope, teller));
        let answered = match told.await {
            Ok(Told::Settled(answered)) => answered,
            Ok(Told::Decided(submitted, outcome)) => {
                let settled = vec![self.conclude(submitted, outcome)];
                self.settle(settled).await.pop().unwrap_or_else(|| Err(lost()))
            }
            Err(_) => Err(unanswered()),
        };
        self.count(&answered);
        answered
    }

    /// Checks a claim that comes alone and hands it on to the sequencer, which hands its word on to whoever waits: so the
    /// claim changes threads no oftener than it must. Blocks.
    fn take_in_alone(&self, envelope: &Bytes, teller: oneshot::Sender<Told>) {
        let told = match self.check_guarded(envelope, false) {
            Err(declined) => Err(declined),
            Ok(Ready::Known(answer)) => Ok(*answer),
            Ok(Ready::Queue(submitted)) => {
                let (digest, decided) = (submitted.submission().digest(), submitted.clone());
                let reply = Reply::alone(move |outcome| drop(teller.send(Told::Decided(decided, outcome))));
                let mut item = VecDeque::from([Item { submitted, digest, reply }]);
                let pushed = self.queue.push(&mut item);
                return tell_untaken(item, pushed);
            }
        };
        let _gone = teller.send(Told::Settled(told));
    }

    /// Takes a group of envelopes after the turns before it, in their order, and answers each; where the queue is full, room is
    /// waited for.
    pub async fn submit_in_turn(
        self: &Arc<Self>,
        envelopes: Vec<Bytes>,
        mut turn: Turn,
    ) -> Vec<Result<Answer, Declined>> {
        let claims = envelopes.len();
        let lane = turn.check().await;
        let checked = self.check_all(envelopes).await;
        drop(lane);
        // Also for claims that go no further: ending a turn before it came would let the next one overtake.
        turn.come().await;
        let answered = match checked {
            Ok(checked) => {
                let settled = self.enqueue(checked, turn).await;
                self.settle(settled).await
            }
            Err(declined) => vec![Err(declined); claims],
        };
        answered.iter().for_each(|one| self.count(one));
        answered
    }

    fn count(&self, answered: &Result<Answer, Declined>) {
        self.stats.answered(answered.as_ref().map(|answer| answer.created).map_err(|declined| declined.refused.code));
    }

    /// One claim that hits a fault of ours must not take its neighbours with it.
    fn check_guarded(&self, envelope: &Bytes, waits_for_room: bool) -> Result<Ready, Declined> {
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.check(envelope, waits_for_room)));
        checked.unwrap_or_else(|_| Err(internal(&"the checks of a claim panicked")))
    }

    /// Checks a group off the async threads.
    async fn check_all(self: &Arc<Self>, envelopes: Vec<Bytes>) -> Result<Vec<Result<Ready, Declined>>, Declined> {
        let (teller, told) = oneshot::channel();
        let log = Arc::clone(self);
        self.checks.group(move || {
            let checked = envelopes.iter().map(|envelope| log.check_guarded(envelope, true)).collect();
            let _gone = teller.send(checked);
        });
        told.await.map_err(|_| lost())
    }

    /// Queues what is ready, in order, and waits for the sequencer's word on all of it. The turn ends when it is queued.
    async fn enqueue(self: &Arc<Self>, checked: Vec<Result<Ready, Declined>>, turn: Turn) -> Vec<Settled> {
        let to_queue =
            || checked.iter().filter_map(|one| if let Ok(Ready::Queue(ready)) = one { Some(ready) } else { None });
        let (replies, answers) = Reply::group(to_queue().count());
        let item = |(submitted, reply): (&Submitted, Reply)| Item {
            digest: submitted.submission().digest(),
            submitted: submitted.clone(),
            reply,
        };
        let mut items: VecDeque<Item> = to_queue().zip(replies).map(item).collect();
        let mut answers = match items.is_empty() {
            true => Vec::new().into_iter(),
            false => {
                let pushed = self.queue.push_when_room(&mut items).await;
                tell_untaken(items, pushed);
                drop(turn);
                answers.await.unwrap_or_default().into_iter()
            }
        };
        let settle = |one: Result<Ready, Declined>| match one {
            Err(declined) => Err(declined).into(),
            Ok(Ready::Known(answer)) => Ok(*answer).into(),
            Ok(Ready::Queue(submitted)) => match answers.next() {
                Some(Some(outcome)) => self.conclude(submitted, outcome),
                _ => Err(unanswered()).into(),
            },
        };
        checked.into_iter().map(settle).collect()
    }

    /// The answer to a claim that the sequencer decided on.
    fn conclude(&self, submitted: Submitted, outcome: Outcome) -> Settled {
        let submission = submitted.submission();
        let declined = |declined: Declined| Err(declined.about(submission.id())).into();
        match outcome {
            Outcome::Accepted(accepted) => Ok(Answer { receipt: self.to_receipt(*accepted), created: true }).into(),
            Outcome::Known(index) => Settled::Known(submission.clone(), index),
            Outcome::Refused { why, signed: true } if why.code == Code::AnchorFork => {
                Settled::Fork(submission.clone(), why)
            }
            Outcome::Refused { why, signed } => declined(self.declined(why, signed.then_some(submission.id()))),
            Outcome::NotQueued(full) => declined(not_queued(full)),
            Outcome::Undecided(refused) => {
                let retry = match refused.code {
                    Code::DiskLow => DISK_RETRY_AFTER_SECONDS,
                    Code::ClockJump => CLOCK_RETRY_AFTER_SECONDS,
                    _ => 1,
                };
                declined(Declined { retry_after_seconds: Some(retry), ..refused.into() })
            }
        }
    }

    fn to_receipt(&self, accepted: Accepted) -> Receipt {
        Receipt {
            origin: self.origin().to_owned(),
            claim_id: accepted.claim_id,
            index: accepted.index,
            timestamp: accepted.timestamp,
            links: accepted.links,
            signatures: accepted.signatures,
            inclusion: accepted.inclusion,
            checkpoint: String::from_utf8_lossy(&accepted.note).into_owned(),
        }
    }

    /// Does off the async threads what is left to do for the claims of a group.
    async fn settle(self: &Arc<Self>, settled: Vec<Settled>) -> Vec<Result<Answer, Declined>> {
        let answer = |log: &Log, one: Settled| match one {
            Settled::Answered(answered) => *answered,
            Settled::Known(submission, index) => log.answer_known(&submission, index),
            Settled::Fork(submission, refused) => Err(log.keep_late_fork(&submission, refused)),
        };
        if settled.iter().all(|one| matches!(one, Settled::Answered(_))) {
            return settled.into_iter().map(|one| answer(self, one)).collect();
        }
        let (log, claims) = (Arc::clone(self), settled.len());
        let done = tokio::task::spawn_blocking(move || settled.into_iter().map(|one| answer(&log, one)).collect());
        done.await.unwrap_or_else(|error| vec![Err(internal(&error)); claims])
    }

    /// A claim that is in the log already: the stored bytes are compared with the submitted ones. Blocks.
    fn answer_known(&self, submission: &Submission, index: LeafIndex) -> Result<Answer, Declined> {
        self.compare_known(submission, index).map_err(|declined| declined.about(submission.id()))
    }

    fn compare_known(&self, submission: &Submission, index: LeafIndex) -> Result<Answer, Declined> {
        let found = self.receipt_at(index).map_err(|error| failed(&*error))?;
        let Some((receipt, payload)) = found else {
            return Err(internal(&"an entry that is known cannot be read"));
        };
        if payload != submission.payload() || receipt.claim_id != submission.id() {
            return Err(internal(&"the state names an entry with another payload for this claim id"));
        }
        if receipt.signatures != submission.signatures() {
            let message = "the same payload is in the log with other signatures; its receipt is in this answer";
            let refused = Refused::new(Code::SlotOtherSignatures, message);
            return Err(Declined { receipt: Some(Box::new(receipt)), ..refused.into() });
        }
        Ok(Answer { receipt, created: false })
    }

    /// The answer to a refused claim; one whose signatures are valid gets it signed.
    fn declined(&self, refused: Refused, signed_claim: Option<ClaimId>) -> Declined {
        let time: Millis = self.published().head.time.millis();
        let limit = match refused.code {
            Code::SizeEntry => Some(u64::from(self.published().constitution.current.entry_bytes)),
            _ => None,
        };
        let refusal_note = signed_claim.and_then(|claim_id| {
            let refusal = Refusal { origin: self.origin().to_owned(), claim_id, code: refused.code, time };
            refusal.sign(self.keys.note_signer()).ok().map(String::into_boxed_str)
        });
        Declined { refusal_note, limit, ..refused.into() }
    }
}

/// Answers what the queue did not take.
fn tell_untaken(untaken: VecDeque<Item>, pushed: Result<(), Full>) {
    if let Err(full) = pushed {
        untaken.into_iter().for_each(|item| item.reply.send(Outcome::NotQueued(full)));
    }
}

/// The answer to a claim that the sequencer went away without deciding on.
fn unanswered() -> Declined {
    Declined { retry_after_seconds: Some(5), ..stopped().into() }
}

/// The answer to a claim of which nothing is known any more, by a fault of ours.
fn lost() -> Declined {
    internal(&"a claim was lost on its way")
}

/// The answer to a claim that the queue did not take.
fn not_queued(full: Full) -> Declined {
    match full {
        Full::Full { retry_after_seconds } => {
            let refused = Refused::new(Code::QueueFull, "the log's queue is full; ask again as Retry-After says");
            Declined { retry_after_seconds: Some(retry_after_seconds), ..refused.into() }
        }
        Full::Closed => {
            let (refused, retry) = Mode::Stopping.refusal().unwrap_or_else(|| (stopped(), Some(5)));
            Declined { retry_after_seconds: retry, ..refused.into() }
        }
    }
}

fn stopped() -> Refused {
    Refused::new(Code::ModeStopping, "the log stopped before it answered; ask again, the answer is safe to repeat")
}

/// Logs what happened, and says little.
pub(super) fn internal(error: &dyn std::fmt::Display) -> Declined {
    tracing::error!(%error, "a submission failed inside");
    Refused::new(Code::ServerInternal, "the log could not decide on the claim; ask again later").into()
}

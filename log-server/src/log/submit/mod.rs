//! A claim's way in, cheap checks first.
//!
//! Envelope (size, form) → claim (form, meant for this log) → known already? → mode → queue full? → key known? signatures →
//! issuer's quota → anchor ([`check`]) → queue → answer. Only what no queued claim could mend is refused before the queue; the rest the
//! sequencer decides at the claim's own index.
//!
//! Claims come alone or in groups, as the lines of a stream do: a group crosses each border between threads once.

mod check;
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

pub(super) use turns::Checks;
pub use turns::{Turn, Turns};

use super::mode::{CLOCK_RETRY_AFTER_SECONDS, DISK_RETRY_AFTER_SECONDS};
use super::{Answer, Declined, Log, Mode};
use crate::sequencer::{Accepted, Full, Item, Outcome, Reply, Submitted};
use check::failed;

/// What the checks before the queue found.
enum Ready {
    /// The claim id is in the log; its entry is compared and answered.
    Known(Submission, LeafIndex),
    /// To the sequencer.
    Queue(Submitted),
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
    /// the claim is queued, dropping the future changes nothing.
    pub async fn submit(self: &Arc<Self>, envelope: Bytes) -> Result<Answer, Declined> {
        let answered = self.take_in(vec![envelope], false, Turns::default().take()).await.pop();
        answered.unwrap_or_else(|| Err(internal(&"a claim was lost on its way")))
    }

    /// Takes a group of envelopes after the turns before it, in their order, and answers each; where the queue is full, room is
    /// waited for.
    pub async fn submit_in_turn(self: &Arc<Self>, envelopes: Vec<Bytes>, turn: Turn) -> Vec<Result<Answer, Declined>> {
        self.take_in(envelopes, true, turn).await
    }

    async fn take_in(
        self: &Arc<Self>,
        envelopes: Vec<Bytes>,
        wait_for_room: bool,
        mut turn: Turn,
    ) -> Vec<Result<Answer, Declined>> {
        let claims = envelopes.len();
        let lane = turn.check().await;
        let checked = self.check_all(envelopes, wait_for_room).await;
        drop(lane);
        // Also for claims that go no further: ending a turn before it came would let the next one overtake.
        turn.come().await;
        let answered = match checked {
            Ok(checked) => {
                let settled = self.enqueue(checked, wait_for_room, turn).await;
                self.settle(settled).await
            }
            Err(declined) => vec![Err(declined); claims],
        };
        for one in &answered {
            let outcome = one.as_ref().map(|answer| answer.created).map_err(|declined| declined.refused.code);
            self.stats.answered(outcome);
        }
        answered
    }

    /// Checks a group off the async threads.
    async fn check_all(
        self: &Arc<Self>,
        envelopes: Vec<Bytes>,
        wait_for_room: bool,
    ) -> Result<Vec<Result<Ready, Declined>>, Declined> {
        let log = Arc::clone(self);
        let core = self.checks.core(wait_for_room).await.map_err(|error| internal(&error))?;
        let check = move |envelope: &Bytes| {
            // One claim that hits a fault of ours must not take its neighbours with it.
            let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| log.check(envelope, wait_for_room)));
            checked.unwrap_or_else(|_| Err(internal(&"the checks of a claim panicked")))
        };
        let checked = tokio::task::spawn_blocking(move || envelopes.iter().map(check).collect());
        let checked = checked.await.map_err(|error| internal(&error))?;
        drop(core);
        Ok(checked)
    }

    /// Queues what is ready, in order, and waits for the sequencer's word on all of it. The turn ends when it is queued.
    async fn enqueue(
        self: &Arc<Self>,
        checked: Vec<Result<Ready, Declined>>,
        wait_for_room: bool,
        turn: Turn,
    ) -> Vec<Settled> {
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
                let pushed = match wait_for_room {
                    true => self.queue.push_when_room(&mut items).await,
                    false => self.queue.push(&mut items),
                };
                drop((items, turn)); // what was not taken has no answer
                let outcomes = answers.await.unwrap_or_default();
                let refused = pushed.err();
                outcomes.into_iter().map(|outcome| outcome.ok_or(refused)).collect::<Vec<_>>().into_iter()
            }
        };
        let settle = |one: Result<Ready, Declined>| match one {
            Err(declined) => Err(declined).into(),
            Ok(Ready::Known(submission, index)) => Settled::Known(submission, index),
            Ok(Ready::Queue(submitted)) => match answers.next() {
                Some(Ok(outcome)) => self.conclude(submitted, outcome),
                Some(Err(Some(full))) => Err(not_queued(full)).into(),
                _ => Err(Declined { retry_after_seconds: Some(5), ..stopped().into() }).into(),
            },
        };
        checked.into_iter().map(settle).collect()
    }

    /// The answer to a claim that the sequencer decided on.
    fn conclude(&self, submitted: Submitted, outcome: Outcome) -> Settled {
        let submission = submitted.submission();
        match outcome {
            Outcome::Accepted(accepted) => Ok(Answer { receipt: self.to_receipt(*accepted), created: true }).into(),
            Outcome::Known(index) => Settled::Known(submission.clone(), index),
            Outcome::Refused { why, signed: true } if why.code == Code::AnchorFork => {
                Settled::Fork(submission.clone(), why)
            }
            Outcome::Refused { why, signed } => Err(self.declined(why, signed.then_some(submission.id()))).into(),
            Outcome::Undecided(refused) => {
                let retry = match refused.code {
                    Code::DiskLow => DISK_RETRY_AFTER_SECONDS,
                    Code::ClockJump => CLOCK_RETRY_AFTER_SECONDS,
                    _ => 1,
                };
                Err(Declined { retry_after_seconds: Some(retry), ..refused.into() }).into()
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
            refusal.sign(self.keys.note_signer()).ok()
        });
        Declined { refusal_note, limit, ..refused.into() }
    }
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

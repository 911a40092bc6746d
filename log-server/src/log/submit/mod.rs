//! A claim's way in, cheap checks first.
//!
//! Mode → envelope (size, form) → claim (form) → digest → key known? signatures, off the async threads → anchor → known
//! already? → issuer's quota → queue. Only what no queued claim could mend is refused here; the rest the sequencer decides
//! at the claim's own index.

use std::sync::Arc;

use bytes::Bytes;
use governor::clock::{Clock as _, DefaultClock};
use proto::claim::{Body, ClaimId};
use proto::code::{Code, Refused};
use proto::dsse::Envelope;
use proto::fold::{self, Checked, Stop, Submission, check_signatures};
use proto::num::{LeafIndex, Millis};
use proto::receipt::Receipt;
use proto::statement::Refusal;
use tokio::sync::oneshot;

use super::mode::DISK_RETRY_AFTER_SECONDS;
use super::{Answer, Declined, Log, Mode};
use crate::sequencer::{Accepted, Full, Item, Outcome, StoredState, Submitted, ask_again};
use crate::store::StoreError;

/// What the checks before the queue found.
enum Ready {
    /// The claim id is in the log; its entry is compared and answered.
    Known(LeafIndex),
    /// To the sequencer.
    Queue(Submitted),
}

/// A place in a line: claims of one stream are checked at once but queued in the order in which they came, so that one can
/// name another that comes shortly before it. Dropping a turn lets the next one go.
#[derive(Debug)]
pub struct Turn {
    before: Option<oneshot::Receiver<()>>,
    _after: oneshot::Sender<()>,
}

/// Hands out turns.
#[derive(Debug, Default)]
pub struct Turns(Option<oneshot::Receiver<()>>);

impl Turns {
    /// The next turn.
    pub fn take(&mut self) -> Turn {
        let (after, next) = oneshot::channel();
        Turn { before: self.0.replace(next), _after: after }
    }
}

impl Turn {
    /// Waits until the turn before is over, however it ended.
    async fn come(&mut self) {
        if let Some(before) = self.before.take() {
            let _over = before.await;
        }
    }
}

impl Log {
    /// Takes one envelope, waits for its entry to be durable and proven, and answers. With `wait_for_room` a full queue is
    /// waited for; without, it is said at once. Once the claim is queued, dropping the future changes nothing.
    pub async fn submit(self: &Arc<Self>, envelope: Bytes, wait_for_room: bool) -> Result<Answer, Declined> {
        self.submit_in_turn(envelope, wait_for_room, Turns::default().take()).await
    }

    /// As [`Log::submit`], queued after the turns before it.
    pub async fn submit_in_turn(
        self: &Arc<Self>,
        envelope: Bytes,
        wait_for_room: bool,
        turn: Turn,
    ) -> Result<Answer, Declined> {
        let answered = self.decide_on(envelope, wait_for_room, turn).await;
        self.stats.answered(answered.as_ref().map(|answer| answer.created).map_err(|declined| declined.refused.code));
        answered
    }

    async fn decide_on(
        self: &Arc<Self>,
        envelope: Bytes,
        wait_for_room: bool,
        mut turn: Turn,
    ) -> Result<Answer, Declined> {
        let log = Arc::clone(self);
        // Never closed. More checks at once than cores would only take each other's time, on hundreds of threads.
        let core = self.checks.acquire().await.map_err(|error| internal(&error))?;
        let checked = tokio::task::spawn_blocking(move || log.check(&envelope)).await;
        drop(core);
        // Also for a claim that goes no further: ending a turn before it came would let the next one overtake.
        turn.come().await;
        let (submission, ready) = checked.map_err(|error| internal(&error))??;
        let submitted = match ready {
            Ready::Known(index) => return self.answer_known(submission, index).await,
            Ready::Queue(submitted) => submitted,
        };
        let validly_signed = matches!(submitted, Submitted::Checked(_));
        let answer = self.enqueue(submitted, wait_for_room).await?;
        drop(turn);
        let outcome = answer.await.map_err(|_| Declined { retry_after_seconds: Some(5), ..stopped().into() })?;
        match outcome {
            Outcome::Accepted(accepted) => Ok(Answer { receipt: self.to_receipt(*accepted), created: true }),
            Outcome::Known(index) => self.answer_known(submission, index).await,
            Outcome::Refused(refused) => Err(self.declined(refused, validly_signed.then_some(submission.id()))),
            Outcome::Undecided(refused) => {
                let retry = if refused.code == Code::DiskLow { DISK_RETRY_AFTER_SECONDS } else { 1 };
                Err(Declined { retry_after_seconds: Some(retry), ..refused.into() })
            }
        }
    }

    /// Everything that needs no turn in the queue. Blocks for reads and signature checks.
    fn check(&self, bytes: &[u8]) -> Result<(Submission, Ready), Declined> {
        let limit = self.published().constitution.current.envelope_bytes as usize;
        if bytes.len() > limit {
            let message = format!("the envelope has {} bytes; this log takes at most {limit}", bytes.len());
            return Err(Declined { limit: Some(limit as u64), ..Refused::new(Code::SizeEnvelope, message).into() });
        }
        let submission = Submission::from_envelope(Envelope::parse(bytes)?)?;
        self.check_wrong_log(&submission)?;
        check_rules(&submission)?;
        let state = StoredState(&**self.store());
        if let Some(known) = fold::read::claim(&state, &submission.id()).map_err(|e| unread(&e))? {
            // Before the signatures are checked again: the stored bytes are compared instead.
            if LeafIndex(known.index).is_in(self.published().head.size) {
                return Ok((submission, Ready::Known(LeafIndex(known.index))));
            }
        }
        self.refuse_by_mode()?;
        match check_signatures(submission.clone(), &state) {
            Ok(checked) => {
                let payer = payer(&checked, &state).map_err(|e| unread(&e))?;
                self.charge(&payer)?;
                self.check_anchor(&checked, &payer)?;
                Ok((submission, Ready::Queue(Submitted::Checked(Box::new(checked)))))
            }
            Err(Stop::Refused(refused)) if refused.code == Code::KeyUnknown => {
                Ok((submission.clone(), Ready::Queue(Submitted::KeyUnknown(Box::new(submission)))))
            }
            Err(Stop::Refused(refused)) => Err(refused.into()),
            Err(stop) => Err(unread(&stop)),
        }
    }

    fn refuse_by_mode(&self) -> Result<(), Declined> {
        match self.mode().refusal() {
            None => Ok(()),
            Some((refused, retry_after_seconds)) => Err(Declined { retry_after_seconds, ..refused.into() }),
        }
    }

    /// A claim for another log is refused before any cryptography.
    fn check_wrong_log(&self, submission: &Submission) -> Result<(), Refused> {
        let logs = &submission.claim().logs;
        if logs.iter().any(|log| log.origin.as_str() == self.origin()) {
            return Ok(());
        }
        let message = format!("the claim is not meant for {}; its `logs` must name this origin", self.origin());
        Err(Refused::at(Code::ClaimWrongLog, "/logs", message))
    }

    /// The head that a claim is anchored to must be ours. If not, the claim proves a fork or a lie; it is kept as a report.
    fn check_anchor(&self, checked: &Checked, payer: &str) -> Result<(), Declined> {
        let Some((size, root)) = checked.anchor(self.origin()) else { return Ok(()) };
        let shown = self.published().head.size;
        let ours = match size <= shown {
            true => Some(self.root_at(size).map_err(|e| failed(&*e))?),
            false => None,
        };
        if ours == Some(root) {
            return Ok(());
        }
        let id = checked.id();
        let message = match ours {
            Some(ours) => format!(
                "the claim names the root {} at size {size}; this log's is {}",
                root.to_base64(),
                ours.to_base64()
            ),
            None => format!("the claim names a head of size {size}; this log has shown {shown} entries"),
        };
        // Only an enrolled issuer's word is kept: anyone can sign with a key that the claim itself brings.
        if payer == checked.claim().issuer.as_str() {
            self.store.put_report(&id.0.0, checked.submission().payload()).map_err(|e| failed(&e))?;
            tracing::warn!(claim = %id, %size, "a claim is anchored to a head that is not this log's; kept as a report");
        }
        let pointer = "/logs";
        Err(self.declined(Refused::at(Code::AnchorFork, pointer, message), Some(id)))
    }

    /// Charges whoever really signed.
    fn charge(&self, payer: &str) -> Result<(), Declined> {
        let Err(not_until) = self.issuers.check_key(&payer.to_owned()) else { return Ok(()) };
        let seconds = not_until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
        let refused = Refused::new(Code::LimitIssuer, format!("{payer} submits too fast; ask again in {seconds} s"));
        Err(Declined { retry_after_seconds: Some(seconds), ..refused.into() })
    }

    async fn enqueue(&self, submitted: Submitted, wait_for_room: bool) -> Result<oneshot::Receiver<Outcome>, Declined> {
        let (reply, answer) = oneshot::channel();
        let digest = submitted.submission().digest();
        let item = Item { submitted, digest, reply };
        let pushed = match wait_for_room {
            true => self.queue.push_when_room(item).await,
            false => self.queue.push(item),
        };
        match pushed {
            Ok(()) => Ok(answer),
            Err((_, Full::Full { retry_after_seconds })) => {
                let refused = Refused::new(Code::QueueFull, "the log's queue is full; ask again as Retry-After says");
                Err(Declined { retry_after_seconds: Some(retry_after_seconds), ..refused.into() })
            }
            Err((_, Full::Closed)) => {
                let (refused, retry) = Mode::Stopping.refusal().unwrap_or_else(|| (stopped(), Some(5)));
                Err(Declined { retry_after_seconds: retry, ..refused.into() })
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

    /// A claim that is in the log already: the stored bytes are compared with the submitted ones.
    async fn answer_known(self: &Arc<Self>, submission: Submission, index: LeafIndex) -> Result<Answer, Declined> {
        let log = Arc::clone(self);
        let found = tokio::task::spawn_blocking(move || {
            let (receipt, payload) = log.receipt_at(index)?.ok_or("an entry that is known cannot be read")?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((receipt, payload == submission.payload(), submission))
        });
        let (receipt, same_payload, submission) = found.await.map_err(|e| internal(&e))?.map_err(|e| failed(&*e))?;
        if !same_payload || receipt.claim_id != submission.id() {
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

/// Rules that this program does not know would stop it once they hold; the rules themselves would take the claim.
fn check_rules(submission: &Submission) -> Result<(), Refused> {
    match &submission.claim().body {
        Body::Log(body) if body.rules_version > fold::RULES_VERSION => {
            let message = format!("this program knows rules up to version {}; update it first", fold::RULES_VERSION);
            Err(Refused::at(Code::SlotConstitution, "/body/rules_version", message))
        }
        _ => Ok(()),
    }
}

/// Whose quota a claim is charged to: the enrolled issuer of a key that signed it, the operator, or all strangers
/// together. Never the issuer that the claim merely names: anyone can name anyone, and sign with a key the claim brings.
fn payer(checked: &Checked, state: &StoredState<'_>) -> Result<String, Stop<StoreError>> {
    let mut payer = STRANGERS;
    for id in checked.signers() {
        match fold::read::key(state, &id)? {
            Some(key) if !key.issuer.is_empty() => return Ok(key.issuer),
            Some(_) => payer = OPERATOR,
            None => {}
        }
    }
    Ok(payer.to_owned())
}

/// The quota of the operator and its registrars; no issuer id has brackets.
const OPERATOR: &str = "(operator)";

/// The one quota of all who sign with keys that are not enrolled.
const STRANGERS: &str = "(not enrolled)";

fn stopped() -> Refused {
    Refused::new(Code::ModeStopping, "the log stopped before it answered; ask again, the answer is safe to repeat")
}

/// What the sender of a claim is told when the store could not be read: a store in recovery is no fault of its own and
/// passes; everything else is.
fn failed(error: &(dyn std::error::Error + 'static)) -> Declined {
    match StoreError::cause_of(error) {
        Some(StoreError::Recovering | StoreError::NeedsRecovery) => {
            Declined { retry_after_seconds: Some(1), ..ask_again().into() }
        }
        _ => internal(&error),
    }
}

/// As [`failed`], for a rule that could not read the state.
fn unread(stop: &Stop<StoreError>) -> Declined {
    match stop {
        Stop::State(error) => failed(error),
        other => internal(other),
    }
}

/// Logs what happened, and says little.
pub(super) fn internal(error: &dyn std::fmt::Display) -> Declined {
    tracing::error!(%error, "a submission failed inside");
    Refused::new(Code::ServerInternal, "the log could not decide on the claim; ask again later").into()
}

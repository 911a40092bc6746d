//! What is found out about a claim before the queue, cheap checks first. Everything here blocks.

use governor::clock::{Clock as _, DefaultClock};
use proto::claim::{Body, ClaimId};
use proto::code::{Code, Refused};
use proto::dsse::Envelope;
use proto::ed25519::KeyId;
use proto::fold::{self, Checked, Stop, Submission, check_signatures_by};
use proto::num::LeafIndex;

use super::{Declined, Log, Ready, internal, not_queued};
use crate::sequencer::{StoredState, Submitted, ask_again, wrong_anchor};
use crate::store::StoreError;

impl Log {
    /// Everything that needs no turn in the queue. A full queue is seen before the signatures are checked, unless the claim
    /// waits for room. Blocks for reads and signature checks.
    pub(super) fn check(&self, bytes: &[u8], waits_for_room: bool) -> Result<Ready, Declined> {
        let limit = self.published().constitution.current.envelope_bytes as usize;
        if bytes.len() > limit {
            let message = format!("the envelope has {} bytes; this log takes at most {limit}", bytes.len());
            return Err(Declined { limit: Some(limit as u64), ..Refused::new(Code::SizeEnvelope, message).into() });
        }
        let envelope = Envelope::parse(bytes)?;
        let submission = Submission::from_envelope(envelope).map_err(|refused| without_form(refused, bytes))?;
        let id = submission.id();
        self.check_read(submission, waits_for_room).map_err(|declined| declined.about(id))
    }

    /// The same for a claim that has its form.
    fn check_read(&self, submission: Submission, waits_for_room: bool) -> Result<Ready, Declined> {
        self.check_wrong_log(&submission)?;
        check_rules(&submission)?;
        let state = StoredState(&**self.store());
        if let Some(known) = fold::read::claim(&state, &submission.id()).map_err(|e| unread(&e))? {
            // Before the signatures are checked again: the stored bytes are compared instead.
            if LeafIndex(known.index).is_in(self.published().head.size) {
                let answer = self.compare_known(&submission, LeafIndex(known.index))?;
                return Ok(Ready::Known(Box::new(answer)));
            }
        }
        self.refuse_by_mode()?;
        if !waits_for_room {
            self.queue.look(submission.payload().len()).map_err(not_queued)?;
        }
        let enrolled = |id: &KeyId| self.known_keys.find(id, &state).map(|known| known.key);
        match check_signatures_by(submission.clone(), enrolled) {
            Ok(checked) => {
                let payer = self.payer(checked.submission(), &state).map_err(|e| unread(&e))?;
                self.charge(&payer)?;
                self.check_anchor(&checked, &payer)?;
                Ok(Ready::Queue(Submitted::Checked(checked)))
            }
            Err(Stop::Refused(refused)) if refused.code == Code::KeyUnknown => {
                self.charge(STRANGERS)?;
                Ok(Ready::Queue(Submitted::KeyUnknown(submission)))
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
        let Some(anchor) = checked.anchor(self.origin()) else { return Ok(()) };
        let shown = self.published().head.size;
        match wrong_anchor(&self.tree(shown), shown, anchor).map_err(|e| failed(&e))? {
            Some(refused) => Err(self.keep_fork(checked.submission(), payer, refused)),
            None => Ok(()),
        }
    }

    /// The answer to a claim whose signatures verify and whose anchor is not ours; the claim is kept as a report. Blocks.
    fn keep_fork(&self, submission: &Submission, payer: &str, mut refused: Refused) -> Declined {
        // Only an enrolled issuer's word is kept: anyone can sign with a key that the claim itself brings.
        if payer == submission.claim().issuer.as_str() {
            match self.keep_report(payer, submission) {
                Ok(true) => {}
                Ok(false) => {
                    let more = "; this log keeps no more such claims of yours for now: keep this one yourself";
                    refused.message.push_str(more);
                }
                Err(error) => return failed(&error),
            }
        }
        self.declined(refused, Some(submission.id())).about(submission.id())
    }

    /// The same for a claim of which only the sequencer knew whose it is.
    pub(super) fn keep_late_fork(&self, submission: &Submission, refused: Refused) -> Declined {
        match self.payer(submission, &StoredState(&**self.store())) {
            Ok(payer) => self.keep_fork(submission, &payer, refused),
            Err(stop) => unread(&stop),
        }
    }

    /// Whose quota a claim is charged to: the enrolled issuer of a key that signed it, the operator, or all strangers
    /// together. Never the issuer that the claim merely names: anyone can name anyone, and sign with a key the claim brings.
    fn payer(&self, submission: &Submission, state: &StoredState<'_>) -> Result<String, Stop<StoreError>> {
        let mut payer = STRANGERS;
        for by in submission.signatures() {
            match self.known_keys.find(&by.key_id, state) {
                Ok(known) if !known.issuer.is_empty() => return Ok(known.issuer.to_owned()),
                Ok(_) => payer = OPERATOR,
                Err(Stop::Refused(_)) => {} // one that the claim brings
                Err(stop) => return Err(stop),
            }
        }
        Ok(payer.to_owned())
    }

    /// Charges whoever really signed.
    fn charge(&self, payer: &str) -> Result<(), Declined> {
        if self.issuers.len() >= MAX_PAYERS {
            self.issuers.retain_recent(); // forgets whoever has the whole burst back
        }
        let Err(not_until) = self.issuers.check_key(&payer.to_owned()) else { return Ok(()) };
        let seconds = not_until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
        let refused = Refused::new(Code::LimitIssuer, format!("{payer} submits too fast; ask again in {seconds} s"));
        Err(Declined { retry_after_seconds: Some(seconds), ..refused.into() })
    }
}

/// The answer to a claim that has not its form. Its payload went with the try, so that the envelope is read again for the id: claims
/// that have their form are read once.
fn without_form(refused: Refused, bytes: &[u8]) -> Declined {
    let declined = Declined::from(refused);
    match Envelope::parse(bytes) {
        Ok(envelope) => declined.about(ClaimId::of(&envelope.payload_type, &envelope.payload)),
        Err(_) => declined,
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

/// Issuers whose rates are remembered before those are forgotten that have their whole burst back: at about 100 bytes each,
/// 6 MiB. Only enrolled issuers get an entry, so that it cannot be filled by strangers.
const MAX_PAYERS: usize = 65_536;

/// The quota of the operator and its registrars; no issuer id has brackets.
const OPERATOR: &str = "(operator)";

/// The one quota of all who sign with keys that are not enrolled.
const STRANGERS: &str = "(not enrolled)";

/// What the sender of a claim is told when the store could not be read: a store in recovery is no fault of its own and
/// passes; everything else is.
pub(super) fn failed(error: &(dyn std::error::Error + 'static)) -> Declined {
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

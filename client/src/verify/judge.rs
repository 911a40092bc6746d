//! From a proof, what it is about, and the reader's trust, to a report.

use proto::checkpoint::{CheckpointError, CheckpointText};
use proto::claim::{Claim, ClaimId, PAYLOAD_TYPE};
use proto::ed25519::PublicKey;
use proto::entry::{Entry, EntryExtra, SignatureBy};
use proto::hash::Hash;
use proto::merkle::root_from_inclusion;
use proto::note::Note;
use proto::policy::{CheckError, Checked};
use proto::receipt::{BadReceipt, Receipt};
use proto::tlog_proof::{NotProven, TlogProof};

use super::statements::Statements;
use super::{Facts, Report, Standing, Verdict};
use crate::trust::Trust;

/// The proof of inclusion that is shown.
#[derive(Debug, Clone)]
pub enum Proof {
    /// A receipt of the log.
    Receipt(Receipt),
    /// A C2SP tlog-proof.
    Tlog(TlogProof),
}

/// What the proof is shown for.
#[derive(Debug, Clone)]
pub enum Content {
    /// The entry's exact bytes.
    Entry(Vec<u8>),
    /// The claim's exact payload, and the signatures of the envelope it came in, if it came in one.
    Payload(Vec<u8>, Option<Vec<SignatureBy>>),
}

type Step<T> = Result<T, (Verdict, String)>;

fn not_proven<T>(reason: impl Into<String>) -> Step<T> {
    Err((Verdict::NotProven, reason.into()))
}

fn malformed<T>(reason: impl Into<String>) -> Step<T> {
    Err((Verdict::Malformed, reason.into()))
}

/// Judges. `keys` are public keys that the reader holds to be the issuer's; they are used beside those that a registry
/// claim carries itself.
pub fn judge(proof: &Proof, content: &Content, trust: Option<&Trust>, keys: &[PublicKey]) -> Report {
    match try_judge(proof, content, trust, keys) {
        Ok(report) => report,
        Err((verdict, reason)) => Report::short(verdict, reason),
    }
}

fn try_judge(proof: &Proof, content: &Content, trust: Option<&Trust>, keys: &[PublicKey]) -> Step<Report> {
    let entry = entry_of(proof, content)?;
    let bytes = entry.encode().map_err(|e| (Verdict::Malformed, format!("the entry cannot be rebuilt: {e}")))?;
    let leaf = Hash::leaf(&bytes);
    let tlog = match proof {
        Proof::Receipt(receipt) => {
            receipt.to_tlog_proof().map_err(|e| (Verdict::Malformed, format!("the receipt's proof: {e}")))?
        }
        Proof::Tlog(tlog) => tlog.clone(),
    };
    let head = read_head(&tlog, leaf, trust)?;
    let origin = head.text.origin().to_owned();
    if let Proof::Receipt(receipt) = proof
        && receipt.origin != origin
    {
        return not_proven(format!("the receipt says it is of {}, its head is of {origin}", receipt.origin));
    }
    let claim = Claim::parse(&entry.payload).ok().filter(|_| entry.payload_type == PAYLOAD_TYPE);
    let mut statements = Statements::default();
    statements.inclusion(&head, tlog.index());
    statements.log_words(&head, &entry, claim.as_ref(), tlog.index());
    statements.signatures(&entry, claim.as_ref(), keys, head.checked.is_some());
    statements.claim(&head, &entry, claim.as_ref(), tlog.index());
    let facts = Facts {
        origin,
        claim_id: ClaimId::of(&entry.payload_type, &entry.payload),
        index: tlog.index(),
        leaf_hash: leaf,
        size: head.text.size(),
        root: head.text.root(),
    };
    let (verdict, reason) = conclude(head, &entry, claim.is_some(), keys, &statements);
    Ok(Report { verdict, reason, facts: Some(facts), statements: statements.0 })
}

/// The outcome: no better than the head, and no better than any sentence that the files show to be false.
fn conclude(
    head: Head,
    entry: &Entry,
    is_read: bool,
    keys: &[PublicKey],
    statements: &Statements,
) -> (Verdict, String) {
    if let Some(failed) = statements.failed() {
        return (Verdict::NotProven, format!("this is false: {}", failed.text));
    }
    if head.verdict != Verdict::Proven {
        return (head.verdict, head.reason);
    }
    if !is_read {
        let reason = "the entry is in the log's tree, but it is not a claim in a form that this version reads; \
                      what it says was not checked, a newer version may read it";
        return (Verdict::PolicyNotMet, reason.to_owned());
    }
    if !keys.is_empty() && !keys.iter().any(|key| entry.signatures.iter().any(|by| by.key_id == key.id())) {
        let reason = "the entry is in the log's tree, but none of the keys that you gave signed it";
        return (Verdict::PolicyNotMet, reason.to_owned());
    }
    (Verdict::Proven, head.reason)
}

/// The entry that the tree hashed, rebuilt from what was shown.
fn entry_of(proof: &Proof, content: &Content) -> Step<Entry> {
    let rebuilt = |payload: &[u8]| match proof {
        Proof::Receipt(receipt) => match receipt.entry(payload) {
            Ok(entry) => Ok(entry),
            Err(e @ BadReceipt::OtherClaim { .. }) => not_proven(e.to_string()),
            Err(e) => malformed(e.to_string()),
        },
        Proof::Tlog(tlog) => {
            let Some(extra) = tlog.unauthenticated_extra() else {
                return not_proven("the proof has no `extra` line to rebuild the entry from; show the entry (x.entry)");
            };
            let extra = EntryExtra::decode(extra)
                .map_err(|e| (Verdict::Malformed, format!("the proof's `extra` line: {e}")))?;
            Ok(extra.with_payload(PAYLOAD_TYPE, payload))
        }
    };
    match content {
        Content::Entry(bytes) => {
            let entry = Entry::decode(bytes).map_err(|e| (Verdict::Malformed, format!("the entry: {e}")))?;
            if let Proof::Receipt(_) = proof
                && rebuilt(&entry.payload)? != entry
            {
                return not_proven("the entry differs from the one that the receipt describes");
            }
            Ok(entry)
        }
        Content::Payload(payload, signatures) => {
            let entry = rebuilt(payload)?;
            if signatures.as_ref().is_some_and(|signatures| *signatures != entry.signatures) {
                return not_proven("the envelope has other signatures than the entry in the log");
            }
            Ok(entry)
        }
    }
}

/// The head, as far as the reader's trust goes.
pub(super) struct Head {
    pub(super) text: CheckpointText,
    pub(super) checked: Option<Checked>,
    verdict: Verdict,
    reason: String,
}

impl Head {
    /// On what rests what the log put into an entry: its signature, if that was checked.
    pub(super) fn word(&self) -> Standing {
        if self.checked.is_some() { Standing::Committed } else { Standing::NotChecked }
    }
}

fn read_head(tlog: &TlogProof, leaf: Hash, trust: Option<&Trust>) -> Step<Head> {
    let only_consistent = |reason: String| {
        let text = consistent(tlog, leaf)?;
        Ok(Head { text, checked: None, verdict: Verdict::PolicyNotMet, reason })
    };
    let Some(trust) = trust else {
        return only_consistent("no trust file was given, and a file cannot vouch for itself; use --trust FILE".into());
    };
    match tlog.verify(leaf, trust.policy()) {
        Ok(included) => {
            let quorum = &included.head.quorum;
            let (verdict, reason) = if quorum.met {
                (Verdict::Proven, "the entry is in the tree that the log signed, under your trust file".to_owned())
            } else {
                let reason = format!(
                    "the log signed it, but your policy asks for {} of {} witnesses and {} cosigned this head; \
                     get a newer proof with `claimtrail proof`",
                    quorum.needed, quorum.counted, quorum.cosigned
                );
                (Verdict::PolicyNotMet, reason)
            };
            Ok(Head { text: included.head.checkpoint.text().clone(), checked: Some(included.head), verdict, reason })
        }
        Err(NotProven::Checkpoint(e @ (CheckError::UnknownLog(_) | CheckError::UncheckableLog(_)))) => {
            only_consistent(format!("{e}; add a `log` line with a vkey from its operator, if you trust it"))
        }
        Err(NotProven::Checkpoint(
            e @ (CheckError::Malformed(_) | CheckError::Key { .. } | CheckError::Checkpoint(CheckpointError::Text(_))),
        )) => malformed(e.to_string()),
        Err(e) => not_proven(e.to_string()),
    }
}

/// Whether leaf, proof and the root in the head fit together, whoever signed the head.
fn consistent(tlog: &TlogProof, leaf: Hash) -> Step<CheckpointText> {
    let note = tlog.unverified_checkpoint();
    if let Err(e) = Note::parse(note.as_bytes()) {
        return malformed(format!("the head in the proof: {e}"));
    }
    let end = note.rfind("\n\n").map(|at| at + 1);
    let text = end.and_then(|end| note.get(..end)).map(CheckpointText::parse);
    let text = match text {
        Some(Ok(text)) => text,
        Some(Err(e)) => return malformed(e.to_string()),
        None => return malformed("the head in the proof is not a signed note"),
    };
    match root_from_inclusion(tlog.index(), text.size(), leaf, tlog.hashes()) {
        Ok(root) if root == text.root() => Ok(text),
        Ok(_) => not_proven("inclusion: the entry and the proof lead to another root than the one in the head"),
        Err(e) => not_proven(format!("inclusion: {e}")),
    }
}

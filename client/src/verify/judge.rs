//! From a proof, what it is about, and the reader's trust, to a report.

use proto::checkpoint::{CheckpointError, CheckpointText};
use proto::claim::{Body, Claim, ClaimId, LogRef, PAYLOAD_TYPE};
use proto::dsse::pae;
use proto::ed25519::PublicKey;
use proto::entry::{Entry, EntryExtra, SignatureBy};
use proto::hash::Hash;
use proto::merkle::root_from_inclusion;
use proto::num::LeafIndex;
use proto::policy::{CheckError, Checked};
use proto::receipt::{BadReceipt, Receipt};
use proto::tlog_proof::{NotProven, TlogProof};

use super::{Facts, Report, Standing, Statement, Verdict};
use crate::clock::rfc3339;
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
    let mut statements = Vec::new();
    let included = if head.checked.is_some() { Standing::Proven } else { Standing::NotChecked };
    state_inclusion(&mut statements, &head, tlog.index(), included);
    state_log_words(&mut statements, &head, &entry, tlog.index());
    let signatures_hold = state_signatures(&mut statements, &entry, claim.as_ref(), keys, head.checked.is_some());
    state_claim(&mut statements, &entry, claim.as_ref(), &origin);
    let facts = Facts {
        origin,
        claim_id: ClaimId::of(&entry.payload_type, &entry.payload),
        index: tlog.index(),
        leaf_hash: leaf,
        size: head.text.size(),
        root: head.text.root(),
    };
    let (verdict, reason) = if signatures_hold {
        (head.verdict, head.reason)
    } else {
        (Verdict::NotProven, "a signature does not verify over this claim".to_owned())
    };
    Ok(Report { verdict, reason, facts: Some(facts), statements })
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
struct Head {
    text: CheckpointText,
    checked: Option<Checked>,
    verdict: Verdict,
    reason: String,
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

fn state_inclusion(out: &mut Vec<Statement>, head: &Head, index: LeafIndex, standing: Standing) {
    let (origin, size) = (head.text.origin(), head.text.size());
    let mut say = |id, standing, text| out.push(Statement { id, standing, text });
    say("included", standing, format!("The claim is entry {index} in a tree of {size} entries of {origin}."));
    say("head_signed", standing, format!("The head of that tree is signed by the key of {origin}."));
    let Some(checked) = &head.checked else { return };
    let quorum = &checked.quorum;
    if quorum.needed > 0 {
        let time = quorum.seen_by.map(|time| format!(" by {}", rfc3339(time.millis()))).unwrap_or_default();
        let text = format!(
            "{} of {} witnesses had seen this tree{time}; your policy asks for {}.",
            quorum.cosigned, quorum.counted, quorum.needed
        );
        say("witnessed", if quorum.met { Standing::Attested } else { Standing::NotChecked }, text);
    } else {
        let text =
            "No witness is asked: a log that shows different trees to different readers would not be noticed here.";
        say("witnessed", Standing::NotChecked, text.to_owned());
    }
    if let Some(time) = checked.log_time {
        let text = format!("By the log's own clock, the head was made at {}.", rfc3339(time.millis()));
        say("head_time", Standing::Committed, text);
    }
}

/// What stands in the entry because the log put it there.
fn state_log_words(out: &mut Vec<Statement>, head: &Head, entry: &Entry, index: LeafIndex) {
    let standing = if head.checked.is_some() { Standing::Committed } else { Standing::NotChecked };
    let mut say = |id, text| out.push(Statement { id, standing, text });
    say("logged_at", format!("The log took the claim at {}.", rfc3339(entry.timestamp)));
    match (entry.links.registry, entry.links.constitution) {
        (Some(registry), _) => say(
            "entitled",
            format!("The key was entitled to speak for the issuer, whose last registry entry was {registry}."),
        ),
        (None, Some(_)) => {
            say("entitled", "This is the issuer's first registry entry, admitted by a registrar.".into())
        }
        (None, None) => say("entitled", format!("This is the log's constitution, entry {index}.")),
    }
    match entry.links.previous {
        Some(previous) => say("previous", format!("The entry before it in its slot is {previous}.")),
        None => say("previous", "Its slot has no entry before it.".into()),
    }
}

/// Checks the signatures whose keys are at hand; says whether none of them fails.
fn state_signatures(
    out: &mut Vec<Statement>,
    entry: &Entry,
    claim: Option<&Claim>,
    keys: &[PublicKey],
    log_signed: bool,
) -> bool {
    let mut known: Vec<PublicKey> = keys.to_vec();
    match claim.map(|claim| &claim.body) {
        Some(Body::Issuer(body)) => known.extend(body.keys.iter().map(|added| added.key)),
        Some(Body::Log(body)) => known.extend(body.operator_keys.iter().chain(&body.registrar_keys).map(|key| key.key)),
        _ => {}
    }
    let message = pae(&entry.payload_type, &entry.payload);
    let mut all_hold = true;
    for by in &entry.signatures {
        let (standing, text) = match known.iter().find(|key| key.id() == by.key_id) {
            Some(key) if key.verify(&message, &by.signature).is_ok() => {
                (Standing::Proven, format!("The key {} signed this claim.", by.key_id))
            }
            Some(_) => {
                all_hold = false;
                (Standing::Failed, format!("The signature of the key {} does not verify.", by.key_id))
            }
            None if log_signed => (
                Standing::Committed,
                format!(
                    "The key {} signed this claim, as the log checked (give the key with --key to check it here).",
                    by.key_id
                ),
            ),
            None => (
                Standing::NotChecked,
                format!("The key {} signed this claim (give the key with --key to check it here).", by.key_id),
            ),
        };
        out.push(Statement { id: "signed", standing, text });
    }
    all_hold
}

fn state_claim(out: &mut Vec<Statement>, entry: &Entry, claim: Option<&Claim>, origin: &str) {
    let mut say = |id, standing, text| out.push(Statement { id, standing, text });
    let Some(claim) = claim else {
        let text = format!("The payload ({}) is not a claim in a form that this version reads.", entry.payload_type);
        say("claim", Standing::NotChecked, text);
        return;
    };
    let about = claim.subject.as_ref().map(|s| format!(" about {} {}", s.manufacturer, s.model)).unwrap_or_default();
    let text = format!("{} as {} says {} ({}){about}.", claim.issuer, claim.role, claim.claim_type, claim.rel.kind);
    say("claim", Standing::Asserted, text);
    say("asserted_at", Standing::Asserted, format!("The issuer says it spoke at {}.", claim.asserted_at));
    let anchored = claim.logs.iter().find(|log| log.origin.as_str() == origin);
    if let Some(LogRef { size: Some(size), root: Some(_), .. }) = anchored {
        let text = format!("The claim was signed after the head of {size} entries existed.");
        say("anchored", Standing::Committed, text);
    }
    if let Some(limit) = &claim.submit_before {
        let holds = i128::from(entry.timestamp.0) <= i128::from(limit.millis());
        let text = format!("The log took it before the issuer's limit, {limit}.");
        say("in_time", if holds { Standing::Committed } else { Standing::Failed }, text);
    }
}

//! The sentences of a report: what each says of this entry, and on what it rests.
//!
//! A sentence that an honest log can never make false is checked as far as the files go: one that turns out false is
//! [`Standing::Failed`], and then nothing is proven, whatever the hashes say.

use proto::claim::{Body, Claim, LogRef};
use proto::dsse::pae;
use proto::ed25519::PublicKey;
use proto::entry::Entry;
use proto::hash::Hash;
use proto::num::{LeafIndex, TreeSize};

use super::judge::Head;
use super::{Standing, Statement};
use crate::clock::rfc3339;
use crate::plain::plain;

/// The sentences so far.
#[derive(Debug, Default)]
pub(super) struct Statements(pub(super) Vec<Statement>);

impl Statements {
    fn say(&mut self, id: &'static str, standing: Standing, text: impl Into<String>) {
        // A sentence repeats what others wrote.
        self.0.push(Statement { id, standing, text: plain(&text.into()) });
    }

    /// The first sentence that is false.
    pub(super) fn failed(&self) -> Option<&Statement> {
        self.0.iter().find(|statement| statement.standing == Standing::Failed)
    }

    /// Where the claim stands, and who signed the head.
    pub(super) fn inclusion(&mut self, head: &Head, index: LeafIndex) {
        let (origin, size) = (head.text.origin(), head.text.size());
        let standing = if head.checked.is_some() { Standing::Proven } else { Standing::NotChecked };
        self.say("included", standing, format!("The claim is entry {index} in a tree of {size} entries of {origin}."));
        self.say("head_signed", standing, format!("The head of that tree is signed by the key of {origin}."));
        let Some(checked) = &head.checked else { return };
        let quorum = &checked.quorum;
        if quorum.needed > 0 {
            let time = quorum.seen_by.map(|time| format!(" by {}", rfc3339(time.millis()))).unwrap_or_default();
            let text = format!(
                "{} of {} witnesses had seen this tree{time}; your policy asks for {}.",
                quorum.cosigned, quorum.counted, quorum.needed
            );
            self.say("witnessed", if quorum.met { Standing::Attested } else { Standing::NotChecked }, text);
        } else {
            let text =
                "No witness is asked: a log that shows different trees to different readers would not be noticed here.";
            self.say("witnessed", Standing::NotChecked, text);
        }
        if let Some(time) = checked.log_time {
            let text = format!("By the log's own clock, the head was made at {}.", rfc3339(time.millis()));
            self.say("head_time", Standing::Committed, text);
        }
    }

    /// What stands in the entry because the log put it there.
    pub(super) fn log_words(&mut self, head: &Head, entry: &Entry, claim: Option<&Claim>, index: LeafIndex) {
        let word = head.word();
        let logged_at = rfc3339(entry.timestamp);
        // For a head (n, T), every entry below n has whole seconds of at most T.
        match head.checked.as_ref().and_then(|checked| checked.log_time) {
            Some(time) if entry.timestamp.0 / 1000 > time.0 => {
                self.say(
                    "logged_at",
                    Standing::Failed,
                    format!("The log took the claim at {logged_at}, before it made the head."),
                );
            }
            _ => self.say("logged_at", word, format!("The log took the claim at {logged_at}.")),
        }
        // A link names an entry that was there before.
        let standing = |link: LeafIndex| if link < index { word } else { Standing::Failed };
        let is_of_log = claim.is_some_and(|claim| matches!(claim.body, Body::Log(_)));
        match (entry.links.registry, entry.links.constitution) {
            (None, Some(constitution)) if is_of_log => self.say(
                "entitled",
                standing(constitution),
                format!("The operators changed the log's rules; in force before was entry {constitution}."),
            ),
            (Some(registry), _) => self.say(
                "entitled",
                standing(registry),
                format!("The key was entitled to speak for the issuer, whose last registry entry was {registry}."),
            ),
            (None, Some(constitution)) => self.say(
                "entitled",
                standing(constitution),
                "This is the issuer's first registry entry, admitted by a registrar.",
            ),
            (None, None) => {
                let standing = if index == LeafIndex(0) { word } else { Standing::Failed };
                self.say("entitled", standing, format!("This is the log's constitution, entry {index}."));
            }
        }
        match entry.links.previous {
            Some(previous) => {
                self.say("previous", standing(previous), format!("The entry before it in its slot is {previous}."));
            }
            None => self.say("previous", word, "Its slot has no entry before it."),
        }
    }

    /// Checks the signatures whose keys are at hand.
    pub(super) fn signatures(&mut self, entry: &Entry, claim: Option<&Claim>, keys: &[PublicKey], log_signed: bool) {
        let mut known: Vec<PublicKey> = keys.to_vec();
        match claim.map(|claim| &claim.body) {
            Some(Body::Issuer(body)) => known.extend(body.keys.iter().map(|added| added.key)),
            Some(Body::Log(body)) => {
                known.extend(body.operator_keys.iter().chain(&body.registrar_keys).map(|key| key.key));
            }
            _ => {}
        }
        let message = pae(&entry.payload_type, &entry.payload);
        for by in &entry.signatures {
            let (standing, text) = match known.iter().find(|key| key.id() == by.key_id) {
                Some(key) if key.verify(&message, &by.signature).is_ok() => {
                    (Standing::Proven, format!("The key {} signed this claim.", by.key_id))
                }
                Some(_) => (Standing::Failed, format!("The key {} signed this claim.", by.key_id)),
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
            self.say("signed", standing, text);
        }
    }

    /// What the issuer says, and what follows from it for a log that keeps its rules.
    pub(super) fn claim(&mut self, head: &Head, entry: &Entry, claim: Option<&Claim>, index: LeafIndex) {
        let Some(claim) = claim else {
            let text =
                format!("The payload ({}) is not a claim in a form that this version reads.", entry.payload_type);
            self.say("claim", Standing::NotChecked, text);
            return;
        };
        let about =
            claim.subject.as_ref().map(|s| format!(" about {} {}", s.manufacturer, s.model)).unwrap_or_default();
        let text = format!("{} as {} says {} ({}){about}.", claim.issuer, claim.role, claim.claim_type, claim.rel.kind);
        self.say("claim", Standing::Asserted, text);
        self.say("asserted_at", Standing::Asserted, format!("The issuer says it spoke at {}.", claim.asserted_at));
        self.address(head, claim, index);
        if let Some(limit) = &claim.submit_before {
            let holds = i128::from(entry.timestamp.0) <= i128::from(limit.millis());
            let text = format!("The log took it before the issuer's limit, {limit}.");
            self.say("in_time", if holds { head.word() } else { Standing::Failed }, text);
        }
    }

    /// The claim names this log, and the head it is anchored to can have existed before it.
    fn address(&mut self, head: &Head, claim: &Claim, index: LeafIndex) {
        let origin = head.text.origin();
        let Some(named) = claim.logs.iter().find(|log| log.origin.as_str() == origin) else {
            let meant: Vec<_> = claim.logs.iter().map(|log| log.origin.as_str()).collect();
            let text = format!("The claim is meant for {origin} (it names {}).", meant.join(", "));
            self.say("addressed", Standing::Failed, text);
            return;
        };
        self.say("addressed", Standing::Proven, format!("The claim is meant for {origin}."));
        if let LogRef { size: Some(size), root: Some(root), .. } = named {
            let (standing, text) = anchor(head, index, *size, *root);
            self.say("anchored", standing, text);
        }
    }
}

/// What can be said of the head that a claim names, from one other head of the same log.
fn anchor(head: &Head, index: LeafIndex, size: TreeSize, root: Hash) -> (Standing, String) {
    let shown = head.text.size();
    let text = format!("The claim was signed after the head of {size} entries existed");
    if size > shown {
        return (Standing::Failed, format!("{text} (the tree it is shown in has only {shown})."));
    }
    if size == shown && root != head.text.root() {
        return (Standing::Failed, format!("{text} (it names another root than this head of the same size)."));
    }
    if size > TreeSize(index.0) {
        return (Standing::Failed, format!("{text} (it is itself entry {index}, in that very head)."));
    }
    if size == TreeSize(0) && root != Hash::EMPTY_ROOT {
        return (Standing::Failed, format!("{text} (an empty tree has another root)."));
    }
    (head.word(), format!("{text}."))
}

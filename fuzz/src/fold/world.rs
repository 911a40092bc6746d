//! A log in memory that checks, with books of its own, what the fold says.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proto::claim::{Claim, ClaimId, ClaimType, PAYLOAD_TYPE};
use proto::code::Code;
use proto::dsse::Envelope;
use proto::ed25519::SecretKey;
use proto::entry::{Entry, Links};
use proto::fold::{self, Changes, Checked, Stop, Submission, check_signatures, decide};
use proto::num::{LeafIndex, Millis};

use super::act::Act;
use crate::seeds::key;

/// 2027-01-15T08:00:00Z, the time of entry 0.
pub(super) const START_MS: u64 = 1_800_000_000_000;

/// A log, and what was seen of it.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) state: HashMap<Vec<u8>, Vec<u8>>,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    entries: Vec<Vec<u8>>,
    /// Ids of the claims, by index.
    pub(super) ids: Vec<ClaimId>,
    /// The claims as they were sent, by index.
    pub(super) claims: Vec<serde_json::Value>,
    /// The log's time, in milliseconds since 1970.
    pub(super) now_ms: u64,
    /// Entries that a later one named as the last of its chain.
    followed: BTreeSet<u64>,
    /// The last registry entry of each issuer.
    registry: BTreeMap<String, u64>,
}

impl World {
    /// Submits a claim; whether it was accepted. Panics when a property does not hold.
    pub(super) fn submit(&mut self, act: &Act) -> bool {
        let payload = serde_json::to_vec(&act.claim).expect("JSON can be written");
        let keys: Vec<SecretKey> = act.signers.iter().map(|name| key(name)).collect();
        let envelope = Envelope::sign(PAYLOAD_TYPE, &payload, &keys.iter().collect::<Vec<_>>());
        let Ok(submission) = Submission::from_envelope(envelope) else { return false };
        let before = (self.state.len(), self.rows.len());
        let Some(checked) = taken(check_signatures(submission, &self.state)) else { return false };
        let (index, now) = (LeafIndex(self.entries.len() as u64), Millis(self.now_ms));
        let decision = decide(index, now, &checked, &self.state);
        let again = decide(index, now, &checked, &self.state);
        let (decision, again) = (taken(decision), taken(again));
        assert_eq!(decision, again, "the same question has the same answer");
        let Some(decision) = decision else {
            assert_eq!(before, (self.state.len(), self.rows.len()), "a refusal changes nothing");
            return false;
        };
        let bytes = checked.encode_entry(now, decision.links).expect("what is accepted can be written");
        assert!(bytes.len() <= decision.max_entry_bytes);
        let entry = Entry::decode(&bytes).expect("what is written can be read");
        assert_eq!((entry.timestamp, entry.links), (now, decision.links));
        assert_eq!(fold::entry_digest(&entry), checked.submission().digest());
        assert_eq!(
            taken(fold::step(index, &entry, &self.state)).as_ref(),
            Some(&decision.changes),
            "an auditor agrees"
        );
        self.wrong_links_are_refused(index, &checked, &entry);
        self.links_are_right(index, &checked, decision.links);
        self.apply(decision.changes);
        self.entries.push(bytes);
        self.ids.push(checked.id());
        self.claims.push(act.claim.clone());
        let next = LeafIndex(index.0 + 1);
        match decide(next, now, &checked, &self.state) {
            Err(Stop::Refused(refused)) => {
                assert!(matches!(refused.code, Code::EntryDuplicate | Code::ModeFrozen), "{refused}");
            }
            other => panic!("the same claim again: {other:?}"),
        }
        true
    }

    fn apply(&mut self, changes: Changes) {
        let keys: BTreeSet<_> = changes.state.iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), changes.state.len(), "a key is put once in a step");
        self.state.extend(changes.state);
        self.rows.extend(changes.rows);
    }

    /// An entry that says other links than the rules give is refused, whichever of the three it is.
    fn wrong_links_are_refused(&self, index: LeafIndex, checked: &Checked, entry: &Entry) {
        let other = |link: Option<LeafIndex>| match link {
            Some(LeafIndex(0)) | None => Some(LeafIndex(index.0 + 1)),
            Some(LeafIndex(n)) => Some(LeafIndex(n - 1)),
        };
        let right = entry.links;
        let wrong = [
            Links { constitution: other(right.constitution), ..right },
            Links { registry: other(right.registry), ..right },
            Links { previous: other(right.previous), ..right },
        ];
        for links in wrong {
            match fold::step_checked(index, entry.timestamp, links, checked, &self.state) {
                Err(Stop::Refused(refused)) => assert_eq!(refused.code, Code::EntryLink),
                other => panic!("wrong links {links:?}: {other:?}"),
            }
        }
    }

    /// Links point back; each entry is followed by one other in its chain; the registry link is the issuer's last entry.
    fn links_are_right(&mut self, index: LeafIndex, checked: &Checked, links: Links) {
        let claim: &Claim = checked.claim();
        for link in [links.constitution, links.registry, links.previous].into_iter().flatten() {
            assert!(link < index, "a link points back");
        }
        assert_eq!(links.constitution.is_none(), index.0 == 0, "a constitution is in force from entry 0 on");
        if let Some(previous) = links.previous {
            assert!(self.followed.insert(previous.0), "entry {previous} is the previous one of two entries");
        }
        let issuer = claim.issuer.as_str().to_owned();
        let registry = if claim.claim_type == ClaimType::Log { None } else { self.registry.get(&issuer).copied() };
        assert_eq!(links.registry.map(|link| link.0), registry, "the last registry entry of {issuer}");
        if claim.claim_type == ClaimType::Issuer {
            assert_eq!(links.previous, links.registry, "a registry entry follows the last one");
            self.registry.insert(issuer, index.0);
        }
    }

    /// Folds all entries again, from nothing: the state and the rows must be the same.
    pub(super) fn refold(&self) {
        let mut other = World::default();
        for (n, bytes) in self.entries.iter().enumerate() {
            let entry = Entry::decode(bytes).expect("it was written here");
            let changes = taken(fold::step(LeafIndex(n as u64), &entry, &other.state));
            other.apply(changes.expect("it was accepted before"));
        }
        assert!(other.state == self.state && other.rows == self.rows, "a second fold comes to the same");
        let found = taken(fold::constitution(&self.state)).flatten();
        assert_eq!(found.is_some(), !self.entries.is_empty());
    }
}

/// What was decided; `None` is a refusal. A state that we wrote ourselves is never corrupt, and the rules are known.
fn taken<T, E: std::fmt::Debug>(result: Result<T, Stop<E>>) -> Option<T> {
    match result {
        Ok(taken) => Some(taken),
        Err(Stop::Refused(_) | Stop::UnknownRules(_)) => None,
        Err(stop) => panic!("neither accepted nor refused: {stop:?}"),
    }
}

//! The state before an entry, as far as a file shows it.
//!
//! What is shown has the value that the fold of an honest log has. What is not shown and could make the rules refuse the
//! entry is [`NotKnown`]. What is not shown and could only make them refuse is left absent where absence never refuses: a
//! key that is about to be enrolled, the claim's own id, the slot of a new claim.

use std::collections::{HashMap, HashSet};

use super::registry::Registry;
use super::shown::Shown;
use super::verify::{NotProven, harmless};
use crate::claim::body::LogBody;
use crate::claim::{Body, Claim, ClaimId, ClaimType, RelKind};
use crate::ed25519::PublicKey;
use crate::entry::Entry;
use crate::fold::{
    ClaimRecord, KeyHolder, KeyRecord, LogRecord, SlotRecord, State, StateKey, Submission, constitution_record,
    slot_name,
};
use crate::num::LeafIndex;

/// A value that the file does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rules read what the file does not show")]
pub(super) struct NotKnown;

/// The state that a file shows: `None` for what is known to be absent, or absent where that never refuses.
#[derive(Default)]
pub(super) struct Known {
    values: HashMap<Vec<u8>, Option<Vec<u8>>>,
    /// Keys that may be another issuer's, whose chain is not linked.
    foreign: HashSet<Vec<u8>>,
}

impl State for Known {
    type Error = NotKnown;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, NotKnown> {
        match self.values.get(key) {
            Some(value) => Ok(value.clone()),
            None if self.foreign.contains(key) => Err(NotKnown),
            // A key that signed and is not shown has no right to; of any other, only being taken already could refuse.
            None if key.starts_with(&KEY_PREFIX) => Ok(None),
            None => Err(NotKnown),
        }
    }
}

/// How the state keys of kind `key` begin: an array of two, the text `key`.
const KEY_PREFIX: [u8; 5] = [0x82, 0x63, b'k', b'e', b'y'];

impl Known {
    fn put(&mut self, key: StateKey<'_>, value: &impl minicbor::Encode<()>) {
        let bytes = minicbor::to_vec(value).unwrap_or_default(); // a Vec takes every byte
        self.values.insert(key.encode(), Some(bytes));
    }

    fn absent(&mut self, key: StateKey<'_>) {
        self.values.insert(key.encode(), None);
    }

    /// Nothing was before entry 0.
    pub(super) fn before_entry_0(claim: &Submission) -> Known {
        let mut known = Known::default();
        known.absent(StateKey::Log);
        known.absent(StateKey::Claim(&claim.id()));
        known
    }

    /// The state before the claim of `entry`, which is at `index`.
    pub(super) fn before(
        index: LeafIndex,
        entry: &Entry,
        claim: &Submission,
        shown: &Shown,
    ) -> Result<Known, NotProven> {
        let (at, constitution) = shown.constitution_of(index)?;
        let Body::Log(body) = &constitution.body else { return harmless("the constitution is none") };
        let mut known = Known::default();
        known.log(at, body, entry);
        known.absent(StateKey::Claim(&claim.id()));
        match claim.claim().claim_type {
            ClaimType::Log => {}
            ClaimType::Issuer => {
                known.registry(entry, claim, shown)?;
                known.foreign_signers(claim);
            }
            _ => {
                known.registry(entry, claim, shown)?;
                known.target(index, claim.claim(), body, shown);
            }
        }
        Ok(known)
    }

    /// The constitution that the entry links to, and the keys it names. A change that waits does not count yet, and
    /// times before are not shown: neither could make the rules take what they refuse.
    fn log(&mut self, at: LeafIndex, body: &LogBody, entry: &Entry) {
        let current = constitution_record(body, at.0);
        let last = entry.links.previous.map_or(at.0, |previous| previous.0);
        self.put(StateKey::Log, &LogRecord { current, pending: None, last, last_timestamp: 0 });
        self.put(StateKey::Time, &0u64);
        for (keys, holder) in [(&body.operator_keys, KeyHolder::Operator), (&body.registrar_keys, KeyHolder::Registrar)]
        {
            for key in keys {
                self.log_key(&key.key, holder, at);
            }
        }
    }

    fn log_key(&mut self, key: &PublicKey, holder: KeyHolder, at: LeafIndex) {
        let record = KeyRecord {
            holder,
            issuer: String::new(),
            spki: key.to_spki(),
            added: at.0,
            from_ms: 0,
            until_ms: None,
            revoked: None,
        };
        self.put(StateKey::Key(&key.id()), &record);
    }

    /// The claim's issuer by its registry chain. Who is no key of it, of the operator or of a registrar in force has no
    /// right to sign, enrolled elsewhere or not.
    fn registry(&mut self, entry: &Entry, claim: &Submission, shown: &Shown) -> Result<(), NotProven> {
        let issuer = claim.claim().issuer.as_str();
        let registry = Registry::of_chain(shown, entry.links.registry, issuer)?;
        match &registry.issuer {
            Some(record) => self.put(StateKey::Issuer(issuer), record),
            None => self.absent(StateKey::Issuer(issuer)),
        }
        for (id, key) in &registry.keys {
            self.put(StateKey::Key(id), key);
        }
        if let Some(id) = &claim.claim().authority {
            match registry.authorities.get(id) {
                Some(authority) => self.put(StateKey::Authority(id), authority),
                None => self.absent(StateKey::Authority(id)), // a right of this issuer would be in its chain
            }
        }
        Ok(())
    }

    /// With a mandate or succession, admin keys of its giver sign too, and the giver's chain is not linked.
    fn foreign_signers(&mut self, claim: &Submission) {
        let Body::Issuer(body) = &claim.claim().body else { return };
        if body.mandate.is_none() && body.successor_of.is_none() {
            return;
        }
        self.foreign = claim.signatures().iter().map(|by| StateKey::Key(&by.key_id).encode()).collect();
    }

    /// The claim that is replaced, withdrawn, confirmed or disputed, when the file shows it.
    fn target(&mut self, index: LeafIndex, claim: &Claim, body: &LogBody, shown: &Shown) {
        let Some(target) = &claim.rel.target else {
            return self.absent_slot(claim);
        };
        if target.origin.as_ref().is_some_and(|origin| *origin != body.origin) {
            return self.absent_slot(claim);
        }
        let Some(at) = shown.find(&target.id) else { return };
        if at >= index {
            // An id stands once: what comes later was not there before.
            return self.absent(StateKey::Claim(&target.id));
        }
        let Ok(found) = shown.under_rules_1(at) else { return };
        self.shown_target(at, found, claim, is_withdrawn(index, &target.id, body, shown));
    }

    fn shown_target(&mut self, at: LeafIndex, found: &Submission, claim: &Claim, withdrawn: bool) {
        let target = found.claim();
        let full = !target.rel.kind.is_about_target() && !target.claim_type.is_registry();
        let in_no_slot = target.claim_type.is_registry();
        let record = ClaimRecord {
            index: at.0,
            slot: (!in_no_slot).then_some(at.0),
            issuer: target.issuer.as_str().to_owned(),
            full,
            head: false,
            withdrawn,
            claim_type: in_no_slot.then(|| target.claim_type.as_str().to_owned()),
            head_before: None,
            head_after: None,
        };
        self.put(StateKey::Claim(&found.id()), &record);
        // Whose slot it is in is known when it used no right to replace another's claim: then it is its issuer's.
        if !full || (target.authority.is_some() && target.rel.target.is_some()) {
            return;
        }
        let product = target.product();
        let (manufacturer, model) = product.map(|product| (product.manufacturer, product.model_normalised)).unzip();
        let slot = SlotRecord {
            issuer: target.issuer.as_str().to_owned(),
            claim_type: target.claim_type.as_str().to_owned(),
            manufacturer: manufacturer.unwrap_or_default(),
            model: model.unwrap_or_default(),
            last: at.0,
            entries: 1,
            heads: 0,
            current: None,
        };
        self.put(StateKey::Slot(at.0), &slot);
        let its = slot_name(
            target.issuer.as_str(),
            target,
            target.product().as_ref(),
            &target.slot_key().unwrap_or_default(),
        );
        for owner in [claim.issuer.as_str(), target.issuer.as_str()] {
            let own = slot_name(owner, claim, claim.product().as_ref(), &claim.slot_key().unwrap_or_default());
            match own == its {
                true => self.put(StateKey::SlotOf(&own), &at.0),
                false => self.absent(StateKey::SlotOf(&own)),
            }
        }
    }

    /// A claim that stands in a slot of its own: whether the slot is new changes nothing about its right to speak.
    fn absent_slot(&mut self, claim: &Claim) {
        let own =
            slot_name(claim.issuer.as_str(), claim, claim.product().as_ref(), &claim.slot_key().unwrap_or_default());
        self.absent(StateKey::SlotOf(&own));
    }
}

/// Whether the file shows that the target was withdrawn before `index`.
fn is_withdrawn(index: LeafIndex, target: &ClaimId, body: &LogBody, shown: &Shown) -> bool {
    let withdraws = |at: LeafIndex| {
        let Ok(claim) = shown.under_rules_1(at).map(Submission::claim) else { return false };
        let here = |origin: &crate::claim::Origin| *origin == body.origin;
        let named = claim.rel.target.as_ref().filter(|named| named.origin.as_ref().is_none_or(here));
        claim.rel.kind == RelKind::Withdraw && named.is_some_and(|named| named.id == *target)
    };
    shown.others().take_while(|at| *at < index).any(withdraws)
}

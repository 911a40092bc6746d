//! Claims about products: slots, their heads, and what a claim does to its target.
//!
//! A slot is (issuer, manufacturer, normalised model, type, slot key). Its entries form a chain by `previous`. Its heads
//! are the claims that nobody replaced or withdrew, kept as a doubly linked list in the order of their indices, so that
//! every change costs the same however many there are; the last head is the current claim.

use minicbor::Encoder;

use super::{AuthorityRecord, Checked, ClaimRecord, SlotRecord, State, StateKey, Step, Stop, record, row};
use crate::claim::{Claim, ClaimId, ClaimType, ProductKey, RelKind, Target};
use crate::code::{Code, Refused};
use crate::hash::Hash;
use crate::num::LeafIndex;

/// SHA-256 over the canonical CBOR of the slot's tuple.
pub(crate) fn slot_name(issuer: &str, claim: &Claim, product: Option<&ProductKey>, slot_key: &str) -> Hash {
    name_of(issuer, &claim.claim_type, product, slot_key)
}

/// The same for a claim of this type.
pub(super) fn name_of(issuer: &str, claim_type: &ClaimType, product: Option<&ProductKey>, slot_key: &str) -> Hash {
    let (manufacturer, model) = parts_of(product);
    let mut bytes = Vec::with_capacity(128);
    let mut out = Encoder::new(&mut bytes);
    for part in [issuer, manufacturer, model, claim_type.as_str(), slot_key] {
        let written = out.str(part).is_ok();
        debug_assert!(written, "a Vec takes every byte");
    }
    Hash::of_parts(&[&[0x85], &bytes]) // 0x85: the head of an array of five
}

/// Manufacturer and normalised model; empty without a product.
fn product_of(checked: &Checked) -> (&str, &str) {
    parts_of(checked.submission().product())
}

fn parts_of(product: Option<&ProductKey>) -> (&str, &str) {
    product.map_or(("", ""), |product| (&product.manufacturer, &product.model_normalised))
}

/// The slot a claim goes to: its number is the index of its first entry.
struct Place {
    first: u64,
    slot: SlotRecord,
    /// The slot's name, when the claim is its first entry.
    new: Option<Hash>,
}

impl<S: State> Step<'_, S> {
    /// A claim that is neither constitution nor registry.
    pub(super) fn speak(&mut self) -> Result<(), Stop<S::Error>> {
        let issuer = self.entitled_issuer()?;
        let authority = self.named_authority()?;
        self.check_subject(authority.as_ref())?;
        self.links.registry = Some(LeafIndex(issuer.last));
        let claim = self.checked.claim();
        let target = match &claim.rel.target {
            Some(target) if self.is_here(target) => Some(self.target(target, authority.as_ref())?),
            _ => None,
        };
        let mut place = match (claim.rel.kind.is_about_target(), &target) {
            (false, target) => Some(self.place_of_body(target.as_ref(), authority.as_ref())?),
            (true, Some((_, record))) => self.place_of_target(record)?,
            (true, None) => None, // about a claim of another log: in no slot here, kept as not checked
        };
        self.links.previous =
            place.as_ref().filter(|place| place.new.is_none()).map(|place| LeafIndex(place.slot.last));
        self.act(place.as_mut(), target)?;
        row::write(self, place.as_ref().map(|place| (place.first, place.new.is_some())), &issuer);
        if let Some(Place { first, mut slot, .. }) = place {
            slot.last = self.index.0;
            slot.entries += 1;
            self.changes.put(StateKey::Slot(first), &slot);
        }
        Ok(())
    }

    fn is_here(&self, target: &Target) -> bool {
        let own = self.log.as_ref().map(|log| log.current.origin.as_str());
        target.origin.as_ref().is_none_or(|origin| Some(origin.as_str()) == own)
    }

    /// The claim that is replaced, withdrawn, confirmed or disputed, and the right to do so.
    fn target(
        &self,
        target: &Target,
        authority: Option<&AuthorityRecord>,
    ) -> Result<(ClaimId, ClaimRecord), Stop<S::Error>> {
        let at = "/rel/target/id";
        let claim = self.checked.claim();
        let Some(found) = self.view.claim(&target.id)? else {
            let message = format!("{} is not in this log; name the `origin` of the log it is in", target.id);
            return Err(Refused::at(Code::TargetUnknown, at, message).into());
        };
        if found.withdrawn {
            return Err(Refused::at(
                Code::TargetWithdrawn,
                at,
                format!("{} was withdrawn; make a new claim", target.id),
            )
            .into());
        }
        if claim.rel.kind.replaces() && !found.full {
            let message = format!("{} says nothing that could be replaced", target.id);
            return Err(Refused::at(Code::TargetKind, at, message).into());
        }
        let mut owner = found.issuer.clone();
        if let Some(slot) = found.slot {
            let slot = self.view.slot(slot)?.ok_or_else(|| Stop::Corrupt(format!("slot {slot}")))?;
            self.check_slot(&slot)?;
            if found.full {
                owner = slot.issuer; // what a representative says for a maker is the maker's, also once its mandate is over
            }
        } else if found.claim_type.as_deref() != Some(claim.claim_type.as_str()) {
            return Err(wrong_type(found.claim_type.as_deref().unwrap_or("another type")).into());
        }
        let anyone = matches!(claim.rel.kind, RelKind::Confirm | RelKind::Dispute);
        if !anyone && owner != claim.issuer.as_str() && authority.is_none_or(|authority| authority.from != owner) {
            let message =
                format!("only {owner}, its successor or its representative can {} this claim", claim.rel.kind);
            return Err(Refused::at(Code::RightTarget, at, message).into());
        }
        Ok((target.id, found))
    }

    /// Type and product of the target are the claim's own.
    fn check_slot(&self, slot: &SlotRecord) -> Result<(), Refused> {
        if slot.claim_type != self.checked.claim().claim_type.as_str() {
            return Err(wrong_type(&slot.claim_type));
        }
        if (slot.manufacturer.as_str(), slot.model.as_str()) != product_of(self.checked) {
            let message = format!("the target is about {} / {}, this claim is not", slot.manufacturer, slot.model);
            return Err(Refused::at(Code::TargetSlot, "/subject", message));
        }
        Ok(())
    }

    /// The slot of a claim with a body: by its own name, in the target's owner's name when a right to that is used.
    fn place_of_body(
        &self,
        target: Option<&(ClaimId, ClaimRecord)>,
        authority: Option<&AuthorityRecord>,
    ) -> Result<Place, Stop<S::Error>> {
        let claim = self.checked.claim();
        let slot_key = claim.slot_key().unwrap_or_default();
        let owner = match target {
            Some((_, ClaimRecord { slot: Some(first), .. })) => self
                .view
                .slot(*first)?
                .map(|slot| slot.issuer)
                .filter(|owner| authority.is_some_and(|a| a.from == *owner)),
            _ => None,
        };
        let owner = owner.unwrap_or_else(|| claim.issuer.as_str().to_owned());
        let name = slot_name(&owner, claim, self.checked.submission().product(), &slot_key);
        let found = self.view.slot_of(&name)?;
        if let Some((id, record)) = target
            && record.slot != found
        {
            let message = format!("{id} is in another slot (another version, id, certificate or unit)");
            return Err(Refused::at(Code::TargetSlot, "/rel/target/id", message).into());
        }
        match found {
            Some(first) => {
                let slot = self.view.slot(first)?.ok_or_else(|| Stop::Corrupt(format!("slot {first}")))?;
                Ok(Place { first, slot, new: None })
            }
            None => Ok(Place { first: self.index.0, slot: new_slot(owner, self.checked), new: Some(name) }),
        }
    }

    fn place_of_target(&self, target: &ClaimRecord) -> Result<Option<Place>, Stop<S::Error>> {
        let Some(first) = target.slot else { return Ok(None) };
        let slot = self.view.slot(first)?.ok_or_else(|| Stop::Corrupt(format!("slot {first}")))?;
        Ok(Some(Place { first, slot, new: None }))
    }

    /// Changes the heads: the target leaves them when it is replaced or withdrawn, a claim with a body joins them.
    fn act(
        &mut self,
        mut place: Option<&mut Place>,
        target: Option<(ClaimId, ClaimRecord)>,
    ) -> Result<(), Stop<S::Error>> {
        let checked = self.checked;
        let kind = checked.claim().rel.kind;
        let mut own = ClaimRecord {
            index: self.index.0,
            slot: place.as_ref().map(|place| place.first),
            issuer: checked.claim().issuer.as_str().to_owned(),
            full: !kind.is_about_target(),
            head: false,
            withdrawn: false,
            claim_type: place.is_none().then(|| checked.claim().claim_type.as_str().to_owned()),
            head_before: None,
            head_after: None,
        };
        // Neighbours in the list of heads are at most three; they are changed here and put once.
        let mut touched = Touched::default();
        if let Some((id, record)) = target {
            touched.put(id, record);
            if let (true, Some(place)) = (kind.replaces() || kind == RelKind::Withdraw, place.as_deref_mut()) {
                self.unlink(&mut touched, place, id)?;
            }
            if kind == RelKind::Withdraw {
                touched.change(id, |record| record.withdrawn = true);
            }
        }
        if let (true, Some(place)) = (own.full, place) {
            self.link_last(&mut touched, place, &mut own)?;
            if let Some(name) = place.new {
                self.changes.state.push((StateKey::SlotOf(&name).encode(), record::encode(&place.first)));
            }
        }
        for (id, record) in touched.0.into_iter().filter(|(_, _, changed)| *changed).map(|(id, record, _)| (id, record))
        {
            self.changes.put(StateKey::Claim(&id), &record);
        }
        self.changes.put(StateKey::Claim(&checked.id()), &own);
        Ok(())
    }

    /// Takes a head out of its slot's list.
    fn unlink(&self, touched: &mut Touched, place: &mut Place, id: ClaimId) -> Result<(), Stop<S::Error>> {
        let Some(record) = touched.find(&id).filter(|record| record.head).cloned() else { return Ok(()) };
        let before = record.head_before.map(|id| ClaimId(Hash(id)));
        let after = record.head_after.map(|id| ClaimId(Hash(id)));
        for neighbour in [before, after].into_iter().flatten() {
            self.load(touched, neighbour)?;
        }
        if let Some(before) = before {
            touched.change(before, |neighbour| neighbour.head_after = record.head_after);
        }
        match after {
            Some(after) => touched.change(after, |neighbour| neighbour.head_before = record.head_before),
            None => place.slot.current = record.head_before,
        }
        place.slot.heads = place.slot.heads.saturating_sub(1);
        touched.change(id, |record| {
            record.head = false;
            record.head_before = None;
            record.head_after = None;
        });
        Ok(())
    }

    /// Puts the new claim at the end of its slot's list.
    fn link_last(&self, touched: &mut Touched, place: &mut Place, own: &mut ClaimRecord) -> Result<(), Stop<S::Error>> {
        own.head = true;
        own.head_before = place.slot.current;
        if let Some(last) = place.slot.current.map(|id| ClaimId(Hash(id))) {
            self.load(touched, last)?;
            touched.change(last, |record| record.head_after = Some(self.checked.id().0.0));
        }
        place.slot.current = Some(self.checked.id().0.0);
        place.slot.heads += 1;
        Ok(())
    }

    fn load(&self, touched: &mut Touched, id: ClaimId) -> Result<(), Stop<S::Error>> {
        if touched.find(&id).is_none() {
            let record = self.view.claim(&id)?.ok_or_else(|| Stop::Corrupt(format!("claim {id}")))?;
            touched.put(id, record);
        }
        Ok(())
    }
}

/// Claim records under change, with a mark on those that did change.
#[derive(Default)]
struct Touched(Vec<(ClaimId, ClaimRecord, bool)>);

impl Touched {
    fn put(&mut self, id: ClaimId, record: ClaimRecord) {
        self.0.push((id, record, false));
    }

    fn find(&self, id: &ClaimId) -> Option<&ClaimRecord> {
        self.0.iter().find(|(known, _, _)| known == id).map(|(_, record, _)| record)
    }

    fn change(&mut self, id: ClaimId, change: impl FnOnce(&mut ClaimRecord)) {
        if let Some((_, record, changed)) = self.0.iter_mut().find(|(known, _, _)| *known == id) {
            change(record);
            *changed = true;
        }
    }
}

fn new_slot(issuer: String, checked: &Checked) -> SlotRecord {
    let (manufacturer, model) = product_of(checked);
    let (manufacturer, model) = (manufacturer.to_owned(), model.to_owned());
    let claim_type = checked.claim().claim_type.as_str().to_owned();
    SlotRecord { issuer, claim_type, manufacturer, model, last: 0, entries: 0, heads: 0, current: None }
}

fn wrong_type(found: &str) -> Refused {
    Refused::at(Code::TargetType, "/rel/target/id", format!("the target is of type {found}; `type` must be the same"))
}

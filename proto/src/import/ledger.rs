//! Decides for every row whether it is a claim, was said before, or is refused, and keeps the report's counts.

use std::collections::{HashMap, HashSet};

use super::draft::{Draft, Frame};
use super::report::{Place, Reason, RefusedRow, Report};
use crate::claim::{Claim, ClaimType, Instant, IssuerId, LogRef, Manufacturer, Origin, ProductKey, Role};
use crate::code::{Code, Refused};
use crate::hash::Hash;

/// What happens to a row whose slot an earlier row of this import took, and that says something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotRule {
    /// It is refused: which of the two is newer is not for the importer to say.
    Refuse,
    /// It is a claim of its own: two different statements about one slot are what readers want to see.
    Keep,
}

/// The slot of a row, within one import: the issuer and the type are the same for all.
type Slot = (ProductKey, String);

/// Rows so far.
#[derive(Debug)]
pub(super) struct Ledger {
    rule: SlotRule,
    probe: Result<Frame, Refused>,
    documents: HashSet<Hash>,
    slots: HashMap<Slot, Vec<Hash>>,
    pub(super) report: Report,
}

impl Ledger {
    pub(super) fn new(rule: SlotRule) -> Ledger {
        Ledger { rule, probe: probe(), documents: HashSet::new(), slots: HashMap::new(), report: Report::default() }
    }

    /// Takes a document in; `false` when the same bytes were given before.
    pub(super) fn document(&mut self, source: &str, digest: Hash) -> bool {
        self.report.documents += 1;
        let is_new = self.documents.insert(digest);
        if !is_new {
            self.report.documents_seen_again.push(Place { source: source.to_owned(), at: String::new() });
        }
        is_new
    }

    /// A document of which nothing is taken.
    pub(super) fn refuse_document(&mut self, source: &str, at: String, reason: Reason, message: String) {
        let place = Place { source: source.to_owned(), at };
        self.report.documents_refused.push(RefusedRow { place, reason, message });
    }

    /// A row that cannot become a draft.
    pub(super) fn refuse(&mut self, place: Place, reason: Reason, message: impl Into<String>) {
        self.report.rows += 1;
        self.report.refused.push(RefusedRow { place, reason, message: message.into() });
    }

    /// A row that became a draft. `said` is what makes two rows of one slot say the same.
    pub(super) fn admit(&mut self, place: Place, draft: Draft, said: Hash, maker: &str) -> Option<Draft> {
        let claim = match self.read_back(&draft) {
            Ok(claim) => claim,
            Err(refused) => {
                self.refuse(place, Reason::Form, refused.to_string());
                return None;
            }
        };
        let (Some(product), Some(slot_key)) = (claim.product(), claim.slot_key()) else {
            self.refuse(place, Reason::Form, "a claim about no product");
            return None;
        };
        let taken = self.slots.entry((product, slot_key)).or_default();
        if taken.contains(&said) {
            self.report.rows += 1;
            self.report.seen_again.push(place);
            return None;
        }
        if !taken.is_empty() && self.rule == SlotRule::Refuse {
            let message = "an earlier row of this import says something else about the same vulnerability, product and \
                           advisory; import the newer one alone and supersede the older claim";
            self.refuse(place, Reason::SlotTaken, message);
            return None;
        }
        taken.push(said);
        self.report.rows += 1;
        self.report.claims += 1;
        self.count_maker(&claim, maker);
        Some(draft)
    }

    fn read_back(&self, draft: &Draft) -> Result<Claim, Refused> {
        let frame = self.probe.as_ref().map_err(Clone::clone)?;
        draft.complete(frame).map(|(_, claim)| claim)
    }

    fn count_maker(&mut self, claim: &Claim, spelling: &str) {
        match claim.subject.as_ref().map(|subject| &subject.manufacturer) {
            Some(Manufacturer::Issuer(id)) => {
                *self.report.placed_makers.entry(id.as_str().to_owned()).or_default() += 1;
            }
            _ => *self.report.unplaced_makers.entry(spelling.to_owned()).or_default() += 1,
        }
    }
}

/// A frame of the largest size, with which drafts are tried: what has the form here has it in every frame that is
/// valid itself.
fn probe() -> Result<Frame, Refused> {
    let bad = |error: &dyn std::fmt::Display| Refused::new(Code::ServerInternal, error.to_string());
    let log = |n: usize| Origin::parse(&format!("{n}.{}", "o".repeat(crate::claim::limits::ORIGIN_BYTES - 2)));
    let log_ref = |n| log(n).map(|origin| LogRef { origin, size: None, root: None });
    Ok(Frame {
        logs: (0..crate::claim::limits::MAX_LOGS).map(log_ref).collect::<Result<_, _>>().map_err(|e| bad(&e))?,
        issuer: IssuerId::parse("probe.example").map_err(|e| bad(&e))?,
        role: Role::Csirt,
        asserted_at: Instant::parse("2000-01-01T00:00:00Z").map_err(|e| bad(&e))?,
    })
}

/// The draft's claim type and body under one digest: what it says, apart from its subject's spelling.
pub(super) fn digest_of(claim_type: &ClaimType, said: &crate::json::Value) -> Hash {
    // A value of strings and finite numbers can always be written.
    let bytes = serde_json::to_vec(said).unwrap_or_default();
    Hash::of_parts(&[claim_type.as_str().as_bytes(), b"\0", &bytes])
}

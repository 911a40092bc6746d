//! One entry against the list.

use client::Error;
use client::follow::Judged;
use proto::claim::{Claim, ClaimId};
use proto::fold::{ClaimRecord, State, Stop, read};
use proto::query::finding::{Place, shown, worst};
use serde::{Deserialize, Serialize};

use super::beside::beside;
use super::list::Facts;
use super::{Before, Match, WatchList, diff};

/// What is kept of an entry that a watch is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// The claim's id in hex.
    pub id: String,
    /// Its payload: what a later claim is compared with. Absent when it says nothing that could be replaced.
    pub payload: Option<String>,
    /// What matched, if a watch did.
    pub matched: Option<Match>,
}

/// Gives the payload of an earlier claim, by its id and its entry, if it is at hand.
pub type Earlier<'a> = dyn Fn(&ClaimId, &ClaimRecord) -> Result<Option<Vec<u8>>, Error> + 'a;

/// The state with the entry's changes.
struct After<'a>(&'a Judged<'a>);

impl State for After<'_> {
    type Error = Error;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self.0.changes.state.iter().rev().find(|(changed, _)| changed == key) {
            Some((_, value)) => Ok(Some(value.clone())),
            None => self.0.read(key),
        }
    }
}

pub(super) fn state_error(stop: Stop<Error>) -> Error {
    match stop {
        Stop::State(error) => error,
        other => Error::local(format!("the state of the rules is damaged: {other}")),
    }
}

/// What there is to keep and to tell of an entry; nothing when no watch is about it.
pub fn judge(
    list: &WatchList,
    origin: &str,
    judged: &Judged<'_>,
    earlier: &Earlier<'_>,
) -> Result<Option<Noted>, Error> {
    let (claim, id) = (judged.checked.claim(), judged.checked.id());
    let after = After(judged);
    let slot_of =
        |state: &dyn Fn(u64) -> Result<Option<proto::fold::SlotRecord>, Stop<Error>>| match read::claim(&after, &id) {
            Ok(Some(ClaimRecord { slot: Some(first), .. })) => state(first).map_err(state_error),
            Ok(_) => Ok(None),
            Err(stop) => Err(state_error(stop)),
        };
    let slot = slot_of(&|first| read::slot(&after, first))?;
    let owner = slot.as_ref().map(|slot| slot.issuer.as_str()).filter(|owner| *owner != claim.issuer.as_str());
    let alone = Facts { origin, claim, owner, before: None };
    if !list.is_about(alone) && !list.looks_before() {
        return Ok(None);
    }
    // What stood there: the target if one is named, else what was current in the slot.
    let was = slot_of(&|first| read::slot(judged, first))?.and_then(|slot| slot.current);
    let before = claim.rel.target.as_ref().map(|target| target.id).or(was.map(|id| ClaimId(proto::hash::Hash(id))));
    let record = before.map(|id| read::claim(judged, &id).map_err(state_error)).transpose()?.flatten();
    let payload = match before.zip(record.as_ref()) {
        Some((id, record)) => earlier(&id, record)?,
        None => None,
    };
    let earlier_claim = payload.as_deref().and_then(|payload| Claim::parse(payload).ok());
    let facts = Facts { before: earlier_claim.as_ref(), ..alone };
    if !list.is_about(facts) {
        return Ok(None);
    }
    let issuer = read::issuer(judged, claim.issuer.as_str()).map_err(state_error)?;
    let holder = slot.as_ref().map_or(claim.issuer.as_str(), |slot| slot.issuer.as_str());
    let others = beside(claim, holder, judged, earlier)?;
    let place = Place {
        claim,
        time: judged.time,
        before: earlier_claim.as_ref(),
        beside: &others,
        heads: slot.as_ref().map_or(0, |slot| slot.heads),
        replay: issuer.is_some_and(|issuer| issuer.replay),
    };
    let findings = shown(place);
    let watches = list.of_claim(facts, &findings);
    let is_full = !claim.rel.kind.is_about_target();
    let own = judged.checked.submission().payload();
    let matched = (!watches.is_empty()).then(|| {
        let known = payload.is_some();
        // With a claim before that is not at hand, everything would look changed.
        let comparable = is_full && (known || before.is_none());
        let (changed, changed_left_out) =
            if comparable { diff::bodies(payload.as_deref(), own) } else { (Vec::new(), 0) };
        let subject = claim.subject.as_ref();
        Match {
            watches,
            severity: worst(&findings),
            id: id.to_string(),
            index: judged.index,
            time: judged.time,
            claim_type: claim.claim_type.to_string(),
            rel: claim.rel.kind.to_string(),
            issuer: claim.issuer.to_string(),
            role: claim.role.to_string(),
            manufacturer: subject.map(|subject| subject.manufacturer.to_string()),
            model: subject.map(|subject| subject.model.clone()),
            before: before.map(|id| Before {
                id: id.to_string(),
                index: record.as_ref().map(|record| proto::num::LeafIndex(record.index)),
                known,
            }),
            changed,
            changed_left_out,
            findings,
        }
    });
    let payload = is_full.then(|| String::from_utf8_lossy(own).into_owned());
    Ok(Some(Noted { id: id.0.to_string(), payload, matched }))
}

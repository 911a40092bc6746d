//! What else an issuer says that a claim is held against: a bounded number of its current claims, each found by the name of its place.

use client::Error;
use client::follow::Judged;
use proto::claim::{Body, Claim, ClaimId, ClaimType};
use proto::fold::read;
use proto::hash::Hash;

use super::judge::{Earlier, state_error};

/// Slot keys of declarations without a number that state a period of support. One with a number is found from its own side.
const DECLARATIONS: [&str; 2] = ["cra-doc\0", "psti-soc\0"];

/// The claims beside this one whose text is at hand. `issuer` is the one whose place it is in.
pub(super) fn beside(
    claim: &Claim,
    issuer: &str,
    judged: &Judged<'_>,
    earlier: &Earlier<'_>,
) -> Result<Vec<Claim>, Error> {
    let product = claim.subject.as_ref().map(|subject| subject.key());
    let current = |claim_type: ClaimType, of_product: bool, key: &str| -> Result<Option<ClaimId>, Error> {
        let product = product.as_ref().filter(|_| of_product);
        let slot = read::slot_named(judged, issuer, &claim_type, product, key).map_err(state_error)?;
        Ok(slot.and_then(|slot| slot.current).map(|id| ClaimId(Hash(id))))
    };
    let mut ids = Vec::new();
    match &claim.body {
        Body::Support(_) => {
            ids.push(current(ClaimType::Product, true, "")?);
            for key in DECLARATIONS {
                ids.push(current(ClaimType::Conformity, true, key)?);
            }
        }
        Body::Product(_) | Body::Conformity(_) => ids.push(current(ClaimType::Support, true, "")?),
        Body::Vulnerability(_) => ids.push(current(ClaimType::Contact, false, "")?),
        Body::Observation(body) => ids.push(body.target),
        _ => {}
    }
    let mut found = Vec::new();
    for id in ids.into_iter().flatten() {
        let Some(record) = read::claim(judged, &id).map_err(state_error)? else { continue };
        let payload = earlier(&id, &record)?;
        found.extend(payload.and_then(|payload| Claim::parse(&payload).ok()));
    }
    Ok(found)
}

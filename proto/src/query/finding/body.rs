//! What bodies show: alone, against the one before, and beside other claims of the issuer.

use super::{Place, Severity, Shown, contact, release, support, vulnerability};
use crate::claim::body::ConformityStatus;
use crate::claim::{Body, Claim};

/// What a claim shows without the one before it.
pub(super) fn alone(place: Place<'_>) -> Vec<Shown> {
    match &place.claim.body {
        Body::Support(body) => support::alone(body, place),
        Body::Product(body) => support::of_product(body, place).into_iter().collect(),
        Body::Release(body) => release::alone(body, place),
        Body::Vulnerability(body) => vulnerability::alone(body, place),
        Body::Contact(body) => contact::expired(body, place).into_iter().collect(),
        Body::Observation(body) => release::gone(body, place).into_iter().collect(),
        Body::Conformity(body) if body.status != ConformityStatus::Issued => {
            let status = match body.status {
                ConformityStatus::Suspended => "suspended",
                ConformityStatus::Withdrawn => "withdrawn",
                _ => "expired",
            };
            let certificate = body.certificate_id.as_deref().unwrap_or("without a number");
            let message = format!("the {} certificate {certificate} is {status}", body.scheme);
            let innocent = "the product is no longer sold, or a new certificate exists";
            vec![Shown::new("K1", Severity::Warning, message, innocent)]
        }
        Body::Conformity(body) => support::of_declaration(body, place).into_iter().collect(),
        Body::Issuer(body) => {
            let ceases = body.ceases_on.iter().map(|date| {
                let message = format!("{} ceases on {}", place.claim.issuer, date.as_str());
                Shown::new("I1", Severity::Notice, message, "a successor is declared by an entry of its own")
            });
            ceases.collect()
        }
        _ => Vec::new(),
    }
}

/// What a claim shows against the one that it takes the place of.
pub(super) fn changed(before: &Claim, after: &Claim) -> Vec<Shown> {
    match (&before.body, &after.body) {
        (Body::Support(old), Body::Support(new)) => support::moved(old, new).into_iter().collect(),
        (Body::Release(old), Body::Release(new)) => release::changed(old, new).into_iter().collect(),
        (Body::Contact(old), Body::Contact(new)) => contact::weaker(old, new).into_iter().collect(),
        (Body::Vulnerability(old), Body::Vulnerability(new)) => vulnerability::changed(before, after, old, new),
        _ => Vec::new(),
    }
}

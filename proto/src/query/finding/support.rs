//! What promises of support show.

use super::{Place, Severity, Shown};
use crate::claim::body::{ConformityBody, ConformityStatus, ProductBody, SupportBody, SupportDate};
use crate::claim::{Body, DateText};

/// Years of support that are normal for a product (Regulation (EU) 2024/2847, Article 13(8)).
const NORMAL_YEARS: u32 = 5;
/// Days before the end of support from which on that is told.
const SOON_DAYS: i64 = 90;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// What a document that says why a period is short is called in `docs`.
const RATIONALE: &str = "rationale";

/// What a promise shows without the one before it.
pub(super) fn alone(body: &SupportBody, place: Place<'_>) -> Vec<Shown> {
    [short(body, place), over_soon(body, place), sold_longer(body, place), disagrees(body, place)]
        .into_iter()
        .flatten()
        .collect()
}

/// What a product's own data show beside the promise for it.
pub(super) fn of_product(body: &ProductBody, place: Place<'_>) -> Option<Shown> {
    let end = body.end_of_placing.as_ref()?;
    let until = beside(place, |other| match other {
        Body::Support(support) => Some(&support.security_until),
        _ => None,
    })?;
    outlasts(end, until, place).then(|| sold(end, until))
}

/// What a declaration shows beside the promise for its product.
pub(super) fn of_declaration(body: &ConformityBody, place: Place<'_>) -> Option<Shown> {
    let until = beside(place, |other| match other {
        Body::Support(support) => Some(&support.security_until),
        _ => None,
    })?;
    contradiction(until, body, place)
}

fn beside<'a, T>(place: Place<'a>, of: impl Fn(&'a Body) -> Option<T>) -> Option<T> {
    place.beside.iter().find_map(|claim| of(&claim.body))
}

/// S1: the end moved earlier.
pub(super) fn moved(old: &SupportBody, new: &SupportBody) -> Option<Shown> {
    let earlier = match (&old.security_until, &new.security_until) {
        (SupportDate::Date(old), SupportDate::Date(new)) => new.last_instant() < old.last_instant(),
        (SupportDate::Date(_) | SupportDate::Tba, SupportDate::None | SupportDate::Ended) => true,
        _ => false,
    };
    earlier.then(|| {
        let (from, to) = (old.security_until.as_str(), new.security_until.as_str());
        let message = format!("the end of security updates moved earlier: from {from} to {to}");
        Shown::new("S1", Severity::Alarm, message, "the first date was a mistake and was corrected")
    })
}

/// S2: less than five years after the product was placed on the market, and no word why.
fn short(body: &SupportBody, place: Place<'_>) -> Option<Shown> {
    let claim = place.claim;
    let is_explained = claim.rel.reason.is_some() || claim.rel.note.is_some();
    if is_explained || claim.docs.iter().any(|doc| doc.rel == RATIONALE) {
        return None;
    }
    let units = claim.subject.as_ref().and_then(|subject| subject.units.as_ref());
    // The period belongs to the units: the last of them has the least of it.
    let units = units.and_then(|units| units.placed_until.as_ref().or(units.placed_from.as_ref()));
    let product = || {
        beside(place, |other| match other {
            Body::Product(product) => Some(&product.placed_on_market),
            _ => None,
        })
    };
    let general = || body.general_availability.as_ref().and_then(SupportDate::date).or(body.start.as_ref());
    let message = match &body.security_until {
        SupportDate::None => "no security updates are promised at all, and not why".to_owned(),
        SupportDate::Date(until) => {
            let placed = units.or_else(product).or_else(general)?;
            let least = years_later(&placed.first_day(), NORMAL_YEARS)?;
            (until.last_day() < least).then(|| {
                let (until, placed) = (until.as_str(), placed.as_str());
                format!("security updates end on {until}, less than {NORMAL_YEARS} years after {placed}, and it is not said why")
            })?
        }
        SupportDate::Tba | SupportDate::Ended => return None,
    };
    Some(Shown::new("S2", Severity::Notice, message, "the product is expected to be in use for less time than that"))
}

/// The same day so many years later; days are compared as text, so that a 29th of February may be none.
fn years_later(day: &str, years: u32) -> Option<String> {
    let (year, rest) = day.split_once('-')?;
    let year: u32 = year.parse().ok()?;
    Some(format!("{:04}-{rest}", year.checked_add(years)?))
}

/// S4: over, or soon, when it is logged.
fn over_soon(body: &SupportBody, place: Place<'_>) -> Option<Shown> {
    if place.replay {
        return None;
    }
    let message = match &body.security_until {
        SupportDate::Ended => "security updates have ended".to_owned(),
        SupportDate::Date(until) => {
            let left = until.last_instant().saturating_sub(place.now());
            match left {
                ..0 => format!("security updates ended on {}, before that was logged", until.as_str()),
                _ if left <= SOON_DAYS * DAY_MS => {
                    format!("security updates end on {}, within {SOON_DAYS} days", until.as_str())
                }
                _ => return None,
            }
        }
        SupportDate::Tba | SupportDate::None => return None,
    };
    Some(Shown::new("S4", Severity::Notice, message, "the period that was promised at first is simply over"))
}

/// S7: sold, or placed on the market, longer than supported.
fn sold_longer(body: &SupportBody, place: Place<'_>) -> Option<Shown> {
    let sales = body.end_of_sales.as_ref().and_then(SupportDate::date);
    let units = place.claim.subject.as_ref().and_then(|subject| subject.units.as_ref());
    let placed = units.and_then(|units| units.placed_until.as_ref());
    let product = beside(place, |other| match other {
        Body::Product(product) => product.end_of_placing.as_ref(),
        _ => None,
    });
    // What is about all units says nothing of those that are meant here.
    let product = product.filter(|_| units.is_none());
    let ends = [sales, placed, product].into_iter().flatten();
    let end = ends.max_by_key(|end| end.last_instant())?;
    outlasts(end, &body.security_until, place).then(|| sold(end, &body.security_until))
}

/// Whether a sale that ends then goes on after the end of support.
fn outlasts(end: &DateText, until: &SupportDate, place: Place<'_>) -> bool {
    match until {
        SupportDate::Date(until) => until.last_instant() < end.first_instant(),
        SupportDate::None => true,
        SupportDate::Ended => !place.replay && place.now() < end.first_instant(),
        SupportDate::Tba => false,
    }
}

fn sold(end: &DateText, until: &SupportDate) -> Shown {
    let until = match until {
        SupportDate::Date(until) => format!("to {}", until.as_str()),
        SupportDate::None => "not at all".to_owned(),
        SupportDate::Tba | SupportDate::Ended => "no more".to_owned(),
    };
    let message = format!("it is sold up to {} and has security updates {until}", end.as_str());
    Shown::new("S7", Severity::Warning, message, "the end of sales is that of the last shop, or of another market")
}

/// S5: a declaration of the issuer states another end.
fn disagrees(body: &SupportBody, place: Place<'_>) -> Option<Shown> {
    // A declaration is about all units.
    if place.claim.subject.as_ref().is_some_and(|subject| subject.units.is_some()) {
        return None;
    }
    place.beside.iter().find_map(|claim| match &claim.body {
        Body::Conformity(declared) => contradiction(&body.security_until, declared, place),
        _ => None,
    })
}

fn contradiction(until: &SupportDate, declared: &ConformityBody, place: Place<'_>) -> Option<Shown> {
    let stated = declared.support_until_stated.as_ref().filter(|_| declared.status == ConformityStatus::Issued)?;
    let differs = match until {
        // A month and a day in it are the same end.
        SupportDate::Date(until) => {
            until.last_instant() < stated.first_instant() || stated.last_instant() < until.first_instant()
        }
        SupportDate::None => true,
        SupportDate::Ended => !place.replay && place.now() < stated.first_instant(),
        SupportDate::Tba => false,
    };
    differs.then(|| {
        let (scheme, stated, until) = (&declared.scheme, stated.as_str(), until.as_str());
        let message =
            format!("the {scheme} declaration states security updates until {stated}, the promise says {until}");
        let innocent =
            "a declaration keeps the period as it was at first supply, and the promise was made longer since";
        Shown::new("S5", Severity::Warning, message, innocent)
    })
}

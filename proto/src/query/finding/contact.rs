//! What contacts show.

use super::{Place, Severity, Shown};
use crate::claim::body::ContactBody;
use crate::claim::{Body, RelKind};

/// C1: it is over when it comes.
pub(super) fn expired(body: &ContactBody, place: Place<'_>) -> Option<Shown> {
    let is_over = !place.replay && body.expires.last_instant() < place.now();
    is_over.then(|| {
        let message = format!("the contact expired on {}, before it was logged", body.expires.as_str());
        Shown::new("C1", Severity::Warning, message, "an old contact is entered for the record, and a new one follows")
    })
}

/// C1: it is taken back, and none stands in its place.
pub(super) fn withdrawn(place: Place<'_>) -> Option<Shown> {
    let is_contact = matches!(place.before?.body, Body::Contact(_));
    let is_last = place.claim.rel.kind == RelKind::Withdraw && place.heads == 0;
    (is_contact && is_last).then(|| {
        let message = format!("{} takes its contact back and names none in its place", place.claim.issuer);
        Shown::new("C1", Severity::Warning, message, "a new contact follows in an entry of its own")
    })
}

/// C2: a promised time became longer.
pub(super) fn weaker(old: &ContactBody, new: &ContactBody) -> Option<Shown> {
    let times = [
        ("ack_days", old.ack_days, new.ack_days),
        ("status_days", old.status_days, new.status_days),
        ("fix_days", old.fix_days, new.fix_days),
    ];
    let longer = times.into_iter().find(|(_, old, new)| match (old, new) {
        (Some(old), Some(new)) => new > old,
        (Some(_), None) => true,
        _ => false,
    });
    longer.map(|(name, old, new)| {
        let shown = |days: Option<u32>| days.map_or_else(|| "no promise".to_owned(), |days| format!("{days} days"));
        let message = format!("the promise {name} became weaker: from {} to {}", shown(old), shown(new));
        Shown::new("C2", Severity::Notice, message, "the first promise could not be kept and was made honest")
    })
}

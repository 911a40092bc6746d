//! A wrong link: the entry commits to a constitution, a registry entry or a predecessor that other entries show not to
//! be the one.

use super::shown::Shown;
use super::verify::{NotProven, harmless, not_shown};
use crate::claim::{Body, Claim, ClaimType};
use crate::entry::Entry;
use crate::fold::{end_ms, slot_name};
use crate::hash::Hash;
use crate::num::LeafIndex;

/// Which slot an entry belongs to, as far as the file shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// To none: constitutions, registry entries, claims about claims of other logs.
    Outside,
    /// To the slot of this name.
    Named(Hash),
    /// Its target, or whose right it used, is not in the file.
    NotShown,
}

/// Whether a link of the entry in question is shown to be wrong.
pub(super) fn wrong_link(shown: &Shown) -> Result<String, NotProven> {
    let (index, entry) = shown.first()?;
    if let Some(finding) = wrong_by_itself(index, entry) {
        return Ok(finding);
    }
    let Some(constitution) = entry.links.constitution else { return harmless("entry 0 has no links") };
    if let Ok(found) = shown.claim(constitution)
        && found.claim().claim_type != ClaimType::Log
    {
        let found = &found.claim().claim_type;
        return Ok(format!("entry {index} names entry {constitution} as its constitution, which is a {found} claim"));
    }
    // From here on by rules version 1, which the constitution that it names must state.
    let claim = shown.under_rules_1(index)?.claim();
    let judged = Judged { shown, index, entry, claim };
    let findings = [judged.constitution(constitution), judged.registry(), judged.previous()];
    match findings.into_iter().flatten().next() {
        Some(finding) => Ok(finding),
        None => not_shown("the entries in the file show no link to be wrong"),
    }
}

/// What entry format 1 forbids whatever the rules: links that do not point back, and no constitution after entry 0.
fn wrong_by_itself(index: LeafIndex, entry: &Entry) -> Option<String> {
    let links = entry.links;
    let named = [("constitution", links.constitution), ("registry", links.registry), ("previous", links.previous)];
    let ahead = named.into_iter().find_map(|(name, link)| Some((name, link.filter(|link| *link >= index)?)));
    match ahead {
        Some((name, link)) => Some(format!("the link `{name}` of entry {index} is {link}, which is not before it")),
        None if index > LeafIndex(0) && links.constitution.is_none() => {
            Some(format!("entry {index} names no constitution; only entry 0 has none"))
        }
        None => None,
    }
}

/// An entry whose links are judged by rules version 1.
struct Judged<'a> {
    shown: &'a Shown,
    index: LeafIndex,
    entry: &'a Entry,
    claim: &'a Claim,
}

impl Judged<'_> {
    /// The entries of the file between `link` and the one in question, ascending.
    fn after(&self, link: Option<LeafIndex>) -> impl Iterator<Item = LeafIndex> + '_ {
        let between = move |at: &LeafIndex| *at < self.index && link.is_none_or(|link| *at > link);
        self.shown.others().filter(between)
    }

    /// Not in force yet, or no longer.
    fn constitution(&self, link: LeafIndex) -> Option<String> {
        let index = self.index;
        if link > LeafIndex(0)
            && let Ok(found) = self.shown.under_rules_1(link)
            && let (Body::Log(body), Some(date)) = (&found.claim().body, &found.claim().effective)
            && body.freeze.is_none()
            && end_ms(date) > self.entry.timestamp.0
        {
            let time = self.entry.timestamp;
            return Some(format!("entry {index} of {time} ms names constitution {link}, which holds from {date} on"));
        }
        // The constitution in force only ever gives way to a later one.
        let newer = |at: &LeafIndex| self.shown.entry(*at).is_ok_and(|e| e.links.constitution > Some(link));
        let before = self.after(None).find(newer)?;
        Some(format!("entry {index} names constitution {link}, though entry {before} before it named a later one"))
    }

    fn registry(&self) -> Option<String> {
        let (index, link, issuer) = (self.index, self.entry.links.registry, self.claim.issuer.as_str());
        let of_issuer = |at: LeafIndex| self.shown.is_registry_of(at, issuer);
        match (&self.claim.claim_type, link) {
            (ClaimType::Log, None) => return None,
            (ClaimType::Log, Some(link)) => {
                return Some(format!("entry {index} is a constitution, but names the registry entry {link}"));
            }
            (ClaimType::Issuer, None) => {}
            (_, None) => return Some(format!("entry {index} names no registry entry of its issuer {issuer}")),
            (_, Some(link)) if of_issuer(link) == Ok(false) => {
                return Some(format!("entry {index} names entry {link}, which is no registry entry of {issuer}"));
            }
            _ => {}
        }
        let skipped = self.after(link).find(|at| of_issuer(*at) == Ok(true))?;
        Some(format!("entry {index} passes over entry {skipped}, a later registry entry of {issuer}"))
    }

    fn previous(&self) -> Option<String> {
        let (index, link) = (self.index, self.entry.links.previous);
        match self.claim.claim_type {
            ClaimType::Log => self.previous_constitution(),
            ClaimType::Issuer if link != self.entry.links.registry => {
                Some(format!("the links `registry` and `previous` of entry {index}, a registry entry, differ"))
            }
            ClaimType::Issuer => None,
            _ => self.previous_in_slot(),
        }
    }

    fn previous_constitution(&self) -> Option<String> {
        let (index, link) = (self.index, self.entry.links.previous);
        let is_log =
            |at: LeafIndex| self.shown.under_rules_1(at).map(|found| found.claim().claim_type == ClaimType::Log);
        let Some(link) = link else { return Some(format!("entry {index}, a constitution, names none before it")) };
        if is_log(link) == Ok(false) {
            return Some(format!("entry {index}, a constitution, follows entry {link}, which is none"));
        }
        let skipped = self.after(Some(link)).find(|at| is_log(*at) == Ok(true))?;
        Some(format!("entry {index} passes over entry {skipped}, a later constitution"))
    }

    fn previous_in_slot(&self) -> Option<String> {
        let (index, link) = (self.index, self.entry.links.previous);
        let own = slot(self.shown, index);
        if let Some(link) = link {
            match (own, slot(self.shown, link)) {
                (Slot::Outside, _) => {
                    return Some(format!("entry {index} is about another log's claim, but follows entry {link}"));
                }
                (_, Slot::Outside) => {
                    return Some(format!("entry {index} follows entry {link}, which is in no slot"));
                }
                (Slot::Named(own), Slot::Named(other)) if own != other => {
                    return Some(format!("entry {index} follows entry {link}, which is in another slot"));
                }
                _ => {}
            }
        }
        let Slot::Named(_) = own else { return None };
        let skipped = self.after(link).find(|at| slot(self.shown, *at) == own)?;
        Some(format!("entry {index} passes over entry {skipped}, a later entry of its slot"))
    }
}

/// The slot of an entry. One without a body belongs to its target's, which is before it.
fn slot(shown: &Shown, index: LeafIndex) -> Slot {
    let (Ok(found), Ok((_, constitution))) = (shown.under_rules_1(index), shown.constitution_of(index)) else {
        return Slot::NotShown;
    };
    let claim = found.claim();
    let Body::Log(body) = &constitution.body else { return Slot::NotShown };
    let here = claim.rel.target.as_ref().filter(|target| target.origin.as_ref().is_none_or(|o| *o == body.origin));
    match (claim.rel.kind.is_about_target(), here) {
        _ if claim.claim_type.is_registry() => Slot::Outside,
        (true, None) => Slot::Outside,
        (true, Some(target)) => match shown.find(&target.id).filter(|at| *at < index) {
            Some(at) => slot(shown, at),
            None => Slot::NotShown,
        },
        // A right of another may put it into that one's slot.
        (false, Some(_)) if claim.authority.is_some() => Slot::NotShown,
        (false, _) => {
            let key = claim.slot_key().unwrap_or_default();
            Slot::Named(slot_name(claim.issuer.as_str(), claim, claim.product().as_ref(), &key))
        }
    }
}

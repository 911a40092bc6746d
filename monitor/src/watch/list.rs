//! Whether a claim or a finding matches, and on what.

use proto::claim::{Body, Claim};
use proto::fold::VULNERABILITY_SCHEME;
use proto::query::finding::{Shown, worst};

use super::config::{Watch, maker_of};
use super::{Hit, On};
use crate::finding::Finding;

/// All watches of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchList {
    watches: Vec<Watch>,
}

/// What of a claim is compared.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The log.
    pub origin: &'a str,
    /// The claim.
    pub claim: &'a Claim,
    /// Whose slot it is in, when that is another issuer's.
    pub owner: Option<&'a str>,
    /// The claim that it replaces, takes back, confirms or disputes, if that is at hand.
    pub before: Option<&'a Claim>,
}

/// What is said of a condition that the earlier claim fulfilled, and the new one does not.
const OF_BEFORE: &str = "(of the claim before)";

impl<'a> Facts<'a> {
    /// The condition `field`, when the claim has what is looked for, or the one before has: who takes a fix back, or leaves an id
    /// out, says so in a claim that does not name it.
    fn on(&self, field: &str, of: impl Fn(&'a Claim) -> Option<String>) -> Option<On> {
        if let Some(value) = of(self.claim) {
            return Some(On::new(field, value));
        }
        Some(On::new(field, format!("{} {OF_BEFORE}", of(self.before?)?)))
    }
}

impl WatchList {
    /// These watches.
    pub fn new(watches: Vec<Watch>) -> WatchList {
        WatchList { watches }
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.watches.is_empty()
    }

    /// The names of the watches that claims of a log can match.
    pub fn for_claims<'a>(&'a self, origin: &'a str) -> impl Iterator<Item = &'a str> {
        let of_log = move |watch: &&Watch| watch.log.as_deref().is_none_or(|log| log == origin);
        self.watches.iter().filter(of_log).filter(|watch| watch.is_for_claims()).map(|watch| watch.name.as_str())
    }

    /// Whether there is a watch of this name.
    pub fn has(&self, name: &str) -> bool {
        self.watches.iter().any(|watch| watch.name == name)
    }

    /// Whether a watch has a condition that the claim before can fulfil.
    pub fn looks_before(&self) -> bool {
        self.watches.iter().any(Watch::looks_before)
    }

    /// Whether the claim is one that a watch is about, whatever it shows. Cheap, and asked for every entry.
    pub fn is_about(&self, facts: Facts<'_>) -> bool {
        self.watches.iter().any(|watch| watch.selected(facts).is_some())
    }

    /// The watches that a claim matches, when it shows this.
    pub fn of_claim(&self, facts: Facts<'_>, shown: &[Shown]) -> Vec<Hit> {
        let hit = |watch: &Watch| {
            let mut on = watch.selected(facts)?;
            if !watch.findings.is_empty() {
                let found = shown.iter().find(|shown| watch.findings.contains(&shown.code))?;
                on.push(On::new("findings", &found.code));
            }
            if let Some(least) = watch.severity {
                let worst = worst(shown);
                if worst < least {
                    return None;
                }
                on.push(On::new("severity", worst.name()));
            }
            Some(Hit { watch: watch.name.clone(), on })
        };
        self.watches.iter().filter_map(hit).collect()
    }

    /// The watches that a finding about a log matches.
    pub fn of_finding(&self, origin: &str, finding: &Finding) -> Vec<Hit> {
        let hit = |watch: &Watch| {
            if watch.selects_claims() || watch.log.as_deref().is_some_and(|log| log != origin) {
                return None;
            }
            let mut on = Vec::new();
            on.extend(watch.log.as_ref().map(|log| On::new("log", log)));
            if !watch.findings.is_empty() {
                on.push(On::new("findings", watch.findings.iter().find(|code| **code == finding.code)?));
            }
            if let Some(least) = watch.severity {
                let severity = finding.class.severity();
                if severity < least {
                    return None;
                }
                on.push(On::new("severity", severity.name()));
            }
            Some(Hit { watch: watch.name.clone(), on })
        };
        self.watches.iter().filter_map(hit).collect()
    }
}

impl Watch {
    /// The conditions on log, issuer, product, id and type, with what fulfilled each; nothing when one is not.
    fn selected(&self, facts: Facts<'_>) -> Option<Vec<On>> {
        let claim = facts.claim;
        let mut on = Vec::new();
        if let Some(log) = &self.log {
            on.push(On::new("log", (log == facts.origin).then_some(log)?));
        }
        if let Some(issuer) = &self.issuer {
            let by = claim.issuer.as_str() == issuer;
            let about = facts.owner == Some(issuer);
            on.push(On::new("issuer", (by || about).then_some(issuer)?));
        }
        if !self.types.is_empty() {
            on.push(
                facts
                    .on("types", |claim| self.types.iter().find(|name| *name == claim.claim_type.as_str()).cloned())?,
            );
        }
        if let Some(maker) = &self.manufacturer {
            on.push(facts.on("manufacturer", |claim| {
                let of = &claim.subject.as_ref()?.manufacturer;
                (maker_of(of) == *maker).then(|| of.to_string())
            })?);
        }
        if let Some(model) = &self.model {
            on.push(facts.on("model", |claim| {
                let subject = claim.subject.as_ref()?;
                (subject.key().model_normalised == *model).then(|| subject.model.clone())
            })?);
        }
        if let Some((scheme, value)) = &self.id {
            on.push(facts.on("id", |claim| Some(format!("{scheme} {}", named(claim, scheme, value)?)))?);
        }
        Some(on)
    }
}

/// The id of this scheme and normalised value, as the claim writes it.
fn named<'a>(claim: &'a Claim, scheme: &str, value: &str) -> Option<&'a str> {
    if scheme == VULNERABILITY_SCHEME {
        let ids = match &claim.body {
            Body::Vulnerability(body) => &body.ids,
            Body::Release(body) => &body.fixes,
            _ => return None,
        };
        return ids.iter().find(|id| id.eq_ignore_ascii_case(value)).map(String::as_str);
    }
    let ids = &claim.subject.as_ref()?.ids;
    let id = ids.iter().find(|id| id.scheme.as_str() == scheme && id.normalised == value)?;
    Some(&id.value)
}

#[cfg(test)]
mod tests;

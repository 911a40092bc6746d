//! A second, naive reading of the rules: every question is answered by looking through the whole list of entries again.
//!
//! It shares nothing with the fold but the words: no state, no records, no parser. It knows the parts of the rules that
//! random sequences reach: registry, keys, revocation, recovery, mandates and slots.

use std::collections::BTreeSet;

/// Days of log time that a recovery waits.
const RECOVERY_DAYS: u64 = 7;

/// What an entry says, as far as the model cares. Names of keys and issuers stand for themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// `issuer/v1`: keys added as (name, is admin), keys revoked.
    Registry { issuer: String, keys: Vec<(String, bool)>, revoke: Vec<String>, kind: Registry },
    /// A support claim on a model: what it replaces.
    Say { issuer: String, model: u8, replaces: Option<usize>, mandate: Option<usize> },
    /// A claim with an empty body about entry `target`.
    About { issuer: String, kind: Kind, target: usize },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Registry {
    Change,
    Start,
    Veto(usize),
    Operator,
    Mandate(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Withdraw,
    Confirm,
    Dispute,
}

/// An entry of the model: when, who signed, what. Entry 0 is the constitution and has no act.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) day: u64,
    pub(crate) act: Option<Act>,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) lines: Vec<Line>,
}

/// What the model says of a slot: heads in order, and all its entries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) heads: Vec<usize>,
    pub(crate) entries: Vec<usize>,
}

impl Model {
    fn acts(&self) -> impl Iterator<Item = (usize, u64, &Act)> {
        self.lines.iter().enumerate().filter_map(|(n, line)| line.act.as_ref().map(|act| (n, line.day, act)))
    }

    /// Registry entries of an issuer.
    pub(crate) fn registry(&self, who: &str) -> Vec<usize> {
        let own = |act: &Act| matches!(act, Act::Registry { issuer, .. } if issuer == who);
        self.acts().filter(|(_, _, act)| own(act)).map(|(n, _, _)| n).collect()
    }

    /// Whose key it is, whether it is an admin key, and from which day on it speaks.
    fn key(&self, name: &str) -> Option<(String, bool, u64)> {
        self.acts().find_map(|(_, day, act)| {
            let Act::Registry { issuer, keys, kind, .. } = act else { return None };
            let (_, admin) = keys.iter().find(|(key, _)| key == name)?;
            let from = if *kind == Registry::Start { day + RECOVERY_DAYS } else { 0 };
            Some((issuer.clone(), *admin, from))
        })
    }

    pub(crate) fn revoked(&self, name: &str) -> bool {
        self.acts().any(|(_, _, act)| match act {
            Act::Registry { revoke, .. } if revoke.iter().any(|key| key == name) => true,
            Act::Registry { kind: Registry::Veto(start), .. } => self.added_by(*start).contains(name),
            _ => false,
        })
    }

    fn added_by(&self, entry: usize) -> BTreeSet<String> {
        match &self.lines[entry].act {
            Some(Act::Registry { keys, .. }) => keys.iter().map(|(name, _)| name.clone()).collect(),
            _ => BTreeSet::new(),
        }
    }

    fn speaks(&self, name: &str, admin: bool, who: &str, day: u64) -> bool {
        self.key(name).is_some_and(|(issuer, is_admin, from)| {
            issuer == who && is_admin == admin && day >= from && !self.revoked(name)
        })
    }

    /// The recovery of an issuer that waits on this day.
    pub(crate) fn waiting(&self, who: &str, day: u64) -> Option<usize> {
        let vetoed = |start| {
            self.acts().any(|(_, _, act)| matches!(act, Act::Registry { kind: Registry::Veto(v), .. } if *v == start))
        };
        self.acts().find_map(|(n, started, act)| match act {
            Act::Registry { issuer, kind: Registry::Start, .. } if issuer == who => {
                (day < started + RECOVERY_DAYS && !vetoed(n)).then_some(n)
            }
            _ => None,
        })
    }

    /// Admin keys that are not revoked, those of a recovery that waits included.
    fn admins(&self, who: &str) -> usize {
        let keys = self.acts().flat_map(|(_, _, act)| match act {
            Act::Registry { issuer, keys, .. } if issuer == who => keys.clone(),
            _ => Vec::new(),
        });
        keys.filter(|(name, admin)| *admin && !self.revoked(name)).count()
    }

    /// Whose slot an entry with a body is in: (owner, model).
    fn slot_of_body(&self, n: usize) -> Option<(String, u8)> {
        match self.lines[n].act.as_ref()? {
            Act::Say { issuer, model, replaces, mandate } => {
                let owner = replaces.and_then(|target| self.slot_of_body(target)).map(|(owner, _)| owner);
                let proxy = mandate.is_some() && owner.is_some();
                Some((if proxy { owner? } else { issuer.clone() }, *model))
            }
            _ => None,
        }
    }

    /// The slot an entry is in, whatever it is.
    pub(crate) fn slot_name(&self, n: usize) -> Option<(String, u8)> {
        match self.lines[n].act.as_ref()? {
            Act::About { target, .. } => self.slot_name(*target),
            _ => self.slot_of_body(n),
        }
    }

    pub(crate) fn withdrawn(&self, n: usize) -> bool {
        self.acts().any(|(_, _, act)| matches!(act, Act::About { kind: Kind::Withdraw, target, .. } if *target == n))
    }

    pub(crate) fn slot(&self, name: &(String, u8)) -> Slot {
        let inside = |n: &usize| self.slot_name(*n).as_ref() == Some(name);
        let entries: Vec<usize> = (0..self.lines.len()).filter(inside).collect();
        let replaced =
            |n| self.acts().any(|(_, _, act)| matches!(act, Act::Say { replaces: Some(target), .. } if *target == n));
        let is_body = |n: &usize| matches!(self.lines[*n].act, Some(Act::Say { .. }));
        let heads = entries.iter().copied().filter(|n| is_body(n) && !replaced(*n) && !self.withdrawn(*n)).collect();
        Slot { heads, entries }
    }

    /// Whether the mandate that entry `n` gave is one of `from` for `to`.
    pub(crate) fn mandated(&self, n: usize, to: &str) -> Option<String> {
        match self.lines.get(n)?.act.as_ref()? {
            Act::Registry { issuer, kind: Registry::Mandate(from), .. } if issuer == to => Some(from.clone()),
            _ => None,
        }
    }

    /// Whether the rules take this act, signed by these keys, on this day.
    pub(crate) fn accepts(&self, act: &Act, signers: &[String], day: u64) -> bool {
        match act {
            Act::Registry { issuer, keys, revoke, kind } => {
                self.accepts_registry(issuer, keys, revoke, kind, signers, day)
            }
            Act::Say { issuer, model, replaces, mandate } => {
                if !self.one_signer(issuer, signers, day) {
                    return false;
                }
                let from = match mandate.map(|n| self.mandated(n, issuer)) {
                    None => None,
                    Some(None) => return false,
                    Some(from) => from,
                };
                let Some(target) = *replaces else { return true };
                let (Some(owner), false) = (self.slot_of_body(target), self.withdrawn(target)) else { return false };
                owner.1 == *model && (owner.0 == *issuer || Some(owner.0) == from)
            }
            Act::About { issuer, kind, target } => {
                let owner = match &self.lines[*target].act {
                    Some(Act::Say { .. }) => self.slot_of_body(*target).map(|(owner, _)| owner),
                    Some(Act::About { issuer, .. }) => Some(issuer.clone()),
                    _ => None,
                };
                let Some(owner) = owner else { return false };
                let allowed = *kind != Kind::Withdraw || owner == *issuer;
                self.one_signer(issuer, signers, day) && !self.withdrawn(*target) && allowed
            }
        }
    }

    fn one_signer(&self, who: &str, signers: &[String], day: u64) -> bool {
        signers.len() == 1 && self.speaks(&signers[0], false, who, day)
    }

    fn accepts_registry(
        &self,
        who: &str,
        keys: &[(String, bool)],
        revoke: &[String],
        kind: &Registry,
        signers: &[String],
        day: u64,
    ) -> bool {
        let first = self.registry(who).is_empty();
        let mut needed: BTreeSet<String> = keys.iter().map(|(name, _)| name.clone()).collect();
        let mut admins_needed = usize::from(!first);
        let mut registrars = usize::from(first);
        let mut grantor = None;
        let new_admins = keys.iter().filter(|(_, admin)| *admin).count();
        match kind {
            Registry::Change => {}
            Registry::Mandate(from) if from == who || self.registry(from).is_empty() => return false,
            Registry::Mandate(from) => grantor = Some(from.clone()),
            Registry::Operator if first || !keys.is_empty() || revoke.is_empty() => return false,
            Registry::Operator => (registrars, admins_needed) = (1, 0),
            Registry::Start if first || !revoke.is_empty() || new_admins == 0 || self.waiting(who, day).is_some() => {
                return false;
            }
            Registry::Start => (registrars, admins_needed) = (1, 0),
            Registry::Veto(start) if self.waiting(who, day) != Some(*start) => return false,
            Registry::Veto(_) if !keys.is_empty() || !revoke.is_empty() => return false,
            Registry::Veto(_) => {}
        }
        let fresh = keys.iter().all(|(name, _)| self.key(name).is_none() && name != "registrar");
        let own = |name: &String| self.key(name).is_some_and(|(issuer, _, _)| issuer == who) && !self.revoked(name);
        if !fresh || (first && !revoke.is_empty()) || !revoke.iter().all(own) {
            return false;
        }
        let leaves: usize = revoke.iter().filter(|name| self.key(name).is_some_and(|(_, admin, _)| admin)).count();
        if (first || !keys.is_empty()) && self.admins(who) + new_admins - leaves < 1 {
            return false;
        }
        let mut granted = 0;
        for signer in signers {
            if needed.remove(signer) {
                continue;
            }
            if signer == "registrar" && registrars > 0 {
                registrars -= 1;
            } else if self.speaks(signer, true, who, day) && admins_needed > 0 {
                admins_needed -= 1;
            } else if grantor.as_ref().is_some_and(|from| self.speaks(signer, true, from, day)) && granted == 0 {
                granted = 1;
            } else {
                return false;
            }
        }
        needed.is_empty() && registrars == 0 && admins_needed == 0 && granted == usize::from(grantor.is_some())
    }

    /// What `previous` and `registry` of an act at the end of the list must be.
    pub(crate) fn links(&mut self, act: &Act, day: u64) -> (Option<usize>, Option<usize>) {
        let who = match act {
            Act::Registry { issuer, .. } | Act::Say { issuer, .. } | Act::About { issuer, .. } => issuer.clone(),
        };
        let registry = self.registry(&who).last().copied();
        if matches!(act, Act::Registry { .. }) {
            return (registry, registry);
        }
        self.lines.push(Line { day, act: Some(act.clone()) });
        let n = self.lines.len() - 1;
        let slot = self.slot_name(n).map(|name| self.slot(&name).entries);
        self.lines.pop();
        (registry, slot.and_then(|entries| entries.into_iter().rfind(|entry| *entry < n)))
    }
}

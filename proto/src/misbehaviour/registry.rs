//! What a chain of registry entries says of an issuer: its keys, roles and mandates.
//!
//! An entry links to the last registry entry of its issuer, that one to the one before, and so on to the first. On the
//! log's own word the chain is complete: with all of its entries, whatever the fold knows of the issuer is known. This is
//! the fold's own bookkeeping without its checks of who may do so; tests hold the verdicts that rest on it against those of
//! the fold, over random logs.

use std::collections::BTreeMap;

use super::shown::Shown;
use super::verify::{NotProven, not_shown};
use crate::claim::body::{IssuerBody, KeyUse, Recovery};
use crate::claim::{Body, Claim, ClaimId, Role};
use crate::ed25519::KeyId;
use crate::fold::{AuthorityRecord, IssuerRecord, KeyHolder, KeyRecord, PendingRecovery, RECOVERY_WAIT_MS, end_ms};
use crate::num::{LeafIndex, Millis};

/// An issuer as the chain up to a registry entry leaves it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Registry {
    /// The issuer; nothing before its first entry.
    pub(super) issuer: Option<IssuerRecord>,
    /// Every key it ever enrolled.
    pub(super) keys: BTreeMap<KeyId, KeyRecord>,
    /// The rights that others gave it, by the claim that says so.
    pub(super) authorities: BTreeMap<ClaimId, AuthorityRecord>,
}

impl Registry {
    /// Follows the chain from `last` to the issuer's first entry and applies it. Every entry of it must be in the file,
    /// be of this issuer, and have been taken by rules version 1.
    pub(super) fn of_chain(shown: &Shown, last: Option<LeafIndex>, issuer: &str) -> Result<Registry, NotProven> {
        let mut chain = Vec::new();
        let mut next = last;
        while let Some(index) = next {
            if !shown.is_registry_of(index, issuer)? {
                return not_shown(format!("entry {index} is no registry entry of {issuer}"));
            }
            chain.push(index);
            next = shown.entry(index)?.links.registry;
            if next.is_some_and(|before| before >= index) {
                return not_shown(format!("the registry link of entry {index} does not point back"));
            }
        }
        let mut registry = Registry::default();
        for index in chain.into_iter().rev() {
            let (claim, time) = (shown.under_rules_1(index)?, shown.entry(index)?.timestamp);
            if registry.apply(index, time, claim.id(), claim.claim()).is_none() {
                return not_shown(format!(
                    "entry {index} itself does what the registry does not allow; accuse that one"
                ));
            }
        }
        Ok(registry)
    }

    /// One entry more. `None` when it does what no accepted entry does.
    fn apply(&mut self, index: LeafIndex, time: Millis, id: ClaimId, claim: &Claim) -> Option<()> {
        let Body::Issuer(body) = &claim.body else { return None };
        let mut issuer = self.issuer.take().unwrap_or_else(|| new_issuer(index, body));
        self.revoke(index, body, &mut issuer)?;
        self.recover(index, time, id, body, &mut issuer)?;
        self.add_keys(index, time, claim, body, &mut issuer);
        settle(body, claim.role, &mut issuer);
        issuer.last = index.0;
        issuer.entries += 1;
        self.issuer = Some(issuer);
        self.grant(id, claim, body);
        Some(())
    }

    fn revoke(&mut self, index: LeafIndex, body: &IssuerBody, issuer: &mut IssuerRecord) -> Option<()> {
        for revocation in &body.revoke {
            let key = self.keys.get_mut(&revocation.key_id).filter(|key| key.revoked.is_none())?;
            key.revoked = Some(index.0);
            if key.holder == KeyHolder::Admin {
                issuer.admins = issuer.admins.saturating_sub(1);
            }
        }
        Some(())
    }

    fn recover(
        &mut self,
        index: LeafIndex,
        time: Millis,
        id: ClaimId,
        body: &IssuerBody,
        issuer: &mut IssuerRecord,
    ) -> Option<()> {
        issuer.recovery.take_if(|waiting| waiting.effective_ms <= time.0);
        match &body.recovery {
            None => {}
            Some(Recovery::Start) => {
                let keys = body.keys.iter().flat_map(|added| added.key.id().0).collect();
                let effective_ms = time.0.saturating_add(RECOVERY_WAIT_MS);
                issuer.recovery = Some(PendingRecovery { claim: id.0.0, effective_ms, keys });
            }
            Some(Recovery::Veto(claim)) => {
                let waiting = issuer.recovery.take_if(|waiting| waiting.claim == claim.0.0)?;
                for bytes in waiting.keys.chunks_exact(32) {
                    let key = self.keys.get_mut(&KeyId(bytes.try_into().ok()?))?;
                    if key.revoked.is_none() && key.holder == KeyHolder::Admin {
                        issuer.admins = issuer.admins.saturating_sub(1);
                    }
                    key.revoked.get_or_insert(index.0);
                }
            }
        }
        Some(())
    }

    fn add_keys(
        &mut self,
        index: LeafIndex,
        time: Millis,
        claim: &Claim,
        body: &IssuerBody,
        issuer: &mut IssuerRecord,
    ) {
        let waits = matches!(body.recovery, Some(Recovery::Start));
        for added in &body.keys {
            let holder = match added.key_use {
                KeyUse::Sign => KeyHolder::Sign,
                KeyUse::Admin => KeyHolder::Admin,
            };
            let key = KeyRecord {
                holder,
                issuer: claim.issuer.as_str().to_owned(),
                spki: added.key.to_spki(),
                added: index.0,
                from_ms: if waits { time.0.saturating_add(RECOVERY_WAIT_MS) } else { 0 },
                until_ms: added.until.as_ref().map(end_ms),
                revoked: None,
            };
            self.keys.insert(added.key.id(), key);
            issuer.keys += 1;
            issuer.admins += u32::from(holder == KeyHolder::Admin);
        }
    }

    fn grant(&mut self, id: ClaimId, claim: &Claim, body: &IssuerBody) {
        let mandator = body.mandate.as_ref().map(|mandate| &mandate.mandator);
        let Some(from) = mandator.or(body.successor_of.as_ref()) else { return };
        let types = body.mandate.iter().flat_map(|mandate| &mandate.types);
        let authority = AuthorityRecord {
            from: from.as_str().to_owned(),
            to: claim.issuer.as_str().to_owned(),
            succession: body.successor_of.is_some(),
            until_ms: body.mandate.as_ref().and_then(|mandate| mandate.until.as_ref()).map(end_ms),
            types: types.map(|claim_type| claim_type.as_str().to_owned()).collect(),
        };
        self.authorities.insert(id, authority);
    }
}

fn new_issuer(index: LeafIndex, body: &IssuerBody) -> IssuerRecord {
    IssuerRecord {
        first: index.0,
        last: index.0,
        entries: 0,
        legal_name: String::new(),
        roles: Vec::new(),
        admin_threshold: 1,
        admins: 0,
        keys: 0,
        replay: body.replay,
        recovery: None,
    }
}

/// An operator's revocation and a recovery leave names, roles and threshold as they are.
fn settle(body: &IssuerBody, role: Role, issuer: &mut IssuerRecord) {
    if role == Role::Operator || body.recovery.is_some() {
        return;
    }
    issuer.roles = body.roles.iter().map(|role| role.as_str().to_owned()).collect();
    if let Some(name) = &body.legal_name {
        issuer.legal_name.clone_from(name);
    }
    issuer.replay |= body.replay;
    if let Some(threshold) = body.admin_threshold {
        issuer.admin_threshold = threshold;
    }
}

//! `issuer/v1`: enrolment, change of keys, revocation, recovery, mandates and successions.
//!
//! | what | who must sign, exactly |
//! |---|---|
//! | first entry of an issuer | every key added, one registrar |
//! | change | every key added, as many admin keys as the threshold says; one registrar if roles are added, the legal name changes or `replay` is set |
//! | recovery | every key added, one registrar; the keys speak after seven days of log time |
//! | veto of a recovery | one admin key; the recovery's keys are revoked |
//! | revocation by the operator (role operator) | one registrar |
//! | mandate or succession, besides | the mandator's or predecessor's admin keys, as many as its threshold says |
//!
//! A recovery only adds keys, and a veto only stops it: name, roles, threshold and `replay` stay as they are, whatever
//! the body repeats of them, since neither carries the signatures that a change needs.

use super::{
    AuthorityRecord, ClaimRecord, IssuerRecord, KeyHolder, KeyRecord, PendingRecovery, RECOVERY_WAIT_MS, State,
    StateKey, Step, Stop, record, right, row,
};
use crate::claim::body::{IssuerBody, KeyUse, Recovery};
use crate::claim::{Body, DateText, RelKind, Role};
use crate::code::{Code, Refused};
use crate::ed25519::KeyId;
use crate::num::LeafIndex;

/// Who signed a registry claim, by capacity. Keys that the claim adds are not counted here.
#[derive(Default)]
struct Signers {
    admins: u32,
    grantors: u32,
    registrars: u32,
}

/// The last instant of a date as milliseconds; dates before 1970 count as 1970.
pub(crate) fn end_ms(date: &DateText) -> u64 {
    u64::try_from(date.last_instant()).unwrap_or(0)
}

impl<S: State> Step<'_, S> {
    /// A registry claim.
    pub(super) fn register(&mut self) -> Result<(), Stop<S::Error>> {
        let checked = self.checked;
        let claim = checked.claim();
        let Body::Issuer(body) = &claim.body else { return Err(only_new().into()) };
        if claim.rel.kind != RelKind::New {
            return Err(only_new().into());
        }
        check_recovery_form(body)?;
        let id = claim.issuer.as_str();
        let before = self.view.issuer(id)?;
        let (grantor, grantor_threshold) = self.grantor(body)?;
        let signers = self.classify(body, grantor.as_deref())?;
        self.check_new_keys(body)?;
        let needed = self.needed(body, before.as_ref(), grantor_threshold)?;
        compare(&signers, &needed)?;
        self.links.registry = before.as_ref().map(|issuer| LeafIndex(issuer.last));
        self.links.previous = self.links.registry;
        let mut issuer = before.unwrap_or_else(|| IssuerRecord {
            first: self.index.0,
            last: self.index.0,
            entries: 0,
            legal_name: String::new(),
            roles: Vec::new(),
            admin_threshold: 1,
            admins: 0,
            keys: 0,
            replay: body.replay,
            recovery: None,
        });
        self.revoke(id, body, &mut issuer)?;
        self.recover(body, &mut issuer)?;
        self.add_keys(id, body, &mut issuer)?;
        settle(body, claim.role, &mut issuer)?;
        issuer.last = self.index.0;
        issuer.entries += 1;
        self.grant(id, body, grantor);
        self.changes.put(StateKey::Issuer(id), &issuer);
        let own = registry_claim(self.index.0, id, "issuer/v1");
        self.changes.put(StateKey::Claim(&checked.id()), &own);
        row::write_issuer(self, &issuer);
        Ok(())
    }

    /// Who must agree to a mandate or succession, and with how many admin signatures.
    fn grantor(&self, body: &IssuerBody) -> Result<(Option<String>, u32), Stop<S::Error>> {
        let named = match (&body.mandate, &body.successor_of) {
            (Some(_), Some(_)) => {
                let message = "a claim gives a mandate or a succession, not both; make two claims";
                return Err(Refused::at(Code::ClaimValue, "/body/successor_of", message).into());
            }
            (Some(mandate), None) => Some(("/body/mandate/mandator", &mandate.mandator)),
            (None, Some(predecessor)) => Some(("/body/successor_of", predecessor)),
            (None, None) => None,
        };
        let Some((pointer, issuer)) = named else { return Ok((None, 0)) };
        if *issuer == self.checked.claim().issuer {
            return Err(Refused::at(Code::ClaimValue, pointer, "an issuer cannot give rights to itself").into());
        }
        match self.view.issuer(issuer.as_str())? {
            Some(found) => Ok((Some(issuer.as_str().to_owned()), found.admin_threshold)),
            None => {
                Err(Refused::at(Code::RightIssuer, pointer, format!("{issuer} is not enrolled in this log")).into())
            }
        }
    }

    /// Says in which capacity each key signed; a key without one is refused.
    fn classify(&self, body: &IssuerBody, grantor: Option<&str>) -> Result<Signers, Stop<S::Error>> {
        let own = self.checked.claim().issuer.as_str();
        let mut signers = Signers::default();
        for id in self.checked.signers().filter(|id| !body.keys.iter().any(|added| added.key.id() == *id)) {
            if self.is_registrar(&id) {
                signers.registrars += 1;
                continue;
            }
            let unknown =
                || Refused::at(Code::KeyUnknown, "/signatures", format!("the key {id} is not enrolled in this log"));
            let key = self.view.key(&id)?.ok_or_else(unknown)?;
            right::speaks(&id, &key, self.timestamp)?;
            match key.holder {
                KeyHolder::Admin if key.issuer == own => signers.admins += 1,
                KeyHolder::Admin if Some(key.issuer.as_str()) == grantor => signers.grantors += 1,
                KeyHolder::Registrar => {
                    let message = format!("the registrar key {id} is not in force");
                    return Err(Refused::at(Code::RightRegistrar, "/signatures", message).into());
                }
                KeyHolder::Sign if key.issuer == own => {
                    let message = format!("the key {id} signs claims; keys are managed with an admin key");
                    return Err(Refused::at(Code::RightUse, "/signatures", message).into());
                }
                _ => {
                    let message = format!("the signature of key {id} is not one this claim needs; take it away");
                    return Err(Refused::at(Code::SignatureExtra, "/signatures", message).into());
                }
            }
        }
        Ok(signers)
    }

    fn is_registrar(&self, id: &KeyId) -> bool {
        self.log.as_ref().is_some_and(|log| log.current.registrars.iter().any(|key| key.id == id.0))
    }

    /// Keys added are new to this log, and each of them signed.
    fn check_new_keys(&self, body: &IssuerBody) -> Result<(), Stop<S::Error>> {
        for (i, added) in body.keys.iter().enumerate() {
            let id = added.key.id();
            let at = format!("/body/keys/{i}");
            if self.view.key(&id)?.is_some() {
                let message = format!("the key {id} is enrolled already, or is a key of this log; make another one");
                return Err(Refused::at(Code::KeyTaken, at, message).into());
            }
            if !self.checked.signers().any(|signer| signer == id) {
                let message = format!("the key {id} did not sign; a key that is added proves that its holder has it");
                return Err(Refused::at(Code::KeyNoPossession, at, message).into());
            }
        }
        Ok(())
    }

    /// The signatures that this kind of registry claim needs.
    fn needed(
        &self,
        body: &IssuerBody,
        before: Option<&IssuerRecord>,
        grantors: u32,
    ) -> Result<Signers, Stop<S::Error>> {
        let by_operator = self.checked.claim().role == Role::Operator;
        let Some(issuer) = before else {
            if by_operator || !body.revoke.is_empty() || body.recovery.is_some() {
                let message = "the issuer is not enrolled; its first entry adds keys and nothing else";
                return Err(Refused::at(Code::RightIssuer, "/issuer", message).into());
            }
            return Ok(Signers { admins: 0, grantors, registrars: 1 });
        };
        let registrar_only = Signers { admins: 0, grantors, registrars: 1 };
        match body.recovery {
            _ if by_operator => Ok(registrar_only),
            Some(Recovery::Start) => Ok(registrar_only),
            Some(Recovery::Veto(_)) => Ok(Signers { admins: 1, grantors, registrars: 0 }),
            None => {
                let registrars = u32::from(registrar_decides(body, issuer));
                Ok(Signers { admins: issuer.admin_threshold, grantors, registrars })
            }
        }
    }

    fn revoke(&mut self, id: &str, body: &IssuerBody, issuer: &mut IssuerRecord) -> Result<(), Stop<S::Error>> {
        for (i, revocation) in body.revoke.iter().enumerate() {
            let at = format!("/body/revoke/{i}/key_id");
            let known = self.view.key(&revocation.key_id)?.filter(|key| key.issuer == id);
            let Some(mut key) = known else {
                let message = format!("{} is no key of {id}", revocation.key_id);
                return Err(Refused::at(Code::KeyUnknown, at, message).into());
            };
            if let Some(entry) = key.revoked {
                let message = format!("the key was revoked by entry {entry} already");
                return Err(Refused::at(Code::KeyRevoked, at, message).into());
            }
            key.revoked = Some(self.index.0);
            if key.holder == KeyHolder::Admin {
                issuer.admins = issuer.admins.saturating_sub(1);
            }
            self.changes.put(StateKey::Key(&revocation.key_id), &key);
        }
        Ok(())
    }

    /// Starts a recovery, or stops one that is not in force yet.
    fn recover(&mut self, body: &IssuerBody, issuer: &mut IssuerRecord) -> Result<(), Stop<S::Error>> {
        issuer.recovery.take_if(|waiting| waiting.effective_ms <= self.timestamp.0);
        let refuse = |message: &str| Err(Refused::at(Code::SlotRecovery, "/body/recovery", message).into());
        match &body.recovery {
            None => Ok(()),
            Some(Recovery::Start) => {
                if issuer.recovery.is_some() {
                    return refuse("another recovery of this issuer waits; it can be vetoed");
                }
                let admins = body.keys.iter().filter(|added| added.key_use == KeyUse::Admin).count();
                if admins < issuer.admin_threshold as usize {
                    let message = format!(
                        "{} admin keys must sign changes of this issuer; a recovery adds as many, with `use` admin",
                        issuer.admin_threshold
                    );
                    return Err(Refused::at(Code::ClaimValue, "/body/keys", message).into());
                }
                let keys: Vec<u8> = body.keys.iter().flat_map(|added| added.key.id().0).collect();
                let effective_ms = self.timestamp.0.saturating_add(RECOVERY_WAIT_MS);
                issuer.recovery = Some(PendingRecovery { claim: self.checked.id().0.0, effective_ms, keys });
                Ok(())
            }
            Some(Recovery::Veto(claim)) => {
                let Some(waiting) = issuer.recovery.take_if(|waiting| waiting.claim == claim.0.0) else {
                    return refuse("this claim started no recovery that still waits");
                };
                for id in waiting.keys.chunks_exact(32) {
                    let id = KeyId(id.try_into().map_err(|_| Stop::Corrupt("a recovery".into()))?);
                    let mut key = self.view.key(&id)?.ok_or_else(|| Stop::Corrupt(format!("key {id}")))?;
                    // A key that was revoked while it waited keeps that entry as its end.
                    if key.revoked.is_none() && key.holder == KeyHolder::Admin {
                        issuer.admins = issuer.admins.saturating_sub(1);
                    }
                    key.revoked.get_or_insert(self.index.0);
                    self.changes.put(StateKey::Key(&id), &key);
                }
                Ok(())
            }
        }
    }

    fn add_keys(&mut self, id: &str, body: &IssuerBody, issuer: &mut IssuerRecord) -> Result<(), Stop<S::Error>> {
        let from_ms = match body.recovery {
            Some(Recovery::Start) => self.timestamp.0.saturating_add(RECOVERY_WAIT_MS),
            _ => 0,
        };
        for added in &body.keys {
            let holder = match added.key_use {
                KeyUse::Sign => KeyHolder::Sign,
                KeyUse::Admin => KeyHolder::Admin,
            };
            let key_id = added.key.id();
            let key = KeyRecord {
                holder,
                issuer: id.to_owned(),
                spki: added.key.to_spki(),
                added: self.index.0,
                from_ms,
                until_ms: added.until.as_ref().map(end_ms),
                revoked: None,
            };
            self.changes.put(StateKey::Key(&key_id), &key);
            let listed = record::encode(&minicbor::bytes::ByteArray::from(key_id.0));
            self.changes.state.push((StateKey::IssuerKey(id, issuer.keys).encode(), listed));
            issuer.keys += 1;
            issuer.admins += u32::from(holder == KeyHolder::Admin);
        }
        Ok(())
    }

    fn grant(&mut self, id: &str, body: &IssuerBody, grantor: Option<String>) {
        let Some(from) = grantor else { return };
        let types = body.mandate.iter().flat_map(|mandate| &mandate.types);
        let authority = AuthorityRecord {
            from,
            to: id.to_owned(),
            succession: body.successor_of.is_some(),
            until_ms: body.mandate.as_ref().and_then(|mandate| mandate.until.as_ref()).map(end_ms),
            types: types.map(|claim_type| claim_type.as_str().to_owned()).collect(),
        };
        self.changes.put(StateKey::Authority(&self.checked.id()), &authority);
    }
}

/// The record of a claim that no other claim can target.
pub(super) fn registry_claim(index: u64, issuer: &str, claim_type: &str) -> ClaimRecord {
    ClaimRecord {
        index,
        slot: None,
        issuer: issuer.to_owned(),
        full: false,
        head: false,
        withdrawn: false,
        claim_type: Some(claim_type.to_owned()),
        head_before: None,
        head_after: None,
    }
}

fn only_new() -> Refused {
    let message = "a registry claim is `new`: keys are added and revoked in its body";
    Refused::at(Code::ClaimValue, "/rel/kind", message)
}

fn compare(found: &Signers, needed: &Signers) -> Result<(), Refused> {
    let rows = [
        (found.registrars, needed.registrars, Code::RightRegistrar, "registrar key(s)"),
        (found.admins, needed.admins, Code::SignatureMissing, "admin key(s) of the issuer"),
        (found.grantors, needed.grantors, Code::SignatureMissing, "admin key(s) of the mandator or predecessor"),
    ];
    // What is missing is said first: who puts a wrong signature in the place of the right one learns what is right.
    let missing = rows.iter().find(|(found, needed, _, _)| found < needed);
    let extra = rows.iter().find(|(found, needed, _, _)| found > needed);
    let (found, needed, code, whose) = match (missing, extra) {
        (Some((found, needed, code, whose)), _) => (found, needed, *code, whose),
        (None, Some((found, needed, _, whose))) => (found, needed, Code::SignatureExtra, whose),
        (None, None) => return Ok(()),
    };
    let message = format!("this claim needs the signatures of {needed} {whose}; it has {found}");
    Err(Refused::at(code, "/signatures", message))
}

/// Takes over names, roles and threshold, and sees that the issuer can still manage its keys.
fn settle(body: &IssuerBody, role: Role, issuer: &mut IssuerRecord) -> Result<(), Refused> {
    if role == Role::Operator {
        return Ok(());
    }
    if body.recovery.is_some() {
        return right::require_role(issuer, role);
    }
    issuer.roles = body.roles.iter().map(|role| role.as_str().to_owned()).collect();
    right::require_role(issuer, role)?;
    if let Some(name) = &body.legal_name {
        issuer.legal_name.clone_from(name);
    }
    issuer.replay |= body.replay;
    if let Some(threshold) = body.admin_threshold {
        issuer.admin_threshold = threshold;
    }
    // One that only revokes may leave too few: keys that others have must go, and the registrar can help.
    let grows = issuer.entries == 0 || !body.keys.is_empty() || body.admin_threshold.is_some();
    if grows && issuer.admins < issuer.admin_threshold {
        let pointer = if body.admin_threshold.is_some() { "/body/admin_threshold" } else { "/body/keys" };
        let message = format!(
            "{} admin keys must sign changes, but the issuer would have {}; add a key with `use` admin",
            issuer.admin_threshold, issuer.admins
        );
        return Err(Refused::at(Code::ClaimValue, pointer, message));
    }
    Ok(())
}

/// What an issuer may not change by itself: what the registrar admitted it as.
fn registrar_decides(body: &IssuerBody, issuer: &IssuerRecord) -> bool {
    let adds_roles = body.roles.iter().any(|role| !issuer.roles.iter().any(|known| known == role.as_str()));
    let renames = body.legal_name.as_ref().is_some_and(|name| *name != issuer.legal_name);
    adds_roles || renames || (body.replay && !issuer.replay)
}

/// A recovery adds keys, a veto stops it; neither does anything else.
fn check_recovery_form(body: &IssuerBody) -> Result<(), Refused> {
    let Some(recovery) = &body.recovery else { return Ok(()) };
    let extra = [
        ("/body/keys", matches!(recovery, Recovery::Veto(_)) && !body.keys.is_empty()),
        ("/body/revoke", !body.revoke.is_empty()),
        ("/body/admin_threshold", body.admin_threshold.is_some()),
        ("/body/mandate", body.mandate.is_some()),
        ("/body/successor_of", body.successor_of.is_some()),
    ];
    match extra.iter().find(|(_, present)| *present) {
        Some((pointer, _)) => {
            let message = "a recovery only adds keys, and a veto only stops it; make another claim for this";
            Err(Refused::at(Code::ClaimValue, *pointer, message))
        }
        None => Ok(()),
    }
}

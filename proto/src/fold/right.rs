//! The right to speak: which key may say what for whom, at the claim's own index.

use super::{AuthorityRecord, IssuerRecord, KeyHolder, KeyRecord, State, Step, Stop};
use crate::claim::Role;
use crate::code::{Code, Refused};
use crate::ed25519::KeyId;
use crate::num::Millis;

/// A recovery's keys begin to speak seven days of log time after the claim that brings them, so that whoever holds an
/// old admin key can stop a thief.
pub const RECOVERY_WAIT_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// The key rule: a key speaks at an index if it was added before, not revoked before, and the entry's time is within
/// its validity.
pub(super) fn speaks(id: &KeyId, key: &KeyRecord, timestamp: Millis) -> Result<(), Refused> {
    let refuse = |code, message: String| Err(Refused::at(code, "/signatures", message));
    if let Some(index) = key.revoked {
        return refuse(Code::KeyRevoked, format!("the key {id} was revoked by entry {index}; sign with another key"));
    }
    if timestamp.0 < key.from_ms {
        let from = Millis(key.from_ms).to_rfc3339();
        let message = format!("the key {id} comes from a recovery and speaks only from {from} on");
        return refuse(Code::KeyExpired, message);
    }
    if key.until_ms.is_some_and(|until| timestamp.0 >= until) {
        return refuse(Code::KeyExpired, format!("the validity of the key {id} is over; sign with another key"));
    }
    Ok(())
}

impl<S: State> Step<'_, S> {
    /// Finds the key that signed a claim about a product: one signature, by a signing key of the claim's issuer.
    pub(super) fn entitled_issuer(&self) -> Result<IssuerRecord, Stop<S::Error>> {
        let claim = self.checked.claim();
        let mut signers = self.checked.signers();
        let (Some(id), None) = (signers.next(), signers.next()) else {
            let message = "a claim of this type carries exactly one signature";
            return Err(Refused::at(Code::SignatureExtra, "/signatures", message).into());
        };
        let unknown =
            || Refused::at(Code::KeyUnknown, "/signatures", format!("the key {id} is not enrolled in this log"));
        let key = self.view.key(&id)?.ok_or_else(unknown)?;
        if key.issuer != claim.issuer.as_str() {
            let whose = if key.issuer.is_empty() { "the log's operator" } else { &key.issuer };
            let message = format!("the key {id} is one of {whose}, not of {}", claim.issuer);
            return Err(Refused::at(Code::RightOtherIssuer, "/issuer", message).into());
        }
        speaks(&id, &key, self.timestamp)?;
        if key.holder != KeyHolder::Sign {
            let message = format!("the key {id} is an admin key; claims are signed with a key whose use is `sign`");
            return Err(Refused::at(Code::RightUse, "/signatures", message).into());
        }
        let issuer = self.view.issuer(claim.issuer.as_str())?.ok_or_else(|| Stop::Corrupt(key.issuer.clone()))?;
        require_role(&issuer, claim.role)?;
        Ok(issuer)
    }

    /// The mandate or succession that the claim names, checked: it exists, is the issuer's, and holds for this type now.
    pub(super) fn named_authority(&self) -> Result<Option<AuthorityRecord>, Stop<S::Error>> {
        let claim = self.checked.claim();
        let refuse = |pointer: &str, message: String| Err(Refused::at(Code::RightAuthority, pointer, message).into());
        let Some(id) = &claim.authority else {
            if claim.on_behalf_of.is_some() {
                let message = "a claim on behalf of another names the mandate in `authority`, by its claim id";
                return refuse("/authority", message.into());
            }
            return Ok(None);
        };
        let Some(found) = self.view.authority(id)? else {
            return refuse("/authority", format!("{id} is no claim of this log that gives a mandate or a succession"));
        };
        if found.to != claim.issuer.as_str() {
            return refuse("/authority", format!("{id} gives rights to {}, not to {}", found.to, claim.issuer));
        }
        if found.until_ms.is_some_and(|until| self.timestamp.0 >= until) {
            return refuse("/authority", format!("the mandate {id} is over"));
        }
        if !found.types.is_empty() && !found.types.iter().any(|t| t == claim.claim_type.as_str()) {
            return refuse("/authority", format!("the mandate {id} is not for {}", claim.claim_type));
        }
        if claim.on_behalf_of.as_ref().is_some_and(|whom| whom.as_str() != found.from) {
            return refuse("/on_behalf_of", format!("the mandate {id} is one of {}", found.from));
        }
        Ok(Some(found))
    }

    /// A maker speaks about its own products, a representative about those of whom it represents.
    pub(super) fn check_subject(&self, authority: Option<&AuthorityRecord>) -> Result<(), Refused> {
        let claim = self.checked.claim();
        if claim.role == Role::AuthorisedRepresentative && authority.is_none() {
            let message = "an authorised representative names its mandate in `authority`";
            return Err(Refused::at(Code::RightAuthority, "/authority", message));
        }
        let Some(product) = self.checked.submission().product() else { return Ok(()) };
        let own = product.manufacturer == claim.issuer.as_str();
        let granted = authority.is_some_and(|authority| authority.from == product.manufacturer);
        let speaks_as_maker = matches!(claim.role, Role::Manufacturer | Role::AuthorisedRepresentative);
        let about_others = claim.rel.kind.is_about_target(); // the right to that depends on the target
        if speaks_as_maker && !own && !granted && !about_others {
            let message = format!("{} cannot speak as the maker {}", claim.issuer, product.manufacturer);
            return Err(Refused::at(Code::RightOtherIssuer, "/subject/manufacturer", message));
        }
        Ok(())
    }
}

/// The issuer was enrolled in this role.
pub(super) fn require_role(issuer: &IssuerRecord, role: Role) -> Result<(), Refused> {
    if issuer.roles.iter().any(|enrolled| enrolled == role.as_str()) {
        return Ok(());
    }
    let message = format!("the issuer was not enrolled as {role}, only as {}", issuer.roles.join(", "));
    Err(Refused::at(Code::RightRole, "/role", message))
}

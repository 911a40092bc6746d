//! `log/v1`: the log's own rules are entries too.
//!
//! Entry 0 founds the log; every key it names for operator and registrars signs it. A later one is signed by as many
//! operator keys in force as the threshold says and by each new key, and is in force no sooner than 24 h of log time
//! later; a newer one takes the place of one that still waits. A freeze is in force at once, and so changes nothing
//! else: any entry after it is a provable breach.
//!
//! A constitution may name rules that this code does not know: it is judged by the rules in force. Once such rules hold,
//! [`Stop::UnknownRules`] ends the fold.

use super::record::EnrolledKey;
use super::registry::{end_ms, registry_claim};
use super::{
    Constitution, KeyHolder, KeyRecord, LogRecord, RULES_VERSION, State, StateKey, Step, Stop, check_address, row,
};
use crate::claim::body::{LogBody, LogKey};
use crate::claim::{Body, RelKind, Role};
use crate::code::{Code, Refused};
use crate::ed25519::{KeyId, PublicKey};
use crate::note::{SignatureType, Vkey};
use crate::num::LeafIndex;

/// A change of the rules waits a day of log time, so that everyone sees it before it holds.
pub const CHANGE_WAIT_MS: u64 = 24 * 60 * 60 * 1000;

fn refuse<E>(code: Code, pointer: &str, message: impl Into<String>) -> Stop<E> {
    Refused::at(code, pointer, message).into()
}

impl<'a, S: State> Step<'a, S> {
    /// Entry 0.
    pub(super) fn found(&mut self) -> Result<(), Stop<S::Error>> {
        let checked = self.checked;
        let body = self.log_body()?;
        check_address(body.origin.as_str(), self.timestamp, checked)?;
        if body.freeze.is_some() {
            return Err(refuse(Code::SlotConstitution, "/body/freeze", "entry 0 freezes nothing"));
        }
        if checked.claim().effective.is_some() {
            return Err(refuse(Code::SlotConstitution, "/effective", "entry 0 holds at once; leave `effective` out"));
        }
        self.check_signers(body, None)?;
        if body.rules_version > RULES_VERSION {
            return Err(Stop::UnknownRules(body.rules_version));
        }
        let current = to_record(body, self.index.0, self.index.0, self.timestamp.0);
        self.take_keys(body, None)?;
        let log = LogRecord { current, pending: None, last: self.index.0, last_timestamp: self.timestamp.0 };
        self.note_claim(log);
        Ok(())
    }

    /// A later `log/v1`.
    pub(super) fn change_constitution(&mut self) -> Result<(), Stop<S::Error>> {
        let body = self.log_body()?;
        let Some(mut log) = self.log.take() else { return Err(Stop::Corrupt("the constitution".into())) };
        check_fixed(body, &log.current)?;
        self.check_signers(body, Some(&log.current))?;
        let effective_ms = self.effective_ms(body)?;
        self.links.previous = Some(LeafIndex(log.last));
        self.take_keys(body, Some(&log.current))?;
        let next = to_record(body, self.index.0, log.current.index, effective_ms);
        if body.freeze.is_some() {
            check_freeze(&next, &log.current)?;
            log.current = next;
            log.pending = None;
        } else {
            log.pending = Some(next); // a change that was waiting gives way to the newer one
        }
        log.last = self.index.0;
        self.note_claim(log);
        Ok(())
    }

    fn log_body(&self) -> Result<&'a LogBody, Stop<S::Error>> {
        let claim = self.checked.claim();
        if claim.role != Role::Operator {
            return Err(refuse(Code::RightOperator, "/role", "log/v1 is claimed in the role operator"));
        }
        match &claim.body {
            Body::Log(body) if claim.rel.kind == RelKind::New => Ok(body),
            _ => {
                Err(refuse(Code::ClaimValue, "/rel/kind", "log/v1 is `new`; the newer one takes the older one's place"))
            }
        }
    }

    fn effective_ms(&self, body: &LogBody) -> Result<u64, Stop<S::Error>> {
        match &self.checked.claim().effective {
            None if body.freeze.is_some() => Ok(self.timestamp.0),
            Some(_) if body.freeze.is_some() => {
                Err(refuse(Code::SlotConstitution, "/effective", "a freeze holds at once; leave `effective` out"))
            }
            None => Err(refuse(Code::ClaimMissing, "/effective", "a change of the rules says from when it holds")),
            Some(date) if end_ms(date) < self.timestamp.0.saturating_add(CHANGE_WAIT_MS) => {
                let message = "a change of the rules holds no sooner than 24 hours of log time after it is logged";
                Err(refuse(Code::SlotConstitution, "/effective", message))
            }
            Some(date) => Ok(end_ms(date)),
        }
    }

    /// Each new key signed; of the operator keys in force exactly as many as the threshold; nobody else.
    fn check_signers(&self, body: &LogBody, current: Option<&Constitution>) -> Result<(), Stop<S::Error>> {
        let known = |id: &KeyId, keys: &[EnrolledKey]| keys.iter().any(|key| key.id == id.0);
        let is_new = |id: &KeyId| match current {
            Some(current) => !known(id, &current.operators) && !known(id, &current.registrars),
            None => true,
        };
        let named = named_keys(body);
        for (pointer, key) in named.iter().filter(|(_, key)| is_new(&key.id())) {
            if !self.checked.signers().any(|signer| signer == key.id()) {
                let message = format!("the key {} did not sign; each new key of a constitution signs it", key.id());
                return Err(refuse(Code::KeyNoPossession, pointer, message));
            }
        }
        let mut operators = 0;
        for id in self.checked.signers() {
            let added = is_new(&id) && named.iter().any(|(_, key)| key.id() == id);
            match current {
                Some(current) if known(&id, &current.operators) => operators += 1,
                _ if added => {}
                _ => {
                    let message = format!("the signature of key {id} is not one this claim needs");
                    return Err(refuse(Code::SignatureExtra, "/signatures", message));
                }
            }
        }
        let needed = current.map_or(0, |current| current.threshold);
        let message =
            format!("this claim needs the signatures of {needed} operator key(s) in force; it has {operators}");
        match operators.cmp(&needed) {
            std::cmp::Ordering::Less => Err(refuse(Code::RightOperator, "/signatures", message)),
            std::cmp::Ordering::Greater => Err(refuse(Code::SignatureExtra, "/signatures", message)),
            std::cmp::Ordering::Equal => Ok(()),
        }
    }

    /// Marks every key that the constitution names as taken, each in one capacity for ever.
    fn take_keys(&mut self, body: &LogBody, current: Option<&Constitution>) -> Result<(), Stop<S::Error>> {
        let mut keys: Vec<(String, KeyHolder, KeyId, Vec<u8>)> = Vec::new();
        for (list, holder, name) in [
            (&body.operator_keys, KeyHolder::Operator, "operator_keys"),
            (&body.registrar_keys, KeyHolder::Registrar, "registrar_keys"),
        ] {
            for (i, LogKey { key, .. }) in list.iter().enumerate() {
                keys.push((format!("/body/{name}/{i}"), holder, key.id(), key.to_spki()));
            }
        }
        let vkeys = [("/body/log_vkey".to_owned(), &body.log_vkey), ("/body/time_vkey".to_owned(), &body.time_vkey)];
        let witnesses = body.witnesses.iter().enumerate().map(|(i, w)| (format!("/body/witnesses/{i}/vkey"), &w.vkey));
        for (pointer, text) in vkeys.into_iter().chain(witnesses) {
            let holder = if pointer.contains("witnesses") { KeyHolder::Witness } else { KeyHolder::Log };
            // Keys of other algorithms can never sign entries, so they cannot collide with an issuer's.
            if let Some(key) = ed25519_of(text, &pointer)? {
                keys.push((pointer, holder, key.id(), Vec::new()));
            }
        }
        for (i, (pointer, holder, id, spki)) in keys.iter().enumerate() {
            if keys[..i].iter().any(|(_, _, other, _)| other == id) {
                let message = format!("the key {id} stands in two roles; one key has one role");
                return Err(refuse(Code::KeyTaken, pointer, message));
            }
            match self.view.key(id)? {
                Some(found) if found.holder == *holder && current.is_some() => {}
                Some(_) => {
                    let message = format!("the key {id} is enrolled in another role");
                    return Err(refuse(Code::KeyTaken, pointer, message));
                }
                None => {
                    let record = KeyRecord {
                        holder: *holder,
                        issuer: String::new(),
                        spki: spki.clone(),
                        added: self.index.0,
                        from_ms: 0,
                        until_ms: None,
                        revoked: None,
                    };
                    self.changes.put(StateKey::Key(id), &record);
                }
            }
        }
        Ok(())
    }

    fn note_claim(&mut self, log: LogRecord) {
        self.changes.put(StateKey::Log, &log);
        self.log = Some(log);
        let checked = self.checked;
        let issuer = checked.claim().issuer.as_str();
        self.changes.put(StateKey::Claim(&checked.id()), &registry_claim(self.index.0, issuer, "log/v1"));
        row::write_constitution(self);
    }
}

fn named_keys(body: &LogBody) -> Vec<(String, PublicKey)> {
    let operators = body.operator_keys.iter().enumerate().map(|(i, key)| (format!("/body/operator_keys/{i}"), key.key));
    let registrars =
        body.registrar_keys.iter().enumerate().map(|(i, key)| (format!("/body/registrar_keys/{i}"), key.key));
    operators.chain(registrars).collect()
}

/// The Ed25519 key of a vkey; `None` for another algorithm.
fn ed25519_of(vkey: &str, pointer: &str) -> Result<Option<PublicKey>, Refused> {
    let malformed = |message: String| Refused::at(Code::ClaimValue, pointer, message);
    let vkey = Vkey::parse(vkey).map_err(|e| malformed(format!("not a vkey: {e}")))?;
    if !matches!(vkey.signature_type(), SignatureType::Ed25519 | SignatureType::CosignatureV1) {
        return Ok(None);
    }
    PublicKey::from_raw(vkey.key_bytes()).map(Some).map_err(|e| Refused::at(Code::KeyWeak, pointer, e.to_string()))
}

/// Changes wait a day so that everyone sees them; a freeze does not wait and so must not carry any.
fn check_freeze(next: &Constitution, current: &Constitution) -> Result<(), Refused> {
    let Constitution { index, previous, effective_ms, frozen, ref successor, .. } = *next;
    let unchanged =
        Constitution { index, previous, effective_ms, frozen, successor: successor.clone(), ..current.clone() };
    if *next == unchanged {
        return Ok(());
    }
    let message = "a freeze holds at once and so changes nothing else; repeat the constitution that is in force";
    Err(Refused::at(Code::SlotConstitution, "/body", message))
}

/// Origin, keys of the log, hash and entry format are fixed for ever; a new log key is a new origin.
fn check_fixed(body: &LogBody, current: &Constitution) -> Result<(), Refused> {
    let same = [
        ("/body/origin", body.origin.as_str() == current.origin),
        ("/body/log_vkey", body.log_vkey == current.log_vkey),
        ("/body/time_vkey", body.time_vkey == current.time_vkey),
    ];
    match same.iter().find(|(_, same)| !same) {
        Some((pointer, _)) => {
            let message = "fixed for ever by entry 0; a new log key is a new origin, linked as the successor";
            Err(Refused::at(Code::SlotConstitution, *pointer, message))
        }
        None => Ok(()),
    }
}

/// What the rules need of the constitution at `index`, once it is in force; what was before it is not asked.
pub(crate) fn constitution_record(body: &LogBody, index: u64) -> Constitution {
    to_record(body, index, index, 0)
}

fn to_record(body: &LogBody, index: u64, previous: u64, effective_ms: u64) -> Constitution {
    let keys = |list: &[LogKey]| {
        list.iter().map(|key| EnrolledKey { id: key.key.id().0, spki: key.key.to_spki() }).collect::<Vec<_>>()
    };
    Constitution {
        index,
        previous,
        effective_ms,
        origin: body.origin.as_str().to_owned(),
        log_vkey: body.log_vkey.clone(),
        time_vkey: body.time_vkey.clone(),
        operators: keys(&body.operator_keys),
        threshold: body.operator_threshold,
        registrars: keys(&body.registrar_keys),
        witnesses: body.witnesses.iter().map(|witness| witness.vkey.clone()).collect(),
        quorum: body.quorum,
        delta_seconds: body.delta_seconds,
        rules_version: body.rules_version,
        entry_bytes: body.limits.entry_bytes,
        envelope_bytes: body.limits.envelope_bytes,
        frozen: body.freeze.is_some(),
        successor: body.freeze.as_ref().and_then(|freeze| freeze.successor.as_ref()).map(|o| o.as_str().to_owned()),
    }
}

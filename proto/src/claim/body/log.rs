//! `log/v1`: the log's own rules. Entry 0 of every log is one; later ones change what may change.

use super::{number, vkey};
use crate::claim::limits::{
    MAX_DELTA_SECONDS, MAX_ENTRY_BYTES, MAX_ENVELOPE_BYTES, MAX_KEYS, MAX_REFUSAL_CODES, MAX_WITNESSES,
};
use crate::claim::names::Origin;
use crate::claim::parse::tree_size;
use crate::claim::read;
use crate::code::{Code, Refused};
use crate::ed25519::PublicKey;
use crate::hash::Hash;
use crate::json::{Fields, Item, Place, child, element};
use crate::num::TreeSize;

/// The constitution. From when it holds is the claim's own `effective`.
///
/// | member | form |
/// |---|---|
/// | `origin` | the log's origin, as in the claim's `logs` |
/// | `log_vkey` | vkey of type 01 (Ed25519), name = origin |
/// | `time_vkey` | vkey of type 04 (cosignature/v1), name = `<origin>/time` |
/// | `hash` | `"sha-256"` |
/// | `entry_format` | `1` |
/// | `operator_keys` | 1–16 of `{alg: "ed25519", spki}`; `spki` is base64 of the DER SubjectPublicKeyInfo |
/// | `operator_threshold` | how many operator keys sign a change, 1 to their number |
/// | `registrar_keys` | 1–16 of the same form |
/// | `witnesses` | 0–32 of `{vkey, name?}` |
/// | `quorum` | how many witnesses must cosign, 0 to their number |
/// | `delta_seconds` | δ, 1–86,400 |
/// | `rules_version` | 1 or more; which ones a program knows is its own matter, since the claim that brings version 2 is judged under version 1 |
/// | `limits` | `{entry_bytes: 1–65,535, envelope_bytes: 1–131,072}` |
/// | `retention` | `"forever"` |
/// | `refusal_codes` | optional: the codes this log refuses with |
/// | `predecessor` | optional: `{origin, size, root}`, the last head of the log before this one |
/// | `freeze` | optional: `{successor}`, an origin or null: this log takes nothing more |
///
/// No key stands in two roles: a key that speaks for the operator never speaks for the log, its time or a witness.
#[derive(Debug, Clone, PartialEq)]
pub struct LogBody {
    /// The log's origin.
    pub origin: Origin,
    /// The vkey of the log's checkpoints.
    pub log_vkey: String,
    /// The vkey of the log's time.
    pub time_vkey: String,
    /// Who may change the rules.
    pub operator_keys: Vec<LogKey>,
    /// How many of them must sign a change.
    pub operator_threshold: u32,
    /// Who may admit issuers.
    pub registrar_keys: Vec<LogKey>,
    /// Who cosigns.
    pub witnesses: Vec<Witness>,
    /// How many of them make a quorum.
    pub quorum: u32,
    /// δ: seconds within which entries appear under a quorum's head.
    pub delta_seconds: u32,
    /// The rules in force; 1 today.
    pub rules_version: u32,
    /// What fits.
    pub limits: LogLimits,
    /// How long entries are kept; `forever`.
    pub retention: String,
    /// The codes this log refuses with, when it lists them.
    pub refusal_codes: Vec<String>,
    /// The log before this one.
    pub predecessor: Option<Predecessor>,
    /// The end of this log.
    pub freeze: Option<Freeze>,
}

/// A key of the operator or a registrar.
#[derive(Debug, Clone, PartialEq)]
pub struct LogKey {
    /// DER SubjectPublicKeyInfo as given.
    pub spki: Vec<u8>,
    /// The key, checked.
    pub key: PublicKey,
}

/// A witness the log names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// What people call it.
    pub name: Option<String>,
    /// Its vkey, type 04 or 06.
    pub vkey: String,
}

/// Bounds the log announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// Largest entry, in bytes.
    pub entry_bytes: u32,
    /// Largest envelope body, in bytes.
    pub envelope_bytes: u32,
}

/// The last head of the log before this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predecessor {
    /// Its origin.
    pub origin: Origin,
    /// Size of its last head.
    pub size: TreeSize,
    /// Root hash of its last head.
    pub root: Hash,
}

/// The end of a log: any entry after it is a provable breach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// The log that goes on, if any.
    pub successor: Option<Origin>,
}

impl LogBody {
    pub(super) fn read(item: Item) -> Result<LogBody, Refused> {
        let mut fields = item.object()?;
        let mut roles = KeyRoles::new(fields.place());
        let origin = fields.read("origin", read::origin)?;
        let log_vkey = named_vkey(&mut fields, &mut roles, "log_vkey", vkey::ED25519, origin.as_str())?;
        let time_name = format!("{origin}/time");
        let time_vkey = named_vkey(&mut fields, &mut roles, "time_vkey", vkey::COSIGNATURE, &time_name)?;
        fields.read("hash", |item| item.text()?.choice(&[("sha-256", ())]))?;
        fields.read("entry_format", |item| item.integer(1, 1))?;
        let operator_keys = log_keys(&mut fields, &mut roles, "operator_keys")?;
        let operator_threshold = fields.read("operator_threshold", |item| number(item, 1, count(&operator_keys)))?;
        let registrar_keys = log_keys(&mut fields, &mut roles, "registrar_keys")?;
        let witnesses = witnesses(&mut fields, &mut roles)?;
        let body = LogBody {
            quorum: fields.read("quorum", |item| number(item, 0, count(&witnesses)))?,
            delta_seconds: fields.read("delta_seconds", |item| number(item, 1, MAX_DELTA_SECONDS))?,
            rules_version: fields.read("rules_version", |item| number(item, 1, i64::from(u32::MAX)))?,
            limits: fields.read("limits", limits)?,
            retention: fields.read("retention", retention)?,
            refusal_codes: fields.list_opt("refusal_codes", MAX_REFUSAL_CODES, read::token)?,
            predecessor: fields.read_opt("predecessor", predecessor)?,
            freeze: fields.read_opt("freeze", freeze)?,
            origin,
            log_vkey,
            time_vkey,
            operator_keys,
            operator_threshold,
            registrar_keys,
            witnesses,
        };
        read::no_twins(&body.refusal_codes, fields.place(), "refusal_codes")?;
        fields.finish()?;
        Ok(body)
    }
}

/// The keys met so far, so that none stands in two roles.
struct KeyRoles {
    object: Place,
    seen: Vec<Vec<u8>>,
}

impl KeyRoles {
    fn new(object: &Place) -> KeyRoles {
        KeyRoles { object: object.clone(), seen: Vec::new() }
    }

    fn take(&mut self, place: &str, key: Vec<u8>) -> Result<(), Refused> {
        if self.seen.contains(&key) {
            let place = format!("{}/{place}", self.object);
            return Err(Refused::at(Code::ClaimValue, place, "this key stands in the constitution already"));
        }
        self.seen.push(key);
        Ok(())
    }
}

fn named_vkey(
    fields: &mut Fields,
    roles: &mut KeyRoles,
    member: &str,
    kind: u8,
    name: &str,
) -> Result<String, Refused> {
    let text = fields.text(member)?;
    let vkey = vkey::read(&text, &[kind])?;
    if vkey.name != name {
        return Err(text.bad(format!("expected a vkey with the name {name}")));
    }
    roles.take(member, vkey.key)?;
    Ok(text.into_string())
}

fn log_keys(fields: &mut Fields, roles: &mut KeyRoles, member: &str) -> Result<Vec<LogKey>, Refused> {
    let keys = fields.non_empty_list(member, MAX_KEYS, log_key)?;
    for (index, key) in keys.iter().enumerate() {
        roles.take(&format!("{member}/{index}"), key.key.to_raw().to_vec())?;
    }
    Ok(keys)
}

fn log_key(item: Item) -> Result<LogKey, Refused> {
    let mut fields = item.object()?;
    fields.read("alg", read::algorithm)?;
    let (spki, key) = fields.read("spki", read::spki)?;
    fields.finish()?;
    Ok(LogKey { spki, key })
}

fn witnesses(fields: &mut Fields, roles: &mut KeyRoles) -> Result<Vec<Witness>, Refused> {
    let place = fields.place().child("witnesses");
    let mut names: Vec<String> = Vec::new();
    let items = fields.required("witnesses")?.array(MAX_WITNESSES)?;
    let mut witnesses = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let (witness, vkey) = witness(item)?;
        if names.contains(&vkey.name) {
            let place = child(&element(&place, index), "vkey");
            return Err(Refused::at(Code::ClaimValue, place, "this key name stands in the list already"));
        }
        names.push(vkey.name);
        roles.take(&format!("witnesses/{index}/vkey"), vkey.key)?;
        witnesses.push(witness);
    }
    Ok(witnesses)
}

fn witness(item: Item) -> Result<(Witness, vkey::Vkey), Refused> {
    let mut fields = item.object()?;
    let name = fields.read_opt("name", read::free)?;
    let text = fields.text("vkey")?;
    let vkey = vkey::read(&text, &[vkey::COSIGNATURE, vkey::ML_DSA_44])?;
    fields.finish()?;
    Ok((Witness { name, vkey: text.into_string() }, vkey))
}

fn limits(item: Item) -> Result<LogLimits, Refused> {
    let mut fields = item.object()?;
    let limits = LogLimits {
        entry_bytes: fields.read("entry_bytes", |item| number(item, 1, MAX_ENTRY_BYTES))?,
        envelope_bytes: fields.read("envelope_bytes", |item| number(item, 1, MAX_ENVELOPE_BYTES))?,
    };
    fields.finish()?;
    Ok(limits)
}

fn retention(item: Item) -> Result<String, Refused> {
    let text = item.text()?;
    text.choice(&[("forever", ())])?;
    Ok(text.into_string())
}

fn predecessor(item: Item) -> Result<Predecessor, Refused> {
    let mut fields = item.object()?;
    let predecessor = Predecessor {
        origin: fields.read("origin", read::origin)?,
        size: fields.read("size", tree_size)?,
        root: fields.read("root", read::root)?,
    };
    fields.finish()?;
    Ok(predecessor)
}

fn freeze(item: Item) -> Result<Freeze, Refused> {
    let mut fields = item.object()?;
    let successor = fields.required("successor")?;
    let successor = if successor.is_null() { None } else { Some(read::origin(successor)?) };
    fields.finish()?;
    Ok(Freeze { successor })
}

/// The length of a list as the upper bound of a number.
fn count<T>(list: &[T]) -> i64 {
    i64::try_from(list.len()).unwrap_or(i64::MAX)
}

//! The form of a vkey (C2SP signed-note): `name+hex8(key hash)+base64(type || key)`, as the constitution lists them.

use crate::code::{Code, Refused};
use crate::ed25519::PublicKey;
use crate::hash::Hash;
use crate::json::Text;

/// Signature type of the log's own signatures, Ed25519.
pub(super) const ED25519: u8 = 0x01;
/// Signature type of timestamped cosignatures, Ed25519.
pub(super) const COSIGNATURE: u8 = 0x04;
/// Signature type of cosignatures with ML-DSA-44.
pub(super) const ML_DSA_44: u8 = 0x06;
/// Length of an ML-DSA-44 public key, in bytes (FIPS 204, table 2).
const ML_DSA_44_KEY_BYTES: usize = 1312;

/// The parts of a vkey whose key hash is right and whose key is sound for its type.
pub(super) struct Vkey {
    /// The key name.
    pub(super) name: String,
    /// The key's bytes, without the type.
    pub(super) key: Vec<u8>,
}

/// Reads a vkey of one of the `types`.
pub(super) fn read(text: &Text, types: &[u8]) -> Result<Vkey, Refused> {
    let shape = || text.bad("expected a vkey: name+8 hex digits+base64 (C2SP signed-note)");
    let mut parts = text.as_str().splitn(3, '+');
    let (Some(name), Some(key_hash), Some(data)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(shape());
    };
    let data = crate::b64::decode(data).map_err(|_| shape())?;
    let (Some(kind), false) = (data.first().copied(), is_bad_name(name)) else { return Err(shape()) };
    if !types.contains(&kind) {
        let names: Vec<String> = types.iter().map(|kind| format!("{kind:02x}")).collect();
        return Err(text.bad(format!("a vkey of type {kind:02x} where {} is expected", names.join(" or "))));
    }
    let hash = Hash::of_parts(&[name.as_bytes(), b"\n", &data]);
    if key_hash != hex::encode(&hash.0[..4]) {
        return Err(text.bad("the vkey's key hash is not that of its name and key"));
    }
    let key = data[1..].to_vec();
    match kind {
        ML_DSA_44 if key.len() == ML_DSA_44_KEY_BYTES => {}
        ML_DSA_44 => return Err(text.refuse(Code::KeyWeak, "not an ML-DSA-44 public key")),
        _ => {
            PublicKey::from_raw(&key).map_err(|error| text.refuse(Code::KeyWeak, error.to_string()))?;
        }
    }
    Ok(Vkey { name: name.to_owned(), key })
}

/// Key names are not empty and have no white space; `+` cannot be in them here. Control characters would break notes.
fn is_bad_name(name: &str) -> bool {
    name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control())
}

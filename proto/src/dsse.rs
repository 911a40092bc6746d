//! The envelope that is submitted: DSSE JSON (secure-systems-lab/dsse v1.0.2) and its pre-authentication encoding.
//!
//! Unknown members are ignored, as DSSE asks; a member given twice is refused, since two readers could take different
//! ones. `keyid` is required here: 64 lower-case hex digits, SHA-256 over the key's SubjectPublicKeyInfo.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::code::{Code, Refused};
use crate::ed25519::{KeyId, SecretKey, Signature};
use crate::entry::{MAX_SIGNATURES, SignatureBy};
use crate::json::child;

/// An envelope holds one entry's payload in base64 with room for many signatures, and not much more.
pub const MAX_ENVELOPE_BYTES: usize = 128 * 1024;

/// A parsed envelope. Nothing is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The media type of the payload.
    pub payload_type: String,
    /// The exact payload bytes.
    pub payload: Vec<u8>,
    /// The signatures, ascending by key id, none twice.
    pub signatures: Vec<SignatureBy>,
}

/// `"DSSEv1" SP len(type) SP type SP len(body) SP body`, lengths in bytes: what is signed (DSSE protocol.md).
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    [pae_head(payload_type, payload.len()).as_bytes(), payload].concat()
}

/// What stands before the payload in its pre-authentication encoding.
pub(crate) fn pae_head(payload_type: &str, payload_bytes: usize) -> String {
    format!("DSSEv1 {} {payload_type} {payload_bytes} ", payload_type.len())
}

impl Envelope {
    /// Signs `payload` with every key. Keys given twice sign once.
    pub fn sign(payload_type: &str, payload: &[u8], keys: &[&SecretKey]) -> Envelope {
        let mut envelope =
            Envelope { payload_type: payload_type.to_owned(), payload: payload.to_vec(), signatures: vec![] };
        for key in keys {
            envelope.add_signature(key);
        }
        envelope
    }

    /// Adds the signature of `key`, or replaces the one it made before.
    pub fn add_signature(&mut self, key: &SecretKey) {
        let key_id = key.public().id();
        self.signatures.retain(|by| by.key_id != key_id);
        self.signatures.push(SignatureBy { key_id, signature: key.sign(&pae(&self.payload_type, &self.payload)) });
        self.signatures.sort();
    }

    /// The envelope as JSON, members in the order of the DSSE specification.
    pub fn to_json(&self) -> String {
        let signatures: Vec<_> = self
            .signatures
            .iter()
            .map(|by| format!(r#"{{"keyid":"{}","sig":"{}"}}"#, by.key_id, crate::b64::encode(&by.signature.0)))
            .collect();
        format!(
            r#"{{"payloadType":{},"payload":"{}","signatures":[{}]}}"#,
            serde_json::Value::String(self.payload_type.clone()),
            crate::b64::encode(&self.payload),
            signatures.join(",")
        )
    }

    /// Reads an envelope of at most [`MAX_ENVELOPE_BYTES`].
    pub fn parse(bytes: &[u8]) -> Result<Envelope, Refused> {
        if bytes.len() > MAX_ENVELOPE_BYTES {
            let message = format!("the envelope has {} bytes; at most {MAX_ENVELOPE_BYTES} are taken", bytes.len());
            return Err(Refused::new(Code::SizeEnvelope, message));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|e| malformed("", format!("the envelope is not UTF-8 (byte {})", e.valid_up_to())))?;
        let mut input = serde_json::Deserializer::from_str(text);
        let raw = Members { names: &["payloadType", "payload"], list: Some("signatures"), object: Object::ENVELOPE }
            .deserialize(&mut input)
            .map_err(json_error)?;
        input.end().map_err(json_error)?;
        raw.into_envelope()
    }
}

fn malformed(pointer: &str, message: impl Into<String>) -> Refused {
    Refused::at(Code::EnvelopeMalformed, pointer, message)
}

/// The reader below reports a doubled member through serde's error text, which is the only way out of a visitor.
const DUPLICATE_MARK: &str = "duplicate member ";

fn json_error(error: serde_json::Error) -> Refused {
    let text = error.to_string();
    match text.strip_prefix(DUPLICATE_MARK) {
        Some(rest) => {
            // serde_json ends the text of every error with the place.
            let pointer = rest.rsplit_once(" at line ").map_or(rest, |(pointer, _)| pointer);
            Refused::at(
                Code::EnvelopeDuplicateMember,
                pointer,
                format!("the member {pointer} stands twice in the envelope"),
            )
        }
        None => malformed("", format!("the envelope is not the JSON object of DSSE: {text}")),
    }
}

/// A text of the envelope, read where it stands unless it has escapes.
#[derive(Deserialize)]
struct Str<'e>(#[serde(borrow)] Cow<'e, str>);

/// The members of an object that matter, as they came.
#[derive(Default)]
struct Raw<'e> {
    texts: Vec<(&'static str, Str<'e>)>,
    list: Option<Vec<Raw<'e>>>,
}

impl Raw<'_> {
    /// The text of the member `name`, if it is there.
    fn find(&self, name: &str) -> Option<&str> {
        self.texts.iter().find(|(known, _)| *known == name).map(|(_, text)| text.0.as_ref())
    }

    fn text(&self, name: &str, object: Object) -> Result<&str, Refused> {
        self.find(name).ok_or_else(|| malformed(&object.member(name), format!("the member `{name}` is missing")))
    }

    /// What the text of the member `name` encodes.
    fn bytes(&self, name: &str, object: Object) -> Result<Vec<u8>, Refused> {
        crate::b64::decode_either(self.text(name, object)?).map_err(|_| {
            let message = "not canonical base64 with padding (RFC 4648 §4 or §5)";
            Refused::at(Code::EnvelopeBase64, object.member(name), message)
        })
    }

    fn into_envelope(self) -> Result<Envelope, Refused> {
        let payload_type = self.text("payloadType", Object::ENVELOPE)?.to_owned();
        let payload = self.bytes("payload", Object::ENVELOPE)?;
        let list =
            self.list.as_deref().ok_or_else(|| malformed("/signatures", "the member `signatures` is missing"))?;
        let mut signatures =
            list.iter().enumerate().map(|(i, raw)| signature(i, raw)).collect::<Result<Vec<_>, _>>()?;
        signatures.sort();
        if signatures.is_empty() {
            return Err(Refused::at(Code::SignatureMissing, "/signatures", "the envelope has no signature"));
        }
        if let Some(pair) = signatures.windows(2).find(|pair| pair[0].key_id == pair[1].key_id) {
            let message = format!("the key {} signed twice; each key signs once", pair[0].key_id);
            return Err(Refused::at(Code::SignatureExtra, "/signatures", message));
        }
        Ok(Envelope { payload_type, payload, signatures })
    }
}

fn signature(index: usize, raw: &Raw<'_>) -> Result<SignatureBy, Refused> {
    let object = Object::signature(index);
    let key_id = raw.find("keyid").and_then(KeyId::parse).ok_or_else(|| {
        Refused::at(
            Code::EnvelopeKeyId,
            object.member("keyid"),
            "`keyid` must be 64 lower-case hex digits: SHA-256 of the key's SubjectPublicKeyInfo",
        )
    })?;
    Ok(SignatureBy { key_id, signature: Signature(raw.bytes("sig", object)?) })
}

/// An object of the envelope: itself, or one of its signatures. Its place is written out only where something is refused.
#[derive(Clone, Copy)]
struct Object {
    signature: Option<usize>,
}

impl Object {
    const ENVELOPE: Object = Object { signature: None };

    fn signature(index: usize) -> Object {
        Object { signature: Some(index) }
    }

    /// The pointer of a member.
    fn member(self, name: &str) -> String {
        match self.signature {
            None => child("", name),
            Some(index) => child(&format!("/signatures/{index}"), name),
        }
    }
}

/// Reads an object: the named text members, one list of objects, everything else skipped, nothing twice.
struct Members {
    names: &'static [&'static str],
    list: Option<&'static str>,
    object: Object,
}

impl<'de> DeserializeSeed<'de> for Members {
    type Value = Raw<'de>;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Raw<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members {
    type Value = Raw<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw<'de>, A::Error> {
        let mut raw = Raw::default();
        let mut seen = BTreeSet::new();
        while let Some(Str(name)) = map.next_key()? {
            if let Some(known) = self.names.iter().copied().find(|n| *n == name) {
                raw.texts.push((known, map.next_value()?));
            } else if self.list == Some(name.as_ref()) {
                raw.list = Some(map.next_value_seed(SignatureList)?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            if seen.contains(&name) {
                return Err(serde::de::Error::custom(format!("{DUPLICATE_MARK}{}", self.object.member(&name))));
            }
            seen.insert(name);
        }
        Ok(raw)
    }
}

struct SignatureList;

impl<'de> DeserializeSeed<'de> for SignatureList {
    type Value = Vec<Raw<'de>>;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Raw<'de>>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for SignatureList {
    type Value = Vec<Raw<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of signatures")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Raw<'de>>, A::Error> {
        let mut list = Vec::new();
        loop {
            let object = Object::signature(list.len());
            match seq.next_element_seed(Members { names: &["keyid", "sig"], list: None, object })? {
                Some(raw) if list.len() < MAX_SIGNATURES => list.push(raw),
                Some(_) => return Err(serde::de::Error::custom(format!("more than {MAX_SIGNATURES} signatures"))),
                None => return Ok(list),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SecretKey {
        SecretKey::from_seed(&[1; 32]) // a test key
    }

    fn code(json: &str) -> (Code, Option<String>) {
        let refused = Envelope::parse(json.as_bytes()).expect_err(json);
        (refused.code, refused.pointer)
    }

    #[test]
    fn pae_counts_bytes() {
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
        assert_eq!(pae("é", b"x"), "DSSEv1 2 é 1 x".as_bytes());
    }

    #[test]
    fn an_envelope_reads_back_in_both_alphabets() {
        let envelope = Envelope::sign("t", &[0xfb, 0xff, 0xfe], &[&key(), &SecretKey::from_seed(&[2; 32])]);
        let json = envelope.to_json();
        assert_eq!(Envelope::parse(json.as_bytes()), Ok(envelope.clone()));
        let url = json.replace(r#""payload":"+//+""#, r#""payload":"-__-""#);
        assert_ne!(json, url);
        assert_eq!(Envelope::parse(url.as_bytes()), Ok(envelope.clone()));
        let extended = json.replacen('{', r#"{"extension":{"a":[1]},"#, 1);
        assert_eq!(Envelope::parse(extended.as_bytes()), Ok(envelope));
    }

    #[test]
    fn bad_envelopes_name_code_and_place() {
        let good = Envelope::sign("t", b"{}", &[&key()]).to_json();
        assert_eq!(code("{").0, Code::EnvelopeMalformed);
        assert_eq!(code("[]").0, Code::EnvelopeMalformed);
        assert_eq!(code(&format!("{good} x")).0, Code::EnvelopeMalformed);
        let doubled = good.replacen('{', r#"{"payload":"","#, 1);
        assert_eq!(code(&doubled), (Code::EnvelopeDuplicateMember, Some("/payload".into())));
        let doubled = good.replacen('{', r#"{"a /b":1,"a /b":2,"#, 1);
        assert_eq!(code(&doubled), (Code::EnvelopeDuplicateMember, Some("/a ~1b".into())));
        let doubled = good.replacen(r#""keyid""#, r#""sig":"","keyid""#, 1);
        assert_eq!(code(&doubled), (Code::EnvelopeDuplicateMember, Some("/signatures/0/sig".into())));
        let unpadded = good.replace("e30=", "e30");
        assert_eq!(code(&unpadded), (Code::EnvelopeBase64, Some("/payload".into())));
        let upper = good.replace(&key().public().id().to_string(), &key().public().id().to_string().to_uppercase());
        assert_eq!(code(&upper), (Code::EnvelopeKeyId, Some("/signatures/0/keyid".into())));
        assert_eq!(code(r#"{"payloadType":"t","payload":"e30=","signatures":[]}"#).0, Code::SignatureMissing);
        assert_eq!(
            code(r#"{"payloadType":"t","payload":"e30="}"#),
            (Code::EnvelopeMalformed, Some("/signatures".into()))
        );
        let one = good[good.find(r#"[{"#).unwrap() + 1..good.len() - 2].to_owned();
        assert_eq!(code(&good.replace(&one, &format!("{one},{one}"))).0, Code::SignatureExtra);
        assert_eq!(code(&format!("{good}{}", " ".repeat(MAX_ENVELOPE_BYTES))).0, Code::SizeEnvelope);
    }
}

//! State keys: canonical CBOR tuples that begin with their kind, so that a verifiable index can later commit to them.

use minicbor::Encoder;

use crate::claim::ClaimId;
use crate::ed25519::KeyId;
use crate::hash::Hash;

/// What a state key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateKey<'a> {
    /// `["log"]`: the constitution in force and what is under way.
    Log,
    /// `["time"]`: the timestamp of the last entry.
    Time,
    /// `["key", key_id]`: who holds a key.
    Key(&'a KeyId),
    /// `["issuer", id]`: an issuer.
    Issuer(&'a str),
    /// `["issuer-key", id, n]`: the n-th key an issuer enrolled.
    IssuerKey(&'a str, u64),
    /// `["authority", claim_id]`: a mandate or succession that a registry claim gave.
    Authority(&'a ClaimId),
    /// `["claim", claim_id]`: where a claim is and what became of it.
    Claim(&'a ClaimId),
    /// `["slot", first]`: a slot, named by the leaf index of its first entry.
    Slot(u64),
    /// `["slot-of", name_hash]`: the first entry of the slot with this name.
    SlotOf(&'a Hash),
}

impl StateKey<'_> {
    /// The key's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(48);
        let mut out = Encoder::new(&mut bytes);
        let written = self.write(&mut out);
        debug_assert!(written.is_ok(), "a Vec takes every byte");
        bytes
    }

    fn write(&self, out: &mut Encoder<&mut Vec<u8>>) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        match self {
            StateKey::Log => out.array(1)?.str("log")?,
            StateKey::Time => out.array(1)?.str("time")?,
            StateKey::Key(id) => out.array(2)?.str("key")?.bytes(&id.0)?,
            StateKey::Issuer(id) => out.array(2)?.str("issuer")?.str(id)?,
            StateKey::IssuerKey(id, n) => out.array(3)?.str("issuer-key")?.str(id)?.u64(*n)?,
            StateKey::Authority(id) => out.array(2)?.str("authority")?.bytes(&id.0.0)?,
            StateKey::Claim(id) => out.array(2)?.str("claim")?.bytes(&id.0.0)?,
            StateKey::Slot(first) => out.array(2)?.str("slot")?.u64(*first)?,
            StateKey::SlotOf(name) => out.array(2)?.str("slot-of")?.bytes(&name.0)?,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_canonical_tuples() {
        assert_eq!(hex::encode(StateKey::Log.encode()), "81636c6f67");
        assert_eq!(hex::encode(StateKey::Slot(300).encode()), "8264736c6f7419012c");
        assert_eq!(
            hex::encode(StateKey::IssuerKey("a.example", 0).encode()),
            "836a6973737565722d6b657969612e6578616d706c6500"
        );
    }
}

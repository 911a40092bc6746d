//! A key prepared for many checks: the odd multiples of its point and of the base point are computed once.
//!
//! It takes exactly what [`PublicKey::verify`] takes. That check asks for a canonical s, an R that decodes to a point not of
//! small order, and `R = [s]B - [k]A` (RFC 8032 §5.1.7 without the cofactor). Here the right side is computed and encoded:
//! an encoding is canonical, so equal bytes mean that R decodes to this very point.

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, VartimeEdwardsPrecomputation};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimePrecomputedMultiscalarMul as _;
use sha2::{Digest as _, Sha512};

use super::{BadSignature, PublicKey, Signature};

/// Bytes that a prepared key takes at most: 64 multiples each of two points, 160 bytes each, in the widest of the library's
/// arithmetics.
pub const PREPARED_BYTES: usize = 2 * 64 * 160 + 128;

/// A key with its multiples. Making one costs about as much as one check and saves a fifth of each.
pub struct PreparedKey {
    key: PublicKey,
    /// Of the base point and of the key's point, negated. Nothing here is secret, so the time may vary.
    multiples: VartimeEdwardsPrecomputation,
}

impl PreparedKey {
    /// Computes the multiples.
    pub fn new(key: PublicKey) -> PreparedKey {
        let points = [ED25519_BASEPOINT_POINT, -key.0.to_edwards()];
        PreparedKey { key, multiples: VartimeEdwardsPrecomputation::new(points) }
    }

    /// Strict verification, with the same answer as [`PublicKey::verify`].
    ///
    /// # Errors
    /// When the signature does not verify.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        let (r, s) = signature.0.split_at_checked(32).ok_or(BadSignature)?;
        let s: [u8; 32] = s.try_into().map_err(|_| BadSignature)?;
        let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(s)).ok_or(BadSignature)?;
        let hash = Sha512::new().chain_update(r).chain_update(self.key.0.as_bytes()).chain_update(message);
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let point = self.multiples.vartime_multiscalar_mul([s, k]);
        let CompressedEdwardsY(expected) = point.compress();
        match expected == r && !point.is_small_order() {
            true => Ok(()),
            false => Err(BadSignature),
        }
    }
}

impl std::fmt::Debug for PreparedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PreparedKey({:?})", self.key)
    }
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_TABLE, EIGHT_TORSION};
    use curve25519_dalek::traits::BasepointTable as _;
    use proptest::prelude::*;

    use super::*;
    use crate::ed25519::SecretKey;

    /// A signature whose R was moved by a point of small order, with s for the hash over that R: only a check without the
    /// cofactor refuses it.
    fn with_torsion(seed: [u8; 32], message: &[u8], nonce: [u8; 32], torsion: usize) -> Signature {
        let secret = ed25519_dalek::hazmat::ExpandedSecretKey::from(&seed);
        let public = SecretKey::from_seed(&seed).public();
        let nonce = Scalar::from_bytes_mod_order(nonce);
        let r = (ED25519_BASEPOINT_TABLE.mul_base(&nonce) + EIGHT_TORSION[torsion]).compress().0;
        let hash = Sha512::new().chain_update(r).chain_update(public.to_raw()).chain_update(message);
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        Signature([r, (nonce + k * secret.scalar).to_bytes()].concat())
    }

    proptest! {
        #[test]
        fn it_says_what_the_strict_check_says(
            seed: [u8; 32], nonce: [u8; 32], message in proptest::collection::vec(any::<u8>(), 0..80),
            torsion in 0usize..8, bit in 0usize..512, length in 0usize..70,
        ) {
            let secret = SecretKey::from_seed(&seed); // a test key
            let (key, prepared) = (secret.public(), PreparedKey::new(secret.public()));
            let good = secret.sign(&message);
            prop_assert_eq!(prepared.verify(&message, &good), Ok(()));
            let mut flipped = good.clone();
            flipped.0[bit / 8] ^= 1 << (bit % 8);
            let cut = Signature(good.0.iter().copied().chain([0; 6]).take(length).collect());
            let moved = with_torsion(seed, &message, nonce, torsion);
            // R is the neutral element, and s fits: the equation holds, the small order does not.
            let small = with_torsion(seed, &message, [0; 32], torsion);
            for signature in [&good, &flipped, &cut, &moved, &small] {
                prop_assert_eq!(prepared.verify(&message, signature), key.verify(&message, signature));
            }
            prop_assert_eq!(prepared.verify(&message, &moved).is_ok(), torsion == 0);
            prop_assert!(prepared.verify(&message, &small).is_err());
            let other = [message.as_slice(), b"x"].concat();
            prop_assert_eq!(prepared.verify(&other, &good), key.verify(&other, &good));
        }
    }

    #[test]
    fn s_beyond_the_order_is_refused() {
        let secret = SecretKey::from_seed(&[5; 32]); // a test key
        let mut signature = secret.sign(b"m");
        // s + L is the same scalar in another spelling.
        let order: [u8; 32] = {
            let mut order = [0; 32];
            order[..16].copy_from_slice(&[
                0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
            ]);
            order[31] = 0x10;
            order
        };
        let mut carry = 0u16;
        for (byte, add) in signature.0[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = (sum & 0xff) as u8;
            carry = sum >> 8;
        }
        assert_eq!(carry, 0);
        assert_eq!(PreparedKey::new(secret.public()).verify(b"m", &signature), Err(BadSignature));
        assert_eq!(secret.public().verify(b"m", &signature), Err(BadSignature));
    }
}

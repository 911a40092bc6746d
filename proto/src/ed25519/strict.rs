//! The strict check, without decoding R.
//!
//! It takes exactly what ed25519-dalek's `verify_strict` takes: a canonical s, an R that decodes to a point not of small
//! order, and `R = [s]B - [k]A` (RFC 8032 §5.1.7 without the cofactor). The library computes and encodes the right side and
//! compares the bytes. An encoding is canonical, so equal bytes mean that R decodes to this very point, and whether that
//! has small order is seen from the bytes: such a point has one of five y. Decoding R, which costs a square root in the
//! field and is a tenth of the check, would say nothing more.

use ed25519_dalek::{Verifier as _, VerifyingKey};

use super::{BadSignature, KEY_BYTES, Signature};

/// The y of the eight points whose order divides the cofactor, little-endian (RFC 8032 §5.1.2): 1, -1, 0, and those of the
/// points of order 8.
const SMALL_ORDER_Y: [[u8; KEY_BYTES]; 5] = [
    y_of(0x01, 0x00, 0x00),
    y_of(0xec, 0xff, 0x7f),
    y_of(0x00, 0x00, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// A y by its first byte, the thirty in between, and its last.
const fn y_of(first: u8, between: u8, last: u8) -> [u8; KEY_BYTES] {
    let mut y = [between; KEY_BYTES];
    y[0] = first;
    y[KEY_BYTES - 1] = last;
    y
}

/// Strict verification under a key that is canonical and not of small order.
pub(super) fn verify(key: &VerifyingKey, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
    let bytes: [u8; 64] = signature.0.as_slice().try_into().map_err(|_| BadSignature)?;
    let signature = ed25519_dalek::Signature::from_bytes(&bytes);
    let mut y = *signature.r_bytes();
    y[KEY_BYTES - 1] &= 0x7f; // without the sign of x: both points with such a y have small order
    if SMALL_ORDER_Y.contains(&y) {
        return Err(BadSignature);
    }
    key.verify(message, &signature).map_err(|_| BadSignature)
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_TABLE, EIGHT_TORSION};
    use curve25519_dalek::scalar::Scalar;
    use curve25519_dalek::traits::BasepointTable as _;
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha512};

    use super::*;
    use crate::ed25519::{PublicKey, SecretKey};

    /// What the library's own strict check says, which decodes R.
    fn oracle(key: &PublicKey, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        let bytes: [u8; 64] = signature.0.as_slice().try_into().map_err(|_| BadSignature)?;
        key.0.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&bytes)).map_err(|_| BadSignature)
    }

    #[test]
    fn the_small_orders_are_the_eight_points() {
        let mut found: Vec<[u8; 32]> = EIGHT_TORSION.iter().map(|point| point.compress().0).collect();
        for y in &mut found {
            y[31] &= 0x7f;
        }
        found.sort();
        found.dedup();
        let mut known = SMALL_ORDER_Y.to_vec();
        known.sort();
        assert_eq!(found, known);
    }

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
        fn it_says_what_the_library_says_that_decodes_r(
            seed: [u8; 32], nonce: [u8; 32], message in proptest::collection::vec(any::<u8>(), 0..80),
            torsion in 0usize..8, bit in 0usize..512, length in 0usize..70,
        ) {
            let secret = SecretKey::from_seed(&seed); // a test key
            let key = secret.public();
            let good = secret.sign(&message);
            prop_assert_eq!(key.verify(&message, &good), Ok(()));
            let mut flipped = good.clone();
            flipped.0[bit / 8] ^= 1 << (bit % 8);
            let cut = Signature(good.0.iter().copied().chain([0; 6]).take(length).collect());
            let moved = with_torsion(seed, &message, nonce, torsion);
            // R is the neutral element, and s fits: the equation holds, the small order does not.
            let small = with_torsion(seed, &message, [0; 32], torsion);
            for signature in [&good, &flipped, &cut, &moved, &small] {
                prop_assert_eq!(key.verify(&message, signature), oracle(&key, &message, signature));
            }
            prop_assert_eq!(key.verify(&message, &moved).is_ok(), torsion == 0);
            prop_assert!(key.verify(&message, &small).is_err());
            let other = [message.as_slice(), b"x"].concat();
            prop_assert!(key.verify(&other, &good).is_err());
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
        assert_eq!(secret.public().verify(b"m", &signature), Err(BadSignature));
    }
}

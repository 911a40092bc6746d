//! Signatures that some verifiers accept and a strict one does not, made with the secret key of a test.

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use sha2::{Digest, Sha512};

/// Order of the base point, 2^252 + 27742317777372353535851937790883648493, little-endian (RFC 8032 §5.1).
const L: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

/// The encoding of the neutral element with y = p + 1 instead of 1.
const NEUTRAL_AGAIN: &str = "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";

/// Bytes from hex.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

/// The secret scalar and the public point of a seed (RFC 8032 §5.1.5).
fn key(seed: &[u8; 32]) -> (Scalar, EdwardsPoint) {
    let hashed = Sha512::digest(seed);
    let half: [u8; 32] = hashed[..32].try_into().expect("half of 64 bytes");
    let secret = Scalar::from_bytes_mod_order(clamp_integer(half));
    (secret, secret * ED25519_BASEPOINT_POINT)
}

/// The k of RFC 8032 §5.1.6, for an R encoded so.
fn challenge(r: &[u8], public: &EdwardsPoint, message: &[u8]) -> Scalar {
    let hashed = Sha512::new().chain_update(r).chain_update(public.compress().0).chain_update(message).finalize();
    Scalar::from_bytes_mod_order_wide(&hashed.into())
}

/// The same signature with S + L for S: verifiers that do not look at the size of S accept it.
pub(crate) fn with_s_plus_l(signature: &[u8]) -> Vec<u8> {
    let mut carry = 0u16;
    let mut out = signature[..32].to_vec();
    for (s, l) in signature[32..].iter().zip(unhex(L)) {
        let sum = u16::from(*s) + u16::from(l) + carry;
        out.push((sum & 0xff) as u8);
        carry = sum >> 8;
    }
    assert_eq!(carry, 0, "S + L fits in 32 bytes");
    out
}

/// A signature whose R is the neutral element, so that S = k a: anyone who accepts it accepts an R of small order.
pub(crate) fn with_small_r(seed: &[u8; 32], message: &[u8]) -> Vec<u8> {
    let (secret, public) = key(seed);
    let r = EdwardsPoint::default().compress().0;
    [r, (challenge(&r, &public, message) * secret).to_bytes()].concat()
}

/// The same with the neutral element spelled in another way: for those who decode R and compare points.
pub(crate) fn with_small_r_spelled_otherwise(seed: &[u8; 32], message: &[u8]) -> Vec<u8> {
    let (secret, public) = key(seed);
    let r = unhex(NEUTRAL_AGAIN);
    [r.clone(), (challenge(&r, &public, message) * secret).to_bytes().to_vec()].concat()
}

/// A signature with a point of order 8 added to its R: for those who multiply by the cofactor.
pub(crate) fn with_mixed_r(seed: &[u8; 32], message: &[u8]) -> Vec<u8> {
    let (secret, public) = key(seed);
    let nonce = Scalar::from_bytes_mod_order([7; 32]);
    let r = (nonce * ED25519_BASEPOINT_POINT + EIGHT_TORSION[1]).compress().0;
    [r, (nonce + challenge(&r, &public, message) * secret).to_bytes()].concat()
}

/// The verification with the cofactor, 8 S B = 8 R + 8 k A, and with S taken modulo L: what the crafted signatures pass.
pub(crate) fn passes_the_loosest_check(seed: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    let (_, public) = key(seed);
    let s = Scalar::from_bytes_mod_order(signature[32..].try_into().expect("32 bytes"));
    let r = CompressedEdwardsY::from_slice(&signature[..32]).expect("32 bytes").decompress().expect("a point");
    let k = challenge(&signature[..32], &public, message);
    (s * ED25519_BASEPOINT_POINT - r - k * public).mul_by_cofactor() == EdwardsPoint::default()
}

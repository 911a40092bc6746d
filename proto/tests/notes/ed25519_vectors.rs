//! The 914 edge cases of Ed25519.

use proto::ed25519::{PublicKey, Signature};

use crate::vector_file::{items, load};

/// The vectors' column for strict verification is an expectation; this says where we stand against it: no case with a
/// small-order key or R, a component that the cofactor would clear, or a second encoding is accepted, all others are.
#[test]
fn strict_verification_accepts_only_what_all_accept() {
    let Some(vectors) = load("ed25519_cctv.json") else { return };
    let refused_flags = ["low_order_A", "low_order_R", "low_order_residue", "non_canonical_A", "non_canonical_R"];
    let (mut accepted, mut refused) = (0, 0);
    for row in items(&vectors, "rows") {
        let hex = |i: usize| hex::decode(row[i].as_str().expect("hex")).expect("hex");
        let message = row[3].as_str().expect("a message").as_bytes();
        let flags: Vec<&str> = row[4].as_array().map_or(Vec::new(), |f| f.iter().filter_map(|f| f.as_str()).collect());
        let key = PublicKey::from_raw(&hex(1));
        let good = key.is_ok_and(|key| key.verify(message, &Signature(hex(2))).is_ok());
        let expected = !flags.iter().any(|flag| refused_flags.contains(flag));
        assert_eq!(good, expected, "row {}: {flags:?}", row[0]);
        if good { accepted += 1 } else { refused += 1 }
    }
    assert!(accepted > 0 && refused > 0, "both kinds occur: {accepted} accepted, {refused} refused");
}

//! Nothing panics, and codes are as documented.

use proptest::prelude::*;
use proptest::sample::Index;

use super::examples;
use crate::claim::{Claim, ClaimId, IssuerId, Origin, Scheme};
use crate::code::Code;

/// The codes that the form of a claim can be refused with, part of rules version 1.
const FORM_CODES: [&str; 13] = [
    "claim.date",
    "claim.depth",
    "claim.duplicate_key",
    "claim.json",
    "claim.missing",
    "claim.number",
    "claim.too_long",
    "claim.too_many",
    "claim.unknown_member",
    "claim.unknown_type",
    "claim.value",
    "claim.wrong_type",
    "key.weak",
];

fn only_form_codes(payload: &[u8]) {
    if let Err(refused) = Claim::parse(payload) {
        assert!(FORM_CODES.contains(&refused.code.as_str()), "{refused}");
        assert!(refused.pointer.is_some(), "{refused}");
    }
}

#[test]
fn the_form_codes_exist() {
    assert!(FORM_CODES.iter().all(|code| Code::parse(code).is_some()));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        only_form_codes(&bytes);
    }

    #[test]
    fn mutated_bytes_never_panic(which in any::<Index>(), places in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..4)) {
        let examples = examples::all();
        let mut payload = serde_json::to_vec(which.get(&examples)).unwrap();
        for (place, byte) in places {
            let at = place.index(payload.len());
            payload[at] = byte;
        }
        only_form_codes(&payload);
    }

    #[test]
    fn a_text_put_anywhere_never_panics(which in any::<Index>(), member in any::<Index>(), text in "\\PC{0,300}") {
        let examples = examples::all();
        let claim = which.get(&examples).to_string();
        let starts: Vec<usize> = claim.match_indices(":\"").map(|(at, _)| at + 2).collect();
        let start = *member.get(&starts);
        let end = start + claim[start..].find('"').unwrap();
        let quoted = serde_json::to_string(&text).unwrap();
        let changed = format!("{}{}{}", &claim[..start - 1], quoted, &claim[end + 1..]);
        only_form_codes(changed.as_bytes());
    }

    #[test]
    fn normal_forms_are_stable(scheme in proptest::sample::select(&Scheme::ALL[..]), value in "[ -~]{0,40}|\\PC{0,20}|[0-9:.a-fx]{1,14}") {
        if let Ok(once) = scheme.normalise(&value) {
            prop_assert_eq!(scheme.normalise(&once), Ok(once.clone()));
        }
    }

    #[test]
    fn names_read_back(text in "[a-z0-9.+-]{0,40}|\\PC{0,20}") {
        if let Ok(id) = IssuerId::parse(&text) { prop_assert_eq!(id.as_str(), &text); }
        if let Ok(origin) = Origin::parse(&text) { prop_assert_eq!(origin.as_str(), &text); }
        prop_assert!(ClaimId::parse(&text).is_err());
    }
}

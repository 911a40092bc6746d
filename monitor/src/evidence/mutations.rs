//! Files that are damaged on their way.

use proptest::prelude::*;

use super::tests::{Followed, NOW, file};
use super::*;

#[derive(Debug, Clone)]
enum Damage {
    Flip(usize, u8),
    Cut(usize),
    Repeat(usize, usize),
    Garbage(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<usize>(), 1u8..).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        any::<usize>().prop_map(Damage::Cut),
        (any::<usize>(), 1usize..64).prop_map(|(at, count)| Damage::Repeat(at, count)),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Damage::Garbage),
    ]
}

fn damaged(mut bytes: Vec<u8>, damage: &Damage) -> Vec<u8> {
    match damage {
        Damage::Flip(at, bits) => {
            let at = at % bytes.len();
            bytes[at] ^= bits;
        }
        Damage::Cut(at) => bytes.truncate(at % bytes.len()),
        Damage::Repeat(at, count) => {
            let at = at % bytes.len();
            let again = bytes[at..(at + count).min(bytes.len())].to_vec();
            bytes.splice(at..at, again);
        }
        Damage::Garbage(garbage) => bytes.clone_from(garbage),
    }
    bytes
}

#[test]
fn no_garbage_and_no_mutation_of_a_file_ever_enters_the_store() {
    let followed = Followed::new();
    let honest = file(10);
    proptest!(ProptestConfig::with_cases(2000), |(damage in damage())| {
        let bytes = damaged(honest.clone(), &damage);
        prop_assume!(bytes != honest);
        prop_assert!(followed.log.take_evidence(&bytes, Source::Report, NOW).is_err());
    });
    assert!(followed.kept().is_empty() && followed.open_findings().is_empty());
    assert_eq!(followed.log.store.stop().why(), None);
}

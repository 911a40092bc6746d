//! Whether a witness that does not know its own last cosignature may go on by what its peers know of it: decided without disk,
//! lock, network or key.
//!
//! Every cosignature that is known is the witness's own, verified under its own key, so that a peer can only raise what is
//! known. What a peer can do is to leave something out, or to say nothing. So more peers must answer than may be bad: then one
//! of them is not, and what that one knows counts. Silence is no answer.

use std::collections::BTreeSet;

use proto::num::{Seconds, TreeSize};
use service::record::SignedRecord;

/// What a peer answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerAnswer {
    /// Which peer; several answers of one count once.
    pub peer: String,
    /// The highest cosignature of this witness that the peer knows of, verified; nothing when it says that it knows of none.
    pub last: Option<SignedRecord>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restored {
    /// It goes on from here: not below any size or time that is known.
    From(SignedRecord),
    /// Too few peers answered.
    TooFew {
        /// Those whose answer counts.
        counted: usize,
        /// How many are needed.
        needed: usize,
        /// Those that know less than the witness itself does: they do not see its cosignatures, and do not count.
        below: Vec<String>,
    },
    /// Neither the witness nor any peer knows of a cosignature. Peers that began to look yesterday would say the same.
    Nothing,
    /// Two roots were cosigned for one size. It never goes on.
    TwoRoots(TreeSize),
}

/// What the witness knows without asking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// What its database and its record still say.
    pub own: Vec<SignedRecord>,
    /// Cosignatures of its own that were seen elsewhere, such as under a head that the log shows.
    pub seen: Vec<SignedRecord>,
}

/// Whether a peer knows less than the witness itself, which knows of a head of this size: it does not see its cosignatures, and that
/// it knows of none later says nothing.
pub fn is_below(answer: &PeerAnswer, own: Option<TreeSize>) -> bool {
    answer.last.map(|last| last.size) < own
}

/// What follows from what is left and from the answers, when `bad` peers may be bad. An answer below the witness's own database
/// and record does not count; if the witness has seen more than any peer that answers, none does: then it is plain that they
/// do not see all of its cosignatures.
pub fn restored(left: &Left, answers: &[PeerAnswer], bad: usize) -> Restored {
    let said = answers.iter().filter_map(|answer| answer.last.as_ref());
    let known: Vec<&SignedRecord> = left.own.iter().chain(&left.seen).chain(said.clone()).collect();
    if let Some(size) = two_roots(&known) {
        return Restored::TwoRoots(size);
    }
    let own = left.own.iter().map(|record| record.size).max();
    let seen = left.seen.iter().map(|record| record.size).max();
    let all_are_below = seen > said.map(|record| record.size).max();
    let is_below = |answer: &&PeerAnswer| all_are_below || is_below(answer, own);
    let counted: BTreeSet<&str> =
        answers.iter().filter(|answer| !is_below(answer)).map(|answer| answer.peer.as_str()).collect();
    if counted.len() <= bad {
        let below: BTreeSet<&str> = answers.iter().filter(is_below).map(|answer| answer.peer.as_str()).collect();
        let below = below.difference(&counted).map(|peer| (*peer).to_owned()).collect();
        return Restored::TooFew { counted: counted.len(), needed: bad.saturating_add(1), below };
    }
    match highest(&known) {
        Some(last) => Restored::From(last),
        None => Restored::Nothing,
    }
}

/// The largest head, at the latest time of all.
fn highest(known: &[&SignedRecord]) -> Option<SignedRecord> {
    let largest = known.iter().max_by_key(|record| record.size)?;
    let time = known.iter().map(|record| record.time).max().unwrap_or(Seconds(0));
    Some(SignedRecord { time, ..**largest })
}

/// A size that has two roots, the smallest one.
fn two_roots(known: &[&SignedRecord]) -> Option<TreeSize> {
    let has_another = |a: &&&SignedRecord| known.iter().any(|b| a.size == b.size && a.root != b.root);
    known.iter().filter(has_another).map(|record| record.size).min()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proto::hash::Hash;

    use super::*;

    /// The cosignature of this number in the witness's life: sizes and times never go down.
    fn cosigned(number: u64) -> SignedRecord {
        let size = TreeSize(number / 2 + 1);
        SignedRecord { size, root: Hash::of(&size.0.to_be_bytes()), time: Seconds(100 + number) }
    }

    fn left(own: &[SignedRecord]) -> Left {
        Left { own: own.to_vec(), seen: Vec::new() }
    }

    fn answer(peer: &str, last: Option<u64>) -> PeerAnswer {
        PeerAnswer { peer: peer.to_owned(), last: last.map(cosigned) }
    }

    #[test]
    fn more_must_answer_than_may_be_bad() {
        let own = left(&[cosigned(4)]);
        let too_few = |counted, below: &[&str]| Restored::TooFew {
            counted,
            needed: 2,
            below: below.iter().map(|peer| (*peer).to_owned()).collect(),
        };
        assert_eq!(restored(&own, &[], 1), too_few(0, &[]));
        assert_eq!(restored(&own, &[answer("a", Some(9))], 1), too_few(1, &[]), "one is not more than one");
        let twice = [answer("a", Some(9)), answer("a", Some(8))];
        assert_eq!(restored(&own, &twice, 1), too_few(1, &[]), "one that answers twice is one");
        let old = [answer("a", Some(6)), answer("b", Some(9))];
        assert_eq!(restored(&own, &old, 1), Restored::From(cosigned(9)), "who knows less lowers nothing");
        let blind = [answer("a", None), answer("b", Some(9)), answer("c", Some(1))];
        assert_eq!(restored(&own, &blind, 1), too_few(1, &["a", "c"]), "they know less than the witness itself");
        assert_eq!(restored(&own, &[answer("a", Some(9))], 0), Restored::From(cosigned(9)));
        assert_eq!(restored(&left(&[]), &[answer("a", None), answer("b", Some(3))], 1), Restored::From(cosigned(3)));
        assert_eq!(restored(&left(&[]), &[answer("a", None), answer("b", None)], 1), Restored::Nothing);
        assert_eq!(
            restored(&left(&[]), &[], usize::MAX),
            Restored::TooFew { counted: 0, needed: usize::MAX, below: vec![] }
        );
    }

    #[test]
    fn what_was_seen_and_no_peer_knows_lets_none_of_them_count() {
        let seen = |number| Left { seen: vec![cosigned(number)], ..left(&[cosigned(2)]) };
        let answers = [answer("a", Some(4)), answer("b", Some(6))];
        assert_eq!(restored(&seen(5), &answers, 1), Restored::From(cosigned(6)));
        let below = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(restored(&seen(8), &answers, 1), Restored::TooFew { counted: 0, needed: 2, below });
        let answers = [answer("a", Some(4)), answer("b", Some(8))];
        assert_eq!(restored(&seen(9), &answers, 1), Restored::From(cosigned(9)), "a later time of the same head");
    }

    #[test]
    fn two_roots_for_one_size_end_it() {
        let other = SignedRecord { root: Hash::of(b"other"), ..cosigned(4) };
        let answers = [answer("a", Some(4)), PeerAnswer { peer: "b".into(), last: Some(other) }];
        assert_eq!(restored(&left(&[]), &answers, 0), Restored::TwoRoots(other.size));
        assert_eq!(
            restored(&left(&[cosigned(4)]), &answers[1..], 9),
            Restored::TwoRoots(other.size),
            "however few answer"
        );
        assert_eq!(restored(&left(&[cosigned(4), other]), &[], 9), Restored::TwoRoots(other.size));
    }

    /// A life of so many cosignatures, of which the witness has left these; what each peer says of it: an honest one the last
    /// one, a bad one anything that the witness ever signed, or nothing at all.
    #[derive(Debug, Clone)]
    struct Life {
        last: u64,
        own: Vec<u64>,
        honest: usize,
        bad: Vec<Option<u64>>,
    }

    fn life() -> impl Strategy<Value = Life> {
        (0..40u64).prop_flat_map(|last| {
            let own = prop::collection::vec(0..=last, 0..4);
            let bad = prop::collection::vec(prop::option::of(0..=last), 0..4);
            (Just(last), own, 0..4usize, bad).prop_map(|(last, own, honest, bad)| Life { last, own, honest, bad })
        })
    }

    impl Life {
        fn own(&self) -> Left {
            left(&self.own.iter().map(|number| cosigned(*number)).collect::<Vec<_>>())
        }

        fn answers(&self) -> Vec<PeerAnswer> {
            let honest = (0..self.honest).map(|at| answer(&format!("honest {at}"), Some(self.last)));
            let bad = self.bad.iter().enumerate().map(|(at, said)| answer(&format!("bad {at}"), *said));
            bad.chain(honest).collect()
        }
    }

    proptest! {
        #[test]
        fn it_goes_on_from_its_last_cosignature_whatever_bad_peers_say(life in life()) {
            let (own, answers) = (life.own(), life.answers());
            match restored(&own, &answers, life.bad.len()) {
                Restored::From(from) => prop_assert_eq!(from, cosigned(life.last)),
                Restored::TooFew { counted, .. } => prop_assert!(counted <= life.bad.len()),
                other => prop_assert!(false, "{:?}", other),
            }
            // Enough honest ones are enough, and as many as may be bad never are.
            if life.honest > life.bad.len() {
                prop_assert_eq!(restored(&own, &answers, life.bad.len()), Restored::From(cosigned(life.last)));
            }
            let few: Vec<PeerAnswer> = answers.iter().take(life.bad.len()).cloned().collect();
            let is_stopped = matches!(restored(&own, &few, life.bad.len()), Restored::TooFew { .. });
            prop_assert!(is_stopped);
        }

        #[test]
        fn order_says_nothing_and_an_answer_more_lowers_nothing(life in life(), more in prop::option::of(0..40u64)) {
            let (own, mut answers) = (life.own(), life.answers());
            let before = restored(&own, &answers, 1);
            answers.reverse();
            prop_assert_eq!(&restored(&own, &answers, 1), &before);
            answers.push(answer("one more", more));
            if let Restored::From(before) = before {
                let Restored::From(after) = restored(&own, &answers, 1) else { panic!("it goes on no more") };
                prop_assert!(after.size >= before.size && after.time >= before.time);
                prop_assert!(own.own.iter().all(|own| after.size >= own.size && after.time >= own.time));
            }
        }
    }
}

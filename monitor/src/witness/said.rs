//! Which peers' answers count at the start of a witness: decided without a clock or the network.
//!
//! A peer counts by its first answer alone. One that knew less than the witness itself does not see its cosignatures, and what it says
//! later it may say after whoever showed it: the witness, or a bad peer. One that did see them has said so, and a later answer, such as
//! of a peer that lost its state, takes nothing of that back.

use proto::num::TreeSize;

use super::restore::{PeerAnswer, is_below};

/// What a peer has said since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Said {
    has_answered: bool,
    /// Whether it did not know less than this witness itself when it answered first.
    sees: bool,
}

impl Said {
    /// The same after it was asked once more; `own` is the head that this witness knew of at its start.
    #[must_use]
    pub fn then(self, answer: Option<&PeerAnswer>, own: Option<TreeSize>) -> Said {
        match answer {
            Some(answer) if !self.has_answered => Said { has_answered: true, sees: !is_below(answer, own) },
            _ => self,
        }
    }
}

/// How many of all peers have given an answer that counts. Those that knew less than this witness itself count when all have answered:
/// then nobody is left who could know more.
pub fn counted(all: &[Said]) -> usize {
    match all.iter().all(|said| said.has_answered) {
        true => all.len(),
        false => all.iter().filter(|said| said.sees).count(),
    }
}

#[cfg(test)]
mod tests {
    use proto::hash::Hash;
    use proto::num::Seconds;
    use service::record::SignedRecord;

    use super::*;

    #[test]
    fn the_first_answer_of_a_peer_says_whether_it_sees() {
        let answer = |size: Option<u64>| {
            let last = |size| SignedRecord { size: TreeSize(size), root: Hash::of(b"root"), time: Seconds(1) };
            PeerAnswer { peer: "a".into(), last: size.map(last) }
        };
        let after = |answers: &[Option<Option<u64>>]| {
            let own = Some(TreeSize(100));
            let then = |said: Said, size: &Option<Option<u64>>| said.then(size.map(answer).as_ref(), own);
            counted(&[answers.iter().fold(Said::default(), then), Said::default()])
        };
        let (silent, blind, lower, same, higher) = (None, Some(None), Some(Some(99)), Some(Some(100)), Some(Some(200)));
        assert_eq!([&[silent][..], &[blind], &[lower]].map(after), [0, 0, 0]);
        assert_eq!([&[same][..], &[higher], &[silent, same]].map(after), [1, 1, 1]);
        for later in [silent, blind, lower] {
            assert_eq!(after(&[higher, later]), 1, "what it saw is not forgotten: {later:?}");
        }
        for later in [same, higher] {
            assert_eq!(after(&[lower, later]), 0, "it was shown it since: {later:?}");
        }
    }
}

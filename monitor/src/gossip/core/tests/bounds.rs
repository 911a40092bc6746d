//! 48 of the smallest, 8 of the largest, 8 between: whatever comes, in whatever order.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proto::hash::Hash;
use proto::num::{Seconds, TreeSize};

use super::world::{Branch, convinces};
use super::{follower, forks, shown};
use crate::gossip::core::*;

/// A head that nobody can prove anything of.
fn loose(size: u64) -> Head {
    Head { size: TreeSize(size), root: Hash::of(&size.to_be_bytes()) }
}

proptest! {
    #[test]
    fn the_smallest_and_the_largest_stay_and_discards_are_counted(
        sizes in prop::collection::vec(100u64..100_000, 0..400),
        draws in prop::collection::vec(any::<u64>(), 400),
    ) {
        let mine = Branch::new(1, 20, 0);
        let mut core = follower(&mine, 20);
        let (mut all, mut gone) = (BTreeSet::new(), BTreeSet::new());
        for (size, random) in sizes.iter().zip(draws) {
            let head = loose(*size);
            let came_back = gone.remove(&head);
            let waits = core.waiting().any(|waiting| waiting.head == head);
            let input = Input::Received { head, source: Source::Anyone, proof: None, random };
            let out = core.step(Seconds(1), input, &mine.at(20));
            prop_assert!(forks(&out).is_empty());
            prop_assert_eq!(out.iter().any(|o| matches!(o, Output::Waits(_))) || waits,
                core.waiting().any(|waiting| waiting.head == head));
            for output in out {
                if let Output::Discarded { head, total } = output {
                    prop_assert_eq!(total, core.discarded());
                    gone.insert(head);
                }
            }
            prop_assert!(!came_back || gone.contains(&head) || core.waiting().any(|waiting| waiting.head == head));
            all.insert(head);
        }
        let kept: BTreeSet<Head> = core.waiting().map(|waiting| waiting.head).collect();
        prop_assert_eq!(kept.len(), all.len().min(MOST_WAITING));
        prop_assert!(all.iter().take(SMALLEST).all(|head| kept.contains(head)), "a smaller one was pushed out");
        prop_assert!(all.iter().rev().take(LARGEST).all(|head| kept.contains(head)), "a larger one was pushed out");
        prop_assert_eq!(&kept | &gone, all, "every one waits or was told to be gone");
    }

    #[test]
    fn a_flood_does_not_hide_a_fork_among_the_smallest(
        own in 9u64..30,
        ahead in 1u64..20,
        sizes in prop::collection::vec(1000u64..100_000, 100..300),
        place in 0usize..300,
        random in any::<u64>(),
    ) {
        let (mine, other) = (Branch::new(1, 60, 8), Branch::new(2, 60, 8));
        let mut core = follower(&mine, own);
        let convicts = other.head(own + ahead);
        let mut flood: Vec<Head> = sizes.into_iter().map(loose).collect();
        flood.insert(place.min(flood.len()), convicts);
        for head in flood {
            let input = Input::Received { head, source: Source::Anyone, proof: None, random };
            core.step(Seconds(1), input, &mine.at(own));
        }
        let grown = own + ahead + 3;
        let out = core.step(Seconds(2), Input::Grew { own: mine.head(grown) }, &mine.at(grown));
        prop_assert!(forks(&out).iter().any(|fork| fork.smaller == convicts && convinces(fork, &mine)));
    }
}

#[test]
fn a_head_between_stays_by_chance_whatever_its_place_in_the_flood() {
    let mine = Branch::new(1, 20, 0);
    let (tries, flood) = (400u64, 200u64);
    for place in [0, flood / 2, flood - 1] {
        let mut stayed = 0u64;
        for seed in 0..tries {
            let mut core = follower(&mine, 20);
            // The smallest and the largest are taken by others.
            let taken = (0..48).map(|n| 100 + n).chain((0..8).map(|n| 1_000_000 + n));
            taken.for_each(|size| _ = core.step(Seconds(1), shown(loose(size), Source::Anyone, None), &mine.at(20)));
            for n in 0..flood {
                // The order of sizes is shuffled, so that only the place in time differs.
                let head = loose(10_000 + (n * 77 + seed) % flood);
                let random = u64::from_be_bytes(
                    Hash::of(&[seed.to_be_bytes(), n.to_be_bytes()].concat()).0[..8].try_into().unwrap(),
                );
                core.step(
                    Seconds(1),
                    Input::Received { head, source: Source::Anyone, proof: None, random },
                    &mine.at(20),
                );
            }
            let watched = loose(10_000 + (place * 77 + seed) % flood);
            stayed += u64::from(core.waiting().any(|waiting| waiting.head == watched));
        }
        // 8 in 200 of 400: 16 in the mean; these draws are fixed, so the bounds do not flicker.
        assert!((6..=30).contains(&stayed), "{stayed} of {tries} at {place}");
    }
}

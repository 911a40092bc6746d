//! The board: lines and heads, without time.

use proto::hash::Hash;
use proto::policy::Checked;

use super::*;
use crate::signer::HeadToSign;

fn own(size: u64, seed: &[u8], time: u64) -> Bytes {
    let head = HeadToSign { size: TreeSize(size), root: Hash::of(seed), time: Seconds(time) };
    log_keys().sign_head(&head).unwrap().into()
}

/// A board whose quorum is two of three.
fn board(without_quorum: WithoutQuorum, last: Option<Bytes>) -> Board {
    Board::new(plan(3, "2").policy, without_quorum, last)
}

fn cosign(board: &mut Board, number: u8, head: &Bytes, time: u64) -> bool {
    let line = cosigner(number).sign(&text_of(head).unwrap(), Seconds(time)).unwrap();
    board.add(usize::from(number) + 1, head, line)
}

fn check(head: &Option<Cosigned>) -> Checked {
    plan(3, "2").policy.check(&head.as_ref().unwrap().note).unwrap()
}

#[test]
fn lines_for_another_head_do_not_count_for_this_one() {
    let mut board = board(WithoutQuorum::Closed, None);
    let (first, second) = (own(5, b"5", 100), own(7, b"7", 101));
    board.aim(first.clone());
    assert!(cosign(&mut board, 0, &first, 100));
    board.aim(second.clone());
    assert!(cosign(&mut board, 1, &second, 101));
    assert_eq!((board.is_target_met(), board.shown()), (false, None));
    // The same size with another root is another head.
    cosign(&mut board, 2, &own(7, b"other", 101), 101);
    assert_eq!((board.is_target_met(), board.shown()), (false, None));
    assert!(cosign(&mut board, 2, &second, 102));
    assert!(board.is_target_met());
    let checked = check(&board.shown());
    assert_eq!((checked.checkpoint.size(), checked.quorum.met, checked.quorum.cosigned), (TreeSize(7), true, 2));
    assert_eq!(checked.log_time, Some(Seconds(101)));
}

#[test]
fn a_quorum_on_a_head_that_is_not_asked_for_counts_until_a_larger_one_has_it() {
    let mut board = board(WithoutQuorum::Closed, None);
    let [four, five, seven, eight, nine] = [4, 5, 7, 8, 9].map(|size: u64| own(size, &size.to_be_bytes(), 100 + size));
    board.aim(four.clone());
    assert!(cosign(&mut board, 0, &seven, 110) && cosign(&mut board, 1, &eight, 110));
    assert_eq!((board.has_moved(), board.shown()), (false, None), "one line each");
    assert!(board.can_be_met(|place| place > 1) && !board.can_be_met(|place| place == 3));
    assert!(cosign(&mut board, 2, &seven, 111));
    assert_eq!((board.has_moved(), board.is_target_met()), (true, false));
    let checked = check(&board.shown());
    assert_eq!((checked.checkpoint.size(), checked.quorum.cosigned), (TreeSize(7), 2));
    assert_eq!(checked.log_time, Some(Seconds(107)), "the log's own lines are there");
    assert!(!cosign(&mut board, 1, &five, 111), "a smaller head is never shown again");
    // Lines that came before a head was asked for count for it, and those that come too late for the last one, too.
    board.aim(eight.clone());
    assert!(!board.has_moved());
    board.aim(nine.clone());
    assert!(cosign(&mut board, 0, &eight, 112) && board.has_moved());
    assert_eq!(check(&board.shown()).checkpoint.size(), TreeSize(8));
}

#[test]
fn heads_without_end_cost_bounded_memory_and_the_largest_stay() {
    let mut board = board(WithoutQuorum::Closed, None);
    board.aim(own(1, b"1", 100));
    let head = |size: u64| own(size, &size.to_be_bytes(), 100 + size);
    for size in 2..=200 {
        assert!(cosign(&mut board, 0, &head(size), 100 + size));
    }
    assert!(!cosign(&mut board, 1, &head(100), 400), "larger ones fill the room");
    assert!(cosign(&mut board, 1, &head(190), 400));
    assert_eq!(board.shown().unwrap().size, TreeSize(190));
}

#[test]
fn a_head_that_is_stamped_again_keeps_its_cosignatures() {
    let mut board = board(WithoutQuorum::Closed, None);
    let (first, again) = (own(5, b"5", 100), own(5, b"5", 130));
    board.aim(first.clone());
    cosign(&mut board, 0, &first, 100);
    cosign(&mut board, 1, &first, 100);
    board.aim(again.clone());
    assert!(board.is_target_met());
    let checked = check(&board.shown());
    assert_eq!((checked.log_time, checked.quorum.cosigned), (Some(Seconds(130)), 2));
    // A fresh time takes the place of the old one, also when the answer is to the question before.
    assert!(cosign(&mut board, 0, &first, 131));
    assert_eq!(check(&board.shown()).quorum.still_seen_at, Some(Seconds(100)));
    assert!(cosign(&mut board, 1, &again, 132));
    assert_eq!(check(&board.shown()).quorum.still_seen_at, Some(Seconds(131)));
}

#[test]
fn the_size_that_is_shown_never_goes_back() {
    let mut board = board(WithoutQuorum::Open, None);
    let (five, seven) = (own(5, b"5", 100), own(7, b"7", 101));
    board.aim(five.clone());
    board.show_own(seven.clone());
    cosign(&mut board, 0, &five, 100);
    cosign(&mut board, 1, &five, 100);
    assert!(board.is_target_met());
    assert_eq!(board.cosigned().unwrap().size, TreeSize(5));
    assert_eq!(check(&board.shown()).checkpoint.size(), TreeSize(7));
    board.aim(seven.clone());
    cosign(&mut board, 2, &seven, 102);
    assert_eq!(check(&board.shown()).quorum.cosigned, 1, "with what it has");
    cosign(&mut board, 0, &seven, 102);
    let checked = check(&board.shown());
    assert_eq!((checked.checkpoint.size(), checked.quorum.met), (TreeSize(7), true));
    board.aim(five);
    assert_eq!(board.cosigned().unwrap().size, TreeSize(7));
}

#[test]
fn what_was_kept_is_taken_apart_and_put_together_again() {
    let mut first = board(WithoutQuorum::Closed, None);
    let head = own(5, b"5", 100);
    first.aim(head.clone());
    cosign(&mut first, 0, &head, 100);
    cosign(&mut first, 2, &head, 101);
    let kept = first.shown().unwrap().note;
    let mut second = board(WithoutQuorum::Closed, Some(kept.clone()));
    assert_eq!(second.shown().unwrap().note, kept);
    second.aim(own(5, b"5", 130));
    let checked = check(&second.shown());
    assert_eq!((checked.log_time, checked.quorum.cosigned), (Some(Seconds(130)), 2));
}

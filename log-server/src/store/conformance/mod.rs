//! What every store must do, as one suite: give [`run`] the disk that an implementation keeps its log on.
//!
//! The suite panics with the name of the case that failed; it is for tests only.

#![expect(clippy::cast_possible_truncation, reason = "the suite's logs have some ten thousand entries")]

mod commits;
mod growing;
mod heads;
mod life;
mod reads;

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Direction, Store, StoreError};

pub use growing::{GrowingLog, check_log};

/// The origin of the suite's logs.
pub const ORIGIN: &str = "log.example/conformance";

/// Where one log is kept.
pub trait Disk {
    /// Opens its store: the first time a new one, later what was there when the last one was closed.
    fn open(&self) -> Arc<dyn Store>;
}

type Case = (&'static str, fn(&dyn Disk));

const CASES: &[Case] = &[
    ("commits::fence", commits::fence),
    ("commits::two_sequencers", commits::two_sequencers),
    ("commits::malformed_batches", commits::malformed_batches),
    ("commits::batches_without_entries", commits::batches_without_entries),
    ("commits::readers_see_whole_batches", commits::readers_see_whole_batches),
    ("commits::state_is_overwritten", commits::state_is_overwritten),
    ("reads::entries_in_order", reads::entries_in_order),
    ("reads::beyond_the_tree", reads::beyond_the_tree),
    ("reads::tiles_of_many_shapes", reads::tiles_of_many_shapes),
    ("reads::three_tile_levels", reads::three_tile_levels),
    ("reads::rows_by_prefix_and_page", reads::rows_by_prefix_and_page),
    ("reads::the_whole_state", reads::the_whole_state),
    ("reads::a_scan_is_of_one_moment", reads::a_scan_is_of_one_moment),
    ("heads::order_and_replacement", heads::order_and_replacement),
    ("heads::thinning", heads::thinning),
    ("heads::thinning_of_many", heads::thinning_of_many),
    ("heads::reports", heads::reports),
    ("life::reopening_keeps_everything", life::reopening_keeps_everything),
    ("life::rebuild", life::rebuild),
    ("life::recovery_without_need", life::recovery_without_need),
    ("life::closed_means_closed", life::closed_means_closed),
    ("life::closing_waits_for_readers", life::closing_waits_for_readers),
];

/// Runs every case, each on a disk of its own.
#[expect(clippy::print_stdout, reason = "a failed case is found by the last name in the test's output")]
pub fn run(new_disk: impl Fn() -> Box<dyn Disk>) {
    for (name, case) in CASES {
        println!("conformance: {name}");
        case(&*new_disk());
    }
}

/// Grows a log by batches of these sizes and checks all of it, tiles of every width included, after each.
pub fn grow_and_check(store: &dyn Store, sizes: &[usize]) {
    let mut log = GrowingLog::default();
    for size in sizes {
        log.grow(store, *size);
        check_log(store);
    }
}

/// The rows with a prefix, as (key, value).
pub(crate) fn rows(
    store: &dyn Store,
    prefix: &[u8],
    after: Option<&[u8]>,
    direction: Direction,
    limit: usize,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    store
        .rows(prefix, after, direction, &mut |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            go_on_if(found.len() < limit)
        })
        .expect("rows are readable");
    found
}

fn go_on_if(more: bool) -> ControlFlow<()> {
    if more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

fn is_closed<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Closed))
}

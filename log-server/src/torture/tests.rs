//! Some thousands of schedules, always the same ones; `CLAIMTRAIL_SEED` runs one of them alone.

use proto::hash::Hash;
use proto::num::{Seconds, TreeSize};

use super::ledger::durable_record;
use super::plan::Plan;
use super::record::RecordPage;
use super::*;
use crate::signer::{Medium as _, SignedRecord, SignerRecord};
use crate::testing::ORIGIN;

/// Schedules of one run of the tests.
const SCHEDULES: u64 = 3000;

#[test]
fn schedules_of_faults_find_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let seed = std::env::var("CLAIMTRAIL_SEED").ok().and_then(|text| text.parse().ok());
    let seeds = seed.map_or(1..SCHEDULES + 1, |seed| seed..seed + 1);
    let mut counts = Counts::new();
    let mut failures = Vec::new();
    for seed in seeds {
        let ran = std::panic::catch_unwind(|| run(seed, scratch.path()));
        match ran.unwrap_or_else(|_| panic!("seed {seed}: a panic; again with CLAIMTRAIL_SEED={seed}")) {
            Ok(more) => more.into_iter().for_each(|(what, count)| *counts.entry(what).or_default() += count),
            Err(failure) => failures.push(failure),
        }
    }
    counts.iter().for_each(|(what, count)| println!("{count:>9} {what}"));
    for failure in failures.iter().take(5) {
        println!("seed {}: {failure}\n", failure.seed);
    }
    assert!(failures.is_empty(), "{} schedules found something, seed {} first", failures.len(), failures[0].seed);
    if seed.is_none() {
        assert!(counts.values().all(|count| *count > 0) && counts.len() > 40, "some faults never happened");
    }
}

/// Found by the schedules: a process was killed between the write of its record and the sync; the next one read the record
/// out of the system's cache, took it for durable and signed.
#[test]
fn a_record_that_was_never_synced_is_made_durable_before_anyone_signs_by_it() {
    let record = |size: u64| SignedRecord { size: TreeSize(size), root: Hash::leaf(b"root"), time: Seconds(size) };
    let open = |page: &RecordPage| SignerRecord::open_on("record".as_ref(), Box::new(page.clone()), ORIGIN).unwrap();
    for seed in 0..40 {
        let page = RecordPage::new(ORIGIN, Plan::new(seed));
        let before = page.durable();
        open(&page).write(&record(7)).unwrap();
        let written = page.durable();
        let page = RecordPage::of(before, Plan::new(seed));
        page.write_all_at(&written, 0).unwrap();
        let mut opened = open(&page);
        assert_eq!(opened.last(), Some(record(7)));
        opened.write(&record(7)).unwrap();
        page.lose_power();
        assert_eq!(durable_record(&page).unwrap(), Some(record(7)), "seed {seed}");
    }
}

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use proptest::test_runner::Config;
use proto::hash::Hash;
use proto::num::{LeafIndex, Seconds, TreeSize};
use rocksdb::statistics::Ticker;
use tempfile::TempDir;

use super::*;
use crate::store::StoreError;
use crate::store::conformance::{Disk, GrowingLog, ORIGIN, check_log, grow_and_check, run};
use crate::store::faulty::{Damage, Faults, FaultyStore};

/// Without a reserve, so that the tests also run on a machine whose disk is nearly full.
const OPTIONS: RocksOptions = RocksOptions { reserve_bytes: 0, cache_bytes: 8 << 20 };

struct Folders(TempDir);

impl Folders {
    fn new() -> Folders {
        Folders(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("log")
    }
}

impl Disk for Folders {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(open(&self.path()))
    }
}

fn open(dir: &Path) -> RocksStore {
    match RocksStore::open(dir, ORIGIN, OPTIONS) {
        Err(OpenError::NotAStore(_)) => RocksStore::create(dir, ORIGIN, OPTIONS).expect("made"),
        opened => opened.expect("opened"),
    }
}

#[test]
fn conformance() {
    run(|| Box::new(Folders::new()));
}

#[test]
fn the_wrapper_without_faults_conforms() {
    struct Wrapped(Folders);
    impl Disk for Wrapped {
        fn open(&self) -> Arc<dyn Store> {
            Arc::new(FaultyStore::new(open(&self.0.path()), Faults::default()))
        }
    }
    run(|| Box::new(Wrapped(Folders::new())));
}

proptest::proptest! {
    #![proptest_config(Config { cases: 8, ..Default::default() })]
    #[test]
    fn batches_of_any_shape(sizes in proptest::collection::vec(0usize..600, 1..6)) {
        let folders = Folders::new();
        grow_and_check(&open(&folders.path()), &sizes);
        check_log(&open(&folders.path()));
    }
}

#[test]
fn a_second_owner_is_told() {
    let folders = Folders::new();
    let dir = folders.path();
    let store = open(&dir);
    let again = RocksStore::open(&dir, ORIGIN, OPTIONS).expect_err("in use");
    assert!(matches!(again, OpenError::InUse(_)), "{again:?}");
    assert!(again.to_string().contains("in use by another process"), "{again}");
    let reading = RocksStore::open_read_only(&dir, ORIGIN, OPTIONS).expect_err("in use");
    assert!(matches!(reading, OpenError::InUse(_)), "{reading:?}");
    store.close().expect("closed");
    // Readers share, and keep a writer out.
    let one = RocksStore::open_read_only(&dir, ORIGIN, OPTIONS).expect("a reader");
    let other = RocksStore::open_read_only(&dir, ORIGIN, OPTIONS).expect("another reader");
    assert!(matches!(RocksStore::open(&dir, ORIGIN, OPTIONS), Err(OpenError::InUse(_))));
    drop((one, other));
    RocksStore::open(&dir, ORIGIN, OPTIONS).expect("free again");
}

#[test]
fn the_folder_of_another_log_or_format_is_refused() {
    let folders = Folders::new();
    let dir = folders.path();
    assert!(matches!(RocksStore::open(&dir, ORIGIN, OPTIONS), Err(OpenError::NotAStore(_))));
    assert!(!dir.exists(), "looking for a log makes none");
    assert!(matches!(RocksStore::create(&dir, "two\nlines", OPTIONS), Err(OpenError::BadOrigin(_))));
    drop(RocksStore::create(&dir, ORIGIN, OPTIONS).expect("made"));
    assert!(matches!(RocksStore::create(&dir, ORIGIN, OPTIONS), Err(OpenError::AlreadyExists(_))));
    let other = RocksStore::open(&dir, "log.example/other", OPTIONS).expect_err("another origin");
    assert!(matches!(&other, OpenError::OtherOrigin { found, .. } if found == ORIGIN), "{other:?}");
    // A label that was changed does not make it another log's database.
    let label = dir.join("STORE");
    fs::write(&label, "claimtrail-store/1\nlog.example/other\n").expect("written");
    let other = RocksStore::open(&dir, "log.example/other", OPTIONS).expect_err("another database");
    assert!(matches!(&other, OpenError::OtherOrigin { found, .. } if found == ORIGIN), "{other:?}");
    fs::write(&label, format!("claimtrail-store/2\n{ORIGIN}\n")).expect("written");
    let newer = RocksStore::open(&dir, ORIGIN, OPTIONS).expect_err("another format");
    assert!(newer.to_string().contains("format 2, this program knows format 1"), "{newer}");
    for label_text in ["", "claimtrail-store/1", "something/1\nlog.example\n", "claimtrail-store/1\na\nb\n"] {
        fs::write(&label, label_text).expect("written");
        let damaged = RocksStore::open(&dir, ORIGIN, OPTIONS).expect_err("no label");
        assert!(matches!(damaged, OpenError::Damaged { .. }), "{label_text:?}: {damaged:?}");
    }
}

#[test]
fn an_interrupted_making_is_finished_but_a_lost_label_is_not_a_new_log() {
    let folders = Folders::new();
    let dir = folders.path();
    let store = open(&dir);
    store.close().expect("closed");
    fs::remove_file(dir.join("STORE")).expect("removed");
    let store = RocksStore::create(&dir, ORIGIN, OPTIONS).expect("made to the end");
    GrowingLog::default().grow(&store, 1);
    drop(store);
    fs::remove_file(dir.join("STORE")).expect("removed");
    let error = RocksStore::create(&dir, ORIGIN, OPTIONS).expect_err("it holds a log");
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
}

#[test]
fn reading_only() {
    let folders = Folders::new();
    let mut log = GrowingLog::default();
    log.grow(&open(&folders.path()), 300);
    let store = RocksStore::open_read_only(&folders.path(), ORIGIN, OPTIONS).expect("opened");
    check_log(&store);
    let outcome = store.commit(log.head(), &log.clone().batch(1));
    assert!(matches!(outcome, Commit::DefinitelyNot(StoreError::ReadOnly)), "{outcome:?}");
    assert_eq!(store.put_report(b"k", b"v"), Err(StoreError::ReadOnly));
    assert_eq!(store.rebuild_start(), Err(StoreError::ReadOnly));
    assert_eq!(store.recover().as_ref().ok().and_then(Option::as_ref), log.head());
    store.close().expect("closed");
    assert_eq!(store.head(), Err(StoreError::Closed));
}

#[test]
fn a_low_disk_refuses_commits_and_serves_reads() {
    let folders = Folders::new();
    let mut log = GrowingLog::default();
    log.grow(&open(&folders.path()), 10);
    let low = RocksOptions { reserve_bytes: u64::MAX, ..OPTIONS };
    let store = RocksStore::open(&folders.path(), ORIGIN, low).expect("opened");
    let outcome = store.commit(log.head(), &log.clone().batch(1));
    assert!(matches!(outcome, Commit::DefinitelyNot(StoreError::DiskLow { .. })), "{outcome:?}");
    check_log(&store);
    assert!(store.disk_free().expect("known").is_some());
    // Others decide how many reports come.
    assert!(matches!(store.put_report(b"fork", b"seen"), Err(StoreError::DiskLow { .. })));
}

#[test]
fn every_write_is_synced_but_that_of_a_signed_head() {
    let folders = Folders::new();
    let store = open(&folders.path());
    let synced = || store.settings.get_ticker_count(Ticker::WalFileSynced);
    let mut log = GrowingLog::default();
    let before = synced();
    for round in 1..=5 {
        log.grow(&store, 10);
        assert_eq!(synced(), before + round);
    }
    store.put_report(b"fork", b"seen").expect("kept");
    assert_eq!(synced(), before + 6);
    let key = HeadKey { time: Seconds(1), size: TreeSize(50) };
    store.put_signed_head(&SignedHead { key, note: Bytes::from_static(b"note") }).expect("kept");
    assert_eq!(synced(), before + 6);
    // The next commit takes it along.
    log.grow(&store, 1);
    assert_eq!(synced(), before + 7);
}

/// Closing first left nothing to read from until the folder was back.
#[test]
fn a_recovery_that_could_not_open_the_database_again_leaves_it_open_to_read() {
    let folders = Folders::new();
    let store = open(&folders.path());
    let mut log = GrowingLog::default();
    log.grow(&store, 300);
    store.doubt.store(true, Ordering::Release);
    let (current, away) = (folders.path().join("db/CURRENT"), folders.path().join("away"));
    std::fs::rename(&current, &away).expect("ours");
    assert!(matches!(store.recover(), Err(StoreError::Io(_))));
    check_log(&store);
    let outcome = store.commit(log.head(), &log.clone().batch(1));
    assert!(matches!(outcome, Commit::DefinitelyNot(StoreError::NeedsRecovery)), "{outcome:?}");
    std::fs::rename(&away, &current).expect("ours");
    assert_eq!(store.recover().as_ref().ok().and_then(Option::as_ref), log.head());
    log.grow(&store, 300);
    check_log(&store);
}

/// What a failed write leaves behind, set by hand: the device of a test does not fail when asked.
#[test]
fn in_doubt_nothing_is_written_until_recovered() {
    let folders = Folders::new();
    let store = open(&folders.path());
    let mut log = GrowingLog::default();
    log.grow(&store, 300);
    let key = HeadKey { time: Seconds(1), size: TreeSize(300) };
    store.put_signed_head(&SignedHead { key, note: Bytes::from_static(b"note") }).expect("kept");
    store.doubt.store(true, Ordering::Release);
    let outcome = store.commit(log.head(), &log.clone().batch(1));
    assert!(matches!(outcome, Commit::DefinitelyNot(StoreError::NeedsRecovery)), "{outcome:?}");
    assert_eq!(store.put_report(b"k", b"v"), Err(StoreError::NeedsRecovery));
    assert_eq!(store.flush(), Err(StoreError::NeedsRecovery));
    check_log(&store);

    // Recovery waits for the scan, which goes on undisturbed; who comes meanwhile is told.
    let (in_scan, scanning) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let store = &store;
        scope.spawn(move || {
            let mut seen = 0;
            let scan = store.entries(0..300, &mut |index, _| {
                if index.0 == 0 {
                    in_scan.send(()).expect("awaited");
                    may_go.recv().expect("sent");
                }
                seen += 1;
                ControlFlow::Continue(())
            });
            assert_eq!((scan, seen), (Ok(()), 300));
        });
        scanning.recv().expect("the scan has begun");
        let recovery = scope.spawn(|| store.recover());
        while store.head() != Err(StoreError::Recovering) {
            thread::yield_now();
        }
        assert!(!recovery.is_finished());
        go.send(()).expect("the scan waits");
        assert_eq!(recovery.join().expect("no panic").as_ref().ok().and_then(Option::as_ref), log.head());
    });
    check_log(&store);
    log.grow(&store, 300);
    check_log(&store);
}

const CHILD_FOLDER: &str = "CLAIMTRAIL_TEST_FULL_FOLDER";

/// A write that really fails: the kernel lets the process write no file beyond 512 KiB, so that a commit ends in the middle of
/// the write-ahead log. The shell ignores the signal that would come with it; the child is this very test program.
#[test]
fn a_commit_that_fails_in_the_kernel_is_unknown() {
    if let Some(dir) = std::env::var_os(CHILD_FOLDER) {
        return commit_until_the_kernel_refuses(Path::new(&dir));
    }
    let folders = Folders::new();
    drop(open(&folders.path()));
    let program = std::env::current_exe().expect("the test program");
    let child = Command::new("sh")
        .args(["-c", r#"trap '' XFSZ; ulimit -f 1024; exec "$@""#, "sh"])
        .arg(program)
        .args(["--exact", "store::rocks::tests::a_commit_that_fails_in_the_kernel_is_unknown", "--nocapture"])
        .env(CHILD_FOLDER, folders.path())
        .output()
        .expect("a shell");
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}\n{}", String::from_utf8_lossy(&child.stderr));
    assert!(output.contains("recovered at size"), "{output}");
    // Without the limit, the log is whole.
    check_log(&open(&folders.path()));
}

fn commit_until_the_kernel_refuses(dir: &Path) {
    const ENOUGH: usize = 10_000;
    let store = open(dir);
    let mut log = GrowingLog::default();
    for _ in 0..ENOUGH {
        let mut next = log.clone();
        let batch = next.batch(20);
        match store.commit(log.head(), &batch) {
            Commit::Committed => {
                next.taken(&batch);
                log = next;
            }
            Commit::Unknown(error) => {
                assert!(matches!(error, StoreError::Io(_)), "{error:?}");
                let outcome = store.commit(log.head(), &batch);
                assert!(matches!(outcome, Commit::DefinitelyNot(StoreError::NeedsRecovery)), "{outcome:?}");
                let head = store.recover().expect("recovered").expect("a head");
                check_log(&store);
                // The batch is there as a whole or not at all.
                assert!(Some(&head) == log.head() || head == batch.head, "{head:?}");
                if head == batch.head {
                    next.taken(&batch);
                    log = next;
                }
                log.grow(&store, 3);
                println!("recovered at size {}", head.size);
                return;
            }
            Commit::DefinitelyNot(error) => panic!("the outcome of a failed write is not known: {error}"),
        }
    }
    panic!("the kernel took all {ENOUGH} batches");
}

#[test]
fn damage_is_there_for_the_reader_to_find() {
    let folders = Folders::new();
    let store = open(&folders.path());
    let mut log = GrowingLog::default();
    log.grow(&store, 200);
    log.grow(&store, 200);
    let other = Hash::of(b"another leaf");
    for index in [0u64, 199, 200, 255, 256, 399] {
        store.overwrite_hash(0, index, other).expect("overwritten");
        let tile = store.tile(0, index / 256, if index < 256 { 256 } else { 144 }).expect("readable");
        let place = usize::try_from(index % 256).expect("small") * 32;
        assert_eq!(tile[place..place + 32], other.0, "hash {index}");
    }
    assert!(store.overwrite_hash(0, 400, other).is_err());
    store.overwrite_entry(LeafIndex(7), b"another entry").expect("overwritten");
    assert_eq!(store.entry(LeafIndex(7)).expect("readable").as_deref(), Some(b"another entry".as_slice()));
}

/// What the contract promises of damage below the store's own checks: it is reported, not served.
#[test]
fn missing_data_is_corruption() {
    let folders = Folders::new();
    let store = open(&folders.path());
    let mut log = GrowingLog::default();
    log.grow(&store, 100);
    log.grow(&store, 100);
    let removed = store.write(&options::synced(), |db, write| {
        write.delete_cf(read::family(db, layout::ENTRIES)?, 150u64.to_be_bytes());
        write.delete_cf(read::family(db, layout::TILES)?, layout::tile_key(0, 100));
        Ok(())
    });
    assert!(removed.is_ok());
    let mut seen = 0;
    let scan = store.entries(0..200, &mut |_, _| {
        seen += 1;
        ControlFlow::Continue(())
    });
    assert_eq!((scan, seen), (Err(StoreError::Corrupt("entry 150 is missing".to_owned())), 150));
    let end = store.entries(149..151, &mut |_, _| ControlFlow::Continue(()));
    assert!(matches!(end, Err(StoreError::Corrupt(_))), "the last one of a range: {end:?}");
    assert!(store.tile(0, 0, 100).is_ok());
    let tile = store.tile(0, 0, 101);
    assert!(matches!(tile, Err(StoreError::Corrupt(_))), "{tile:?}");
}

#[test]
fn entries_tree_and_state_stay_within_the_disk_budget() {
    // DESIGN §7: at most 1.3 times the entries' bytes, here with entries that cannot be compressed.
    const ENTRY_BYTES: usize = 1100;
    let folders = Folders::new();
    let store = open(&folders.path());
    let mut log = GrowingLog::default();
    let (mut head, mut entries_bytes) = (None, 0);
    for _ in 0..80 {
        let mut batch = log.batch(100);
        for (entry, index) in batch.entries.iter_mut().zip(batch.first.0..) {
            let blocks = (0u64..).map(|block| Hash::of(&[index.to_be_bytes(), block.to_be_bytes()].concat()).0);
            *entry = blocks.flatten().take(ENTRY_BYTES).collect();
            entries_bytes += entry.len() as u64;
        }
        assert!(matches!(store.commit(head.as_ref(), &batch), Commit::Committed));
        log.taken(&batch);
        head = Some(batch.head);
    }
    store.flush().expect("flushed");
    let stats = store.stats().expect("known");
    let used = stats.entries_bytes + stats.tiles_bytes + stats.state_bytes;
    assert!(used >= entries_bytes, "{stats:?}: less than was written");
    assert!(used * 10 <= entries_bytes * 13, "{used} bytes for {entries_bytes} bytes of entries: {stats:?}");
}

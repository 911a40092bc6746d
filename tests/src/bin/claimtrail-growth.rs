//! What growth costs: the tree and the store alone, without claims and signatures, up to a hundred million entries.
//!
//! `make growth` runs it; ARGS is the number of entries and the folder (which must not exist and is removed at the end). Each
//! entry brings what a claim brings to the store: a look-up of a key that is not there (the claim's id), its bytes, its
//! hashes, a state record under a random key, one that is written over again, and a row. Batches are committed and read back as
//! the sequencer does it. One line for each step of the growth, with what an entry cost within it.

use std::error::Error;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use claimtrail_log::store::rocks::{RocksOptions, RocksStore};
use claimtrail_log::store::{Batch, Commit, Head, Store, TileRun};
use harness::process::resident_bytes;
use proto::hash::Hash;
use proto::merkle::{CompactRange, inclusion_proof};
use proto::num::{LeafIndex, Millis, Seconds, TreeSize};
use proto::tile::TileTree;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Entries unless told otherwise.
const ENTRIES: u64 = 100_000_000;
/// Entries in a batch, as many as the sequencer takes at most.
const BATCH: u64 = 2048;
/// Bytes of an entry: a hundred million fit on a disk of ordinary size. What does not shrink with the entry is what grows.
const ENTRY_BYTES: usize = 160;
/// Bytes of a claim's record.
const RECORD_BYTES: usize = 64;
/// Slots that take turns, each with a record that is written over.
const SLOTS: u64 = 1_000_000;
/// Proofs that are made at the end of each step, at random places.
const PROOFS: u64 = 1000;
/// Sizes at which a line is printed: these times powers of ten.
const STEPS: [u64; 3] = [1, 2, 5];

fn random(kind: u8, number: u64) -> Hash {
    Hash::of_parts(&[&[kind], &number.to_be_bytes()])
}

/// Bytes that no compressor shortens.
fn noise(number: u64, bytes: usize) -> Vec<u8> {
    (0..).flat_map(|part| random(part, number).0).take(bytes).collect()
}

struct Run {
    store: std::sync::Arc<RocksStore>,
    head: Option<Head>,
    range: CompactRange,
}

/// Where the time of a step went.
#[derive(Default)]
struct Spent {
    lookups: Duration,
    commits: Duration,
    read_back: Duration,
    slowest_commit: Duration,
}

impl Run {
    fn append(&mut self, count: u64, spent: &mut Spent) -> Result<()> {
        let first = self.range.size().0;
        let begun = Instant::now();
        for index in first..first + count {
            if self.store.state(&random(0, index).0)?.is_some() {
                return Err("a key that was never written is there".into());
            }
        }
        spent.lookups += begun.elapsed();
        let batch = self.batch(first, count);
        let begun = Instant::now();
        match self.store.commit(self.head.as_ref(), &batch) {
            Commit::Committed => {}
            Commit::DefinitelyNot(error) | Commit::Unknown(error) => return Err(error.into()),
        }
        let took = begun.elapsed();
        spent.commits += took;
        spent.slowest_commit = spent.slowest_commit.max(took);
        let begun = Instant::now();
        let mut range = std::mem::take(&mut self.range);
        self.store.entries(first..first + count, &mut |_, bytes| {
            range.append(Hash::leaf(bytes));
            ControlFlow::Continue(())
        })?;
        if range.root() != batch.head.root {
            return Err("the root derived from stored entries is another one".into());
        }
        spent.read_back += begun.elapsed();
        (self.range, self.head) = (range, Some(batch.head));
        Ok(())
    }

    fn batch(&self, first: u64, count: u64) -> Batch {
        let (mut range, mut tiles) = (self.range.clone(), Vec::new());
        let (mut entries, mut state, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for index in first..first + count {
            let entry = noise(index, ENTRY_BYTES);
            range.append_collect(Hash::leaf(&entry), &mut |level, at, hash| TileRun::push(&mut tiles, level, at, hash));
            entries.push(entry.into());
            state.push((random(0, index).0.to_vec(), noise(index, RECORD_BYTES)));
            let slot = random(1, index).0[0..8].try_into().map_or(0, u64::from_be_bytes) % SLOTS;
            state.push(([b"slot".as_slice(), &slot.to_be_bytes()].concat(), noise(index, RECORD_BYTES)));
            rows.push(([b"row".as_slice(), &slot.to_be_bytes(), &index.to_be_bytes()].concat(), vec![0; 16]));
        }
        let time = Seconds(1_800_000_000 + first / BATCH);
        let head = Head { size: range.size(), root: range.root(), time, last_timestamp: Millis(time.millis().0) };
        Batch { first: LeafIndex(first), entries, tiles, state, rows, head }
    }

    /// Microseconds for an inclusion proof at a random place, with nothing kept in memory by the tree.
    fn proof_us(&self) -> Result<f64> {
        let size = self.range.size();
        let begun = Instant::now();
        for number in 0..PROOFS {
            let index = random(2, number).0[..8].try_into().map_or(0, u64::from_be_bytes) % size.0;
            let store: std::sync::Arc<dyn Store> = self.store.clone();
            let tree = TileTree::new(claimtrail_log::sequencer::StoreTiles(store), size);
            inclusion_proof(&tree, LeafIndex(index), size)?;
        }
        Ok(begun.elapsed().as_secs_f64() * 1e6 / PROOFS as f64)
    }
}

fn folder_bytes(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() { folder_bytes(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}

fn say(line: &str) {
    // Whoever closed the pipe has seen enough.
    let _shown = writeln!(std::io::stdout(), "{line}");
}

fn grow(folder: &Path, entries: u64) -> Result<()> {
    let store = RocksStore::create(folder, "log.example/growth", RocksOptions::default())?;
    let mut run = Run { store: std::sync::Arc::new(store), head: None, range: CompactRange::new() };
    say(
        "| entries | µs an entry in this step | of it look-up | commit | reading back | slowest commit, ms | µs a proof | disk, bytes an entry | memory, MB |",
    );
    say("|---|---|---|---|---|---|---|---|---|");
    let stops = (5..).flat_map(|power| STEPS.map(|step| step * 10u64.pow(power)));
    for stop in stops.map(|stop| stop.min(entries)) {
        let (from, begun, mut spent) = (run.range.size().0, Instant::now(), Spent::default());
        while run.range.size().0 < stop {
            run.append(BATCH.min(stop - run.range.size().0), &mut spent)?;
        }
        let each = |time: Duration| time.as_secs_f64() * 1e6 / (stop - from).max(1) as f64;
        say(&format!(
            "| {stop} | {:.2} | {:.2} | {:.2} | {:.2} | {:.1} | {:.1} | {:.0} | {:.0} |",
            each(begun.elapsed()),
            each(spent.lookups),
            each(spent.commits),
            each(spent.read_back),
            spent.slowest_commit.as_secs_f64() * 1e3,
            run.proof_us()?,
            folder_bytes(folder)? as f64 / stop as f64,
            resident_bytes(std::process::id()).unwrap_or(0) as f64 / 1e6,
        ));
        if stop == entries {
            break;
        }
    }
    run.store.close()?;
    let begun = Instant::now();
    let store = RocksStore::open(folder, "log.example/growth", RocksOptions::default())?;
    let size = store.head()?.map_or(TreeSize(0), |head| head.size);
    say(&format!("opened again in {:.2} s, {size} entries", begun.elapsed().as_secs_f64()));
    store.close()?;
    Ok(())
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let entries = arguments.next().map_or(Ok(ENTRIES), |text| text.parse::<u64>())?.max(1);
    let folder = arguments.next().map(PathBuf::from);
    match folder {
        Some(folder) if folder.exists() => {
            Err(format!("{} exists; name a folder that does not", folder.display()).into())
        }
        Some(folder) => {
            let grown = grow(&folder, entries);
            std::fs::remove_dir_all(&folder)?;
            grown
        }
        None => {
            let folder = tempfile::tempdir()?;
            grow(&folder.path().join("store"), entries)
        }
    }
}

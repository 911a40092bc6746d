//! How RocksDB is set up. Memory and disk are bounded by the constants here, whatever the log's size.

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode, LogLevel,
    Options, ReadOptions, WriteOptions,
};

use super::layout::{ENTRIES, FAMILIES, HEADS, META, REPORTS, ROWS, STATE, TILES};

/// What an operator may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RocksOptions {
    /// Bytes of the file system that commits leave free, so that reads, compaction and an orderly stop go on (a log whose
    /// disk ran full lost its index). Zero switches the check off.
    pub reserve_bytes: u64,
    /// Bytes of blocks, indexes and filters that are kept in memory.
    pub cache_bytes: usize,
}

/// Room for a compaction of the largest files and some minutes of claims at full speed.
pub const DEFAULT_RESERVE_BYTES: u64 = 1 << 30;

/// With the write buffers well below the budget of 1 GB at ten million entries; the filters of 10^8 state keys fit.
pub const DEFAULT_CACHE_BYTES: usize = 256 << 20;

impl Default for RocksOptions {
    fn default() -> RocksOptions {
        RocksOptions { reserve_bytes: DEFAULT_RESERVE_BYTES, cache_bytes: DEFAULT_CACHE_BYTES }
    }
}

/// All write buffers together. When they are full the oldest is written out.
const WRITE_BUFFERS_BYTES: usize = 192 << 20;
/// The write buffer of a family that every batch fills.
const LARGE_BUFFER_BYTES: usize = 32 << 20;
/// The write buffer of a family that takes a few bytes a batch.
const SMALL_BUFFER_BYTES: usize = 8 << 20;
/// The write-ahead log is read again at a start: 128 MiB take well under the two seconds a restart may take.
const WAL_BYTES: u64 = 128 << 20;
/// Open table files. Enough for a log of some hundred GB; a bound, because a file that is open costs memory.
const OPEN_FILES: i32 = 1024;
/// Table files of entries are large, so that a log of a terabyte has thousands of files and not tens of thousands.
const ENTRY_FILE_BYTES: u64 = 256 << 20;
/// Blocks of entries and tiles: some entries, or two tiles.
const LARGE_BLOCK_BYTES: usize = 16 << 10;
/// Blocks of families that are read key by key.
const SMALL_BLOCK_BYTES: usize = 4 << 10;
/// Bits per key in the filter of `state`: one look-up in a hundred of an absent key (a new claim's id) reads a block.
const FILTER_BITS: f64 = 10.0;
/// Share of a write buffer of `state` that its filter may take: ten bits for each of its records of some hundred bytes.
const MEMTABLE_FILTER_SHARE: f64 = 0.02;
/// Lets the kernel write back steadily and not in one burst that a synced commit would wait for.
const WRITE_BACK_BYTES: u64 = 1 << 20;
/// Files of RocksDB's own messages, and their size.
const MESSAGE_FILES: usize = 4;
const MESSAGE_FILE_BYTES: usize = 4 << 20;
/// A scan of more entries than this is someone who reads the whole log. It must not push out what others read.
const LONG_SCAN_ENTRIES: u64 = 4096;
/// What a long scan reads at once.
const READ_AHEAD_BYTES: usize = 2 << 20;

/// Settings of the database as a whole.
pub(super) fn database(create: bool) -> Options {
    let mut options = Options::default();
    options.create_if_missing(create);
    options.create_missing_column_families(create);
    // After a loss of power the log's torn tail is cut off: it was never acknowledged. Should damage hide in the middle of
    // it, replay stops there, the head is lower than the one the signer remembers, and the signer refuses.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    // A write-ahead log that was synced and is now missing or shorter is an error at the next start.
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_paranoid_checks(true);
    options.set_db_write_buffer_size(WRITE_BUFFERS_BYTES);
    options.set_max_total_wal_size(WAL_BYTES);
    options.set_max_open_files(OPEN_FILES);
    options.set_bytes_per_sync(WRITE_BACK_BYTES);
    options.set_wal_bytes_per_sync(WRITE_BACK_BYTES);
    options.set_avoid_unnecessary_blocking_io(true);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(MESSAGE_FILES);
    options.set_max_log_file_size(MESSAGE_FILE_BYTES);
    if cfg!(test) {
        // The tests count the syncs.
        options.enable_statistics();
    }
    options
}

/// The column families with their settings, all over one cache.
pub(super) fn families(chosen: &RocksOptions) -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(chosen.cache_bytes);
    let family = |name: &str| ColumnFamilyDescriptor::new(name, family(name, &cache));
    std::iter::once(rocksdb::DEFAULT_COLUMN_FAMILY_NAME).chain(FAMILIES).map(family).collect()
}

fn family(name: &str, cache: &Cache) -> Options {
    let mut options = Options::default();
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    // Indexes and filters count against the cache's bound too.
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_pin_top_level_index_and_filter(true);
    table.set_block_size(match name {
        ENTRIES | TILES => LARGE_BLOCK_BYTES,
        _ => SMALL_BLOCK_BYTES,
    });
    if name == STATE {
        // The key of a new claim is looked up twice before it is there; what is not yet in a file has its filter, too.
        options.set_memtable_whole_key_filtering(true);
        options.set_memtable_prefix_bloom_ratio(MEMTABLE_FILTER_SHARE);
        table.set_bloom_filter(FILTER_BITS, false);
        table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        table.set_partition_filters(true);
    }
    options.set_block_based_table_factory(&table);
    options.set_write_buffer_size(match name {
        ENTRIES | STATE | ROWS => LARGE_BUFFER_BYTES,
        TILES | HEADS | REPORTS | META => SMALL_BUFFER_BYTES,
        _ => SMALL_BUFFER_BYTES,
    });
    if name == ENTRIES {
        options.set_target_file_size_base(ENTRY_FILE_BYTES);
    }
    options.set_level_compaction_dynamic_level_bytes(true);
    // Hashes do not get smaller.
    options.set_compression_type(if name == TILES { DBCompressionType::None } else { DBCompressionType::Lz4 });
    options
}

/// Every write but those of signed heads: returns when the device has it.
pub(super) fn synced() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    options
}

/// For signed heads only. A head that a crash takes away is signed again from the committed batch, with the same bytes; and
/// the write stands in the same write-ahead log before the next commit, whose sync makes it durable with its own.
/// A sync of its own would double the time from a claim to its proof.
pub(super) fn unsynced() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(false);
    options
}

/// Reads of keys from `from` up to, without, `end`.
pub(super) fn between(from: Vec<u8>, end: Option<Vec<u8>>) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_verify_checksums(true);
    options.set_iterate_lower_bound(from);
    if let Some(end) = end {
        options.set_iterate_upper_bound(end);
    }
    options
}

/// Reads of the entries of a range.
pub(super) fn entry_scan(range: &std::ops::Range<u64>) -> ReadOptions {
    let mut options = between(range.start.to_be_bytes().to_vec(), Some(range.end.to_be_bytes().to_vec()));
    if range.end.saturating_sub(range.start) > LONG_SCAN_ENTRIES {
        options.fill_cache(false);
        options.set_readahead_size(READ_AHEAD_BYTES);
    }
    options
}

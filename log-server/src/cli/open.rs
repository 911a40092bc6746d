//! The parts of a stopped or starting log, opened as its configuration says.

use std::sync::Arc;

use super::Failure;
use super::keys::load_log_keys;
use crate::config::Config;
use crate::signer::{FileSigner, LogKeys};
use crate::store::Store;
use crate::store::rocks::RocksStore;

/// The store, to write to.
pub(super) fn store(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    Ok(Arc::new(RocksStore::open(&config.store.dir, &config.origin, config.rocks())?))
}

/// The store, to read from.
pub(super) fn store_read_only(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    Ok(Arc::new(RocksStore::open_read_only(&config.store.dir, &config.origin, config.rocks())?))
}

/// The log's keys and its signer.
pub(super) fn signer(config: &Config) -> Result<(LogKeys, FileSigner), Failure> {
    let keys = load_log_keys(config)?;
    let signer = FileSigner::open(keys.clone(), &config.signer.record)?;
    Ok((keys, signer))
}

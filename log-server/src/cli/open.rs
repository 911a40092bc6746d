//! Opening what a command works on.

use std::path::Path;
use std::sync::Arc;

use client::keyfile;

use super::{CONFIG, Failure};
use crate::config::Config;
use crate::signer::{FileSigner, LogKeys};
use crate::store::Store;
use crate::store::rocks::RocksStore;

/// The configuration of the log in `folder`, without flags.
pub(super) fn config(folder: &Path) -> Result<Config, Failure> {
    let failure = |error: service::config::ConfigError| Failure { code: CONFIG, message: error.to_string() };
    Config::load(Config::layers(folder).map_err(failure)?, folder).map_err(failure)
}

/// The log's own keys.
pub(super) fn keys(config: &Config) -> Result<LogKeys, Failure> {
    let log = keyfile::load(&config.keys.log).map_err(|e| Failure::io(&e))?;
    let time = keyfile::load(&config.keys.time).map_err(|e| Failure::io(&e))?;
    LogKeys::new(&config.origin, log, time).map_err(|e| Failure::io(&e))
}

/// The signer with its record.
pub(super) fn signer(config: &Config) -> Result<FileSigner, Failure> {
    FileSigner::open(keys(config)?, &config.signer.record).map_err(|e| Failure::io(&e))
}

/// The store, for writing.
pub(super) fn store(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    let store = RocksStore::open(&config.store.dir, &config.origin, config.rocks()).map_err(|e| Failure::io(&e))?;
    Ok(Arc::new(store))
}

/// The store, for reading only.
pub(super) fn store_read_only(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    let opened = RocksStore::open_read_only(&config.store.dir, &config.origin, config.rocks());
    Ok(Arc::new(opened.map_err(|e| Failure::io(&e))?))
}

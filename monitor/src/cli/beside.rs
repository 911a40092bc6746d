//! A running monitor holds its databases: commands beside it ask it at its admin address, at once; a stopped one's files are read.

use super::{Exit, Failure, logs_folder};
use crate::config::Config;
use crate::store::LogStore;

/// Whether another process holds the state of one of the logs now.
pub(super) fn is_held(config: &Config) -> Result<bool, Failure> {
    let folder = logs_folder(config);
    Ok(config.logs()?.iter().any(|log| LogStore::is_held(&folder, &log.origin)))
}

/// Why a state cannot be opened, for people: mostly because a monitor runs with it.
pub(super) fn in_use(config: &Config, error: client::Error) -> Failure {
    match is_held(config) {
        Ok(true) => {
            let message = format!(
                "{}. A monitor runs with this state: `status`, `heads`, `findings` and `evidence` work beside it",
                error.message
            );
            Failure::new(Exit::Unavailable, message)
        }
        _ => error.into(),
    }
}

/// What a stopped monitor's files say, or else what a running one answers. Files that another command holds are waited for
/// when no monitor answers.
///
/// # Errors
/// Both reasons in one.
pub(super) fn stopped_or_running<T>(
    config: &Config,
    stopped: impl FnOnce() -> Result<T, Failure>,
    mut running: impl FnMut(&str) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let url = format!("http://{}", config.listen.admin);
    if is_held(config)?
        && let Ok(answer) = running(&url)
    {
        return Ok(answer);
    }
    stopped().or_else(|held| {
        running(&url).map_err(|silent| {
            let message = format!("{}; and a running monitor does not answer: {}", held.message, silent.message);
            Failure::new(silent.exit, message)
        })
    })
}

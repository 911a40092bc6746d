//! The operator's log: to standard error, as text, or as one JSON object a line.

use std::io::IsTerminal;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The form of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people; coloured on terminals.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// The section `log` of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// What is logged: a level, or directives such as `info,service=debug`.
    pub level: String,
    /// In what form.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// Why the log cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is neither a level nor directives.
    #[error(
        "log.level {level:?} is not understood ({reason}): write error, warn, info, debug, trace, or module=level, …"
    )]
    Level {
        /// What was configured.
        level: String,
        /// Why it is not understood.
        reason: String,
    },
    /// A log was set up before in this process.
    #[error("the log is set up already")]
    Twice,
}

/// Sets up the log of this process. Call it once, first thing after the configuration is read.
///
/// # Errors
/// When the level is not understood, or a log was set up before.
pub fn init(config: &LogConfig) -> Result<(), LogError> {
    let filter = filter(&config.level)?;
    let registry = tracing_subscriber::registry().with(filter);
    let done = match config.format {
        LogFormat::Json => registry.with(layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init(),
        LogFormat::Text => {
            let colours = std::io::stderr().is_terminal();
            registry.with(layer().with_ansi(colours).with_writer(std::io::stderr)).try_init()
        }
    };
    done.map_err(|_| LogError::Twice)
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    let refused = |reason: String| LogError::Level { level: level.to_owned(), reason };
    if level.trim().is_empty() {
        return Err(refused("it is empty".to_owned()));
    }
    EnvFilter::builder().parse(level).map_err(|error| refused(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_checked() {
        for good in ["info", "off", "warn,service=debug"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["", "service=loud", "info,=,"] {
            assert!(filter(bad).is_err(), "{bad}");
        }
    }
}

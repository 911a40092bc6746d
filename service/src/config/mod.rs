//! Layered configuration: built-in defaults < one TOML file < environment < flags.
//!
//! The defaults are the configuration type's own (`#[serde(default)]`); every other layer overrides single keys. Tables
//! are merged, lists and values are replaced. Types should say `#[serde(deny_unknown_fields)]`: an unknown key is then
//! refused with its place and the nearest known key.
//!
//! The environment's name for the key `limits.max_connections` with prefix `CLAIMTRAIL_LOG` is
//! `CLAIMTRAIL_LOG_LIMITS__MAX_CONNECTIONS`. What comes as text (environment, flags) is read as the type that the
//! configuration asks for; lists are separated by commas or written as in TOML.
//!
//! ```
//! #[derive(serde::Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Config { address: String, workers: u16 }
//! impl Default for Config {
//!     fn default() -> Config { Config { address: "127.0.0.1:8080".into(), workers: 2 } }
//! }
//! let config: Config = service::config::Layers::new()
//!     .file_text("log.toml", "workers = 3")?
//!     .environment("CLAIMTRAIL_LOG", [("CLAIMTRAIL_LOG_WORKERS".into(), "4".into())])
//!     .load()?;
//! assert_eq!((config.address.as_str(), config.workers), ("127.0.0.1:8080", 4));
//! # Ok::<(), service::config::ConfigError>(())
//! ```

mod de;
mod node;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::Path;

use serde::de::DeserializeOwned;

pub use node::Origin;
use node::{Kind, Node};

/// A configuration file larger than this is another file by mistake.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Why a configuration was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: the configuration file cannot be read: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The file is not TOML.
    #[error("{path}, line {line}: not valid TOML: {reason}")]
    Syntax {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A key is unknown, missing, or has a value that is not allowed.
    #[error("{}{}{reason}", origin.as_ref().map(|o| format!("{o}: ")).unwrap_or_default(), key_prefix(key))]
    Key {
        /// Where the key was given, if it was given.
        origin: Option<Origin>,
        /// The dotted key; empty for the whole.
        key: String,
        /// What is wrong and what to do.
        reason: String,
    },
}

fn key_prefix(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("key `{key}`: ") }
}

/// The layers that were given so far, later ones over earlier ones.
#[derive(Debug, Clone)]
pub struct Layers {
    root: Node,
}

impl Default for Layers {
    fn default() -> Layers {
        Layers { root: Node::table(Origin::Defaults) }
    }
}

impl Layers {
    /// No layer: the defaults alone.
    pub fn new() -> Layers {
        Layers::default()
    }

    /// Adds a TOML file.
    ///
    /// # Errors
    /// When it cannot be read or is not TOML.
    pub fn file(self, path: &Path) -> Result<Layers, ConfigError> {
        let shown = path.display().to_string();
        let unreadable = |reason: String| ConfigError::Unreadable { path: shown.clone(), reason };
        let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
        if size > MAX_FILE_BYTES {
            return Err(unreadable(format!("it has {size} bytes, more than {MAX_FILE_BYTES}")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        self.file_text(&shown, &text)
    }

    /// Adds the text of a TOML file; `path` is for messages.
    ///
    /// # Errors
    /// When it is not TOML.
    pub fn file_text(mut self, path: &str, text: &str) -> Result<Layers, ConfigError> {
        self.root.merge(Node::from_toml(path, text)?);
        Ok(self)
    }

    /// Adds those of `variables` whose names begin with `prefix` and an underscore.
    #[must_use]
    pub fn environment(mut self, prefix: &str, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Layers {
        for (name, value) in variables {
            let Some(name) = name.to_str() else { continue };
            let Some(rest) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')) else { continue };
            let kind = match value.into_string() {
                Ok(text) => Kind::Text(text),
                Err(_) => Kind::NotUtf8,
            };
            let path: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
            self.root.set(&path, Node { origin: Origin::Environment(name.to_owned()), kind });
        }
        self
    }

    /// Sets a dotted key from a flag; `name` is the flag as the user wrote it, for messages. Flags that were not given
    /// (`None`) change nothing.
    #[must_use]
    pub fn flag(mut self, name: &str, key: &str, value: Option<impl ToString>) -> Layers {
        if let Some(value) = value {
            let path: Vec<String> = key.split('.').map(str::to_owned).collect();
            let node = Node { origin: Origin::Flag(name.to_owned()), kind: Kind::Text(value.to_string()) };
            self.root.set(&path, node);
        }
        self
    }

    /// The configuration.
    ///
    /// # Errors
    /// When a key is unknown, is missing without a default, or has a value that its type does not take. The message
    /// names the key and the place that gave it.
    pub fn load<T: DeserializeOwned>(self) -> Result<T, ConfigError> {
        T::deserialize(self.root).map_err(de::Fault::into_error)
    }
}

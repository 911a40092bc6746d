//! How a command ends, and what is said then.

use std::process::ExitCode;

use client::ErrorKind;
use service::config::ConfigError;

/// The exit codes besides those of [`crate::finding::Class`], as `--help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The command line makes no sense as given.
    Usage = 64,
    /// An address or the state is in use, or not available.
    Unavailable = 69,
    /// A fault of this program.
    Internal = 70,
    /// A local file, folder or disk cannot be read or written; the state of a log is missing.
    Io = 74,
    /// Told to stop before everything was done; the same again goes on.
    Stopped = 75,
    /// The configuration, a key or a trust file cannot be used.
    Config = 78,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// For people: what went wrong and what to do next.
    pub message: String,
}

impl Failure {
    /// A failure.
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into() }
    }

    /// A part of the program failed.
    pub fn internal(error: impl std::fmt::Display) -> Failure {
        Failure::new(Exit::Internal, format!("a part of the monitor failed: {error}"))
    }

    /// Standard output is gone.
    pub fn output(error: &std::io::Error) -> Failure {
        Failure::new(Exit::Io, format!("standard output cannot be written: {error}"))
    }

    /// As the process's exit code.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(self.exit as u8)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::new(Exit::Config, error.to_string())
    }
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Failure {
        let exit = match error.kind {
            ErrorKind::Usage => Exit::Usage,
            ErrorKind::Local => Exit::Io,
            ErrorKind::Unreachable | ErrorKind::TryLater | ErrorKind::Refused => Exit::Unavailable,
            _ => Exit::Config, // a key or trust file that is no such file
        };
        Failure::new(exit, error.message)
    }
}

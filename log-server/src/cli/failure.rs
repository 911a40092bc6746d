//! How a command ends, and what is said then.

use std::process::ExitCode;

use client::ErrorKind;
use service::config::ConfigError;

use crate::check::CheckError;
use crate::log::OpenError;
use crate::sequencer::Halt;
use crate::signer::{RecordError, SignError};
use crate::store::{StoreError, rocks};

/// The exit codes, as `--help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// What is stored is not what it should be.
    Different = 1,
    /// The command line makes no sense as given.
    Usage = 64,
    /// The log's own rules refuse it.
    Refused = 65,
    /// An address or the data folder is in use, or not available.
    Unavailable = 69,
    /// A fault of this program.
    Internal = 70,
    /// A local file, folder or disk cannot be read or written.
    Io = 74,
    /// The configuration cannot be used.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// For people: what went wrong and what to do next. Empty when everything was said already.
    pub message: String,
}

impl Failure {
    /// A failure.
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into() }
    }

    /// Standard output is gone.
    pub fn output(error: &std::io::Error) -> Failure {
        Failure::new(Exit::Io, format!("standard output cannot be written: {error}"))
    }

    /// A file or folder.
    pub fn file(path: &std::path::Path, what: &str, error: &std::io::Error) -> Failure {
        Failure::new(Exit::Io, format!("{} {what}: {error}", path.display()))
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
            ErrorKind::Refused => Exit::Refused,
            ErrorKind::Local => Exit::Io,
            ErrorKind::Unreachable | ErrorKind::TryLater => Exit::Unavailable,
            _ => Exit::Config, // a key or trust file that is no such file
        };
        Failure::new(exit, error.message)
    }
}

fn of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::Corrupt(_) | StoreError::Fence(_) => Exit::Different,
        StoreError::Malformed(_) | StoreError::OutOfRange { .. } | StoreError::RebuildStep { .. } => Exit::Internal,
        _ => Exit::Io,
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let hint = match error {
            StoreError::Rebuilding { .. } => "; run `claimtrail-log rebuild`",
            _ => "",
        };
        Failure::new(of_store(&error), format!("{error}{hint}"))
    }
}

impl From<rocks::OpenError> for Failure {
    fn from(error: rocks::OpenError) -> Failure {
        let exit = match &error {
            rocks::OpenError::InUse(_) => Exit::Unavailable,
            rocks::OpenError::Damaged { .. } => Exit::Different,
            rocks::OpenError::Io { .. } => Exit::Io,
            _ => Exit::Config,
        };
        Failure::new(exit, error.to_string())
    }
}

impl From<SignError> for Failure {
    fn from(error: SignError) -> Failure {
        let exit = match &error {
            SignError::Lower { .. } | SignError::Inconsistent { .. } => Exit::Different,
            SignError::Record(RecordError::Damaged { .. }) => Exit::Different,
            SignError::Record(RecordError::OtherOrigin { .. }) | SignError::Note(_) => Exit::Config,
            SignError::Record(_) => Exit::Io,
        };
        Failure::new(exit, error.to_string())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Failure {
        let message = error.to_string();
        let exit = match error {
            OpenError::Halted(Halt::Signer(error)) => return error.into(),
            OpenError::Halted(Halt::NotWritten(error) | Halt::Unknown(error) | Halt::Store(error))
            | OpenError::Store(error) => return error.into(),
            OpenError::Halted(Halt::Mismatch(_)) => Exit::Different,
            OpenError::Halted(Halt::Rules(_)) | OpenError::Empty | OpenError::OtherKeys { .. } => Exit::Config,
            OpenError::Refused(_) => Exit::Refused,
            OpenError::Halted(Halt::Starting) | OpenError::Thread(_) => Exit::Internal,
        };
        Failure::new(exit, message)
    }
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Failure {
        let exit = match &error {
            CheckError::Store(error) => of_store(error),
            CheckError::Scratch(_) => Exit::Io,
            CheckError::Rules(_) => Exit::Config,
        };
        Failure::new(exit, format!("the check was not finished: {error}"))
    }
}

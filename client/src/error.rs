//! One error for the whole library: what went wrong, said for people, and its class, from which the command takes its
//! exit code.

use proto::code::Code;

use crate::problem::Problem;

/// What class of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The evidence does not prove what it is shown for, or the log contradicts itself.
    NotProven,
    /// A file or an answer is malformed.
    Malformed,
    /// Consistent, but the reader's policy is not met or none was given.
    PolicyNotMet,
    /// The request makes no sense as given.
    Usage,
    /// The log refused.
    Refused,
    /// The log cannot be reached, or answers with nonsense.
    Unreachable,
    /// A local file or folder cannot be read or written.
    Local,
    /// The log cannot take it now.
    TryLater,
}

/// What went wrong and, where it can be said, what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The class.
    pub kind: ErrorKind,
    /// For people.
    pub message: String,
    /// The log's own words, when it refused.
    pub problem: Option<Box<Problem>>,
}

impl Error {
    /// An error of this class.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), problem: None }
    }

    /// [`ErrorKind::Usage`]
    pub fn usage(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Usage, message)
    }

    /// [`ErrorKind::Malformed`]
    pub fn malformed(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Malformed, message)
    }

    /// [`ErrorKind::NotProven`]
    pub fn not_proven(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::NotProven, message)
    }

    /// [`ErrorKind::Unreachable`]
    pub fn unreachable(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Unreachable, message)
    }

    /// [`ErrorKind::Local`]
    pub fn local(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Local, message)
    }

    /// The log's stable reason, when it refused with one.
    pub fn code(&self) -> Option<Code> {
        self.problem.as_ref().and_then(|problem| problem.code())
    }
}

impl From<proto::code::Refused> for Error {
    /// Our own rules said no before anything was sent.
    fn from(refused: proto::code::Refused) -> Error {
        Error::malformed(refused.to_string())
    }
}

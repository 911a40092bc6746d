//! What a command prints to standard output.

use std::io::{self, ErrorKind, Write as _};

/// Prints all of it. Whoever closed the pipe has seen enough, as `head` and `grep -q` have: that is no failure, and the exit code
/// is still that of what the command found.
///
/// # Errors
/// When standard output cannot be written otherwise, such as on a full disk.
pub fn print(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    seen_enough(out.write_all(bytes).and_then(|()| out.flush()))
}

fn seen_enough(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_goes_away_is_no_failure() {
        assert!(seen_enough(Err(ErrorKind::BrokenPipe.into())).is_ok());
        let full = seen_enough(Err(ErrorKind::StorageFull.into())).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
    }
}

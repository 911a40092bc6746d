//! A source that is read by a thread of its own: an input that pauses, such as a pipe, holds up nothing else.

use tokio::sync::mpsc;

use super::{Item, Source};
use crate::error::Error;

/// Envelopes that are read ahead: enough that the connection never waits for a file, few enough to be nothing in memory.
const READ_AHEAD: usize = 64;

enum Read {
    Envelope(Result<Item, Error>),
    /// The input cannot be read on.
    Broken(Error),
}

/// What a source gives, as it comes.
pub(super) struct Reader {
    read: mpsc::Receiver<Read>,
    next: Option<Result<Item, Error>>,
    is_closed: bool,
    broken: Option<Error>,
}

impl Reader {
    /// Starts to read. The thread is not waited for: at the end of the process it may still wait for its input.
    pub(super) fn start(mut source: Source) -> Result<Reader, Error> {
        let (out, read) = mpsc::channel(READ_AHEAD);
        let work = move || {
            while let Some(item) = source.next() {
                let item = match item {
                    Err(error) if source.is_broken() => Read::Broken(error),
                    item => Read::Envelope(item),
                };
                if out.blocking_send(item).is_err() {
                    return; // nobody reads on
                }
            }
        };
        let thread = std::thread::Builder::new().name("source".into()).spawn(work);
        thread.map_err(|e| Error::local(format!("no thread to read the envelopes: {e}")))?;
        Ok(Reader { read, next: None, is_closed: false, broken: None })
    }

    /// The next envelope, if one was read.
    pub(super) fn take(&mut self) -> Option<Result<Item, Error>> {
        if self.next.is_none() {
            match self.read.try_recv() {
                Ok(read) => self.keep(Some(read)),
                Err(mpsc::error::TryRecvError::Empty) => {}
                Err(mpsc::error::TryRecvError::Disconnected) => self.keep(None),
            }
        }
        self.next.take()
    }

    /// Waits until there is something to take, or the end. Nothing is lost when this is given up.
    pub(super) async fn wait(&mut self) {
        if self.next.is_none() && !self.is_closed {
            let read = self.read.recv().await;
            self.keep(read);
        }
    }

    /// Whether everything was taken.
    pub(super) fn is_over(&self) -> bool {
        self.is_closed && self.next.is_none()
    }

    /// Why the input could not be read to its end, if so.
    pub(super) fn into_broken(self) -> Option<Error> {
        self.broken
    }

    fn keep(&mut self, read: Option<Read>) {
        match read {
            Some(Read::Envelope(item)) => self.next = Some(item),
            Some(Read::Broken(error)) => {
                self.broken = Some(error);
                self.is_closed = true;
            }
            None => self.is_closed = true,
        }
    }
}

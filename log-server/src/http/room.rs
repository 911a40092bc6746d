//! Room for what clients submitted and what is not yet answered.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// The part that streams have, in quarters: they fill what they get. The rest is for claims that come alone, which so
/// never wait behind lines that wait for room: a quarter of 64 MiB holds some ten thousand.
const STREAM_QUARTERS: usize = 3;

/// Room for submissions of all clients together, one permit a KiB. It is taken before the task that outlives its client,
/// so that who sends, hangs up and comes again finds the same bound.
pub(super) struct Room {
    pub(super) alone: Part,
    pub(super) streams: Part,
}

/// The part of the room that submissions of one kind share.
pub(super) struct Part {
    permits: Arc<Semaphore>,
    kib: usize,
}

impl Room {
    pub(super) fn new(kib: NonZeroUsize) -> Room {
        let streams = (kib.get() / 4 * STREAM_QUARTERS).max(1);
        Room { alone: Part::new((kib.get() - streams).max(1)), streams: Part::new(streams) }
    }
}

impl Part {
    fn new(kib: usize) -> Part {
        Part { permits: Arc::new(Semaphore::new(kib)), kib }
    }

    pub(super) fn permits(&self) -> Arc<Semaphore> {
        self.permits.clone()
    }

    /// Permits for so many bytes; never more than there are, so that any envelope fits.
    pub(super) fn of(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(1024).clamp(1, self.kib)).unwrap_or(u32::MAX)
    }
}

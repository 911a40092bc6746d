//! Bounds of streams, and the places of those that are open.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use proto::code::Code;
use service::caps::{CapReached, Caps, Place};
use service::limits::BODY_TOTAL_TIMEOUT;
use service::problem::Problem;

/// Bounds of streams.
#[derive(Debug, Clone, Copy)]
pub struct StreamLimits {
    /// Streams that are open, of all clients together.
    pub open: NonZeroUsize,
    /// Streams of one address (IPv6: of one /64) that are open.
    pub open_per_address: NonZeroUsize,
    /// Lines of one stream that are submitted and not yet answered.
    pub lines: NonZeroUsize,
    /// Their bytes. One line more is always taken, so that any line fits.
    pub bytes: NonZeroUsize,
    /// From the first byte of a line to its end, as long as the server reads: a stream may take for ever, a line may not.
    pub line_timeout: Duration,
}

/// A stream whose client sends and does not read holds its answers: some 4 KiB a line, 8 MiB a stream. So many hold half a
/// GiB, and a few of them use all cores.
const OPEN: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");
/// A quarter of them, so that one client leaves places for others.
const OPEN_PER_ADDRESS: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");
/// A full batch: while one half of it is written, the other one is checked.
const LINES: NonZeroUsize = NonZeroUsize::new(2048).expect("not zero");
/// All streams at this bound take 256 MiB.
const BYTES: NonZeroUsize = NonZeroUsize::new(4 * 1024 * 1024).expect("not zero");

/// When who found no place should come again: streams end when their client has nothing more to send.
const RETRY: Duration = Duration::from_secs(5);

impl Default for StreamLimits {
    fn default() -> StreamLimits {
        StreamLimits {
            open: OPEN,
            open_per_address: OPEN_PER_ADDRESS,
            lines: LINES,
            bytes: BYTES,
            line_timeout: BODY_TOTAL_TIMEOUT,
        }
    }
}

/// The places of open streams.
#[derive(Debug)]
pub(in crate::http) struct OpenStreams(Caps);

impl OpenStreams {
    pub(in crate::http) fn new(limits: &StreamLimits) -> OpenStreams {
        OpenStreams(Caps::new(limits.open.get(), limits.open_per_address.get()))
    }

    /// A place for a stream from `address`, given back when it is dropped.
    ///
    /// # Errors
    /// 429 `limit.address` when the address has too many, 503 `queue.full` when all clients together have.
    pub(super) fn take(&self, address: IpAddr) -> Result<Place, Problem> {
        self.0.take(address, false).map_err(|reached| match reached {
            CapReached::Address => {
                let detail = "This address has as many streams open as it may; send more over those, or end one.";
                Problem::new(Code::LimitAddress, detail).retry_after(RETRY)
            }
            CapReached::Global => {
                let detail = "The log has as many streams open as it can serve; ask again, or send claims one by one.";
                Problem::new(Code::QueueFull, detail).retry_after(RETRY)
            }
        })
    }
}

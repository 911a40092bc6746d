//! What one client may cost: every limit with its reason.

use std::time::Duration;

/// A request's head fits one packet; ten seconds is a phone on a bad line, longer is a client that holds us up.
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Proxies close idle upstream connections after 60 s; closing later than they do avoids requests lost in between.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// Our longest path is below 1 KiB; browsers and proxies add some 4 KiB of headers. Also bounds trailers.
pub const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Browsers behind two proxies send about 40; 100 is what the parser holds on the stack.
pub const MAX_HEADERS: usize = 100;
/// A client that uploads and then says nothing for so long has gone.
pub const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// An envelope of 128 KiB in 30 s is 35 kbit/s; slower clients are attacks or would fail anyway.
pub const BODY_TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
/// A client that takes less than [`WRITE_LEAST_BYTES`] of our answer for so long has gone, or holds us up; the kernel's
/// buffers hide shorter pauses.
pub const WRITE_STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Within [`WRITE_STALL_TIMEOUT`], 35 kbit/s: what we ask of uploads. A client that takes a byte now and then would
/// otherwise make us hold its answer for ever.
pub const WRITE_LEAST_BYTES: usize = 128 * 1024;
/// Half of a usual 8,192 descriptors, the rest is for the store; at some 30 KiB each, 120 MiB.
pub const MAX_CONNECTIONS: usize = 4096;
/// A browser opens 6, a bulk client with a pool some dozens, an office behind one address some hundred.
pub const MAX_CONNECTIONS_PER_ADDRESS: usize = 512;
/// Process managers commonly kill after 30 s; a little earlier, so that we end by our own decision.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(25);

/// The limits of one listening address. The defaults are the constants of this module, each with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeLimits {
    /// From the first byte of a request's head to its end; also from a connection's start to its first head.
    pub header_read_timeout: Duration,
    /// How long a connection may stay open between two requests.
    pub idle_timeout: Duration,
    /// Bytes of a request's head: request line and headers. At most [`ServeLimits::HEADER_BYTES_CEILING`].
    pub max_header_bytes: usize,
    /// Header fields of a request.
    pub max_headers: usize,
    /// Longest pause between two pieces of a request body while the handler waits for one.
    pub body_idle_timeout: Duration,
    /// From the first wait for a request body to its end, unless the handler asked for a [`LongBody`](crate::body::LongBody).
    pub body_total_timeout: Duration,
    /// Longest time in which a client takes less than [`WRITE_LEAST_BYTES`] of an answer that we have ready.
    pub write_stall_timeout: Duration,
    /// Open connections, all addresses together.
    pub max_connections: usize,
    /// Open connections of one address (IPv6: of one /64). Trusted proxies are exempt: theirs are everybody's.
    pub max_connections_per_address: usize,
    /// How long running requests may take to finish once the server stops.
    pub drain_deadline: Duration,
}

impl ServeLimits {
    /// The read buffer's size, beyond which no head can be read whatever the limit says.
    pub const HEADER_BYTES_CEILING: usize = 64 * 1024;
}

impl Default for ServeLimits {
    fn default() -> ServeLimits {
        ServeLimits {
            header_read_timeout: HEADER_READ_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            max_header_bytes: MAX_HEADER_BYTES,
            max_headers: MAX_HEADERS,
            body_idle_timeout: BODY_IDLE_TIMEOUT,
            body_total_timeout: BODY_TOTAL_TIMEOUT,
            write_stall_timeout: WRITE_STALL_TIMEOUT,
            max_connections: MAX_CONNECTIONS,
            max_connections_per_address: MAX_CONNECTIONS_PER_ADDRESS,
            drain_deadline: DRAIN_DEADLINE,
        }
    }
}

//! The load tool: drives a log over HTTP and says exactly how fast it answered, and whether it kept its promises.
//!
//! Claims are signed before the clock starts ([`Claims`]), so that the measurement is of the log. They go out one a
//! request or in bulk streams, as fast as connections get free or at fixed moments, beside readers of tiles, bundles and
//! receipts. Answers are verified on the fly. `/add` drives any log that takes plain bytes.
//!
//! | module | what it holds |
//! |---|---|
//! | `target`, `wire` | where to; HTTP/1.1 on one connection, cheap |
//! | `issuers`, `claims`, `random` | who speaks; signed claims as they go out; text that no compressor shortens |
//! | `options`, `shared`, `run` | what to do; what connections share; the threads |
//! | `pace` | closed and open loop |
//! | `caller`, `send`, `stream`, `read` | repeats and breaks; senders; streams; readers |
//! | `tally`, `check`, `add`, `outcome` | counts and percentiles; verification; places of `/add`; the report |

mod add;
mod caller;
mod check;
mod claims;
mod issuers;
mod options;
mod outcome;
mod pace;
mod random;
mod read;
mod run;
mod send;
mod shared;
mod stream;
mod tally;
mod target;
#[cfg(test)]
mod tests;
mod wire;

pub use add::confirm;
pub use check::Verified;
pub use claims::{Claims, Form, MAX_PAYLOAD_BYTES, MIN_PAYLOAD_BYTES, Maker};
pub use issuers::{Issuer, enrol};
pub use options::{Checks, Options, Read, Work};
pub use outcome::{Ended, Outcome, summary};
pub use run::{Glimpse, run};
pub use tally::{Kind, Tally};
pub use target::Target;

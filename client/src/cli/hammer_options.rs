//! The flags of `claimtrail hammer`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use proto::claim::Role;

use crate::hammer::{MAX_PAYLOAD_BYTES, MIN_PAYLOAD_BYTES, Read};

/// Shown after the flags.
pub(super) const EXAMPLES: &str = "\
Examples:
  claimtrail hammer --registrar-key registrar.key --keys hammer-keys --count 60000 --connections 256
      enrols 40 issuers, keeps their keys, and sends 60,000 claims over 256 connections
  claimtrail hammer --keys hammer-keys --rate 5000 --duration 60 --warm-up 5 --connections 256
      5,000 claims a second at fixed moments; a stall counts for every claim that was due in it
  claimtrail hammer --keys hammer-keys --stream 1 --count 100000 --verify all
      one bulk stream, every receipt verified
  claimtrail hammer --readers 64 --read tile --duration 10
      only readers, of full tiles
  claimtrail hammer --add --url http://127.0.0.1:2024 --count 20000 --vkey log.example+1234abcd+A…
      any log with POST /add: bytes in, index out; then holds every index against the log's tiles

Exit codes: 0 done, 1 something was not proven, 65 claims were refused, 69 the server was lost or answered with errors,
75 at the end claims were still told to wait.";

/// Headings of the help.
const WHAT: &str = "What is sent";
const WHEN: &str = "When, and how long";
const WHO: &str = "In whose name";
const READ: &str = "What is read";
const CHECK: &str = "What is verified";
const HOW: &str = "How it behaves";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Hammer {
    /// Connections that send, one claim a request [default: 64; none when only readers are asked for]
    #[arg(short, long, value_name = "N", help_heading = WHAT)]
    pub(super) connections: Option<usize>,
    /// Send over this many bulk streams instead
    #[arg(long, value_name = "N", conflicts_with_all = ["connections", "add"], help_heading = WHAT)]
    pub(super) stream: Option<usize>,
    /// Send random bytes to POST /add of --url, as public conformance servers take them; needs no trust file
    #[arg(long, help_heading = WHAT)]
    pub(super) add: bool,
    /// With --add: the log's vkey; afterwards every index is held against its tiles
    #[arg(long, requires = "add", help_heading = WHAT)]
    pub(super) vkey: Option<String>,
    /// With --vkey: how long the log may take to publish everything it answered
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds, help_heading = WHAT)]
    pub(super) deadline: Duration,
    /// Requests a second at fixed moments, latency counted from them (open loop) [default: as fast as connections get
    /// free (closed loop)]
    #[arg(short, long, value_name = "PER_SECOND", help_heading = WHEN)]
    pub(super) rate: Option<f64>,
    /// How many requests [default: 20000, if there is no --duration]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = WHEN)]
    pub(super) count: Option<u64>,
    /// How long requests begin; a closed loop signs for 20,000 a second, at most a million, unless --count says more
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds, help_heading = WHEN)]
    pub(super) duration: Option<Duration>,
    /// How long at the beginning answers are not counted; a part of --duration
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds, help_heading = WHEN)]
    pub(super) warm_up: Duration,
    /// Sign and run this often, for loads whose claims do not fit into memory at once; each round is reported
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..), help_heading = WHEN)]
    pub(super) rounds: u64,
    /// Bytes of a claim's payload, most of them random text that no compressor shortens; with --add, of a body
    #[arg(short, long, value_name = "BYTES", default_value_t = 1024, help_heading = WHAT)]
    pub(super) size: usize,
    /// Issuers that are made and enrolled, with --registrar-key
    #[arg(long, value_name = "N", default_value_t = 40, help_heading = WHO)]
    pub(super) issuers: usize,
    /// Products of each issuer
    #[arg(long, value_name = "N", default_value_t = 500, help_heading = WHO)]
    pub(super) products: u64,
    /// Role in which the issuers of --keys speak
    #[arg(long, default_value = "manufacturer", value_parser = role, help_heading = WHO)]
    pub(super) role: Role,
    /// The log's registrar key: enrols new issuers for the load, marked as replay
    #[arg(long, value_name = "FILE", help_heading = WHO)]
    pub(super) registrar_key: Option<PathBuf>,
    /// Keys of enrolled issuers, <issuer>.sign.key; with --registrar-key the new ones are kept there
    #[arg(long, value_name = "DIR", help_heading = WHO)]
    pub(super) keys: Option<PathBuf>,
    /// Connections that read
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = READ)]
    pub(super) readers: usize,
    /// What they read, in turn
    #[arg(long, value_enum, value_delimiter = ',', default_value = "tile,bundle,newest", help_heading = READ)]
    pub(super) read: Vec<ReadWhat>,
    /// Connections that ask for receipts of random claims
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = READ)]
    pub(super) proofs: usize,
    /// Which answers are verified, on a thread that takes its time from the same processor
    #[arg(long, value_enum, default_value = "sample", help_heading = CHECK)]
    pub(super) verify: Verify,
    /// With --verify sample: one in this many
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..), help_heading = CHECK)]
    pub(super) sample: u32,
    /// Do not wait and repeat when told 429 or 503; go on with the next claim at once, as an attacker would
    #[arg(long, help_heading = HOW)]
    pub(super) ignore_retry_after: bool,
    /// How long one answer may take
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds, help_heading = HOW)]
    pub(super) timeout: Duration,
    /// How long the server may be out of reach before the run is given up
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds, help_heading = HOW)]
    pub(super) patience: Duration,
    /// Threads that send and read; one is enough for some 50,000 requests a second
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = HOW)]
    pub(super) threads: usize,
}

/// What readers read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ReadWhat {
    /// Full tiles of level 0 anywhere in the log
    Tile,
    /// Full entry bundles anywhere in the log
    Bundle,
    /// The newest head, then the tile and the bundle of its last entry
    Newest,
}

impl From<ReadWhat> for Read {
    fn from(what: ReadWhat) -> Read {
        match what {
            ReadWhat::Tile => Read::Tile,
            ReadWhat::Bundle => Read::Bundle,
            ReadWhat::Newest => Read::Newest,
        }
    }
}

/// Which answers are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Verify {
    /// Every one
    All,
    /// One in --sample
    Sample,
    /// None
    None,
}

/// A time in seconds, perhaps with a fraction; at most a year.
fn seconds(text: &str) -> Result<Duration, String> {
    const MOST: f64 = 366.0 * 86_400.0;
    let number: f64 = text.parse().map_err(|_| "expected seconds, such as 30 or 0.5".to_owned())?;
    match (0.0..=MOST).contains(&number) {
        true => Ok(Duration::from_secs_f64(number)),
        false => Err("expected from 0 seconds to a year".to_owned()),
    }
}

fn role(text: &str) -> Result<Role, String> {
    Role::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| "no such role".to_owned())
}

impl Hammer {
    /// The size, if claims or bodies of it can be made.
    pub(super) fn size(&self) -> Result<usize, crate::Error> {
        /// What `/add` of public servers takes.
        const MAX_ADD_BYTES: usize = 65_535;
        let (least, most) = if self.add { (16, MAX_ADD_BYTES) } else { (MIN_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES) };
        match (least..=most).contains(&self.size) {
            true => Ok(self.size),
            false => Err(crate::Error::usage(format!("--size is from {least} to {most} bytes here"))),
        }
    }
}

//! First figures: a log on RocksDB with all its checks, loaded over loopback by the same process.
//!
//! `make bench` runs it. Loads: one claim at a time on an idle log, one claim a request over many connections, a bulk
//! stream, and readers of full tiles, all made by the library of `claimtrail hammer`. Nothing is verified there; the command
//! does that. At last the log is audited. `ARGS="NAME [FACTOR]"` is one load alone (tool, idle, busy, stream, tiles, audit),
//! with so many times its claims. `monitor`, which only runs alone, is what a monitor of the log costs.

use std::cell::Cell;
use std::error::Error;
use std::io::Write as _;
use std::num::NonZeroU32;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use claimtrail_log::clock::SystemTime;
use claimtrail_log::export::write_tiles;
use claimtrail_log::http::{AddressLimit, HttpOptions, public_router};
use claimtrail_log::log::{IssuerLimit, Log, LogConfig};
use claimtrail_log::sequencer::QueueLimits;
use claimtrail_log::signer::FileSigner;
use claimtrail_log::store::rocks::{RocksOptions, RocksStore};
use claimtrail_log::store::{HeadKey, SignedHead};
use claimtrail_log::testing;
use client::api::Api;
use client::hammer::{Claims, Form, Issuer, Kind, Maker, Options, Read, Target, Work, enrol, run};
use client::http::Http;
use client::tiles::HttpTiles;
use client::trust::{Trust, log_file};
use harness::audit_load::{Measured, Subject, strict_checks};
use harness::monitor_load::Watched;
use proto::claim::Role;
use service::listen::{ServeOptions, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Issuers that take turns.
const ISSUERS: usize = 40;
/// Products of each.
const PRODUCTS: u64 = 500;
/// Claims in turn on an idle log.
const IDLE_CLAIMS: u64 = 2_000;
/// Claims over many connections.
const BUSY_CLAIMS: u64 = 60_000;
/// Connections.
const CONNECTIONS: usize = 256;
/// Claims in one stream.
const STREAM_CLAIMS: u64 = 100_000;
/// Tiles that are there at least for readers, and connections that read them, for how long.
const TILES: u64 = 40;
const READERS: usize = 64;
const READING: Duration = Duration::from_secs(5);
/// Claims that fill these tiles have numbers from here on, beyond those of the loads before.
const FILLER: u64 = 1 << 40;
/// Entries that are audited at least; claims that fill the log up to there have numbers from here on.
const AUDITED: u64 = 100_000;
const AUDIT_FILLER: u64 = 1 << 41;
/// Claims that are signed before they are sent, where a log is only filled.
const FILLED_AT_ONCE: usize = 100_000;
/// The load that is a monitor, and the name under which this program is the monitor's.
const MONITOR: &str = "monitor";
const MONITOR_PROGRAM: &str = "claimtrail-monitor";
/// Requests to a server that only answers.
const TOOL_REQUESTS: u64 = 200_000;
/// Bytes of a payload.
const PAYLOAD_BYTES: usize = 1024;
/// No limit of the bench's own machine should be measured.
const UNLIMITED: NonZeroU32 = NonZeroU32::new(1_000_000).expect("not zero");

/// A load: its names, how many claims, over how many connections, and whether in a stream.
struct Load {
    short: &'static str,
    name: &'static str,
    claims: u64,
    connections: usize,
    stream: bool,
}

const LOADS: [Load; 3] = [
    Load { short: "idle", name: "one at a time", claims: IDLE_CLAIMS, connections: 1, stream: false },
    Load { short: "busy", name: "many connections", claims: BUSY_CLAIMS, connections: CONNECTIONS, stream: false },
    Load { short: "stream", name: "one stream", claims: STREAM_CLAIMS, connections: 1, stream: true },
];

fn say(line: &str) {
    // Whoever closed the pipe has seen enough.
    let _shown = writeln!(std::io::stdout(), "{line}");
}

/// What was asked for: one load by its short name, or all, and how many times its claims.
#[derive(Clone)]
struct Asked {
    load: Option<String>,
    factor: u64,
}

impl Asked {
    fn read() -> Result<Asked> {
        let mut arguments = std::env::args().skip(1);
        let (load, factor) = (arguments.next(), arguments.next().map_or(Ok(1), |text| text.parse::<u64>())?);
        let names = ["tool", "idle", "busy", "stream", "tiles", "audit", MONITOR];
        match load.as_deref() {
            Some(load) if !names.contains(&load) => Err(format!("there is no load {load}; there are {names:?}").into()),
            _ => Ok(Asked { load, factor: factor.max(1) }),
        }
    }

    fn has(&self, short: &str) -> bool {
        self.load.as_deref().is_none_or(|load| load == short && load != MONITOR)
    }

    fn is_monitor(&self) -> bool {
        self.load.as_deref() == Some(MONITOR)
    }
}

/// Reads full tiles of what the loads before left; a log without a full tile is filled first.
fn read_tiles(maker: &Maker, target: &Target) -> Result<()> {
    let filler = Arc::new(Claims::sign(maker, FILLER..FILLER + TILES * 256, &Form::Lines, &|_| {}));
    run(Options { work: Work::Streams(filler), connections: 1, ..Options::new(target.clone()) }, None)?;
    let options = Options {
        work: Work::Nothing,
        readers: READERS,
        reads: vec![Read::Tile],
        duration: Some(READING),
        ..Options::new(target.clone())
    };
    let outcome = run(options, None)?;
    say(&format!("full tiles, {READERS} connections"));
    outcome.lines().iter().for_each(|line| say(&format!("  {line}")));
    Ok(())
}

/// Signs and sends everything. Waits for the network, so it needs a thread of its own.
fn load(maker: &Maker, target: &Target, asked: &Asked) -> Result<()> {
    let mut first = 0;
    for Load { name, claims, connections, stream, .. } in LOADS.into_iter().filter(|load| asked.has(load.short)) {
        let claims = claims * asked.factor;
        let form = if stream { Form::Lines } else { Form::Requests(target.clone()) };
        let signed = Arc::new(Claims::sign(maker, first..first + claims, &form, &|_| {}));
        first += claims;
        let work = if stream { Work::Streams(signed) } else { Work::Claims(signed) };
        let outcome = run(Options { work, connections, ..Options::new(target.clone()) }, None)?;
        say(&format!("{name}, {connections} connections, {claims} claims"));
        outcome.lines().iter().for_each(|line| say(&format!("  {line}")));
        if outcome.of(Kind::Claim).map_or(0, |tally| tally.with_status(201..=201)) != claims {
            return Err(format!("{name}: not every claim became an entry").into());
        }
    }
    Ok(())
}

/// Adds the claims of these numbers.
fn fill(maker: &Maker, target: &Target, numbers: Range<u64>) -> Result<()> {
    for first in numbers.clone().step_by(FILLED_AT_ONCE) {
        let some = first..(first + FILLED_AT_ONCE as u64).min(numbers.end);
        let claims = Arc::new(Claims::sign(maker, some, &Form::Lines, &|_| {}));
        run(Options { work: Work::Streams(claims), connections: 1, ..Options::new(target.clone()) }, None)?;
    }
    Ok(())
}

/// What a monitor costs that follows a log of so many entries.
fn watch(maker: &Maker, target: &Target, log: &Log, folder: &std::path::Path, asked: &Asked) -> Result<()> {
    let missing = (AUDITED * asked.factor).saturating_sub(log.published().head.size.0);
    fill(maker, target, AUDIT_FILLER..AUDIT_FILLER + missing)?;
    let next = Cell::new(AUDIT_FILLER + missing);
    let grow = |more| {
        let first = next.replace(next.get() + more);
        fill(maker, target, first..first + more)
    };
    // A monitor is a process of its own; under that name this program is one.
    let program = folder.join(MONITOR_PROGRAM);
    std::os::unix::fs::symlink(std::env::current_exe()?, &program)?;
    let (log_vkey, time_vkey) = log.vkeys();
    let trust = log_file(&log_vkey, &time_vkey, &target.base())?;
    let base = target.base();
    let address = base.trim_start_matches("http://").trim_end_matches('/');
    Watched { log, address, trust: &trust, program: &program, grow: &grow }.measure(&say)
}

/// Audits what the loads before left, filled up where that is too little: over HTTP, and a copy in a folder.
fn audit(maker: &Maker, target: &Target, log: &Log, folder: &std::path::Path, asked: &Asked) -> Result<()> {
    let missing = (AUDITED * asked.factor).saturating_sub(log.published().head.size.0);
    fill(maker, target, AUDIT_FILLER..AUDIT_FILLER + missing)?;
    let published = log.published();
    let key = HeadKey { time: published.head.time, size: published.head.size };
    let copy = folder.join("copy");
    write_tiles(&**log.store(), &SignedHead { key, note: published.note.clone() }, &copy, &testing::Silent)?;
    let (log_vkey, time_vkey) = log.vkeys();
    let trust = Trust::parse(log_file(&log_vkey, &time_vkey, &target.base())?.as_bytes())?;
    let (http, runtime) = (Http::new(&target.base())?, tokio::runtime::Handle::current());
    let (tiles, copied) = (HttpTiles::new(http.clone(), runtime.clone()), HttpTiles::in_folder(&copy, runtime));
    let (api, origin) = (Api::new(http), testing::ORIGIN);
    let subject = Subject { api: &api, tiles: &tiles, copy: &copy, copied: &copied, trust: &trust, origin };
    let bound = strict_checks();
    say(&format!("audits of {} entries; strict checks alone: {bound:.0}/s", published.head.size));
    for Measured { name, rate } in subject.audit()? {
        say(&format!("  {name}: {rate:.0} entries/s, {:.2} of the checks", rate / bound));
    }
    Ok(())
}

/// What the load tool costs itself: requests of a claim's size to a server that does nothing but answer.
async fn tool_alone() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let target = Target::parse(&format!("http://{}", listener.local_addr()?))?;
    let serving = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(answer_everything(socket));
        }
    });
    let work = Work::Add(PAYLOAD_BYTES);
    let options = Options { work, count: Some(TOOL_REQUESTS), connections: CONNECTIONS, ..Options::new(target) };
    let outcome = tokio::task::spawn_blocking(move || run(options, None)).await??;
    say(&format!("the tool alone, {CONNECTIONS} connections, against a server that only answers"));
    outcome.lines().iter().for_each(|line| say(&format!("  {line}")));
    serving.abort();
    Ok(())
}

/// Answers each request with one index. All requests are of one length, and none comes before the last one's answer.
async fn answer_everything(mut socket: TcpStream) {
    let mut raw = Vec::with_capacity(4 * PAYLOAD_BYTES);
    loop {
        if !matches!(socket.read_buf(&mut raw).await, Ok(1..)) {
            return;
        }
        let head = raw.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4);
        if head.is_some_and(|head| raw.len() >= head + PAYLOAD_BYTES) {
            raw.clear();
            if socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n7").await.is_err() {
                return;
            }
        }
    }
}

fn open(folder: &std::path::Path) -> Result<Arc<Log>> {
    let store = Arc::new(RocksStore::create(&folder.join("store"), testing::ORIGIN, RocksOptions::default())?);
    let record = folder.join("record");
    let founding = FileSigner::create(testing::log_keys(), &record)?;
    Log::found(store.clone(), Box::new(founding), Box::new(SystemTime::new()), testing::constitution())?;
    let issuer = IssuerLimit { per_second: UNLIMITED, burst: UNLIMITED };
    Ok(Log::open(LogConfig {
        keys: testing::log_keys(),
        signer: Box::new(FileSigner::open(testing::log_keys(), &record)?),
        store,
        time: Box::new(SystemTime::new()),
        queue: QueueLimits::default(),
        issuer,
        read_only: None,
    })?)
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let is_monitor = arguments.next().is_some_and(|name| std::path::Path::new(&name).ends_with(MONITOR_PROGRAM));
    if is_monitor {
        return monitor::run(std::env::args_os());
    }
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn bench() -> Result<()> {
    let asked = Asked::read()?;
    if asked.has("tool") {
        tool_alone().await?;
    }
    let folder = tempfile::tempdir()?;
    let log = open(folder.path())?;
    let limit = AddressLimit { per_second: UNLIMITED, burst: UNLIMITED, ..AddressLimit::default() };
    let router = public_router(log.clone(), HttpOptions { address_limit: limit, ..HttpOptions::default() });
    let server = Server::bind(([127, 0, 0, 1], 0).into()).await?;
    let (address, stop) = (server.address().to_string(), CancellationToken::new());
    let serving = tokio::spawn(server.run(router, ServeOptions::default(), stop.clone()));
    let target = Target::parse(&format!("http://{address}"))?;
    let issuers = Issuer::make(ISSUERS)?;
    let registrar = testing::key(testing::number::REGISTRAR);
    enrol(&Api::new(Http::new(&target.base())?), testing::ORIGIN, &registrar, &issuers, &|| {}).await?;
    let maker = Maker::new(testing::ORIGIN, issuers, Role::Manufacturer, PRODUCTS, PAYLOAD_BYTES)?;
    let (loaded, files) = (log.clone(), folder.path().to_owned());
    let loads = move || {
        load(&maker, &target, &asked)?;
        if asked.has("tiles") {
            read_tiles(&maker, &target)?;
        }
        if asked.is_monitor() {
            return watch(&maker, &target, &loaded, &files, &asked);
        }
        if asked.has("audit") { audit(&maker, &target, &loaded, &files, &asked) } else { Ok(()) }
    };
    tokio::task::spawn_blocking(loads).await??;
    let stats = log.store().stats()?;
    let size = log.published().head.size.0;
    say(&format!("{size} entries, {stats:?}"));
    stop.cancel();
    serving.await?;
    let closing = log.clone();
    tokio::task::spawn_blocking(move || closing.stop()).await?;
    log.store().close()?;
    Ok(())
}

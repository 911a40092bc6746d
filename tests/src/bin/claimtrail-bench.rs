//! First figures: a log on RocksDB with all its checks, loaded over loopback by the same machine.
//!
//! `make bench` runs it. Three loads: one claim at a time on an idle log, one claim a request over many connections, and a
//! bulk stream. Claims are signed beforehand, with incompressible text, by many issuers.

use std::error::Error;
use std::io::Write as _;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use claimtrail_log::clock::SystemTime;
use claimtrail_log::http::{AddressLimit, HttpOptions, public_router};
use claimtrail_log::log::{IssuerLimit, Log, LogConfig};
use claimtrail_log::sequencer::QueueLimits;
use claimtrail_log::signer::FileSigner;
use claimtrail_log::store::rocks::{RocksOptions, RocksStore};
use claimtrail_log::testing;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use proto::hash::Hash;
use serde_json::json;
use service::listen::{ServeOptions, Server};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Issuers that take turns.
const ISSUERS: usize = 40;
/// Claims in turn on an idle log.
const IDLE_CLAIMS: usize = 2_000;
/// Claims over many connections.
const BUSY_CLAIMS: usize = 60_000;
/// Connections.
const CONNECTIONS: usize = 256;
/// Claims in one stream.
const STREAM_CLAIMS: usize = 100_000;
/// Bytes of a payload, about.
const PAYLOAD_BYTES: usize = 1024;
/// No limit of the bench's own machine should be measured.
const UNLIMITED: NonZeroU32 = NonZeroU32::new(1_000_000).expect("not zero");

fn issuer(i: usize) -> String {
    format!("issuer-{i}.example")
}

/// A test key of an issuer, from its number and use.
fn key(i: usize, sign: bool) -> proto::ed25519::SecretKey {
    proto::ed25519::SecretKey::from_seed(&Hash::of(format!("bench {i} {sign}").as_bytes()).0)
}

fn enrolment(i: usize) -> proto::dsse::Envelope {
    let (admin, sign) = (key(i, false), key(i, true));
    let spki = |key: &proto::ed25519::SecretKey| proto::b64::encode(key.public().to_spki());
    let claim = testing::claim(
        "issuer/v1",
        &issuer(i),
        "manufacturer",
        json!({
            "legal_name": issuer(i), "roles": ["manufacturer"],
            "keys": [{"alg": "ed25519", "spki": spki(&admin), "use": "admin"}, {"alg": "ed25519", "spki": spki(&sign), "use": "sign"}],
            "identity": {"method": "paper", "checked_at": "2027-02-01"},
        }),
    );
    let registrar = testing::key(testing::number::REGISTRAR);
    proto::dsse::Envelope::sign(proto::claim::PAYLOAD_TYPE, claim.to_string().as_bytes(), &[&admin, &sign, &registrar])
}

/// A release with hashes and text that no compressor can shorten.
fn envelope(number: usize) -> Bytes {
    let i = number % ISSUERS;
    let digest = |n: usize| Hash::of(format!("{number} {n}").as_bytes()).to_string();
    let mut claim = testing::claim("release/v1", &issuer(i), "manufacturer", json!({}));
    claim["subject"] = json!({"manufacturer": issuer(i), "model": format!("CAM-{}", number / ISSUERS % 500)});
    let mut artifacts = Vec::new();
    loop {
        artifacts.push(
            json!({"role": "firmware", "sha256": digest(artifacts.len()), "filename": digest(artifacts.len() + 1000)}),
        );
        claim["body"] = json!({"version": format!("2.{number}"), "artifacts": artifacts});
        let payload = claim.to_string();
        if payload.len() + 160 > PAYLOAD_BYTES {
            let signed = proto::dsse::Envelope::sign(proto::claim::PAYLOAD_TYPE, payload.as_bytes(), &[&key(i, true)]);
            return Bytes::from(signed.to_json());
        }
    }
}

async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn submit(sender: &mut SendRequest<Full<Bytes>>, envelope: Bytes) -> Result<()> {
    let request = Request::post("/v1/claims").header("host", "log").body(Full::new(envelope))?;
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if status != StatusCode::CREATED {
        return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
    }
    Ok(())
}

fn report(name: &str, claims: usize, took: Duration, mut each: Vec<Duration>) {
    each.sort_unstable();
    let at = |percent: usize| each.get((each.len() * percent / 100).min(each.len().saturating_sub(1)));
    let ms = |d: Option<&Duration>| d.map_or(0.0, |d| d.as_secs_f64() * 1000.0);
    let rate = claims as f64 / took.as_secs_f64();
    let line =
        format!("{name:<28} {claims:>8} claims {rate:>9.0}/s  p50 {:>7.2} ms  p99 {:>7.2} ms", ms(at(50)), ms(at(99)));
    // Whoever closed the pipe has seen enough.
    let _shown = writeln!(std::io::stdout(), "{line}");
}

async fn idle(address: &str) -> Result<()> {
    let mut sender = connect(address).await?;
    let envelopes: Vec<Bytes> = (0..IDLE_CLAIMS).map(envelope).collect();
    let (begun, mut each) = (Instant::now(), Vec::new());
    for envelope in envelopes {
        let one = Instant::now();
        submit(&mut sender, envelope).await?;
        each.push(one.elapsed());
    }
    report("one at a time", IDLE_CLAIMS, begun.elapsed(), each);
    Ok(())
}

async fn busy(address: &str) -> Result<()> {
    let envelopes: Arc<Vec<Bytes>> = Arc::new((0..BUSY_CLAIMS).map(|n| envelope(IDLE_CLAIMS + n)).collect());
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let (envelopes, next, mut sender) = (envelopes.clone(), next.clone(), connect(address).await?);
        tasks.push(tokio::spawn(async move {
            let mut each = Vec::new();
            while let Some(envelope) = envelopes.get(next.fetch_add(1, Ordering::Relaxed)) {
                let one = Instant::now();
                submit(&mut sender, envelope.clone()).await?;
                each.push(one.elapsed());
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(each)
        }));
    }
    let mut each = Vec::new();
    for task in tasks {
        each.extend(task.await??);
    }
    report(&format!("{CONNECTIONS} connections"), BUSY_CLAIMS, begun.elapsed(), each);
    Ok(())
}

async fn stream(address: &str) -> Result<()> {
    let mut body = Vec::new();
    for number in 0..STREAM_CLAIMS {
        body.extend_from_slice(&envelope(IDLE_CLAIMS + BUSY_CLAIMS + number));
        body.push(b'\n');
    }
    let mut sender = connect(address).await?;
    let request = Request::post("/v1/claims/stream")
        .header("host", "log")
        .header("content-type", "application/x-ndjson")
        .body(Full::new(Bytes::from(body)))?;
    let begun = Instant::now();
    let answer = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
    let took = begun.elapsed();
    let created =
        answer.split(|byte| *byte == b'\n').filter(|line| line.windows(12).any(|w| w == b"\"status\":201")).count();
    if created != STREAM_CLAIMS {
        let bad = answer.split(|b| *b == b'\n').find(|line| line.windows(9).any(|w| w == b"\"problem\""));
        return Err(
            format!("{created} of {STREAM_CLAIMS} made: {}", String::from_utf8_lossy(bad.unwrap_or(b""))).into()
        );
    }
    report("one stream", created, took, Vec::new());
    Ok(())
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

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = open(folder.path())?;
    for i in 0..ISSUERS {
        log.submit(Bytes::from(enrolment(i).to_json()), false).await.map_err(|declined| declined.refused)?;
    }
    let limit = AddressLimit { per_second: UNLIMITED, burst: UNLIMITED, ..AddressLimit::default() };
    let router = public_router(log.clone(), HttpOptions { address_limit: limit, ..HttpOptions::default() });
    let server = Server::bind(([127, 0, 0, 1], 0).into()).await?;
    let (address, stop) = (server.address().to_string(), CancellationToken::new());
    let serving = tokio::spawn(server.run(router, ServeOptions::default(), stop.clone()));
    idle(&address).await?;
    busy(&address).await?;
    stream(&address).await?;
    let stats = log.store().stats()?;
    let size = log.published().head.size.0;
    let _shown = writeln!(std::io::stdout(), "{size} entries, {stats:?}");
    stop.cancel();
    serving.await?;
    let closing = log.clone();
    tokio::task::spawn_blocking(move || closing.stop()).await?;
    log.store().close()?;
    Ok(())
}

//! What a log shows by one way out is held against what it shows by another.

use std::io::{Read, Write as _, copy};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use harness::process::until;
use harness::watcher::MonitorUnderTest;

use super::served::{Served, add, log_of, router, trust};
use super::{evidence, open, programs, until_evidence};

/// A SOCKS5 proxy (RFC 1928, CONNECT without authentication) behind which every address is this one: the log sees who comes
/// from there as somebody else. Counts its connections; ends with the test.
fn proxy(target: &str) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("socks5://{}", listener.local_addr().unwrap());
    let target = target.trim_start_matches("http://").to_owned();
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            counted.fetch_add(1, Ordering::Relaxed);
            let target = target.clone();
            std::thread::spawn(move || serve(connection, &target));
        }
    });
    (url, count)
}

fn bytes<const N: usize>(from: &mut impl Read) -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes).map(|()| bytes)
}

fn serve(mut client: TcpStream, target: &str) -> std::io::Result<()> {
    let [version, methods] = bytes(&mut client)?;
    assert_eq!(version, 5);
    client.read_exact(&mut vec![0; usize::from(methods)])?;
    client.write_all(&[5, 0])?;
    let [version, command, _, kind] = bytes(&mut client)?;
    assert_eq!((version, command), (5, 1));
    let length = match kind {
        1 => 4,
        4 => 16,
        _ => usize::from(bytes::<1>(&mut client)?[0]),
    };
    client.read_exact(&mut vec![0; length + 2])?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
    let mut server = TcpStream::connect(target)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || copy(&mut from_client, &mut to_server));
    copy(&mut server, &mut client).map(drop)
}

fn monitor_by(log: &Served, ways: &[&str]) -> MonitorUnderTest {
    let monitor = MonitorUnderTest::init(programs(), &trust(), &log.url, false);
    let ways: Vec<String> = ways.iter().map(|way| format!("{way:?}")).collect();
    monitor.configure(&format!("[gossip]\nevery_seconds = 1\negress = [{}]\n", ways.join(", ")));
    monitor
}

#[test]
fn another_history_behind_a_proxy_is_evidence() {
    let (one, other) = (log_of(&["CAM-1"]), log_of(&["CAM-1"]));
    let (here, there) = (Served::new(router(&one)), Served::new(router(&other)));
    let (way, _) = proxy(&there.url);
    let mut monitor = monitor_by(&here, &["direct", &way]);
    monitor.serve();
    monitor.until_checked(3);
    assert_eq!(evidence(&monitor), Vec::<String>::new());
    add(&one, &["CAM-2"]);
    // Larger than what is followed: the proof comes out of the tiles that are shown behind the proxy.
    add(&other, &["CAM-X", "CAM-Y"]);
    until_evidence(&monitor);
    monitor.stop();
}

#[test]
fn a_log_is_followed_through_a_proxy_and_stays_clean() {
    let one = log_of(&["CAM-1"]);
    let log = Served::new(router(&one));
    let (way, connections) = proxy(&log.url);
    let mut monitor = monitor_by(&log, &[&way, "direct"]);
    monitor.serve();
    monitor.until_checked(3);
    add(&one, &["CAM-2"]);
    monitor.until_checked(4);
    assert!(connections.load(Ordering::Relaxed) > 0, "nothing came through the proxy");
    until("a few looks", || (connections.load(Ordering::Relaxed) > 0 && monitor.status()["size"] == 4).then_some(()));
    assert_eq!((open(&monitor.status()), evidence(&monitor)), (vec![], vec![]));
    monitor.stop();
}

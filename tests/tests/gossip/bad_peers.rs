//! Peers that send garbage, gigabytes or nothing cost bounded memory and time.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use harness::process::until;
use harness::watcher::MonitorUnderTest;

use super::served::{Served, add, log_of, router, trust};
use super::{open, programs};

/// How a peer answers every request.
#[derive(Debug, Clone, Copy)]
enum Answers {
    /// Without an end.
    Endless,
    /// A byte a second.
    Slow,
    /// Not at all.
    Silent,
    /// With a page of something else.
    Wrong,
    /// With a length that is not true.
    Huge,
}

/// A peer that listens until the test ends; the address, and how many bytes it sent.
fn peer(answers: Answers) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sent = Arc::new(AtomicU64::new(0));
    let counted = sent.clone();
    std::thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let counted = counted.clone();
            std::thread::spawn(move || answer(connection, answers, &counted));
        }
    });
    (url, sent)
}

/// Ends when the other side does.
fn answer(mut connection: TcpStream, answers: Answers, sent: &AtomicU64) {
    let mut request = [0; 4096];
    let _read = connection.read(&mut request);
    let mut send = |bytes: &[u8]| {
        sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        connection.write_all(bytes).is_ok()
    };
    match answers {
        Answers::Endless => {
            let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
            let mut goes = send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            while goes {
                goes = send(&chunk);
            }
        }
        Answers::Slow => {
            let mut goes = send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
            while goes {
                std::thread::sleep(Duration::from_millis(500));
                goes = send(b"x");
            }
        }
        Answers::Silent => while connection.read(&mut request).is_ok_and(|count| count > 0) {},
        Answers::Wrong => {
            let page = "<html>Please log in</html>";
            send(
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}", page.len())
                    .as_bytes(),
            );
        }
        Answers::Huge => {
            send(b"HTTP/1.1 200 OK\r\ncontent-length: 9000000000000\r\n\r\nold 0\n\n");
            while connection.read(&mut request).is_ok_and(|count| count > 0) {}
        }
    }
}

#[test]
fn following_goes_on_and_memory_is_bounded() {
    let one = log_of(&["CAM-1"]);
    let log = Served::new(router(&one));
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), &log.url, false);
    monitor.configure("[gossip]\nevery_seconds = 1\nanswer_seconds = 2\n");
    let mut sent = Vec::new();
    for answers in [Answers::Endless, Answers::Slow, Answers::Silent, Answers::Wrong, Answers::Huge] {
        let (url, counted) = peer(answers);
        monitor.configure(&format!("[[peer]]\nname = \"{answers:?}\"\nurl = \"{url}\"\n"));
        sent.push((answers, counted));
    }
    monitor.serve();
    monitor.until_checked(3);
    let before = monitor.resident_bytes();
    for round in 0..8u64 {
        add(&one, &[&format!("CAM-2{round}")]);
        monitor.until_checked(4 + round);
    }
    let status = until("failures that are shown", || {
        let status = monitor.status();
        let peers = status["gossip"]["peers"].as_array().unwrap().clone();
        let failed = |name: &str| peers.iter().any(|peer| peer["name"] == name && peer["failures"].as_u64() > Some(1));
        ["Endless", "Slow", "Silent", "Huge"].into_iter().all(failed).then_some(status)
    });
    assert_eq!(open(&status), Vec::<String>::new(), "a bad peer says nothing of the log");
    let grown = monitor.resident_bytes().saturating_sub(before);
    for (answers, sent) in sent {
        println!("{answers:?} sent {} bytes", sent.load(Ordering::Relaxed));
    }
    println!("memory grew by {grown} bytes");
    assert!(grown < 128 << 20, "{grown} bytes more");
    monitor.stop();
}

//! A relay on loopback that counts what the other side answers.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What is passed on at once.
const CHUNK: usize = 64 * 1024;

/// Takes connections and joins each with one of its own. Ends when dropped; connections end with their sides.
pub(super) struct Relay {
    address: SocketAddr,
    answered: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Relay {
    pub(super) fn to(server: &str) -> std::io::Result<Relay> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, answered, ended) = (listener.local_addr()?, Arc::<AtomicU64>::default(), Arc::default());
        let relay = Relay { address, answered: Arc::clone(&answered), ended: Arc::clone(&ended) };
        let server = server.to_owned();
        std::thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(far) = TcpStream::connect(&server) else { continue };
                join(near, far, &answered);
            }
        });
        Ok(relay)
    }

    /// Where it listens.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Bytes that the server has answered so far, heads of HTTP included.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _woken = TcpStream::connect(self.address);
    }
}

fn join(near: TcpStream, far: TcpStream, answered: &Arc<AtomicU64>) {
    let _prompt = (near.set_nodelay(true), far.set_nodelay(true));
    let (Ok(asks), Ok(asked)) = (near.try_clone(), far.try_clone()) else { return };
    let answered = Arc::clone(answered);
    std::thread::spawn(move || pass(asks, asked, &AtomicU64::new(0)));
    std::thread::spawn(move || pass(far, near, &answered));
}

fn pass(mut from: TcpStream, mut to: TcpStream, passed: &AtomicU64) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(length @ 1..) = from.read(&mut chunk) {
        passed.fetch_add(length as u64, Ordering::Relaxed);
        if to.write_all(&chunk[..length]).is_err() {
            break;
        }
    }
    let _ended = to.shutdown(Shutdown::Write);
}

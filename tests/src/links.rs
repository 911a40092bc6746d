//! Links between servers of a story that can be cut one by one: a tiny TCP relay for each direction of each pair.
//!
//! Who talks to another server over its link does so at the relay's address. What is cut refuses connections or takes them and
//! swallows all that comes; connections that are open already break or fall silent as well.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What a link does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goes {
    /// It carries them.
    Through,
    /// It ends them at once.
    Refused,
    /// It takes them, and what is sent goes nowhere.
    Nowhere,
}

/// One direction between two servers. The relay ends with the test's process.
#[derive(Debug)]
pub struct Link {
    url: String,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    goes: Goes,
    /// Both ends of what is carried.
    open: Vec<TcpStream>,
}

impl Link {
    /// A link to a server on this port of this machine; nobody needs to listen there yet.
    pub fn to(port: u16) -> Link {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let target = SocketAddr::from(([127, 0, 0, 1], port));
        let state = Mutex::new(State { goes: Goes::Through, open: Vec::new() });
        let shared = Arc::new(Shared { target, state });
        let relay = shared.clone();
        thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(|from| relay.clone().take(from)));
        Link { url, shared }
    }

    /// The address to talk to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it does from now on, also with what is open.
    pub fn set(&self, goes: Goes) {
        let mut state = self.shared.state();
        state.goes = goes;
        if goes == Goes::Refused {
            state.open.drain(..).for_each(|end| _ = end.shutdown(Shutdown::Both));
        }
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: Arc<Self>, from: TcpStream) {
        let goes = self.state().goes;
        match goes {
            Goes::Refused => _ = from.shutdown(Shutdown::Both),
            Goes::Nowhere => _ = thread::spawn(move || swallow(from)),
            Goes::Through => _ = thread::spawn(move || self.carry(from)),
        }
    }

    /// Carries a connection both ways until either end closes it. A server that is away is one that refuses.
    fn carry(self: Arc<Self>, from: TcpStream) -> Option<()> {
        let to = TcpStream::connect(self.target).ok()?;
        let (back_from, back_to) = (to.try_clone().ok()?, from.try_clone().ok()?);
        self.state().open.extend([from.try_clone().ok()?, to.try_clone().ok()?]);
        let back = self.clone();
        thread::spawn(move || back.pump(back_from, back_to));
        self.pump(from, to);
        Some(())
    }

    fn pump(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count) = from.read(&mut bytes) {
            let goes = self.state().goes;
            if count == 0 && goes != Goes::Nowhere {
                break;
            }
            if count == 0 {
                return; // who waits at the other end is told nothing
            }
            if goes == Goes::Through && to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}

/// Reads until the other end gives up.
fn swallow(mut from: TcpStream) {
    let mut bytes = [0; 4096];
    while from.read(&mut bytes).is_ok_and(|count| count > 0) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Answers each byte with the next one.
    fn server() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        thread::spawn(move || {
            for mut connection in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || {
                    let mut byte = [0];
                    while connection.read_exact(&mut byte).is_ok() && connection.write_all(&[byte[0] + 1]).is_ok() {}
                });
            }
        });
        port
    }

    fn ask(connection: &mut TcpStream) -> std::io::Result<u8> {
        let mut byte = [0];
        connection.write_all(&[1])?;
        connection.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    #[test]
    fn what_is_cut_refuses_or_swallows_and_comes_back() {
        let link = Link::to(server());
        let connect = || {
            let connection = TcpStream::connect(link.url().trim_start_matches("http://")).expect("the relay listens");
            connection.set_read_timeout(Some(Duration::from_millis(200))).expect("set");
            connection
        };
        let mut open = connect();
        assert_eq!(ask(&mut open).expect("carried"), 2);
        link.set(Goes::Nowhere);
        for mut silent in [connect(), open] {
            let error = ask(&mut silent).expect_err("nobody answers");
            assert!(matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut), "{error}");
        }
        link.set(Goes::Through);
        let mut open = connect();
        assert_eq!(ask(&mut open).expect("carried again"), 2);
        link.set(Goes::Refused);
        for mut broken in [connect(), open] {
            let error = ask(&mut broken).expect_err("it is ended");
            assert!(!matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut), "{error}");
        }
    }
}

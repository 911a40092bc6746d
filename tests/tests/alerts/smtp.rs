//! A mail server as small as the protocol allows (RFC 5321), without TLS.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use harness::process::until;

/// Mails that were taken, and what was said in all connections.
pub(super) struct Smtp {
    pub(super) address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    mails: Vec<String>,
    commands: Vec<String>,
}

impl Smtp {
    pub(super) fn start() -> Smtp {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let kept = shared.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let kept = kept.clone();
                std::thread::spawn(move || talk(connection.unwrap(), &kept));
            }
        });
        Smtp { address, shared }
    }

    /// Waits for so many mails.
    pub(super) fn until(&self, count: usize) -> Vec<String> {
        until(&format!("{count} mails"), || {
            Some(self.shared.lock().unwrap().mails.clone()).filter(|m| m.len() >= count)
        })
    }

    /// What clients said, without the mails.
    pub(super) fn commands(&self) -> Vec<String> {
        self.shared.lock().unwrap().commands.clone()
    }
}

fn talk(stream: TcpStream, shared: &Mutex<Shared>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut out = stream;
    let mut say = |text: &str| out.write_all(format!("{text}\r\n").as_bytes());
    if say("220 mail.test").is_err() {
        return;
    }
    while let Some(Ok(line)) = lines.next() {
        shared.lock().unwrap().commands.push(line.clone());
        let said = match line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" => say("250-mail.test\r\n250 8BITMIME"),
            "DATA" => {
                let begun = say("354 go on");
                let mail: Vec<String> = lines.by_ref().map_while(Result::ok).take_while(|line| line != ".").collect();
                shared.lock().unwrap().mails.push(mail.join("\n"));
                begun.and_then(|()| say("250 taken"))
            }
            "QUIT" => {
                let _gone = say("221 bye");
                return;
            }
            "MAIL" | "RCPT" | "RSET" | "NOOP" => say("250 ok"),
            _ => say("502 what?"),
        };
        if said.is_err() {
            return;
        }
    }
}

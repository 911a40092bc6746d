//! Mail over TLS: from the first byte, and after STARTTLS; and servers that have the wrong certificate or none.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use harness::process::until;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::served::{Served, log_of, router};
use super::{add_config, monitor_with};

/// A certificate authority of this test.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    /// What a server needs to be believed as `name` by those who trust this authority.
    fn certified(&self, name: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.into()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }
}

/// A mail server; what was said to it, each line with whether it came under TLS.
struct Server {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<(bool, String)>>>,
}

impl Server {
    /// With TLS from the first byte, or after STARTTLS.
    fn start(tls: Arc<ServerConfig>, at_once: bool) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, heard) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let kept = heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (tls, kept) = (tls.clone(), kept.clone());
                std::thread::spawn(move || {
                    if at_once {
                        return talk(under(tls, stream), true, &kept);
                    }
                    let plain = stream.try_clone().unwrap();
                    if begins_tls(plain, &kept).is_some() {
                        talk(under(tls, stream), false, &kept);
                    }
                });
            }
        });
        Server { address, heard }
    }

    fn heard(&self, under_tls: bool, begin: &str) -> usize {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|(tls, line)| *tls == under_tls && line.starts_with(begin)).count()
    }
}

fn under(tls: Arc<ServerConfig>, stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(tls).unwrap(), stream)
}

/// A line, a byte at a time: what comes behind STARTTLS is not ours to read.
fn line(stream: &mut impl Read) -> Option<String> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while stream.read(&mut byte).ok()? == 1 {
        match byte[0] {
            b'\n' => return String::from_utf8(line).ok(),
            b'\r' => {}
            other => line.push(other),
        }
    }
    None
}

/// The plain part of a connection; nothing when the client does not ask for TLS.
fn begins_tls(mut plain: TcpStream, heard: &Mutex<Vec<(bool, String)>>) -> Option<()> {
    plain.write_all(b"220 mail.test\r\n").ok()?;
    loop {
        let said = line(&mut plain)?;
        heard.lock().unwrap().push((false, said.clone()));
        let answer: &[u8] = match said.split(' ').next()? {
            "EHLO" => b"250-mail.test\r\n250 STARTTLS\r\n",
            "STARTTLS" => b"220 go on\r\n",
            _ => b"530 not without TLS\r\n",
        };
        plain.write_all(answer).ok()?;
        if said == "STARTTLS" {
            return Some(());
        }
    }
}

/// A whole conversation under TLS.
fn talk(stream: impl Read + Write, greets: bool, heard: &Mutex<Vec<(bool, String)>>) {
    let mut stream = BufReader::new(stream);
    if greets && stream.get_mut().write_all(b"220 mail.test\r\n").is_err() {
        return;
    }
    let (mut said, mut in_mail) = (String::new(), false);
    while matches!(stream.read_line(&mut said), Ok(1..)) {
        let text = std::mem::take(&mut said).trim_end().to_owned();
        heard.lock().unwrap().push((true, text.clone()));
        let answer = match text.split([' ', ':']).next().unwrap_or_default() {
            "." => Some("250 taken\r\n"),
            _ if in_mail => None,
            "EHLO" => Some("250-mail.test\r\n250 8BITMIME\r\n"),
            "DATA" => Some("354 go on\r\n"),
            "QUIT" => Some("221 bye\r\n"),
            _ => Some("250 ok\r\n"),
        };
        in_mail = if text == "." { false } else { in_mail || text == "DATA" };
        let answered = answer.is_none_or(|answer| stream.get_mut().write_all(answer.as_bytes()).is_ok());
        if !answered || stream.get_mut().flush().is_err() {
            return;
        }
    }
}

/// By its form a certificate, and by what is in it none.
const FALSE_PEM: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

#[test]
fn mail_goes_under_tls_to_the_server_that_is_meant_and_to_no_other() {
    let served = Served::new(router(&log_of(&[])));
    let monitor = monitor_with(&served, "");
    let (trusted, stranger) = (Authority::new(), Authority::new());
    std::fs::write(monitor.path("mail-ca.pem"), &trusted.pem).unwrap();
    let servers = [
        ("tls", Server::start(trusted.certified("127.0.0.1"), true), "tls", true),
        ("starttls", Server::start(trusted.certified("127.0.0.1"), false), "starttls", true),
        ("other-authority", Server::start(stranger.certified("127.0.0.1"), true), "tls", false),
        ("other-name", Server::start(trusted.certified("mail.example"), true), "tls", false),
        ("starttls-other-authority", Server::start(stranger.certified("127.0.0.1"), false), "starttls", false),
        // It speaks TLS only after STARTTLS, and is asked to do so at once.
        ("no-tls", Server::start(trusted.certified("127.0.0.1"), false), "tls", false),
    ];
    for (name, server, security, _) in &servers {
        let port = server.address.port();
        add_config(
            &monitor,
            &format!(
                "[[alert]]\nname = \"{name}\"\nkind = \"mail\"\nallow_private = true\ntimeout_seconds = 5\n[alert.smtp]\n\
                 server = \"127.0.0.1\"\nport = {port}\nsecurity = \"{security}\"\nca_file = \"mail-ca.pem\"\n\
                 from = \"monitor@witness.example\"\nto = [\"ops@acme.example\"]\n"
            ),
        );
    }
    let (code, said) = monitor.run(&["alert", "test"]);
    assert_eq!(code, 1, "{said}");
    for (name, server, _, is_taken) in &servers {
        let found = said.lines().find(|line| line.starts_with(&format!("{name} (")));
        let found = found.unwrap_or_else(|| panic!("nothing of {name}: {said}"));
        assert_eq!(found.contains("): taken"), *is_taken, "{found}");
        if *is_taken {
            until("a mail under TLS", || (server.heard(true, "Subject: ") == 1).then_some(()));
        }
        assert_eq!(server.heard(true, "RCPT TO"), usize::from(*is_taken), "{name}");
        let plain = server.heard(false, "MAIL") + server.heard(false, "RCPT") + server.heard(false, "Subject");
        assert_eq!(plain, 0, "{name}: nothing of a mail goes in the clear");
    }

    // The authorities of the system do not know this server.
    let file = monitor.path("config.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, config.replace("ca_file = \"mail-ca.pem\"\n", "")).unwrap();
    let (_, said) = monitor.run(&["alert", "test"]);
    assert!(!said.contains("): taken"), "{said}");
    for (text, part) in [
        ("nonsense", "none in it is whole"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "none in it is whole"),
        (FALSE_PEM, "cannot be used"),
    ] {
        std::fs::write(&file, &config).unwrap();
        std::fs::write(monitor.path("mail-ca.pem"), text).unwrap();
        let (code, said) = monitor.run(&["alert", "test"]);
        assert!(code == 78 && said.contains(part), "{code}: {said}");
    }
    std::fs::write(monitor.path("mail-ca.pem"), &trusted.pem).unwrap();
    std::fs::write(&file, config.replace("security = \"starttls\"", "security = \"none\"")).unwrap();
    let (code, said) = monitor.run(&["alert", "test"]);
    assert!(code == 78 && said.contains("means nothing without TLS"), "{code}: {said}");
}

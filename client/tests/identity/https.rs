//! The well-known file on an https server.

use std::io::{BufRead as _, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{ISSUER, Request};

/// A certificate authority of this test.
pub(super) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// A server with a certificate for `name`; `speak` writes the answer to each request.
    fn serve(&self, name: &str, speak: impl Fn(&mut dyn Write) + Send + Sync + 'static) -> Server {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.into()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let (config, speak) = (Arc::new(config), Arc::new(speak));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, asked) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (config, speak, tell) = (config.clone(), speak.clone(), tell.clone());
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream));
                    let mut request = Vec::new();
                    loop {
                        let mut line = String::new();
                        // A client that does not like the certificate leaves.
                        if !matches!(reader.read_line(&mut line), Ok(1..)) {
                            return;
                        }
                        if line == "\r\n" {
                            break;
                        }
                        request.push(line.trim_end().to_owned());
                    }
                    let _gone = tell.send(request);
                    let stream = reader.get_mut();
                    speak(stream);
                    stream.conn.send_close_notify();
                    let _gone = stream.flush();
                });
            }
        });
        Server { address, asked }
    }
}

struct Server {
    address: SocketAddr,
    /// The request lines and headers of each request.
    asked: Receiver<Vec<String>>,
}

/// A request to be enrolled with the authority's certificate beside it, and the options to reach a server.
fn request(authority: &Authority) -> Request {
    let request = Request::new("certificate");
    std::fs::write(request.folder.path().join("ca.pem"), authority.pem()).unwrap();
    request
}

fn admitted_by(request: &Request, server: &Server) -> serde_json::Value {
    request.is_admitted(&["--connect-to", &server.address.to_string(), "--ca-file", "ca.pem"])
}

fn refused_by(request: &Request, server: &Server, code: i32, words: &[&str]) {
    let address = server.address.to_string();
    request.is_refused(&["--connect-to", &address, "--ca-file", "ca.pem", "--check-timeout", "2"], code, words);
}

/// An answer in full. A client that leaves earlier is no failure of the server.
fn answer(status: &str, headers: &str, body: &str) -> impl Fn(&mut dyn Write) + Send + Sync + 'static {
    let text =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len());
    move |out: &mut dyn Write| _ = out.write_all(text.as_bytes())
}

const URL: &str = "https://acme.example/.well-known/claimtrail.txt";

#[test]
fn a_file_with_every_key_admits() {
    let authority = Authority::new();
    let request = request(&authority);
    let body = format!("# keys of Acme\r\n{}\r\n", request.lines.join("\r\n"));
    let server = authority.serve(ISSUER, answer("200 OK", "", &body));
    let record = admitted_by(&request, &server);
    assert_eq!((&record["method"], &record["place"]), (&"certificate".into(), &URL.into()), "{record}");
    let asked = server.asked.recv().unwrap();
    assert_eq!(asked[0], "GET /.well-known/claimtrail.txt HTTP/1.1");
    assert!(asked.iter().any(|line| line.eq_ignore_ascii_case("host: acme.example")), "{asked:?}");
}

#[test]
fn missing_and_wrong_files_do_not() {
    let authority = Authority::new();
    let request = request(&authority);
    let missing = authority.serve(ISSUER, answer("404 Not Found", "", "no such file"));
    refused_by(&request, &missing, 1, &[URL, "answers 404", "must publish"]);
    let empty = authority.serve(ISSUER, answer("200 OK", "", ""));
    refused_by(&request, &empty, 1, &[URL, "found: nothing"]);
    let other = format!("claimtrail-key={}", "ab".repeat(32));
    let wrong = authority.serve(ISSUER, answer("200 OK", "", &format!("{}\n{other}\n", request.lines[0])));
    refused_by(&request, &wrong, 1, &[&request.lines[1], &other]);
}

#[test]
fn redirects_are_not_followed() {
    let authority = Authority::new();
    let request = request(&authority);
    let body = format!("{}\n", request.lines.join("\n"));
    let there = authority.serve("other.example", answer("200 OK", "", &body));
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("https://other.example:{}/claimtrail.txt", there.address.port());
        let server = authority.serve(ISSUER, answer(status, &format!("Location: {location}\r\n"), ""));
        refused_by(&request, &server, 1, &[URL, &location, "must be there itself"]);
    }
    let within = authority.serve(ISSUER, answer("302 Found", "Location: /elsewhere\r\n", ""));
    refused_by(&request, &within, 1, &["points to /elsewhere"]);
    assert!(there.asked.try_recv().is_err(), "nobody asked there");
}

#[test]
fn certificates_must_be_for_the_issuer_and_by_a_trusted_authority() {
    let authority = Authority::new();
    let request = request(&authority);
    let body = format!("{}\n", request.lines.join("\n"));
    let wrong_name = authority.serve("other.example", answer("200 OK", "", &body));
    refused_by(&request, &wrong_name, 69, &[URL, "cannot be had", "certificate"]);
    let stranger = Authority::new().serve(ISSUER, answer("200 OK", "", &body));
    refused_by(&request, &stranger, 69, &[URL, "cannot be had", "certificate"]);
    // And without --ca-file the system's authorities decide, who do not know ours.
    let good = authority.serve(ISSUER, answer("200 OK", "", &body));
    request.is_refused(&["--connect-to", &good.address.to_string()], 69, &[URL]);
    std::fs::write(request.folder.path().join("none.pem"), "no certificate\n").unwrap();
    let address = good.address.to_string();
    request.is_refused(&["--connect-to", &address, "--ca-file", "none.pem"], 2, &["none.pem has no certificate"]);
}

#[test]
fn endless_and_stalled_answers_end() {
    let authority = Authority::new();
    let request = request(&authority);
    let endless = authority.serve(ISSUER, |out| {
        let mut sent = out.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while sent.is_ok() {
            sent = out.write_all(b"10\r\nclaimtrail-key=\n\r\n").and_then(|()| out.flush());
        }
    });
    refused_by(&request, &endless, 69, &[URL, "more than 16384 bytes"]);
    let large = authority.serve(ISSUER, answer("200 OK", "", &"x".repeat(16 * 1024 + 1)));
    refused_by(&request, &large, 69, &[URL, "more than 16384 bytes"]);
    let stalled = authority.serve(ISSUER, |out| {
        let _gone = out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nclaim").and_then(|()| out.flush());
        std::thread::park(); // until the process ends
    });
    refused_by(&request, &stalled, 69, &[URL, "no whole answer within 2 s"]);
    let cut = authority.serve(ISSUER, |out| {
        let _gone = out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nclaim");
    });
    refused_by(&request, &cut, 69, &[URL, "cannot be had"]);
}

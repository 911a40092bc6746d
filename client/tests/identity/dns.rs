//! TXT records.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use super::{ISSUER, Request, run};

/// What a server does with questions.
#[derive(Clone)]
enum Answers {
    /// TXT records of this name; other names do not exist.
    Txt(String, Vec<String>),
    /// Addresses 127.0.0.1 for every name.
    Loopback,
    /// Nothing at all.
    Silence,
    /// "It is long, ask over TCP", and there a length of which only the beginning comes.
    Stalled,
    /// "I will not tell."
    Refusal,
}

const TXT: u16 = 16;
const A: u16 = 1;
/// The longest answer over UDP without EDNS (RFC 1035 §4.2.1).
const UDP_BYTES: usize = 512;

/// A DNS server (RFC 1035) on loopback, over UDP and TCP; it lives as long as the test's process.
fn serve(answers: Answers) -> SocketAddr {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().unwrap();
    let over_tcp = answers.clone();
    std::thread::spawn(move || {
        let mut question = [0; UDP_BYTES];
        while let Ok((length, from)) = udp.recv_from(&mut question) {
            if let Some(mut answer) = answer(&answers, &question[..length]) {
                if answer.len() > UDP_BYTES || matches!(answers, Answers::Stalled) {
                    answer[2] |= 0b10; // truncated
                    answer[6..8].fill(0);
                    answer.truncate(question_end(&answer));
                }
                udp.send_to(&answer, from).unwrap();
            }
        }
    });
    std::thread::spawn(move || {
        for stream in tcp.incoming().map_while(Result::ok) {
            let answers = over_tcp.clone();
            std::thread::spawn(move || talk(&answers, stream));
        }
    });
    address
}

/// Messages over TCP have their length before them.
fn talk(answers: &Answers, mut stream: TcpStream) -> Option<()> {
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length).ok()?;
        let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut question).ok()?;
        let answer = answer(answers, &question)?;
        let length = if matches!(answers, Answers::Stalled) { u16::MAX } else { u16::try_from(answer.len()).unwrap() };
        stream.write_all(&length.to_be_bytes()).ok()?;
        stream.write_all(&answer).ok()?;
    }
}

/// Where the one question ends: a name of labels, its type and class.
fn question_end(message: &[u8]) -> usize {
    let mut at = 12;
    while message[at] != 0 {
        at += 1 + usize::from(message[at]);
    }
    at + 5
}

fn name_of(question: &[u8]) -> String {
    let (mut at, mut name) = (12, String::new());
    while question[at] != 0 {
        let length = usize::from(question[at]);
        name.push_str(std::str::from_utf8(&question[at + 1..at + 1 + length]).unwrap());
        name.push('.');
        at += 1 + length;
    }
    name.to_lowercase()
}

fn answer(answers: &Answers, question: &[u8]) -> Option<Vec<u8>> {
    let end = question_end(question);
    let kind = u16::from_be_bytes([question[end - 4], question[end - 3]]);
    let mut code = 0;
    let data: Vec<Vec<u8>> = match answers {
        Answers::Silence => return None,
        Answers::Stalled => Vec::new(),
        Answers::Txt(name, texts) if *name == name_of(question) && kind == TXT => {
            texts.iter().map(|text| strings(text)).collect()
        }
        Answers::Loopback if kind == A => vec![vec![127, 0, 0, 1]],
        Answers::Loopback => Vec::new(),
        Answers::Txt(..) => {
            code = 3; // no such name
            Vec::new()
        }
        Answers::Refusal => {
            code = 5;
            Vec::new()
        }
    };
    let mut out = question[..2].to_vec();
    out.extend([0x81, 0x80 | code]); // an answer, recursion wanted and available
    out.extend([0, 1]);
    out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    out.extend([0; 4]);
    out.extend(&question[12..end]);
    for data in data {
        out.extend([0xc0, 12]); // the name of the question
        out.extend(kind.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 60]); // class IN, to be kept for a minute
        out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        out.extend(data);
    }
    Some(out)
}

/// A text as TXT carries it: parts of at most 255 bytes.
fn strings(text: &str) -> Vec<u8> {
    let parts = text.as_bytes().chunks(255);
    parts.flat_map(|part| [&[u8::try_from(part.len()).unwrap()], part].concat()).collect()
}

fn name() -> String {
    format!("_claimtrail.{ISSUER}.")
}

fn with(server: SocketAddr) -> [String; 2] {
    ["--resolver".into(), server.to_string()]
}

fn txt(texts: &[String]) -> [String; 2] {
    with(serve(Answers::Txt(name(), texts.to_vec())))
}

fn borrowed(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}

#[test]
fn records_with_every_key_admit() {
    let request = Request::new("dns");
    let mut texts = request.lines.clone();
    texts.push("v=something else".into());
    let record = request.is_admitted(&borrowed(&txt(&texts)));
    assert_eq!((&record["method"], &record["place"]), (&"dns".into(), &name().into()), "{record}");
    assert_eq!(record["found"].as_array().unwrap().len(), 3, "{record}");
}

#[test]
fn answers_too_long_for_udp_come_over_tcp() {
    let request = Request::new("dns");
    let mut texts = request.lines.clone();
    texts.extend((0..40).map(|i| format!("note {i}: {}", "x".repeat(200))));
    assert_eq!(request.is_admitted(&borrowed(&txt(&texts)))["found"].as_array().unwrap().len(), 42);
}

#[test]
fn missing_and_wrong_records_do_not() {
    let request = Request::new("dns");
    let elsewhere = serve(Answers::Txt("_claimtrail.other.example.".into(), request.lines.clone()));
    let mut lines = request.lines.clone();
    lines.sort();
    request.is_refused(&borrowed(&with(elsewhere)), 1, &[&name(), &lines[0], "found: nothing"]);
    request.is_refused(&borrowed(&txt(&[])), 1, &["found: nothing"]);
    request.is_refused(&borrowed(&txt(&lines[..1])), 1, &[&lines[1], &format!("found: {}", lines[0])]);
    let other = format!("claimtrail-key={}", "ab".repeat(32));
    request.is_refused(&borrowed(&txt(&[lines[1].clone(), other.clone()])), 1, &[&lines[0], &other]);
    let half = vec![lines[0].clone(), lines[1][..lines[1].len() - 1].to_owned()];
    request.is_refused(&borrowed(&txt(&half)), 1, &[&format!("does not say {}", lines[1])]);
    // What strangers wrote does not reach the terminal as it is.
    let bell = "claimtrail-key=\u{1b}]0;owned\u{7}".to_owned();
    request.is_refused(&borrowed(&txt(&[bell])), 1, &[r"\u{1b}]0;owned\u{7}"]);
}

#[test]
fn too_much_is_refused() {
    let request = Request::new("dns");
    let mut texts = request.lines.clone();
    texts.extend((0..100).map(|i| format!("note {i}: {}", "x".repeat(200))));
    request.is_refused(&borrowed(&txt(&texts)), 69, &[&name(), "16384 are the most"]);
}

#[test]
fn servers_that_do_not_answer_are_said() {
    let request = Request::new("dns");
    for answers in [Answers::Silence, Answers::Stalled] {
        let options = [&with(serve(answers))[..], &["--check-timeout".into(), "1".into()]].concat();
        request.is_refused(&borrowed(&options), 69, &[&name(), "no whole answer within 1 s", "--check-timeout"]);
    }
    request.is_refused(&borrowed(&with(serve(Answers::Refusal))), 69, &[&name(), "cannot be had", "--checked dns"]);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = [&with(closed)[..], &["--check-timeout".into(), "2".into()]].concat();
    request.is_refused(&borrowed(&options), 69, &[&name()]);
}

/// The resolver that was given also says where the https server is; nothing listens there on port 443.
#[test]
fn the_resolver_gives_the_address_of_the_https_server() {
    let request = Request::new("certificate");
    let ca = super::https::Authority::new();
    std::fs::write(request.folder.path().join("ca.pem"), ca.pem()).unwrap();
    let options = [&with(serve(Answers::Loopback))[..], &["--ca-file".into(), "ca.pem".into()]].concat();
    request.is_refused(&borrowed(&options), 69, &["https://acme.example/.well-known/claimtrail.txt cannot be had"]);
    let nowhere = serve(Answers::Txt(name(), Vec::new()));
    let options = [&with(nowhere)[..], &["--ca-file".into(), "ca.pem".into()]].concat();
    request.is_refused(&borrowed(&options), 69, &["the address of acme.example cannot be had", "--connect-to"]);
    let help = run(request.folder.path(), &["issuer", "admit", "--help"]).1;
    for option in ["--resolver", "--connect-to", "--ca-file", "--check-timeout"] {
        assert!(help.contains(option), "{option} is documented: {help}");
    }
}

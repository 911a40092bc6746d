//! Bad input to every endpoint of a monitor: one table of requests and the answers that docs/api.md gives them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use claimtrail_log::testing::ORIGIN;
use harness::watcher::MonitorUnderTest;
use harness::workspace::root;
use harness::zoo::{Script, Served, Show, trust};
use proto::hash::Hash;
use serde_json::Value;

use super::programs;

/// An answer comes within this, or never.
const PATIENCE: Duration = Duration::from_secs(20);
/// More than add-checkpoint takes.
const TOO_LARGE: usize = (128 << 10) + 1;

const CLOSE: &str = "connection: close\r\n";

/// What is sent, and the answer: its status and the code of its problem, or nothing where it has no body.
type Row = (String, Vec<u8>, u16, &'static str);

/// Sends bytes and reads what comes until the server closes; the status, the content type and the body.
fn exchange(url: &str, bytes: &[u8]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _cut = stream.write_all(bytes); // a server may answer and close before it has read all
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer); // the rest may be cut off then
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    (status, kind.to_owned(), body.to_owned())
}

fn ask(request: &str, status: u16, code: &'static str) -> Row {
    let bytes = format!("{request} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").into_bytes();
    (request.to_owned(), bytes, status, code)
}

fn post(name: &str, body: &[u8], status: u16, code: &'static str) -> Row {
    (format!("add-checkpoint, {name}"), posted("/add-checkpoint", "", body), status, code)
}

/// A POST with this body and header fields.
fn posted(path: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{CLOSE}{fields}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn raw(name: &str, bytes: &str, status: u16, code: &'static str) -> Row {
    (name.to_owned(), bytes.as_bytes().to_vec(), status, code)
}

/// What is wrong with bodies of add-checkpoint. `note` is a good head of three entries.
fn bodies(note: &str) -> Vec<Row> {
    const INVALID: &str = "request.invalid";
    let hash = Hash::of(b"x").to_base64();
    let with = |old: &str, proof: &str, note: &str| format!("{old}\n{proof}\n{note}").into_bytes();
    let (text, _) = note.split_once("\n\n").unwrap();
    let flipped = note.replacen("\n3\n", "\n2\n", 1);
    let stranger = format!("{text}\n\n\u{2014} nobody.example AAAAAAE=\n");
    let many = format!("{note}{}", "\u{2014} nobody.example AAAAAAE=\n".repeat(300));
    let mut rows = vec![
        post("nothing", b"", 400, INVALID),
        post("no text", &[0xff; 40], 400, INVALID),
        post("no lines", b"old 0", 400, INVALID),
        post("JSON", b"{\"old\":0}\n", 400, INVALID),
        post("no empty line", format!("old 0\n{note}").replace("\n\n", "\n").as_bytes(), 400, INVALID),
        post("no note", b"old 0\n\n", 400, INVALID),
        post("a note without signatures", &with("old 0", "", &format!("{text}\n\n")), 400, INVALID),
        post("a carriage return", &with("old 0", "", &note.replace('\n', "\r\n")), 400, INVALID),
        post("too many signature lines", &with("old 0", "", &many), 400, INVALID),
        post("a proof line that is no hash", &with("old 0", "AAAA\n", note), 400, INVALID),
        post("64 proof lines", &with("old 1", &format!("{hash}\n").repeat(64), note), 400, INVALID),
        post("an old size beyond the head", &with("old 4", "", note), 400, INVALID),
        post("another log", &with("old 0", "", &note.replace(ORIGIN, "other.example")), 404, "request.not_found"),
        post("one signature changed", &with("old 0", "", &flipped), 403, "checkpoint.signature"),
        post("signed by nobody known", &with("old 0", "", &stranger), 403, "checkpoint.signature"),
        post("a proof from nothing", &with("old 0", &format!("{hash}\n"), note), 422, "checkpoint.inconsistent"),
        post("129 KiB", &with("old 0", "", &"x".repeat(TOO_LARGE)), 413, "size.envelope"),
    ];
    for old in ["old", "old ", "old -1", "old +1", "old 01", "old 0x1", "old 9223372036854775808", "OLD 0", "old 0 0"] {
        rows.push(post(old, &with(old, "", note), 400, INVALID));
    }
    rows
}

fn public(note: &str) -> Vec<Row> {
    const NOT_FOUND: &str = "request.not_found";
    let hash = Hash::of(ORIGIN.as_bytes()).to_string();
    let mut rows = bodies(note);
    for (request, status, code) in [
        ("GET /log/none", 404, NOT_FOUND),
        ("GET /admin", 404, NOT_FOUND),
        ("GET /status", 404, NOT_FOUND),
        ("GET /metrics", 404, NOT_FOUND),
        ("GET /add-checkpoint", 405, "request.method"),
        ("PUT /add-checkpoint", 405, "request.method"),
        ("POST /v1/heads", 405, "request.method"),
        ("DELETE /v1/heads", 405, "request.method"),
        ("GET /v1/heads/", 404, NOT_FOUND),
        ("GET /v1/heads?origin=other.example", 404, NOT_FOUND),
        ("GET /v1/heads?limit=0", 400, "request.invalid"),
        ("GET /v1/heads?limit=201", 400, "request.invalid"),
        ("GET /v1/heads?limit=-1", 400, "request.invalid"),
        ("GET /v1/heads?limit=1&limit=2", 400, "request.invalid"),
        ("GET /v1/heads?limits=1", 400, "request.invalid"),
        ("GET /v1/heads?before=1&after=1", 400, "request.invalid"),
        ("GET /v1/heads?after=18446744073709551616", 400, "request.invalid"),
        ("GET /v1/heads?after=x", 400, "request.invalid"),
        ("GET /v1/heads?cursor=zz", 400, "request.invalid"),
        ("GET /v1/heads?cursor=%ff", 400, "request.invalid"),
    ] {
        rows.push(ask(request, status, code));
    }
    let stranger = Hash::of(b"no log").to_string();
    let short = &hash[1..];
    for path in [hash.to_uppercase().as_str(), &stranger, short, "%2e%2e", "..", "x"] {
        rows.push(ask(&format!("GET /{path}/checkpoint"), 404, NOT_FOUND));
        rows.push(ask(&format!("GET /{path}/tile/0/000.p/3"), 404, NOT_FOUND));
    }
    for path in [
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/03",
        "0/000.p/-1",
        "0/0",
        "0/1000",
        "0/x000/000",
        "00/000",
        "64/000",
        "x/000",
        "0/000.p/3/",
        "0/%30%30%30.p/3",
        "0/../0/000.p/3",
        "data/000",
        "entries/0",
        "entries/000.p/x",
    ] {
        rows.push(ask(&format!("GET /{hash}/tile/{path}"), 404, NOT_FOUND));
    }
    for path in ["0/000", "0/000.p/4", "0/999", "1/000.p/1", "entries/000", "entries/000.p/4", "entries/x001/000.p/1"] {
        rows.push(ask(&format!("GET /{hash}/tile/{path}"), 404, "request.beyond_tree"));
    }
    rows.extend(gossip(note));
    rows.push(ask(&format!("POST /{hash}/tile/0/000.p/3"), 405, "request.method"));
    rows.push(ask(&format!("POST /{hash}/checkpoint"), 405, "request.method"));
    rows
}

/// What monitors and clients ask of each other, pages, evidence and the feed.
fn gossip(note: &str) -> Vec<Row> {
    const INVALID: &str = "request.invalid";
    const NOT_FOUND: &str = "request.not_found";
    const METHOD: &str = "request.method";
    let other = note.replace(ORIGIN, "other.example");
    let mut rows = Vec::new();
    for (request, status, code) in [
        ("POST /", 405, METHOD),
        ("POST /page.css", 405, METHOD),
        ("POST /v1/alerts.atom", 405, METHOD),
        ("GET /v1/alerts.atom/x", 404, NOT_FOUND),
        ("GET /v1/branches", 404, NOT_FOUND),
        ("GET /v1/findings", 404, NOT_FOUND),
        ("DELETE /v1/evidence", 405, METHOD),
        ("GET /v1/evidence?limit=0", 400, INVALID),
        ("GET /v1/evidence?from=x", 400, INVALID),
        ("GET /v1/evidence?origin=other.example", 404, NOT_FOUND),
        ("GET /v1/evidence/nonsense", 404, NOT_FOUND),
        ("GET /v1/gossip", 405, METHOD),
        ("GET /v1/report", 405, METHOD),
        ("GET /v1/proof", 400, INVALID),
        ("GET /v1/proof?origin=other.example&from=1&to=2&root=x", 404, NOT_FOUND),
        ("GET /v1/statements", 400, INVALID),
        ("GET /v1/statements?origin=other.example", 404, NOT_FOUND),
        ("GET /v1/cosigned", 400, INVALID),
        ("GET /v1/cosigned?origin=other.example&key=x&nonce=x", 404, NOT_FOUND),
        ("POST /v1/gossip?to=x", 400, INVALID),
    ] {
        rows.push(ask(request, status, code));
    }
    for (path, body, status, code) in [
        ("/v1/gossip", "nonsense".to_owned(), 400, INVALID),
        ("/v1/gossip", format!("old 0\n\n{other}"), 404, NOT_FOUND),
        ("/v1/report", String::new(), 400, INVALID),
        ("/v1/report", "x".repeat((64 << 10) + 1), 413, "size.envelope"),
        ("/v1/cosigned", "nonsense".to_owned(), 400, INVALID),
        ("/v1/cosigned", note.to_owned(), 403, "checkpoint.signature"),
        ("/v1/statements", "{}".to_owned(), 400, INVALID),
        ("/v1/evidence", "{}".to_owned(), 400, INVALID),
    ] {
        rows.push((format!("{path} {body:.20}"), posted(path, "", body.as_bytes()), status, code));
    }
    rows
}

fn admin() -> Vec<Row> {
    let mut rows = vec![
        ask("GET /", 404, "request.not_found"),
        ask("POST /v1/heads", 405, "request.method"),
        ask("GET /v1/heads?limit=201", 400, "request.invalid"),
        ask("GET /alerts/test", 405, "request.method"),
        ask("POST /v1/branches", 405, "request.method"),
        ask("PUT /v1/findings", 405, "request.method"),
        ask("GET /v1/findings/acknowledge", 405, "request.method"),
        ask("GET /v1/evidence/nonsense", 404, "request.not_found"),
        ask("GET /v1/evidence?limit=201", 400, "request.invalid"),
    ];
    let json = "content-type: application/json\r\n";
    for (query, fields, status, code) in [
        ("", "", 415, "request.content_type"),
        ("?channel=atom", "content-type: text/plain\r\n", 415, "request.content_type"),
        ("?channels=atom", json, 400, "request.invalid"),
        ("?channel=none", json, 200, ""), // an empty list
    ] {
        let path = format!("/alerts/test{query}");
        rows.push((path.clone(), posted(&path, fields, b"{}"), status, code));
    }
    for path in ["/healthz", "/readyz", "/metrics", "/status", "/alerts", "/v1/branches", "/v1/findings"] {
        rows.push(ask(&format!("POST {path}"), 405, "request.method"));
        rows.push(ask(&format!("GET {path}/x"), 404, "request.not_found"));
        // A page whose own name leads here.
        rows.push(raw(path, &format!("GET {path} HTTP/1.1\r\nhost: evil.example\r\n{CLOSE}\r\n"), 421, "request.host"));
    }
    for path in ["/v1/evidence", "/v1/findings/acknowledge"] {
        let posted = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{CLOSE}content-length: 2\r\n");
        for kind in ["", "content-type: text/plain\r\n", "content-type: application/x-www-form-urlencoded\r\n"] {
            rows.push(raw(path, &format!("{posted}{kind}\r\n{{}}"), 415, "request.content_type"));
        }
        let json = format!("{posted}content-type: application/json; charset=utf-8\r\n\r\n{{}}");
        rows.push(raw(path, &json, 400, "request.invalid"));
    }
    rows
}

/// What is wrong before any route is looked at, the same at both addresses.
fn framing() -> Vec<Row> {
    let large = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(70 << 10));
    let (post, get) = ("POST /add-checkpoint HTTP/1.1\r\n", "GET /healthz HTTP/1.1\r\n");
    vec![
        raw("no HTTP", "\u{16}\u{3}\u{1}\0\0\r\n\r\n", 400, ""),
        raw("no version", "GET /\r\n\r\n", 400, ""),
        raw("a head of 70 KiB", &large, 431, ""),
        raw("no host", &format!("{get}\r\n"), 400, "request.invalid"),
        raw("two hosts", &format!("{get}host: a\r\nhost: b\r\n\r\n"), 400, "request.invalid"),
        raw("two lengths", &format!("{post}host: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx"), 400, ""),
        raw(
            "two codings",
            &format!("{post}host: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            400,
            "request.invalid",
        ),
    ]
}

/// Asks every row and says which answers are others.
fn wrong(tables: [(&str, Vec<Row>); 2]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (url, rows) in tables {
        for (name, bytes, status, code) in rows {
            let (found, kind, body) = exchange(url, &bytes);
            let problem: Value = serde_json::from_str(&body).unwrap_or_default();
            let said = problem["code"].as_str().unwrap_or_default();
            let in_words = code.is_empty() || kind == "application/problem+json" && problem["detail"].is_string();
            if (found, said) != (status, code) || !in_words {
                wrong.push(format!("{name}: {found} {said:?}, not {status} {code:?}: {kind} {body:.200}"));
            }
        }
    }
    wrong
}

#[test]
fn bad_input_to_every_endpoint_is_answered_as_documented() {
    let script = Script::begun(client::clock::now());
    let served = Served::new(Show::of(&script));
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), served.url(), true);
    monitor.serve();
    // Without channels there is nothing to test and no feed.
    let absent = |request| vec![ask(request, 404, "request.not_found")];
    let tables = [(monitor.url(), absent("GET /v1/alerts.atom")), (monitor.admin(), absent("GET /alerts"))];
    assert_eq!(wrong(tables), Vec::<String>::new());
    monitor.stop();

    monitor.configure("[[alert]]\nkind = \"atom\"\n");
    monitor.serve();
    monitor.until_checked(3);
    let note = &script.heads[0].note;
    for tables in [
        [(monitor.url(), public(note)), (monitor.admin(), admin())],
        [(monitor.url(), framing()), (monitor.admin(), framing())],
    ] {
        let wrong = wrong(tables);
        assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    }
    // Nothing of it was a finding, and all is served as before.
    let status = monitor.status();
    assert_eq!((status["open"].as_array().map(Vec::len), &status["checked"]), (Some(0), &3.into()), "{status:#}");
    monitor.stop();
}

/// The routes in a source file: the path, and whether something can be posted there.
fn routes(file: &str) -> Vec<(String, bool)> {
    let text = std::fs::read_to_string(root().join(file)).unwrap();
    let code = text.split("\n#[cfg(test)]").next().unwrap();
    let pieces = code.split(".route(\"").skip(1);
    let one = |piece: &str| {
        let (path, rest) = piece.split_once('"').unwrap();
        (path.to_owned(), rest.lines().next().unwrap().contains("post("))
    };
    pieces.map(one).collect()
}

/// Whether a row asks a route, at a path with anything in the place of its parameters.
fn asks(row: &Row, route: &str, is_post: bool) -> bool {
    let request = String::from_utf8_lossy(&row.1).into_owned();
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut asked = target.split(['?', '\r']).next().unwrap_or_default().split('/');
    let is_there = route.split('/').all(|part| match (part, asked.next()) {
        (part, Some(_)) if part.starts_with("{*") => {
            asked.by_ref().for_each(drop);
            true
        }
        (part, Some(given)) => part == given || part.starts_with('{') && !given.is_empty(),
        (_, None) => false,
    });
    is_there && asked.next().is_none() && (!is_post || method == "POST")
}

#[test]
fn every_route_has_a_row() {
    let note = Script::begun(client::clock::now()).heads.remove(0).note;
    let of_admin = [
        "monitor/src/http/findings.rs",
        "monitor/src/cli/alert.rs",
        "monitor/src/cli/serve.rs",
        "service/src/admin.rs",
    ];
    let both = routes("monitor/src/http/mod.rs");
    // Of the two routers in that file the public one is the first; it ends with the styles.
    let (public_routes, admin_routes) =
        both.split_at(both.iter().position(|(path, _)| path == "/page.css").unwrap() + 1);
    let public_routes = [public_routes, &routes("monitor/src/http/gossip.rs")[..]].concat();
    let admin_routes = [admin_routes, &of_admin.map(routes).concat()[..]].concat();
    assert!(public_routes.len() >= 16 && admin_routes.len() >= 11, "{public_routes:?} {admin_routes:?}");
    for (routes, rows) in [(public_routes, public(&note)), (admin_routes, admin())] {
        for (path, is_post) in routes {
            assert!(rows.iter().any(|row| asks(row, &path, is_post)), "no row for {path}, post: {is_post}");
        }
    }
}

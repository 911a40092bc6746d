//! Paths, methods, codings and fields that look for a door: none opens, and each answer says so.

use crate::site::Site;
use crate::wire::{exchange, find, get, only};

#[test]
fn no_spelling_of_a_path_leads_anywhere_else() {
    let site = Site::start("");
    let deep = format!("/tile/0/{}000", "x000/".repeat(3000));
    let paths = [
        "/../checkpoint",
        "/./checkpoint",
        "/tile/../checkpoint",
        "/tile/0/../../checkpoint",
        "/tile/%2e%2e/checkpoint",
        "/tile/0/%2e%2e/%2e%2e/checkpoint",
        "/tile%2f0%2f000",
        "/tile/0%2f000.p%2f1",
        "/tile/0/%30%30%30.p/1",
        "/tile//0/000.p/1",
        "/tile/0/000.p/1/",
        "/tile/0/000.p/1%00",
        "/tile/0/000.p/1;a=b",
        "/tile/0/000.p/+1",
        "/tile/0/000.P/1",
        "/tile/0/000.p/%31",
        "/tile/0/000.p/\u{661}",
        "/tile/-1/000",
        "/tile/0/-001",
        "/tile/00/000.p/1",
        "/tile/18446744073709551616/000.p/1",
        "/tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "/tile/entries/../0/000.p/1",
        "/tile/entries/%c0%ae%c0%ae/0/000.p/1",
        deep.as_str(),
        "/checkpoint/",
        "//checkpoint",
        "/checkpoint%00",
        "/checkpoint%20",
        "/CHECKPOINT",
        "/checkpoint;x",
        "/%63heckpoint",
        "/v1//log",
        "/v1/log/",
        "/v1/log/..",
        "/v1/../v1/log",
        "/v1/%6cog",
        "/v1/claims/..%2f..%2fconfig.toml",
        "/v1/claims/../../../../etc/passwd",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/..\\..\\config.toml",
        "/log/keys/log.key",
        "/keys/log.key",
        "/config.toml",
        "/store/db/CURRENT",
        "/metrics",
        "/healthz",
        "/readyz",
        "/debug/pprof",
        "/.git/config",
        "/v1/entries/1e3",
        "/v1/entries/0x1",
        "/v1/entries/%30",
        "/v1/entries/00",
        "/v1/entries/-1",
        "/v1/entries/18446744073709551616",
        "/v1/issuers/%ff%fe",
        "/v1/issuers/%",
        "/v1/issuers/%zz",
        "/v1/issuers/%00",
        "/v1/issuers/acme.example%0d%0aset-cookie:x",
        "/v1/products/acme.example/%2e%2e",
        "/v1/log?%",
        "/v1/log?a=b",
        "/v1/find?type=%00",
        "/v1/changes?from=0&from=1",
        "/v1/changes?from=0&limit=99999999999999999999",
        "/v1/changes?from=0&limit=0",
        "/v1/heads?before=0&after=0",
        "/v1/changes?cursor=%ff",
    ];
    for path in paths {
        let answer = only(site.address(), &get(path));
        let (status, code) = answer.says();
        // Tolerated: an escaped spelling of an escaped parameter is the parameter itself.
        let open = matches!(path, "/v1/entries/%30");
        assert!(matches!(status, 400 | 404 | 431) || (open && status == 200), "{path}: {status} {code}");
        assert!(!code.is_empty() || matches!(status, 200 | 400 | 431), "{path}: {status} without a code");
        assert_eq!(find(&answer.body, b"root:"), None, "{path}");
        assert_eq!(find(&answer.body, b"PRIVATE+KEY"), None, "{path}");
        assert_eq!(answer.header("set-cookie"), None, "{path}");
        assert_eq!(answer.header("location"), None, "{path}: no path is mended for the client");
    }
    site.takes_a_claim();
    site.ends_well();
}

#[test]
fn unusual_methods_are_405_with_what_is_allowed() {
    let site = Site::start("");
    for path in ["/checkpoint", "/tile/0/000.p/1", "/v1/log", "/v1/claims", "/v1/claims/stream"] {
        for method in ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "PURGE", "MKCOL", "get", "post", "X-\u{21}a"] {
            let answer = only(site.address(), &format!("{method} {path} HTTP/1.1\r\nhost: log\r\n\r\n"));
            assert_eq!(answer.says(), (405, "request.method".into()), "{method} {path}");
            let allowed = answer.header("allow").expect("what is allowed");
            assert!(["GET,HEAD", "POST"].contains(&allowed), "{method} {path}: {allowed}");
        }
    }
    // The other way round: reads where claims go, claims where one reads, and a way out that is no way out.
    for (request, status) in [
        ("GET /v1/claims HTTP/1.1\r\nhost: log\r\n\r\n", 405),
        ("POST /checkpoint HTTP/1.1\r\nhost: log\r\ncontent-length: 2\r\n\r\n{}", 405),
        ("CONNECT example.org:443 HTTP/1.1\r\nhost: example.org\r\n\r\n", 404),
        ("OPTIONS * HTTP/1.1\r\nhost: log\r\n\r\n", 404),
        ("GET http://elsewhere.example/v1/nothing HTTP/1.1\r\nhost: log\r\n\r\n", 404),
        ("GET /checkpoint HTTP/1.2\r\nhost: log\r\n\r\n", 400),
        ("GET /checkpoint HTTP/0.9\r\n\r\n", 400),
        ("GET /checkpoint\r\n\r\n", 400),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}", 400),
        ("GET  /checkpoint  HTTP/1.1\r\nhost: log\r\n\r\n", 400),
        (&format!("{} /checkpoint HTTP/1.1\r\nhost: log\r\n\r\n", "M".repeat(9000)), 405),
    ] {
        let answer = only(site.address(), request);
        assert_eq!(answer.status, status, "{request:?}: {answer:?}");
    }
    let other = exchange(site.address(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[], false);
    assert!(other.is_empty(), "another protocol is closed without a word: {other:?}");
    let head = only(site.address(), "HEAD /checkpoint HTTP/1.1\r\nhost: log\r\n\r\n");
    assert_eq!((head.status, head.body.len()), (200, 0));
    site.takes_a_claim();
    site.ends_well();
}

/// The second one counts as well.
const TWO_FIELDS: &str = "identity\r\ncontent-encoding: gzip";

#[test]
fn bodies_in_a_coding_are_refused_unread() {
    let site = Site::start("");
    let before = site.resident_kib();
    for path in ["/v1/claims", "/v1/claims/stream"] {
        for coding in [
            "gzip",
            "GZIP",
            "deflate",
            "br",
            "zstd",
            "gzip, gzip, gzip",
            "compress",
            "x-gzip",
            "identity, gzip",
            TWO_FIELDS,
        ] {
            let mut wire = site.connect();
            // Ten megabytes that would be gigabytes are announced; the answer does not wait for a byte of them.
            let answer = wire.ask(format!(
                "POST {path} HTTP/1.1\r\nhost: log\r\ncontent-encoding: {coding}\r\ncontent-length: 10000000\r\n\r\n"
            ));
            assert_eq!(answer.says(), (415, "request.content_type".into()), "{path} {coding}");
            wire.end();
            assert_eq!(wire.rest(), b"", "closed: {path} {coding}");
        }
    }
    let grown = site.resident_kib().saturating_sub(before);
    assert!(grown < 50 * 1024, "memory grew by {grown} KiB over bodies that nobody read");
    site.takes_a_claim();
    site.ends_well();
}

#[test]
fn fields_that_say_odd_things_change_nothing() {
    let site = Site::start("");
    let checkpoint = site.get("/checkpoint");
    for field in [
        "x-forwarded-for: 1.2.3.4, 5.6.7.8",
        "x-forwarded-for: not an address",
        "forwarded: for=\"[::1]\"",
        "x-http-method-override: DELETE",
        "x-original-url: /v1/log",
        "x-rewrite-url: /v1/log",
        "range: bytes=0-0",
        "range: bytes=-1,-2,-3,-4,-5,-6,-7,-8",
        "if-modified-since: yesterday",
        "if-none-match: *",
        "accept: text/html",
        "accept-encoding: gzip;q=99999999999999999999, *;q=\u{ff}",
        "cookie: a=b",
        "authorization: Basic !!!!",
        "upgrade: h2c\r\nhttp2-settings: AAAA\r\nconnection: upgrade, http2-settings",
        "upgrade: websocket\r\nconnection: upgrade",
        "connection: host, content-length, close",
        "expect: 100-continue",
        "te: trailers",
        "trailer: host",
        "proxy-connection: keep-alive",
        "x: \u{e9}",
    ] {
        let answer = only(site.address(), &format!("GET /checkpoint HTTP/1.1\r\nhost: log\r\n{field}\r\n\r\n"));
        assert_eq!((answer.status, &answer.body), (200, &checkpoint.body), "{field}");
    }
    site.takes_a_claim();
    site.ends_well();
}

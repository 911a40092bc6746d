//! Too much of everything: exact status and code, refused before it costs anything, and the log none the worse.

use proto::claim::PAYLOAD_TYPE;
use proto::dsse::Envelope;
use serde_json::{Value, json};

use crate::site::Site;
use crate::wire::{Wire, get, only, post};

/// What the server may take more of memory over all of this.
const GROWTH_KIB: u64 = 200 * 1024;

fn head(extra: &str) -> String {
    format!("GET /checkpoint HTTP/1.1\r\nhost: log\r\n{extra}\r\n")
}

#[test]
fn heads_that_are_too_large_are_refused_with_431_and_closed() {
    let site = Site::start("");
    let fields = |count: usize| (0..count).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let rows: &[(&str, String, u16)] = &[
        ("99 fields and the host", head(&fields(99)), 200),
        ("100 fields and the host", head(&fields(100)), 431),
        ("a thousand fields", head(&fields(1000)), 431),
        ("15 KiB of one field", head(&format!("x: {}\r\n", "y".repeat(15 << 10))), 200),
        ("17 KiB of one field", head(&format!("x: {}\r\n", "y".repeat(17 << 10))), 431),
        ("17 KiB of a field's name", head(&format!("{}: y\r\n", "x".repeat(17 << 10))), 431),
        ("a megabyte of one field", head(&format!("x: {}\r\n", "y".repeat(1 << 20))), 431),
        ("a megabyte of small fields", head(&fields(100_000)), 431),
        ("17 KiB of path", get(&format!("/{}", "a".repeat(17 << 10))), 431),
        ("a megabyte of path", get(&format!("/{}", "a".repeat(1 << 20))), 431),
        ("a megabyte of query", get(&format!("/v1/log?{}", "a".repeat(1 << 20))), 431),
        ("a method without end", "A".repeat(1 << 20), 431),
    ];
    for (what, request, status) in rows {
        let answer = only(site.address(), request);
        assert_eq!(answer.status, *status, "{what}");
        site.takes_a_claim();
    }
    site.ends_well();
}

#[test]
fn bodies_that_are_too_large_are_refused_before_they_are_read() {
    let site = Site::start("");
    let before = site.resident_kib();
    let declared =
        |path: &str, length: &str| format!("POST {path} HTTP/1.1\r\nhost: log\r\ncontent-length: {length}\r\n\r\n");
    let size = (413, "size.envelope".to_owned());
    for length in ["131073", "10000000", "1000000000000", "9223372036854775807"] {
        // Not a byte of it is sent: the answer comes from the declaration alone.
        let mut wire = site.connect();
        let answer = wire.ask(declared("/v1/claims", length));
        assert_eq!(answer.says(), size, "{length}");
        assert_eq!(answer.json()["limit"], 131_072);
        wire.end();
        assert_eq!(wire.rest(), b"", "the connection is closed: the body may still come");
    }
    for length in ["18446744073709551615", "18446744073709551616", "99999999999999999999999"] {
        let answer = only(site.address(), &declared("/v1/claims", length));
        assert!(matches!(answer.status, 400 | 413 | 431), "{length}: {answer:?}");
    }
    // In chunks nothing is declared: it is read up to the limit, and no further.
    let mut wire = site.connect();
    wire.send("POST /v1/claims HTTP/1.1\r\nhost: log\r\ntransfer-encoding: chunked\r\n\r\n");
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let sent = (0..1000).take_while(|_| wire.send(&chunk)).count();
    assert!(sent < 1000, "the server read 64 MB of a body that is too large");
    let heard = crate::wire::answers(&wire.rest(), &[]);
    assert!(heard.iter().all(|answer| answer.says() == size) && heard.len() <= 1, "{heard:?}");
    // Such an answer can be destroyed by the bytes still on their way; with few bytes beyond the limit it arrives.
    let mut wire = site.connect();
    wire.send("POST /v1/claims HTTP/1.1\r\nhost: log\r\ntransfer-encoding: chunked\r\n\r\n");
    for _ in 0..3 {
        wire.send(&chunk);
    }
    assert_eq!(wire.answer().expect("an answer").says(), size);
    assert!(site.resident_kib() < before + GROWTH_KIB, "memory grew from {before} KiB to {} KiB", site.resident_kib());
    site.takes_a_claim();
    site.ends_well();
}

#[test]
fn what_is_too_large_inside_an_envelope_is_named() {
    let site = Site::start("");
    let key = &site.acme.key;
    let signed = |payload: &str| Envelope::sign(PAYLOAD_TYPE, payload.as_bytes(), &[key]).to_json();
    let with = |name: &str, value: Value| {
        let mut claim = site.acme.payload(usize::MAX, 0);
        claim[name] = value;
        signed(&claim.to_string())
    };
    let mut many: Value = serde_json::from_str(&site.acme.claim()).expect("JSON");
    let signature = many["signatures"][0].clone();
    many["signatures"] = (0..700).map(|_| signature.clone()).collect();
    let mut distinct: Value = serde_json::from_str(&site.acme.claim()).expect("JSON");
    distinct["signatures"] =
        (0..700).map(|n| json!({"keyid": format!("{n:064x}"), "sig": signature["sig"].clone()})).collect();
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let long = "x".repeat(70_000);
    let docs: Value = (0..65).map(|_| json!({"rel": "sbom", "sha256": "0".repeat(64)})).collect();
    let large: Value = (0..64)
        .map(|n| json!({"rel": "sbom", "sha256": format!("{n:064x}"), "uri": format!("urn:x:{}", "y".repeat(1200))}))
        .collect();
    let depth = serde_json::from_str(&deep(100)).expect("JSON");
    let rows: &[(&str, String, u16, &str)] = &[
        ("the same signature 700 times", many.to_string(), 400, "envelope.malformed"),
        ("700 signatures by as many keys", distinct.to_string(), 400, "envelope.malformed"),
        ("an envelope of 50,000 levels", deep(50_000), 400, "envelope.malformed"),
        ("a payload of 100 levels", with("body", depth), 422, "claim.depth"),
        ("a payload of 40,000 levels", signed(&deep(40_000)), 422, "claim.depth"),
        ("an entry beyond 65,535 bytes", with("docs", large), 413, "size.entry"),
        ("a text of 70,000 characters", with("type", long.into()), 422, "claim.too_long"),
        ("a list that is too long", with("docs", docs), 422, "claim.too_many"),
        ("a payload of nothing but digits", signed(&"9".repeat(80_000)), 422, "claim.number"),
        ("nothing", String::new(), 400, "envelope.malformed"),
    ];
    for (what, envelope, status, code) in rows {
        let answer = site.submit(envelope);
        assert_eq!(answer.says(), (*status, (*code).to_owned()), "{what}");
        site.takes_a_claim();
    }
    site.ends_well();
}

#[test]
fn a_line_of_a_stream_that_is_too_long_harms_no_other() {
    let site = Site::start("");
    let before = (site.resident_kib(), site.size());
    let long = "x".repeat(131_073);
    let body = [site.acme.claim(), long.clone(), site.acme.claim(), "y".repeat(20 << 20), site.acme.claim()].join("\n");
    let mut wire = Wire::connect(site.address());
    let answer = std::thread::scope(|scope| {
        let request = post("/v1/claims/stream", &body);
        let sender = scope.spawn(move || {
            wire.send(request);
            wire
        });
        sender.join().expect("it does not panic").answer().expect("an answer")
    });
    assert_eq!(answer.status, 200);
    let lines: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<(u64, Value)> =
        lines.iter().filter_map(|line| Some((line["status"].as_u64()?, line["problem"]["code"].clone()))).collect();
    let (good, bad) = ((201, Value::Null), (413, json!("size.envelope")));
    assert_eq!(told, [good.clone(), bad.clone(), good.clone(), bad, good]);
    assert_eq!(site.size(), before.1 + 3);
    assert!(site.resident_kib() < before.0 + GROWTH_KIB, "a line is not kept beyond its limit");
    site.ends_well();
}

//! The members that every claim has.

use serde_json::json;

use super::Edit::{Remove, Set};
use super::examples::{self, DIGEST, claim_id};
use super::{bad, edited, good, parse, refused};
use crate::claim::{Body, Claim, ClaimId, ClaimType, Manufacturer, PAYLOAD_TYPE, ProductKey, RelKind, pae};
use crate::code::Code;
use crate::hash::Hash;
use crate::num::TreeSize;

#[test]
fn every_example_is_taken() {
    for example in examples::all() {
        let claim = parse(&example).unwrap_or_else(|error| panic!("{error}\n{example:#}"));
        assert_eq!(claim.claim_type.as_str(), example["type"].as_str().unwrap());
    }
}

#[test]
fn the_frame_is_read_in_full() {
    let claim = parse(&examples::full_frame()).unwrap();
    assert_eq!(claim.logs[0].size, Some(TreeSize(7)));
    assert_eq!(claim.logs[0].root, Some(Hash::EMPTY_ROOT));
    assert_eq!(claim.logs[1].size, None);
    assert_eq!(claim.on_behalf_of.as_ref().unwrap().as_str(), "mandator.example");
    assert_eq!(claim.submit_before.as_ref().unwrap().millis(), 1_801_526_400_000);
    assert_eq!(claim.rel.kind, RelKind::Supersede);
    assert_eq!(claim.rel.target.as_ref().unwrap().origin.as_ref().unwrap().as_str(), "log.example/second");
    assert_eq!(claim.rel.note.as_deref(), Some("two\nlines"));
    assert_eq!(claim.docs[0].size, Some(1234));
    assert!(claim.docs[0].publish);
    let subject = claim.subject.as_ref().unwrap();
    assert_eq!(subject.manufacturer, Manufacturer::Name("ACME Corp.".into()));
    assert_eq!(subject.manufacturer.to_string(), "name:ACME Corp.");
    assert_eq!(subject.model, " CAM-3 ");
    assert_eq!(subject.ids[0].normalised, "04006381333931");
    let key = ProductKey { manufacturer: "name:acme corp.".into(), model_normalised: "cam-3".into() };
    assert_eq!(claim.product(), Some(key.clone()));
    assert_eq!(ProductKey::parse("name:ACME  corp.", "Cam-3"), Some(key));
    assert_eq!(ProductKey::parse("ACME.example", "x"), None);
    assert_eq!(ProductKey::parse("name: ", "x"), None);
    assert_eq!(ProductKey::parse("acme.example", " "), None);
}

#[test]
fn claim_ids() {
    // The encoding's own example (DSSE 1.0.2, protocol.md).
    assert_eq!(
        pae("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    let id = ClaimId::of(PAYLOAD_TYPE, b"{}");
    assert_eq!(ClaimId::parse(&id.to_string()), Ok(id));
    for wrong in
        [DIGEST.to_owned(), format!("SHA256:{DIGEST}"), format!("sha256:{}", DIGEST.to_uppercase()), "sha256:00".into()]
    {
        assert!(ClaimId::parse(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn required_members_and_unknown_ones() {
    let base = examples::support();
    for member in ["/type", "/logs", "/issuer", "/role", "/subject", "/asserted_at", "/rel", "/body"] {
        refused(&base, &[Remove(member)], Code::ClaimMissing, member);
    }
    for member in ["/rel/kind", "/subject/manufacturer", "/subject/model", "/logs/0/origin", "/body/security_until"] {
        refused(&base, &[Remove(member)], Code::ClaimMissing, member);
    }
    for place in ["/x", "/subject/x", "/subject/units/x", "/rel/x", "/logs/0/x", "/body/x"] {
        bad(&base, place, json!(1), Code::ClaimUnknownMember);
    }
    bad(&examples::full_frame(), "/docs/0/x", json!(1), Code::ClaimUnknownMember);
    bad(&examples::full_frame(), "/rel/target/x", json!(1), Code::ClaimUnknownMember);
    bad(&examples::full_frame(), "/subject/ids/0/x", json!(1), Code::ClaimUnknownMember);
    let error = Claim::parse(b"[]").unwrap_err();
    assert_eq!((error.code, error.pointer.as_deref()), (Code::ClaimWrongType, Some("")));
    bad(&base, "/effective", json!(null), Code::ClaimWrongType);
}

#[test]
fn types() {
    let base = examples::other();
    for unknown in ["support/v2", "posture/v1", "Support/v1", "support", ""] {
        bad(&base, "/type", json!(unknown), Code::ClaimUnknownType);
    }
    for malformed in ["https:", ":x", "1x:y", "https://a b", "https://é", "https://a/%zz", "x:a#b#c"] {
        bad(&base, "/type", json!(malformed), Code::ClaimValue);
    }
    bad(&base, "/type", json!(format!("x:{}", "a".repeat(2047))), Code::ClaimTooLong);
    let claim = good(&base, "/type", json!("urn:example:t"));
    assert_eq!(claim.claim_type, ClaimType::Other("urn:example:t".into()));
    assert!(matches!(good(&base, "/body", json!([1])).body, Body::Other(_)));
}

#[test]
fn logs() {
    let base = examples::support();
    bad(&base, "/logs", json!([]), Code::ClaimValue);
    let log = |n: usize| json!({"origin": format!("log{n}.example")});
    bad(&base, "/logs", json!((0..5).map(log).collect::<Vec<_>>()), Code::ClaimTooMany);
    good(&base, "/logs", json!((0..4).map(log).collect::<Vec<_>>()));
    refused(&base, &[Set("/logs", json!([log(0), log(0)]))], Code::ClaimValue, "/logs/1");
    for registry in [examples::log(), examples::issuer()] {
        bad(&registry, "/logs", json!([log(0), log(1)]), Code::ClaimTooMany);
    }
    for origin in ["", "a b", "a+b", "https://log.example", "é", &"x".repeat(251)] {
        bad(&base, "/logs/0/origin", json!(origin), Code::ClaimValue);
    }
    refused(&base, &[Set("/logs/0/size", json!(1))], Code::ClaimMissing, "/logs/0/root");
    refused(&base, &[Set("/logs/0/root", json!(Hash::EMPTY_ROOT.to_base64()))], Code::ClaimMissing, "/logs/0/size");
    bad(&examples::full_frame(), "/logs/0/size", json!(-1), Code::ClaimValue);
    bad(&examples::full_frame(), "/logs/0/size", json!(1.5), Code::ClaimValue);
    bad(&examples::full_frame(), "/logs/0/root", json!(DIGEST), Code::ClaimValue);
}

#[test]
fn issuers_and_roles() {
    let base = examples::support();
    let label = "a".repeat(63);
    for id in ["xn--bcher-kva.example", "a-b.c1", "1.example", &format!("{label}.{label}.{label}.{}", &label[..61])] {
        good(&base, "/issuer", json!(id));
    }
    let wrong = [
        "",
        "example",
        "Acme.example",
        "acme.example.",
        ".acme.example",
        "a..b",
        "-a.example",
        "a-.example",
        "a_b.example",
        "bücher.example",
        "ab--c.example",
        "xn--.example",
        "10.0.0.1",
        "acme.example:443",
        "name:acme",
    ];
    for id in wrong {
        bad(&base, "/issuer", json!(id), Code::ClaimValue);
    }
    bad(&base, "/issuer", json!(format!("{label}.{label}.{label}.{}", &label[..62])), Code::ClaimValue);
    bad(&base, "/issuer", json!(format!("a{label}.example")), Code::ClaimValue);
    bad(&base, "/role", json!("Manufacturer"), Code::ClaimValue);
    bad(&base, "/role", json!("operator"), Code::ClaimValue);
    bad(&examples::log(), "/role", json!("manufacturer"), Code::ClaimValue);
    bad(&base, "/on_behalf_of", json!("x"), Code::ClaimValue);
}

#[test]
fn subjects() {
    let base = examples::support();
    for registry in [examples::log(), examples::issuer()] {
        bad(&registry, "/subject", base["subject"].clone(), Code::ClaimUnknownMember);
    }
    let product = json!({"manufacturer": "acme.example", "model": "CAM-3"});
    assert!(good(&examples::contact(), "/subject", product).product().is_some());
    assert!(parse(&edited(examples::other(), &[Remove("/subject")])).unwrap().product().is_none());
    for maker in ["name:", "name: ", "ACME", "name:a\u{200b}b", "name:a\u{378}"] {
        bad(&base, "/subject/manufacturer", json!(maker), Code::ClaimValue);
    }
    for model in ["", " ", "a\u{0}", "a\nb", "a\u{7f}", "a\u{202e}b", "a\u{ad}b", "\u{378}", "\u{e000}"] {
        bad(&base, "/subject/model", json!(model), Code::ClaimValue);
    }
    bad(&base, "/subject/model", json!("x".repeat(2049)), Code::ClaimTooLong);
    bad(&base, "/subject/markets", json!(vec!["DE"; 257]), Code::ClaimTooMany);
    refused(&base, &[Set("/subject/markets", json!(["DE", "DE"]))], Code::ClaimValue, "/subject/markets/1");
    refused(&base, &[Set("/subject/markets", json!(["de"]))], Code::ClaimValue, "/subject/markets/0");
    bad(&base, "/subject/versions", json!(vec!["1"; 513]), Code::ClaimTooMany);
    let units = json!({"batch": "B7"});
    bad(&examples::release(), "/subject/units", units, Code::ClaimUnknownMember);
}

#[test]
fn units_are_canonical() {
    let base = examples::support();
    let key = |units| good(&base, "/subject/units", units).slot_key().unwrap();
    assert_eq!(parse(&base).unwrap().slot_key().unwrap(), "b 7\x002027-01-01\x002027-12-31");
    assert_eq!(key(json!({"placed_until": "2027-12"})), key(json!({"placed_until": "2027-12-31"})));
    assert_eq!(key(json!({"batch": " b  7"})), key(json!({"batch": "B 7"})));
    assert_ne!(key(json!({"placed_until": "2027-12"})), key(json!({"placed_from": "2027-12-31"})));
    assert_eq!(parse(&edited(base.clone(), &[Remove("/subject/units")])).unwrap().slot_key().unwrap(), "");
    bad(&base, "/subject/units", json!({}), Code::ClaimValue);
    bad(&base, "/subject/units/placed_until", json!("2026-12"), Code::ClaimValue);
    bad(&base, "/subject/units/placed_from", json!("2027-01-01T00:00:00Z"), Code::ClaimDate);
}

#[test]
fn dates() {
    let base = examples::full_frame();
    bad(&base, "/asserted_at", json!("2027-02-01"), Code::ClaimDate);
    bad(&base, "/submit_before", json!("2027-02"), Code::ClaimDate);
    bad(&base, "/effective", json!("2027-02-30"), Code::ClaimDate);
    bad(&base, "/until", json!("tba"), Code::ClaimDate);
    bad(&base, "/until", json!(2027), Code::ClaimWrongType);
}

#[test]
fn relations() {
    let base = examples::support();
    let target = json!({"id": claim_id()});
    bad(&base, "/rel/target", target.clone(), Code::ClaimValue);
    bad(&base, "/rel/kind", json!("reveal"), Code::ClaimValue);
    bad(&base, "/rel/kind", json!("replace"), Code::ClaimValue);
    for kind in ["amend", "supersede", "withdraw", "confirm", "dispute"] {
        refused(&base, &[Set("/rel/kind", json!(kind))], Code::ClaimMissing, "/rel/target");
    }
    for kind in ["amend", "supersede"] {
        let claim = good(&base, "/rel", json!({"kind": kind, "target": target}));
        assert!(claim.slot_key().is_some());
    }
    for kind in ["withdraw", "confirm", "dispute"] {
        let rel = json!({"kind": kind, "target": target, "reason": "r"});
        let edits = [Set("/rel", rel), Set("/body", json!({}))];
        let claim = parse(&edited(base.clone(), &edits)).unwrap();
        assert_eq!((&claim.body, claim.slot_key()), (&Body::Empty, None));
        let spoken = edited(base.clone(), &edits);
        refused(&spoken, &[Remove("/rel/reason")], Code::ClaimMissing, "/rel/reason");
        bad(&spoken, "/body", json!({"security_until": "2031"}), Code::ClaimValue);
        bad(&spoken, "/body", json!([]), Code::ClaimWrongType);
        for registry in [examples::log(), examples::issuer()] {
            refused(&registry, &edits, Code::ClaimValue, "/rel/kind");
        }
    }
    bad(&examples::full_frame(), "/rel/target/id", json!(DIGEST), Code::ClaimValue);
    bad(&examples::full_frame(), "/rel/target/origin", json!("a b"), Code::ClaimValue);
    bad(&base, "/authority", json!("x"), Code::ClaimValue);
}

#[test]
fn free_text_is_short_and_visible() {
    let base = examples::full_frame();
    good(&base, "/rel/note", json!("é".repeat(200)));
    bad(&base, "/rel/note", json!("x".repeat(201)), Code::ClaimTooLong);
    bad(&base, "/rel/reason", json!("x".repeat(201)), Code::ClaimTooLong);
    bad(&base, "/rel/reason", json!(""), Code::ClaimValue);
    bad(&base, "/rel/reason", json!("\u{1b}[2J"), Code::ClaimValue);
}

#[test]
fn tags_and_documents() {
    let base = examples::full_frame();
    for tag in ["cra", ":x", "cra:", "CRA:x", "cra:a b"] {
        refused(&base, &[Set("/legal", json!([tag]))], Code::ClaimValue, "/legal/0");
    }
    bad(&base, "/legal", json!(vec!["a:b"; 65]), Code::ClaimTooMany);
    refused(&base, &[Set("/legal", json!([format!("a:{}", "b".repeat(200))]))], Code::ClaimTooLong, "/legal/0");
    let doc = json!({"rel": "x", "sha256": DIGEST});
    good(&base, "/docs", json!(vec![doc.clone(); 64]));
    bad(&base, "/docs", json!(vec![doc; 65]), Code::ClaimTooMany);
    bad(&base, "/docs/0/rel", json!("A b"), Code::ClaimValue);
    bad(&base, "/docs/0/sha256", json!("00"), Code::ClaimValue);
    bad(&base, "/docs/0/size", json!(-1), Code::ClaimValue);
    bad(&base, "/docs/0/uri", json!("/doc"), Code::ClaimValue);
    bad(&base, "/docs/0/publish", json!("yes"), Code::ClaimWrongType);
    for media_type in ["pdf", "a/b/c", "a/é", "/b", "a/"] {
        bad(&base, "/docs/0/media_type", json!(media_type), Code::ClaimValue);
    }
    good(&base, "/docs/0/media_type", json!("application/vnd.x+json; charset=utf-8"));
    refused(&base, &[Remove("/docs/0/sha256")], Code::ClaimMissing, "/docs/0/sha256");
    refused(&base, &[Remove("/docs/0/rel")], Code::ClaimMissing, "/docs/0/rel");
}

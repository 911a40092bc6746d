//! Bodies and envelopes.

use claimtrail_log::testing::{self, number};
use proto::claim::PAYLOAD_TYPE;
use proto::dsse::Envelope;
use serde_json::json;

use crate::table::{Ask, Row};
use crate::world::promise;

/// A payload of any bytes, signed by Acme.
pub(crate) fn signed(payload: &[u8]) -> Envelope {
    Envelope::sign(PAYLOAD_TYPE, payload, &[&testing::key(number::ACME_SIGN)])
}

fn good() -> String {
    testing::support("CAM-9", "2031-03").to_json()
}

/// The text of Acme's promise with one piece replaced, signed.
fn with_text(from: &str, to: &str) -> Envelope {
    let text = testing::support_claim("CAM-9", "2031-03").to_string();
    assert!(text.contains(from), "{from} is not in {text}");
    signed(text.replacen(from, to, 1).as_bytes())
}

pub(crate) fn rows() -> Vec<Row> {
    [malformed(), doubled(), base64(), payload_type(), oversized()].into_iter().flatten().collect()
}

fn malformed() -> Vec<Row> {
    const LINE: &str = "malformed JSON";
    let shape = "the envelope is not the JSON object of DSSE";
    vec![
        Row::raw(LINE, "no body", "")
            .says(400, "envelope.malformed", format!("{shape}: EOF while parsing a value at line 1 column 0"))
            .at("")
            .in_a_stream("The line is blank; each line is one envelope."),
        Row::raw(LINE, "an envelope that is cut off", &good().as_bytes()[..40])
            .says(400, "envelope.malformed", format!("{shape}: EOF while parsing a string at line 1 column 40"))
            .at(""),
        Row::raw(LINE, "a list", "[]")
            .says(
                400,
                "envelope.malformed",
                format!("{shape}: invalid type: sequence, expected an object at line 1 column 0"),
            )
            .at(""),
        Row::raw(LINE, "not UTF-8", b"{\"payload\xff\"".to_vec())
            .says(400, "envelope.malformed", "the envelope is not UTF-8 (byte 9)")
            .at(""),
        Row::raw(LINE, "two envelopes in one body", format!("{} {}", good(), good()))
            .says(
                400,
                "envelope.malformed",
                format!("{shape}: trailing characters at line 1 column {}", good().len() + 2),
            )
            .at(""),
        Row::raw(LINE, "no signatures member", r#"{"payloadType":"t","payload":"e30="}"#)
            .says(400, "envelope.malformed", "the member `signatures` is missing")
            .at("/signatures"),
        Row::envelope(LINE, "a payload that is cut off", &signed(b"{\"type\":"))
            .says(422, "claim.json", "not JSON: EOF while parsing a value at line 1 column 8")
            .at("/type"),
        Row::envelope(LINE, "a payload that is not UTF-8", &signed(b"{\"type\":\"\xff\"}"))
            .says(422, "claim.json", "not UTF-8 at byte 9")
            .at("/type"),
        Row::envelope(LINE, "a payload with bytes after its end", &signed(b"{} {}"))
            .says(422, "claim.json", "bytes follow the end of the JSON document")
            .at(""),
        Row::envelope(LINE, "a payload of nothing", &signed(b""))
            .says(422, "claim.json", "not JSON: EOF while parsing a value at line 1 column 0")
            .at(""),
        Row::envelope(LINE, "a payload nested too deeply", &signed(&[b'['; 100]))
            .says(422, "claim.depth", "nested more than 16 deep")
            .at("/0".repeat(16)),
    ]
}

fn doubled() -> Vec<Row> {
    const LINE: &str = "duplicate keys";
    vec![
        Row::raw(LINE, "a member of the envelope", good().replacen('{', r#"{"payload":"","#, 1))
            .says(400, "envelope.duplicate_member", "the member /payload stands twice in the envelope")
            .at("/payload"),
        Row::raw(LINE, "a member of a signature", good().replacen(r#""keyid""#, r#""sig":"","keyid""#, 1))
            .says(400, "envelope.duplicate_member", "the member /signatures/0/sig stands twice in the envelope")
            .at("/signatures/0/sig"),
        Row::raw(LINE, "a member that nobody knows", good().replacen('{', r#"{"x":1,"x":1,"#, 1))
            .says(400, "envelope.duplicate_member", "the member /x stands twice in the envelope")
            .at("/x"),
        Row::envelope(
            LINE,
            "a member of the claim",
            &with_text(r#""issuer":"#, r#""issuer":"beta.example","issuer":"#),
        )
        .says(422, "claim.duplicate_key", "this member stands twice; leave one of them")
        .at("/issuer"),
        Row::envelope(
            LINE,
            "a member within the claim",
            &with_text(r#""security_until":"#, r#""security_until":"2030","security_until":"#),
        )
        .says(422, "claim.duplicate_key", "this member stands twice; leave one of them")
        .at("/body/security_until"),
    ]
}

fn base64() -> Vec<Row> {
    const LINE: &str = "wrong base64";
    let says = "not canonical base64 with padding (RFC 4648 §4 or §5)";
    let payload = |text: &str| format!(r#"{{"payloadType":"{PAYLOAD_TYPE}","payload":"{text}","signatures":[]}}"#);
    let sig = good().replace("==\"}]", "\"}]");
    assert_ne!(sig, good());
    let root = promise("CAM-9", |claim| claim["logs"][0] = json!({"origin": testing::ORIGIN, "size": 1, "root": "AB"}));
    let key = crate::world::change(json!([{"alg": "ed25519", "spki": "MCow*", "use": "sign"}]));
    vec![
        Row::raw(LINE, "no base64", payload("e30*")).says(400, "envelope.base64", says).at("/payload"),
        Row::raw(LINE, "both alphabets", payload("+_8=")).says(400, "envelope.base64", says).at("/payload"),
        Row::raw(LINE, "a line break", payload("e30=\\n")).says(400, "envelope.base64", says).at("/payload"),
        Row::raw(LINE, "a signature without padding", sig).says(400, "envelope.base64", says).at("/signatures/0/sig"),
        Row::envelope(LINE, "a root of an anchor", &root)
            .says(422, "claim.value", "expected a root hash: base64 of 32 bytes, as in a checkpoint")
            .at("/logs/0/root"),
        Row::envelope(LINE, "a key", &testing::sign(&key, &[number::ACME_ADMIN]))
            .says(422, "claim.value", "expected padded base64 of the key's DER SubjectPublicKeyInfo")
            .at("/body/keys/0/spki"),
        Row::raw("non-canonical base64", "a payload without padding", payload("e30"))
            .says(400, "envelope.base64", says)
            .at("/payload"),
        Row::raw("non-canonical base64", "a payload with bits behind its end", payload("e31="))
            .says(400, "envelope.base64", says)
            .at("/payload"),
    ]
}

fn payload_type() -> Vec<Row> {
    const LINE: &str = "wrong payload type";
    let says = format!("the payload type must be {PAYLOAD_TYPE}");
    let of_type = |payload_type: &str| {
        let payload = testing::support_claim("CAM-9", "2031-03").to_string();
        Envelope::sign(payload_type, payload.as_bytes(), &[&testing::key(number::ACME_SIGN)])
    };
    vec![
        Row::envelope(LINE, "another version", &of_type("application/vnd.claimtrail.claim.v9+json"))
            .says(415, "payload_type.unsupported", &says)
            .at("/payloadType"),
        Row::envelope(LINE, "another format", &of_type("application/vnd.in-toto+json"))
            .says(415, "payload_type.unsupported", &says)
            .at("/payloadType"),
        Row::envelope(LINE, "none", &of_type("")).says(415, "payload_type.unsupported", &says).at("/payloadType"),
        Row::new(LINE, "another content type of the request", Ask::Post("text/plain", good().into())).says(
            415,
            "request.content_type",
            "This content type is not taken here; send application/json or application/vnd.dsse.envelope.v1+json.",
        ),
    ]
}

fn oversized() -> Vec<Row> {
    let docs = |count: usize| {
        let uri = format!("https://acme.example/{}", "x".repeat(1900));
        let doc = |n: usize| json!({"rel": "sbom", "sha256": format!("{n:064x}"), "uri": uri});
        promise("CAM-9", |claim| claim["docs"] = (0..count).map(doc).collect())
    };
    vec![
        Row::raw("oversized body", "one byte more than the limit", vec![b' '; 131_073])
            .says(413, "size.envelope", "The request's body is larger than 131072 bytes; send a smaller one.")
            .with_limit(131_072)
            .in_a_stream("The line is longer than 131072 bytes; it was skipped up to its end."),
        Row::envelope("oversized body", "a claim that no envelope holds", &docs(60))
            .says(413, "size.envelope", "The request's body is larger than 131072 bytes; send a smaller one.")
            .with_limit(131_072)
            .in_a_stream("The line is longer than 131072 bytes; it was skipped up to its end."),
        Row::envelope("oversized entry", "a claim that an envelope holds and no entry", &docs(40))
            .says(
                413,
                "size.entry",
                "the entry would have 81271 bytes; at most 65535 fit in this log, so name long parts as \"docs\"",
            )
            .with_limit(65_535)
            .with_refusal(),
    ]
}

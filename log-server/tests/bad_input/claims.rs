//! The form of claims.

use claimtrail_log::testing::{self, number};
use serde_json::json;

use crate::table::Row;
use crate::world::{World, promise};

pub(crate) fn rows(world: &World) -> Vec<Row> {
    [types(), texts(), kinds(world), dates(), numbers()].into_iter().flatten().collect()
}

fn types() -> Vec<Row> {
    const LINE: &str = "an unknown short type";
    let of_type = |name: &str| promise("CAM-9", |claim| claim["type"] = json!(name));
    let says = "not a type of rules version 1 (log/v1, issuer/v1, product/v1, support/v1, contact/v1, release/v1, \
                vulnerability/v1, conformity/v1, observation/v1); a type of your own is an absolute URI";
    vec![
        Row::envelope(LINE, "misspelled", &of_type("suport/v1")).says(422, "claim.unknown_type", says).at("/type"),
        Row::envelope(LINE, "a version to come", &of_type("support/v2"))
            .says(422, "claim.unknown_type", says)
            .at("/type"),
        Row::envelope(LINE, "empty", &of_type("")).says(422, "claim.unknown_type", says).at("/type"),
        Row::envelope(LINE, "neither short nor a URI", &of_type("acme:a type"))
            .says(422, "claim.value", "expected a type of rules version 1, or an absolute URI (RFC 3986, ASCII only)")
            .at("/type"),
    ]
}

fn texts() -> Vec<Row> {
    const LINE: &str = "free text over the limit";
    let says = "free text of more than 200 characters; put it into a document in \"docs\"";
    let with_note = |note: String| promise("CAM-9", |claim| claim["rel"]["note"] = json!(note));
    let mut enrolment = crate::world::registry("gamma.example", "importer", json!([]));
    enrolment["body"]["legal_name"] = json!("G".repeat(201));
    vec![
        Row::envelope(LINE, "a note", &with_note("n".repeat(201))).says(422, "claim.too_long", says).at("/rel/note"),
        Row::envelope(LINE, "counted in characters", &with_note("\u{1F980}".repeat(201)))
            .says(422, "claim.too_long", says)
            .at("/rel/note"),
        Row::envelope(LINE, "a string that no claim holds", &with_note("n".repeat(5000)))
            .says(422, "claim.too_long", "a string of more than 4096 bytes")
            .at("/rel/note"),
        Row::envelope(LINE, "a legal name", &testing::sign(&enrolment, &[number::REGISTRAR]))
            .says(422, "claim.too_long", says)
            .at("/body/legal_name"),
    ]
}

fn kinds(world: &World) -> Vec<Row> {
    const LINE: &str = "wrong type of field";
    let target = json!({"kind": "supersede", "target": world.promise});
    let row = |case, pointer: &str, value, says| {
        let changed = promise("CAM-9", |claim| *claim.pointer_mut(pointer).expect("a member") = value);
        Row::envelope(LINE, case, &changed).says(422, "claim.wrong_type", says).at(pointer)
    };
    let number =
        testing::support("CAM-9", "2031-03").to_json().replace("\"payloadType\":\"", "\"payloadType\":5,\"x\":\"");
    vec![
        row("a number for a date", "/body/security_until", json!(2031), "expected a string, found a number"),
        row("an object for a list", "/logs", json!({"origin": testing::ORIGIN}), "expected an array, found an object"),
        row("a list for a text", "/issuer", json!(["acme.example"]), "expected a string, found an array"),
        row("null for an object", "/body", json!(null), "expected an object, found null"),
        row("a text for a log", "/logs/0", json!(testing::ORIGIN), "expected an object, found a string"),
        Row::envelope(LINE, "a text for an object", &promise("CAM-9", |claim| claim["rel"] = target))
            .says(422, "claim.wrong_type", "expected an object, found a string")
            .at("/rel/target"),
        Row::envelope(LINE, "a claim that is a list", &crate::envelopes::signed(b"[]"))
            .says(422, "claim.wrong_type", "expected an object, found an array")
            .at(""),
        Row::raw(LINE, "a number for the payload type", number).says(400, "envelope.malformed", "the envelope is not the JSON object of DSSE: invalid type: integer `5`, expected a string at line 1 column 16").at(""),
    ]
}

fn dates() -> Vec<Row> {
    const LINE: &str = "invalid date";
    let until = |case, text: &str| {
        let changed = promise("CAM-9", |claim| claim["body"]["security_until"] = json!(text));
        Row::envelope(LINE, case, &changed).says(422, "claim.date", "expected a date: YYYY-MM, YYYY-MM-DD, RFC 3339, or \"tba\", \"none\", \"ended\"; years 1970 to 9999, no leap second").at("/body/security_until")
    };
    let asserted = |case, text: &str| {
        let changed = promise("CAM-9", |claim| claim["asserted_at"] = json!(text));
        Row::envelope(LINE, case, &changed)
            .says(
                422,
                "claim.date",
                "expected a date: RFC 3339, such as 2027-02-01T12:00:00Z; years 1970 to 9999, no leap second",
            )
            .at("/asserted_at")
    };
    vec![
        until("a word", "soon"),
        until("a year alone", "2031"),
        until("a month without its zero", "2031-3"),
        until("a month that no year has", "2031-13"),
        until("a day that the month has not", "2031-02-30"),
        until("the day before the first", "1969-12-31"),
        until("white space", "2031-03 "),
        asserted("a day where a moment belongs", "2027-02-01"),
        asserted("small letters", "2027-02-01t12:00:00z"),
        asserted("no offset", "2027-02-01T12:00:00"),
        asserted("a leap second", "2026-12-31T23:59:60Z"),
    ]
}

fn numbers() -> Vec<Row> {
    const LINE: &str = "non-canonical decimals";
    let root = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let anchored = |size: &str| {
        let text = promise_text(&format!(r#"{{"origin":"{}","root":"{root}","size":{size}}}"#, testing::ORIGIN));
        crate::envelopes::signed(text.as_bytes())
    };
    let root = |root: &str| {
        promise("CAM-9", |claim| claim["logs"][0] = json!({"origin": testing::ORIGIN, "size": 1, "root": root}))
    };
    vec![
        Row::envelope(LINE, "a size with a leading zero", &anchored("03"))
            .says(422, "claim.json", "not JSON: invalid number at line 1 column 198")
            .at("/logs/0/size"),
        Row::envelope(LINE, "a size with a sign", &anchored("+3"))
            .says(422, "claim.json", "not JSON: expected value at line 1 column 197")
            .at("/logs/0/size"),
        Row::envelope(LINE, "a size that is a fraction", &anchored("3.5"))
            .says(422, "claim.value", "expected a whole number of 0 or more")
            .at("/logs/0/size"),
        Row::envelope(LINE, "a size that is a text", &anchored("\"3\""))
            .says(422, "claim.wrong_type", "expected a whole number, found a string")
            .at("/logs/0/size"),
        Row::envelope(LINE, "a negative size", &anchored("-3"))
            .says(422, "claim.value", "expected a whole number of 0 or more")
            .at("/logs/0/size"),
        Row::envelope(LINE, "a size beyond 2^53", &anchored("9007199254740993"))
            .says(
                422,
                "claim.number",
                "numbers must be finite and at most 2^53 in magnitude; write larger ones as text",
            )
            .at("/logs/0/size"),
        Row::envelope(
            "non-canonical base64",
            "a root with bits behind its end",
            &root(&format!("{}B=", "A".repeat(42))),
        )
        .says(422, "claim.value", "expected a root hash: base64 of 32 bytes, as in a checkpoint")
        .at("/logs/0/root"),
        Row::envelope("non-canonical base64", "a root in the other alphabet", &root(&format!("{}8=", "-".repeat(42))))
            .says(422, "claim.value", "expected a root hash: base64 of 32 bytes, as in a checkpoint")
            .at("/logs/0/root"),
    ]
}

/// Acme's promise with this text for its only log.
fn promise_text(log: &str) -> String {
    let claim = testing::support_claim("CAM-9", "2031-03");
    let own = json!({"origin": testing::ORIGIN}).to_string();
    let text = claim.to_string();
    assert!(text.contains(&own), "{text}");
    text.replacen(&own, log, 1)
}

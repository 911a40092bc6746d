//! Signatures that do not hold, that are missing, and that are too many.

use claimtrail_log::testing::{self, number};
use proto::claim::PAYLOAD_TYPE;
use proto::dsse::{Envelope, pae};
use proto::ed25519::Signature;
use serde_json::json;

use crate::crafted;
use crate::table::Row;
use crate::world::{self, World, id, keys};

pub(crate) fn rows(_: &World) -> Vec<Row> {
    [strict(), other_bytes(), stripped(), extra()].into_iter().flatten().collect()
}

fn good() -> Envelope {
    testing::support("CAM-9", "2031-03")
}

/// The promise with another signature by Acme's key.
fn signed_as(signature: Vec<u8>) -> Envelope {
    let mut envelope = good();
    envelope.signatures[0].signature = Signature(signature);
    envelope
}

fn does_not_verify(row: Row, number: u8) -> Row {
    let says =
        format!("the signature of key {} does not verify over this payload (strict Ed25519); sign it anew", id(number));
    row.says(422, "signature.invalid", says).at("/signatures")
}

fn strict() -> Vec<Row> {
    const LINE: &str = "non-strict signature";
    let seed = [number::ACME_SIGN; 32];
    let envelope = good();
    let message = pae(PAYLOAD_TYPE, &envelope.payload);
    let crafted = [
        ("S is not reduced", crafted::with_s_plus_l(&envelope.signatures[0].signature.0)),
        ("R is of small order", crafted::with_small_r(&seed, &message)),
        ("R is of small order and not canonical", crafted::with_small_r_spelled_otherwise(&seed, &message)),
        ("R has a part of small order", crafted::with_mixed_r(&seed, &message)),
    ];
    let row = |(case, signature): (&'static str, Vec<u8>)| {
        assert!(crafted::passes_the_loosest_check(&seed, &message, &signature), "{case}: a lax verifier takes it");
        does_not_verify(Row::envelope(LINE, case, &signed_as(signature)), number::ACME_SIGN)
    };
    let mut rows: Vec<Row> = crafted.into_iter().map(row).collect();
    for (case, length) in [("63 bytes", 63), ("65 bytes", 65), ("no bytes", 0)] {
        let mut signature = envelope.signatures[0].signature.0.clone();
        signature.resize(length, 0);
        rows.push(does_not_verify(Row::envelope(LINE, case, &signed_as(signature)), number::ACME_SIGN));
    }
    rows
}

fn other_bytes() -> Vec<Row> {
    const LINE: &str = "signature over other bytes";
    let key = testing::key(number::ACME_SIGN);
    let mut other_payload = testing::support("CAM-9", "2032-03");
    other_payload.payload = good().payload;
    let other_type = Envelope::sign("application/json", &good().payload, &[&key]);
    let mut flipped = good().signatures[0].signature.0.clone();
    flipped[10] ^= 1;
    let mut of_another_key = good();
    of_another_key.signatures[0].signature = testing::key(keys::BETA_SIGN).sign(&pae(PAYLOAD_TYPE, &good().payload));
    let rows = [
        ("over another claim", other_payload),
        ("over the payload alone", signed_as(key.sign(&good().payload).0)),
        ("over another payload type", signed_as(other_type.signatures[0].signature.0.clone())),
        ("with one bit flipped", signed_as(flipped)),
        ("by another key than the one named", of_another_key),
    ];
    let rows = rows
        .into_iter()
        .map(|(case, envelope)| does_not_verify(Row::envelope(LINE, case, &envelope), number::ACME_SIGN));
    rows.collect()
}

fn stripped() -> Vec<Row> {
    const LINE: &str = "stripped signatures";
    let none = format!(
        r#"{{"payloadType":"{PAYLOAD_TYPE}","payload":"{}","signatures":[]}}"#,
        proto::b64::encode(good().payload)
    );
    let added = json!([world::key(keys::NEW_ADMIN, "admin"), world::key(keys::NEW_SIGN, "sign")]);
    let enrolment = world::registry("gamma.example", "importer", added);
    let change = world::change(json!([world::key(keys::NEW_SIGN, "sign")]));
    vec![
        Row::raw(LINE, "none is left", none)
            .says(422, "signature.missing", "the envelope has no signature")
            .at("/signatures"),
        Row::envelope(LINE, "the registrar's is gone", &testing::sign(&enrolment, &[keys::NEW_ADMIN, keys::NEW_SIGN]))
            .says(403, "right.registrar", "this claim needs the signatures of 1 registrar key(s); it has 0")
            .at("/signatures")
            .with_refusal(),
        Row::envelope(LINE, "the admin key's is gone", &testing::sign(&change, &[keys::NEW_SIGN]))
            .says(422, "signature.missing", "this claim needs the signatures of 1 admin key(s) of the issuer; it has 0")
            .at("/signatures")
            .with_refusal(),
    ]
}

fn extra() -> Vec<Row> {
    const LINE: &str = "extra signatures";
    let one = "a claim of this type carries exactly one signature";
    let claim = testing::support_claim("CAM-9", "2031-03");
    let added = json!([world::key(keys::NEW_SIGN, "sign")]);
    let change = world::change(added);
    let logged = testing::support_claim("CAM-1", "2031-03");
    let twice = {
        let text = good().to_json();
        let one = text[text.find("[{").expect("a list") + 1..text.len() - 2].to_owned();
        text.replace(&one, &format!("{one},{one}"))
    };
    vec![
        Row::envelope(LINE, "two keys of the issuer", &testing::sign(&claim, &[number::ACME_SIGN, number::ACME_ADMIN]))
            .says(422, "signature.extra", one)
            .at("/signatures")
            .with_refusal(),
        Row::envelope(LINE, "a key of another issuer", &testing::sign(&claim, &[number::ACME_SIGN, keys::BETA_SIGN]))
            .says(422, "signature.extra", one)
            .at("/signatures")
            .with_refusal(),
        Row::envelope(
            LINE,
            "a registrar where none is needed",
            &testing::sign(&change, &[number::ACME_ADMIN, keys::NEW_SIGN, number::REGISTRAR]),
        )
        .says(422, "signature.extra", "this claim needs the signatures of 0 registrar key(s); it has 1")
        .at("/signatures")
        .with_refusal(),
        Row::envelope(
            LINE,
            "another issuer's admin key",
            &testing::sign(&change, &[number::ACME_ADMIN, keys::NEW_SIGN, keys::BETA_ADMIN]),
        )
        .says(
            422,
            "signature.extra",
            format!("the signature of key {} is not one this claim needs; take it away", id(keys::BETA_ADMIN)),
        )
        .at("/signatures")
        .with_refusal(),
        Row::raw(LINE, "one key twice", twice)
            .says(
                422,
                "signature.extra",
                format!("the key {} signed twice; each key signs once", id(number::ACME_SIGN)),
            )
            .at("/signatures"),
        Row::envelope(
            LINE,
            "a claim that is in the log, with one more",
            &testing::sign(&logged, &[number::ACME_SIGN, number::ACME_ADMIN]),
        )
        .says(
            409,
            "slot.other_signatures",
            "the same payload is in the log with other signatures; its receipt is in this answer",
        )
        .with_receipt(),
        Row::envelope(
            "stripped signatures",
            "a claim that is in the log, with another one",
            &testing::sign(&logged, &[number::ACME_ADMIN]),
        )
        .says(
            409,
            "slot.other_signatures",
            "the same payload is in the log with other signatures; its receipt is in this answer",
        )
        .with_receipt(),
    ]
}

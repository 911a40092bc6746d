//! Keys that may not speak, and keys that may not be enrolled.

use claimtrail_log::testing::{self, number};
use proto::dsse::Envelope;
use serde_json::{Value, json};

use crate::table::Row;
use crate::world::{self, World, change, id, keys};

/// DER prefix of an Ed25519 SubjectPublicKeyInfo (RFC 8410 §4).
const SPKI_PREFIX: &str = "302a300506032b6570032100";

pub(crate) fn rows(_: &World) -> Vec<Row> {
    [signing(), possession(), weak(), taken()].into_iter().flatten().collect()
}

/// Acme's promise signed by another key.
fn promise_by(number: u8) -> Envelope {
    testing::sign(&testing::support_claim("CAM-9", "2031-03"), &[number])
}

/// An enrolment of Gamma with the two new keys, signed by these.
fn enrolment_by(signers: &[u8]) -> Envelope {
    let added = json!([world::key(keys::NEW_ADMIN, "admin"), world::key(keys::NEW_SIGN, "sign")]);
    testing::sign(&world::registry("gamma.example", "importer", added), signers)
}

fn signing() -> Vec<Row> {
    vec![
        Row::envelope("unknown key", "a key that nobody enrolled", &promise_by(keys::NEW_SIGN))
            .says(
                403,
                "key.unknown",
                format!(
                    "the key {} is not enrolled in this log; enrol it with an issuer/v1 claim first",
                    id(keys::NEW_SIGN)
                ),
            )
            .at("/signatures"),
        Row::envelope("unknown key", "the log's own key", &promise_by(number::LOG))
            .says(
                403,
                "key.unknown",
                format!(
                    "the key {} is not enrolled in this log; enrol it with an issuer/v1 claim first",
                    id(number::LOG)
                ),
            )
            .at("/signatures"),
        Row::raw(
            "unknown key",
            "a key id in capitals",
            promise_by(number::ACME_SIGN)
                .to_json()
                .replace(&id(number::ACME_SIGN).to_string(), &id(number::ACME_SIGN).to_string().to_uppercase()),
        )
        .says(
            400,
            "envelope.keyid",
            "`keyid` must be 64 lower-case hex digits: SHA-256 of the key's SubjectPublicKeyInfo",
        )
        .at("/signatures/0/keyid"),
        Row::envelope("revoked key", "a key that was revoked", &promise_by(keys::REVOKED))
            .says(
                403,
                "key.revoked",
                format!("the key {} was revoked by entry 4; sign with another key", id(keys::REVOKED)),
            )
            .at("/signatures")
            .with_refusal(),
        Row::envelope("revoked key", "revoking it again", &{
            let mut claim = change(json!([]));
            claim["body"]["revoke"] = json!([{"key_id": id(keys::REVOKED).to_string(), "reason": "lost"}]);
            testing::sign(&claim, &[number::ACME_ADMIN])
        })
        .says(403, "key.revoked", "the key was revoked by entry 4 already")
        .at("/body/revoke/0/key_id")
        .with_refusal(),
        Row::envelope("expired key", "a key whose validity is over", &promise_by(keys::EXPIRED))
            .says(
                403,
                "key.expired",
                format!("the validity of the key {} is over; sign with another key", id(keys::EXPIRED)),
            )
            .at("/signatures")
            .with_refusal(),
        Row::envelope("unknown key", "an admin key where a signing key belongs", &promise_by(number::ACME_ADMIN))
            .says(
                403,
                "right.use",
                format!(
                    "the key {} is an admin key; claims are signed with a key whose use is `sign`",
                    id(number::ACME_ADMIN)
                ),
            )
            .at("/signatures")
            .with_refusal(),
    ]
}

fn possession() -> Vec<Row> {
    const LINE: &str = "key without proof of possession";
    let says =
        |number| format!("the key {} did not sign; a key that is added proves that its holder has it", id(number));
    vec![
        Row::envelope(LINE, "at an enrolment", &enrolment_by(&[keys::NEW_ADMIN, number::REGISTRAR]))
            .says(422, "key.no_possession", says(keys::NEW_SIGN))
            .at("/body/keys/1")
            .with_refusal(),
        Row::envelope(LINE, "at an enrolment, only the registrar signs", &enrolment_by(&[number::REGISTRAR]))
            .says(422, "key.no_possession", says(keys::NEW_ADMIN))
            .at("/body/keys/0")
            .with_refusal(),
        Row::envelope(LINE, "at a change", &{
            let claim = change(json!([world::key(keys::NEW_SIGN, "sign")]));
            testing::sign(&claim, &[number::ACME_ADMIN])
        })
        .says(422, "key.no_possession", says(keys::NEW_SIGN))
        .at("/body/keys/0")
        .with_refusal(),
    ]
}

/// A change of Acme's keys that adds a key of these bytes, in hex.
fn adds(spki: &str) -> Envelope {
    let spki = proto::b64::encode(crate::crafted::unhex(spki));
    let claim = change(json!([{"alg": "ed25519", "spki": spki, "use": "sign"}]));
    testing::sign(&claim, &[number::ACME_ADMIN])
}

fn weak() -> Vec<Row> {
    let row = |line, case, key: &str, says| {
        Row::envelope(line, case, &adds(&format!("{SPKI_PREFIX}{key}")))
            .says(422, "key.weak", says)
            .at("/body/keys/0/spki")
    };
    let small = "a small-order Ed25519 key, under which signatures prove nothing; make another key";
    let spelling = "not a canonical Ed25519 point; make another key";
    let form = "not an Ed25519 public key; make another key";
    let (weak, other) = ("weak Ed25519 key", "non-canonical Ed25519 key");
    // The eight points whose order divides the cofactor, by their y; the two of order 1 and 2 are spelled once each.
    vec![
        row(weak, "order 1", "0100000000000000000000000000000000000000000000000000000000000000", small),
        row(weak, "order 2", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", small),
        row(weak, "order 4", "0000000000000000000000000000000000000000000000000000000000000000", small),
        row(weak, "order 4, negative", "0000000000000000000000000000000000000000000000000000000000000080", small),
        row(weak, "order 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", small),
        row(weak, "order 8, the other y", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", small),
        row(other, "y is p", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", spelling),
        row(other, "y is p + 1", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", spelling),
        row(
            other,
            "y is p + 1, negative",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            spelling,
        ),
        row(other, "x is 0, negative", "0100000000000000000000000000000000000000000000000000000000000080", small),
        row(
            other,
            "no point of the curve",
            "0200000000000000000000000000000000000000000000000000000000000000",
            spelling,
        ),
        row(weak, "one byte short", &"11".repeat(31), form),
        row(weak, "one byte more", &"11".repeat(33), form),
        Row::envelope(
            weak,
            "a key of another algorithm",
            &adds(&format!("302a300506032b656e032100{}", "11".repeat(32))),
        )
        .says(422, "key.weak", form)
        .at("/body/keys/0/spki"),
    ]
}

fn taken() -> Vec<Row> {
    let adds = |number: u8, key_use: &str| -> Value { change(json!([world::key(number, key_use)])) };
    let row = |line, case, claim: &Value, taken: u8| {
        let says = format!("the key {} is enrolled already, or is a key of this log; make another one", id(taken));
        Row::envelope(line, case, &testing::sign(claim, &[taken, number::ACME_ADMIN]))
            .says(409, "key.taken", says)
            .at("/body/keys/0")
            .with_refusal()
    };
    let before = "a key enrolled before";
    let own = "a key equal to a key of the log";
    let twice = change(json!([world::key(keys::NEW_SIGN, "sign"), world::key(keys::NEW_SIGN, "sign")]));
    vec![
        row(before, "a key of one's own", &adds(number::ACME_SIGN, "admin"), number::ACME_SIGN),
        row(before, "a key of another issuer", &adds(keys::BETA_SIGN, "sign"), keys::BETA_SIGN),
        row(before, "a key that was revoked", &adds(keys::REVOKED, "sign"), keys::REVOKED),
        Row::envelope(before, "twice in one claim", &testing::sign(&twice, &[keys::NEW_SIGN, number::ACME_ADMIN]))
            .says(422, "claim.value", "this item stands in the list already")
            .at("/body/keys/1"),
        row(own, "the key of its heads", &adds(number::LOG, "sign"), number::LOG),
        row(own, "the key of its time", &adds(number::TIME, "sign"), number::TIME),
        row(own, "the operator's key", &adds(number::OPERATOR, "sign"), number::OPERATOR),
        row(own, "the registrar's key", &adds(number::REGISTRAR, "sign"), number::REGISTRAR),
    ]
}

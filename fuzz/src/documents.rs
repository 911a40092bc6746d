//! JSON documents and what is made of them: read and written again they say the same.

use proto::claim::{Claim, ClaimId, Instant, IssuerId, LogRef, Origin, PAYLOAD_TYPE, ProductKey, Role, strip_comments};
use proto::dsse::Envelope;
use proto::entry::Entry;
use proto::fold::Submission;
use proto::import::csaf::CsafImport;
use proto::import::firmware::FirmwareImport;
use proto::import::{Draft, Frame, Makers, Report};
use proto::json::{self, Limits, Value};
use proto::last_cosigned::LastCosigned;
use proto::misbehaviour::{MAX_FILE_BYTES, Misbehaviour};
use proto::receipt::Receipt;
use proto::statement::Refusal;
use proto::unavailable::Unavailable;

use crate::seeds;

pub(crate) fn json(data: &[u8]) {
    for limits in [&Limits::CLAIM, &Limits::ENVELOPE] {
        let Ok(value) = json::parse(data, limits) else { continue };
        let written = serde_json::to_vec(&value).expect("strict JSON can be written");
        assert_eq!(json::parse(&written, limits).as_ref(), Ok(&value), "JSON reads back equal");
        // Whatever is taken here, another reader understands alike: no number is rounded, no member lost.
        let other: serde_json::Value = serde_json::from_slice(data).expect("strict JSON is JSON");
        assert_eq!(other, serde_json::to_value(&value).expect("strict JSON can be written"));
        walk(&value);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let stripped = strip_comments(text);
        assert_eq!(strip_comments(&stripped), stripped, "nothing is left to strip");
    }
}

fn walk(value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(walk),
        Value::Object(members) => {
            for (name, value) in members {
                assert_eq!(members.iter().filter(|(other, _)| other == name).count(), 1, "no name stands twice");
                walk(value);
            }
        }
        Value::Number(number) => assert!(number.as_f64().is_finite()),
        _ => {}
    }
}

pub(crate) fn claim(data: &[u8]) {
    let Ok(claim) = Claim::parse(data) else { return };
    assert_eq!(Claim::parse(data).as_ref(), Ok(&claim), "the same bytes say the same");
    let id = ClaimId::of(PAYLOAD_TYPE, data);
    assert_eq!(ClaimId::parse(&id.to_string()), Ok(id));
    assert!((1..=4).contains(&claim.logs.len()));
    let _slot = claim.slot_key();
    if let Some(product) = claim.product() {
        // A product that is asked for by the names it was given is the same product.
        let subject = claim.subject.as_ref().expect("a product has a subject");
        let asked = ProductKey::parse(&subject.manufacturer.to_string(), &subject.model);
        assert_eq!(asked.as_ref(), Some(&product), "a product is found under its own name");
        let again = ProductKey::parse(&product.manufacturer, &product.model_normalised);
        assert_eq!(again.as_ref(), Some(&product), "normalising twice changes nothing");
        for part in [&product.manufacturer, &product.model_normalised] {
            assert!(!part.contains('\0'), "names are parts of keys that end with a zero byte");
        }
    }
    // Claims are equal as JSON, however it is spaced.
    let value = json::parse(data, &Limits::CLAIM).expect("a claim is JSON");
    let compact = serde_json::to_vec(&value).expect("strict JSON can be written");
    assert_eq!(Claim::parse(&compact).as_ref(), Ok(&claim));
}

pub(crate) fn dsse(data: &[u8]) {
    let Ok(envelope) = Envelope::parse(data) else { return };
    let written = envelope.to_json();
    assert_eq!(Envelope::parse(written.as_bytes()).as_ref(), Ok(&envelope), "an envelope reads back equal");
    assert!(envelope.signatures.windows(2).all(|pair| pair[0].key_id < pair[1].key_id), "sorted, none twice");
    if let Ok(submission) = Submission::from_envelope(envelope.clone()) {
        assert_eq!(submission.payload(), envelope.payload);
        assert_eq!(submission.id(), ClaimId::of(&envelope.payload_type, &envelope.payload));
    }
}

pub(crate) fn receipt(data: &[u8]) {
    let Ok(receipt) = Receipt::parse(data) else { return };
    let again = Receipt::parse(receipt.to_json().as_bytes()).ok();
    assert_eq!(again.as_ref(), Some(&receipt), "a receipt reads back equal");
    if let Ok(entry) = receipt.entry(seeds::PAYLOAD) {
        assert_eq!(ClaimId::of(&entry.payload_type, &entry.payload), receipt.claim_id);
        let leaf = entry.encode().map(|bytes| Entry::leaf_hash(&bytes));
        if let (Ok(proof), Ok(leaf)) = (receipt.to_tlog_proof(), leaf) {
            let _judged = proof.verify(leaf, &seeds::policy());
        }
    }
}

pub(crate) fn statement(data: &[u8]) {
    let signer = seeds::log_signer();
    if let Ok(refusal) = Refusal::verify(data, &seeds::verifier(&signer)) {
        assert!(data.starts_with(refusal.text().as_bytes()), "what is read is what was signed");
    }
    if let Ok(answer) = LastCosigned::verify(data, &seeds::witness_verifier(), &seeds::question()) {
        assert!(data.starts_with(answer.text().as_bytes()), "what is read is what was signed");
    }
    if let Ok(statement) = Unavailable::verify(data, &seeds::witness_verifier()) {
        assert!(data.starts_with(statement.text().as_bytes()), "what is read is what was signed");
    }
    // Any text under the log's true signature: the words must not be readable in two ways.
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(signed) = proto::note::sign_text(text, &[&signer]) else { return };
    if let Ok(refusal) = Refusal::verify(signed.as_bytes(), &seeds::verifier(&signer)) {
        assert_eq!(refusal.text(), text, "a refusal has one encoding");
    }
}

/// What an importer made must be claims, and its report must add up.
fn imported(drafts: &[Draft], report: &Report) {
    assert!(report.adds_up(), "{report:?}");
    assert_eq!(u64::try_from(drafts.len()).ok(), Some(report.claims));
    let frame = frame();
    for draft in drafts {
        let payload = draft.payload(&frame).expect("a draft has the form of a claim");
        assert!(Claim::parse(&payload).is_ok());
    }
    let value = serde_json::to_vec(&report.to_value()).expect("a report can be written");
    assert!(serde_json::from_slice::<serde_json::Value>(&value).is_ok());
}

fn frame() -> Frame {
    Frame {
        logs: vec![LogRef { origin: Origin::parse(seeds::ORIGIN).expect("an origin"), size: None, root: None }],
        issuer: IssuerId::parse("csirt.example").expect("an id"),
        role: Role::Csirt,
        asserted_at: Instant::parse("2027-01-15T08:00:00Z").expect("a time"),
    }
}

pub(crate) fn csaf(data: &[u8]) {
    let mut import = CsafImport::new(seeds::makers());
    let drafts = import.document("first", data);
    assert!(import.document("again", data).is_empty(), "the same bytes are seen once");
    imported(&drafts, import.report());
}

pub(crate) fn firmware(data: &[u8]) {
    let mut import = FirmwareImport::new(seeds::makers());
    let drafts = import.rows("first", data);
    assert!(import.rows("again", data).is_empty(), "the same bytes are seen once");
    imported(&drafts, import.report());
}

pub(crate) fn makers(data: &[u8]) {
    let Ok(makers) = Makers::parse(data) else { return };
    let ids = makers.ids();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "ascending, none twice");
    let Ok(Value::Object(members)) = json::parse(data, &Limits::ENVELOPE) else { return };
    for (spelling, _) in members {
        let placed = makers.place(&spelling);
        assert!(placed.issuer().is_some_and(|id| ids.contains(&id)), "a spelling of the table is placed");
    }
}

/// A misbehaviour file convicts nobody by heads that were not signed for it.
pub(crate) fn misbehaviour(data: &[u8]) {
    let Ok(file) = Misbehaviour::parse(data) else { return };
    assert!(data.len() <= MAX_FILE_BYTES);
    assert_eq!(file.to_text().as_bytes(), data, "a misbehaviour file has one encoding");
    let Ok(proven) = file.verify() else { return };
    assert_eq!(&proven.accused, file.accused());
    let signed = seeds::accusing_heads();
    let held = file.heads().iter().map(|head| head.to_bytes());
    assert!(held.into_iter().all(|head| signed.contains(&head)), "convicted by a head that nobody signed");
    assert!(!proven.explain().is_empty());
}

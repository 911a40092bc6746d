//! A false sentence is never beside a good verdict, and what cannot be read is never called proven.

use proto::claim::PAYLOAD_TYPE;
use proto::entry::Entry;

use super::*;

/// The claim with a text in it replaced, which must be there.
fn with(old: &str, new: &str) -> Plan {
    assert!(PAYLOAD.contains(old), "{old}");
    plan(&PAYLOAD.replace(old, new))
}

fn logs(logs: &str) -> Plan {
    with(r#"[{"origin":"log.example"}]"#, logs)
}

fn anchored(size: u64, root: Hash) -> Plan {
    logs(&format!(r#"[{{"origin":"log.example","size":{size},"root":"{}"}}]"#, root.to_base64()))
}

fn submit_before(limit: &str) -> Plan {
    with(r#""rel""#, &format!(r#""submit_before":"{limit}","rel""#))
}

fn judged(sample: &Sample, trust: Option<&Trust>) -> Report {
    let by_receipt = report(sample.envelope.as_bytes(), Some(sample.receipt.as_bytes()), None, trust);
    let by_proof = report(sample.envelope.as_bytes(), None, Some(sample.proof.as_bytes()), trust);
    assert_eq!(by_receipt, by_proof, "the same in both forms");
    by_receipt
}

/// The sentence is false, with trust and without, and the verdict says so and why.
fn is_false(plan: Plan, id: &str, why: &str) {
    let (sample, trust) = (plan.made(), trust("none"));
    for trust in [Some(&trust), None] {
        let report = judged(&sample, trust);
        assert_eq!((report.verdict, report.verdict.exit_code()), (Verdict::NotProven, 1), "{report:#?}");
        assert_eq!(standing(&report, id), Standing::Failed, "{report:#?}");
        assert!(report.reason.contains(why), "{why}: {}", report.reason);
    }
}

fn holds(plan: Plan, id: &str, expected: Standing) {
    let (sample, trust) = (plan.made(), trust("none"));
    let report = judged(&sample, Some(&trust));
    assert_eq!((report.verdict, standing(&report, id)), (Verdict::Proven, expected), "{report:#?}");
    let bare = judged(&sample, None);
    assert_eq!(bare.verdict, Verdict::PolicyNotMet, "{bare:#?}");
    assert_ne!(standing(&bare, id), Standing::Committed, "nobody's signature was checked: {bare:#?}");
}

#[test]
fn a_claim_taken_after_its_limit_is_not_proven() {
    is_false(submit_before("2027-01-15T08:00:00.999Z"), "in_time", "before the issuer's limit");
    holds(submit_before("2027-01-15T08:00:01Z"), "in_time", Standing::Committed);
}

#[test]
fn a_claim_for_another_log_is_not_proven() {
    is_false(logs(r#"[{"origin":"other.example"}]"#), "addressed", "it names other.example");
    holds(logs(r#"[{"origin":"other.example"},{"origin":"log.example"}]"#), "addressed", Standing::Proven);
}

#[test]
fn an_anchor_that_cannot_have_existed_is_not_proven() {
    let root = Hash::of(b"some root");
    is_false(anchored(8, root), "anchored", "has only 7");
    is_false(anchored(7, root), "anchored", "another root");
    is_false(anchored(4, root), "anchored", "it is itself entry 3");
    is_false(anchored(0, root), "anchored", "an empty tree");
    holds(anchored(3, root), "anchored", Standing::Committed);
    holds(anchored(0, Hash::EMPTY_ROOT), "anchored", Standing::Committed);
}

#[test]
fn links_to_later_entries_and_times_after_the_head_are_not_proven() {
    let linked = |links| Plan { links, ..plan(PAYLOAD) };
    let good = plan(PAYLOAD).links;
    is_false(linked(Links { registry: Some(LeafIndex(3)), ..good }), "entitled", "last registry entry was 3");
    is_false(linked(Links { previous: Some(LeafIndex(4)), ..good }), "previous", "is 4");
    let first = Links { registry: None, constitution: Some(LeafIndex(3)), previous: None };
    is_false(linked(first), "entitled", "admitted by a registrar");
    let none = Links { registry: None, constitution: None, previous: None };
    is_false(linked(none), "entitled", "the log's constitution, entry 3");
    let at = |timestamp| Plan { timestamp, ..plan(PAYLOAD) };
    // Heads have whole seconds: the last millisecond of the head's own second is in time. Without trust nobody looks.
    holds(at(Millis(1_800_000_002_999)), "logged_at", Standing::Committed);
    let late = judged(&at(Millis(1_800_000_003_000)).made(), Some(&trust("none")));
    assert_eq!((late.verdict, standing(&late, "logged_at")), (Verdict::NotProven, Standing::Failed), "{late:#?}");
}

#[test]
fn a_signature_that_fails_is_not_proven() {
    let mut forged = plan(PAYLOAD);
    forged.signatures = compose::sign(b"something else", &[&secret(ISSUER)]).signatures;
    is_false(forged, "signed", "signed this claim");
}

#[test]
fn keys_of_registry_claims_are_checked_without_being_given() {
    let spki = proto::b64::encode(secret(ISSUER).public().to_spki());
    let body = format!(
        r#""body":{{"legal_name":"Acme","roles":["manufacturer"],"keys":[{{"alg":"ed25519","spki":"{spki}","use":"admin"}}],"admin_threshold":1,"identity":{{"method":"paper","checked_at":"2027-01-15"}}}}"#
    );
    let payload = PAYLOAD
        .replace(r#""subject":{"manufacturer":"acme.example","model":"CAM-3"},"#, "")
        .replace("support/v1", "issuer/v1")
        .replace(r#""body":{"security_until":"2031-03"}"#, &body);
    assert!(
        proto::claim::Claim::parse(payload.as_bytes()).is_ok(),
        "{:?}",
        proto::claim::Claim::parse(payload.as_bytes())
    );
    holds(plan(&payload), "signed", Standing::Proven);
    let mut forged = plan(&payload);
    forged.signatures = compose::sign(b"something else", &[&secret(ISSUER)]).signatures;
    is_false(forged, "signed", "signed this claim");
}

#[test]
fn a_key_that_was_given_and_did_not_sign_is_said() {
    let (sample, trust) = (sample(), trust("none"));
    let envelope = Envelope::parse(sample.envelope.as_bytes()).unwrap();
    let proof = Proof::Receipt(Receipt::parse(sample.receipt.as_bytes()).unwrap());
    let content = Content::Payload(envelope.payload, Some(envelope.signatures));
    let verdict = |keys: &[u8]| {
        let keys: Vec<_> = keys.iter().map(|seed| secret(*seed).public()).collect();
        judge(&proof, &content, Some(&trust), &keys).verdict
    };
    assert_eq!(verdict(&[]), Verdict::Proven);
    assert_eq!(verdict(&[8, ISSUER]), Verdict::Proven);
    assert_eq!(verdict(&[8]), Verdict::PolicyNotMet);
}

#[test]
fn what_cannot_be_read_is_no_more_than_consistent() {
    let trust = trust("none");
    for payload in [r#"{"type":"support/v2"}"#, "not even JSON", &PAYLOAD.replace("2031-03", "someday")] {
        let report = judged(&plan(payload).made(), Some(&trust));
        assert_eq!((report.verdict, report.verdict.exit_code()), (Verdict::PolicyNotMet, 3), "{report:#?}");
        assert!(report.reason.contains("not a claim in a form that this version reads"), "{}", report.reason);
        assert_eq!(standing(&report, "claim"), Standing::NotChecked);
    }
    // A readable claim under another payload type is another statement.
    let entry = Entry {
        timestamp: Millis(1_800_000_001_000),
        links: plan(PAYLOAD).links,
        payload_type: format!("{PAYLOAD_TYPE}-draft"),
        payload: PAYLOAD.into(),
        signatures: plan(PAYLOAD).signatures,
    };
    let bytes = entry.encode().unwrap();
    let (hashes, note) = included(&bytes, Seconds(1_800_000_002));
    let proof = Proof::Tlog(TlogProof::new(None, LeafIndex(3), hashes, &note).unwrap());
    let report = judge(&proof, &Content::Entry(bytes), Some(&trust), &[]);
    assert_eq!(report.verdict, Verdict::PolicyNotMet, "{report:#?}");
}

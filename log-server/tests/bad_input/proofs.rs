//! Proofs that do not fit: what an offline reader says of them.

use claimtrail_log::testing;
use client::trust::Trust;
use client::verify::{Content, Material, Proof, Report, Verdict};
use proto::dsse::Envelope;
use proto::hash::Hash;
use proto::merkle::{BadProof, verify_consistency};
use proto::num::{LeafIndex, TreeSize};
use proto::receipt::Receipt;
use proto::tlog_proof::TlogProof;

use crate::support::{Site, id_of};

/// What is changed about a good proof.
pub(crate) enum Change {
    /// The receipt, once it is read.
    Receipt(fn(&mut Receipt)),
    /// The receipt's JSON.
    ReceiptText(fn(&str) -> String),
    /// The text of the offline proof.
    ProofText(fn(&str) -> String),
}

/// One row: a line of the list, a case of it, and what verification says.
pub(crate) struct Row {
    pub(crate) line: &'static str,
    case: &'static str,
    change: Change,
    verdict: Verdict,
    says: &'static str,
}

const fn row(line: &'static str, case: &'static str, change: Change, verdict: Verdict, says: &'static str) -> Row {
    Row { line, case, change, verdict, says }
}

const LENGTH: &str = "proof with a wrong length";
const INDEX: &str = "index beyond size";
const DECIMAL: &str = "non-canonical decimals";
const BASE64: &str = "non-canonical base64";

const BEFORE_HASHES: &str = "the proof must have a line `index <decimal>` before the hashes";
const HASH_LINE: &str =
    "line 4 of the proof must be a hash in canonical base64, or the blank line before the checkpoint";

use Change::{ProofText, ReceiptText};
use Verdict::{Malformed, NotProven};

/// The proof is of entry 3 of 7: exactly three hashes.
pub(crate) const ROWS: &[Row] = &[
    row(
        LENGTH,
        "one hash less",
        Change::Receipt(|receipt| receipt.inclusion.truncate(2)),
        NotProven,
        "inclusion: the proof has 2 hashes where exactly 3 belong",
    ),
    row(
        LENGTH,
        "one hash more",
        Change::Receipt(|receipt| receipt.inclusion.push(Hash::leaf(b"more"))),
        NotProven,
        "inclusion: the proof has 4 hashes where exactly 3 belong",
    ),
    row(
        LENGTH,
        "no hash",
        Change::Receipt(|receipt| receipt.inclusion.clear()),
        NotProven,
        "inclusion: the proof has 0 hashes where exactly 3 belong",
    ),
    row(
        LENGTH,
        "more hashes than any tree has levels",
        Change::Receipt(|receipt| receipt.inclusion = vec![Hash::leaf(b""); 64]),
        Malformed,
        "the receipt's proof: the proof is malformed: a proof has at most 63 hashes",
    ),
    row(LENGTH, "a hash of 31 bytes", ProofText(|text| with_hash(text, &"A".repeat(42))), Malformed, HASH_LINE),
    row(
        LENGTH,
        "another entry's length",
        Change::Receipt(|receipt| receipt.index = LeafIndex(6)),
        NotProven,
        "inclusion: the proof has 3 hashes where exactly 2 belong",
    ),
    row(
        INDEX,
        "the size itself",
        Change::Receipt(|receipt| receipt.index = LeafIndex(7)),
        NotProven,
        "inclusion: entry 7 is not in the tree of 7 entries",
    ),
    row(
        INDEX,
        "the greatest index",
        Change::Receipt(|receipt| receipt.index = LeafIndex(i64::MAX as u64)),
        NotProven,
        "inclusion: entry 9223372036854775807 is not in the tree of 7 entries",
    ),
    row(INDEX, "beyond 2^63", ProofText(|text| with_index(text, "9223372036854775808")), Malformed, BEFORE_HASHES),
    row(DECIMAL, "an index with a leading zero", ProofText(|text| with_index(text, "03")), Malformed, BEFORE_HASHES),
    row(DECIMAL, "an index with a sign", ProofText(|text| with_index(text, "+3")), Malformed, BEFORE_HASHES),
    row(DECIMAL, "a negative index", ProofText(|text| with_index(text, "-3")), Malformed, BEFORE_HASHES),
    row(
        DECIMAL,
        "a receipt's index with a leading zero",
        ReceiptText(|text| text.replace("\"index\":3", "\"index\":03")),
        Malformed,
        "not a receipt: invalid number at line 1 column 156",
    ),
    row(
        DECIMAL,
        "a receipt's index as a text",
        ReceiptText(|text| text.replace("\"index\":3", "\"index\":\"3\"")),
        Malformed,
        "not a receipt: invalid type: string \"3\", expected u64 at line 1 column 157",
    ),
    row(
        BASE64,
        "a hash with bits behind its end",
        ProofText(|text| with_hash(text, &format!("{}B=", "A".repeat(42)))),
        Malformed,
        HASH_LINE,
    ),
    row(
        BASE64,
        "a hash in the other alphabet",
        ProofText(|text| with_hash(text, &format!("{}8=", "_".repeat(42)))),
        Malformed,
        HASH_LINE,
    ),
];

/// The text with another index.
fn with_index(text: &str, index: &str) -> String {
    text.replacen("index 3\n", &format!("index {index}\n"), 1)
}

/// The text with another first hash.
fn with_hash(text: &str, hash: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines[3] = hash;
    lines.join("\n") + "\n"
}

struct Good {
    content: Content,
    receipt: Receipt,
    trust: Trust,
}

impl Good {
    async fn new() -> Good {
        let site = Site::with_acme().await;
        site.support("CAM-0", "2031-03").await;
        let envelope: Envelope = testing::support("CAM-3", "2031-03");
        let id = id_of(&site.accept(&envelope).await);
        for n in 4..7 {
            site.support(&format!("CAM-{n}"), "2031-03").await;
        }
        let receipt = site.get(&format!("/v1/claims/{id}/receipt")).await;
        let keys = testing::log_keys();
        let trust = format!("log {}\nwitness time {}\nquorum none\n", keys.log_vkey(), keys.time_vkey());
        Good {
            content: Content::Payload(envelope.payload, Some(envelope.signatures)),
            receipt: Receipt::parse(&receipt.body).expect("a receipt"),
            trust: Trust::parse(trust.as_bytes()).expect("a trust file"),
        }
    }

    fn judge(&self, proof: Proof) -> Report {
        let material = Material { proofs: vec![proof], contents: vec![self.content.clone()] };
        material.judge(Some(&self.trust), &[])
    }

    /// Reads and judges the changed proof, as the command does.
    fn changed(&self, change: &Change) -> Report {
        match change {
            Change::Receipt(change) => {
                let mut receipt = self.receipt.clone();
                change(&mut receipt);
                self.judge(Proof::Receipt(receipt))
            }
            ReceiptText(change) => {
                let before = self.receipt.to_json();
                let after = change(&before);
                assert_ne!(before, after, "the change changes something");
                match Receipt::parse(after.as_bytes()) {
                    Ok(receipt) => self.judge(Proof::Receipt(receipt)),
                    Err(error) => Report::short(Malformed, error.to_string()),
                }
            }
            ProofText(change) => {
                let before = self.receipt.to_tlog_proof().expect("a proof").to_string();
                let after = change(&before);
                assert_ne!(before, after, "the change changes something");
                match TlogProof::parse(after.as_bytes()) {
                    Ok(proof) => self.judge(Proof::Tlog(proof)),
                    Err(error) => Report::short(Malformed, error.to_string()),
                }
            }
        }
    }
}

#[tokio::test]
async fn every_row_is_judged_as_it_says() {
    let good = Good::new().await;
    assert_eq!((good.receipt.index, good.receipt.inclusion.len()), (LeafIndex(3), 3));
    for proof in [Proof::Receipt(good.receipt.clone()), Proof::Tlog(good.receipt.to_tlog_proof().expect("a proof"))] {
        assert_eq!(good.judge(proof).verdict, Verdict::Proven);
    }
    for row in ROWS {
        let report = good.changed(&row.change);
        let found = (report.verdict, report.reason.as_str());
        assert_eq!(found, (row.verdict, row.says), "{}: {}", row.line, row.case);
    }
}

#[test]
fn a_consistency_proof_has_one_length() {
    let (old, new) = (TreeSize(3), TreeSize(7));
    let hash = Hash::leaf(b"any");
    for length in [0, 1, 2, 3, 5, 63, 64, 1000] {
        let proof = vec![hash; length];
        let said = verify_consistency(old, new, &hash, &hash, &proof);
        assert_eq!(said, Err(BadProof::Length { expected: 4, found: length }));
    }
}

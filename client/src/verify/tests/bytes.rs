//! Every bit of every file: what is still proven after a change is the very same entry in the very same tree.

use proptest::prelude::*;

use super::*;

/// The files of a claim, and which of them carries the proof.
#[derive(Clone)]
struct Files {
    envelope: Vec<u8>,
    proof: Vec<u8>,
    is_receipt: bool,
}

impl Files {
    fn both() -> [Files; 2] {
        let Sample { envelope, receipt, proof } = sample();
        [(receipt, true), (proof, false)].map(|(proof, is_receipt)| Files {
            envelope: envelope.clone().into_bytes(),
            proof: proof.into_bytes(),
            is_receipt,
        })
    }

    fn report(&self, trust: Option<&Trust>) -> Report {
        let (receipt, proof) = if self.is_receipt { (Some(&*self.proof), None) } else { (None, Some(&*self.proof)) };
        report(&self.envelope, receipt, proof, trust)
    }
}

/// Every bit turned, one at a time, with the place of its byte.
fn turned(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..8 * bytes.len()).map(|bit| {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        (bit / 8, changed)
    })
}

/// Where the log's time line says whose it is: the key's name, a space, and the six characters with the key's id (32 of
/// their 36 bits; what follows is the time and the signature).
///
/// Only there a change is harmless. A line of a signer that nobody listed is passed over (C2SP signed-note), and the time
/// line is no part of what is proven under this trust file: with it goes the sentence about the head's time. A line that
/// still says it is of the listed time key, but has another time or signature, spoils the whole note.
fn signer_of_time_line(proof: &[u8]) -> std::ops::Range<usize> {
    let name = b"log.example/time ";
    let from = proof.windows(name.len()).position(|window| window == name).expect("the head has a time line");
    from..from + name.len() + 6
}

#[test]
fn every_bit_of_the_envelope_matters() {
    let trust = trust("none");
    for files in Files::both() {
        for (at, envelope) in turned(&files.envelope) {
            let changed = Files { envelope, ..files.clone() };
            let report = changed.report(Some(&trust));
            assert!(report.verdict <= Verdict::Malformed, "byte {at}: {report:?}");
        }
    }
}

#[test]
fn every_bit_of_the_proof_matters_but_the_name_of_the_time_key() {
    let trust = trust("none");
    for files in Files::both() {
        let mut good = files.report(Some(&trust));
        assert_eq!((good.verdict, standing(&good, "head_time")), (Verdict::Proven, Standing::Committed));
        good.statements.retain(|statement| statement.id != "head_time");
        let harmless = signer_of_time_line(&files.proof);
        let mut passed_over = 0;
        for (at, proof) in turned(&files.proof) {
            let changed = Files { proof, ..files.clone() };
            let report = changed.report(Some(&trust));
            if report.verdict <= Verdict::Malformed {
                continue;
            }
            assert!(harmless.contains(&at), "byte {at}: {report:?}");
            assert_eq!(report, good, "byte {at}: all is as it was, save for the sentence about the time");
            passed_over += 1;
        }
        assert!(passed_over > harmless.len(), "{passed_over} turned bits of {harmless:?} made it an unknown line");
    }
}

/// The whole note falls when the time line, under its own name, has another time or another signature.
#[test]
fn a_broken_time_line_of_the_listed_key_spoils_the_head() {
    let trust = trust("none");
    for files in Files::both() {
        let rest = signer_of_time_line(&files.proof).end..;
        let rest = rest.start..rest.start + 90; // 72 bytes of time and signature, less the bits before, are 93 characters
        let mut spoiled = 0;
        for (at, proof) in turned(&files.proof).filter(|(at, _)| rest.contains(at)) {
            let report = Files { proof, ..files.clone() }.report(Some(&trust));
            assert!(report.verdict <= Verdict::Malformed, "byte {at}: {report:?}");
            spoiled += usize::from(report.verdict == Verdict::NotProven);
        }
        assert!(spoiled > rest.len(), "{spoiled} changes were read and refused, others were no base64");
    }
}

/// DSSE takes both base64 alphabets: the same bytes in another spelling are the same envelope.
#[test]
fn another_spelling_of_the_same_envelope_is_the_same_envelope() {
    let trust = trust("none");
    for files in Files::both() {
        let good = files.report(Some(&trust));
        let text = String::from_utf8(files.envelope.clone()).unwrap();
        let (head, values) = text.split_once(r#""payload":"#).unwrap();
        let other = format!(r#"{head}"payload":{}"#, values.replace('+', "-").replace('/', "_"));
        assert_ne!(other, text, "the sample has such a character");
        let changed = Files { envelope: other.into_bytes(), ..files.clone() };
        assert_eq!(changed.report(Some(&trust)), good);
    }
}

proptest! {
    /// Any byte put anywhere.
    #[test]
    fn changed_files_never_prove_anything_else(
        form in 0usize..2, in_proof in any::<bool>(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let (mut files, trust) = (Files::both()[form].clone(), trust("none"));
        let good = files.report(Some(&trust));
        let bytes = if in_proof { &mut files.proof } else { &mut files.envelope };
        let place = at.index(bytes.len());
        bytes[place] = byte;
        let bad = files.report(Some(&trust));
        if bad.verdict == Verdict::Proven {
            prop_assert_eq!(&bad.facts, &good.facts);
            prop_assert_eq!(standing(&bad, "signed"), Standing::Proven);
        }
        // Without trust the same files are never more than consistent.
        prop_assert_ne!(files.report(None).verdict, Verdict::Proven);
    }
}

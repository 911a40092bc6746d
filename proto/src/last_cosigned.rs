//! A monitor's signed answer to a witness that asks for its own last cosignature: the highest one that the monitor knows of,
//! or that it knows of none. It is signed, and repeats what the asker drew by chance, so that nobody on the way can answer for
//! a monitor that is silent, or with what it said before.
//!
//! ```text
//! claimtrail/last-cosigned/v1
//! <origin>
//! <vkey of the witness that asks>
//! <32 bytes that it drew, in hex>
//! <size> <root in base64> <seconds since 1970: the cosignature's time>, or: none
//! <seconds since 1970: when the monitor says so>
//!
//! — <monitor> <cosignature/v1>
//! ```
//!
//! The text is never one of a checkpoint: the third line is no hash.

use crate::cosignature::Cosigner;
use crate::hash::Hash;
use crate::note::{BadKind, CannotSign, Verifier, Vkey, note_of, verify_kind};
use crate::num::{Seconds, TreeSize, parse_decimal};

/// First line of such an answer.
pub const LAST_COSIGNED_KIND: &str = "claimtrail/last-cosigned/v1";

/// What stands in the place of a head when none is known.
const NONE: &str = "none";

/// A head that was cosigned, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CosignedHead {
    /// Its size.
    pub size: TreeSize,
    /// Its root.
    pub root: Hash,
    /// The time of the cosignature.
    pub time: Seconds,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The log.
    pub origin: String,
    /// The witness's key.
    pub vkey: Vkey,
    /// What the asker drew by chance, for this question alone.
    pub nonce: Hash,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCosigned {
    /// What was asked.
    pub question: Question,
    /// The highest head cosigned under that key that the monitor knows of.
    pub last: Option<CosignedHead>,
    /// When the monitor says so.
    pub at: Seconds,
}

/// Why a text is no such answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLastCosigned {
    /// Not a note of this kind under the given key.
    #[error(transparent)]
    Note(#[from] BadKind),
    /// The lines are not those of such an answer.
    #[error("not the six lines of an answer about the last cosignature")]
    Malformed,
    /// The signature states another time than the text, or none.
    #[error("the signature's time is not the one that the text states")]
    Time,
    /// It answers another question.
    #[error("it answers another question than was asked")]
    Question,
}

impl LastCosigned {
    /// The text that is signed.
    pub fn text(&self) -> String {
        let Question { origin, vkey, nonce } = &self.question;
        let last = self.last.map_or_else(
            || NONE.to_owned(),
            |CosignedHead { size, root, time }| format!("{size} {} {time}", root.to_base64()),
        );
        format!("{LAST_COSIGNED_KIND}\n{origin}\n{vkey}\n{nonce}\n{last}\n{}\n", self.at)
    }

    /// The signed note.
    pub fn sign(&self, monitor: &Cosigner) -> Result<String, CannotSign> {
        let text = self.text();
        note_of(&text, &[monitor.sign_statement(&text, self.at)?])
    }

    /// Verifies a note and reads the answer to this question in it.
    pub fn verify(bytes: &[u8], monitor: &Verifier, asked: &Question) -> Result<LastCosigned, BadLastCosigned> {
        let note = verify_kind(LAST_COSIGNED_KIND, bytes, std::slice::from_ref(monitor))?;
        let answer = read(note.text()).ok_or(BadLastCosigned::Malformed)?;
        if answer.text() != note.text() {
            return Err(BadLastCosigned::Malformed);
        }
        let signed = note.signature_by(monitor.vkey()).and_then(|signature| signature.time());
        match signed == Some(answer.at) {
            false => Err(BadLastCosigned::Time),
            true if answer.question != *asked => Err(BadLastCosigned::Question),
            true => Ok(answer),
        }
    }
}

fn read(text: &str) -> Option<LastCosigned> {
    let lines: Vec<&str> = text.lines().collect();
    let [_, origin, vkey, nonce, last, at] = lines.as_slice() else { return None };
    let question =
        Question { origin: (*origin).to_owned(), vkey: Vkey::parse(vkey).ok()?, nonce: Hash::from_hex(nonce).ok()? };
    let last = if *last == NONE { None } else { Some(head(last)?) };
    Some(LastCosigned { question, last, at: Seconds(parse_decimal(at).ok()?) })
}

fn head(text: &str) -> Option<CosignedHead> {
    let words: Vec<&str> = text.split(' ').collect();
    let [size, root, time] = words.as_slice() else { return None };
    Some(CosignedHead {
        size: TreeSize(parse_decimal(size).ok()?),
        root: Hash::from_base64(root).ok()?,
        time: Seconds(parse_decimal(time).ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::CheckpointText;
    use crate::ed25519::SecretKey;
    use crate::note::KeyName;

    // Test keys.
    fn cosigner(name: &str, seed: u8) -> Cosigner {
        Cosigner::new(KeyName::parse(name).expect("a name"), SecretKey::from_seed(&[seed; 32])).expect("short")
    }

    fn question(origin: &str) -> Question {
        let vkey = cosigner("witness.example", 6).vkey().clone();
        Question { origin: origin.to_owned(), vkey, nonce: Hash::of(b"chance") }
    }

    fn answer(last: Option<CosignedHead>) -> LastCosigned {
        LastCosigned { question: question("log.example"), last, at: Seconds(90_000) }
    }

    const HEAD: CosignedHead = CosignedHead { size: TreeSize(7), root: Hash::EMPTY_ROOT, time: Seconds(80_000) };

    #[test]
    fn answers_read_back_or_say_why_not() {
        let monitor = cosigner("m.example", 5);
        let verifier = Verifier::new(monitor.vkey()).expect("a key");
        for last in [Some(HEAD), None] {
            let signed = answer(last).sign(&monitor).expect("signed");
            let verify = |text: &str, asked: &Question| LastCosigned::verify(text.as_bytes(), &verifier, asked);
            assert_eq!(verify(&signed, &question("log.example")), Ok(answer(last)));
            assert_eq!(verify(&signed, &question("b.example")), Err(BadLastCosigned::Question));
            let again = Question { nonce: Hash::of(b"another"), ..question("log.example") };
            assert_eq!(verify(&signed, &again), Err(BadLastCosigned::Question), "what was said before");
            for (from, to) in [("\n7 ", "\n8 "), ("\nnone\n", "\n\n"), ("last-cosigned", "unavailable")] {
                let spoiled = signed.replace(from, to);
                assert!(spoiled == signed || verify(&spoiled, &question("log.example")).is_err(), "{from:?}");
            }
        }
        let signed = answer(None).sign(&cosigner("m.example", 7)).expect("signed");
        let other = LastCosigned::verify(signed.as_bytes(), &verifier, &question("log.example"));
        assert!(matches!(other, Err(BadLastCosigned::Note(_))), "by another key: {other:?}");
    }

    #[test]
    fn what_is_signed_has_one_form() {
        let monitor = cosigner("m.example", 5);
        let verifier = Verifier::new(monitor.vkey()).expect("a key");
        let text = answer(Some(HEAD)).text();
        let sign = |text: &str, time: u64| {
            note_of(text, &[monitor.sign_statement(text, Seconds(time)).expect("signed")]).expect("a note")
        };
        let verify = |note: &str| LastCosigned::verify(note.as_bytes(), &verifier, &question("log.example"));
        assert_eq!(verify(&sign(&text, 5)), Err(BadLastCosigned::Time));
        for spoiled in [text.replace("\n7 ", "\n07 "), text.replace(" 80000\n", "\n"), format!("{text}more\n")] {
            assert_eq!(verify(&sign(&spoiled, 90_000)), Err(BadLastCosigned::Malformed), "{spoiled}");
        }
    }

    #[test]
    fn no_checkpoint_is_signed_as_an_answer() {
        for origin in ["log.example", "7", "1234567"] {
            for last in [Some(HEAD), None] {
                let text = LastCosigned { question: question(origin), ..answer(last) }.text();
                assert!(CheckpointText::parse(&text).is_err(), "{origin}");
            }
        }
    }
}

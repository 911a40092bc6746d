//! Heads as they travel: with the log's own lines alone.
//!
//! Cosignatures are of no use to judge a head, and anybody could add lines without end: they are stripped before anything is
//! verified, kept or passed on. What is left is the log's signature and the time that it stated.

use std::fmt;

use proto::note::{Note, NoteSignature, Vkey};
use proto::policy::{CheckError, Checked, Policy};

/// Bytes of a pushed head with its proof; a head with the log's own lines and 63 hashes stays below 8 KiB.
pub const MAX_GOSSIP_BYTES: usize = 64 * 1024;
/// Signature lines of a head that is taken.
pub const MAX_LINES: usize = 16;

/// Why a head is not taken.
#[derive(Debug)]
pub enum NotTaken {
    /// It has too many signature lines; nothing was verified.
    Lines(usize),
    /// The log did not sign it, or it is no checkpoint.
    Check(CheckError),
    /// None of its lines is the log's.
    NotSigned,
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotTaken::Lines(found) => write!(f, "it has {found} signature lines; {MAX_LINES} are the most"),
            NotTaken::Check(why) => why.fmt(f),
            NotTaken::NotSigned => f.write_str("no line of it is of the log's key"),
        }
    }
}

/// A head with the log's own lines alone, verified. `origin` is the one that the note claims, and the policy's.
///
/// # Errors
/// When the log did not sign it.
pub fn check(policy: &Policy, origin: &str, note: Note) -> Result<Checked, NotTaken> {
    let lines = note.signatures().len();
    if lines > MAX_LINES {
        return Err(NotTaken::Lines(lines));
    }
    let note = only_of_log(policy, origin, note).ok_or(NotTaken::NotSigned)?;
    policy.check_note(note).map_err(NotTaken::Check)
}

/// The note with the lines of the log's key and of its time key; nothing when it has none of the former. Nothing is verified.
pub fn only_of_log(policy: &Policy, origin: &str, note: Note) -> Option<Note> {
    let is_of = |line: &NoteSignature, vkey: &Vkey| line.name() == vkey.name() && line.key_hash() == vkey.key_hash();
    let time_keys = policy.witnesses().iter().filter(|witness| witness.time_key_of() == Some(origin));
    let times: Vec<NoteSignature> =
        time_keys.filter_map(|key| note.signatures().iter().find(|line| is_of(line, key.vkey())).cloned()).collect();
    let mut keys = policy.logs().iter().filter(|log| log.origin() == origin);
    let signed = keys.find_map(|log| note.clone().only_signed_by(log.vkey()).ok())?;
    signed.with_signatures(times).ok()
}

#[cfg(test)]
mod tests {
    use proto::checkpoint::CheckpointText;
    use proto::cosignature::Cosigner;
    use proto::ed25519::SecretKey;
    use proto::hash::Hash;
    use proto::note::{KeyName, NoteSigner};
    use proto::num::{Seconds, TreeSize};

    use super::*;

    const ORIGIN: &str = "log.example";

    // All keys here are test keys.
    fn cosigner(name: &str, seed: u8) -> Cosigner {
        Cosigner::new(KeyName::parse(name).unwrap(), SecretKey::from_seed(&[seed; 32])).unwrap()
    }

    #[test]
    fn only_the_logs_own_lines_are_left() {
        let log = NoteSigner::new(KeyName::parse(ORIGIN).unwrap(), SecretKey::from_seed(&[1; 32]));
        let time = cosigner("log.example/time", 2);
        let policy = Policy::trusting(&[log.vkey().clone()], Some(time.vkey())).unwrap();
        let text = CheckpointText::new(ORIGIN, TreeSize(7), Hash::of(b"root")).unwrap();
        let witnesses: Vec<Cosigner> = (3..17).map(|n| cosigner(&format!("w{n}.example"), n)).collect();
        let mut cosigners = vec![(&time, Seconds(9))];
        cosigners.extend(witnesses.iter().map(|witness| (witness, Seconds(10))));
        let full = text.sign(&[&log], &cosigners).unwrap();
        let parse = |text: &str| Note::parse(text.as_bytes()).unwrap();
        let checked = check(&policy, ORIGIN, parse(&full)).unwrap();
        assert_eq!(checked.log_time, Some(Seconds(9)));
        assert_eq!(checked.checkpoint.to_bytes(), text.sign(&[&log], &[(&time, Seconds(9))]).unwrap().into_bytes());

        let extra = cosigner("w99.example", 99);
        cosigners.push((&extra, Seconds(10)));
        let seventeen = text.sign(&[&log], &cosigners).unwrap();
        assert!(matches!(check(&policy, ORIGIN, parse(&seventeen)), Err(NotTaken::Lines(17))));
        let unsigned = text.sign(&[], &cosigners[..3]).unwrap();
        assert!(matches!(check(&policy, ORIGIN, parse(&unsigned)), Err(NotTaken::NotSigned)));
        let forged = full.replace("\n7\n", "\n8\n");
        assert!(matches!(check(&policy, ORIGIN, parse(&forged)), Err(NotTaken::Check(_))));
    }
}

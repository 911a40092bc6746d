//! What holds for all inputs.

use proptest::prelude::*;
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::ed25519::SecretKey;
use proto::hash::Hash;
use proto::note::{KeyName, Note, NoteSignature, NoteSigner, PrivateKey, Verifier, Vkey, sign_text};
use proto::num::{LeafIndex, Seconds, TreeSize};
use proto::policy::Policy;
use proto::tlog_proof::TlogProof;

fn key_name() -> impl Strategy<Value = KeyName> {
    "[a-zA-Zäé0-9./_-]{1,20}".prop_map(|name| KeyName::parse(&name).expect("a valid name"))
}

fn note_signer() -> impl Strategy<Value = NoteSigner> {
    (key_name(), any::<[u8; 32]>()).prop_map(|(name, seed)| NoteSigner::new(name, SecretKey::from_seed(&seed)))
}

fn cosigner() -> impl Strategy<Value = Cosigner> {
    (key_name(), any::<[u8; 32]>())
        .prop_map(|(name, seed)| Cosigner::new(name, SecretKey::from_seed(&seed)).expect("a short name"))
}

fn note_text() -> impl Strategy<Value = String> {
    "([ -~äé—]{0,20}\n){1,5}"
}

fn checkpoint() -> impl Strategy<Value = CheckpointText> {
    ("[a-z ./]{1,20}", 1..=i64::MAX as u64, any::<[u8; 32]>(), prop::collection::vec("[ -~]{1,10}", 0..3)).prop_map(
        |(origin, size, root, extensions)| {
            let lines: String = extensions.iter().map(|line| format!("{line}\n")).collect();
            let text = format!("{origin}\n{size}\n{}\n{lines}", Hash(root).to_base64());
            CheckpointText::parse(&text).expect("a checkpoint")
        },
    )
}

fn verifier(vkey: &Vkey) -> Verifier {
    Verifier::new(vkey).expect("a good key")
}

/// A policy of two logs, a time key, five witnesses and three groups, with comments and odd blanks.
fn policy_file() -> String {
    let seed = |i: u8| SecretKey::from_seed(&[i; 32]);
    let name = |text: &str| KeyName::parse(text).expect("a name");
    let cosigner = |text: &str, i| Cosigner::new(name(text), seed(i)).expect("a short name");
    let mut file = String::from("# test keys\n\n");
    for i in 1..=2 {
        file +=
            &format!(" log\t{} https://log{i}.example/ \n", NoteSigner::new(name(&format!("log{i}")), seed(i)).vkey());
    }
    file += &format!("witness time {}\n", cosigner("log1/time", 9).vkey());
    for i in 1..=5 {
        file += &format!("witness w{i} {}\n", cosigner(&format!("w{i}.example"), 20 + i).vkey());
    }
    file + "group a any w1 w2\ngroup b 2 w3 w4 w5\ngroup c all a b\nquorum c\n"
}

proptest! {
    #[test]
    fn notes_read_back(text in note_text(), a in note_signer(), b in note_signer()) {
        prop_assume!(a.vkey() != b.vkey());
        let note = sign_text(&text, &[&a, &b]).expect("signed");
        let read = Note::parse(note.as_bytes()).expect("well-formed");
        prop_assert_eq!(read.to_bytes(), note.as_bytes());
        let verified = read.verify(&[verifier(a.vkey()), verifier(b.vkey())]).expect("both signed");
        prop_assert_eq!(verified.text(), text);
        prop_assert_eq!(verified.verified().len(), 2);
    }

    #[test]
    fn keys_read_back(signer in note_signer(), cosigner in cosigner()) {
        for vkey in [signer.vkey(), cosigner.vkey()] {
            prop_assert_eq!(&Vkey::parse(&vkey.to_string()).expect("its own text"), vkey);
        }
        for key in [PrivateKey::Note(signer), PrivateKey::Cosigner(cosigner)] {
            let again = PrivateKey::parse(&key.to_secret_text()).expect("its own text");
            prop_assert_eq!(again.to_secret_text(), key.to_secret_text());
        }
    }

    /// Any bit flipped: either refused, or the text and the good signatures are those that were signed, the change being
    /// in the line of an unknown key.
    #[test]
    fn a_flipped_bit_changes_nothing_that_is_believed(
        text in note_text(), known in note_signer(), unknown in note_signer(), place in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        prop_assume!(known.vkey() != unknown.vkey());
        let note = sign_text(&text, &[&known, &unknown]).expect("signed");
        let mut bytes = note.clone().into_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        if let Ok(verified) = Note::parse(&bytes).map_or(Err(()), |n| n.verify(&[verifier(known.vkey())]).map_err(|_| ())) {
            let unknown_line = note.len() - format!("{}\n", unknown.sign(&text).expect("signed")).len();
            prop_assert!(place >= unknown_line, "a change at {} was not seen", place);
            prop_assert_eq!(verified.text(), text);
            prop_assert_eq!(verified.verified().len(), 1);
        }
    }

    #[test]
    fn checkpoints_and_cosignatures_read_back(
        head in checkpoint(), log in note_signer(), cosigner in cosigner(), time in 1..=i64::MAX as u64,
    ) {
        prop_assert_eq!(&CheckpointText::parse(&head.to_string()).expect("its own text"), &head);
        let note = head.sign(&[&log], &[(&cosigner, Seconds(time))]).expect("signed");
        let keys = [verifier(log.vkey()), verifier(cosigner.vkey())];
        let verified = Note::parse(note.as_bytes()).expect("well-formed").verify(&keys).expect("both signed");
        prop_assert_eq!(verified.signature_by(cosigner.vkey()).and_then(|s| s.time()), Some(Seconds(time)));
    }

    /// A cosignature is worth nothing under another time.
    #[test]
    fn the_time_is_signed(head in checkpoint(), cosigner in cosigner(), time in 1..1u64 << 40, bit in 0u8..64) {
        let line = cosigner.sign(&head, Seconds(time)).expect("signed").to_string();
        let (start, data) = line.rsplit_once(' ').expect("three parts");
        let mut data = proto::b64::decode(data).expect("base64");
        data[4 + usize::from(bit / 8)] ^= 1 << (bit % 8);
        let note = format!("{head}\n{start} {}\n", proto::b64::encode(data));
        let read = Note::parse(note.as_bytes()).expect("well-formed");
        prop_assert!(read.verify(&[verifier(cosigner.vkey())]).is_err());
    }

    #[test]
    fn proof_files_read_back(
        extra in prop::option::of(prop::collection::vec(any::<u8>(), 0..80)), index in 0..=i64::MAX as u64,
        hashes in prop::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..=63), checkpoint in "[ -~]{1,20}\n",
    ) {
        let proof = TlogProof::new(extra, LeafIndex(index), hashes, &checkpoint).expect("within the limits");
        prop_assert_eq!(TlogProof::parse(proof.to_string().as_bytes()), Ok(proof));
    }

    /// Whatever is cut out of a policy, doubled or overwritten: no panic, and what is read writes itself.
    #[test]
    fn mutated_policies_never_panic(
        from in any::<prop::sample::Index>(), length in 0usize..80, double in any::<bool>(), patch in "[\\PC\t\n]{0,6}",
    ) {
        let mut bytes = policy_file().into_bytes();
        let from = from.index(bytes.len());
        let to = (from + length).min(bytes.len());
        let cut: Vec<u8> = bytes.splice(from..to, patch.into_bytes()).collect();
        if double {
            bytes.extend(cut);
        }
        if let Ok(policy) = Policy::parse(&bytes) {
            prop_assert_eq!(Policy::parse(policy.to_bytes()).expect("its own text"), policy);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,60}") {
        for input in [bytes.as_slice(), text.as_bytes()] {
            let _ = Note::parse(input);
            let _ = Policy::parse(input);
            let _ = TlogProof::parse(input);
        }
        for input in [text.clone(), format!("— x {text}"), format!("PRIVATE+KEY+{text}"), format!("a+00000000+{text}")] {
            let _ = NoteSignature::parse(&input);
            let _ = Vkey::parse(&input).map(|vkey| Verifier::new(&vkey));
            let _ = PrivateKey::parse(&input);
            let _ = CheckpointText::parse(&input);
        }
    }
}

#[test]
fn the_unchanged_policy_is_good() {
    let policy = Policy::parse(policy_file()).expect("the base of the mutations");
    assert_eq!((policy.logs().len(), policy.witnesses().len()), (2, 6));
    policy.check_keys().expect("good keys");
    let head = CheckpointText::new("log1", TreeSize(0), Hash::EMPTY_ROOT).expect("the empty head");
    let log = NoteSigner::new(KeyName::parse("log1").expect("a name"), SecretKey::from_seed(&[1; 32]));
    let checked = policy.check(head.sign(&[&log], &[]).expect("signed").as_bytes()).expect("the log signed");
    assert_eq!((checked.quorum.met, checked.quorum.needed, checked.quorum.counted), (false, 3, 5));
}

//! Policies: the shared vectors, and what a check says.

use proto::checkpoint::{CheckpointError, CheckpointText};
use proto::cosignature::Cosigner;
use proto::ed25519::SecretKey;
use proto::hash::Hash;
use proto::note::{KeyName, NoteSigner, SignatureType, VerifyError, Vkey};
use proto::num::{Seconds, TreeSize};
use proto::policy::{BadPolicy, CheckError, Fault, Policy, PolicyName, WitnessState};

use crate::vector_file::{items, load, text};

// All keys here are test keys.
fn name(text: &str) -> KeyName {
    KeyName::parse(text).expect("a valid name")
}

fn log_key() -> NoteSigner {
    NoteSigner::new(name("log.example"), SecretKey::from_seed(&[1; 32]))
}

fn time_key() -> Cosigner {
    Cosigner::new(name("log.example/time"), SecretKey::from_seed(&[2; 32])).expect("a short name")
}

fn witness(i: u8) -> Cosigner {
    Cosigner::new(name(&format!("w{i}.example")), SecretKey::from_seed(&[10 + i; 32])).expect("a short name")
}

fn policy_text() -> String {
    let witnesses: String = (1..=3).map(|i| format!("witness w{i} {}\n", witness(i).vkey())).collect();
    format!(
        "witness clock {}\nlog {} https://log.example/\n{witnesses}group two 2 w1 w2 w3\nquorum two\n",
        time_key().vkey(),
        log_key().vkey()
    )
}

fn head() -> CheckpointText {
    CheckpointText::new("log.example", TreeSize(7), Hash::of(b"root")).expect("a head")
}

fn fault_of(text: &str) -> (usize, Fault) {
    let BadPolicy { line, fault } = Policy::parse(text).expect_err(text);
    (line, fault)
}

#[test]
fn shared_vectors() {
    let Some(vectors) = load("policy.json") else { return };
    for case in items(&vectors, "valid") {
        let file = text(case, "policy");
        let read = Policy::parse(file);
        if case["note"].as_str().is_some_and(|note| note.contains("same raw key for a log and a witness")) {
            // The public text allows this, we do not: a cosignature names no cosigner, so one key must have one role.
            assert!(matches!(read, Err(BadPolicy { fault: Fault::SameKey(1), .. })));
            continue;
        }
        let policy = read.unwrap_or_else(|why| panic!("{file}: {why}"));
        assert_eq!(Policy::parse(policy.to_bytes()).expect("its own text"), policy);
        check_quorum_table(&policy, items(case, "quorum_table"));
    }
    for case in items(&vectors, "invalid") {
        assert!(Policy::parse(text(case, "policy")).is_err(), "{}", case["why"]);
    }
}

/// Witness numbers in a table are the digits of W1, W2 and so on. The keys of the vectors are no curve points, so each
/// is replaced by a test key, and the quorum is asked with real cosignatures.
fn check_quorum_table(policy: &Policy, table: &[serde_json::Value]) {
    let written = String::from_utf8(policy.to_bytes()).expect("UTF-8");
    let mut lines = vec![format!("log {}", log_key().vkey())];
    for line in written.lines().filter(|line| !line.starts_with("log ")) {
        let fields: Vec<&str> = line.split(' ').collect();
        lines.push(match fields.as_slice() {
            ["witness", name, ..] => format!("witness {name} {}", witness(number(name)).vkey()),
            _ => line.to_owned(),
        });
    }
    let policy = Policy::parse(lines.join("\n") + "\n").expect("the same policy with other keys");
    for row in table {
        let who: Vec<u8> = serde_json::from_value(row[0].clone()).expect("witness numbers");
        let cosigners: Vec<Cosigner> = who.iter().map(|i| witness(*i)).collect();
        let cosigners: Vec<(&Cosigner, Seconds)> = cosigners.iter().map(|c| (c, Seconds(5))).collect();
        let note = head().sign(&[&log_key()], &cosigners).expect("signed");
        let checked = policy.check(note.as_bytes()).expect("the log signed");
        assert_eq!(Some(checked.quorum.met), row[1].as_bool(), "{row}");
    }
}

fn number(name: &str) -> u8 {
    name.trim_start_matches('W').parse().expect("W and a digit")
}

#[test]
fn faults_name_their_line() {
    let (log, w1, w2) = (log_key().vkey().to_string(), witness(1).vkey().to_string(), witness(2).vkey().to_string());
    let same_key = Vkey::new(name("o"), SignatureType::CosignatureV1, log_key().vkey().key_bytes().to_vec());
    let same_key = same_key.expect("a vkey");
    // Names of a policy are made by reading one only, so the faults that carry one are compared by their text.
    let twice = fault_of(&format!("witness w {w1}\nwitness v {w2}\ngroup w all v\nquorum w\n"));
    assert_eq!((twice.0, twice.1.to_string().as_str()), (3, "the name w was given before"));
    let undefined = fault_of(&format!("witness w {w1}\ngroup g all g\nquorum g\n"));
    assert_eq!((undefined.0, undefined.1.to_string().as_str()), (2, "g is not defined in an earlier line"));
    for (text, line, fault) in [
        (String::new(), 1, Fault::NoQuorum),
        (format!("log {log}\n"), 2, Fault::NoQuorum),
        ("quorum none".to_owned(), 1, Fault::Unterminated),
        ("quorum none\r\n".to_owned(), 1, Fault::Octet),
        ("quorum none\n# \u{7f}\n".to_owned(), 2, Fault::Octet),
        ("quorum none\nquorum none\n".to_owned(), 2, Fault::SecondQuorum),
        ("\n# comment\nlogs x\n".to_owned(), 3, Fault::Keyword),
        (format!("log {log} log.example\nquorum none\n"), 1, Fault::Url),
        (format!("witness w {log}\nquorum none\n"), 1, Fault::NotACosigner),
        (format!("log {log}\nwitness w {same_key}\nquorum none\n"), 2, Fault::SameKey(1)),
        (format!("witness none {w1}\nquorum none\n"), 1, Fault::NoneName),
        (format!("witness w {w1}\ngroup g 2 w\nquorum g\n"), 2, Fault::Threshold),
    ] {
        assert_eq!(fault_of(&text), (line, fault), "{text}");
    }
}

#[test]
fn names_are_opaque_bytes() {
    let text =
        [b"# \xff\nwitness \xff ".as_slice(), witness(1).vkey().to_string().as_bytes(), b"\nquorum \xff\n"].concat();
    let policy = Policy::parse(&text).expect("any octet above 7F is allowed");
    assert_eq!(policy.witnesses()[0].name().as_bytes(), b"\xff");
    assert_eq!(Policy::parse(policy.to_bytes()).expect("its own text"), policy);
}

#[test]
fn the_log_and_the_quorum_are_judged_apart() {
    let policy = Policy::parse(policy_text()).expect("a policy");
    let (w1, w3, clock) = (witness(1), witness(3), time_key());
    let check = |cosigners: &[(&Cosigner, Seconds)]| {
        let note = head().sign(&[&log_key()], cosigners).expect("signed");
        policy.check(note.as_bytes()).expect("the log signed")
    };

    let alone = check(&[(&clock, Seconds(100))]);
    assert!(!alone.quorum.met, "the log's own time key is no witness");
    assert_eq!(alone.log_time, Some(Seconds(100)));
    assert_eq!(alone.witnesses.len(), 3);
    assert_eq!((alone.quorum.needed, alone.quorum.counted, alone.quorum.cosigned), (2, 3, 0));

    let one = check(&[(&w3, Seconds(90))]);
    assert_eq!((one.quorum.met, one.quorum.cosigned, one.quorum.seen_by), (false, 1, None));
    assert_eq!(one.witnesses[2].state, WitnessState::Cosigned(Seconds(90)));
    assert_eq!(one.log_time, None);

    let two = check(&[(&w3, Seconds(90)), (&clock, Seconds(100)), (&w1, Seconds(70))]);
    assert!(two.quorum.met);
    assert_eq!((two.quorum.seen_by, two.quorum.still_seen_at), (Some(Seconds(90)), Some(Seconds(70))));
}

#[test]
fn what_the_log_did_not_sign_is_not_proven() {
    let policy = Policy::parse(policy_text()).expect("a policy");
    let other_log = NoteSigner::new(name("other.example"), SecretKey::from_seed(&[3; 32]));
    let check = |note: String| policy.check(note.as_bytes()).expect_err("not proven");

    let witnessed = head().sign(&[], &[(&witness(1), Seconds(5)), (&witness(2), Seconds(5))]).expect("signed");
    assert!(matches!(check(witnessed), CheckError::Checkpoint(CheckpointError::NoLogSignature(_))));
    let timed = head().sign(&[], &[(&time_key(), Seconds(5))]).expect("signed");
    assert!(matches!(check(timed), CheckError::Checkpoint(CheckpointError::NoLogSignature(_))));
    let foreign = head().sign(&[&other_log], &[]).expect("signed");
    assert!(matches!(check(foreign), CheckError::Checkpoint(CheckpointError::Note(VerifyError::NoKnownKey))));
    let unlisted = CheckpointText::new("other.example", TreeSize(7), Hash::of(b"root")).expect("a head");
    assert!(matches!(check(unlisted.sign(&[&other_log], &[]).expect("signed")), CheckError::UnknownLog(_)));
    assert!(matches!(check("x".to_owned()), CheckError::Malformed(_)));

    // A listed witness whose line fails spoils the head, even where the quorum would not need it.
    let good = head().sign(&[&log_key()], &[(&witness(1), Seconds(5))]).expect("signed");
    let other = CheckpointText::new("log.example", TreeSize(8), Hash::of(b"root")).expect("a head");
    let line = witness(2).sign(&other, Seconds(5)).expect("signed");
    assert!(matches!(
        check(format!("{good}{line}\n")),
        CheckError::Checkpoint(CheckpointError::Note(VerifyError::BadSignature { .. }))
    ));
}

#[test]
fn a_time_key_counts_for_no_quorum() {
    let (log, clock, w1) = (log_key(), time_key(), witness(1));
    let (log, clock, w1) = (log.vkey(), clock.vkey(), w1.vkey());
    for (text, line) in [
        (format!("log {log}\nwitness c {clock}\nquorum c\n"), 3),
        (format!("log {log}\nwitness c {clock}\nwitness w {w1}\ngroup g any w c\nquorum none\n"), 4),
        // The log line may also come last.
        (format!("witness c {clock}\nquorum c\nlog {log}\n"), 2),
    ] {
        let (found, fault) = fault_of(&text);
        assert!(matches!(fault, Fault::TimeKeyCounts(ref name) if name.as_bytes() == b"c"), "{fault}");
        assert_eq!(found, line);
    }
    // Without its log in the policy it is a name like any other.
    assert!(Policy::parse(format!("witness c {clock}\nquorum c\n")).is_ok());
}

#[test]
fn the_time_key_of_another_log_says_nothing_of_this_one() {
    let other = NoteSigner::new(name("other.example"), SecretKey::from_seed(&[3; 32]));
    let others_clock = Cosigner::new(name("other.example/time"), SecretKey::from_seed(&[4; 32])).expect("a key");
    let (log, clock) = (log_key(), time_key());
    let text = format!(
        "log {}\nlog {}\nwitness o {}\nwitness c {}\nquorum none\n",
        log.vkey(),
        other.vkey(),
        others_clock.vkey(),
        clock.vkey()
    );
    let policy = Policy::parse(text).expect("a policy");
    let time = |cosigners: &[(&Cosigner, Seconds)]| {
        let note = head().sign(&[&log], cosigners).expect("signed");
        policy.check(note.as_bytes()).expect("the log signed").log_time
    };
    assert_eq!(time(&[(&others_clock, Seconds(5))]), None);
    assert_eq!(time(&[(&others_clock, Seconds(5)), (&clock, Seconds(9))]), Some(Seconds(9)));
}

#[test]
fn unusable_keys_are_named() {
    let mut small_order = vec![0u8; 32];
    small_order[0] = 1;
    let weak = Vkey::new(name("w.example"), SignatureType::CosignatureV1, small_order).expect("the form is right");
    let policy = Policy::parse(format!("log {}\nwitness w {weak}\nquorum none\n", log_key().vkey()));
    let policy = policy.expect("points are not looked at here");
    assert!(matches!(policy.check_keys(), Err(CheckError::Key { .. })));
    let note = head().sign(&[&log_key()], &[]).expect("signed");
    assert!(matches!(policy.check(note.as_bytes()), Err(CheckError::Key { .. })));
}

#[test]
fn trust_on_first_use_reads_back() {
    let (log, clock) = (log_key(), time_key());
    let policy = Policy::trusting(&[log.vkey().clone()], Some(clock.vkey())).expect("a policy");
    assert!(policy.has_no_quorum());
    assert_eq!(policy.witnesses()[0].time_key_of(), Some("log.example"));
    assert_eq!(Policy::parse(policy.to_bytes()).expect("its own text"), policy);
    let checked = policy.check(head().sign(&[&log], &[(&clock, Seconds(9))]).expect("signed").as_bytes());
    let checked = checked.expect("the log signed");
    assert_eq!((checked.quorum.met, checked.quorum.counted, checked.log_time), (true, 0, Some(Seconds(9))));
    let names: Vec<&PolicyName> = checked.witnesses.iter().map(|w| &w.name).collect();
    assert!(names.is_empty(), "the log's clock is not listed as a witness");
}

//! A log in main memory: admission, batches, answers, recovery.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::code::Code;
use proto::note::{Verifier, Vkey};
use proto::num::{LeafIndex, TreeSize};
use proto::policy::Policy;
use proto::statement::Refusal;
use serde_json::json;

use crate::log::Mode;
use crate::sequencer::QueueLimits;
use crate::store::Store;
use crate::store::memory::MemoryStore;
use crate::testing::*;

fn policy() -> Policy {
    let keys = log_keys();
    let (log, time) = (Vkey::parse(&keys.log_vkey()).unwrap(), Vkey::parse(&keys.time_vkey()).unwrap());
    Policy::trusting(&[log], Some(&time)).unwrap()
}

/// Waits for something that another thread does.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::yield_now();
    }
}

async fn code(log: &TestLog, envelope: &proto::dsse::Envelope) -> Code {
    log.log.submit(body(envelope)).await.expect_err("refused").refused.code
}

#[tokio::test]
async fn the_answer_carries_the_proof() {
    let test = TestLog::start();
    let answer = test.log.submit(body(&acme())).await.expect("enrolled");
    assert!(answer.created);
    assert_eq!(answer.receipt.index, LeafIndex(1));
    let envelope = support("CAM-3", "2031-03");
    let answer = test.log.submit(body(&envelope)).await.expect("logged");
    assert_eq!(answer.receipt.index, LeafIndex(2));
    assert_eq!(answer.receipt.links.constitution, Some(LeafIndex(0)));
    assert_eq!(answer.receipt.links.registry, Some(LeafIndex(1)));
    let entry = answer.receipt.entry(&envelope.payload).unwrap().encode().unwrap();
    let proof = answer.receipt.to_tlog_proof().unwrap();
    let included = proof.verify(proto::hash::Hash::leaf(&entry), &policy()).expect("proven");
    assert_eq!(included.index, LeafIndex(2));
    assert!(included.head.log_time.is_some());
    // The same again: the first receipt's index and time, and no second entry.
    let again = test.log.submit(body(&envelope)).await.expect("known");
    assert!(!again.created);
    assert_eq!((again.receipt.index, again.receipt.timestamp), (answer.receipt.index, answer.receipt.timestamp));
    assert_eq!(test.log.published().head.size, TreeSize(3));
}

#[tokio::test]
async fn refusals_are_coded_and_signed() {
    let test = TestLog::start();
    let early = support("CAM-3", "2031-03");
    assert_eq!(code(&test, &early).await, Code::KeyUnknown);
    test.log.submit(body(&acme())).await.expect("enrolled");
    let mut other = support_claim("CAM-3", "2031-03");
    other["role"] = json!("researcher");
    let declined = test.log.submit(body(&sign(&other, &[number::ACME_SIGN]))).await.expect_err("refused");
    assert_eq!(declined.refused.code, Code::RightRole);
    let note = declined.refusal_note.expect("a validly signed claim gets a signed refusal");
    let log = Verifier::new(&Vkey::parse(&log_keys().log_vkey()).unwrap()).unwrap();
    assert_eq!(Refusal::verify(note.as_bytes(), &log).unwrap().code, Code::RightRole);
    let mut forged = early.clone();
    forged.payload[10] ^= 1;
    assert!(test.log.submit(body(&forged)).await.is_err());
    let stripped_twice = sign(&support_claim("CAM-3", "2031-03"), &[number::ACME_SIGN, number::ACME_ADMIN]);
    assert_eq!(code(&test, &stripped_twice).await, Code::SignatureExtra);
    let mut anchored = support_claim("CAM-3", "2031-03");
    anchored["logs"] = json!([{"origin": ORIGIN, "size": 1, "root": proto::hash::Hash::EMPTY_ROOT.to_base64()}]);
    assert_eq!(code(&test, &sign(&anchored, &[number::ACME_SIGN])).await, Code::AnchorFork);
    let mut reports = 0;
    test.store
        .reports(None, &mut |_, _| {
            reports += 1;
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(reports, 1, "a fork report is kept");
    let root = test.log.root_at(TreeSize(2)).unwrap();
    anchored["logs"] = json!([{"origin": ORIGIN, "size": 2, "root": root.to_base64()}]);
    assert!(test.log.submit(body(&sign(&anchored, &[number::ACME_SIGN]))).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_make_a_log_without_gaps() {
    let test = TestLog::start();
    test.log.submit(body(&acme())).await.expect("enrolled");
    let mut tasks = Vec::new();
    for i in 0..600 {
        let (log, envelope) = (test.log.clone(), support(&format!("CAM-{}", i % 300), "2031-03"));
        tasks.push(tokio::spawn(async move { log.submit(body(&envelope)).await }));
    }
    let mut created = 0;
    for task in tasks {
        created += usize::from(task.await.unwrap().expect("logged").created);
    }
    assert_eq!(created, 300, "twins of one batch are one entry");
    let published = test.log.published();
    assert_eq!(published.head.size, TreeSize(302));
    assert_eq!(test.log.root_at(published.head.size).unwrap(), published.head.root);
}

#[tokio::test]
async fn a_clock_that_jumps_stops_claims_not_reads() {
    let test = TestLog::start();
    test.log.submit(body(&acme())).await.expect("enrolled");
    test.time.set_wall(START_MS + 3_600_000);
    let first = code(&test, &support("CAM-3", "2031-03")).await;
    assert_eq!(first, Code::ClockJump);
    until("the mode", || matches!(test.log.mode(), Mode::ClockJump(_)));
    assert_eq!(code(&test, &support("CAM-3", "2031-03")).await, Code::ClockJump);
    assert!(test.log.receipt_at(LeafIndex(1)).unwrap().is_some());
}

#[tokio::test]
async fn a_log_opens_again_and_never_below_what_was_signed() {
    let memory = MemoryStore::new(ORIGIN);
    let old: Arc<dyn Store> = Arc::new(memory.reopen());
    let test = TestLog::start_on(old).unwrap();
    test.log.submit(body(&acme())).await.expect("enrolled");
    let shown = test.log.published();
    let (time, signer) = (test.time.clone(), test.signer.clone());
    drop(test);
    let test = TestLog::open(Arc::new(memory.reopen()), time.clone(), signer.clone()).unwrap();
    assert_eq!(test.log.published().note, shown.note, "the same head is signed with the same bytes");
    drop(test);
    let empty: Arc<dyn Store> = Arc::new(MemoryStore::new(ORIGIN));
    assert!(TestLog::open(empty.clone(), time.clone(), signer.clone()).is_err(), "an older store makes no head");
}

#[tokio::test]
async fn an_outsider_changes_no_rules_and_stops_nobody() {
    let test = TestLog::start();
    let mut claim = constitution_claim();
    claim["body"]["operator_keys"] =
        json!([{"alg": "ed25519", "spki": proto::b64::encode(key(99).public().to_spki())}]);
    claim["effective"] = json!("2027-03-01T00:00:00Z");
    let declined = test.log.submit(body(&sign(&claim, &[99]))).await.expect_err("refused");
    assert_eq!(declined.refused.code, Code::RightOperator, "{}", declined.refused);
    assert!(test.log.submit(body(&acme())).await.is_ok(), "the log goes on");
}

/// The key was unknown when the claims were checked, so the sequencer is the first to see whose they are.
#[tokio::test]
async fn a_false_anchor_is_refused_also_right_behind_the_enrolment_of_its_key() {
    let test = TestLog::start();
    let root = test.log.root_at(TreeSize(1)).unwrap().to_base64();
    let anchored = |model: &str, size: u64, root: &str| {
        let mut claim = support_claim(model, "2031-03");
        claim["logs"] = json!([{"origin": ORIGIN, "size": size, "root": root}]);
        body(&sign(&claim, &[number::ACME_SIGN]))
    };
    let other = proto::hash::Hash::EMPTY_ROOT.to_base64();
    let group = vec![body(&acme()), anchored("A", 1, &other), anchored("B", 2, &root), anchored("C", 1, &root)];
    let mut answers = test.log.submit_in_turn(group, crate::log::Turns::default().take()).await;
    assert_eq!(answers.pop().unwrap().expect("our own head").receipt.index, LeafIndex(2));
    for _ in 0..2 {
        let declined = answers.pop().unwrap().expect_err("not our head");
        assert_eq!(declined.refused.code, Code::AnchorFork);
        assert!(declined.refusal_note.is_some(), "its signature is valid, so the refusal is signed");
    }
    assert!(answers.pop().unwrap().is_ok());
    assert_eq!(test.log.published().head.size, TreeSize(3));
    let mut reports = 0;
    let counted = test.store.reports(None, &mut |_, _| {
        reports += 1;
        std::ops::ControlFlow::Continue(())
    });
    assert!(counted.is_ok());
    assert_eq!(reports, 2, "both are kept as reports");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn claims_of_one_stream_are_queued_in_their_order() {
    let test = TestLog::start();
    let (mut turns, mut tasks) = (crate::log::Turns::default(), Vec::new());
    // The enrolment first, then a promise, then each one supersedes the one before.
    let mut envelopes = vec![acme(), support("CAM-3", "2030-01")];
    for year in 2031..2060 {
        let mut claim = support_claim("CAM-3", &format!("{year}-01"));
        let before = envelopes.last().map(|e| proto::claim::ClaimId::of(&e.payload_type, &e.payload)).unwrap();
        claim["rel"] = json!({"kind": "supersede", "target": {"id": before.to_string()}});
        envelopes.push(sign(&claim, &[number::ACME_SIGN]));
    }
    for envelope in &envelopes {
        let (log, bytes, turn) = (test.log.clone(), body(envelope), turns.take());
        tasks.push(tokio::spawn(async move { log.submit_in_turn(vec![bytes], turn).await.remove(0) }));
    }
    for (i, task) in tasks.into_iter().enumerate() {
        let answer = task.await.unwrap().unwrap_or_else(|declined| panic!("line {i}: {:?}", declined.refused));
        assert_eq!(answer.receipt.index, LeafIndex(i as u64 + 1));
    }
}

#[tokio::test]
async fn the_operator_cannot_stop_its_own_log_by_rules_it_does_not_know() {
    let test = TestLog::start();
    let mut claim = constitution_claim();
    claim["body"]["rules_version"] = json!(2);
    claim["effective"] = json!("2027-03-01T00:00:00Z");
    let declined = test.log.submit(body(&sign(&claim, &[number::OPERATOR]))).await.expect_err("refused");
    assert_eq!(declined.refused.code, Code::SlotConstitution);
    assert_eq!(declined.refused.pointer.as_deref(), Some("/body/rules_version"));
}

/// A queue without any room, so that it is full whenever one looks. A forged claim tells what was looked at first.
#[tokio::test]
async fn a_full_queue_refuses_before_signatures_are_checked_and_knows_what_is_in_the_log() {
    let memory = MemoryStore::new(ORIGIN);
    let test = TestLog::start_on(Arc::new(memory.reopen())).unwrap();
    test.log.submit(body(&acme())).await.expect("enrolled");
    let known = support("CAM-3", "2031-03");
    let first = test.log.submit(body(&known)).await.expect("logged").receipt;
    let mut forged = support("CAM-4", "2031-03");
    forged.signatures.clone_from(&known.signatures);
    assert_eq!(code(&test, &forged).await, Code::SignatureInvalid, "with room the signature is checked");
    let (time, signer) = (test.time.clone(), test.signer.clone());
    drop(test);
    let full = QueueLimits { claims: 0, bytes: 0 };
    let test = TestLog::open_with(Arc::new(memory.reopen()), time, signer, full).unwrap();
    let declined = test.log.submit(body(&forged)).await.expect_err("no room");
    assert_eq!((declined.refused.code, declined.retry_after_seconds), (Code::QueueFull, Some(1)));
    assert!(declined.refusal_note.is_none(), "nothing is said under the log's key about a claim that was not checked");
    let again = test.log.submit(body(&known)).await.expect("a repeat needs no room");
    assert!(!again.created);
    assert_eq!(again.receipt.index, first.index);
    let other = sign(&support_claim("CAM-3", "2031-03"), &[number::ACME_ADMIN]);
    assert_eq!(code(&test, &other).await, Code::SlotOtherSignatures);
    // A stream waits for room, and its claims are checked meanwhile.
    let turn = crate::log::Turns::default().take();
    let declined = test.log.submit_in_turn(vec![body(&forged)], turn).await.remove(0).expect_err("refused");
    assert_eq!(declined.refused.code, Code::SignatureInvalid);
}

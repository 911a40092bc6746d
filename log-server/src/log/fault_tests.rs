//! The log over a store that fails: no acknowledged claim is lost, no head contradicts another, nothing bad is signed.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::code::Code;
use proto::entry::Entry;
use proto::fold::{self, Changes};
use proto::hash::Hash;
use proto::merkle::{CompactRange, MemoryTree, consistency_proof, root_at, verify_consistency};
use proto::num::{LeafIndex, TreeSize};
use proto::receipt::Receipt;

use crate::log::{Log, Mode};
use crate::sequencer::Published;
use crate::store::faulty::{CommitFault, Faults, FaultyStore, Operation};
use crate::store::memory::MemoryStore;
use crate::store::{Direction, Store};
use crate::testing::*;

/// Longer than any recovery takes; a test that waits this long has found a hang.
const PATIENCE: Duration = Duration::from_secs(30);

struct Broken {
    test: TestLog,
    faults: Faults,
    memory: MemoryStore,
}

/// A log with Acme enrolled, over a store whose faults are planned by the test.
async fn broken() -> Broken {
    let memory = MemoryStore::new(ORIGIN);
    let faults = Faults::default();
    let test = TestLog::start_on(Arc::new(FaultyStore::new(memory.reopen(), faults.clone()))).unwrap();
    test.log.submit(body(&acme())).await.expect("enrolled");
    Broken { test, faults, memory }
}

/// Submits until the log takes it, as a client that is told to ask again does.
async fn insist(log: &Arc<Log>, model: &str) -> Receipt {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match log.submit(body(&support(model, "2031-03"))).await {
            Ok(answer) => return answer.receipt,
            Err(declined) => {
                assert!(declined.retry_after_seconds.is_some(), "{:?}", declined.refused);
                assert!(Instant::now() < deadline, "the log did not recover: {:?}", declined.refused);
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Re-verifies everything: hashes, root, times, links and rules of every entry, the state, and every acknowledged receipt.
fn check_log(store: &dyn Store, shown: &[Arc<Published>], receipts: &BTreeMap<String, Receipt>) {
    let head = store.head().unwrap().expect("a head");
    let (mut range, mut tree) = (CompactRange::new(), MemoryTree::new());
    let mut state = std::collections::HashMap::new();
    let (mut last, mut hashes) = (0, Vec::new());
    store
        .entries(0..head.size.0, &mut |index, bytes| {
            let entry = Entry::decode(bytes).unwrap();
            assert!(entry.timestamp.0 >= last);
            last = entry.timestamp.0;
            let Changes { state: changes, .. } = fold::step(index, &entry, &state).unwrap();
            state.extend(changes);
            range.append(Hash::leaf(bytes));
            tree.append(Hash::leaf(bytes));
            hashes.push(Hash::leaf(bytes));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(range.root(), head.root);
    for (key, value) in &state {
        assert_eq!(store.state(key).unwrap().as_ref(), Some(value), "the stored state is the fold of the entries");
    }
    for published in shown {
        let (size, root) = (published.head.size, published.head.root);
        assert_eq!(root_at(&tree, size).unwrap(), root, "a head that was shown is no prefix of the log");
        let proof = consistency_proof(&tree, size, head.size).unwrap();
        verify_consistency(size, head.size, &root, &head.root, &proof).unwrap();
    }
    for (model, receipt) in receipts {
        let entry = receipt.entry(&support(model, "2031-03").payload).unwrap().encode().unwrap();
        assert_eq!(
            hashes[usize::try_from(receipt.index.0).unwrap()],
            Hash::leaf(&entry),
            "the acknowledged claim about {model}"
        );
    }
    let mut times = Vec::new();
    store
        .signed_heads(None, Direction::Forward, &mut |head| {
            times.push((head.key.time, head.key.size));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(times.windows(2).all(|pair| pair[0].1 <= pair[1].1), "signed heads go back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_commit_in_every_order_loses_nothing() {
    let kinds = [None, Some(CommitFault::Lost), Some(CommitFault::LostUnknown), Some(CommitFault::PersistedUnknown)];
    let Broken { test, faults, .. } = broken().await;
    let (mut shown, mut receipts) = (vec![test.log.published()], BTreeMap::new());
    // Every sequence of two faults, and reads that fail while the log recovers.
    for (round, (first, second)) in kinds.iter().flat_map(|a| kinds.iter().map(move |b| (*a, *b))).enumerate() {
        faults.schedule([first, second]);
        if round % 3 == 0 {
            faults.fail(Operation::Recover, 0, 1);
        }
        if round % 5 == 0 {
            faults.fail(Operation::PutSignedHead, 1, 1);
        }
        for step in 0..2 {
            test.time.pass(700);
            let model = format!("CAM-{round}-{step}");
            let receipt = insist(&test.log, &model).await;
            receipts.insert(model, receipt);
            shown.push(test.log.published());
        }
        faults.heal();
        test.store.recover().unwrap();
        check_log(&*test.store, &shown, &receipts);
    }
    assert_eq!(receipts.len(), 32);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_in_doubt_is_answered_with_the_entry_it_became() {
    let Broken { test, faults, .. } = broken().await;
    faults.schedule([Some(CommitFault::PersistedUnknown)]);
    let declined = test.log.submit(body(&support("CAM-3", "2031-03"))).await.expect_err("in doubt");
    assert_eq!(declined.refused.code, Code::ModeRecovering);
    let receipt = insist(&test.log, "CAM-3").await;
    assert_eq!(receipt.index, LeafIndex(2));
    assert_eq!(test.log.published().head.size, TreeSize(3), "it is in the log once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_without_room_is_said_and_nothing_has_to_recover() {
    let Broken { test, faults, .. } = broken().await;
    let before = test.log.published();
    faults.schedule([Some(CommitFault::NoRoom), Some(CommitFault::NoRoom)]);
    for model in ["CAM-3", "CAM-4"] {
        let declined = test.log.submit(body(&support(model, "2031-03"))).await.expect_err("no room");
        assert_eq!((declined.refused.code, declined.retry_after_seconds), (Code::DiskLow, Some(60)));
        assert_eq!(test.log.mode(), Mode::Normal, "the sequencer did not stop");
    }
    assert_eq!(test.log.published().note, before.note);
    // As soon as there is room the same claim is taken at once.
    let answer = test.log.submit(body(&support("CAM-3", "2031-03"))).await.expect("room again");
    assert_eq!((answer.receipt.index, answer.created), (LeafIndex(2), true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_twin_of_a_claim_that_found_no_room_finds_none_either() {
    let Broken { test, faults, .. } = broken().await;
    let known = body(&support("CAM-1", "2031-03"));
    test.log.submit(known.clone()).await.expect("logged");
    faults.schedule([Some(CommitFault::NoRoom)]);
    let twin = body(&support("CAM-3", "2031-03"));
    let group = vec![twin.clone(), twin.clone(), known];
    let answers = test.log.submit_in_turn(group, crate::log::Turns::default().take()).await;
    for answer in &answers[..2] {
        let declined = answer.as_ref().expect_err("no room");
        assert_eq!((declined.refused.code, declined.retry_after_seconds), (Code::DiskLow, Some(60)));
    }
    assert!(answers[2].as_ref().is_ok_and(|answer| !answer.created), "what is in the log needs no room");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_that_flips_between_arrival_and_reading_back_is_never_signed() {
    for entry in [true, false] {
        let Broken { test, faults, memory } = broken().await;
        let before = test.log.published();
        match entry {
            true => faults.flip_entry_bit(LeafIndex(2), 1234),
            false => faults.flip_hash_bit(0, 2, 17),
        }
        assert!(test.log.submit(body(&support("CAM-3", "2031-03"))).await.is_err());
        let deadline = Instant::now() + PATIENCE;
        while !matches!(test.log.mode(), Mode::Recovering(_)) {
            assert!(Instant::now() < deadline, "the log went on over a flipped bit");
            tokio::task::yield_now().await;
        }
        assert_eq!(test.log.published().note, before.note, "nothing is signed over it");
        assert!(test.log.receipt_at(LeafIndex(1)).unwrap().is_some(), "reads go on");
        // Nor does a restart sign it, as long as the bit is wrong.
        let (time, signer) = (test.time.clone(), test.signer.clone());
        let again: Arc<dyn Store> = Arc::new(FaultyStore::new(memory.reopen(), faults.clone()));
        assert!(TestLog::open(again, time, signer).is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_halt_is_counted_once_however_often_recovery_is_tried() {
    let Broken { test, faults, .. } = broken().await;
    faults.schedule([Some(CommitFault::LostUnknown)]);
    faults.fail(Operation::Recover, 0, 3);
    insist(&test.log, "CAM-3").await;
    let mut registry = prometheus_client::registry::Registry::default();
    test.log.stats().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
    assert!(text.contains("sequencer_halts_total 1\n"), "{text}");
}

//! Two histories kept by one monitor: it proves heads of either, and says of which.

use claimtrail_log::testing::{ORIGIN, TestLog};
use client::http::{Http, encode_segment};
use harness::watcher::MonitorUnderTest;
use proto::hash::Hash;
use proto::merkle::verify_consistency;
use proto::num::TreeSize;
use serde_json::Value;

use super::served::{Served, add, log_of, router, trust};
use super::{json, programs};

/// The proof that a monitor gives from so many entries to the newest head of this log: the root there, and where histories part.
fn proven(monitor: &MonitorUnderTest, from: u64, log: &TestLog) -> (Hash, Value) {
    let head = log.log.published().head;
    let answer = json(monitor, &path(from, head.size, &head.root));
    let hash = |text: &Value| Hash::from_base64(text.as_str().unwrap()).unwrap();
    let proof: Vec<Hash> = answer["proof"].as_array().unwrap().iter().map(hash).collect();
    let root = hash(&answer["root"]);
    verify_consistency(TreeSize(from), head.size, &root, &head.root, &proof).expect("it holds");
    (root, answer["parts_at"].clone())
}

fn path(from: u64, to: TreeSize, root: &Hash) -> String {
    let root = encode_segment(&root.to_base64());
    format!("/v1/proof?origin={}&from={from}&to={to}&root={root}", encode_segment(ORIGIN))
}

#[test]
fn heads_of_the_other_history_are_proven_as_such() {
    let (one, other) = (log_of(&["CAM-1"]), log_of(&["CAM-1"]));
    let (here, there) = (Served::new(router(&one)), Served::new(router(&other)));
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), &here.url, false);
    add(&one, &["CAM-2", "CAM-3"]);
    add(&other, &["CAM-X", "CAM-Y", "CAM-Z"]);
    assert_eq!(monitor.once().0, 0);
    monitor.point_to(&there.url);
    assert_eq!(monitor.once().0, 10);
    monitor.serve();
    let (ours, parts) = proven(&monitor, 4, &one);
    assert_eq!(parts, Value::Null, "of the followed history");
    let (theirs, parts) = proven(&monitor, 4, &other);
    assert!(ours != theirs && parts == 3, "of the other one, which parts at entry 3: {parts}");
    assert_eq!(proven(&monitor, 3, &one).0, proven(&monitor, 3, &other).0, "both begin alike");
    let http = Http::new(monitor.url()).unwrap();
    let nobodys = Hash::of(b"no head");
    let error = super::wait(http.get(&path(4, TreeSize(6), &nobodys), 1 << 20)).unwrap_err();
    assert_eq!(error.problem.map(|problem| problem.status), Some(404));
    monitor.stop();
}

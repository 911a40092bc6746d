//! Heads of anybody: what is refused, what waits, and that there is an end to it.

use claimtrail_log::testing::ORIGIN;
use harness::process::until;
use harness::watcher::MonitorUnderTest;

use super::served::{Served, log_of, router, trust};
use super::{json, loose_head, open, post, programs};

fn pushed(head: &str) -> String {
    format!("old 0\n\n{head}")
}

#[test]
fn every_bad_push_has_its_answer() {
    let log = Served::new(router(&log_of(&["CAM-1"])));
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), &log.url, false);
    monitor.serve();
    monitor.until_checked(3);
    let good = loose_head(1000);
    let other = good.replace(ORIGIN, "other.example");
    let forged = good.replace("\n1000\n", "\n1001\n");
    let unsigned = format!("{}\u{2014} x.example AAAAAAE=\n", &good[..good.rfind('\u{2014}').unwrap()]);
    let many: String = (0..16).map(|n| format!("\u{2014} w{n}.example AAAAAAE=\n")).collect();
    for path in ["/v1/gossip", "/v1/report"] {
        for (body, status) in [
            (String::new(), 400),
            ("nonsense".to_owned(), 400),
            (format!("old x\n\n{good}"), 400),
            (format!("old 1\n{}\n{good}", "AAAA\n".repeat(3)), 400),
            (format!("old 1\n{}\n{good}", format!("{}\n", proto::hash::Hash::EMPTY_ROOT.to_base64()).repeat(64)), 400),
            (pushed(&other), 404),
            (pushed(&forged), 403),
            (pushed(&unsigned), 403),
            (pushed(&format!("{good}{many}")), 403),
            ("x".repeat(64 * 1024 + 1), 413),
        ] {
            let (found, said) = post(&monitor, path, body.clone());
            assert_eq!(found, status, "{path} {}: {said}", &body[..body.len().min(80)]);
        }
    }
    let (status, answer) = post(&monitor, "/v1/gossip", pushed(&good));
    assert!(status == 200 && answer.starts_with(&format!("{ORIGIN}\n3\n")), "the own newest head: {answer}");
    let reported: serde_json::Value = serde_json::from_str(&post(&monitor, "/v1/report", pushed(&good)).1).unwrap();
    assert_eq!((&reported["verdict"], &reported["size"]), (&"waits".into(), &1000.into()));
    for (path, status) in [
        ("/v1/proof", 400),
        ("/v1/proof?origin=other.example&from=1&to=2&root=x", 404),
        (&format!("/v1/proof?origin={ORIGIN}&from=0&to=2&root=x"), 400),
        (
            &format!("/v1/proof?origin={ORIGIN}&from=1&to=3&root=47DEQpj8HBSa%2B%2FTImW%2B5JCeuQeRkm5NMpJWZG3hSuFU%3D"),
            404,
        ),
        ("/v1/statements", 400),
        ("/v1/evidence/nonsense", 404),
    ] {
        let http = client::http::Http::new(monitor.url()).unwrap();
        let error = super::wait(http.get(path, 1 << 20)).unwrap_err();
        assert_eq!(error.problem.map(|problem| problem.status), Some(status), "{path}");
    }
    for (path, body, status) in [
        ("/v1/evidence", "nonsense", 400),
        ("/v1/statements", "nonsense", 400),
        ("/v1/statements", r#"{"statement":"x","checkpoint":"y"}"#, 404),
    ] {
        assert_eq!(post(&monitor, path, body).0, status, "{path} {body}");
    }
    assert_eq!(open(&monitor.status()), Vec::<String>::new());
    monitor.stop();
}

#[test]
fn a_flood_of_signed_heads_is_bounded_told_and_survives_a_power_cut() {
    let log = Served::new(router(&log_of(&["CAM-1"])));
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), &log.url, false);
    monitor.serve();
    monitor.until_checked(3);
    let before = monitor.resident_bytes();
    for size in 1000..1100 {
        let (status, said) = post(&monitor, "/v1/gossip", pushed(&loose_head(size)));
        assert_eq!(status, 200, "{said}");
    }
    let status = monitor.status();
    let waiting = |status: &serde_json::Value| status["gossip"]["waiting"].as_array().unwrap().clone();
    assert_eq!((waiting(&status).len(), &status["gossip"]["discarded"]), (64, &36.into()));
    assert!(
        waiting(&status).iter().take(48).map(|one| one["size"].as_u64().unwrap()).eq(1000..1048),
        "the smallest stay"
    );
    assert!(open(&status).contains(&"head.discarded".to_owned()), "{status:#}");
    let grown = monitor.resident_bytes().saturating_sub(before);
    println!("100 heads that wait cost {grown} bytes of memory");
    assert!(grown < 64 << 20, "{grown} bytes more");

    monitor.kill();
    monitor.serve();
    let again = until("what waited", || Some(monitor.status()).filter(|status| waiting(status).len() == 64));
    assert_eq!((waiting(&again), &again["gossip"]["discarded"]), (waiting(&status), &36.into()));
    let kept = json(&monitor, "/v1/heads?limit=200");
    assert!(kept["heads"].as_array().unwrap().len() >= 100, "every signed head that came is kept");

    // Who sends too fast is told to wait.
    let refused = (0..400).map(|_| post(&monitor, "/v1/gossip", "nonsense").0).find(|status| *status != 400);
    assert_eq!(refused, Some(429));
}

#[test]
fn two_heads_that_anybody_reports_convict_the_log() {
    let log = Served::new(router(&log_of(&["CAM-1"])));
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), &log.url, false);
    monitor.serve();
    monitor.until_checked(3);
    let (status, answer) = post(&monitor, "/v1/report", pushed(&loose_head(2)));
    assert!(status == 200 && answer.contains("contradicts"), "not larger than what is followed: {answer}");
    super::until_evidence(&monitor);
}

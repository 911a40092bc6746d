//! After an operator resumed cosigning despite a fork, the log shows a third history at its own address.

use claimtrail_log::testing::ORIGIN;
use harness::watcher::MonitorUnderTest;
use harness::zoo::{Script, Served, Show, trust};
use monitor::finding::What;
use serde_json::Value;

use super::programs;

/// The history that is followed goes on otherwise, with these models behind its first head.
fn history(begun: &Script, models: &[&str]) -> Script {
    let mut script = begun.clone();
    models.iter().for_each(|model| script.promise(model));
    script.publish();
    script
}

/// What one look at the log says of it when it shows this.
fn look(monitor: &MonitorUnderTest, served: &Served, script: &Script) -> Value {
    served.show(Show::of(script));
    monitor.once().1
}

/// Whether the log is cosigned.
fn is_cosigned(status: &Value) -> bool {
    status["not_cosigned_because"].is_null()
}

/// The ids of the evidence that ends cosigning or did so before.
fn stops(monitor: &MonitorUnderTest) -> Vec<String> {
    let (code, said) = monitor.run(&["evidence", "list", "--json"]);
    assert_eq!(code, 0, "{said}");
    let listed: Value = serde_json::from_str(&said).unwrap();
    let stops = listed["evidence"].as_array().unwrap().iter().filter(|kept| kept["stops_cosigning"] == true);
    stops.map(|kept| kept["id"].as_str().unwrap().to_owned()).collect()
}

/// The operator's act, by which everything that is known so far is named.
fn resume(monitor: &MonitorUnderTest) {
    let ids = stops(monitor);
    let named = ids.iter().flat_map(|id| ["--despite-evidence", id.as_str()]);
    let (code, said) = monitor.run(&["resume-origin", ORIGIN].into_iter().chain(named).collect::<Vec<_>>());
    assert_eq!(code, 0, "{said}");
}

/// How many times the beginning of a fork was told.
fn told(monitor: &MonitorUnderTest) -> usize {
    let events = monitor.events(ORIGIN);
    let is_fork = |what: &What| what.kind() == "began" && what.finding().is_some_and(|found| found.code == "head.fork");
    events.iter().filter(|event| is_fork(&event.what)).count()
}

#[test]
fn what_is_neither_the_followed_history_nor_the_known_fork_ends_cosigning_again() {
    let begun = Script::begun(client::clock::now());
    let followed = history(&begun, &["CAM-2"]);
    let (fork, third) = (history(&begun, &["CAM-X", "CAM-3"]), history(&begun, &["CAM-Y", "CAM-3"]));
    let served = Served::new(Show::of(&followed));
    let monitor = MonitorUnderTest::init(programs(), &trust(), served.url(), false);
    assert!(is_cosigned(&look(&monitor, &served, &followed)));
    assert!(!is_cosigned(&look(&monitor, &served, &fork)));
    let known = stops(&monitor);
    assert_eq!((known.is_empty(), told(&monitor)), (false, 1));

    resume(&monitor);
    for script in [&fork, &followed, &fork] {
        assert!(is_cosigned(&look(&monitor, &served, script)), "the act named that");
    }
    assert_eq!((stops(&monitor), told(&monitor)), (known.clone(), 1));

    let status = look(&monitor, &served, &third);
    assert!(!is_cosigned(&status), "{status:#}");
    let all = stops(&monitor);
    assert!(all.len() > known.len() && known.iter().all(|id| all.contains(id)), "{all:?}");
    assert_eq!(told(&monitor), 2, "and it is told");
    // The act names each piece of evidence: what was named before says nothing of it.
    let named = known.iter().flat_map(|id| ["--despite-evidence", id.as_str()]);
    let (code, said) = monitor.run(&["resume-origin", ORIGIN].into_iter().chain(named).collect::<Vec<_>>());
    assert_eq!(code, 64, "{said}");

    resume(&monitor);
    for script in [&third, &fork, &followed] {
        assert!(is_cosigned(&look(&monitor, &served, script)));
    }
    assert_eq!((stops(&monitor), told(&monitor)), (all, 2));
    // Of the same size as the followed one, and as the first fork was.
    for (at, models) in [&["CAM-Z"][..], &["CAM-Z", "CAM-3"]].into_iter().enumerate() {
        let other = history(&begun, models);
        assert!(!is_cosigned(&look(&monitor, &served, &other)), "{models:?}");
        assert_eq!(told(&monitor), 3 + at);
        resume(&monitor);
    }
}

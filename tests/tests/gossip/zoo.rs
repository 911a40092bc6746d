//! The zoo among monitors: an animal that only one of three is shown is evidence at all of them, and an honest log is none.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use claimtrail_log::torture::Random;
use harness::process::{run, until};
use harness::watcher::MonitorUnderTest;
use harness::zoo::{Animal, Odd, Script, Served, Show, animals, trust};
use proto::num::Millis;
use serde_json::Value;

use super::{Watchers, evidence, json, open, programs};

/// Animals that are met at the same time, by three monitors each.
const AT_ONCE: usize = 3;
/// How often an honest log grows, with a restart of a monitor each time.
const ROUNDS: u64 = 8;

#[test]
fn every_animal_that_signs_itself_into_it_is_evidence_at_all_three() {
    let all: Vec<&Animal> = animals().filter(|animal| !animal.proven.is_empty()).collect();
    assert!(all.iter().filter(|animal| animal.code == "head.fork").count() >= 5, "the forks are among them");
    let (next, complaints) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(animal) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let said = complaints_about(animal);
                    complaints.lock().unwrap().extend(said.into_iter().map(|said| format!("{}: {said}", animal.name)));
                }
            });
        }
    });
    let complaints = complaints.into_inner().unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Two monitors are shown an honest log, one begins with the animal, which it cannot hold against anything that it saw before.
fn complaints_about(animal: &Animal) -> Vec<String> {
    let life = (animal.life)(client::clock::now());
    let here = Served::new(life.before.clone().unwrap_or_else(|| life.honest.clone()));
    let there = Served::new(life.odd.clone());
    let mut watchers = Watchers::trusting(&trust(), &[here.url(), here.url(), there.url()]);
    (0..2).for_each(|number| watchers.serve(number));
    for monitor in &watchers.monitors[..2] {
        monitor.until_checked(1);
    }
    here.show(life.honest);
    watchers.serve(2);
    let mut complaints = Vec::new();
    for (number, monitor) in watchers.monitors.iter().enumerate() {
        let found = until(&format!("{}: evidence at monitor {number}", animal.name), || {
            Some(kinds(monitor)).filter(|kinds| !kinds.is_empty())
        });
        // What heads of other monitors add to the row is of heads, too.
        let of_heads = ["same-size", "inconsistent", "two-entries", "head-time"];
        let wanted: BTreeSet<&str> = animal.proven.iter().map(|kind| kind.as_str()).collect();
        let right = found.iter().all(|kind| wanted.contains(&**kind) || of_heads.contains(&&**kind));
        if !right {
            complaints.push(format!("{found:?} are proven at monitor {number}, not only {wanted:?}"));
        }
        // Shown a moment after it is kept.
        until(&format!("{}: told at monitor {number}", animal.name), || {
            let told = open(&monitor.status());
            let is_it = |code: &String| code == animal.code || code == "head.fork" || code == "evidence.proven";
            told.iter().any(is_it).then_some(())
        });
    }
    complaints.extend(unproven(&watchers.monitors[0]));
    watchers.monitors.iter_mut().for_each(MonitorUnderTest::stop);
    complaints
}

/// The kinds of what a monitor keeps.
fn kinds(monitor: &MonitorUnderTest) -> BTreeSet<String> {
    let page = json(monitor, "/v1/evidence");
    page["evidence"].as_array().unwrap().iter().map(|kept| kept["kind"].as_str().unwrap().to_owned()).collect()
}

/// Files of a monitor that another process does not prove.
fn unproven(monitor: &MonitorUnderTest) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let verdict = |id: String| {
        let http = client::http::Http::new(monitor.url()).unwrap();
        let file = super::wait(http.get(&format!("/v1/evidence/{id}"), 8 << 20)).unwrap();
        std::fs::write(folder.path().join("file.json"), &file.body).unwrap();
        let output = run(&programs().client, folder.path(), &["misbehaviour", "verify", "file.json"]);
        (output.status.code() != Some(0)).then(|| format!("{id}: {}", String::from_utf8_lossy(&output.stdout)))
    };
    evidence(monitor).into_iter().filter_map(verdict).collect()
}

/// One honest log, which some see earlier than others, as caches make it; monitors are stopped and killed all the while.
#[test]
fn an_honest_log_is_no_evidence_anywhere_through_restarts() {
    let given = std::env::var("STORY_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| client::clock::now().0);
    println!("seed {seed}; run it again with STORY_SEED={seed}");
    let mut random = Random::new(seed);
    let mut script = Script::begun(client::clock::now());
    let served = [0; 3].map(|_| Served::new(Show::of(&script)));
    let mut watchers = Watchers::trusting(&trust(), &served.each_ref().map(Served::url));
    (0..3).for_each(|number| watchers.serve(number));
    for round in 0..ROUNDS {
        for number in 0..=random.below(3) {
            script.promise(&format!("CAM-1{round}{number}"));
            if random.chance(500) {
                script.publish();
            }
        }
        script.publish();
        let late = random.place(3);
        let shown_to = |at: usize| served[at].show(Show::of(&script));
        (0..3).filter(|at| *at != late).for_each(shown_to);
        let again = random.place(3);
        if random.chance(500) {
            watchers.monitors[again].kill();
        } else {
            watchers.monitors[again].stop();
        }
        // The others go on meanwhile, and what they push is not taken.
        for at in (0..3).filter(|at| *at != late && *at != again) {
            watchers.monitors[at].until_checked(script.size().0);
        }
        watchers.serve(again);
        shown_to(late);
        for monitor in &watchers.monitors {
            monitor.until_checked(script.size().0);
        }
    }
    for (number, monitor) in watchers.monitors.iter_mut().enumerate() {
        let status = until("that nothing waits any more", || {
            let status = monitor.status();
            status["gossip"]["waiting"].as_array().is_some_and(Vec::is_empty).then_some(status)
        });
        assert_eq!((open(&status), evidence(monitor)), (vec![], vec![]), "seed {seed}, monitor {number}: {status:#}");
        monitor.stop();
        let told = monitor.events(claimtrail_log::testing::ORIGIN);
        let told: Vec<Value> = told.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
        assert!(told.is_empty(), "seed {seed}, monitor {number} told {told:#?}");
    }
}

/// Who looks once holds what its peers show against the newest head's tiles, though the log keeps back what is under it: there is no
/// later look.
#[test]
fn a_single_look_finds_a_fork_before_entries_that_are_kept_back() {
    // A list of heads is asked for from two minutes ago on, and a script begins so long before its time.
    let common = Script::begun(Millis(client::clock::now().0 + 60_000));
    let [shown, hidden] = [&["CAM-2", "CAM-3", "CAM-4"][..], &["CAM-X"]].map(|models| {
        let mut script = common.clone();
        models.iter().for_each(|model| script.promise(model));
        script.publish();
        script
    });
    let (here, there) = (Served::new(Show::of(&common)), Served::new(Show::of(&hidden)));
    let mut watchers = Watchers::trusting(&trust(), &[here.url(), there.url()]);
    assert_eq!(watchers.monitors[0].once().0, 0);
    watchers.serve(1);
    watchers.monitors[1].until_checked(hidden.size().0);
    here.show(Show::of(&shown).with_odd("/tile/entries/", Odd::Instead(503, "text/plain", b"later".to_vec())));
    let (code, status) = watchers.monitors[0].once();
    assert!(code == 10 && open(&status).contains(&"head.fork".to_owned()), "{code} {status:#}");
    watchers.monitors[1].stop();
}

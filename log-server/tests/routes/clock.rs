//! The machine's clock set back and ahead under a log that is served: it holds its time or takes no claims until it is started
//! again, reads go on, and what it signed never speaks against it.

use std::sync::Arc;

use claimtrail_log::check::{self, Beside};
use claimtrail_log::clock::{AHEAD_MS, HOLD_MS, TimeSource};
use claimtrail_log::http::{HttpOptions, public_router};
use claimtrail_log::store::Store;
use claimtrail_log::testing::{self, ManualTime, Silent, TestLog, log_keys};
use claimtrail_log::torture::Random;

use crate::support::Site;

/// Drawn courses of jumps and restarts.
const COURSES: u64 = 40;
/// Steps of each.
const STEPS: u64 = 25;

/// Started again, as an operator does, with whatever the clock says then.
fn restarted(site: Site) -> Site {
    let Site { log, router } = site;
    drop(router);
    let (store, time, signer) = (log.store.clone(), log.time.clone(), log.signer.clone());
    drop(log);
    let log = TestLog::open(store, time, signer).expect("a log starts whatever the clock says");
    let router = public_router(log.log.clone(), HttpOptions::default());
    Site { log, router }
}

fn jump(time: &ManualTime, by_ms: i64) {
    time.set_wall(time.wall_ms().saturating_add_signed(by_ms));
}

/// Every entry, time and signed head of it, as an auditor sees them.
fn holds_against_itself(store: &Arc<dyn Store>) {
    let scratch = tempfile::tempdir().expect("a folder");
    let keys = log_keys();
    let beside = Beside { vkeys: Some((keys.log_vkey(), keys.time_vkey())), record: None, scratch: scratch.path() };
    let report = check::run(store, &beside, &Silent).expect("the check runs");
    assert_eq!(report.difference, None);
}

/// Takes a claim; its time in the log.
async fn taken(site: &Site, model: &str) -> u64 {
    site.accept(&testing::support(model, "2031-03")).await["timestamp"].as_u64().expect("a time")
}

/// Takes no claims and says so; what it showed before is shown.
async fn takes_none(site: &Site, model: &str, checkpoint: &[u8]) {
    let answer = site.submit(&testing::support(model, "2031-03")).await;
    assert_eq!(answer.problem(), (503, "clock.jump".into()));
    assert!(!answer.header("retry-after").is_empty());
    for path in ["/checkpoint", "/v1/log", "/v1/entries/0", "/tile/0/000.p/1"] {
        assert_eq!(site.get(path).await.status, 200, "{path}");
    }
    assert_eq!(site.get("/checkpoint").await.body, checkpoint, "no head is signed with a time that is not believed");
}

#[tokio::test]
async fn a_clock_set_back_or_ahead_is_held_or_stops_claims_until_a_start() {
    let (hold, ahead) = (i64::try_from(HOLD_MS).expect("small"), i64::try_from(AHEAD_MS).expect("small"));
    let mut site = Site::with_acme().await;
    let first = taken(&site, "M-0").await;
    // Within bounds the time stands still until the clock has caught up.
    jump(&site.log.time, 1 - hold);
    assert_eq!(taken(&site, "M-1").await, first);
    site.log.time.pass(u64::try_from(hold).expect("positive") + 500);
    let second = taken(&site, "M-2").await;
    assert!(second > first && second < first + 1000, "{first} {second}");
    jump(&site.log.time, ahead - 1000);
    let third = taken(&site, "M-3").await;
    assert_eq!(third, second + u64::try_from(ahead - 1000).expect("positive"));

    for by in [-hold - 1, ahead + 1, -3_600_000, 86_400_000] {
        let checkpoint = site.get("/checkpoint").await.body;
        jump(&site.log.time, by);
        takes_none(&site, "M-4", &checkpoint).await;
        // Set right again: still not believed, since nobody knows what else it does. A start is the operator's word.
        jump(&site.log.time, -by);
        takes_none(&site, "M-4", &checkpoint).await;
        site = restarted(site);
        let model = format!("M{by}");
        assert!(taken(&site, &model).await >= third);
    }
    // A start with a clock that is behind the log is no word.
    jump(&site.log.time, -60_000);
    site = restarted(site);
    let checkpoint = site.get("/checkpoint").await.body;
    takes_none(&site, "M-5", &checkpoint).await;
    holds_against_itself(&site.log.store);
}

#[tokio::test]
async fn no_course_of_jumps_and_starts_makes_the_log_speak_against_itself() {
    let told = std::env::var("STORY_SEED").ok().and_then(|text| text.parse().ok());
    let courses = told.map_or(1..=COURSES, |seed| seed..=seed);
    for seed in courses {
        let mut random = Random::new(seed);
        let mut site = Site::with_acme().await;
        let (mut last, mut stopped) = (0, 0);
        for step in 0..STEPS {
            let by = i64::try_from(random.below(45_000)).expect("small");
            match random.below(6) {
                0 => jump(&site.log.time, by),
                1 => jump(&site.log.time, -by),
                2 => site = restarted(site),
                _ => site.log.time.pass(random.below(5_000)),
            }
            let answer = site.submit(&testing::support(&format!("M-{step}"), "2031-03")).await;
            if answer.status == 201 {
                let time = answer.json()["timestamp"].as_u64().expect("a time");
                assert!(time >= last, "seed {seed}: {time} after {last}; run it alone with STORY_SEED={seed}");
                last = time;
            } else {
                assert_eq!(answer.problem(), (503, "clock.jump".into()), "seed {seed}");
                stopped += 1;
            }
        }
        assert!(last > 0 || stopped > 0);
        holds_against_itself(&site.log.store);
    }
}

//! A peer that answers no more.

use harness::process::until;

use super::served::{Served, log_of, router};
use super::{Watchers, open};

#[test]
fn a_peer_that_falls_silent_is_degraded_until_it_is_back() {
    let one = log_of(&["CAM-1"]);
    let log = Served::new(router(&one));
    let mut watchers = Watchers::new(&[&log.url, &log.url]);
    watchers.monitors[0].configure("[poll]\nsilent_after_seconds = 2\n[gossip]\nevery_seconds = 1\n");
    (0..2).for_each(|number| watchers.serve(number));
    until("a peer that answered", || {
        watchers.monitors[0].status()["gossip"]["peers"][0]["last_seen"].is_u64().then_some(())
    });
    watchers.monitors[1].kill();
    let until_open = |watchers: &Watchers, codes: &[&str]| {
        until(&format!("{codes:?} open"), || (open(&watchers.monitors[0].status()) == codes).then_some(()))
    };
    until_open(&watchers, &["peer.silent"]);
    let admin = watchers.monitors[0].admin().to_owned();
    let (code, said) = watchers.monitors[0].run(&["status", "--admin", &admin]);
    assert!(code == 13 && said.contains("peer.silent"), "{code}: {said}");
    watchers.serve(1);
    until_open(&watchers, &[]);
    watchers.monitors.iter_mut().for_each(harness::watcher::MonitorUnderTest::stop);
}

//! From a fork to evidence at all, in time: with a monitor down, with links between monitors cut, with peers that never answer.
//!
//! `STORY_POLL=5 STORY_ROUNDS=10` has a look every five seconds, as by default, and ten forks of each; `STORY_SEED` repeats a run.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use claimtrail_log::torture::Random;
use harness::links::{Goes, Link};
use harness::process::until;
use harness::watcher::MonitorUnderTest;

use super::served::{Served, add, log_of, router, trust};
use super::{evidence, free_port, name, programs};

/// What is demanded beyond a look and a second: unoptimised programs, and other tests on the same cores. Below what a peer may
/// take to answer (10 s), so that whoever waits for a silent one is found.
const SLACK: Duration = Duration::from_secs(4);
/// Names of what the forked history has more.
const MODELS: [&str; 3] = ["CAM-X", "CAM-Y", "CAM-Z"];

/// Who is there. The last monitor is the one that is shown another history.
#[derive(Debug, Clone, Copy)]
struct Scene {
    called: &'static str,
    monitors: usize,
    /// The first ones of these are never started.
    down: usize,
    /// Directed links between monitors that are cut as the log forks.
    cut: usize,
    /// Further peers of each that take connections and never answer.
    silent: usize,
}

/// Monitors, and the link from each to each other.
struct Web {
    monitors: Vec<MonitorUnderTest>,
    ports: Vec<u16>,
    links: BTreeMap<(usize, usize), Link>,
    _held: Vec<TcpListener>,
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

impl Web {
    /// `urls` are the addresses of the log, one for each monitor. Peers are asked twice as seldom as the log, as by default.
    fn new(urls: &[&str], silent: usize, poll: u64) -> Web {
        let ports: Vec<u16> = urls.iter().map(|_| free_port()).collect();
        let pairs = (0..urls.len()).flat_map(|from| (0..urls.len()).map(move |to| (from, to)));
        let links: BTreeMap<(usize, usize), Link> =
            pairs.filter(|(from, to)| from != to).map(|(from, to)| ((from, to), Link::to(ports[to]))).collect();
        // The system takes connections to a socket that listens; nobody ever reads them.
        let held: Vec<TcpListener> = (0..silent).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let monitor = |(number, url): (usize, &&str)| {
            let mut monitor = MonitorUnderTest::named(&name(number), programs(), &trust(), url, false);
            monitor.poll_every(poll);
            let mut config = format!("[gossip]\nevery_seconds = {}\n", poll * 2);
            let mut peer =
                |name: &str, url: &str| config.push_str(&format!("[[peer]]\nname = \"{name}\"\nurl = \"{url}\"\n"));
            for (count, listener) in held.iter().enumerate() {
                peer(&format!("silent{count}.example"), &format!("http://{}", listener.local_addr().unwrap()));
            }
            links
                .iter()
                .filter(|((from, _), _)| *from == number)
                .for_each(|((_, to), link)| peer(&name(*to), link.url()));
            monitor.configure(&config);
            monitor
        };
        let monitors = urls.iter().enumerate().map(monitor).collect();
        Web { monitors, ports, links, _held: held }
    }

    /// Cuts so many links, such that all monitors stay connected; says which.
    fn cut(&self, count: usize, random: &mut Random) -> Cuts {
        loop {
            let mut all: Vec<(usize, usize)> = self.links.keys().copied().collect();
            let cut: BTreeMap<(usize, usize), Goes> = (0..count)
                .map(|_| {
                    let how = if random.chance(500) { Goes::Refused } else { Goes::Nowhere };
                    (all.swap_remove(random.place(all.len())), how)
                })
                .collect();
            let cuts =
                Cuts { monitors: self.monitors.len(), open: all.into_iter().collect(), said: format!("{cut:?}") };
            if cuts.reached(true).len() == self.monitors.len() {
                cut.iter().for_each(|(link, goes)| self.links[link].set(*goes));
                return cuts;
            }
        }
    }
}

/// The links that are left.
struct Cuts {
    monitors: usize,
    open: BTreeSet<(usize, usize)>,
    /// What was cut.
    said: String,
}

impl Cuts {
    /// Who has evidence in the end. Whoever is pushed what the other side was shown knows of the fork, whichever of the two was
    /// shown its own first; from there on evidence is sent along links. Against their direction (`asks`) it is asked for only
    /// now and then.
    fn reached(&self, asks: bool) -> BTreeSet<usize> {
        let last = self.monitors - 1;
        let met = self.open.iter().filter(|(from, to)| *from == last || *to == last);
        let mut has: BTreeSet<usize> = met.map(|(_, to)| *to).collect();
        loop {
            let more: Vec<usize> = self
                .open
                .iter()
                .flat_map(|(from, to)| [(*from, *to), if asks { (*to, *from) } else { (*from, *to) }])
                .filter(|(from, to)| has.contains(from) && !has.contains(to))
                .map(|(_, to)| to)
                .collect();
            if more.is_empty() {
                return has;
            }
            has.extend(more);
        }
    }
}

/// Runs the scene some times; prints when the last of all had evidence.
fn measured(scene: Scene) {
    let (seed, poll, rounds) =
        (number("STORY_SEED", client::clock::now().0), number("STORY_POLL", 1), number("STORY_ROUNDS", 1));
    println!("{}: seed {seed}; run it again with STORY_SEED={seed}", scene.called);
    let mut random = Random::new(seed);
    let (mut pushed, mut asked) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (within, beyond) = once(scene, poll, &mut random);
        pushed.extend(within);
        asked.extend(beyond);
    }
    pushed.sort();
    println!("{}: poll {poll} s, {rounds} forks, evidence by push at {}", scene.called, summary(&pushed));
    if !asked.is_empty() {
        asked.sort();
        println!("{}: by asking at {}", scene.called, summary(&asked));
    }
}

fn summary(times: &[Duration]) -> String {
    let (half, all) = (times[times.len() / 2], times[times.len() - 1]);
    format!("{} monitors: half within {:.2} s, all within {:.2} s", times.len(), half.as_secs_f64(), all.as_secs_f64())
}

/// One fork: how long until evidence was at each monitor that was pushed it, and at each of the others.
fn once(scene: Scene, poll: u64, random: &mut Random) -> (Vec<Duration>, Vec<Duration>) {
    let (one, other) = (log_of(&["CAM-1"]), log_of(&["CAM-1"]));
    let (first, second) = (Served::new(router(&one)), Served::new(router(&other)));
    let urls: Vec<&str> = (0..scene.monitors)
        .map(|number| if number + 1 < scene.monitors { &*first.url } else { &*second.url })
        .collect();
    let mut web = Web::new(&urls, scene.silent, poll);
    let running = scene.down..scene.monitors;
    for number in running.clone() {
        web.monitors[number].serve_at(web.ports[number]);
    }
    for number in running.clone() {
        web.monitors[number].until_checked(3);
        assert_eq!(evidence(&web.monitors[number]), Vec::<String>::new());
    }
    let cuts = web.cut(scene.cut, random);
    let by_push = cuts.reached(false);
    let moment = Instant::now() + Duration::from_millis(random.below(poll * 1000));
    until("the moment of the fork", || (Instant::now() >= moment).then_some(()));
    let (here, there) = (1 + random.place(MODELS.len()), 1 + random.place(MODELS.len()));
    let forked_at = Instant::now();
    add(&one, &["CAM-2", "CAM-3", "CAM-4"][..here]);
    add(&other, &MODELS[..there]);
    let mut times: BTreeMap<usize, Duration> = BTreeMap::new();
    until("evidence at all that are connected", || {
        for number in running.clone() {
            if !times.contains_key(&number) && !evidence(&web.monitors[number]).is_empty() {
                times.insert(number, forked_at.elapsed());
            }
        }
        (times.len() == running.len()).then_some(())
    });
    println!("{}, cut {}: {here} and {there} entries after the fork: {times:.2?}", scene.called, cuts.said);
    let demanded = Duration::from_secs(poll + 1) + SLACK;
    for (number, time) in &times {
        let demanded = if by_push.contains(number) { demanded } else { demanded + Duration::from_secs(poll * 2) };
        assert!(*time <= demanded, "evidence at monitor {number} after {time:?}; {demanded:?} are allowed");
    }
    for number in running {
        web.monitors[number].stop();
    }
    let (within, beyond): (Vec<_>, Vec<_>) = times.into_iter().partition(|(number, _)| by_push.contains(number));
    let only_times = |pairs: Vec<(usize, Duration)>| pairs.into_iter().map(|(_, time)| time).collect();
    (only_times(within), only_times(beyond))
}

#[test]
fn evidence_is_at_all_three_in_time() {
    measured(Scene { called: "three monitors", monitors: 3, down: 0, cut: 0, silent: 0 });
}

#[test]
fn evidence_is_at_those_who_are_left_when_one_is_down() {
    measured(Scene { called: "three monitors, one down", monitors: 3, down: 1, cut: 0, silent: 0 });
}

#[test]
fn evidence_passes_when_a_third_of_the_links_is_cut() {
    measured(Scene { called: "three monitors, 2 of 6 links cut", monitors: 3, down: 0, cut: 2, silent: 0 });
    measured(Scene { called: "five monitors, 6 of 20 links cut", monitors: 5, down: 0, cut: 6, silent: 0 });
}

#[test]
fn evidence_passes_when_most_peers_never_answer() {
    measured(Scene { called: "three monitors, 4 silent of 6 peers", monitors: 3, down: 0, cut: 0, silent: 4 });
}

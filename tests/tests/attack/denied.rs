//! A machine that denies the server what it needs while it runs: descriptors, writes, its own folder. Claims are refused with a
//! code, reads go on, it recovers by itself when it is over, and nothing that was acknowledged is lost.

use std::path::Path;
use std::process::{Command, Output};

use harness::inputs::skipped;
use harness::process::until;
use serde_json::Value;

use crate::site::{Site, checked, programs};
use crate::wire::{Answer, Wire, get, post};

/// Some 500 bytes each: a claim of about 32 KiB.
const DOCUMENTS: usize = 60;
/// Claims of one stream.
const PIECE: usize = 64;
/// More than the write buffers hold, so that the store needs a new file: some 100 MB of claims.
const MOST_PIECES: usize = 50;
/// A user that owns nothing here.
const NOBODY: &str = "65534";

/// A claim that was acknowledged, and its index.
type Acknowledged = Vec<(String, Value)>;

/// Sets a limit of the running server, softly, so that it can be lifted again.
fn set_limit(site: &Site, limit: &str) {
    let id = site.log.server().id().to_string();
    let output = Command::new("prlimit").args(["--pid", &id, limit]).output().expect("prlimit runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Lets the server open no further descriptor; what is open stays open. The limit is one of numbers, and the lowest free one is
/// what it would be given next.
fn deny_descriptors(site: &Site) {
    let open = std::fs::read_dir(format!("/proc/{}/fd", site.log.server().id())).expect("it runs");
    let open: Vec<u32> =
        open.map(|entry| entry.unwrap().file_name().to_string_lossy().parse().expect("a number")).collect();
    let lowest_free = (0..).find(|number| !open.contains(number)).expect("numbers go on");
    set_limit(site, &format!("--nofile={lowest_free}:"));
}

/// Submits claims over `wire` until one is not taken; its answer. `None` when all that the machine could deny was needed by then
/// and every claim was taken.
fn submit_until_refused(site: &Site, wire: &mut Wire, acknowledged: &mut Acknowledged) -> Option<Value> {
    for _ in 0..MOST_PIECES {
        let claims: Vec<String> = (0..PIECE).map(|_| site.acme.large_claim(DOCUMENTS)).collect();
        let answer = wire.ask(post("/v1/claims/stream", &(claims.join("\n") + "\n")));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let lines: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let mut refused = None;
        for line in lines.into_iter().filter(|line| line["line"].is_u64()) {
            let number = usize::try_from(line["line"].as_u64().expect("a number")).expect("small");
            match line["status"].as_u64() {
                Some(201) => acknowledged.push((claims[number - 1].clone(), line["receipt"]["index"].clone())),
                _ => refused = Some(line),
            }
        }
        if refused.is_some() {
            return refused;
        }
    }
    None
}

/// What was published can be read over a connection that was open before; a read that meets a recovery is told so.
fn reads_go_on(wire: &mut Wire) {
    for path in ["/checkpoint", "/v1/log", "/tile/0/000.p/2", "/tile/entries/000.p/2", "/v1/issuers/acme.example"] {
        until(path, || {
            let answer = wire.ask(get(path));
            assert!(matches!(answer.status, 200 | 503), "{path}: {}", answer.text());
            (answer.status == 200).then_some(())
        });
    }
}

/// Asks again and again, as a client does, until the claim is taken.
fn recovers(site: &Site) -> u64 {
    let claim = site.acme.claim();
    let taken = until("the log recovers by itself", || {
        let answer = site.submit(&claim);
        match answer.says() {
            (200 | 201, _) => Some(answer),
            (503, code) if ["mode.recovering", "queue.full"].contains(&code.as_str()) => None,
            _ => panic!("{}", answer.text()),
        }
    });
    taken.json()["index"].as_u64().expect("an index")
}

/// Every acknowledged claim is where it was said to be.
fn nothing_is_lost(site: &Site, acknowledged: &Acknowledged) {
    let mut wire = site.connect();
    for (envelope, index) in acknowledged {
        let answer: Answer = wire.ask(post("/v1/claims", envelope));
        assert_eq!((answer.status, &answer.json()["index"]), (200, index), "acknowledged before");
    }
}

/// The whole of it: denied by `begin`, over with `end`.
fn denied_and_over(site: &Site, begin: impl FnOnce(), end: impl FnOnce()) {
    let mut acknowledged = Acknowledged::new();
    let (mut kept, mut reader) = (site.connect(), site.connect());
    for _ in 0..3 {
        let claim = site.acme.claim();
        let answer = kept.ask(post("/v1/claims", &claim));
        assert_eq!(answer.status, 201, "{}", answer.text());
        acknowledged.push((claim, answer.json()["index"].clone()));
    }
    assert_eq!(reader.ask(get("/checkpoint")).status, 200);
    begin();
    let refused = submit_until_refused(site, &mut kept, &mut acknowledged).expect("what is denied is needed");
    println!("refused after {} claims: {refused}", acknowledged.len());
    assert_eq!(
        (&refused["status"], &refused["problem"]["code"]),
        (&503.into(), &"mode.recovering".into()),
        "{refused}"
    );
    assert!(refused["problem"]["retry_after_seconds"].is_u64(), "{refused}");
    reads_go_on(&mut reader);
    // Also over recoveries that do not succeed.
    let tries = || site.log.server().stderr().matches("recovering the store after a failed write").count();
    let before = tries();
    until("recovery was tried a few times", || (tries() >= before + 3).then_some(()));
    reads_go_on(&mut reader);
    let again = kept.ask(post("/v1/claims", &site.acme.claim()));
    assert_eq!(again.says(), (503, "mode.recovering".into()), "it is not over yet");
    assert!(again.retry_after().is_some());
    end();
    recovers(site);
    nothing_is_lost(site, &acknowledged);
}

#[test]
fn without_a_free_descriptor_connections_wait_and_the_log_recovers() {
    let site = Site::start("");
    let mut kept = site.connect();
    assert_eq!(kept.ask(get("/checkpoint")).status, 200);
    // Nobody new gets in, who is in is served.
    deny_descriptors(&site);
    let mut waiting: Vec<Wire> = (0..100).map(|_| site.connect()).collect();
    waiting.iter_mut().for_each(|wire| _ = wire.send(get("/checkpoint")));
    for _ in 0..5 {
        assert_eq!(kept.ask(post("/v1/claims", &site.acme.claim())).status, 201);
        assert_eq!(kept.ask(get("/checkpoint")).status, 200);
    }
    let told = until("the server says what it lacks", || {
        let said = site.log.server().stderr();
        said.contains("cannot accept connections").then_some(said)
    });
    assert!(told.contains("Too many open files"), "{told}");
    assert!(told.lines().count() < 50, "it says so now and then, not each time: {told}");
    set_limit(&site, "--nofile=4096:");
    for wire in &mut waiting {
        assert_eq!(wire.answer().expect("who waited is served").status, 200);
    }
    drop((waiting, kept));

    // The same while the store needs a new file.
    until("they are closed", || (site.figure("claimtrail_http_connections") == 0).then_some(()));
    denied_and_over(&site, || deny_descriptors(&site), || set_limit(&site, "--nofile=4096:"));
    site.ends_well();
}

#[test]
fn a_disk_that_takes_no_writes_is_waited_for() {
    let mut log = Site::init("");
    // Else the signal that comes with the limit would end it.
    log.serve_by(&["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"], &[]);
    let site = Site::of(log);
    denied_and_over(&site, || set_limit(&site, "--fsize=0:"), || set_limit(&site, "--fsize=unlimited:"));
    site.ends_well();
}

/// Runs as nobody where the tests are run by an administrator, to whom no permission applies.
fn as_nobody() -> Vec<&'static str> {
    use std::os::unix::fs::MetadataExt;
    let is_administrator = std::fs::metadata("/proc/self").is_ok_and(|of| of.uid() == 0);
    match is_administrator {
        true => vec!["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"],
        false => Vec::new(),
    }
}

fn run(program: &str, args: &[&str], path: &Path) -> Output {
    Command::new(program).args(args).arg(path).output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

#[test]
fn a_data_folder_whose_permission_is_lost_is_waited_for() {
    const TEST: &str = "a_data_folder_whose_permission_is_lost_is_waited_for";
    let by = as_nobody();
    let mut log = Site::init("");
    let database = log.data().join("store/db");
    if let [setpriv, options @ ..] = &by[..] {
        run("chown", &["-R", &format!("{NOBODY}:{NOBODY}")], log.path());
        let mut tried = Command::new(setpriv);
        if !tried.args(options).arg(programs().log).arg("--version").output().is_ok_and(|out| out.status.success()) {
            return skipped(TEST, "nobody cannot run the program here");
        }
    }
    log.serve_by(&by, &[]);
    let mut site = Site::of(log);
    denied_and_over(&site, || _ = run("chmod", &["000"], &database), || _ = run("chmod", &["755"], &database));
    // Neither does it start without, and it says why.
    site.log.stop();
    run("chmod", &["000"], &database);
    let mut start = Command::new(by.first().map_or(programs().log.as_os_str(), |first| first.as_ref()));
    if let [_, options @ ..] = &by[..] {
        start.args(options).arg(programs().log);
    }
    let output =
        start.args(["serve", "log", "--listen", "127.0.0.1:0"]).current_dir(site.log.path()).output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(74), "{said}");
    assert!(said.contains("Permission denied") && said.contains("store"), "{said}");
    run("chmod", &["755"], &database);
    site.log.serve_by(&by, &[]);
    site.takes_a_claim();
    let size = site.size();
    site.log.stop();
    assert_eq!(checked(&site.log), size);
}

#[test]
fn too_few_descriptors_from_the_start_are_said_and_shared_out() {
    let mut log = Site::init("");
    let shell = |limit: usize| ["sh".to_owned(), "-c".into(), format!("ulimit -n {limit}; exec \"$@\""), "sh".into()];
    // Far too few: it does not start, says what to do, and leaves the log alone.
    let few = shell(12);
    let output = Command::new(&few[0])
        .args(&few[1..])
        .arg(&programs().log)
        .args(["serve", "log", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        .current_dir(log.path())
        .output()
        .expect("sh runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("open files"), "{said}");

    let some = shell(128);
    log.serve_by(&some.each_ref().map(String::as_str), &[]);
    let site = Site::of(log);
    let said = site.log.server().stderr();
    assert!(said.contains("128 open files") && said.contains("64 connections"), "{said}");
    let mut kept = site.connect();
    assert_eq!(kept.ask(get("/checkpoint")).status, 200);
    let mut crowd: Vec<Wire> = (0..200).map(|_| site.connect()).collect();
    crowd.iter_mut().for_each(|wire| _ = wire.send(get("/checkpoint")));
    let mut statuses: Vec<u16> = crowd.iter_mut().filter_map(Wire::answer).map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, [200, 429], "the store's share is not taken by connections");
    assert_eq!(kept.ask(post("/v1/claims", &site.acme.claim())).status, 201);
    drop(crowd);
    until("there is room again", || (site.figure("claimtrail_http_connections") <= 1).then_some(()));
    site.takes_a_claim();
    site.ends_well();
}

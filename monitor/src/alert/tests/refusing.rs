//! Receivers that refuse one alert, all of them, or hang.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use client::http::Backoff;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::alert::channel::command::Command;
use crate::alert::channel::mail::{Mail, Security, SmtpConfig};
use crate::alert::channel::{Channel, NotTaken, Way};
use crate::alert::deliver::{Delivery, wait_after};
use crate::finding::code;
use crate::store::Findings;

/// Tries that are more than enough for another form.
const TRIES: usize = 30;

fn found(said: &[(&str, &str)]) -> Arc<dyn Source> {
    let source = MadeUp::default();
    for (code, message) in said {
        source.add(Class::Tamper, code);
        let mut events = source.0.lock().unwrap();
        let last = events.last_mut().unwrap();
        last.what = What::Began(Finding::new(Class::Tamper, code, *message));
    }
    Arc::new(source)
}

fn delivery(folder: &Path, way: Way, seconds: u64, source: Arc<dyn Source>) -> Arc<Delivery> {
    let timeout = Duration::from_secs(seconds);
    let channel = Channel { name: "c".into(), filter: tamper_only(), canary: None, timeout, way };
    let outbox = Arc::new(Outbox::open(folder, "m").unwrap());
    Arc::new(Delivery::new(channel, vec![source], outbox, "m").unwrap())
}

/// A program that adds each alert to `told` of a folder, unless this shell condition on `$alert` holds.
fn program(folder: &Path, refuses: &str) -> Way {
    let script = format!(
        "cd '{}' && alert=$(cat) && if {refuses}; then exit 1; fi; printf '%s\\n' \"$alert\" >> told",
        folder.display()
    );
    Way::Command(Command::new(&["/bin/sh".into(), "-c".into(), script], Duration::from_secs(30)).unwrap())
}

fn told(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("told")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ids(told: &[Value]) -> Vec<&str> {
    told.iter().map(|alert| alert["id"].as_str().unwrap()).collect()
}

async fn try_often(delivery: &Arc<Delivery>) {
    let stop = CancellationToken::new();
    for _ in 0..TRIES {
        if delivery.clone().all_new(&stop).await.is_ok() {
            return;
        }
    }
}

#[tokio::test]
async fn an_alert_that_is_refused_as_it_is_blocks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let source = found(&[("a.b", "one"), ("a.c", "' OR 1=1"), ("a.d", "three")]);
    let way = program(folder.path(), "echo \"$alert\" | grep -q 'OR 1=1'");
    let delivery = delivery(folder.path(), way, 30, source);
    let first = delivery.clone().all_new(&CancellationToken::new()).await;
    assert!(first.is_err() && told(folder.path()).len() == 1, "the whole is tried some times first");
    try_often(&delivery).await;
    let told = told(folder.path());
    assert_eq!(ids(&told), ["log#1-1000", "log#2-2000/bare", "log#3-3000"]);
    let bare = &told[1];
    assert_eq!(
        (&bare["code"], &bare["class"], &bare["instead_of"]),
        (&"a.c".into(), &"tamper".into(), &"log#2-2000".into())
    );
    let refused = &delivery.shown().unwrap().refused;
    assert_eq!(
        (refused.len(), refused[0].id.as_str(), refused[0].told_as.as_str()),
        (1, "log#2-2000", "log#2-2000/bare")
    );
}

#[tokio::test]
async fn what_is_refused_in_every_form_of_its_own_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let source = found(&[("a.b", "one"), ("bad.code", "two"), ("a.d", "three")]);
    let delivery = delivery(folder.path(), program(folder.path(), "echo \"$alert\" | grep -q 'bad.code'"), 30, source);
    try_often(&delivery).await;
    let told = told(folder.path());
    assert_eq!(ids(&told), ["log#1-1000", "log#2-3-3000/count"]);
    assert_eq!((&told[1]["summary"]["events"], &told[1]["severity"]), (&2.into(), &"alarm".into()));
    assert_eq!(delivery.shown().unwrap().places[0].waiting, 0);
}

#[tokio::test]
async fn a_receiver_that_took_nothing_for_long_gets_the_whole_when_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let source = found(&[("a.b", "one"), ("a.c", "two")]);
    let delivery = delivery(folder.path(), program(folder.path(), "[ ! -e mended ]"), 30, source);
    try_often(&delivery).await;
    assert_eq!((told(folder.path()).len(), delivery.shown().unwrap().places[0].waiting), (0, 2));
    std::fs::write(folder.path().join("mended"), "").unwrap();
    try_often(&delivery).await;
    assert_eq!(ids(&told(folder.path())), ["log#1-1000", "log#2-2000"]);
    assert!(delivery.shown().unwrap().refused.is_empty());
}

#[tokio::test]
async fn a_mail_server_that_drips_holds_a_channel_for_its_time_only() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut stream = stream;
                // Longer than the time of the channel; the test ends once the try that it left behind has.
                for _ in 0..100 {
                    if stream.write_all(b"220-not yet\r\n").is_err() {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
        }
    });
    let smtp = SmtpConfig {
        ca_file: None,
        server: "127.0.0.1".into(),
        port: Some(port),
        security: Security::None,
        user: None,
        password_file: None,
        from: "m@example.com".into(),
        to: vec!["s@example.com".into()],
    };
    let folder = tempfile::tempdir().unwrap();
    let way = Way::Mail(Mail::new(Some(&smtp), true, Duration::from_secs(1)).unwrap());
    let delivery = delivery(folder.path(), way, 1, found(&[("a.b", "one")]));
    let begun = Instant::now();
    let before = client::clock::now();
    let no = delivery.clone().all_new(&CancellationToken::new()).await.unwrap_err();
    assert!(no.message.contains("under way"), "{no:?}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    let since = delivery.shown().unwrap().state.failing_since.unwrap();
    assert!(since.0 < before.0 + 1000, "it takes nothing since the try began, not since that ended");
}

#[tokio::test]
async fn a_channel_is_stuck_by_the_clock_and_not_by_its_next_try() {
    let folder = tempfile::tempdir().unwrap();
    let delivery = delivery(folder.path(), program(folder.path(), "true"), 30, found(&[("a.b", "one")]));
    let no = delivery.clone().all_new(&CancellationToken::new()).await.unwrap_err();
    let since = delivery.shown().unwrap().state.failing_since.unwrap().0;
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let at = |after: Duration| Millis(since + u64::try_from(after.as_millis()).unwrap());
    delivery.judge(at(minutes(15) - Duration::from_millis(1))).unwrap();
    delivery.judge(at(minutes(15))).unwrap();
    drop(delivery);
    let open = Outbox::open(folder.path(), "m").unwrap().open_findings().unwrap();
    assert_eq!((open.len(), open[0].finding.id.as_str(), open[0].since), (1, "alert.stuck:c", at(minutes(15))));
    // Nor does a receiver choose how late it is told.
    let mut backoff = Backoff::between(Duration::from_secs(1), minutes(5));
    let day = NotTaken { wait: Some(minutes(24 * 60)), ..no };
    assert!((minutes(15)..minutes(16)).contains(&wait_after(&mut backoff, &day)));
}

#[tokio::test]
async fn a_channel_that_fails_is_so_over_a_restart_and_a_test_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let way = || program(folder.path(), "echo \"$alert\" | grep -q '\"kind\":\"began\"'");
    let first = delivery(folder.path(), way(), 30, found(&[("a.b", "one")]));
    assert!(first.clone().all_new(&CancellationToken::new()).await.is_err());
    let since = first.shown().unwrap().state.failing_since;
    assert!(since.is_some());
    first.clone().test().await.unwrap();
    assert_eq!(told(folder.path()).len(), 1);
    assert_eq!(first.shown().unwrap().state.failing_since, since, "what waits still fails");
    drop(first);
    let again = delivery(folder.path(), way(), 30, found(&[("a.b", "one")]));
    assert_eq!(again.shown().unwrap().state.failing_since, since);
}

/// What is wrong with the monitor itself comes and goes, and then nobody has anything to say for a long time.
#[tokio::test]
async fn the_end_of_what_came_and_went_is_told_when_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Arc::new(Outbox::open(folder.path(), "m").unwrap());
    let full = Finding::new(Class::Degraded, code::OWN, "the disk is full").named("log");
    for at in [1, 3] {
        outbox.note(&Findings::begin(vec![full.clone()]), Millis(at)).unwrap();
        outbox.note(&Findings::end(&full.id), Millis(at + 1)).unwrap();
    }
    let kinds = |outbox: &Outbox| -> Vec<&'static str> {
        outbox.events_after(0, 9).unwrap().iter().map(|event| event.what.kind()).collect()
    };
    outbox.tell_quiet(Millis(5)).unwrap();
    assert_eq!(kinds(&outbox), ["began", "ended", "began"], "it may come again");
    let filter = Filter::new(vec![Class::Degraded], None, Default::default());
    let (timeout, way) = (Duration::from_secs(30), program(folder.path(), "false"));
    let channel = Channel { name: "c".into(), filter, canary: None, timeout, way };
    let source: Arc<dyn Source> = outbox.clone();
    let delivery = Arc::new(Delivery::new(channel, vec![source], outbox.clone(), "m").unwrap());
    for _ in 0..2 {
        delivery.clone().all_new(&CancellationToken::new()).await.unwrap();
        assert_eq!(kinds(&outbox), ["began", "ended", "began", "ended"]);
    }
}

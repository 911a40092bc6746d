//! None is lost and none is in the way: receivers that are down or hang, a monitor that is killed, floods, canaries.

use harness::process::until;
use serde_json::Value;

use super::receiver::{Answer, Receiver, free_address, hanging};
use super::served::{Served, add, log_of, router};
use super::{Fork, add_config, alerts_in, file_of, listed, monitor_with, to_file, until_in, webhook_key};

fn webhook(url: &str) -> String {
    format!("[[alert]]\nkind = \"webhook\"\nurl = \"{url}\"\nallow_private = true\n")
}

#[test]
fn an_alert_waits_for_its_receiver_also_across_a_kill() {
    let fork = Fork::new();
    let address = free_address();
    let mut monitor = fork.monitor(&webhook(&format!("http://{address}/hook")));
    monitor.serve();
    let failing = |monitor: &harness::watcher::MonitorUnderTest| {
        until("a try that fails", || {
            let shown = listed(monitor, Some(monitor.admin()));
            shown[0]["tries"].as_u64().filter(|tries| *tries > 0).map(|_| shown[0].clone())
        })
    };
    let shown = failing(&monitor);
    assert_eq!(shown["places"][0]["waiting"], 1, "{shown:#}");
    assert!(shown["error"].as_str().unwrap().contains("cannot be reached"), "{shown:#}");
    monitor.kill();
    monitor.serve();
    failing(&monitor);

    let receiver = Receiver::at(address, &webhook_key(&monitor));
    receiver.answer(Answer::Later);
    let first = receiver.until(2);
    assert_eq!(first[0].id, first[1].id, "every try has one id");
    monitor.kill();
    let tries = receiver.got().len();
    receiver.answer(Answer::Taken);
    monitor.serve();
    let last = receiver.until(tries + 1);
    assert_eq!(last[tries].id, first[0].id, "and one after a kill");
    assert_eq!(last[tries].alert["id"], first[0].alert["id"]);
    until("the acknowledgement", || {
        let shown = listed(&monitor, Some(monitor.admin()));
        (shown[0]["places"][0]["waiting"] == 0 && shown[0]["failing_since"].is_null()).then_some(())
    });
    monitor.stop();
    monitor.serve();
    until("a look at the outbox", || listed(&monitor, Some(monitor.admin()))[0]["places"].as_array().map(|_| ()));
    assert_eq!(receiver.got().len(), tries + 1, "what was acknowledged does not come again");
}

#[test]
fn what_is_found_anew_after_a_lost_state_is_told() {
    let test = log_of(&["CAM-1", "CAM-2"]);
    let served = Served::new(router(&test));
    let folder = tempfile::tempdir().unwrap();
    let file = file_of(&folder);
    let watch = "[[watch]]\nname = \"all\"\ntypes = [\"support/v1\"]\n";
    let monitor = monitor_with(&served, &format!("{watch}{}", to_file("page", &file)));
    assert_eq!(monitor.once().0, 0);
    assert_eq!(alerts_in(&file).len(), 2);
    let logs = monitor.path("state/logs");
    let kept = folder.path().join("kept");
    std::fs::rename(&logs, &kept).unwrap();
    let (code, said) = monitor.run(&["follow", claimtrail_log::testing::ORIGIN, "--again"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(monitor.run(&["serve", "--once"]).0, 0); // it also warns that all is told again
    let told = alerts_in(&file);
    assert_eq!(told.len(), 4, "the numbers count from 1 again, and were done with: {told:#?}");
    assert_ne!(told[0]["id"], told[2]["id"]);

    // Back to the first state: what was told of the second one is no reason to be silent.
    std::fs::remove_dir_all(&logs).unwrap();
    std::fs::rename(&kept, &logs).unwrap();
    add(&test, &["CAM-3"]);
    assert_eq!(monitor.run(&["serve", "--once"]).0, 0); // it also warns that all is told again
    let told = alerts_in(&file);
    assert_eq!((told.len(), &told[6]["claim"]["model"]), (7, &"CAM-3".into()), "{told:#?}");
}

#[test]
fn a_receiver_that_hangs_holds_neither_the_log_nor_the_others() {
    let test = log_of(&["CAM-1"]);
    let served = Served::new(router(&test));
    let folder = tempfile::tempdir().unwrap();
    let file = file_of(&folder);
    let watch = "[[watch]]\nname = \"all\"\ntypes = [\"support/v1\"]\n";
    let mut monitor = monitor_with(&served, "");
    webhook_key(&monitor);
    let hook = webhook(&format!("http://{}/hook", hanging()));
    add_config(&monitor, &format!("{watch}{hook}timeout_seconds = 600\n{}", to_file("page", &file)));
    monitor.serve();
    until_in(&file, 1);
    add(&test, &["CAM-2", "CAM-3"]);
    monitor.until_checked(5);
    until_in(&file, 3);
    let waiting = |name: &str| {
        let shown = listed(&monitor, Some(monitor.admin()));
        let channel = shown.iter().find(|channel| channel["channel"] == name).unwrap();
        channel["places"][0]["waiting"].as_u64().unwrap()
    };
    until("all is acknowledged", || (waiting("page") == 0).then_some(()));
    assert_eq!(waiting("webhook"), 3);
    monitor.stop();
}

/// One that hangs, one that says no and one that fails at once: each has its own place in what was found, and its own time to try again.
#[test]
fn channels_that_hang_or_fail_hold_no_other_and_each_waits_for_itself() {
    let test = log_of(&["CAM-1"]);
    let served = Served::new(router(&test));
    let folder = tempfile::tempdir().unwrap();
    let file = file_of(&folder);
    let mut monitor = monitor_with(&served, "");
    let receiver = Receiver::at(free_address(), &webhook_key(&monitor));
    receiver.answer(Answer::Later);
    let mail = format!(
        "[[alert]]\nkind = \"mail\"\nallow_private = true\ntimeout_seconds = 600\n[alert.smtp]\nserver = \"127.0.0.1\"\n\
         port = {}\nsecurity = \"none\"\nfrom = \"m@m.example\"\nto = [\"a@m.example\"]\n",
        hanging().port()
    );
    let fails = "[[alert]]\nname = \"fails\"\nkind = \"command\"\ncommand = [\"/bin/false\"]\n";
    let watch = "[[watch]]\nname = \"all\"\ntypes = [\"support/v1\"]\n";
    let hook = webhook(&receiver.url);
    add_config(&monitor, &format!("{watch}{mail}{fails}{hook}{}", to_file("page", &file)));
    monitor.serve();
    until_in(&file, 1);
    let channel = |name: &str| {
        let shown = listed(&monitor, Some(monitor.admin()));
        shown.iter().find(|channel| channel["channel"] == name).unwrap().clone()
    };
    until("tries of its own", || {
        let tried = |name: &str| channel(name)["tries"].as_u64() > Some(1);
        (tried("fails") && tried("webhook")).then_some(())
    });
    // What comes while all of them wait or hang is told by the one that works.
    add(&test, &["CAM-2", "CAM-3"]);
    monitor.until_checked(5);
    until_in(&file, 3);
    until("all is acknowledged", || (channel("page")["places"][0]["waiting"] == 0).then_some(()));
    for name in ["mail", "fails", "webhook"] {
        assert_eq!(channel(name)["places"][0]["waiting"], 3, "{name}");
    }
    assert!(channel("page")["failing_since"].is_null() && channel("mail")["tries"] == 0, "the mail is under way");
    // One that takes alerts again gets its own, whatever the others do.
    receiver.answer(Answer::Taken);
    until("the hook has its own", || (channel("webhook")["places"][0]["waiting"] == 0).then_some(()));
    assert_eq!(channel("fails")["places"][0]["waiting"], 3);
    monitor.kill();
}

#[test]
fn a_flood_is_summed_up_and_nothing_of_it_is_lost() {
    const CLAIMS: usize = 60;
    let models: Vec<String> = (0..CLAIMS).map(|i| format!("CAM-{i}")).collect();
    let test = log_of(&models.iter().map(String::as_str).collect::<Vec<_>>());
    let served = Served::new(router(&test));
    let folder = tempfile::tempdir().unwrap();
    let file = file_of(&folder);
    let watch = "[[watch]]\nname = \"all\"\ntypes = [\"support/v1\"]\n";
    let monitor = monitor_with(&served, &format!("{watch}{}", to_file("page", &file)));
    assert_eq!(monitor.once().0, 0, "what a watch matches is nothing wrong with the log");
    let told = alerts_in(&file);
    assert_eq!(told.len(), 1, "{told:#?}");
    let summary = &told[0]["summary"];
    assert_eq!((&told[0]["kind"], &summary["events"]), (&"summary".into(), &(CLAIMS as u64).into()), "{told:#?}");
    let counted: u64 = summary["counts"].as_array().unwrap().iter().map(|count| count["count"].as_u64().unwrap()).sum();
    assert_eq!(counted + summary["others"].as_u64().unwrap(), CLAIMS as u64);
    assert_eq!(summary["worst"].as_array().unwrap().len(), 1, "one line for all of one watch");
    add(&test, &["CAM-X"]);
    assert_eq!(monitor.once().0, 0);
    let told = alerts_in(&file);
    assert_eq!((told.len(), &told[1]["kind"], &told[1]["claim"]["model"]), (2, &"matched".into(), &"CAM-X".into()));
}

#[test]
fn a_canary_comes_at_once_and_then_after_its_hours() {
    let served = Served::new(router(&log_of(&[])));
    let folder = tempfile::tempdir().unwrap();
    let file = file_of(&folder);
    let mut monitor = monitor_with(&served, &format!("{}canary_hours = 1\n", to_file("page", &file)));
    monitor.serve();
    let canary = until_in(&file, 1)[0].clone();
    assert_eq!((&canary["kind"], &canary["severity"]), (&"canary".into(), &"info".into()));
    assert!(canary["message"].as_str().unwrap().contains("comes in 1 h"), "{canary:#}");

    // A test beside the running monitor, which sends it; and one without.
    let (code, said) = monitor.run(&["alert", "test", "--admin", monitor.admin()]);
    assert_eq!((code, said.as_str()), (0, "page (command): taken\n"));
    let kinds = || alerts_in(&file).iter().map(|alert| alert["kind"].clone()).collect::<Vec<Value>>();
    assert_eq!(kinds(), ["canary", "test"]);
    monitor.stop();
    let (code, said) = monitor.run(&["alert", "test"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(monitor.once().0, 0, "the canary is not due again");
    assert_eq!(kinds(), ["canary", "test", "test"]);
    let shown = listed(&monitor, None);
    assert!(shown[0]["last_canary"].is_u64(), "{shown:#?}");
}

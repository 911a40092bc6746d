//! A single look that is ended before its time.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use harness::process::until;
use harness::watcher::MonitorUnderTest;

use super::programs;
use super::served::trust;

#[test]
fn a_look_that_is_ended_early_does_not_say_that_all_is_well() {
    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let monitor = MonitorUnderTest::init(programs(), &trust(), &url, false);
    let mut command = Command::new(programs().monitor);
    command.args(["serve", "--once", "--dir"]).arg(monitor.data()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut looking = command.spawn().unwrap();
    silent.accept().unwrap();
    let sent = Command::new("kill").args(["-TERM", &looking.id().to_string()]).status().unwrap();
    assert!(sent.success());
    until("its end", || looking.try_wait().unwrap());
    let output = looking.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(75) && said.contains("stopped before"), "{:?} {said}", output.status);
}

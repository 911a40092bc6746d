//! Many claims at once, one envelope a line.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use client::{compose, keyfile};
use harness::cluster::{LogUnderTest, ORIGIN};
use harness::process::until;
use proto::claim::{ClaimType, PAYLOAD_TYPE};
use proto::ed25519::SecretKey;
use serde_json::Value;

use crate::{json, log_with_acme};

/// More than a tile and its bundle hold, and a part of the next.
pub(crate) const LINES: usize = 330;

/// Envelopes of Acme about models `<stem>-<number>`, one a line.
pub(crate) fn lines(key: &SecretKey, stem: &str, count: usize) -> String {
    let address = compose::LogAddress { origin: ORIGIN.to_owned(), anchor: None };
    let fill = compose::Fill { log: Some(address), now: client::clock::now() };
    let mut lines = String::new();
    for number in 0..count {
        let members = [("issuer", "acme.example"), ("role", "manufacturer"), ("manufacturer", "acme.example")];
        let mut members: Vec<_> = members.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        members.push(("model", format!("{stem}-{number}")));
        let claim = compose::new_claim(&compose::NewClaim { claim_type: ClaimType::Support, fill: &fill, members });
        let payload = compose::payload(claim.as_bytes(), &fill).expect("a claim");
        let envelope = proto::dsse::Envelope::sign(PAYLOAD_TYPE, &payload, &[key]);
        writeln!(lines, "{}", envelope.to_json()).expect("a string takes text");
    }
    lines
}

/// Acme's signing key.
pub(crate) fn acme_key(log: &LogUnderTest) -> SecretKey {
    keyfile::load(&log.path().join("acme.sign.key")).expect("enrolled with it")
}

/// Submits [`LINES`] claims in one stream; all of them are new.
pub(crate) fn submit_many(log: &LogUnderTest, name: &str) -> Value {
    std::fs::write(log.path().join(name), lines(&acme_key(log), "MANY", LINES)).expect("written");
    let summary = json(&log.client(&["--json", "submit", name]));
    assert_eq!((&summary["created"], &summary["rejected"]), (&LINES.into(), &0.into()), "{summary}");
    summary
}

#[test]
fn a_receipt_does_not_wait_for_the_next_line_of_the_input() {
    let log = log_with_acme();
    let mut command = Command::new(&log.programs.client);
    command.args(["--trust", "log/trust.policy", "--url", log.url(), "submit", "-"]);
    command.current_dir(log.path()).env("CLAIMTRAIL_STATE", log.path().join("state"));
    let mut client = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let (mut input, output) = (client.stdin.take().expect("piped"), client.stdout.take().expect("piped"));
    let (said, hear) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).for_each(|line| _ = said.send(line));
    });
    for line in lines(&acme_key(&log), "PIPE", 2).lines() {
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("the client reads");
        // The input stays open and silent.
        let receipt = json(&until("a receipt while the input is silent", || hear.try_recv().ok()));
        assert_eq!(receipt["origin"], ORIGIN, "{receipt}");
    }
    drop(input);
    let status = until("the end of the client", || client.try_wait().expect("our own child"));
    assert!(status.success(), "{status}");
}

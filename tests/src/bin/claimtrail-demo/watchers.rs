//! The second half of the story: three monitors cosign the log's heads, a second log process with the same keys shows one
//! buyer another history, and the file that proves it is verified with no network.

use std::process::Output;
use std::time::Instant;

use harness::process::{Background, until};
use proto::claim::{ClaimId, PAYLOAD_TYPE};
use proto::dsse::Envelope;
use serde_json::Value;

use super::issuers::ACME;
use super::stage::{Result, Stage, TRUST, chapter, free_ports, say};

/// Whom a reader trusts who wants witnesses, too: the log, and two of the three monitors.
const WITNESSED: &str = "log/witness.policy";
/// The exit code of `status` beside evidence of tampering.
const TAMPER: i32 = 10;
/// A file that convicts the log.
const EVIDENCE: &str = "fork.misbehaviour.json";
/// Folders and names of the monitors.
const WATCHERS: [(&str, &str); 3] = [("w1", "w1.example"), ("w2", "w2.example"), ("w3", "w3.example")];

/// A monitor: its folder, where it listens, its witness key, and its process.
struct Watcher {
    folder: &'static str,
    url: String,
    vkey: String,
    process: Option<Background>,
}

/// What a command said, if it ended well.
fn said(output: Output, what: &str) -> Result<String> {
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{what}: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// Makes three monitors that know each other, and starts them.
fn three_watchers(stage: &Stage) -> Result<Vec<Watcher>> {
    let ports = free_ports(2 * WATCHERS.len())?;
    let (public, admin) = ports.split_at(WATCHERS.len());
    let mut watchers = Vec::new();
    for (number, (folder, name)) in WATCHERS.into_iter().enumerate() {
        let (listen, admin) = (format!("127.0.0.1:{}", public[number]), format!("127.0.0.1:{}", admin[number]));
        let what = ["init", folder, "--name", name, "--trust", TRUST, "--url", &stage.url];
        let args = [&what[..], &["--listen", &listen, "--admin", &admin]].concat();
        let made = match number {
            0 => stage.watcher(&args, 0)?,
            _ => said(stage.unseen_watcher(&args), "claimtrail-monitor init")?,
        };
        let vkey = made.split_whitespace().find(|word| word.starts_with(&format!("{name}+")));
        let vkey = vkey.ok_or("the monitor names no key")?.to_owned();
        watchers.push(Watcher { folder, url: format!("http://{listen}"), vkey, process: None });
    }
    for number in 0..watchers.len() {
        let others = (0..watchers.len()).filter(|&other| other != number);
        let peer = |other: usize| {
            let Watcher { url, vkey, .. } = &watchers[other];
            format!("\n[[peer]]\nname = \"{}\"\nurl = \"{url}\"\nvkey = \"{vkey}\"\n", WATCHERS[other].1)
        };
        let peers: String = others.map(peer).collect();
        stage.append(&format!("{}/config.toml", watchers[number].folder), &peers, number == 0)?;
    }
    for watcher in &mut watchers {
        watcher.process = Some(stage.watch(watcher.folder)?);
    }
    Ok(watchers)
}

/// The log's operator tells it its witnesses; two of three are enough.
fn ask_witnesses(stage: &Stage, watchers: &[Watcher]) -> Result<()> {
    let trust = stage.read(TRUST)?;
    let kept = trust.lines().filter(|line| !line.starts_with("quorum"));
    let witness = |watcher: &Watcher| format!("witness {} {} {}\n", watcher.folder, watcher.vkey, watcher.url);
    let policy: String = kept.map(|line| format!("{line}\n")).chain(watchers.iter().map(witness)).collect();
    stage.write(WITNESSED, &(policy + "group two-of-three 2 w1 w2 w3\nquorum two-of-three\n"))?;
    stage.append("log/config.toml", "\n[witness]\npolicy = \"witness.policy\"\n", true)
}

/// Waits until the log shows a head that is cosigned by enough witnesses.
fn until_cosigned(stage: &Stage) {
    until("a head with the witnesses' cosignatures", || {
        let output = stage.unseen(&["--trust", WITNESSED, "--url", &stage.url, "checkpoint"]);
        output.status.success().then_some(())
    });
}

/// The newest size that the monitor of this folder has checked.
fn checked(stage: &Stage, folder: &str) -> Option<u64> {
    let output = stage.unseen_watcher(&["status", "--json", "--dir", folder]);
    let status: Value = serde_json::from_slice(&output.stdout).ok()?;
    status["logs"][0]["checked"].as_u64()
}

/// The ids of the evidence that the monitor of this folder keeps.
fn evidence(stage: &Stage, folder: &str) -> Option<String> {
    let output = stage.unseen_watcher(&["evidence", "list", "--json", "--dir", folder]);
    let list: Value = serde_json::from_slice(&output.stdout).ok()?;
    Some(list["evidence"][0]["id"].as_str()?.to_owned())
}

/// The maker's first promise about its camera; its id.
fn promise(stage: &Stage) -> Result<String> {
    let about = ["--issuer", ACME, "--role", "manufacturer", "--model", "CAM-3"];
    stage.online(
        &[&["claim", "new", "support/v1", "--set", "body.security_until=2031-12", "-o", "cam-3.json"], &about[..]]
            .concat(),
    )?;
    stage.claimtrail(&["sign", "cam-3.json", "--key", &key()], 0)?;
    stage.online(&["submit", "cam-3.envelope.json"])?;
    let envelope = Envelope::parse(stage.read("cam-3.envelope.json")?.as_bytes()).map_err(|why| why.to_string())?;
    Ok(ClaimId::of(PAYLOAD_TYPE, &envelope.payload).to_string())
}

fn key() -> String {
    format!("{ACME}.sign.key")
}

/// Signs another date in place of the promise, into `<stem>.envelope.json`, by what the log at `url` shows.
fn replaced(stage: &Stage, id: &str, until: &str, stem: &str, reader: &[&str]) -> Result<()> {
    let date = format!("body.security_until={until}");
    let args = ["supersede", id, "--set", &date, "--key", &key(), "--no-submit", "-o", stem];
    stage.claimtrail(&[reader, &args].concat(), 0)
}

/// The same keys, two histories: in public the maker shortens its promise, and one buyer is shown a better one. The second
/// log's process, and the size of both trees.
fn fork(stage: &Stage, id: &str) -> Result<Background> {
    let public = ["--trust", WITNESSED, "--url", stage.url.as_str()];
    replaced(stage, id, "2028-12", "shorter", &public)?;
    stage.claimtrail(&[&public[..], &["submit", "--wait-witnessed", "shorter.envelope.json"]].concat(), 0)?;
    let (second, url) = stage.serve_beside("second")?;
    let buyer = ["--state", "buyer", "--trust", TRUST, "--url", url.as_str()];
    replaced(stage, id, "2035-12", "longer", &buyer)?;
    stage.claimtrail(&[&buyer[..], &["submit", "longer.envelope.json"]].concat(), 0)?;
    Ok(second)
}

/// The buyer's receipt convinces whoever trusts the log alone. Whoever wants witnesses is not convinced, and a monitor that is
/// shown it has the proof; from it, all have it. The file lies in the folder at the end.
fn caught(stage: &Stage, watchers: &[Watcher]) -> Result<()> {
    chapter(
        "The buyer's receipt is as good as any, for who trusts the log alone. It is not, for who wants two of three witnesses",
    );
    stage.claimtrail(&["--quiet", "--trust", TRUST, "verify", "longer.receipt.json"], 0)?;
    stage.claimtrail(&["--quiet", "--trust", WITNESSED, "verify", "longer.receipt.json"], 3)?;
    let size = size_of(stage, "longer.receipt.json")?;
    let last = watchers.last().ok_or("no watchers")?;
    until("the monitors have followed the log", || checked(stage, last.folder).filter(|checked| *checked >= size));
    chapter("The buyer hands it in at one of the monitors; it answers, and tells the others");
    let handed_in = Instant::now();
    stage.claimtrail(&["--trust", TRUST, "report", "--monitor", &last.url, "longer.receipt.json"], 1)?;
    let mut id = String::new();
    for watcher in watchers {
        id = until("evidence at every monitor", || evidence(stage, watcher.folder));
    }
    say(&format!("   all three have the evidence after {:.2} s", handed_in.elapsed().as_secs_f64()));
    stage.watcher(&["status", "--dir", "w1"], TAMPER)?;
    stage.watcher(&["evidence", "export", &id, "-o", EVIDENCE, "--dir", "w1"], 0)?;
    Ok(())
}

/// The size of the tree that a receipt was given for.
fn size_of(stage: &Stage, receipt: &str) -> Result<u64> {
    let receipt: Value = serde_json::from_str(&stage.read(receipt)?)?;
    let note = receipt["checkpoint"].as_str().ok_or("a receipt without a head")?;
    Ok(note.lines().nth(1).ok_or("a head without a size")?.parse()?)
}

/// The whole second half. The honest log is served at the beginning, and so it is at the end, with the monitors if `stay`.
pub(crate) fn watched(stage: &mut Stage, server: Background, stay: bool) -> Result<Vec<Background>> {
    chapter("Three independent monitors follow the log, run its rules again, and know each other");
    let id = promise(stage)?;
    let mut watchers = three_watchers(stage)?;
    chapter(
        "The log's operator asks them to cosign its heads; two of three are enough. Somebody copies the log's folder",
    );
    stage.stop("log", server);
    stage.copy("log", "second")?;
    ask_witnesses(stage, &watchers)?;
    let server = stage.serve()?;
    until_cosigned(stage);
    stage.claimtrail(&["--trust", WITNESSED, "--url", &stage.url, "checkpoint"], 0)?;
    chapter(
        "The copy is served as a second log with the same keys. In public a promise becomes shorter; one buyer is shown another",
    );
    let second = fork(stage, &id)?;
    caught(stage, &watchers)?;
    stage.stop("second", second);
    let mut running = vec![server];
    running.extend(watchers.iter_mut().filter_map(|watcher| watcher.process.take()));
    if !stay {
        running.drain(..).for_each(|process| drop(process.stop()));
        say("$ kill %log %w1 %w2 %w3");
    }
    chapter("The file convicts the log's key, for anybody, with no network");
    stage.claimtrail(&["--trust", TRUST, "misbehaviour", "verify", EVIDENCE], 0)?;
    stage.claimtrail(&["--trust", TRUST, "misbehaviour", "show", EVIDENCE], 0)?;
    for watcher in watchers.iter().filter(|_| stay) {
        say(&format!("   a monitor is at {}/", watcher.url));
    }
    Ok(running)
}

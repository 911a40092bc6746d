//! `make demo`: the whole story on one machine, with the commands a person would type.
//!
//! A log on loopback with embedded storage, replayed issuers, a few hundred real facts, a receipt verified with the server
//! stopped, one byte changed, an audit; three monitors that cosign the log's heads, a second log process that shows somebody
//! another history, and the file that convicts it. With `--stay` the log and the monitors keep running at the end.

mod issuers;
mod stage;
mod watchers;

use std::process::ExitCode;
use std::time::Instant;

use stage::{ORIGIN, Result, Stage, TRUST, chapter, say};

/// Changes one byte of a file into another file, beside it.
fn tamper(stage: &Stage, from: &str, to: &str) -> Result<()> {
    let mut bytes = std::fs::read(stage.folder.join(from))?;
    let mark = b"\"inclusion\":[\"";
    let place =
        bytes.windows(mark.len()).position(|window| window == mark).ok_or("no inclusion proof in the receipt")?;
    let byte = bytes.get_mut(place + mark.len()).ok_or("the receipt ends in its proof")?;
    *byte = if *byte == b'A' { b'B' } else { b'A' };
    std::fs::write(stage.folder.join(to), bytes)?;
    Ok(())
}

/// A log, its issuers, and what a reader can do with a receipt alone.
fn first_half(stage: &mut Stage) -> Result<()> {
    chapter("An operator makes a log and serves it");
    stage.operator(&["init", "log", "--origin", ORIGIN, "--issuer", "operator.example"], 0)?;
    let server = stage.serve()?;
    chapter("Issuers make keys and are enrolled. They replay public facts: the named makers did not sign these");
    issuers::enrol(stage)?;
    let count = issuers::sign_facts(stage)?;
    chapter(&format!(
        "{count} real facts, signed and submitted: products, support dates, contacts, firmware hashes, vulnerabilities"
    ));
    stage.online(&["submit", "facts"])?;
    chapter("What was said about one phone, and how the promise moved");
    stage.online(&["history", "replay.apple.example/iPhone 5S"])?;
    chapter("A reader trusts a file of keys, and stops the server: the receipt is enough");
    stage.stop("log", server);
    stage.claimtrail(&["--trust", TRUST, "verify", "facts/0003-support.receipt.json"], 0)?;
    chapter("One byte of the proof is changed");
    tamper(stage, "facts/0003-support.receipt.json", "facts/forged.receipt.json")?;
    let (from, to) = ("facts/0003-support.envelope.json", "facts/forged.envelope.json");
    std::fs::copy(stage.folder.join(from), stage.folder.join(to))?;
    stage.claimtrail(&["--trust", TRUST, "verify", "facts/forged.receipt.json"], 1)
}

fn story(stay: bool, began: Instant) -> Result<()> {
    let temporary = tempfile::Builder::new().prefix("claimtrail-demo-").tempdir()?;
    let mut stage = Stage::new(temporary.path())?;
    first_half(&mut stage)?;
    chapter("The operator checks the log offline; then an auditor reads all of it and runs every rule again");
    stage.operator(&["check", "log"], 0)?;
    let server = stage.serve()?;
    stage.online(&["audit"])?;
    let running = watchers::watched(&mut stage, server, stay)?;
    chapter(&format!("Done in {:.1} s", began.elapsed().as_secs_f64()));
    if running.is_empty() {
        say("   `make demo ARGS=--stay` keeps the log and the monitors running");
        return Ok(());
    }
    say(&format!("   the log is at {0}/v1/log, its newest head at {0}/checkpoint", stage.url));
    say(&format!("   all stay until Ctrl-C; their files are in {}", stage.folder.display()));
    until_asked_to_stop()
}

/// Waits for Ctrl-C. The servers and the folder end with their owners, after it.
fn until_asked_to_stop() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(tokio::signal::ctrl_c())?)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let stay = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--stay"] => true,
        _ => {
            say(
                "usage: claimtrail-demo [--stay]\n\nRuns a log and three monitors on loopback and tells their story; --stay keeps them running at the end.",
            );
            return ExitCode::from(if args == ["--help"] { 0 } else { 64 });
        }
    };
    match story(stay, Instant::now()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("\nthe demo stopped: {error}"));
            ExitCode::FAILURE
        }
    }
}

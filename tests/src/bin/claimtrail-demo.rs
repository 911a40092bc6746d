//! `make demo`: the whole story on one machine, with the commands a person would type.
//!
//! A log on loopback with embedded storage, replayed issuers, a few hundred real facts, a receipt verified with the server
//! stopped, one byte changed, an audit. With `--stay` the log keeps running at the end.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::time::Instant;

use client::{clock, keyfile};
use harness::facts;
use harness::process::{Background, run};
use proto::claim::PAYLOAD_TYPE;
use proto::dsse::Envelope;

/// The log of the demo.
const ORIGIN: &str = "log.example/demo";

/// What went wrong, and where.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

struct Demo {
    client: PathBuf,
    log: PathBuf,
    folder: PathBuf,
    url: String,
}

fn say(text: &str) {
    // Whoever closed the pipe has seen enough.
    let _shown = writeln!(std::io::stdout(), "{text}");
}

fn chapter(text: &str) {
    say(&format!("\n== {text}"));
}

/// The story's lines of an output: all of a short one, the beginning and the end of a long one.
fn show(output: &Output) {
    const SHOWN: usize = 14;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = text.lines().collect();
    for line in lines.iter().take(SHOWN) {
        say(&format!("   {line}"));
    }
    if lines.len() > SHOWN {
        say(&format!("   … {} more lines", lines.len() - SHOWN));
    }
}

impl Demo {
    /// Runs a command as typed, shows it and what it said, and insists on its exit code.
    fn typed(&self, program: &Path, name: &str, args: &[&str], expected: i32) -> Result<()> {
        let shown: Vec<String> =
            args.iter().map(|arg| if arg.contains(' ') { format!("'{arg}'") } else { (*arg).to_owned() }).collect();
        say(&format!("$ {name} {}", shown.join(" ")));
        let output = run(program, &self.folder, args);
        show(&output);
        let code = output.status.code().unwrap_or(-1);
        if code != expected {
            return Err(format!("{name} ended with {code}, not {expected}").into());
        }
        Ok(())
    }

    fn claimtrail(&self, args: &[&str], expected: i32) -> Result<()> {
        self.typed(&self.client, "claimtrail", args, expected)
    }

    /// The same with the reader's trust file and the address, which are set as a person would set them, once.
    fn online(&self, args: &[&str]) -> Result<()> {
        let mut all = vec!["--trust", "log/trust.policy", "--url", self.url.as_str()];
        all.extend(args);
        self.claimtrail(&all, 0)
    }

    fn quietly(&self, args: &[&str]) -> Result<()> {
        let mut all = vec!["--quiet", "--trust", "log/trust.policy", "--url", self.url.as_str()];
        all.extend(args);
        let output = run(&self.client, &self.folder, &all);
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("claimtrail {args:?}: {}", String::from_utf8_lossy(&output.stderr)).into()),
        }
    }

    fn serve(&mut self) -> Result<Background> {
        say("$ claimtrail-log serve log --listen 127.0.0.1:0 --admin 127.0.0.1:0 &");
        let mut command = Command::new(&self.log);
        command.args(["serve", "log", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log-level", "warn"]);
        command.current_dir(&self.folder);
        let (server, line) = Background::start(command);
        say(&format!("   {line}"));
        self.url = line.split_whitespace().nth(1).ok_or("the server names no address")?.to_owned();
        Ok(server)
    }

    /// Enrols everyone in whose name facts are replayed.
    fn enrol(&self) -> Result<()> {
        for (i, replayed) in facts::issuers().iter().enumerate() {
            let file = |end: &str| format!("{}.{end}", replayed.issuer);
            let (sign, admin, request) = (file("sign.key"), file("admin.key"), file("enrol.envelope.json"));
            let ask = [
                "issuer",
                "request",
                "--issuer",
                &replayed.issuer,
                "--legal-name",
                &replayed.issuer,
                "--role",
                replayed.role,
                "--sign-key",
                &sign,
                "--admin-key",
                &admin,
                "--identity",
                "paper",
                "--replay",
                "-o",
                &request,
            ];
            let admit =
                ["issuer", "admit", &request, "--registrar-key", "log/keys/registrar.key", "--checked", "paper"];
            if i == 0 {
                self.claimtrail(&["key", "new", &sign], 0)?;
                self.claimtrail(&["key", "new", &admin], 0)?;
                self.online(&ask)?;
                self.online(&admit)?;
                continue;
            }
            for args in [&["key", "new", &sign][..], &["key", "new", &admin][..], &ask[..], &admit[..]] {
                self.quietly(args)?;
            }
            say(&format!("   {} is enrolled as {} (replay)", replayed.issuer, replayed.role));
        }
        Ok(())
    }

    /// Signs all facts into a folder of envelopes.
    fn sign_facts(&self) -> Result<usize> {
        let keys = facts::issuers().into_iter().map(|replayed| {
            let path = self.folder.join(format!("{}.sign.key", replayed.issuer));
            keyfile::load(&path).map(|key| (replayed.issuer, key))
        });
        let keys: std::collections::BTreeMap<_, _> = keys.collect::<std::result::Result<_, _>>()?;
        let claims = facts::claims(ORIGIN, &clock::rfc3339(clock::now()));
        std::fs::create_dir(self.folder.join("facts"))?;
        for (i, ready) in claims.iter().enumerate() {
            let key = keys.get(&ready.issuer).ok_or("an issuer has no key")?;
            let envelope = Envelope::sign(PAYLOAD_TYPE, &ready.payload, &[key]);
            let name = format!("facts/{i:04}-{}.envelope.json", ready.kind);
            std::fs::write(self.folder.join(name), envelope.to_json())?;
        }
        Ok(claims.len())
    }

    /// Changes one byte of a file into another file, beside it.
    fn tamper(&self, from: &str, to: &str) -> Result<()> {
        let mut bytes = std::fs::read(self.folder.join(from))?;
        let place =
            bytes.windows(14).position(|w| w == b"\"inclusion\":[\"").ok_or("no inclusion proof in the receipt")? + 14;
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        std::fs::write(self.folder.join(to), bytes)?;
        Ok(())
    }
}

fn story(stay: bool, began: Instant) -> Result<()> {
    let beside = std::env::current_exe()?;
    let programs = beside.parent().ok_or("the demo has no folder")?;
    let temporary = tempfile::Builder::new().prefix("claimtrail-demo-").tempdir()?;
    let mut demo = Demo {
        client: programs.join("story-client"),
        log: programs.join("story-log"),
        folder: temporary.path().to_owned(),
        url: String::new(),
    };
    chapter("An operator makes a log and serves it");
    demo.typed(&demo.log, "claimtrail-log", &["init", "log", "--origin", ORIGIN, "--issuer", "operator.example"], 0)?;
    let mut server = demo.serve()?;
    chapter("Issuers make keys and are enrolled. They replay public facts: the named makers did not sign these");
    demo.enrol()?;
    let count = demo.sign_facts()?;
    chapter(&format!(
        "{count} real facts, signed and submitted: products, support dates, contacts, firmware hashes, vulnerabilities"
    ));
    demo.online(&["submit", "facts"])?;
    chapter("What was said about one phone, and how the promise moved");
    demo.online(&["history", "replay.apple.example/iPhone 5S"])?;
    chapter("A reader trusts a file of keys, and stops the server: the receipt is enough");
    let (status, _) = server.stop();
    say(&format!("$ kill %1\n   the server ended with {status}"));
    demo.claimtrail(&["--trust", "log/trust.policy", "verify", "facts/0003-support.receipt.json"], 0)?;
    chapter("One byte of the proof is changed");
    demo.tamper("facts/0003-support.receipt.json", "facts/forged.receipt.json")?;
    std::fs::copy(
        demo.folder.join("facts/0003-support.envelope.json"),
        demo.folder.join("facts/forged.envelope.json"),
    )?;
    demo.claimtrail(&["--trust", "log/trust.policy", "verify", "facts/forged.receipt.json"], 1)?;
    chapter("The operator checks the log offline; then an auditor reads all of it and runs every rule again");
    demo.typed(&demo.log, "claimtrail-log", &["check", "log"], 0)?;
    server = demo.serve()?;
    demo.online(&["audit"])?;
    chapter(&format!("Done in {:.1} s", began.elapsed().as_secs_f64()));
    say(&format!("   the log is at {0}/v1/log, its newest head at {0}/checkpoint", demo.url));
    if stay {
        say(&format!("   it stays until Ctrl-C; its files are in {}", demo.folder.display()));
        server.finished();
    } else {
        server.stop();
        say("   `make demo ARGS=--stay` keeps it running");
    }
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let stay = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--stay"] => true,
        _ => {
            say(
                "usage: claimtrail-demo [--stay]\n\nRuns a log on loopback and tells its story; --stay keeps it running at the end.",
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

//! Real processes: started, listened to, ended by their own id.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Nothing that a story waits for takes this long on a machine that works.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `holds` gives something, without sleeping longer than a moment at a time.
///
/// # Panics
/// When [`PATIENCE`] is over.
pub fn until<T>(what: &str, mut holds: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = holds() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {} s", PATIENCE.as_secs());
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Waits until this address can be listened at again. Between a server's end and its next start a connection of somebody else on
/// this machine may have been given the port for its own side.
///
/// # Panics
/// When [`PATIENCE`] is over.
pub fn until_free(address: impl ToSocketAddrs + std::fmt::Debug) {
    until(&format!("{address:?} is free"), || TcpListener::bind(&address).ok());
}

/// Main memory that a process holds, in bytes; `None` where the system does not say it.
pub fn resident_bytes(process: u32) -> Option<u64> {
    memory(process, "VmRSS:")
}

/// The most that it ever held.
pub fn peak_bytes(process: u32) -> Option<u64> {
    memory(process, "VmHWM:")
}

fn memory(process: u32, line: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kib = status.lines().find_map(|text| text.strip_prefix(line))?.trim().strip_suffix("kB")?;
    kib.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Processor time of all threads of a process since its start, those that ended included; in steps of 10 ms.
pub fn processor_time(process: u32) -> Option<Duration> {
    // Linux tells these times to every program in hundredths of a second.
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program may hold anything; behind it the times of user and system are the 12th and 13th.
    let behind = stat.rsplit_once(") ")?.1;
    let ticks = behind.split(' ').skip(11).take(2).map(|number| number.parse::<u32>().ok()).sum::<Option<u32>>()?;
    Some(TICK * ticks)
}

/// The thin programs that this crate builds, so that a story never runs a stale one.
#[derive(Debug, Clone)]
pub struct Programs {
    /// `claimtrail`.
    pub client: PathBuf,
    /// `claimtrail-log`.
    pub log: PathBuf,
    /// `claimtrail-monitor`.
    pub monitor: PathBuf,
}

/// A process in the background. Dropping it ends it.
pub struct Background {
    child: Child,
    stderr: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts `command` and gives its first line on standard output.
    ///
    /// # Panics
    /// When it cannot be started or ends before it says anything; what it said on standard error is in the message.
    pub fn start(mut command: Command) -> (Background, String) {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stderr = Arc::new(Mutex::new(String::new()));
        let reader = child.stderr.take().map(|pipe| {
            let kept = stderr.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.push_str(&line);
                    kept.push('\n');
                }
            })
        });
        let mut out = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let mut line = String::new();
        let read = out.read_line(&mut line);
        let background = Background { child, stderr, reader };
        if read.is_err() || line.is_empty() {
            panic!("{command:?} ended without a word: {}", background.finished().1);
        }
        // What it prints later must go somewhere, else it would block.
        std::thread::spawn(move || std::io::copy(&mut out.by_ref(), &mut std::io::sink()));
        (background, line.trim_end().to_owned())
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it said on standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a signal by name (`TERM`, `KILL`).
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "signal {name} could not be sent");
    }

    /// Waits for its end; the status and what it said on standard error.
    pub fn finished(mut self) -> (ExitStatus, String) {
        let status = until("the end of a process", || self.child.try_wait().expect("our own child can be waited for"));
        if let Some(reader) = self.reader.take() {
            let _ended = reader.join();
        }
        (status, self.stderr())
    }

    /// Asks it to stop and waits.
    pub fn stop(self) -> (ExitStatus, String) {
        self.signal("TERM");
        self.finished()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _killed = self.child.kill();
            let _waited = self.child.wait();
        }
    }
}

/// Runs a program to its end.
pub fn run(program: &Path, folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command.env("CLAIMTRAIL_STATE", folder.join("state")).env_remove("CLAIMTRAIL_TRUST");
    command.output().unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

/// Runs a program that must succeed; its standard output.
///
/// # Panics
/// When it fails, with what it said.
pub fn run_ok(program: &Path, folder: &Path, args: &[&str]) -> String {
    let output = run(program, folder, args);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{} {args:?}: {}\n{out}\n{err}", program.display(), output.status);
    out.into_owned()
}

//! Where the story plays: a folder that goes away, the programs, and commands that are shown as a person would type them.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::process::{Background, run, until_free};

/// The log of the demo.
pub(crate) const ORIGIN: &str = "log.example/demo";
/// Whom the readers of the first chapters trust: the log alone.
pub(crate) const TRUST: &str = "log/trust.policy";

/// What went wrong, and where.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The folder and the programs.
pub(crate) struct Stage {
    client: PathBuf,
    log: PathBuf,
    monitor: PathBuf,
    /// Where everything lies.
    pub(crate) folder: PathBuf,
    /// The honest log's address; it stays the same when the log is started again.
    pub(crate) url: String,
}

/// Says a line.
pub(crate) fn say(text: &str) {
    // Whoever closed the pipe has seen enough.
    let _shown = writeln!(std::io::stdout(), "{text}");
}

/// Begins a chapter.
pub(crate) fn chapter(text: &str) {
    say(&format!("\n== {text}"));
}

/// The story's lines of an output: all of a short one, the beginning of a long one.
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

/// A command as a person would type it.
fn shown(name: &str, args: &[&str]) -> String {
    let quoted = |arg: &&str| if arg.contains(' ') { format!("'{arg}'") } else { (*arg).to_owned() };
    args.iter().map(quoted).fold(name.to_owned(), |line, arg| line + " " + &arg)
}

impl Stage {
    /// A stage in this folder, with the programs that lie beside this one.
    pub(crate) fn new(folder: &Path) -> Result<Stage> {
        let beside = std::env::current_exe()?;
        let programs = beside.parent().ok_or("the demo has no folder")?;
        Ok(Stage {
            client: programs.join("story-client"),
            log: programs.join("story-log"),
            monitor: programs.join("story-monitor"),
            folder: folder.to_owned(),
            url: String::new(),
        })
    }

    /// Runs a command as typed, shows it and what it said, and insists on its exit code.
    fn typed(&self, program: &Path, name: &str, args: &[&str], expected: i32) -> Result<String> {
        say(&format!("$ {}", shown(name, args)));
        let output = run(program, &self.folder, args);
        show(&output);
        let code = output.status.code().unwrap_or(-1);
        if code != expected {
            return Err(format!("{name} ended with {code}, not {expected}").into());
        }
        if code != 0 {
            say(&format!("   (exit code {code})"));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// `claimtrail`, as typed.
    pub(crate) fn claimtrail(&self, args: &[&str], expected: i32) -> Result<()> {
        self.typed(&self.client, "claimtrail", args, expected).map(drop)
    }

    /// `claimtrail-log`, as typed.
    pub(crate) fn operator(&self, args: &[&str], expected: i32) -> Result<()> {
        self.typed(&self.log, "claimtrail-log", args, expected).map(drop)
    }

    /// `claimtrail-monitor`, as typed; its standard output.
    pub(crate) fn watcher(&self, args: &[&str], expected: i32) -> Result<String> {
        self.typed(&self.monitor, "claimtrail-monitor", args, expected)
    }

    /// `cp`, as typed.
    pub(crate) fn copy(&self, from: &str, to: &str) -> Result<()> {
        self.typed(Path::new("cp"), "cp", &["-r", from, to], 0).map(drop)
    }

    /// `claimtrail` with the reader's trust file and the address, which are set as a person would set them, once.
    pub(crate) fn online(&self, args: &[&str]) -> Result<()> {
        self.claimtrail(&[&["--trust", TRUST, "--url", &self.url], args].concat(), 0)
    }

    /// The same without a word; what it said.
    pub(crate) fn quietly(&self, args: &[&str]) -> Result<Output> {
        let output =
            run(&self.client, &self.folder, &[&["--quiet", "--trust", TRUST, "--url", &self.url], args].concat());
        match output.status.success() {
            true => Ok(output),
            false => Err(format!("claimtrail {args:?}: {}", String::from_utf8_lossy(&output.stderr)).into()),
        }
    }

    /// `claimtrail` with these arguments alone, not shown.
    pub(crate) fn unseen(&self, args: &[&str]) -> Output {
        run(&self.client, &self.folder, args)
    }

    /// `claimtrail-monitor` with these arguments, not shown.
    pub(crate) fn unseen_watcher(&self, args: &[&str]) -> Output {
        run(&self.monitor, &self.folder, args)
    }

    /// Serves the log of a folder; the process, and where it listens.
    fn serve_log(&self, folder: &str, address: &str) -> Result<(Background, String)> {
        let args = ["serve", folder, "--listen", address, "--admin", "127.0.0.1:0"];
        let (server, line) = self.start(&self.log, "claimtrail-log", &args)?;
        let url = line.split_whitespace().nth(1).ok_or("the server names no address")?.to_owned();
        Ok((server, url))
    }

    /// Serves the log, at the address that it had before.
    pub(crate) fn serve(&mut self) -> Result<Background> {
        let address = self.url.strip_prefix("http://").unwrap_or("127.0.0.1:0").to_owned();
        if !self.url.is_empty() {
            until_free(&address);
        }
        let (server, url) = self.serve_log("log", &address)?;
        self.url = url;
        Ok(server)
    }

    /// Serves another folder as a log of its own, somewhere else.
    pub(crate) fn serve_beside(&self, folder: &str) -> Result<(Background, String)> {
        self.serve_log(folder, "127.0.0.1:0")
    }

    /// Starts the monitor of a folder.
    pub(crate) fn watch(&self, folder: &str) -> Result<Background> {
        Ok(self.start(&self.monitor, "claimtrail-monitor", &["serve", "--dir", folder, "--poll", "1"])?.0)
    }

    fn start(&self, program: &Path, name: &str, args: &[&str]) -> Result<(Background, String)> {
        say(&format!("$ {} &", shown(name, args)));
        let mut command = Command::new(program);
        command.args(args).args(["--log-level", "error"]).current_dir(&self.folder);
        let (server, line) = Background::start(command);
        say(&format!("   {line}"));
        Ok((server, line))
    }

    /// Ends a server as a person would.
    pub(crate) fn stop(&self, name: &str, server: Background) {
        let (status, _) = server.stop();
        say(&format!("$ kill %{name}\n   the server ended with {status}"));
    }

    /// The text of a file.
    pub(crate) fn read(&self, name: &str) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.join(name))?)
    }

    /// Writes a file, and shows its text as a person would type it.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        say(&format!("$ cat > {name}"));
        text.lines().for_each(|line| say(&format!("   {line}")));
        std::fs::write(self.folder.join(name), text)?;
        Ok(())
    }

    /// Adds to a file; what is added is shown if it is to be.
    pub(crate) fn append(&self, name: &str, text: &str, shown: bool) -> Result<()> {
        if shown {
            say(&format!("$ cat >> {name}"));
            text.trim().lines().for_each(|line| say(&format!("   {line}")));
        }
        std::fs::write(self.folder.join(name), self.read(name)? + text)?;
        Ok(())
    }
}

/// So many ports of loopback that are free now.
pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>> {
    // All are held until all are known, so that they differ.
    let held: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<std::io::Result<_>>()?;
    Ok(held
        .iter()
        .map(|listener| listener.local_addr().map(|address| address.port()))
        .collect::<std::io::Result<_>>()?)
}

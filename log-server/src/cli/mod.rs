//! The command `claimtrail-log`.

mod check;
mod export;
mod freeze;
mod init;
mod open;
mod rebuild;
mod serve;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Exit code: all is well.
const OK: u8 = 0;
/// Exit code: `check` found a difference.
const DIFFERENT: u8 = 1;
/// Exit code: the command line is wrong.
const USAGE: u8 = 64;
/// Exit code: an address cannot be used.
const UNAVAILABLE: u8 = 69;
/// Exit code: files, keys or the store.
const IO: u8 = 74;
/// Exit code: the configuration is wrong.
const CONFIG: u8 = 78;

const EXIT_CODES: &str = "Exit codes: 0 done; 1 `check` found a difference; 64 wrong usage; 69 an address cannot be used; \
                          74 files, keys or the store; 78 the configuration is wrong.";

/// A transparency log for security claims about connected products.
#[derive(Debug, Parser)]
#[command(name = "claimtrail-log", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new log: keys, configuration, entry 0
    Init(init::Args),
    /// Serve the log
    Serve(serve::Args),
    /// Check the whole log against itself, while it is not served
    Check(check::Args),
    /// Write the log as files that any static server can serve
    Export(export::Args),
    /// Make the derived state and rows anew from the entries
    Rebuild(rebuild::Args),
    /// Freeze the log for ever, while it is not served
    Freeze(freeze::Args),
    /// Print completions for a shell
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// The folder of a log.
#[derive(Debug, clap::Args)]
struct Folder {
    /// Folder of the log, with its config.toml
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Why a command failed: what to say, and the exit code.
#[derive(Debug)]
struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    fn io(error: &dyn std::fmt::Display) -> Failure {
        Failure { code: IO, message: error.to_string() }
    }

    fn usage(message: impl Into<String>) -> Failure {
        Failure { code: USAGE, message: message.into() }
    }
}

/// Runs the command and gives its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _shown = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { OK });
        }
    };
    let done = match cli.command {
        Command::Init(args) => init::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Rebuild(args) => rebuild::run(&args),
        Command::Freeze(args) => freeze::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "claimtrail-log", &mut std::io::stdout());
            Ok(OK)
        }
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(Failure { code, message }) => {
            // Whoever closed standard error does not want to know.
            let _shown = writeln!(std::io::stderr(), "claimtrail-log: {message}");
            ExitCode::from(code)
        }
    }
}

/// Prints a line for people or programs; a reader that went away is no failure.
fn say(line: &str) {
    let _shown = writeln!(std::io::stdout(), "{line}");
}

/// A progress bar on a terminal, nothing elsewhere.
fn bar(what: &str, steps: u64) -> indicatif::ProgressBar {
    let template = "{msg:24} {wide_bar} {human_pos}/{human_len} {eta}";
    let style =
        indicatif::ProgressStyle::with_template(template).unwrap_or_else(|_| indicatif::ProgressStyle::default_bar());
    let bar = indicatif::ProgressBar::new(steps).with_style(style);
    bar.set_message(what.to_owned());
    bar
}

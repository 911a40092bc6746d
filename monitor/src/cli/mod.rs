//! The command `claimtrail-monitor`: parses, runs, and says with its exit code how it went.

mod alert;
mod beside;
mod evidence;
mod failure;
mod findings;
mod follow;
mod heads;
mod init;
mod once;
mod resume;
mod serve;
mod status;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, CommandFactory, Parser, Subcommand};
use client::plain::{plain_json, plain_lines};
use service::output::print;

use crate::config::{Config, FILE_NAME, Flag};
use crate::follow::FollowedLog;
use crate::witness::stop_path;

pub use failure::{Exit, Failure};

/// Shown below the help of every command.
const EXIT_CODES: &str = "\
Exit codes:
    0  done; for `serve --once` and `status`: nothing is open that was not acknowledged; for `evidence`: proven
    1  evidence verify, show, import: the file proves nothing
    2  evidence verify, show, import: it is no misbehaviour file
    3  evidence import: proven, but about no log or key of the trust files
   10  tamper: a log contradicts what it signed
   11  claim: a log took a claim that its rules refuse
   12  outage: a log cannot be read
   13  degraded: not everything can be checked, or a head is late
       (several are open: the first of these; what `findings acknowledge` was said of does not count)
       (for `alert test`: 1, a channel did not take its test)
   64  the command line makes no sense as given
   69  an address or the state is in use, or not available
   70  a fault of this program
   74  a local file, folder or disk cannot be read or written, or the state of a log is missing
   75  serve --once: told to stop before everything was looked at; the next run goes on from there
   78  the configuration, a key or a trust file cannot be used
  130, 143  ended at once by a second SIGINT or SIGTERM

Configuration: DIR/config.toml, over it variables such as CLAIMTRAIL_MONITOR_LISTEN__ADDRESS (for listen.address), over that
flags. Unknown keys are refused.";

/// Follows logs, checks everything that they publish, and cosigns their heads.
#[derive(Debug, Parser)]
#[command(name = "claimtrail-monitor", version, after_help = EXIT_CODES, after_long_help = EXIT_CODES, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new monitor: configuration, witness key, and the state of the logs that it is given.
    Init(init::InitArgs),
    /// Make the state of a log that the configuration names and that was not followed yet.
    Follow(follow::FollowArgs),
    /// Follow all logs, and serve the witness, the mirror and the heads.
    Serve(serve::ServeArgs),
    /// Say how every log is and what is open; works beside a running monitor.
    Status(status::StatusArgs),
    /// Show the signed heads that were seen; works beside a running monitor.
    Heads(heads::HeadsArgs),
    /// Show, export, take and verify evidence of misbehaviour; works beside a running monitor.
    Evidence(evidence::EvidenceArgs),
    /// Show what is open, and acknowledge a finding that does not end; works beside a running monitor.
    Findings(findings::FindingsArgs),
    /// Let a log be cosigned again, after its record and the database disagreed, or despite evidence.
    ResumeOrigin(resume::ResumeArgs),
    /// Alerts: test the channels, show what waits, make the key that signs webhooks.
    #[command(subcommand)]
    Alert(alert::AlertCommand),
    /// Write the completions for a shell to standard output.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// Which monitor.
#[derive(Debug, Args)]
struct Place {
    /// The monitor's folder, as `init` made it.
    #[arg(long, default_value = ".", value_name = "DIR")]
    dir: PathBuf,
    /// The configuration file, if it is not DIR/config.toml. DIR is not used then.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    /// The configuration with the flags of a command.
    fn load(&self, flags: impl IntoIterator<Item = Flag>) -> Result<Config, Failure> {
        let file = self.config.clone().unwrap_or_else(|| self.dir.join(FILE_NAME));
        let file = std::path::absolute(&file).unwrap_or(file);
        if !file.exists() {
            let message =
                format!("there is no configuration {}; make a monitor with `claimtrail-monitor init`", file.display());
            return Err(Failure::new(Exit::Config, message));
        }
        Ok(Config::load(&file, std::env::vars_os(), flags)?)
    }
}

/// The folder in the state folder that has the databases of logs.
fn logs_folder(config: &Config) -> PathBuf {
    config.state.join("logs")
}

/// The folder of the records of what was followed and cosigned.
fn records_folder(config: &Config) -> PathBuf {
    match &config.witness {
        Some(witness) => witness.record.clone(),
        None => config.state.with_file_name("record"),
    }
}

/// Lets evidence that is taken while no monitor runs end cosigning as durably as while one does.
fn open_stop_files(config: &Config, logs: &[Arc<FollowedLog>]) -> Result<(), client::Error> {
    let records = records_folder(config);
    logs.iter().try_for_each(|log| log.store.stop().beside(stop_path(&records, log.origin())))
}

/// Runs the command with these arguments, the first of which is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _unseen = error.print(); // nobody reads it: there is nothing else to do
            return if error.use_stderr() { ExitCode::from(Exit::Usage as u8) } else { ExitCode::SUCCESS };
        }
    };
    let done = match cli.command {
        Command::Init(args) => init::run(&args).map(|()| 0),
        Command::Follow(args) => follow::run(&args).map(|()| 0),
        Command::Serve(args) => serve::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Heads(args) => heads::run(&args).map(|()| 0),
        Command::Evidence(args) => evidence::run(&args),
        Command::Findings(args) => findings::run(&args).map(|()| 0),
        Command::ResumeOrigin(args) => resume::run(&args).map(|()| 0),
        Command::Alert(command) => alert::run(&command),
        Command::Completions { shell } => completions(shell).map(|()| 0),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            let _unseen = writeln!(std::io::stderr(), "claimtrail-monitor: {}", plain_lines(&failure.message));
            failure.code()
        }
    }
}

fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "claimtrail-monitor", &mut script);
    print(&script).map_err(|error| Failure::output(&error))
}

/// Prints to standard output: JSON, or lines for people. What a terminal obeys is written out, whoever wrote it.
fn say(text: &str) -> Result<(), Failure> {
    let text = if text.starts_with('{') { plain_json(text) } else { plain_lines(text) };
    print(text.as_bytes()).map_err(|error| Failure::output(&error))
}

/// A path for messages.
fn shown(path: &Path) -> std::path::Display<'_> {
    path.display()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}

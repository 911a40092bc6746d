//! The command `claimtrail-log`: parses, runs, and says with its exit code how it went.

mod check;
mod claim;
mod export;
mod failure;
mod freeze;
mod init;
mod keys;
mod open;
mod progress;
pub(crate) mod rebuild;
mod reports;
mod serve;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use service::output::print;

use crate::config::{Config, FILE_NAME, Flag};

pub use failure::{Exit, Failure};

/// Shown below the help of every command.
const EXIT_CODES: &str = "\
Exit codes:
    0  done; for `check`: everything is as it should be
    1  what is stored is not what it should be
   64  the command line makes no sense as given
   65  the log's own rules refuse it
   69  an address or the data folder is in use, or not available
   70  a fault of this program
   74  a local file, folder or disk cannot be read or written
   78  the configuration cannot be used
  130, 143  ended at once by a second SIGINT or SIGTERM

Configuration: DIR/config.toml, over it variables such as CLAIMTRAIL_LOG_LISTEN__ADDRESS (for listen.address), over that
flags. Unknown keys are refused.";

/// Runs a log: an append-only, signed record of security claims about products.
#[derive(Debug, Parser)]
#[command(name = "claimtrail-log", version, after_help = EXIT_CODES, after_long_help = EXIT_CODES, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new log: keys, entry 0, data folder, configuration and trust file.
    Init(init::InitArgs),
    /// Serve a log.
    Serve(serve::ServeArgs),
    /// Check a stopped log: every entry, hash, signature, index and signed head. Nothing is written to it.
    Check(check::CheckArgs),
    /// Write a stopped log's entries or tiles to files.
    Export(export::ExportArgs),
    /// Rebuild a stopped log's state and search indexes from its entries; resumes where it was interrupted.
    Rebuild(rebuild::RebuildArgs),
    /// End a stopped log for ever: its last entry says so, signed by the operator.
    Freeze(freeze::FreezeArgs),
    /// Print the fork reports of a stopped log: claims, one envelope a line, that name a head which is not this log's.
    Reports(reports::ReportsArgs),
    /// Write the completions for a shell to standard output.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// Which log.
#[derive(Debug, Args)]
struct Place {
    /// The log's folder, as `init` made it.
    #[arg(default_value = ".")]
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
                format!("there is no configuration {}; make a log with `claimtrail-log init`", file.display());
            return Err(Failure::new(Exit::Config, message));
        }
        Ok(Config::load(&file, std::env::vars_os(), flags)?)
    }
}

/// Runs the command with these arguments, the first of which is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _unseen = error.print(); // nobody reads it: there is nothing else to do
            return if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    let done = match cli.command {
        Command::Init(args) => init::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Rebuild(args) => rebuild::run(&args),
        Command::Freeze(args) => freeze::run(&args),
        Command::Reports(args) => reports::run(&args),
        Command::Completions { shell } => completions(shell),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                let _unseen = writeln!(std::io::stderr(), "claimtrail-log: {}", failure.message);
            }
            failure.exit.into()
        }
    }
}

fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "claimtrail-log", &mut script);
    print(&script).map_err(|error| Failure::output(&error))
}

/// Prints to standard output.
fn say(text: &str) -> Result<(), Failure> {
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

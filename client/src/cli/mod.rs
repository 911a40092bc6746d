//! The `claimtrail` command.

mod audit;
mod check;
mod claim;
mod context;
mod hammer;
mod hammer_options;
mod import;
mod issuer;
mod issuer_admit;
mod issuer_last;
mod key;
mod lookup;
mod misbehaviour;
mod out;
mod policy;
mod proof;
mod rel;
mod report;
mod show;
mod sign;
mod submit;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::error::{Error, ErrorKind};
use context::Context;

/// Exit codes, part of the interface (DECISIONS 21).
const EXIT_CODES: &str = "\
Exit codes:
   0  done; `verify`: proven under your trust file
   1  not proven, or the log contradicts itself
   2  a file is malformed
   3  consistent, but your policy is not met or no trust file was given
  64  the command line makes no sense
  65  refused by the log
  69  the log cannot be reached, or does not answer as a log does
  74  a local file or folder cannot be read or written
  75  the log cannot take it now; try again later";

/// Signs, submits, finds and verifies security claims in a Claimtrail log.
#[derive(Debug, Parser)]
#[command(name = "claimtrail", version, after_help = EXIT_CODES, disable_help_subcommand = true, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// Whom you trust: a tlog-policy file with a line `log <vkey> <url>`
    #[arg(long, global = true, env = "CLAIMTRAIL_TRUST", value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Take the log's keys from the log itself, at --url, and write them to the trust file named by --trust
    #[arg(long, global = true)]
    trust_on_first_use: bool,
    /// The log's address, instead of the one in the trust file
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// Which log, when the trust file lists several
    #[arg(long, global = true, value_name = "ORIGIN")]
    log: Option<String>,
    /// How long to try again while the log cannot be reached or cannot take it now [default: 60, and 5 for a connection]
    #[arg(long, global = true, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=86_400))]
    retry_for: Option<u64>,
    /// Where verified heads and audits are remembered [default: $XDG_STATE_HOME/claimtrail]
    #[arg(long, global = true, env = "CLAIMTRAIL_STATE", value_name = "DIR")]
    state: Option<PathBuf>,
    /// Write JSON for programs
    #[arg(long, global = true)]
    json: bool,
    /// Say nothing but results and errors
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make and show keys
    #[command(subcommand)]
    Key(key::Key),
    /// Enrol issuers and manage their keys
    #[command(subcommand)]
    Issuer(issuer::Issuer),
    /// Write and check claims
    #[command(subcommand)]
    Claim(claim::ClaimCommand),
    /// Sign a claim: makes an envelope
    Sign(sign::Sign),
    /// Submit an envelope, a folder of them, or one a line; goes on where it was interrupted
    Submit(submit::Submit),
    /// Make claims of what was published elsewhere
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Show a claim, with its place checked
    Show(show::Show),
    /// Show the trail of a product
    History(show::History),
    /// Find claims
    Find(show::Find),
    /// Replace a claim by a new promise
    Supersede(rel::Replace),
    /// Replace a claim by its correction
    Amend(rel::Replace),
    /// Say that a claim of yours holds no more
    Withdraw(rel::About),
    /// Say that you stand by a claim
    Confirm(rel::About),
    /// Say that you contradict a claim
    Dispute(rel::About),
    /// Check trust files
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Get the offline proof of a claim
    Proof(proof::ProofCommand),
    /// Verify receipts and proofs with no network
    Verify(verify::Verify),
    /// Files that prove what a holder of a key signed wrongly
    #[command(subcommand)]
    Misbehaviour(misbehaviour::MisbehaviourCommand),
    /// Hand in at a monitor what you were shown: receipts, heads, evidence; exit code 1 if it contradicts what the monitor knows
    Report(report::Report),
    /// Get the newest head, verify it and hold it against the remembered one
    Checkpoint,
    /// Read the whole log, hash it again and run its rules again
    Audit(audit::AuditCommand),
    /// Load a log and measure it: rates, percentiles, every answer counted, answers verified
    Hammer(hammer_options::Hammer),
    /// Write completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Runs the command with these arguments, the first of which is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print(); // a closed pipe is no reason to fail
            return if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS };
        }
    };
    let json = cli.global.json;
    let context = Context::new(cli.global);
    match dispatch(&context, cli.command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            out::error(&error, json);
            ExitCode::from(exit_code(error.kind))
        }
    }
}

fn dispatch(context: &Context, command: Command) -> Result<u8, Error> {
    match command {
        Command::Key(command) => key::run(context, command).map(|()| 0),
        Command::Issuer(command) => issuer::run(context, command).map(|()| 0),
        Command::Claim(command) => claim::run(context, command).map(|()| 0),
        Command::Sign(command) => sign::run(context, &command).map(|()| 0),
        Command::Submit(command) => submit::run(context, &command),
        Command::Import(command) => import::run(context, command),
        Command::Show(command) => show::show(context, &command).map(|()| 0),
        Command::History(command) => show::history(context, &command).map(|()| 0),
        Command::Find(command) => show::find(context, &command).map(|()| 0),
        Command::Supersede(command) => rel::replace(context, &command, "supersede").map(|()| 0),
        Command::Amend(command) => rel::replace(context, &command, "amend").map(|()| 0),
        Command::Withdraw(command) => rel::about(context, &command, "withdraw").map(|()| 0),
        Command::Confirm(command) => rel::about(context, &command, "confirm").map(|()| 0),
        Command::Dispute(command) => rel::about(context, &command, "dispute").map(|()| 0),
        Command::Policy(command) => policy::run(context, command),
        Command::Proof(command) => proof::run(context, &command).map(|()| 0),
        Command::Verify(command) => verify::run(context, &command),
        Command::Misbehaviour(command) => misbehaviour::run(context, &command),
        Command::Report(command) => report::run(context, &command),
        Command::Checkpoint => proof::checkpoint(context).map(|()| 0),
        Command::Audit(command) => audit::run(context, &command),
        Command::Hammer(command) => hammer::execute(context, &command),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "claimtrail", &mut script);
            out::raw(&script);
            Ok(0)
        }
    }
}

fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::NotProven => 1,
        ErrorKind::Malformed => 2,
        ErrorKind::PolicyNotMet => 3,
        ErrorKind::Usage => 64,
        ErrorKind::Refused => 65,
        ErrorKind::Unreachable => 69,
        ErrorKind::Local => 74,
        ErrorKind::TryLater => 75,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}

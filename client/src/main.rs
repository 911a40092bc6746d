//! The `claimtrail` command.

fn main() -> std::process::ExitCode {
    client::cli::run(std::env::args_os())
}

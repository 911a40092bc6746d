//! The command `claimtrail-log`.

fn main() -> std::process::ExitCode {
    claimtrail_log::cli::run(std::env::args_os())
}

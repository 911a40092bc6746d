//! `claimtrail-log` as this crate builds it, so that stories never run a stale program.

fn main() -> std::process::ExitCode {
    claimtrail_log::cli::run(std::env::args_os())
}

//! `claimtrail-monitor` as this crate builds it, so that stories never run a stale program.

fn main() -> std::process::ExitCode {
    monitor::run(std::env::args_os())
}

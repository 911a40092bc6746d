//! The command `claimtrail-monitor`.

fn main() -> std::process::ExitCode {
    monitor::run(std::env::args_os())
}

//! The command `claimtrail-monitor`.

/// What one thread read is freed by another, which the C library's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    monitor::run(std::env::args_os())
}

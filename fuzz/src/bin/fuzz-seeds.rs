//! Writes the seeds of all targets to `fuzz/corpus`, where they are kept beside what the fuzzer found.

use std::path::Path;
use std::process::ExitCode;

#[expect(clippy::disallowed_methods, reason = "seeds can be written again")]
fn write(corpus: &Path) -> std::io::Result<usize> {
    let seeds = targets::seeds::all();
    for (name, bytes) in &seeds {
        let folder = corpus.join(name);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(targets::seeds::file_name(bytes)), bytes)?;
    }
    Ok(seeds.len())
}

#[expect(clippy::print_stdout, reason = "a command says what it did")]
fn main() -> ExitCode {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    match write(&corpus) {
        Ok(count) => {
            println!("{count} seeds in {}", corpus.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("the seeds could not be written to {}: {error}", corpus.display());
            ExitCode::FAILURE
        }
    }
}

//! Transcripts: what a person types, what comes back on both streams, and the exit code, in a file that is the script and the
//! expectation at once.
//!
//! In blocks of three backticks, a line `$ …` is a command for the shell; below it stand `? CODE` unless it is 0, the lines of
//! standard output, and those of standard error after `2> `. A line `% …` is something that the story does and no person
//! types. What changes from run to run has [placeholders](crate::placeholder). With `CLAIMTRAIL_BLESS=1` the answers are
//! written anew; look at the difference.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::placeholder::Placeholders;
use crate::process::Programs;

/// Where and how the commands of a transcript run.
pub struct Stage<'a> {
    /// The folder that they run in; `bin` is made in it, with the programs by their names.
    pub folder: &'a Path,
    /// The programs.
    pub programs: &'a Programs,
    /// Variables of the environment.
    pub env: Vec<(&'a str, String)>,
    /// What a line `% …` does.
    pub act: &'a mut dyn FnMut(&str) -> Vec<(String, String)>,
}

/// Plays the transcript in the file and compares, or writes it anew.
///
/// # Panics
/// When an answer differs, with the first lines that do.
pub fn play(file: &Path, stage: &mut Stage<'_>) {
    let script = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let bin = programs(stage);
    let mut names = Placeholders::new(Vec::new());
    let mut played = String::new();
    let mut is_block = false;
    let mut commands = 0;
    for line in script.lines() {
        if line == "```" {
            is_block = !is_block;
            let blank = played.ends_with("\n\n");
            if !is_block && blank {
                played.pop();
            }
            played.push_str("```\n");
        } else if !is_block {
            played.push_str(line);
            played.push('\n');
        } else if let Some(act) = line.strip_prefix("% ") {
            let known = (stage.act)(act);
            names.know(known);
            let _ = writeln!(played, "{line}\n");
        } else if let Some(typed) = line.strip_prefix("$ ") {
            commands += 1;
            let _ = writeln!(played, "{line}");
            played.push_str(&answer(stage, &bin, &mut names, typed));
            played.push('\n');
        }
    }
    assert!(commands > 0, "{}: nobody types anything", file.display());
    assert!(!is_block, "{}: a block is not ended", file.display());
    if std::env::var_os("CLAIMTRAIL_BLESS").is_some() {
        fs::write(file, &played).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        return;
    }
    if played != script {
        let differs = script.lines().zip(played.lines()).position(|(old, new)| old != new);
        let at = differs.unwrap_or(script.lines().count().min(played.lines().count()));
        let show = |text: &str| text.lines().skip(at.saturating_sub(3)).take(12).collect::<Vec<_>>().join("\n");
        panic!(
            "{}, line {}: expected\n{}\n\ncame\n{}\n\n(CLAIMTRAIL_BLESS=1 writes it anew)",
            file.display(),
            at + 1,
            show(&script),
            show(&played)
        );
    }
}

/// Runs one line and writes down what came.
fn answer(stage: &Stage<'_>, bin: &Path, names: &mut Placeholders, typed: &str) -> String {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(names.show(typed)).current_dir(stage.folder).stdin(Stdio::null());
    let path = std::env::var("PATH").unwrap_or_default();
    shell.env("PATH", format!("{}:{path}", bin.display())).env("NO_COLOR", "1").env("COLUMNS", "100");
    shell.envs(stage.env.iter().map(|(name, value)| (name, value)));
    let output = shell.output().unwrap_or_else(|error| panic!("sh -c {typed:?}: {error}"));
    let mut text = String::new();
    match output.status.code() {
        Some(0) => {}
        Some(code) => _ = writeln!(text, "? {code}"),
        None => _ = writeln!(text, "? ended by a signal"),
    }
    let mut add = |bytes: &[u8], before: &str| {
        for line in String::from_utf8_lossy(bytes).lines() {
            let line = names.hide(line);
            // A line of output must not be taken for the script.
            assert!(!["$ ", "% ", "```"].iter().any(|mark| line.starts_with(mark)), "{typed}: {line}");
            let _ = writeln!(text, "{}", format!("{before}{line}").trim_end());
        }
    };
    add(&output.stdout, "");
    add(&output.stderr, "2> ");
    text
}

/// The programs under the names that people type.
fn programs(stage: &Stage<'_>) -> PathBuf {
    let bin = stage.folder.join("bin");
    fs::create_dir_all(&bin).unwrap_or_else(|error| panic!("{}: {error}", bin.display()));
    for (name, program) in [("claimtrail", &stage.programs.client), ("claimtrail-log", &stage.programs.log)] {
        let path = bin.join(name);
        std::os::unix::fs::symlink(program, &path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    bin
}

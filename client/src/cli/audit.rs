//! `claimtrail audit`

use std::path::{Path, PathBuf};

use clap::Args;

use super::context::Context;
use super::out;
use crate::audit::{Audit, Outcome};
use crate::error::Error;

#[derive(Debug, Args)]
pub(super) struct AuditCommand {
    /// Threads that fetch and check signatures [default: twice the processors]
    #[arg(long)]
    threads: Option<usize>,
    /// Audit a copy in this folder, such as `claimtrail-log export` makes, and talk to nobody
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Hash every entry to the signed root and check nothing else: no signature, no rule, no time
    #[arg(long)]
    hashes_only: bool,
}

impl AuditCommand {
    fn threads(&self) -> usize {
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
        self.threads.unwrap_or(2 * processors)
    }

    fn run(&self, audit: &mut Audit<'_>, note: &[u8]) -> Result<Outcome, Error> {
        if self.hashes_only { audit.hashes(note) } else { audit.run(note) }
    }

    fn connected(&self, context: &Context, progress: &mut Progress<'_>) -> Result<Outcome, Error> {
        let connection = context.connect()?;
        let note = connection.wait(connection.api.checkpoint())?;
        let mut audit = Audit {
            api: Some(&connection.api),
            tiles: connection.tiles.clone(),
            trust: &connection.trust,
            origin: &connection.origin,
            state: &connection.state,
            threads: self.threads(),
            progress,
        };
        self.run(&mut audit, &note)
    }

    fn copied(&self, context: &Context, folder: &Path, progress: &mut Progress<'_>) -> Result<Outcome, Error> {
        let copied = context.copied(folder)?;
        let mut audit = Audit {
            api: None,
            tiles: copied.tiles.clone(),
            trust: &copied.trust,
            origin: &copied.origin,
            state: &copied.state,
            threads: self.threads(),
            progress,
        };
        self.run(&mut audit, &copied.note)
    }
}

/// Is told the entries that are done and the size of the tree.
type Progress<'a> = dyn FnMut(u64, u64) + Send + 'a;

pub(super) fn run(context: &Context, command: &AuditCommand) -> Result<u8, Error> {
    let bar = context.bar(Some(0), "auditing");
    let mut progress = |done, size| {
        bar.set_length(size);
        bar.set_position(done);
    };
    let outcome = match &command.dir {
        Some(folder) => command.copied(context, folder, &mut progress),
        None => command.connected(context, &mut progress),
    };
    bar.finish_and_clear();
    let outcome = outcome?;
    if context.json() {
        out::json(&serde_json::to_value(&outcome).unwrap_or_default());
    } else {
        for remark in &outcome.remarks {
            context.remark(format!("note: {remark}"));
        }
        for breach in &outcome.breaches {
            let place = breach.index.map(|index| format!("entry {index}: ")).unwrap_or_default();
            out::line(format!("{} {place}{}: {}", out::styled(out::BAD, "BREACH"), breach.code, breach.message));
        }
        let word = if outcome.breaches.is_empty() {
            out::styled(out::GOOD, "clean")
        } else {
            out::styled(out::BAD, "NOT CLEAN")
        };
        out::line(format!(
            "{}: {word}: {} entries ({} of them new), {} heads, root {}",
            outcome.origin,
            outcome.size,
            outcome.size.0 - outcome.from.0,
            outcome.heads,
            outcome.root.to_base64()
        ));
    }
    Ok(u8::from(!outcome.breaches.is_empty()))
}

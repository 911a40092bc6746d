//! `claimtrail audit`

use clap::Args;

use super::context::Context;
use super::out;
use crate::audit::Audit;
use crate::error::Error;

#[derive(Debug, Args)]
pub(super) struct AuditCommand {
    /// Threads that fetch and check signatures [default: twice the processors]
    #[arg(long)]
    threads: Option<usize>,
}

pub(super) fn run(context: &Context, command: &AuditCommand) -> Result<u8, Error> {
    let connection = context.connect()?;
    let note = connection.wait(connection.api.checkpoint())?;
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
    let bar = context.bar(Some(0), "auditing");
    let mut progress = |done, size| {
        bar.set_length(size);
        bar.set_position(done);
    };
    let mut audit = Audit {
        api: &connection.api,
        tiles: connection.tiles.clone(),
        trust: &connection.trust,
        origin: &connection.origin,
        state: &connection.state,
        threads: command.threads.unwrap_or(2 * processors),
        progress: &mut progress,
    };
    let outcome = audit.run(&note);
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

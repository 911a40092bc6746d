//! `claimtrail report`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::out;
use crate::error::Error;
use crate::files;
use crate::http::Http;
use crate::report::{Answer, Item, MAX_REPORT_BYTES, hand_in, items};

#[derive(Debug, Args)]
pub(super) struct Report {
    /// The monitor's address
    #[arg(long, value_name = "URL")]
    monitor: String,
    /// Receipts, checkpoints, misbehaviour files, or files of the state folder's `tampering/` and `unproven/`. None: the newest
    /// head of every log that is remembered, and everything in those two folders
    files: Vec<PathBuf>,
}

/// Where something came from, and what it is.
type Found = (String, Item);

pub(super) fn run(context: &Context, command: &Report) -> Result<u8, Error> {
    let trust = context.trust()?;
    let policy = trust.as_ref().map(crate::trust::Trust::policy);
    let state = context.state()?;
    let mut found: Vec<Found> = Vec::new();
    let mut files = command.files.clone();
    if files.is_empty() {
        for (origin, note) in state.all_newest()? {
            let of = |item| (format!("the head of {origin} that is remembered"), item);
            found.extend(items(&note, policy)?.into_iter().map(of));
        }
        files = state.kept_files()?;
    }
    for file in &files {
        let name = file.display().to_string();
        let bytes = files::read(file, MAX_REPORT_BYTES)?;
        let of_file = items(&bytes, policy).map_err(|e| Error { message: format!("{name}: {}", e.message), ..e })?;
        found.extend(of_file.into_iter().map(|item| (name.clone(), item)));
    }
    if found.is_empty() {
        return Err(Error::usage("there is nothing to report: name files, or the folder of --state has nothing in it"));
    }
    let monitor = Http::new(&command.monitor)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::local(format!("no threads for the network: {e}")))?;
    let mut answers = Vec::new();
    for (from, item) in &found {
        let answer = runtime.block_on(hand_in(&monitor, item));
        let answer = answer.map_err(|e| Error { message: format!("{from}: {}", e.message), ..e })?;
        if !context.json() {
            say(from, item, &answer);
        }
        answers.push((from, item, answer));
    }
    let code = u8::from(answers.iter().any(|(_, _, answer)| answer.contradicts()));
    if context.json() {
        let shown = |(from, item, answer): &(&String, &Item, Answer)| json!({ "from": from, "what": what(item), "verdict": answer.verdict, "explanation": answer.explanation });
        out::json(&json!({
            "monitor": command.monitor, "exit_code": code, "reported": answers.iter().map(shown).collect::<Vec<_>>(),
        }));
    }
    Ok(code)
}

fn what(item: &Item) -> &'static str {
    match item {
        Item::Head(_) => "head",
        Item::Evidence(_) => "evidence",
    }
}

fn say(from: &str, item: &Item, answer: &Answer) {
    let style = match answer.verdict.as_str() {
        "contradicts" => out::BAD,
        "waits" | "discarded" => out::CARE,
        _ => out::GOOD,
    };
    let explanation = match item {
        Item::Head(_) => answer.explanation.clone(),
        Item::Evidence(_) => "The monitor keeps this evidence and sends it to its peers.".to_owned(),
    };
    out::line(format!("{from}\n  {} {}: {explanation}", what(item), out::styled(style, &answer.verdict)));
}

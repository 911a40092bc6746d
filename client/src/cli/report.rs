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

/// What is said of what the monitor does not take.
const REFUSED: &str = "refused";

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
    // Proof first: nothing that comes after it can keep it back.
    found.sort_by_key(|(_, item)| matches!(item, Item::Head(_)));
    let mut answers = Vec::new();
    let mut refused: Option<Error> = None;
    for (from, item) in &found {
        match runtime.block_on(hand_in(&monitor, item)) {
            Ok(answer) => answers.push((from, item, answer)),
            // Such as a log that this monitor does not follow: the rest may be of one that it does.
            Err(error) if error.code().is_some() => {
                let is_found = error.problem.as_ref().is_none_or(|problem| problem.status != 404);
                let hint =
                    if is_found { "" } else { "; does this monitor follow the log, and is it a monitor's address?" };
                let error = Error { message: format!("{}{hint}", error.message), ..error };
                let answer = Answer { verdict: REFUSED.to_owned(), explanation: error.message.clone() };
                answers.push((from, item, answer));
                refused.get_or_insert(Error { message: format!("{from}: {}", error.message), ..error });
            }
            Err(error) => {
                refused = Some(Error { message: format!("{from}: {}", error.message), ..error });
                break;
            }
        }
    }
    if !context.json() {
        answers.iter().for_each(|(from, item, answer)| say(from, item, answer));
    }
    let contradicts = answers.iter().any(|(_, _, answer)| answer.contradicts());
    let code = match &refused {
        _ if contradicts => 1,
        Some(error) => super::exit_code(error.kind),
        None => 0,
    };
    if context.json() {
        let shown = |(from, item, answer): &(&String, &Item, Answer)| json!({ "from": from, "what": what(item), "verdict": answer.verdict, "explanation": answer.explanation });
        out::json(&json!({
            "monitor": command.monitor, "exit_code": code, "reported": answers.iter().map(shown).collect::<Vec<_>>(),
        }));
    }
    match refused {
        Some(error) if !contradicts => Err(error),
        _ => Ok(code),
    }
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
        "waits" | "discarded" | REFUSED => out::CARE,
        _ => out::GOOD,
    };
    let explanation = match item {
        Item::Head(_) => answer.explanation.clone(),
        Item::Evidence(_) if answer.verdict == REFUSED => answer.explanation.clone(),
        Item::Evidence(_) => "The monitor keeps this evidence and sends it to its peers.".to_owned(),
    };
    out::line(format!("{from}\n  {} {}: {explanation}", what(item), out::styled(style, &answer.verdict)));
}

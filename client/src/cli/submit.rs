//! `claimtrail submit`

use std::path::{Path, PathBuf};

use clap::Args;
use proto::dsse::{Envelope, MAX_ENVELOPE_BYTES};
use proto::receipt::Receipt;
use serde_json::{Value, json};

use super::context::{Connection, Context};
use super::out;
use crate::api::InTime;
use crate::clock::rfc3339;
use crate::error::{Error, ErrorKind};
use crate::files::{self, Access, Existing};
use crate::head::Head;
use crate::submit::{Bulk, Item, Journal, Source, receipt_path, submit_one, submit_witnessed};

#[derive(Debug, Args)]
pub(super) struct Submit {
    /// An envelope, a file with one envelope a line, a folder with x.envelope.json files, or - for standard input
    source: PathBuf,
    /// Keep receipts in this file, one a line [default: x.receipts.ndjson for x.ndjson, beside each envelope for a folder]
    #[arg(long, value_name = "FILE")]
    receipts: Option<PathBuf>,
    /// Wait until enough witnesses have cosigned, so that the receipt proves that too. For a single envelope
    #[arg(long, conflicts_with = "receipts")]
    wait_witnessed: bool,
}

pub(super) fn run(context: &Context, submit: &Submit) -> Result<u8, Error> {
    let connection = context.connect()?;
    let path = &submit.source;
    if submit.wait_witnessed {
        return witnessed(context, &connection, path);
    }
    if path.is_dir() {
        let journal = open(submit.receipts.as_deref(), Journal::Beside, &connection)?;
        return bulk(context, &connection, Source::folder(path)?, journal, Tell::Counts(None));
    }
    if path == Path::new("-") {
        let journal = open(submit.receipts.as_deref(), Journal::Nowhere, &connection)?;
        let tell = if matches!(journal, Journal::Nowhere) { Tell::Receipts } else { Tell::Counts(None) };
        return bulk(context, &connection, Source::stdin(), journal, tell);
    }
    if is_single(path)? {
        let item = Item::load(path)?;
        return one(context, &connection, &item).map(|()| 0);
    }
    let beside = path.with_extension("receipts.ndjson");
    let journal = open(Some(submit.receipts.as_deref().unwrap_or(&beside)), Journal::Nowhere, &connection)?;
    bulk(context, &connection, Source::lines(path)?, journal, Tell::Counts(None))
}

/// Submits what an import wrote to a file, one envelope a line, the receipts beside it. With `--json`, the import's report and
/// the counts of the submission are one value.
pub(super) fn imported(context: &Context, path: &Path, report: Value) -> Result<u8, Error> {
    let connection = context.connect()?;
    let journal = open(Some(&path.with_extension("receipts.ndjson")), Journal::Nowhere, &connection)?;
    bulk(context, &connection, Source::lines(path)?, journal, Tell::Counts(Some(report)))
}

/// What goes to standard output.
enum Tell {
    /// The receipts, one a line.
    Receipts,
    /// The counts; as JSON, beside the report of the import if there was one.
    Counts(Option<Value>),
}

/// Whether the file holds one envelope. A file that is too large for one, or that ends in `.ndjson`, has many.
fn is_single(path: &Path) -> Result<bool, Error> {
    if path.extension().is_some_and(|extension| extension == "ndjson") {
        return Ok(false);
    }
    match files::read(path, MAX_ENVELOPE_BYTES) {
        Ok(bytes) => Ok(Envelope::parse(&bytes).is_ok() || bytes.iter().filter(|byte| **byte == b'\n').count() < 2),
        Err(error) if error.kind == ErrorKind::Malformed => Ok(false),
        Err(error) => Err(error),
    }
}

fn open(path: Option<&Path>, otherwise: Journal, connection: &Connection) -> Result<Journal, Error> {
    path.map_or(Ok(otherwise), |path| Journal::lines(path, &connection.origin))
}

/// Submits one envelope, keeps its receipt beside it and says where the claim is.
pub(super) fn one(context: &Context, connection: &Connection, item: &Item) -> Result<(), Error> {
    let (receipt, created) =
        connection.wait(submit_one(&connection.api, &connection.trust, &connection.origin, item))?;
    let mut journal = Journal::Beside;
    journal.keep(item, &receipt)?;
    connection.accept(context, receipt.checkpoint.as_bytes())?;
    show(context, item, &receipt, created);
    Ok(())
}

/// Submits one envelope and waits for witnesses. Exit 0 says that the receipt meets the quorum of the reader's trust file.
fn witnessed(context: &Context, connection: &Connection, path: &Path) -> Result<u8, Error> {
    if path.is_dir() || path == Path::new("-") || !is_single(path)? {
        return Err(Error::usage("--wait-witnessed is for a single envelope: name its file"));
    }
    let item = Item::load(path)?;
    let submitted = submit_witnessed(&connection.api, &connection.trust, &connection.origin, &item);
    let (receipt, in_time) = connection.wait(submitted)?;
    Journal::Beside.keep(&item, &receipt)?;
    let head = connection.accept(context, receipt.checkpoint.as_bytes())?;
    let again = format!("run `claimtrail submit --wait-witnessed {}` again", path.display());
    let place = format!("the claim is in the log (entry {}) and its receipt is kept", receipt.index);
    let InTime::Yes { created } = in_time else {
        let message = format!("{place}, but too few witnesses cosigned in time; {again}");
        return Err(Error::new(ErrorKind::TryLater, message));
    };
    show(context, &item, &receipt, created);
    let quorum = &head.checked.quorum;
    if !quorum.met {
        return Err(Error::new(
            ErrorKind::PolicyNotMet,
            format!(
                "{place}; its head meets the quorum of the log's operator, but not that of your trust file: {} of the {} \
                 witnesses that it counts cosigned",
                quorum.cosigned, quorum.counted
            ),
        ));
    }
    context.remark(match quorum.needed {
        0 => "your trust file asks for no witness; others can check the cosignatures in the receipt".to_owned(),
        _ => format!("cosigned by {} of the {} witnesses of your trust file", quorum.cosigned, quorum.counted),
    });
    Ok(0)
}

/// Writes an envelope that was just signed. One that is there may be the same claim from a run that was interrupted: signed
/// anew it would be a second claim.
pub(super) fn write_signed(path: &Path, envelope: &Envelope) -> Result<(), Error> {
    if path.symlink_metadata().is_ok() {
        let path = path.display();
        return Err(Error::local(format!(
            "{path} is there already; if it is this claim, go on with `claimtrail submit {path}`: signed again it would be \
             another claim. Else choose another name or move it away"
        )));
    }
    files::write(path, format!("{}\n", envelope.to_json()).as_bytes(), Access::Public, Existing::Keep)
}

/// As [`one`], for an envelope that was just signed; says how to go on when the log gave no answer.
pub(super) fn signed(context: &Context, connection: &Connection, path: &Path) -> Result<(), Error> {
    one(context, connection, &Item::load(path)?).map_err(|mut error| {
        if matches!(error.kind, ErrorKind::Unreachable | ErrorKind::TryLater) {
            let path = path.display();
            error.message.push_str(&format!("; signed and kept in {path}: go on with `claimtrail submit {path}`"));
        }
        error
    })
}

fn show(context: &Context, item: &Item, receipt: &Receipt, created: bool) {
    let kept = item.path.as_deref().map(receipt_path);
    if context.json() {
        out::json(&json!({ "created": created, "receipt": receipt.to_value(), "file": kept }));
        return;
    }
    let done = if created { "logged:" } else { "was logged before:" };
    let text = format!("{} entry {} at {}", out::styled(out::GOOD, done), receipt.index, rfc3339(receipt.timestamp));
    out::line(format!("{text}\n  claim    {}", receipt.claim_id));
    if let Some(kept) = kept {
        out::line(format!("  receipt  {} (inclusion proven under your trust file)", kept.display()));
    }
}

fn bulk(
    context: &Context,
    connection: &Connection,
    source: Source,
    mut journal: Journal,
    tell: Tell,
) -> Result<u8, Error> {
    let bar = context.bar(source.len(), "submitting");
    let is_receipts = matches!(tell, Tell::Receipts);
    let mut each = |_: &Item, receipt: &Receipt| {
        if is_receipts {
            out::json_text(&receipt.to_json());
        }
    };
    let mut progress = |progress: crate::submit::Progress| bar.set_position(progress.total());
    let mut bulk = Bulk {
        api: &connection.api,
        trust: &connection.trust,
        origin: &connection.origin,
        tiles: &connection.tiles,
        state: &connection.state,
        journal: &mut journal,
        each: &mut each,
        progress: &mut progress,
    };
    let summary = connection.wait(bulk.run(source));
    bar.finish_and_clear();
    let summary = summary?;
    if let Some(remark) = summary.head.as_ref().and_then(Head::remark) {
        context.remark(remark);
    }
    let done = summary.progress;
    for rejected in &summary.rejected {
        let place = if rejected.label.is_empty() { String::new() } else { format!("{}: ", rejected.label) };
        out::remark(format!("{} {place}{}", out::styled(out::BAD, "refused:"), rejected.error));
    }
    let counts = json!({
        "created": done.created, "repeated": done.repeated, "skipped": done.skipped, "rejected": done.rejected,
    });
    let line = format!(
        "{} new, {} in the log before, {} skipped with a receipt, {} refused",
        done.created, done.repeated, done.skipped, done.rejected
    );
    match (context.json(), tell) {
        (true, Tell::Counts(None)) => out::json(&counts),
        (true, Tell::Counts(Some(report))) => out::json(&json!({ "import": report, "submit": counts })),
        (false, Tell::Counts(_)) => out::line(line),
        (true, Tell::Receipts) => context.remark(counts.to_string()),
        (false, Tell::Receipts) => context.remark(line),
    }
    if let Some(error) = summary.broken {
        return Err(error);
    }
    Ok(if done.rejected > 0 { 65 } else { 0 })
}

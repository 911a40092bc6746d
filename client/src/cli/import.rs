//! `claimtrail import`

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use proto::claim::{ClaimId, Instant, IssuerId, PAYLOAD_TYPE, Role};
use proto::ed25519::SecretKey;
use proto::import::{Draft, Frame, Makers, Report};

use super::context::Context;
use super::{check, out, submit};
use crate::clock::rfc3339;
use crate::compose;
use crate::error::Error;
use crate::files::{self, Access, Existing};
use crate::import::{self, Kind};

/// Lines of a list that the summary shows; the report has all.
const SHOWN: usize = 10;

#[derive(Debug, Subcommand)]
pub(super) enum ImportCommand {
    /// CSAF 2.0 documents: a vulnerability/v1 claim for each document, vulnerability and product name
    Csaf(Options),
    /// Sightings of Zigbee firmware, a JSON object a line: a release/v1 claim for each version and digest
    Firmware(Options),
}

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Files, and folders that are searched for them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Who makes the claims: your id as the log has enrolled it
    #[arg(long, value_name = "ID", value_parser = issuer)]
    issuer: IssuerId,
    /// In which role [default: csirt for csaf, researcher for firmware]
    #[arg(long, value_parser = role)]
    role: Option<Role>,
    /// When you say so, RFC 3339; the same time gives the same bytes [default: now]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    asserted_at: Option<Instant>,
    /// Which makers have ids: a JSON file {"Spelling": "maker.example"}; others stay names
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    makers: Option<PathBuf>,
    /// Makers under the built-in replay ids, for demonstrations
    #[arg(long)]
    replay: bool,
    /// Sign with this key: writes envelopes instead of payloads
    #[arg(short, long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Where to write: x.ndjson with one a line, - for standard output, or a folder with a file for each
    #[arg(short, long, value_name = "PATH")]
    output: PathBuf,
    /// Submit what was written; the output must be x.ndjson, and `claimtrail submit x.ndjson` goes on after a break
    #[arg(long, requires = "key")]
    submit: bool,
    /// Write the whole report to this file, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Do not anchor the claims to the newest head that was verified
    #[arg(long)]
    no_anchor: bool,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
}

fn issuer(text: &str) -> Result<IssuerId, String> {
    IssuerId::parse(text).map_err(|e| e.to_string())
}

fn role(text: &str) -> Result<Role, String> {
    // The operator makes no claims about products.
    let roles = || Role::ALL.into_iter().filter(|role| *role != Role::Operator);
    roles().find(|role| role.as_str() == text).ok_or_else(|| {
        let names: Vec<_> = roles().map(Role::as_str).collect();
        format!("expected one of: {}", names.join(", "))
    })
}

fn instant(text: &str) -> Result<Instant, String> {
    Instant::parse(text).map_err(|_| "expected RFC 3339, such as 2027-02-01T12:00:00Z".to_owned())
}

/// Where claims go.
enum Output {
    Lines(Vec<u8>),
    Folder { path: PathBuf, existing: Existing },
}

pub(super) fn run(context: &Context, command: ImportCommand) -> Result<u8, Error> {
    let (kind, options) = match command {
        ImportCommand::Csaf(options) => (Kind::Csaf, options),
        ImportCommand::Firmware(options) => (Kind::Firmware, options),
    };
    let to_stdout = options.output == Path::new("-");
    let is_lines = to_stdout || options.output.extension().is_some_and(|extension| extension == "ndjson");
    if options.submit && (to_stdout || !is_lines) {
        return Err(Error::usage("--submit needs --output x.ndjson: that is where it goes on after a break"));
    }
    let existing = if options.force { Existing::Replace } else { Existing::Keep };
    if is_lines && !to_stdout && existing == Existing::Keep && options.output.exists() {
        let path = options.output.display();
        return Err(Error::local(format!("{path} is there already; submit it, choose another name, or use --force")));
    }
    let key = options.key.as_ref().map(|key| check::keys(std::slice::from_ref(key))).transpose()?;
    let key = key.and_then(|keys| keys.into_iter().next());
    let makers = match &options.makers {
        Some(path) => import::makers(path)?,
        None if options.replay => Makers::replay(),
        None => Makers::none(),
    };
    let frame = frame(context, kind, &options)?;
    let found = import::find(kind, &options.paths)?;
    let mut output = if is_lines {
        Output::Lines(Vec::new())
    } else {
        files::make_folder(&options.output)?;
        Output::Folder { path: options.output.clone(), existing }
    };
    let bar = context.bar(u64::try_from(found.files.len()).ok(), "importing");
    let mut each = |draft| write(&mut output, &draft, &frame, key.as_ref());
    let mut progress = |done| bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    let report = import::run(kind, &found.files, &makers, &mut each, &mut progress)?;
    bar.finish_and_clear();
    if let Output::Lines(bytes) = &output {
        if to_stdout {
            out::raw(bytes);
        } else {
            files::write(&options.output, bytes, Access::Public, existing)?;
        }
    }
    if let Some(path) = &options.report {
        let json = compose::to_bytes(&report.to_value());
        files::write(path, &[&json, &b"\n"[..]].concat(), Access::Public, existing)?;
    }
    if options.submit && context.json() {
        let report = serde_json::to_value(report.to_value()).unwrap_or_default();
        return submit::imported(context, &options.output, report);
    }
    tell(context, &report, found.others, to_stdout);
    if options.submit {
        return submit::imported(context, &options.output, serde_json::Value::Null);
    }
    // Single refusals are in the report; that nothing at all could be used is a failure.
    let is_useless = report.claims == 0 && !(report.refused.is_empty() && report.documents_refused.is_empty());
    Ok(if is_useless { 2 } else { 0 })
}

fn frame(context: &Context, kind: Kind, options: &Options) -> Result<Frame, Error> {
    let fill = context.fill(!options.no_anchor)?;
    let log = fill.log.ok_or_else(|| {
        Error::usage("for which log are the claims? Name its trust file with --trust FILE or CLAIMTRAIL_TRUST")
    })?;
    let now = || Instant::parse(&rfc3339(fill.now)).map_err(|e| Error::local(format!("this machine's clock: {e}")));
    let asserted_at = options.asserted_at.clone().map_or_else(now, Ok)?;
    import::frame(&log, options.issuer.clone(), options.role.unwrap_or(kind.role()), asserted_at)
}

/// Writes a claim, signed when there is a key.
fn write(output: &mut Output, draft: &Draft, frame: &Frame, key: Option<&SecretKey>) -> Result<(), Error> {
    let payload = draft.payload(frame)?;
    let id = ClaimId::of(PAYLOAD_TYPE, &payload);
    let (mut bytes, ending) = match key {
        Some(key) => (compose::sign(&payload, &[key]).to_json().into_bytes(), "envelope.json"),
        None => (payload, "claim.json"),
    };
    bytes.push(b'\n');
    match output {
        Output::Lines(lines) => lines.write_all(&bytes).map_err(|e| Error::local(format!("no memory: {e}"))),
        // The id names the file: the same claim is the same file, whatever else is imported.
        Output::Folder { path, existing } => {
            let name = id.to_string().replace("sha256:", "");
            files::write(&path.join(format!("{name}.{ending}")), &bytes, Access::Public, *existing)
        }
    }
}

/// Says what became of everything; on standard error when the claims themselves go to standard output.
fn tell(context: &Context, report: &Report, others: u64, to_stdout: bool) {
    let say = |line: String| if to_stdout { context.remark(line) } else { out::line(line) };
    if context.json() {
        say(format!("{:#}", serde_json::to_value(report.to_value()).unwrap_or_default()));
        return;
    }
    let count = |items: usize| u64::try_from(items).unwrap_or(u64::MAX);
    let table = [
        ("documents", report.documents),
        ("  read", report.documents_read),
        ("  seen again", count(report.documents_seen_again.len())),
        ("  refused", count(report.documents_refused.len())),
        ("rows", report.rows),
        ("  claims", report.claims),
        ("  seen again", count(report.seen_again.len())),
        ("  refused", count(report.refused.len())),
        ("makers with an id", count(report.placed_makers.len())),
        ("makers as names", count(report.unplaced_makers.len())),
        ("other files, not read", others),
    ];
    for (name, number) in table {
        say(format!("{name:<24}{number:>9}"));
    }
    let refused = || report.documents_refused.iter().chain(&report.refused);
    for row in refused().take(SHOWN) {
        say(format!("{} {}: {} ({})", out::styled(out::BAD, "refused:"), row.place, row.message, row.reason));
    }
    if refused().count() > SHOWN {
        say(format!("and {} more; --report FILE has all", refused().count() - SHOWN));
    }
    for (kind, entry) in &report.not_mapped {
        say(format!("{} {kind}, {} times: {}", out::styled(out::CARE, "not in the claims:"), entry.count, entry.why));
    }
    let mut unplaced: Vec<_> = report.unplaced_makers.iter().collect();
    unplaced.sort_by_key(|(name, claims)| (std::cmp::Reverse(**claims), *name));
    for (name, claims) in unplaced.iter().take(SHOWN) {
        say(format!("{} {name:?}, {claims} claims", out::styled(out::CARE, "no id for the maker")));
    }
    if unplaced.len() > SHOWN {
        say(format!("and {} more makers; --makers FILE gives them ids", unplaced.len() - SHOWN));
    }
}

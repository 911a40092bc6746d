//! Sightings of Zigbee firmware, a JSON object a line → `release/v1` (DECISIONS 35).
//!
//! | row | claim |
//! |---|---|
//! | `manufacturerCode` | the maker: the code's holder by a table, then its issuer id by the table of makers |
//! | `modelId`, else code and `imageType` | `subject.model`: as given, else `zigbee:<code>:<type>` |
//! | `manufacturerCode`, `imageType` | `subject.ids`, scheme `zigbee` |
//! | `fileVersion` | `body.version`, in decimal: versions use all 32 bits |
//! | `sha512`, `fileSize` | the firmware artifact |
//! | `first_seen` | `body.observed_at`; `published_at` is not known and stays absent |
//! | `url` | `body.urls` |
//!
//! A row of the same slot and digest is listed as seen again. A row of the same slot with another digest is a claim of
//! its own: it is what finding U1 is made of.

use super::build::{count, object, text};
use super::csaf::is_uri;
use super::draft::Draft;
use super::ledger::{Ledger, SlotRule, digest_of};
use super::makers::Makers;
use super::node::{BadShape, Node};
use super::report::{Place, Reason, Report};
use super::{MAX_DOCUMENT_BYTES, MAX_ROW_BYTES, ROW_JSON, zigbee};
use crate::claim::{ClaimType, DateText};
use crate::hash::Hash;
use crate::json::{self, Value};

/// Codes and image types have 16 bits (Zigbee Cluster Library, OTA header).
const MAX_CODE: u64 = 0xffff;
/// File versions have 32 bits.
const MAX_VERSION: u64 = 0xffff_ffff;

/// Reads files of firmware sightings one after another.
#[derive(Debug)]
pub struct FirmwareImport<'m> {
    makers: &'m Makers,
    ledger: Ledger,
}

/// A row's draft, what makes it the same sighting, and its maker's name.
struct Sighting {
    draft: Draft,
    said: Hash,
    maker: String,
}

impl<'m> FirmwareImport<'m> {
    /// An import with this table of makers.
    pub fn new(makers: &'m Makers) -> FirmwareImport<'m> {
        FirmwareImport { makers, ledger: Ledger::new(SlotRule::Keep) }
    }

    /// Reads a file of rows; `source` names it in the report. Whatever becomes no claim is in the report.
    pub fn rows(&mut self, source: &str, bytes: &[u8]) -> Vec<Draft> {
        if !self.ledger.document(source, Hash::of(bytes)) {
            return Vec::new();
        }
        if bytes.len() > MAX_DOCUMENT_BYTES {
            let message = format!("{} bytes; at most {MAX_DOCUMENT_BYTES} are read; split the file", bytes.len());
            self.ledger.refuse_document(source, String::new(), Reason::TooLarge, message);
            return Vec::new();
        }
        self.ledger.report.documents_read += 1;
        // The line feed at the end of the last line begins no further row.
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        if bytes.is_empty() {
            return Vec::new();
        }
        let lines = bytes.split(|byte| *byte == b'\n').enumerate();
        lines
            .filter_map(|(at, line)| {
                self.row(Place { source: source.to_owned(), at: format!("line {}", at + 1) }, line)
            })
            .collect()
    }

    /// Puts a document into the report that the caller could not give here, such as a file that cannot be read.
    pub fn absent(&mut self, source: &str, reason: Reason, message: impl Into<String>) {
        self.ledger.report.documents += 1;
        self.ledger.refuse_document(source, String::new(), reason, message.into());
    }

    /// What became of everything so far.
    pub fn report(&self) -> &Report {
        &self.ledger.report
    }

    /// What became of everything.
    pub fn into_report(self) -> Report {
        self.ledger.report
    }

    fn row(&mut self, place: Place, line: &[u8]) -> Option<Draft> {
        if line.len() > MAX_ROW_BYTES {
            self.ledger.refuse(place, Reason::TooLarge, format!("a row of more than {MAX_ROW_BYTES} bytes"));
            return None;
        }
        let value = match json::parse(line, &ROW_JSON) {
            Ok(value) => value,
            Err(refused) => {
                let at = refused.pointer.unwrap_or_default();
                self.ledger.refuse(place, Reason::Json, format!("{} (at {at:?})", refused.message));
                return None;
            }
        };
        match sighting(&value, self.makers, &mut self.ledger.report) {
            Ok(found) => self.ledger.admit(place, found.draft, found.said, &found.maker),
            Err(bad) => {
                self.ledger.refuse(place, Reason::Shape, format!("{} (at {:?})", bad.message, bad.pointer));
                None
            }
        }
    }
}

fn sighting(value: &Value, makers: &Makers, notes: &mut Report) -> Result<Sighting, BadShape> {
    let row = Node::root(value).object()?;
    let code = row.required("manufacturerCode")?.whole(MAX_CODE)?;
    let image = row.required("imageType")?.whole(MAX_CODE)?;
    let version = row.required("fileVersion")?.whole(MAX_VERSION)?;
    let sha512 = row.text("sha512")?;
    let size = row.optional("fileSize").map(|size| size.whole(u64::MAX)).transpose()?;
    let observed_at = row.opt_text("first_seen")?;
    let url = row.opt_text("url")?;
    let model = row.opt_text("modelId")?;

    let maker = maker(code);
    let zigbee_id = format!("{code}:{image}");
    let subject = object([
        ("manufacturer", Some(text(makers.place(&maker).to_string()))),
        ("model", Some(text(model.map_or_else(|| format!("zigbee:{zigbee_id}"), str::to_owned)))),
        ("ids", Some(Value::Array(vec![object([("scheme", Some(text("zigbee"))), ("value", Some(text(zigbee_id)))])]))),
        ("manufacturer_name", Some(text(&maker))),
        ("model_name", model.map(text)),
    ]);
    let artifact =
        object([("role", Some(text("firmware"))), ("sha512", Some(text(sha512))), ("size", size.map(count))]);
    let said = digest_of(&ClaimType::Release, &text(sha512));
    let body = object([
        ("version", Some(text(version.to_string()))),
        ("artifacts", Some(Value::Array(vec![artifact]))),
        ("observed_at", observed_at.filter(|date| DateText::parse(date).is_ok()).map(text)),
        ("urls", url.filter(|url| is_uri(url)).map(|url| Value::Array(vec![text(url)]))),
    ]);
    left_out(&row.left_over(), observed_at, url, notes);
    let draft = Draft { claim_type: ClaimType::Release, subject, docs: Vec::new(), body };
    Ok(Sighting { draft, said, maker })
}

/// The holder of a manufacturer code, or the code itself: never the folder a file lay in.
fn maker(code: u64) -> String {
    let known = u16::try_from(code).ok().and_then(zigbee::maker);
    known.map_or_else(|| format!("zigbee manufacturer {code}"), str::to_owned)
}

fn left_out(members: &[&str], observed_at: Option<&str>, url: Option<&str>, notes: &mut Report) {
    for name in members {
        let why = match *name {
            "vendor_dir" => "the folder says where a file lay, not who made it",
            "manufacturerName" => "names that single devices report; they do not say who made the firmware",
            _ => "not known to this importer",
        };
        let name: String = name.chars().take(64).collect();
        notes.not_mapped(name, why);
    }
    if observed_at.is_some_and(|date| DateText::parse(date).is_err()) {
        notes.not_mapped("first_seen", "not a date of the form that claims take");
    }
    if url.is_some_and(|url| !is_uri(url)) {
        notes.not_mapped("url", "not an absolute URI");
    }
}

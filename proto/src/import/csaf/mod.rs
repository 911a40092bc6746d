//! CSAF 2.0 documents → `vulnerability/v1`, one claim per document, vulnerability and product name (DECISIONS 32).
//!
//! | CSAF 2.0 | claim |
//! |---|---|
//! | the document's bytes | `docs`: SHA-256, size, the self reference that ends in `.json` |
//! | `/document/tracking` id, version (§3.2.1.12) | `body.advisory` |
//! | `vendor` and `product_name` branches (§3.1.2) | `subject`, as spelled; the maker's id by the table of makers |
//! | version branches | `body.status[].versions`, verbatim, never ordered |
//! | `product_identification_helper` (§3.1.3.3) | `subject.ids` |
//! | `cve`, `ids` (§3.2.3.2, §3.2.3.6) | `body.ids` |
//! | `product_status` (§3.2.3.9) | `body.status`: first, known and last affected → affected; first fixed and fixed → fixed |
//! | `flags` (§3.2.3.5), impact `threats` | `justification` of what is not affected |
//! | `remediations` (§3.2.3.12) | `body.remediation`; the date of a `vendor_fix` → `times.fixed` |
//! | `scores` (§3.2.3.13) | `body.severity`: CVSS 3 before 2, then the highest score |
//! | `release_date`, else the document's initial release | `times.public` |
//!
//! Texts over the limit of free text are left out, not cut, since half a sentence can say the opposite; the document
//! has them, and its digest is in the claim. Names of people (acknowledgments) are never read.

mod detail;
mod helper;
mod remedy;
mod status;
mod tree;
mod vulnerability;

pub(super) use detail::is_uri;

use super::build::{count, object, text};
use super::draft::Draft;
use super::ledger::{Ledger, SlotRule};
use super::makers::Makers;
use super::node::{BadShape, Members, Node};
use super::report::{Reason, Report};
use super::{DOCUMENT_JSON, MAX_DOCUMENT_BYTES};
use crate::hash::Hash;
use crate::json::{self, Value};

/// Reads CSAF documents one after another.
#[derive(Debug)]
pub struct CsafImport<'m> {
    makers: &'m Makers,
    ledger: Ledger,
}

/// What all claims of one document share.
struct Advisory<'v> {
    /// `{tracking_id, version}`
    advisory: Value,
    /// The document by digest.
    doc: Value,
    /// When the document was first released.
    initial_release: Option<&'v str>,
    /// The publisher's name when it is a vendor: the maker of products that stand without one.
    vendor: Option<&'v str>,
}

/// A document of which nothing is taken.
struct Unfit {
    reason: Reason,
    at: String,
    message: String,
}

impl From<BadShape> for Unfit {
    fn from(bad: BadShape) -> Unfit {
        Unfit { reason: Reason::Shape, at: bad.pointer, message: bad.message }
    }
}

impl<'m> CsafImport<'m> {
    /// An import with this table of makers.
    pub fn new(makers: &'m Makers) -> CsafImport<'m> {
        CsafImport { makers, ledger: Ledger::new(SlotRule::Refuse) }
    }

    /// Reads a document; `source` names it in the report. Whatever becomes no claim is in the report.
    pub fn document(&mut self, source: &str, bytes: &[u8]) -> Vec<Draft> {
        let digest = Hash::of(bytes);
        if !self.ledger.document(source, digest) {
            return Vec::new();
        }
        match self.read(source, bytes, digest) {
            Ok(drafts) => {
                self.ledger.report.documents_read += 1;
                drafts
            }
            Err(unfit) => {
                self.ledger.refuse_document(source, unfit.at, unfit.reason, unfit.message);
                Vec::new()
            }
        }
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

    fn read(&mut self, source: &str, bytes: &[u8], digest: Hash) -> Result<Vec<Draft>, Unfit> {
        if bytes.len() > MAX_DOCUMENT_BYTES {
            let message = format!("{} bytes; at most {MAX_DOCUMENT_BYTES} are read", bytes.len());
            return Err(Unfit { reason: Reason::TooLarge, at: String::new(), message });
        }
        let value = json::parse(bytes, &DOCUMENT_JSON).map_err(|refused| Unfit {
            reason: Reason::Json,
            at: refused.pointer.unwrap_or_default(),
            message: refused.message,
        })?;
        let root = Node::root(&value).object()?;
        let document = root.required("document")?.object()?;
        publishable(&document)?;
        // Shape is checked for the whole document before anything of it counts: a document is read or it is not.
        let mut notes = Report::default();
        let advisory = advisory(&document, digest, bytes.len())?;
        let tree = tree::read(root.optional("product_tree"), self.makers, advisory.vendor, &mut notes)?;
        let vulnerabilities = root.items("vulnerabilities")?;
        let mut found = Vec::new();
        for vulnerability in vulnerabilities {
            found.extend(vulnerability::read(&vulnerability, &tree, &advisory, &mut notes)?);
        }
        left_over(&root, "", &mut notes);
        for (kind, entry) in notes.not_mapped {
            let total = self.ledger.report.not_mapped.entry(kind).or_default();
            total.count += entry.count;
            total.why = entry.why;
        }
        Ok(found.into_iter().filter_map(|row| row.settle(source, &mut self.ledger)).collect())
    }
}

/// A log is public for ever: only final documents that say so, or say nothing about their distribution, are taken.
fn publishable(document: &Members<'_>) -> Result<(), Unfit> {
    let unfit = |reason, at: &str, message: String| Err(Unfit { reason, at: format!("/document/{at}"), message });
    let version = document.text("csaf_version")?;
    if version != "2.0" {
        return unfit(Reason::Kind, "csaf_version", format!("CSAF {version}; this importer reads 2.0"));
    }
    if let Some(distribution) = document.optional("distribution") {
        let distribution = distribution.object()?;
        if let Some(tlp) = distribution.optional("tlp") {
            let label = tlp.object()?.text("label")?;
            if !matches!(label, "WHITE" | "CLEAR") {
                return unfit(Reason::NotPublic, "distribution/tlp", format!("TLP:{label} is not for the public"));
            }
        }
    }
    match document.required("tracking")?.object()?.text("status")? {
        "final" | "interim" => Ok(()),
        status => unfit(Reason::NotFinal, "tracking/status", format!("the document's status is {status}")),
    }
}

fn advisory<'v>(document: &Members<'v>, digest: Hash, size: usize) -> Result<Advisory<'v>, BadShape> {
    let tracking = document.required("tracking")?.object()?;
    let publisher = document.required("publisher")?.object()?;
    let vendor = (publisher.text("category")? == "vendor").then(|| publisher.text("name")).transpose()?;
    let doc = object([
        ("rel", Some(text("advisory"))),
        ("media_type", Some(text("application/json"))),
        ("sha256", Some(text(digest.to_string()))),
        ("size", Some(count(u64::try_from(size).unwrap_or(u64::MAX)))),
        ("uri", own_uri(document)?.map(text)),
    ]);
    let advisory = object([
        ("tracking_id", Some(text(tracking.text("id")?))),
        ("version", tracking.opt_text("version")?.map(text)),
    ]);
    Ok(Advisory { advisory, doc, initial_release: tracking.opt_text("initial_release_date")?, vendor })
}

/// Where the document itself can be had: the first self reference to a JSON file.
fn own_uri<'v>(document: &Members<'v>) -> Result<Option<&'v str>, BadShape> {
    for reference in document.items("references")? {
        let reference = reference.object()?;
        let url = reference.text("url")?;
        if reference.opt_text("category")? == Some("self") && url.ends_with(".json") && is_uri(url) {
            return Ok(Some(url));
        }
    }
    Ok(None)
}

/// Counts members that this importer does not know or does not use.
fn left_over(members: &Members<'_>, prefix: &str, notes: &mut Report) {
    for name in members.left_over() {
        let known = KEPT_IN_DOCUMENT.contains(&name);
        let why = if known { "claims have no place for it; the document has it" } else { "not known to this importer" };
        // Names from outside are cut, so that no document can swell the report.
        let name: String = name.chars().take(64).collect();
        notes.not_mapped(format!("{prefix}/{name}"), why);
    }
}

/// Members of CSAF 2.0 that stay in the document.
const KEPT_IN_DOCUMENT: [&str; 16] = [
    "acknowledgments",
    "notes",
    "references",
    "cwe",
    "title",
    "involvements",
    "discovery_date",
    "threats",
    "date",
    "entitlements",
    "restart_required",
    "hashes",
    "sbom_urls",
    "serial_numbers",
    "x_generic_uris",
    "cvss_v2",
];

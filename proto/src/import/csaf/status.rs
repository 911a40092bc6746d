//! `product_status` (CSAF 2.0 §3.2.3.9): which versions of which product are in which state.

use std::collections::{BTreeMap, BTreeSet};

use super::super::build::{object, text, texts};
use super::super::node::{BadShape, Members};
use super::super::report::Report;
use super::detail::fits_free_text;
use super::tree::Tree;
use crate::claim::limits::MAX_STATUS;
use crate::json::Value;

/// The lists of product ids and the state that claims give them; `None` is a recommendation and no state.
const LISTS: [(&str, Option<&str>); 8] = [
    ("first_affected", Some("affected")),
    ("known_affected", Some("affected")),
    ("last_affected", Some("affected")),
    ("first_fixed", Some("fixed")),
    ("fixed", Some("fixed")),
    ("known_not_affected", Some("not_affected")),
    ("under_investigation", Some("under_investigation")),
    ("recommended", None),
];

/// What is said about one model.
#[derive(Debug, Default)]
pub(super) struct Stated<'v> {
    /// The product ids, for scores and remediations.
    pub(super) products: BTreeSet<&'v str>,
    /// Versions by state and justification, in the order of the document, none twice in one state.
    rows: Vec<(&'static str, Option<&'v str>, Vec<String>)>,
    /// Versions that first have the fix.
    first_fixed: BTreeSet<String>,
    /// Versions that the vendor recommends.
    recommended: BTreeSet<String>,
}

/// What is said about the products of a vulnerability.
#[derive(Debug, Default)]
pub(super) struct Status<'v> {
    /// By index of the model.
    pub(super) models: BTreeMap<usize, Stated<'v>>,
    /// Product ids that the document does not define, with the pointer of the list.
    pub(super) unknown: Vec<(&'v str, String)>,
}

/// Reads the status lists of a vulnerability.
pub(super) fn read<'v>(
    vulnerability: &Members<'v>,
    tree: &Tree<'v>,
    notes: &mut Report,
) -> Result<Status<'v>, BadShape> {
    let mut status = Status::default();
    let Some(node) = vulnerability.optional("product_status") else { return Ok(status) };
    let justifications = justifications(vulnerability, tree, notes)?;
    let members = node.object()?;
    for (list, state) in LISTS {
        for id in members.texts(list)? {
            let Some(product) = tree.products.get(id) else {
                status.unknown.push((id, format!("{}/{list}", node.pointer)));
                continue;
            };
            let stated = status.models.entry(product.model).or_default();
            stated.products.insert(id);
            match list {
                "first_fixed" => drop(stated.first_fixed.insert(product.version.clone())),
                "recommended" => drop(stated.recommended.insert(product.version.clone())),
                _ => {}
            }
            let Some(state) = state else { continue };
            let why = justifications.get(id).copied().filter(|_| state == "not_affected");
            if !stated.add(state, why, &product.version) {
                let why = "one product has the version under several product ids; it stands in the claim once";
                notes.not_mapped("product_status: the same version again", why);
            }
        }
    }
    super::left_over(&members, "product_status", notes);
    Ok(status)
}

impl<'v> Stated<'v> {
    /// `false` when the version stands there already.
    fn add(&mut self, state: &'static str, why: Option<&'v str>, version: &str) -> bool {
        let at = self.rows.iter().position(|(s, w, _)| (*s, *w) == (state, why)).unwrap_or_else(|| {
            self.rows.push((state, why, Vec::new()));
            self.rows.len() - 1
        });
        let versions = &mut self.rows[at].2;
        let is_new = !versions.iter().any(|known| known == version);
        if is_new {
            versions.push(version.to_owned());
        }
        is_new
    }

    /// Whether the document gives any state.
    pub(super) fn has_state(&self) -> bool {
        !self.rows.is_empty()
    }

    /// The status rows of the claim. A row holds 512 versions; more of them take a second row.
    pub(super) fn to_value(&self) -> Value {
        let rows = self.rows.iter().flat_map(|(state, why, versions)| {
            versions.chunks(MAX_STATUS).map(move |versions| {
                object([
                    ("versions", Some(texts(versions.iter().map(String::as_str)))),
                    ("state", Some(text(*state))),
                    ("justification", why.map(text)),
                ])
            })
        });
        Value::Array(rows.collect())
    }

    /// The one version that fixes it: the first fixed one, else the recommended one; several are no answer.
    pub(super) fn fix_release(&self) -> Option<&str> {
        let versions = if self.first_fixed.is_empty() { &self.recommended } else { &self.first_fixed };
        versions.first().filter(|_| versions.len() == 1).map(String::as_str)
    }
}

/// Why products are not affected: the label of a flag (§3.2.3.5), else the text of an impact threat (§3.2.3.14).
fn justifications<'v>(
    vulnerability: &Members<'v>,
    tree: &Tree<'v>,
    notes: &mut Report,
) -> Result<BTreeMap<&'v str, &'v str>, BadShape> {
    let mut found = BTreeMap::new();
    let all = || tree.products.keys().copied().collect::<BTreeSet<_>>();
    for flag in vulnerability.items("flags")? {
        let flag = flag.object()?;
        let label = flag.text("label")?;
        for id in tree.named(&flag, "product_ids")?.unwrap_or_else(all) {
            found.entry(id).or_insert(label);
        }
        super::left_over(&flag, "flags", notes);
    }
    for threat in vulnerability.items("threats")? {
        let threat = threat.object()?;
        let (category, details) = (threat.text("category")?, threat.text("details")?);
        if category != "impact" {
            notes
                .not_mapped("threats: of another kind than impact", "claims have no place for it; the document has it");
        } else if !fits_free_text(details) {
            notes.not_mapped("threats/details", super::detail::TOO_LONG);
        } else {
            for id in tree.named(&threat, "product_ids")?.unwrap_or_else(all) {
                found.entry(id).or_insert(details);
            }
        }
    }
    Ok(found)
}

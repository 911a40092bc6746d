//! `remediations` (CSAF 2.0 §3.2.3.12).

use std::collections::BTreeSet;

use super::super::build::{object, text};
use super::super::node::{BadShape, Members};
use super::super::report::Report;
use super::detail::{TOO_LONG, date, fits_free_text, is_uri};
use super::tree::Tree;
use crate::claim::DateText;
use crate::claim::limits::{MAX_STATUS, TOKEN_BYTES};
use crate::json::Value;

/// A remediation and the products it holds for; `None` is all.
#[derive(Debug)]
pub(super) struct Remedy<'v> {
    products: Option<BTreeSet<&'v str>>,
    remediation: Value,
    /// When a vendor's fix became available.
    fixed: Option<&'v str>,
}

/// Reads the remediations of a vulnerability. One whose details are too long keeps its category and address.
pub(super) fn read<'v>(
    vulnerability: &Members<'v>,
    tree: &Tree<'v>,
    notes: &mut Report,
) -> Result<Vec<Remedy<'v>>, BadShape> {
    let mut found = Vec::new();
    for node in vulnerability.items("remediations")? {
        let members = node.object()?;
        let category = members.text("category")?;
        let details = members.text("details")?;
        let url = members.opt_text("url")?;
        let released = date(members.opt_text("date")?, "remediations/date", notes);
        let products = tree.named(&members, "product_ids")?;
        super::left_over(&members, "remediations", notes);
        if !is_category(category) {
            notes.not_mapped("remediations/category", "not a category of CSAF 2.0; the document has the remediation");
            continue;
        }
        if !fits_free_text(details) {
            notes.not_mapped("remediations/details", TOO_LONG);
        }
        if url.is_some_and(|url| !is_uri(url)) {
            notes.not_mapped("remediations/url", "not an absolute URI; the document has it");
        }
        let remediation = object([
            ("category", Some(text(category))),
            ("details", Some(details).filter(|details| fits_free_text(details)).map(text)),
            ("url", url.filter(|url| is_uri(url)).map(text)),
        ]);
        found.push(Remedy { products, remediation, fixed: released.filter(|_| category == "vendor_fix") });
    }
    Ok(found)
}

/// A token of a claim, which CSAF's five categories are.
fn is_category(category: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b);
    let begins_well = category.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    begins_well && category.len() <= TOKEN_BYTES && category.bytes().all(allowed)
}

/// What can be done for these products, none twice, and when the first vendor's fix was there.
pub(super) fn for_products<'v>(
    remedies: &[Remedy<'v>],
    products: &BTreeSet<&str>,
    notes: &mut Report,
) -> (Option<Value>, Option<&'v str>) {
    let holds = |remedy: &&Remedy<'v>| remedy.products.as_ref().is_none_or(|named| !named.is_disjoint(products));
    let holding: Vec<&Remedy<'v>> = remedies.iter().filter(holds).collect();
    let mut values: Vec<Value> = Vec::new();
    for remedy in &holding {
        if values.contains(&remedy.remediation) {
            continue;
        }
        if values.len() == MAX_STATUS {
            notes.not_mapped("remediations", "more than 512 for one product; the document has them");
            break;
        }
        values.push(remedy.remediation.clone());
    }
    let instant = |date: &&str| DateText::parse(date).map(|date| date.last_instant()).unwrap_or(i64::MAX);
    let fixed = holding.iter().filter_map(|remedy| remedy.fixed).min_by_key(instant);
    ((!values.is_empty()).then_some(Value::Array(values)), fixed)
}

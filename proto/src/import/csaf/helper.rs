//! `product_identification_helper` (CSAF 2.0 §3.1.3.3) → product ids.

use super::super::node::{BadShape, Node};
use super::super::report::Report;
use crate::claim::{ProductId, Scheme};

/// The ids of a helper; what is no id of a scheme that claims know is counted.
pub(super) fn ids(helper: &Node<'_>, notes: &mut Report) -> Result<Vec<ProductId>, BadShape> {
    let helper = helper.object()?;
    let mut found = Vec::new();
    let single = [("cpe", Scheme::Cpe23), ("purl", Scheme::Purl)];
    for (name, scheme) in single {
        if let Some(value) = helper.opt_text(name)? {
            take(scheme, name, value, &mut found, notes);
        }
    }
    for (name, scheme) in [("model_numbers", Scheme::Model), ("skus", Scheme::Sku)] {
        for value in helper.texts(name)? {
            take(scheme, name, value, &mut found, notes);
        }
    }
    super::left_over(&helper, "product_identification_helper", notes);
    Ok(found)
}

fn take(scheme: Scheme, member: &str, value: &str, found: &mut Vec<ProductId>, notes: &mut Report) {
    match ProductId::new(scheme, value) {
        Ok(id) => found.push(id),
        Err(_) => notes.not_mapped(
            format!("product_identification_helper/{member}"),
            "not an id of the form that claims take (CPE in its 2.3 form); the document has it",
        ),
    }
}

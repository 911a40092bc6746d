//! Parts of a vulnerability that hold for some of its products: severity and times; and what texts claims take.

use std::collections::BTreeSet;

use super::super::build::{object, text};
use super::super::node::{BadShape, Members};
use super::super::report::Report;
use crate::claim::DateText;
use crate::claim::limits::{FREE_TEXT_CHARS, TEXT_BYTES};
use crate::json::{Number, Value};

/// Why a text is left out.
pub(super) const TOO_LONG: &str = "a text of more than 200 characters, or with control characters; the document has it";

/// Whether a text is free text of a claim.
pub(super) fn fits_free_text(text: &str) -> bool {
    let forbidden = |c: char| c.is_control() && c != '\n' && c != '\t';
    !text.trim().is_empty() && text.chars().count() <= FREE_TEXT_CHARS && !text.chars().any(forbidden)
}

/// Whether a text is an absolute URI of the length and characters that claims take (RFC 3986 §2, §4.3). What slips
/// through is caught when the draft is read back as a claim.
pub(in super::super) fn is_uri(uri: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b);
    let scheme = uri.split_once(':').map(|(scheme, rest)| (scheme.as_bytes(), rest));
    let scheme_ok = scheme.is_some_and(|(scheme, rest)| {
        scheme.first().is_some_and(u8::is_ascii_alphabetic)
            && scheme.iter().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b))
            && !rest.is_empty()
    });
    let bytes = uri.as_bytes();
    let hex_at = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let escapes_ok = (0..bytes.len()).filter(|at| bytes[*at] == b'%').all(|at| hex_at(at + 1) && hex_at(at + 2));
    let fragments = bytes.iter().filter(|b| **b == b'#').count();
    scheme_ok && uri.len() <= TEXT_BYTES && bytes.iter().all(|b| allowed(*b)) && escapes_ok && fragments <= 1
}

/// A score and the products it holds for.
#[derive(Debug)]
pub(super) struct Score<'v> {
    products: BTreeSet<&'v str>,
    /// The CVSS version's major number.
    major: u8,
    base: f64,
    severity: Value,
}

/// `scores` (CSAF 2.0 §3.2.3.13).
pub(super) fn scores<'v>(vulnerability: &Members<'v>, notes: &mut Report) -> Result<Vec<Score<'v>>, BadShape> {
    let mut found = Vec::new();
    for node in vulnerability.items("scores")? {
        let score = node.object()?;
        let products: BTreeSet<&str> = score.texts("products")?.into_iter().collect();
        for (member, major) in [("cvss_v3", 3), ("cvss_v2", 2)] {
            let Some(cvss) = score.optional(member) else { continue };
            let members = cvss.object()?;
            let vector = members.opt_text("vectorString")?.filter(|vector| fits_free_text(vector));
            let base = members.optional("baseScore").and_then(|node| match node.value {
                Value::Number(number) if (0.0..=10.0).contains(&number.as_f64()) => Some(*number),
                _ => None,
            });
            if vector.is_none() && base.is_none() {
                notes.not_mapped("scores: neither vector nor base score", "nothing to take; the document has the rest");
                continue;
            }
            let severity = object([("vector", vector.map(text)), ("score", base.map(Value::Number))]);
            let base = base.map_or(0.0, Number::as_f64);
            found.push(Score { products: products.clone(), major, base, severity });
        }
        super::left_over(&score, "scores", notes);
    }
    Ok(found)
}

/// The best score for these products: CVSS 3 before 2, then the highest base score, then the first of the document.
pub(super) fn severity(scores: &[Score<'_>], products: &BTreeSet<&str>) -> Option<Value> {
    let better = |a: &Score<'_>, b: &Score<'_>| (a.major, a.base) > (b.major, b.base);
    let holding = scores.iter().filter(|score| !score.products.is_disjoint(products));
    let best = holding.reduce(|best, score| if better(score, best) { score } else { best });
    best.map(|score| score.severity.clone())
}

/// `times`: when it was public, and the first date of a vendor's fix for these products.
pub(super) fn times(public: Option<&str>, fixed: Option<&str>) -> Option<Value> {
    let present = public.is_some() || fixed.is_some();
    present.then(|| object([("public", public.map(text)), ("fixed", fixed.map(text))]))
}

/// A date that claims take; another one is counted.
pub(super) fn date<'v>(date: Option<&'v str>, member: &str, notes: &mut Report) -> Option<&'v str> {
    let date = date?;
    if DateText::parse(date).is_ok() {
        return Some(date);
    }
    notes.not_mapped(member, "not a date of the form that claims take; the document has it");
    None
}

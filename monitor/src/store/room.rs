//! How many findings of one log may be open at once.
//!
//! A log can make as many cheap findings as it likes. What weighs most has room of its own, a room for each kind: a flood of one
//! kind hides no other.

use redb::{ReadableTable as _, ReadableTableMetadata as _, Table};

use crate::finding::{Finding, code};

/// Findings without room of their own. The first thousand say it.
const MOST: u64 = 1000;

/// Findings of each code that has room of its own: each may hold two heads with all their signatures.
const MOST_GRAVE: u64 = 200;

/// Further findings that name evidence, whatever their code. The evidence itself is bounded by kind and key.
const MOST_PROVEN: u64 = 200;

/// Codes with room of their own: contradictions that the log signed.
const GRAVE: [&str; 3] = [code::FORK, code::TIME, code::EVIDENCE];

/// What a finding that has no room is counted under; nothing when it has.
pub(super) fn none_for(
    open: &Table<'_, &'static str, &'static [u8]>,
    finding: &Finding,
) -> Result<Option<String>, redb::Error> {
    let all = open.len()?;
    if let Some(grave) = GRAVE.iter().find(|code| **code == finding.code) {
        let is_full = all >= MOST_GRAVE && count(open, grave)? >= MOST_GRAVE;
        return Ok(is_full.then(|| (*grave).to_owned()));
    }
    let (most, name) = match finding.evidence.is_empty() {
        true => (MOST, finding.class.name()),
        false => (MOST + MOST_PROVEN, "proven"),
    };
    if all < most {
        return Ok(None);
    }
    let mut others = all;
    for grave in GRAVE {
        others = others.saturating_sub(count(open, grave)?);
    }
    Ok((others >= most).then(|| name.to_owned()))
}

/// Open findings of a code.
fn count(open: &Table<'_, &'static str, &'static [u8]>, code: &str) -> Result<u64, redb::Error> {
    // A name is the code, or the code, a colon and more.
    let (first, behind) = (code.to_owned(), format!("{code};"));
    let mut count = 0;
    for item in open.range(first.as_str()..behind.as_str())? {
        item?;
        count += 1;
    }
    Ok(count)
}

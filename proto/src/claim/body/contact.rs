//! `contact/v1`: where vulnerabilities are reported.

use super::number;
use crate::claim::date::DateText;
use crate::claim::limits::{MAX_DAYS, MAX_IDS};
use crate::claim::read;
use crate::code::Refused;
use crate::json::Item;

/// The contact; maps on security.txt (RFC 9116).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactBody {
    /// Where reports go, as URIs (`mailto:`, `https:`, `tel:`), 1–64, most preferred first.
    pub contacts: Vec<String>,
    /// Where the disclosure policy is published.
    pub policy_uri: String,
    /// After this the contact must not be relied upon.
    pub expires: DateText,
    /// Days until a report is acknowledged.
    pub ack_days: Option<u32>,
    /// Days between status reports.
    pub status_days: Option<u32>,
    /// Days until a fix.
    pub fix_days: Option<u32>,
    /// Languages in which reports are read, as BCP 47 tags.
    pub languages: Vec<String>,
    /// `provider-metadata.json` of CSAF advisories.
    pub csaf_provider_uri: Option<String>,
}

impl ContactBody {
    pub(super) fn read(item: Item) -> Result<ContactBody, Refused> {
        let mut fields = item.object()?;
        let body = ContactBody {
            contacts: fields.non_empty_list("contacts", MAX_IDS, read::uri)?,
            policy_uri: fields.read("policy_uri", read::uri)?,
            expires: fields.read("expires", read::date)?,
            ack_days: fields.read_opt("ack_days", days)?,
            status_days: fields.read_opt("status_days", days)?,
            fix_days: fields.read_opt("fix_days", days)?,
            languages: fields.list_opt("languages", MAX_IDS, language)?,
            csaf_provider_uri: fields.read_opt("csaf_provider_uri", read::uri)?,
        };
        fields.finish()?;
        Ok(body)
    }
}

fn days(item: Item) -> Result<u32, Refused> {
    number(item, 0, MAX_DAYS)
}

/// The shape of a BCP 47 tag (RFC 5646 §2.1): subtags of 1–8 letters and digits, the first of 2–8 letters, 35 bytes at
/// most.
fn language(item: Item) -> Result<String, Refused> {
    const LANGUAGE_BYTES: usize = 35;
    let text = item.text()?;
    let mut subtags = text.as_str().split('-');
    let first_ok =
        subtags.next().is_some_and(|tag| (2..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphabetic()));
    let rest_ok = subtags.all(|tag| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric()));
    if !first_ok || !rest_ok || text.as_str().len() > LANGUAGE_BYTES {
        return Err(text.bad("expected a language tag such as de or pt-BR (BCP 47)"));
    }
    Ok(text.into_string())
}

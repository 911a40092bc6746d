//! `contact/v1`: where vulnerabilities are reported.

use crate::claim::date::DateText;

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

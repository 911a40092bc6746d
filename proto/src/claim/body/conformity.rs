//! `conformity/v1`: a declaration of conformity or a certificate.

use crate::claim::date::DateText;
use crate::claim::limits::MAX_IDS;
use crate::claim::read;
use crate::code::Refused;
use crate::json::Item;

/// A declaration or certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConformityBody {
    /// The scheme, a token such as `cra-doc` or `eucc`.
    pub scheme: String,
    /// Its status.
    pub status: ConformityStatus,
    /// When it was issued.
    pub issued_at: DateText,
    /// When it expires.
    pub expires: Option<DateText>,
    /// Standards it rests on.
    pub standards: Vec<String>,
    /// The procedure followed.
    pub procedure: Option<String>,
    /// Number of the conformity body.
    pub body_no: Option<String>,
    /// Number of the certificate.
    pub certificate_id: Option<String>,
    /// Assurance level.
    pub level: Option<String>,
    /// Where the document can be had.
    pub doc_uri: Option<String>,
    /// The end of support that the document states.
    pub support_until_stated: Option<DateText>,
}

impl ConformityBody {
    /// Scheme, NUL, certificate id (empty when there is none).
    pub fn slot_key(&self) -> String {
        format!("{}\0{}", self.scheme, self.certificate_id.as_deref().unwrap_or_default())
    }
}

/// The status of a declaration or certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConformityStatus {
    /// `issued`
    Issued,
    /// `suspended`
    Suspended,
    /// `withdrawn`
    Withdrawn,
    /// `expired`
    Expired,
}

impl ConformityBody {
    pub(super) fn read(item: Item) -> Result<ConformityBody, Refused> {
        let mut fields = item.object()?;
        let body = ConformityBody {
            scheme: fields.read("scheme", read::token)?,
            status: fields.read("status", status)?,
            issued_at: fields.read("issued_at", read::date)?,
            expires: fields.read_opt("expires", read::date)?,
            standards: fields.list_opt("standards", MAX_IDS, read::line)?,
            procedure: fields.read_opt("procedure", read::free)?,
            body_no: fields.read_opt("body_no", read::line)?,
            certificate_id: fields.read_opt("certificate_id", read::line)?,
            level: fields.read_opt("level", read::free)?,
            doc_uri: fields.read_opt("doc_uri", read::uri)?,
            support_until_stated: fields.read_opt("support_until_stated", read::date)?,
        };
        fields.finish()?;
        Ok(body)
    }
}

fn status(item: Item) -> Result<ConformityStatus, Refused> {
    item.text()?.choice(&[
        ("issued", ConformityStatus::Issued),
        ("suspended", ConformityStatus::Suspended),
        ("withdrawn", ConformityStatus::Withdrawn),
        ("expired", ConformityStatus::Expired),
    ])
}

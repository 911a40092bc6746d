//! `support/v1`: until when a product gets security updates.

use crate::claim::date::DateText;
use crate::claim::read;
use crate::code::Refused;
use crate::json::Item;

/// The promise; maps one to one on OpenEoX core 1.0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportBody {
    /// End of security support (`end_of_security_support`).
    pub security_until: SupportDate,
    /// When this was last changed at its source.
    pub last_updated: Option<DateText>,
    /// When support began.
    pub start: Option<DateText>,
    /// General availability.
    pub general_availability: Option<SupportDate>,
    /// End of sales.
    pub end_of_sales: Option<SupportDate>,
    /// End of life.
    pub end_of_life: Option<SupportDate>,
    /// How updates reach the product.
    pub updates: Option<Updates>,
    /// Where the policy is published.
    pub policy_uri: Option<String>,
    /// `eoas` (end of active support) of public tables, as given there (DECISIONS 36).
    pub eoas: Option<AsGiven>,
    /// `support` of public tables, as given there (DECISIONS 36).
    pub support: Option<AsGiven>,
}

/// A date of the support life cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SupportDate {
    /// A date.
    Date(DateText),
    /// `"tba"`: to be announced.
    Tba,
    /// `"none"`: there is none.
    None,
    /// `"ended"`: over, the date is not known.
    Ended,
}

impl SupportDate {
    /// The text as it stands in the payload.
    pub fn as_str(&self) -> &str {
        match self {
            SupportDate::Date(date) => date.as_str(),
            SupportDate::Tba => "tba",
            SupportDate::None => "none",
            SupportDate::Ended => "ended",
        }
    }

    /// The date, when there is one.
    pub fn date(&self) -> Option<&DateText> {
        match self {
            SupportDate::Date(date) => Some(date),
            _ => None,
        }
    }
}

/// How updates reach the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Updates {
    /// `auto`: without the user.
    Auto,
    /// `manual`: by the user.
    Manual,
    /// `none`: not at all.
    None,
}

/// A value kept as its source gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AsGiven {
    /// `true` or `false`.
    Bool(bool),
    /// A date or a word.
    Text(String),
}

impl SupportBody {
    pub(super) fn read(item: Item) -> Result<SupportBody, Refused> {
        let mut fields = item.object()?;
        let body = SupportBody {
            security_until: fields.read("security_until", support_date)?,
            last_updated: fields.read_opt("last_updated", read::date)?,
            start: fields.read_opt("start", read::date)?,
            general_availability: fields.read_opt("general_availability", support_date)?,
            end_of_sales: fields.read_opt("end_of_sales", support_date)?,
            end_of_life: fields.read_opt("end_of_life", support_date)?,
            updates: fields.read_opt("updates", updates)?,
            policy_uri: fields.read_opt("policy_uri", read::uri)?,
            eoas: fields.read_opt("eoas", as_given)?,
            support: fields.read_opt("support", as_given)?,
        };
        fields.finish()?;
        Ok(body)
    }
}

fn support_date(item: Item) -> Result<SupportDate, Refused> {
    let text = item.text()?;
    match text.as_str() {
        "tba" => Ok(SupportDate::Tba),
        "none" => Ok(SupportDate::None),
        "ended" => Ok(SupportDate::Ended),
        date => DateText::parse(date)
            .map(SupportDate::Date)
            .map_err(|_| read::bad_date(&text, "YYYY-MM, YYYY-MM-DD, RFC 3339, or \"tba\", \"none\", \"ended\"")),
    }
}

fn updates(item: Item) -> Result<Updates, Refused> {
    item.text()?.choice(&[("auto", Updates::Auto), ("manual", Updates::Manual), ("none", Updates::None)])
}

fn as_given(item: Item) -> Result<AsGiven, Refused> {
    match item.is_boolean() {
        true => item.boolean().map(AsGiven::Bool),
        false => read::free(item).map(AsGiven::Text),
    }
}

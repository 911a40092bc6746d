//! `support/v1`: until when a product gets security updates.

use crate::claim::date::DateText;

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

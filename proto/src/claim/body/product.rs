//! `product/v1`: a product exists.

use crate::claim::date::DateText;

/// What the product is and when it was sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductBody {
    /// What people call it.
    pub name: String,
    /// Its kind, as the issuer words it.
    pub category: String,
    /// When the first unit was placed on the market.
    pub placed_on_market: DateText,
    /// When the last unit was placed on the market.
    pub end_of_placing: Option<DateText>,
    /// Hardware versions, as given.
    pub hw_versions: Vec<String>,
    /// The model it follows, of the same manufacturer.
    pub predecessor: Option<String>,
    /// Where its intended purpose is described.
    pub intended_purpose_uri: Option<String>,
}

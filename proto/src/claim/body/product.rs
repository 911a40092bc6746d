//! `product/v1`: a product exists.

use crate::claim::date::DateText;
use crate::claim::limits::MAX_IDS;
use crate::claim::read;
use crate::code::Refused;
use crate::json::Item;

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

impl ProductBody {
    pub(super) fn read(item: Item) -> Result<ProductBody, Refused> {
        let mut fields = item.object()?;
        let body = ProductBody {
            name: fields.read("name", read::free)?,
            category: fields.read("category", read::free)?,
            placed_on_market: fields.read("placed_on_market", read::date)?,
            end_of_placing: fields.read_opt("end_of_placing", read::date)?,
            hw_versions: fields.list_opt("hw_versions", MAX_IDS, read::line)?,
            predecessor: fields.read_opt("predecessor", read::name)?,
            intended_purpose_uri: fields.read_opt("intended_purpose_uri", read::uri)?,
        };
        fields.finish()?;
        Ok(body)
    }
}

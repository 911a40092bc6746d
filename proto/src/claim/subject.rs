//! Which product a claim is about.

use std::fmt;

use super::date::DateText;
use super::ids::{self, ProductId};
use super::limits::{MAX_IDS, MAX_MARKETS, MAX_STATUS};
use super::names::IssuerId;
use super::normal::{is_comparable, normalise};
use super::read;
use super::types::ClaimType;
use crate::code::{Code, Refused};
use crate::json::Item;

/// What `name:` makers' texts begin with.
const NAME_PREFIX: &str = "name:";

/// Who made the product.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Manufacturer {
    /// An issuer, enrolled or not.
    Issuer(IssuerId),
    /// A maker's name, when others speak about one that has no id; without the prefix `name:`, as given.
    Name(String),
}

impl Manufacturer {
    /// The maker as slots and search key it: an issuer id as it is, or `name:` and the name in the form in which models
    /// are compared, so that respelling hides nothing.
    pub fn key(&self) -> String {
        match self {
            Manufacturer::Issuer(id) => id.as_str().to_owned(),
            Manufacturer::Name(name) => format!("{NAME_PREFIX}{}", normalise(name)),
        }
    }

    /// The issuer id, when it is one.
    pub fn issuer(&self) -> Option<&IssuerId> {
        match self {
            Manufacturer::Issuer(id) => Some(id),
            Manufacturer::Name(_) => None,
        }
    }
}

/// Writes the maker as the payload has it.
impl fmt::Display for Manufacturer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Manufacturer::Issuer(id) => id.fmt(f),
            Manufacturer::Name(name) => write!(f, "{NAME_PREFIX}{name}"),
        }
    }
}

/// The product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Who made it.
    pub manufacturer: Manufacturer,
    /// Which model, as given.
    pub model: String,
    /// Further ids, at most 64, none twice; they never decide a slot.
    pub ids: Vec<ProductId>,
    /// The versions the claim is about, as free text.
    pub versions: Vec<String>,
    /// The units the claim is about; only in `support/v1`. Absent means all.
    pub units: Option<Units>,
    /// The markets the claim is about, as two capital letters; empty means all.
    pub markets: Vec<String>,
    /// The maker's name as its source writes it.
    pub manufacturer_name: Option<String>,
    /// The model's name as its source writes it.
    pub model_name: Option<String>,
}

impl Subject {
    /// Reads the subject of a claim of this type.
    pub(super) fn read(item: Item, claim_type: &ClaimType) -> Result<Subject, Refused> {
        let mut fields = item.object()?;
        if fields.has("units") && *claim_type != ClaimType::Support {
            return Err(fields.refuse("units", Code::ClaimUnknownMember, "units are for support/v1 only"));
        }
        let subject = Subject {
            manufacturer: fields.read("manufacturer", manufacturer)?,
            model: fields.read("model", read::name)?,
            ids: fields.list_opt("ids", MAX_IDS, ids::read)?,
            versions: fields.list_opt("versions", MAX_STATUS, read::line)?,
            units: fields.read_opt("units", units)?,
            markets: fields.list_opt("markets", MAX_MARKETS, read::country)?,
            manufacturer_name: fields.read_opt("manufacturer_name", read::line)?,
            model_name: fields.read_opt("model_name", read::line)?,
        };
        let compared: Vec<_> = subject.ids.iter().map(|id| (id.scheme, &id.normalised)).collect();
        read::no_twins(&compared, fields.place(), "ids")?;
        read::no_twins(&subject.markets, fields.place(), "markets")?;
        fields.finish()?;
        Ok(subject)
    }

    /// The product as slots and search key it.
    pub fn key(&self) -> ProductKey {
        ProductKey { manufacturer: self.manufacturer.key(), model_normalised: normalise(&self.model) }
    }
}

/// A product as slots and search key it (DECISIONS 7).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProductKey {
    /// [`Manufacturer::key`].
    pub manufacturer: String,
    /// The model: NFKC, lower case, trimmed, white space collapsed.
    pub model_normalised: String,
}

impl ProductKey {
    /// The key of a maker and a model as a reader asks for them; `None` when the maker is neither an issuer id nor
    /// `name:` and a name, or the model has nothing to compare.
    pub fn parse(manufacturer: &str, model: &str) -> Option<ProductKey> {
        let manufacturer = match manufacturer.strip_prefix(NAME_PREFIX) {
            Some(name) => Manufacturer::Name(name.to_owned()).key(),
            None => IssuerId::parse(manufacturer).ok()?.as_str().to_owned(),
        };
        let model_normalised = normalise(model);
        (manufacturer != NAME_PREFIX && !model_normalised.is_empty())
            .then_some(ProductKey { manufacturer, model_normalised })
    }
}

/// Units placed on the market: the support period belongs to them, so one model can have several. At least one member
/// is present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    /// The batch, as given.
    pub batch: Option<String>,
    /// Placed on the market from this month or day on.
    pub placed_from: Option<DateText>,
    /// Placed on the market up to and including this month or day.
    pub placed_until: Option<DateText>,
}

impl Units {
    /// The slot key: batch in the form in which models are compared, NUL, first day, NUL, last day; what is absent is
    /// empty. `2025-01` from and `2025-01-01` from are the same day and so the same slot.
    pub fn canonical(&self) -> String {
        let batch = self.batch.as_deref().map(normalise).unwrap_or_default();
        let from = self.placed_from.as_ref().map(DateText::first_day).unwrap_or_default();
        let until = self.placed_until.as_ref().map(DateText::last_day).unwrap_or_default();
        format!("{batch}\0{from}\0{until}")
    }

    /// Whether some unit can belong to both. Batches of different names overlap when their dates do, since nothing says
    /// that a unit has one batch name only.
    pub fn overlaps(&self, other: &Units) -> bool {
        let starts_by = |a: &Units, b: &Units| match (&a.placed_from, &b.placed_until) {
            (Some(from), Some(until)) => from.first_instant() <= until.last_instant(),
            _ => true,
        };
        starts_by(self, other) && starts_by(other, self)
    }
}

/// An issuer id, or `name:` and a name.
fn manufacturer(item: Item) -> Result<Manufacturer, Refused> {
    let place = item.place().clone();
    let text = read::line(item)?;
    let bad = |message: String| Refused::at(Code::ClaimValue, &place, message);
    match text.strip_prefix(NAME_PREFIX) {
        Some(name) if normalise(name).is_empty() || !name.chars().all(is_comparable) => {
            Err(bad("expected a maker's name after name:, of visible characters".to_owned()))
        }
        Some(name) => Ok(Manufacturer::Name(name.to_owned())),
        None => IssuerId::parse(&text)
            .map(Manufacturer::Issuer)
            .map_err(|error| bad(format!("{error}; or name: and the maker's name"))),
    }
}

fn units(item: Item) -> Result<Units, Refused> {
    let mut fields = item.object()?;
    let units = Units {
        batch: fields.read_opt("batch", read::name)?,
        placed_from: fields.read_opt("placed_from", read::day)?,
        placed_until: fields.read_opt("placed_until", read::day)?,
    };
    if units.batch.is_none() && units.placed_from.is_none() && units.placed_until.is_none() {
        return Err(fields.refuse_self(Code::ClaimValue, "units name a batch or dates; leave them out for all units"));
    }
    if !units.overlaps(&units) {
        return Err(fields.refuse("placed_until", Code::ClaimValue, "placed_until is before placed_from"));
    }
    fields.finish()?;
    Ok(units)
}

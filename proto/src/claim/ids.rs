//! Ids of products: normalised per scheme and compared only inside one; two schemes are never joined by guessing.

/// A scheme of product ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// `model`: another model name; compared like the model itself.
    Model,
    /// `gtin`: GTIN-8, -12, -13 or -14 with a right check digit; compared as 14 digits (GS1 General Specifications).
    Gtin,
    /// `gs1-dl`: a GS1 Digital Link URI.
    Gs1Dl,
    /// `dpp-uid`: the unique identifier of a digital product passport, case kept.
    DppUid,
    /// `purl`: a package URL.
    Purl,
    /// `cpe23`: a CPE 2.3 formatted string of 13 parts.
    Cpe23,
    /// `oui`: 24, 28 or 36 bits of a MAC address block, as hex digits.
    Oui,
    /// `fcc-id`: an FCC ID.
    FccId,
    /// `sku`: a stock keeping unit, case kept.
    Sku,
    /// `zigbee`: manufacturer code and image type, `4474:53250` or `0x117a:0xd002`.
    Zigbee,
    /// `serial-range`: `FIRST..LAST`, case kept.
    SerialRange,
    /// `eol-slug`: a product's name in public tables of end-of-life dates.
    EolSlug,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Scheme; 12] = [
        Scheme::Model,
        Scheme::Gtin,
        Scheme::Gs1Dl,
        Scheme::DppUid,
        Scheme::Purl,
        Scheme::Cpe23,
        Scheme::Oui,
        Scheme::FccId,
        Scheme::Sku,
        Scheme::Zigbee,
        Scheme::SerialRange,
        Scheme::EolSlug,
    ];

    /// The name as it stands in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Model => "model",
            Scheme::Gtin => "gtin",
            Scheme::Gs1Dl => "gs1-dl",
            Scheme::DppUid => "dpp-uid",
            Scheme::Purl => "purl",
            Scheme::Cpe23 => "cpe23",
            Scheme::Oui => "oui",
            Scheme::FccId => "fcc-id",
            Scheme::Sku => "sku",
            Scheme::Zigbee => "zigbee",
            Scheme::SerialRange => "serial-range",
            Scheme::EolSlug => "eol-slug",
        }
    }

    /// The scheme of this name.
    pub fn parse(name: &str) -> Option<Scheme> {
        Scheme::ALL.into_iter().find(|scheme| scheme.as_str() == name)
    }
}

/// An id of a product.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProductId {
    /// Its scheme.
    pub scheme: Scheme,
    /// The value as given.
    pub value: String,
    /// The value as it is compared inside the scheme.
    pub normalised: String,
}

//! Ids of products: normalised per scheme and compared only inside one; two schemes are never joined by guessing.

use super::normal::{is_comparable, normalise};
use super::read as text;
use crate::code::Refused;
use crate::json::Item;

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

/// A value was not one of its scheme; the text says what is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct BadProductId(pub &'static str);

impl ProductId {
    /// An id whose value has the form of its scheme.
    pub fn new(scheme: Scheme, value: &str) -> Result<ProductId, BadProductId> {
        let normalised = scheme.normalise(value)?;
        Ok(ProductId { scheme, value: value.to_owned(), normalised })
    }
}

impl Scheme {
    /// The form in which values of this scheme are compared; doing it twice is doing it once.
    pub fn normalise(self, value: &str) -> Result<String, BadProductId> {
        let (normalised, expected) = match self {
            Scheme::Model => (compared_name(value), "a model of visible characters"),
            Scheme::Gtin => (gtin(value), "a GTIN of 8, 12, 13 or 14 digits with a right check digit"),
            Scheme::Gs1Dl => (web_uri(value), "a GS1 Digital Link: an https or http URI"),
            Scheme::DppUid | Scheme::Sku => (case_kept(value), "visible characters"),
            Scheme::Purl => (purl(value), "a package URL such as pkg:generic/acme/cam-3@2.4.1"),
            Scheme::Cpe23 => (cpe23(value), "a CPE 2.3 formatted string: cpe:2.3: and 11 parts"),
            Scheme::Oui => (oui(value), "6, 7 or 9 hex digits, with or without separators, such as 00-1A-2B"),
            Scheme::FccId => (fcc_id(value), "an FCC ID: 4 to 20 letters, digits and hyphens"),
            Scheme::Zigbee => (zigbee(value), "manufacturer code and image type, such as 4474:53250 or 0x117a:0xd002"),
            Scheme::SerialRange => (serial_range(value), "FIRST..LAST in visible ASCII characters"),
            Scheme::EolSlug => (eol_slug(value), "lower-case letters, digits and ._+/-"),
        };
        normalised.ok_or(BadProductId(expected))
    }
}

/// Reads `{scheme, value}`.
pub(super) fn read(item: Item) -> Result<ProductId, Refused> {
    let mut fields = item.object()?;
    let scheme = fields.text("scheme")?;
    let Some(scheme) = Scheme::parse(scheme.as_str()) else {
        let names: Vec<_> = Scheme::ALL.iter().map(|scheme| scheme.as_str()).collect();
        return Err(scheme.bad(format!("expected one of: {}", names.join(", "))));
    };
    let value = fields.read("value", text::line)?;
    let id = ProductId::new(scheme, &value)
        .map_err(|error| fields.refuse("value", fields.codes().value, error.to_string()))?;
    fields.finish()?;
    Ok(id)
}

fn compared_name(value: &str) -> Option<String> {
    Some(normalise(value)).filter(|name| !name.is_empty() && value.chars().all(is_comparable))
}

/// White space trimmed and collapsed, case kept.
fn case_kept(value: &str) -> Option<String> {
    let words: Vec<&str> = value.split_whitespace().collect();
    Some(words.join(" ")).filter(|text| !text.is_empty() && value.chars().all(is_comparable))
}

/// Fourteen digits; the last one makes the sum, weighted 3 and 1 from the right, a multiple of ten.
fn gtin(value: &str) -> Option<String> {
    if ![8, 12, 13, 14].contains(&value.len()) || !value.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = value.bytes().rev().map(|b| u32::from(b - b'0'));
    let sum: u32 = digits.enumerate().map(|(place, digit)| if place % 2 == 1 { 3 * digit } else { digit }).sum();
    sum.is_multiple_of(10).then(|| format!("{value:0>14}"))
}

/// Scheme and host in lower case, the rest as it is.
fn web_uri(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(host_end);
    let is_web = (scheme == "https" || scheme == "http") && !host.is_empty() && text::is_absolute_uri(value);
    is_web.then(|| format!("{scheme}://{}{path}", host.to_ascii_lowercase()))
}

/// Scheme and type in lower case, slashes after the scheme dropped, the rest as it is.
fn purl(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once(':')?;
    let rest = rest.trim_start_matches('/');
    let (kind, name) = rest.split_once('/')?;
    let kind_ok = kind.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b".-+".contains(&b));
    let is_purl = scheme.eq_ignore_ascii_case("pkg") && kind_ok && !name.is_empty() && text::is_absolute_uri(value);
    is_purl.then(|| format!("pkg:{}/{name}", kind.to_ascii_lowercase()))
}

/// Lower case; colons after a backslash do not part.
fn cpe23(value: &str) -> Option<String> {
    const PARTS: usize = 11;
    let lower = value.to_ascii_lowercase();
    let rest = lower.strip_prefix("cpe:2.3:")?;
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in rest.chars() {
        match c {
            ':' if !escaped => parts.push(String::new()),
            c => parts.last_mut()?.push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    let kind_ok = ["a", "h", "o", "*", "-"].contains(&parts[0].as_str());
    let visible = rest.bytes().all(|b| b.is_ascii_graphic());
    (parts.len() == PARTS && kind_ok && visible && !escaped && parts.iter().all(|part| !part.is_empty()))
        .then_some(lower)
}

/// Hex digits in lower case, separators dropped.
fn oui(value: &str) -> Option<String> {
    let digits: String = value.chars().filter(|c| !"-:.".contains(*c)).collect();
    let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    ([6, 7, 9].contains(&digits.len()) && is_hex).then(|| digits.to_ascii_lowercase())
}

/// Capital letters; hyphens stay, since they may belong to the product code.
fn fcc_id(value: &str) -> Option<String> {
    let allowed = value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let begins_well = value.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    ((4..=20).contains(&value.len()) && allowed && begins_well).then(|| value.to_ascii_uppercase())
}

/// Two 16-bit numbers in decimal.
fn zigbee(value: &str) -> Option<String> {
    let (maker, kind) = value.split_once(':')?;
    Some(format!("{}:{}", code16(maker)?, code16(kind)?))
}

/// A 16-bit number: canonical decimal, or `0x` and one to four hex digits.
fn code16(text: &str) -> Option<u16> {
    match text.strip_prefix("0x") {
        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) && hex.len() <= 4 => u16::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None => crate::num::parse_decimal(text).ok().and_then(|n| u16::try_from(n).ok()),
    }
}

/// Two serial numbers as they are.
fn serial_range(value: &str) -> Option<String> {
    let (first, last) = value.split_once("..")?;
    let serial = |part: &str| !part.is_empty() && !part.contains("..") && part.bytes().all(|b| b.is_ascii_graphic());
    let parted = !first.ends_with('.') && !last.starts_with('.');
    (serial(first) && serial(last) && parted).then(|| value.to_owned())
}

fn eol_slug(value: &str) -> Option<String> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._+/-".contains(&b);
    (!value.is_empty() && value.bytes().all(allowed)).then(|| value.to_owned())
}

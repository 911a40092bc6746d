//! The kinds of text in claims, each with its one reader.
//!
//! | kind | rule |
//! |---|---|
//! | free text | 1–200 characters, no control characters save tab and line feed |
//! | line | 1–2,048 bytes, no control characters, not only white space: names, ids, versions, kept verbatim |
//! | name | a line that is compared: assigned, visible characters only |
//! | token | 1–64 bytes of lower-case letters, digits, `_`, `.`, `-`, beginning with a letter or digit |
//! | URI | 1–2,048 bytes, an absolute URI in the characters of RFC 3986 |

use super::date::{DateText, Instant};
use super::id::ClaimId;
use super::limits::{FREE_TEXT_CHARS, TEXT_BYTES, TOKEN_BYTES};
use super::names::{IssuerId, Origin};
use super::normal::{is_comparable, normalise};
use crate::code::{Code, Refused};
use crate::ed25519::PublicKey;
use crate::hash::Hash;
use crate::json::{Item, Place, Text, element};

/// Free text.
pub(super) fn free(item: Item) -> Result<String, Refused> {
    let text = item.text()?;
    if text.as_str().chars().count() > FREE_TEXT_CHARS {
        let message =
            format!("free text of more than {FREE_TEXT_CHARS} characters; put it into a document in \"docs\"");
        return Err(text.refuse(text.codes().too_long, message));
    }
    visible(text, |c| c.is_control() && c != '\n' && c != '\t')
}

/// A line.
pub(super) fn line(item: Item) -> Result<String, Refused> {
    visible(short(item.text()?, TEXT_BYTES)?, char::is_control)
}

/// A line that is compared, such as a model.
pub(super) fn name(item: Item) -> Result<String, Refused> {
    let text = short(item.text()?, TEXT_BYTES)?;
    if normalise(text.as_str()).is_empty() {
        return Err(text.bad("an empty text; leave the member out or fill it"));
    }
    visible(text, |c| !is_comparable(c))
}

/// A token.
pub(super) fn token(item: Item) -> Result<String, Refused> {
    let text = short(item.text()?, TOKEN_BYTES)?;
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b);
    let begins_well = text.as_str().bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if !begins_well || !text.as_str().bytes().all(allowed) {
        return Err(text.bad("expected a token: lower-case letters, digits, '_', '.', '-'"));
    }
    Ok(text.into_string())
}

/// An absolute URI.
pub(super) fn uri(item: Item) -> Result<String, Refused> {
    let text = short(item.text()?, TEXT_BYTES)?;
    if !is_absolute_uri(text.as_str()) {
        return Err(text.bad("expected an absolute URI such as https://acme.example/policy (RFC 3986, ASCII only)"));
    }
    Ok(text.into_string())
}

/// Whether the text is an absolute URI by the characters RFC 3986 allows: a scheme (§3.1), a colon, at least one
/// character after it, `%` only before two hex digits (§2.1), `#` at most once. What a scheme makes of the rest is not
/// judged.
pub(super) fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme_allowed = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    let scheme_ok =
        scheme.bytes().next().is_some_and(|b| b.is_ascii_alphabetic()) && scheme.bytes().all(scheme_allowed);
    let rest_allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b);
    let bytes = rest.as_bytes();
    let escapes_ok = (0..bytes.len()).filter(|i| bytes[*i] == b'%').all(|i| {
        bytes.get(i + 1).is_some_and(u8::is_ascii_hexdigit) && bytes.get(i + 2).is_some_and(u8::is_ascii_hexdigit)
    });
    let fragments = bytes.iter().filter(|b| **b == b'#').count();
    scheme_ok && !rest.is_empty() && bytes.iter().all(|b| rest_allowed(*b)) && escapes_ok && fragments <= 1
}

/// A month, a day or a moment.
pub(super) fn date(item: Item) -> Result<DateText, Refused> {
    let text = item.text()?;
    DateText::parse(text.as_str()).map_err(|_| bad_date(&text, "YYYY-MM, YYYY-MM-DD or RFC 3339"))
}

/// A month or a day.
pub(super) fn day(item: Item) -> Result<DateText, Refused> {
    let text = item.text()?;
    let date = DateText::parse(text.as_str()).ok().filter(|date| date.precision() != super::date::Precision::Instant);
    date.ok_or_else(|| bad_date(&text, "YYYY-MM or YYYY-MM-DD"))
}

/// A moment.
pub(super) fn instant(item: Item) -> Result<Instant, Refused> {
    let text = item.text()?;
    Instant::parse(text.as_str()).map_err(|_| bad_date(&text, "RFC 3339, such as 2027-02-01T12:00:00Z"))
}

pub(super) fn bad_date(text: &Text, forms: &str) -> Refused {
    text.refuse(text.codes().date, format!("expected a date: {forms}; years 1970 to 9999, no leap second"))
}

/// A SHA-256 digest in hex.
pub(super) fn sha256(item: Item) -> Result<Hash, Refused> {
    let text = item.text()?;
    Hash::from_hex(text.as_str()).map_err(|_| text.bad("expected a SHA-256 digest: 64 lower-case hex digits"))
}

/// A root hash in base64, as checkpoints carry it.
pub(super) fn root(item: Item) -> Result<Hash, Refused> {
    let text = item.text()?;
    Hash::from_base64(text.as_str())
        .map_err(|_| text.bad("expected a root hash: base64 of 32 bytes, as in a checkpoint"))
}

/// An issuer id.
pub(super) fn issuer_id(item: Item) -> Result<IssuerId, Refused> {
    item.text()?.parsed(IssuerId::parse)
}

/// A log's origin.
pub(super) fn origin(item: Item) -> Result<Origin, Refused> {
    item.text()?.parsed(Origin::parse)
}

/// A claim id.
pub(super) fn claim_id(item: Item) -> Result<ClaimId, Refused> {
    item.text()?.parsed(ClaimId::parse)
}

/// Two capital letters: an ISO 3166-1 alpha-2 code, or another in use such as `EU` and `UK`.
pub(super) fn country(item: Item) -> Result<String, Refused> {
    let text = item.text()?;
    if text.as_str().len() != 2 || !text.as_str().bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(text.bad("expected two capital letters such as DE or EU"));
    }
    Ok(text.into_string())
}

/// A public key as base64 of its DER SubjectPublicKeyInfo; weak and malformed keys are refused as `key.weak`.
pub(super) fn spki(item: Item) -> Result<(Vec<u8>, PublicKey), Refused> {
    let text = item.text()?;
    let der = crate::b64::decode(text.as_str())
        .map_err(|_| text.bad("expected padded base64 of the key's DER SubjectPublicKeyInfo"))?;
    let key =
        PublicKey::from_spki(&der).map_err(|error| text.refuse(Code::KeyWeak, format!("{error}; make another key")))?;
    Ok((der, key))
}

/// The one algorithm of rules version 1.
pub(super) fn algorithm(item: Item) -> Result<(), Refused> {
    item.text()?.choice(&[("ed25519", ())])
}

/// Refuses the first item that equals an earlier one; `pointer` is the array's.
pub(super) fn no_twins<T: PartialEq>(items: &[T], object: &Place, name: &str) -> Result<(), Refused> {
    match (1..items.len()).find(|i| items[..*i].contains(&items[*i])) {
        Some(index) => {
            let place = element(&object.child(name), index);
            Err(Refused::at(Code::ClaimValue, place, "this item stands in the list already"))
        }
        None => Ok(()),
    }
}

fn short(text: Text, max_bytes: usize) -> Result<Text, Refused> {
    if text.as_str().len() > max_bytes {
        return Err(text.refuse(text.codes().too_long, format!("a text of more than {max_bytes} bytes")));
    }
    Ok(text)
}

fn visible(text: Text, forbidden: impl Fn(char) -> bool) -> Result<String, Refused> {
    if text.as_str().trim().is_empty() {
        return Err(text.bad("an empty text; leave the member out or fill it"));
    }
    if let Some(c) = text.as_str().chars().find(|c| forbidden(*c)) {
        return Err(text.bad(format!("the character U+{:04X} is not allowed here", u32::from(c))));
    }
    Ok(text.into_string())
}

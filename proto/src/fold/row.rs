//! Rows: what readers scan in order. The fold writes them and never reads them.
//!
//! A row key is a kind byte, the parts of its name each ended by a zero byte, and, where the row is one of a list, the
//! leaf index as eight big-endian bytes. Names hold no zero byte, so the rows of one name are one range.
//!
//! | kind | name | list | value |
//! |---|---|---|---|
//! | `t` | manufacturer, model | by index | [`TrailItem`]: a claim about this product |
//! | `i` | issuer | by index | [`TrailItem`]: a claim by this issuer |
//! | `y` | type | by index | nothing: a claim of this type |
//! | `p` | manufacturer, model | | [`ProductItem`] |
//! | `r` | issuer | | [`IssuerItem`] |
//! | `x` | scheme, value | by index | nothing: a claim that names this id |

use minicbor::{Decode, Encode};

use super::{IssuerRecord, State, Step, record};
use crate::claim::{Body, ClaimId};
use crate::hash::Hash;
use crate::num::{LeafIndex, Millis};

/// What a reader needs of a claim to list it and to say what is current, without the entry.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct TrailItem {
    /// Milliseconds since 1970, given by the log.
    #[n(0)]
    pub timestamp: u64,
    /// The claim's id.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub id: [u8; 32],
    /// Its type.
    #[n(2)]
    pub claim_type: String,
    /// What it does to its target.
    #[n(3)]
    pub rel: String,
    /// Who made it.
    #[n(4)]
    pub issuer: String,
    /// In which role.
    #[n(5)]
    pub role: String,
    /// Its slot, by the index of the slot's first entry.
    #[n(6)]
    pub slot: Option<u64>,
    /// The slot's key: the version of a release, the units of a support period and so on.
    #[n(7)]
    pub slot_key: Option<String>,
    /// The claim it is about.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub target: Option<[u8; 32]>,
    /// Whether public data are replayed under its issuer's name.
    #[n(9)]
    pub replay: bool,
}

impl TrailItem {
    /// The item of the step's claim, as if it were in no slot and about no other claim.
    fn outside_slots<S: State>(step: &Step<'_, S>, replay: bool) -> TrailItem {
        let claim = step.checked.claim();
        TrailItem {
            timestamp: step.timestamp.0,
            id: step.checked.id().0.0,
            claim_type: claim.claim_type.as_str().to_owned(),
            rel: claim.rel.kind.as_str().to_owned(),
            issuer: claim.issuer.as_str().to_owned(),
            role: claim.role.as_str().to_owned(),
            slot: None,
            slot_key: None,
            target: None,
            replay,
        }
    }

    /// The claim's id.
    pub fn claim_id(&self) -> ClaimId {
        ClaimId(Hash(self.id))
    }

    /// The log's time.
    pub fn time(&self) -> Millis {
        Millis(self.timestamp)
    }

    /// Reads the value of a `t` or `i` row.
    pub fn decode(bytes: &[u8]) -> Option<TrailItem> {
        minicbor::decode(bytes).ok()
    }
}

/// A product as its first claim spelled it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ProductItem {
    /// Issuer id of the maker, or `name:…`.
    #[n(0)]
    pub manufacturer: String,
    /// The model, not normalised.
    #[n(1)]
    pub model: String,
    /// The maker's name as given.
    #[n(2)]
    pub manufacturer_name: Option<String>,
    /// The model's name as given.
    #[n(3)]
    pub model_name: Option<String>,
}

impl ProductItem {
    /// Reads the value of a `p` row.
    pub fn decode(bytes: &[u8]) -> Option<ProductItem> {
        minicbor::decode(bytes).ok()
    }
}

/// An issuer in the list of issuers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct IssuerItem {
    /// Name in law, as last given.
    #[n(0)]
    pub legal_name: String,
    /// Its roles.
    #[n(1)]
    pub roles: Vec<String>,
    /// Whether public data are replayed under this name.
    #[n(2)]
    pub replay: bool,
}

impl IssuerItem {
    /// Reads the value of an `r` row.
    pub fn decode(bytes: &[u8]) -> Option<IssuerItem> {
        minicbor::decode(bytes).ok()
    }
}

/// The beginning that the rows of one name share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPrefix(Vec<u8>);

impl RowPrefix {
    fn new(kind: u8, parts: &[&str]) -> RowPrefix {
        let mut bytes = vec![kind];
        for part in parts {
            bytes.extend_from_slice(part.as_bytes());
            bytes.push(0);
        }
        RowPrefix(bytes)
    }

    /// Claims about a product.
    pub fn trail(manufacturer: &str, model: &str) -> RowPrefix {
        RowPrefix::new(b't', &[manufacturer, model])
    }

    /// Claims by an issuer.
    pub fn by_issuer(issuer: &str) -> RowPrefix {
        RowPrefix::new(b'i', &[issuer])
    }

    /// Claims of a type.
    pub fn by_type(claim_type: &str) -> RowPrefix {
        RowPrefix::new(b'y', &[claim_type])
    }

    /// All products.
    pub fn products() -> RowPrefix {
        RowPrefix::new(b'p', &[])
    }

    /// The products of a maker.
    pub fn products_of(manufacturer: &str) -> RowPrefix {
        RowPrefix::new(b'p', &[manufacturer])
    }

    /// One product's row.
    pub fn product(manufacturer: &str, model: &str) -> RowPrefix {
        RowPrefix::new(b'p', &[manufacturer, model])
    }

    /// All issuers.
    pub fn issuers() -> RowPrefix {
        RowPrefix::new(b'r', &[])
    }

    /// One issuer's row.
    pub fn issuer(issuer: &str) -> RowPrefix {
        RowPrefix::new(b'r', &[issuer])
    }

    /// Claims that name an id.
    pub fn id(scheme: &str, value: &str) -> RowPrefix {
        RowPrefix::new(b'x', &[scheme, value])
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The row of the claim at `index` in this list.
    pub fn at(&self, index: LeafIndex) -> Vec<u8> {
        [self.0.as_slice(), &index.0.to_be_bytes()].concat()
    }

    /// The leaf index at the end of a key of this list.
    pub fn index_of(&self, key: &[u8]) -> Option<LeafIndex> {
        let bytes = key.strip_prefix(self.0.as_slice())?;
        Some(LeafIndex(u64::from_be_bytes(bytes.try_into().ok()?)))
    }

    /// The name's parts in a key that begins with this prefix.
    pub fn parts_of<'a>(&self, key: &'a [u8]) -> Option<Vec<&'a str>> {
        let rest = std::str::from_utf8(key.get(1..)?).ok()?;
        Some(rest.split_terminator('\0').collect())
    }
}

/// The rows of a claim about a product, or of another party's type. `slot` is the slot's number and whether it is new.
pub(super) fn write<S: State>(step: &mut Step<'_, S>, slot: Option<(u64, bool)>, issuer: &IssuerRecord) {
    let claim = step.checked.claim();
    let item = record::encode(&TrailItem {
        slot: slot.map(|(first, _)| first),
        slot_key: claim.slot_key(),
        target: claim.rel.target.as_ref().map(|target| target.id.0.0),
        ..TrailItem::outside_slots(step, issuer.replay)
    });
    let index = step.index;
    if let Some((product, subject)) = step.checked.submission().product().zip(claim.subject.as_ref()) {
        step.changes.row(RowPrefix::trail(&product.manufacturer, &product.model_normalised).at(index), item.clone());
        if slot.is_some_and(|(_, is_new)| is_new) {
            let shown = ProductItem {
                manufacturer: subject.manufacturer.to_string(),
                model: subject.model.clone(),
                manufacturer_name: subject.manufacturer_name.clone(),
                model_name: subject.model_name.clone(),
            };
            let key = RowPrefix::product(&product.manufacturer, &product.model_normalised);
            step.changes.row(key.as_bytes().to_vec(), record::encode(&shown));
        }
        for id in &subject.ids {
            step.changes.row(RowPrefix::id(id.scheme.as_str(), &id.normalised).at(index), Vec::new());
        }
    }
    if let Body::Vulnerability(body) = &claim.body {
        for id in &body.ids {
            step.changes.row(RowPrefix::id(VULNERABILITY_SCHEME, id).at(index), Vec::new());
        }
    }
    write_lists(step, item);
}

/// The rows that every claim has: in the list of its issuer's, and in the list of its type's.
fn write_lists<S: State>(step: &mut Step<'_, S>, item: Vec<u8>) {
    let claim = step.checked.claim();
    step.changes.row(RowPrefix::by_issuer(claim.issuer.as_str()).at(step.index), item);
    step.changes.row(RowPrefix::by_type(claim.claim_type.as_str()).at(step.index), Vec::new());
}

/// The scheme under which vulnerability ids (CVE and others) are found.
pub const VULNERABILITY_SCHEME: &str = "vulnerability";

/// The rows of a registry claim.
pub(super) fn write_issuer<S: State>(step: &mut Step<'_, S>, issuer: &IssuerRecord) {
    let id = step.checked.claim().issuer.as_str();
    let shown =
        IssuerItem { legal_name: issuer.legal_name.clone(), roles: issuer.roles.clone(), replay: issuer.replay };
    let key = RowPrefix::new(b'r', &[id]).as_bytes().to_vec();
    step.changes.row(key, record::encode(&shown));
    write_registry_item(step, issuer.replay);
}

/// The row of a `log/v1` claim.
pub(super) fn write_constitution<S: State>(step: &mut Step<'_, S>) {
    write_registry_item(step, false);
}

fn write_registry_item<S: State>(step: &mut Step<'_, S>, replay: bool) {
    let item = record::encode(&TrailItem::outside_slots(step, replay));
    write_lists(step, item);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_a_name_are_one_range() {
        let prefix = RowPrefix::trail("acme.example", "cam 3");
        let key = prefix.at(LeafIndex(258));
        assert_eq!(prefix.index_of(&key), Some(LeafIndex(258)));
        assert!(!RowPrefix::trail("acme.example", "cam 30").at(LeafIndex(0)).starts_with(prefix.as_bytes()));
        let product = RowPrefix::product("acme.example", "cam 3");
        assert_eq!(RowPrefix::products().parts_of(product.as_bytes()), Some(vec!["acme.example", "cam 3"]));
    }
}

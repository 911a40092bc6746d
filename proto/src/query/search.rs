//! Finding claims and products.

use std::ops::ControlFlow;

use super::claim::{Logged, at, without_standing};
use super::standing::Standings;
use super::trail::{MAX_SCANNED_ROWS, TrailFilter, listed, product_at};
use super::{Direction, MAX_PAGE_BYTES, Page, QueryError, Reader, Result, Room};
use crate::claim::{ProductKey, Scheme};
use crate::fold::{ProductItem, RowPrefix, TrailItem, VULNERABILITY_SCHEME};
use crate::num::{LeafIndex, TreeSize};

/// Entries that one page reads for a filter at most, where no row tells what it says: some tens of milliseconds.
pub const MAX_READ_ENTRIES: usize = 1_000;

/// The name of something, in the form in which it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundId {
    scheme: String,
    normalised: String,
}

impl FoundId {
    /// Reads `scheme:value`: a scheme of product ids, or `vulnerability` for CVE and other vulnerability ids. `None` when
    /// the scheme is unknown or the value is none of it.
    pub fn parse(text: &str) -> Option<FoundId> {
        let (scheme, value) = text.split_once(':')?;
        if scheme == VULNERABILITY_SCHEME {
            let plain = !value.is_empty() && !value.contains('\0');
            return plain.then(|| FoundId { scheme: scheme.to_owned(), normalised: value.to_owned() });
        }
        let normalised = Scheme::parse(scheme)?.normalise(value).ok()?;
        Some(FoundId { scheme: scheme.to_owned(), normalised })
    }
}

/// Where to look for claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Among those that name an id.
    Id(FoundId),
    /// Among those of an issuer.
    Issuer(String),
    /// Among those of a type.
    Type(String),
}

impl Source {
    fn prefix(&self) -> RowPrefix {
        match self {
            Source::Id(id) => RowPrefix::id(&id.scheme, &id.normalised),
            Source::Issuer(issuer) => RowPrefix::by_issuer(issuer),
            Source::Type(claim_type) => RowPrefix::by_type(claim_type),
        }
    }
}

/// Claims from a source that fit the filter, ascending from index `from`, at most `limit`, in the tree of `size` entries.
pub fn claims<R: Reader>(
    reader: &R,
    source: &Source,
    filter: &TrailFilter,
    size: TreeSize,
    from: u64,
    limit: usize,
) -> Result<Page<Logged, u64>, R> {
    let candidates = match source {
        // Their rows tell what is asked for; of the others, entries do.
        Source::Issuer(_) => listed(reader, &source.prefix(), size, LeafIndex(from), limit, &mut |value| {
            TrailItem::decode(value).map(|item| filter.fits(&item))
        })?,
        Source::Id(_) | Source::Type(_) => {
            listed(reader, &source.prefix(), size, LeafIndex(from), MAX_READ_ENTRIES, &mut |_| Some(true))?
        }
    };
    let mut page = Page { items: Vec::new(), next: candidates.next };
    let (mut room, mut standings) = (Room(MAX_PAGE_BYTES), Standings::at(size));
    for index in candidates.items {
        if page.items.len() == limit || room.is_used_up() {
            page.next = Some(index.0);
            break;
        }
        let mut logged = without_standing(reader, index)?;
        let issuer_fits = filter.issuer.as_ref().is_none_or(|issuer| issuer == logged.claim.issuer.as_str());
        let type_fits = filter.claim_type.as_ref().is_none_or(|wanted| wanted == logged.claim.claim_type.as_str());
        if issuer_fits && type_fits {
            logged.standing = standings.of(reader, &logged.id)?;
            room.take(&logged);
            page.items.push(logged);
        }
    }
    Ok(page)
}

/// All claims from index `from` on, at most `limit`, in the tree of `size` entries; `next` is `size` at the end.
pub fn changes<R: Reader>(reader: &R, size: TreeSize, from: u64, limit: usize) -> Result<(Vec<Logged>, u64), R> {
    let end = from.saturating_add(limit as u64).min(size.0);
    let (mut room, mut standings) = (Room(MAX_PAGE_BYTES), Standings::at(size));
    let mut items = Vec::new();
    for index in from..end {
        if room.is_used_up() {
            return Ok((items, index));
        }
        let logged = at(reader, LeafIndex(index), &mut standings)?;
        room.take(&logged);
        items.push(logged);
    }
    Ok((items, end))
}

/// Products that claims from a source are about, each once in a page. A product may come again in a later page.
pub fn products_of<R: Reader>(
    reader: &R,
    source: &Source,
    size: TreeSize,
    from: u64,
    limit: usize,
) -> Result<Page<(ProductKey, ProductItem), u64>, R> {
    let candidates = listed(reader, &source.prefix(), size, LeafIndex(from), MAX_READ_ENTRIES, &mut |_| Some(true))?;
    let mut page: Page<(ProductKey, ProductItem), u64> = Page { items: Vec::new(), next: candidates.next };
    for index in candidates.items {
        if page.items.len() == limit {
            page.next = Some(index.0);
            break;
        }
        let Some(product) = without_standing(reader, index)?.claim.product() else { continue };
        if page.items.iter().any(|(known, _)| *known == product) {
            continue;
        }
        if let Some(shown) = product_at(reader, &product, size)? {
            page.items.push((product, shown));
        }
    }
    Ok(page)
}

/// Which products are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductFilter {
    /// Only those of this maker, in the form in which makers are compared.
    pub manufacturer: Option<String>,
    /// Only those whose model begins so, in the form in which models are compared; without a maker also those whose
    /// maker does.
    pub text: Option<String>,
}

/// All products that fit, by maker and model, at most `limit`; `after` is the key of the last row that was looked at.
pub fn products<R: Reader>(
    reader: &R,
    filter: &ProductFilter,
    size: TreeSize,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Page<(ProductKey, ProductItem), Vec<u8>>, R> {
    let prefix = match &filter.manufacturer {
        Some(manufacturer) => RowPrefix::products_of(manufacturer),
        None => RowPrefix::products(),
    };
    let mut start = prefix.as_bytes().to_vec();
    if let (Some(_), Some(text)) = (&filter.manufacturer, &filter.text) {
        start.extend_from_slice(text.as_bytes()); // models of one maker that begin so are one range
    }
    let after = after.filter(|after| after.starts_with(&start));
    let mut found: Vec<(ProductKey, ProductItem)> = Vec::new();
    let (mut last, mut more, mut corrupt, mut rows) = (Vec::new(), false, false, 0);
    let scanned = reader.scan(&start, after, Direction::Forward, &mut |key, value| {
        if found.len() == limit || rows == MAX_SCANNED_ROWS {
            more = true;
            return ControlFlow::Break(());
        }
        rows += 1;
        last = key.to_vec();
        match (product_key(&prefix, key), ProductItem::decode(value)) {
            (Some(product), Some(item)) => {
                if text_fits(filter, &product) {
                    found.push((product, item));
                }
                ControlFlow::Continue(())
            }
            _ => {
                corrupt = true;
                ControlFlow::Break(())
            }
        }
    });
    scanned.map_err(QueryError::Read)?;
    if corrupt {
        return Err(QueryError::Corrupt(format!("the row {}", hex::encode(&last))));
    }
    let mut items = Vec::with_capacity(found.len());
    for (product, item) in found {
        if product_at(reader, &product, size)?.is_some() {
            items.push((product, item));
        }
    }
    Ok(Page { items, next: more.then_some(last) })
}

fn product_key(prefix: &RowPrefix, key: &[u8]) -> Option<ProductKey> {
    match prefix.parts_of(key)?.as_slice() {
        [manufacturer, model] => {
            Some(ProductKey { manufacturer: (*manufacturer).to_owned(), model_normalised: (*model).to_owned() })
        }
        _ => None,
    }
}

fn text_fits(filter: &ProductFilter, product: &ProductKey) -> bool {
    let Some(text) = &filter.text else { return true };
    let maker = || product.manufacturer.strip_prefix("name:").unwrap_or(&product.manufacturer).starts_with(text);
    product.model_normalised.starts_with(text) || (filter.manufacturer.is_none() && maker())
}

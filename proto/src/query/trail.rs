//! Everything that is said about one product: what is current, and the whole history.

use std::ops::ControlFlow;

use super::claim::{Logged, without_standing};
use super::standing::Slots;
use super::{Direction, MAX_PAGE_BYTES, QueryError, Reader, Result, Room};
use crate::claim::ProductKey;
use crate::fold::{ProductItem, RowPrefix, TrailItem};
use crate::num::{LeafIndex, TreeSize};

/// Rows that one page looks at for a filter: a filter that fits nothing must not read a whole trail at once.
pub const MAX_SCANNED_ROWS: usize = 10_000;

/// Bytes of entries in each of a trail's two lists: together they make a page.
const MAX_LIST_BYTES: usize = MAX_PAGE_BYTES / 2;

/// Which claims of a product are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrailFilter {
    /// Only those of this issuer.
    pub issuer: Option<String>,
    /// Only those of this type.
    pub claim_type: Option<String>,
}

impl TrailFilter {
    /// Whether a row is asked for.
    pub fn fits(&self, item: &TrailItem) -> bool {
        self.issuer.as_ref().is_none_or(|issuer| *issuer == item.issuer)
            && self.claim_type.as_ref().is_none_or(|wanted| *wanted == item.claim_type)
    }
}

/// How far a reader has come with both lists. Everything before is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrailPlace {
    /// Current claims below this index are still to come; `None`: all were shown.
    pub current_below: Option<u64>,
    /// History from this index on is still to come; `None`: all was shown.
    pub history_from: Option<u64>,
}

impl TrailPlace {
    /// Both lists from their beginning.
    pub const START: TrailPlace = TrailPlace { current_below: Some(u64::MAX), history_from: Some(0) };
}

/// A part of a product's trail.
#[derive(Debug)]
pub struct Trail {
    /// The product as it was last spelled.
    pub product: ProductItem,
    /// Whether `current` could be told; not for products with more claims than are folded at once.
    pub current_complete: bool,
    /// What is current, newest first.
    pub current: Vec<Logged>,
    /// All claims, oldest first.
    pub history: Vec<Logged>,
    /// Where to go on.
    pub next: Option<TrailPlace>,
}

/// At most `limit` current claims and `limit` of the history of a product in the tree of `size` entries; `None` when
/// nothing was said about it.
pub fn trail<R: Reader>(
    reader: &R,
    product: &ProductKey,
    size: TreeSize,
    filter: &TrailFilter,
    place: TrailPlace,
    limit: usize,
) -> Result<Option<Trail>, R> {
    let Some(shown) = product_at(reader, product, size)? else { return Ok(None) };
    let slots = Slots::at(reader, product, size)?;
    let (current, current_below) = match (&slots, place.current_below) {
        (Some(slots), Some(below)) => current(reader, product, slots, filter, below, limit)?,
        _ => (Vec::new(), None),
    };
    let (history, history_from) = match place.history_from {
        Some(from) => history(reader, product, size, filter, LeafIndex(from), limit)?,
        None => (Vec::new(), None),
    };
    let with_standing = |mut logged: Logged| {
        logged.standing = slots.as_ref().and_then(|slots| slots.standing(&logged.id));
        logged
    };
    let next = TrailPlace { current_below, history_from };
    let more = next.current_below.is_some() || next.history_from.is_some();
    Ok(Some(Trail {
        product: shown,
        current_complete: slots.is_some(),
        current: current.into_iter().map(with_standing).collect(),
        history: history.into_iter().map(with_standing).collect(),
        next: more.then_some(next),
    }))
}

/// The product's row, if some claim below `size` is about it.
pub fn product_at<R: Reader>(reader: &R, product: &ProductKey, size: TreeSize) -> Result<Option<ProductItem>, R> {
    let prefix = RowPrefix::trail(&product.manufacturer, &product.model_normalised);
    let mut first = None;
    let scanned = reader.scan(prefix.as_bytes(), None, Direction::Forward, &mut |key, _| {
        first = prefix.index_of(key);
        ControlFlow::Break(())
    });
    scanned.map_err(QueryError::Read)?;
    if !first.is_some_and(|first| first.is_in(size)) {
        return Ok(None);
    }
    let key = RowPrefix::product(&product.manufacturer, &product.model_normalised);
    let mut row = None;
    let scanned = reader.scan(key.as_bytes(), None, Direction::Forward, &mut |found, value| {
        row = (found == key.as_bytes()).then(|| ProductItem::decode(value)).flatten();
        ControlFlow::Break(())
    });
    scanned.map_err(QueryError::Read)?;
    // A claim about another log's claim opens no slot, and only a new slot writes the product's row.
    Ok(Some(row.unwrap_or_else(|| ProductItem {
        manufacturer: product.manufacturer.clone(),
        model: product.model_normalised.clone(),
        manufacturer_name: None,
        model_name: None,
    })))
}

fn current<R: Reader>(
    reader: &R,
    product: &ProductKey,
    slots: &Slots,
    filter: &TrailFilter,
    below: u64,
    limit: usize,
) -> Result<(Vec<Logged>, Option<u64>), R> {
    let prefix = RowPrefix::trail(&product.manufacturer, &product.model_normalised);
    let (mut items, mut room) = (Vec::new(), Room(MAX_LIST_BYTES));
    for (looked, index) in slots.current().into_iter().filter(|index| index.0 < below).enumerate() {
        if items.len() == limit || looked == MAX_SCANNED_ROWS || room.is_used_up() {
            return Ok((items, Some(index.0 + 1)));
        }
        if fits(reader, &prefix.at(index), filter)? {
            let logged = without_standing(reader, index)?;
            room.take(&logged);
            items.push(logged);
        }
    }
    Ok((items, None))
}

fn fits<R: Reader>(reader: &R, key: &[u8], filter: &TrailFilter) -> Result<bool, R> {
    if *filter == TrailFilter::default() {
        return Ok(true);
    }
    let mut fits = false;
    let scanned = reader.scan(key, None, Direction::Forward, &mut |_, value| {
        fits = TrailItem::decode(value).is_some_and(|item| filter.fits(&item));
        ControlFlow::Break(())
    });
    scanned.map_err(QueryError::Read)?;
    Ok(fits)
}

fn history<R: Reader>(
    reader: &R,
    product: &ProductKey,
    size: TreeSize,
    filter: &TrailFilter,
    from: LeafIndex,
    limit: usize,
) -> Result<(Vec<Logged>, Option<u64>), R> {
    let prefix = RowPrefix::trail(&product.manufacturer, &product.model_normalised);
    let found = listed(reader, &prefix, size, from, limit, &mut |value| {
        TrailItem::decode(value).map(|item| filter.fits(&item))
    })?;
    let (mut items, mut room) = (Vec::new(), Room(MAX_LIST_BYTES));
    for index in found.items {
        if room.is_used_up() {
            return Ok((items, Some(index.0)));
        }
        let logged = without_standing(reader, index)?;
        room.take(&logged);
        items.push(logged);
    }
    Ok((items, found.next))
}

/// Indices of a list of claims from `from` on that fit, ascending. `fits` is given a row's value and says `None` when it
/// cannot be read.
pub(super) fn listed<R: Reader>(
    reader: &R,
    prefix: &RowPrefix,
    size: TreeSize,
    from: LeafIndex,
    limit: usize,
    fits: &mut dyn FnMut(&[u8]) -> Option<bool>,
) -> Result<super::Page<LeafIndex, u64>, R> {
    let after = from.0.checked_sub(1).map(|before| prefix.at(LeafIndex(before)));
    let (mut items, mut next, mut rows, mut corrupt) = (Vec::new(), None, 0, false);
    let scanned = reader.scan(prefix.as_bytes(), after.as_deref(), Direction::Forward, &mut |key, value| {
        let Some(index) = prefix.index_of(key) else {
            corrupt = true;
            return ControlFlow::Break(());
        };
        if !index.is_in(size) {
            return ControlFlow::Break(());
        }
        if items.len() == limit || rows == MAX_SCANNED_ROWS {
            next = Some(index.0);
            return ControlFlow::Break(());
        }
        rows += 1;
        match fits(value) {
            Some(true) => items.push(index),
            Some(false) => {}
            None => corrupt = true,
        }
        if corrupt { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    scanned.map_err(QueryError::Read)?;
    if corrupt {
        return Err(QueryError::Corrupt(format!("a row of the list {}", hex::encode(prefix.as_bytes()))));
    }
    Ok(super::Page { items, next })
}

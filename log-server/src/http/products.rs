//! Products: the list, one product's trail (now or as of some time), and finding claims and products by id or text.

use axum::extract::{Path, State};
use axum::response::Response;
use http::Uri;
use proto::claim::date::Precision;
use proto::claim::normal::normalise;
use proto::claim::{DateText, Instant, ProductKey};
use proto::code::Code;
use proto::fold::ProductItem;
use proto::num::{Millis, TreeSize};
use proto::query::search::{self, FoundId, ProductFilter, Source};
use proto::query::time::{size_at, size_before};
use proto::query::trail::{self, TrailFilter, TrailPlace};
use serde::Serialize;
use service::problem::Problem;

use super::app::{App, Cost, ReadError, View};
use super::cursor::{self, Cursor, Scope};
use super::json::{self, ClaimItem, Product};
use super::params::{Params, invalid};

/// The longest text to search for, in bytes: as long as a model may be.
const MAX_TEXT_BYTES: usize = 512;

#[derive(Serialize)]
struct List {
    size: TreeSize,
    items: Vec<Product>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Found {
    size: TreeSize,
    items: Vec<ClaimItem>,
    products: Vec<Product>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Trail {
    product: Product,
    size: TreeSize,
    current_complete: bool,
    current: Vec<ClaimItem>,
    history: Vec<ClaimItem>,
    next_cursor: Option<String>,
}

/// What a list of products is made from.
enum Products {
    /// The products themselves.
    Rows(ProductFilter),
    /// Those that some claims are about.
    Claims(Source),
}

/// `GET /v1/products`
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    let mut params = Params::parse(&uri)?;
    let (given, limit) = (params.take("cursor"), params.limit()?);
    let rows = ProductFilter { manufacturer: manufacturer(&mut params)?, text: text(&mut params, "q")? };
    let id = params.found_id()?;
    let issuer = params.trail_issuer()?;
    let scope = Scope::new(uri.path(), &params);
    params.finish()?;
    let products = match (rows, id, issuer) {
        (rows, None, None) => Products::Rows(rows),
        (rows, Some(id), None) if rows == ProductFilter::default() => Products::Claims(Source::Id(id)),
        (rows, None, Some(issuer)) if rows == ProductFilter::default() => Products::Claims(Source::Issuer(issuer)),
        _ => return Err(invalid("Ask for products by `manufacturer` and `q`, or by `id`, or by `issuer`.")),
    };
    let given = given.map(|text| scope.decode(&text)).transpose()?;
    let list = app.read(Cost::Scan, move |view| listed(view, &products, &scope, given.as_ref(), limit)).await?;
    Ok(json::dynamic(&list))
}

fn manufacturer(params: &mut Params) -> Result<Option<String>, Problem> {
    let Some(text) = params.take("manufacturer") else { return Ok(None) };
    // Any model will do: only the maker's key is used.
    let key = ProductKey::parse(&text, "x").filter(|_| text.len() <= MAX_TEXT_BYTES);
    match key {
        Some(key) => Ok(Some(key.manufacturer)),
        None => Err(invalid("`manufacturer` is an issuer id such as acme.example, or name: and a maker's name.")),
    }
}

fn text(params: &mut Params, name: &'static str) -> Result<Option<String>, Problem> {
    let Some(text) = params.take(name) else { return Ok(None) };
    if text.len() > MAX_TEXT_BYTES || text.contains('\0') {
        return Err(invalid(format!("`{name}` has at most {MAX_TEXT_BYTES} bytes, none of them zero.")));
    }
    Ok(Some(normalise(&text)))
}

fn listed(
    view: &View,
    products: &Products,
    scope: &Scope,
    given: Option<&Cursor>,
    limit: usize,
) -> Result<List, ReadError> {
    let size = given.map_or(Ok(view.size()), |given| given.bounded(view.size()))?;
    let (found, place) = match products {
        Products::Rows(filter) => {
            let after = given.map(|given| given.place.as_slice());
            let page = search::products(view, filter, size, after, limit)?;
            (page.items, page.next)
        }
        Products::Claims(source) => {
            let from = given.map_or(Ok(0), |given| cursor::number(&given.place))?;
            let page = search::products_of(view, source, size, from, limit)?;
            (page.items, page.next.map(|next| next.to_be_bytes().to_vec()))
        }
    };
    let next_cursor = place.map(|place| scope.encode(&Cursor { size, place }));
    Ok(List { size, items: to_products(found), next_cursor })
}

fn to_products(found: Vec<(ProductKey, ProductItem)>) -> Vec<Product> {
    found.into_iter().map(|(key, shown)| Product::new(key, shown)).collect()
}

/// What is looked for.
enum Wanted {
    Claims(Source, TrailFilter),
    Products(ProductFilter),
}

/// `GET /v1/find`
pub(super) async fn find(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    let mut params = Params::parse(&uri)?;
    let (given, limit) = (params.take("cursor"), params.limit()?);
    let (id, text, filter) = (params.found_id()?, text(&mut params, "text")?, params.trail_filter()?);
    let scope = Scope::new(uri.path(), &params);
    params.finish()?;
    let wanted = wanted(id, text, filter)?;
    let given = given.map(|text| scope.decode(&text)).transpose()?;
    let found = app.read(Cost::Scan, move |view| found(view, &wanted, &scope, given.as_ref(), limit)).await?;
    Ok(json::dynamic(&found))
}

fn wanted(id: Option<FoundId>, text: Option<String>, filter: TrailFilter) -> Result<Wanted, Problem> {
    match (id, text, filter) {
        (Some(id), None, filter) => Ok(Wanted::Claims(Source::Id(id), filter)),
        (None, Some(text), filter) if filter == TrailFilter::default() => {
            Ok(Wanted::Products(ProductFilter { manufacturer: None, text: Some(text) }))
        }
        (None, None, TrailFilter { issuer: Some(issuer), claim_type }) => {
            Ok(Wanted::Claims(Source::Issuer(issuer), TrailFilter { issuer: None, claim_type }))
        }
        (None, None, TrailFilter { issuer: None, claim_type: Some(claim_type) }) => {
            Ok(Wanted::Claims(Source::Type(claim_type), TrailFilter::default()))
        }
        _ => Err(invalid(
            "Find claims by `id`, `issuer` or `type` (`id` may be combined with the others, and `issuer` with `type`), \
             or products by `text` alone.",
        )),
    }
}

fn found(
    view: &View,
    wanted: &Wanted,
    scope: &Scope,
    given: Option<&Cursor>,
    limit: usize,
) -> Result<Found, ReadError> {
    let size = given.map_or(Ok(view.size()), |given| given.bounded(view.size()))?;
    let next_cursor = |place: Option<Vec<u8>>| place.map(|place| scope.encode(&Cursor { size, place }));
    match wanted {
        Wanted::Claims(source, filter) => {
            let from = given.map_or(Ok(0), |given| cursor::number(&given.place))?;
            let page = search::claims(view, source, filter, size, from, limit)?;
            let place = page.next.map(|next| next.to_be_bytes().to_vec());
            let items = ClaimItem::list(&page.items)?;
            Ok(Found { size, items, products: Vec::new(), next_cursor: next_cursor(place) })
        }
        Wanted::Products(filter) => {
            let after = given.map(|given| given.place.as_slice());
            let page = search::products(view, filter, size, after, limit)?;
            let products = to_products(page.items);
            Ok(Found { size, items: Vec::new(), products, next_cursor: next_cursor(page.next) })
        }
    }
}

/// Which tree is asked for.
#[derive(Clone, Copy)]
enum AsOf {
    Newest,
    Size(TreeSize),
    Before(Millis),
    At(Millis),
}

fn as_of(params: &mut Params) -> Result<AsOf, Problem> {
    // Years run from 1970 on; an offset can still lead before it, where no log was.
    let millis = |signed: i64| Millis(u64::try_from(signed).unwrap_or(0));
    match (params.take("as_of"), params.take("as_of_time"), params.number("as_of_size")?) {
        (None, None, None) => Ok(AsOf::Newest),
        (Some(day), None, None) => {
            let day = DateText::parse(&day).ok().filter(|day| day.precision() == Precision::Day);
            let day = day.ok_or_else(|| invalid("`as_of` is a day as YYYY-MM-DD; for a moment use `as_of_time`."))?;
            Ok(AsOf::Before(millis(day.last_instant().saturating_add(1))))
        }
        (None, Some(time), None) => {
            let message = "`as_of_time` is a moment as RFC 3339, such as 2027-02-01T00:00:00Z.";
            Ok(AsOf::At(millis(Instant::parse(&time).map_err(|_| invalid(message))?.millis())))
        }
        (None, None, Some(size)) => Ok(AsOf::Size(TreeSize(size))),
        _ => Err(invalid("Give one of `as_of`, `as_of_time` and `as_of_size`.")),
    }
}

fn size_of(view: &View, as_of: AsOf) -> Result<TreeSize, ReadError> {
    let shown = view.size();
    match as_of {
        AsOf::Newest => Ok(shown),
        AsOf::Size(size) if size > shown => {
            let detail = format!("The tree has {shown} entries now; `as_of_size` is beyond that.");
            Err(Problem::new(Code::RequestBeyondTree, detail).with("size", shown.0).into())
        }
        AsOf::Size(size) => Ok(size),
        AsOf::Before(time) => Ok(size_before(view, shown, time)?),
        AsOf::At(time) => Ok(size_at(view, shown, time)?),
    }
}

/// `GET /v1/products/{manufacturer}/{model}`
pub(super) async fn trail(
    State(app): State<App>,
    Path((manufacturer, model)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut params = Params::parse(&uri)?;
    let (given, limit) = (params.take("cursor"), params.limit()?);
    let (filter, as_of) = (params.trail_filter()?, as_of(&mut params)?);
    let message = "The manufacturer is an issuer id such as acme.example, or name: and a maker's name; the model is not \
                   empty. Both are percent-encoded.";
    let product = ProductKey::parse(&manufacturer, &model)
        .filter(|product| !product.manufacturer.contains('\0') && !product.model_normalised.contains('\0'))
        .ok_or_else(|| invalid(message))?;
    let path = format!("/v1/products/{}/{}", product.manufacturer, product.model_normalised);
    let scope = Scope::new(&path, &params);
    params.finish()?;
    let given = given.map(|text| scope.decode(&text)).transpose()?;
    let trail = app.read(Cost::Scan, move |view| {
        let (size, place) = match &given {
            Some(given) => (given.bounded(view.size())?, read_place(&given.place)?),
            None => (size_of(view, as_of)?, TrailPlace::START),
        };
        let found = trail::trail(view, &product, size, &filter, place, limit)?;
        let found = found.ok_or_else(|| nothing(&product, size))?;
        Ok(Trail {
            product: Product::new(product.clone(), found.product),
            size,
            current_complete: found.current_complete,
            current: ClaimItem::list(&found.current)?,
            history: ClaimItem::list(&found.history)?,
            next_cursor: found.next.map(|next| scope.encode(&Cursor { size, place: write_place(next) })),
        })
    });
    Ok(json::dynamic(&trail.await?))
}

fn nothing(product: &ProductKey, size: TreeSize) -> Problem {
    let ProductKey { manufacturer, model_normalised } = product;
    let detail =
        format!("No claim about {manufacturer} / {model_normalised} is among the first {size} entries of this log.");
    Problem::new(Code::RequestNotFound, detail).with("size", size.0)
}

/// Two numbers, each behind a byte that says whether it is there.
fn write_place(place: TrailPlace) -> Vec<u8> {
    let part = |value: Option<u64>| [&[u8::from(value.is_some())][..], &value.unwrap_or(0).to_be_bytes()].concat();
    [part(place.current_below), part(place.history_from)].concat()
}

fn read_place(bytes: &[u8]) -> Result<TrailPlace, Problem> {
    let part = |part: &[u8]| match part.split_first() {
        Some((1, number)) => cursor::number(number).map(Some),
        Some((0, _)) => Ok(None),
        _ => Err(invalid("The cursor is not one of this list.")),
    };
    let (current, history) = bytes.split_at_checked(9).unwrap_or_default();
    Ok(TrailPlace { current_below: part(current)?, history_from: part(history)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_back() {
        for place in [
            TrailPlace::START,
            TrailPlace { current_below: None, history_from: Some(7) },
            TrailPlace { current_below: Some(0), history_from: None },
        ] {
            assert_eq!(read_place(&write_place(place)).expect("reads back"), place);
        }
        assert!(read_place(&[]).is_err() && read_place(&[1; 17]).is_err() && read_place(&[2; 18]).is_err());
    }
}

//! Answers as JSON: the parts that several routes share.

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use proto::b64;
use proto::claim::ProductKey;
use proto::entry::{Links, SignatureBy};
use proto::fold::ProductItem;
use proto::num::{LeafIndex, Millis};
use proto::query::claim::Logged;
use proto::query::standing::Standing;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use service::problem::Problem;

/// What depends on the newest head: never kept by caches on the way.
pub(super) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// What never changes. A year is the longest that caches promise to understand.
pub(super) const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A JSON answer that depends on the newest head.
pub(super) fn dynamic(value: &impl Serialize) -> Response {
    answer(value, NO_STORE)
}

pub(super) fn answer(value: &impl Serialize, caching: HeaderValue) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => ([(CONTENT_TYPE, JSON), (CACHE_CONTROL, caching)], body).into_response(),
        Err(error) => Problem::internal(format_args!("an answer cannot be written: {error}")).into_response(),
    }
}

/// A claim in a list.
#[derive(Debug, Serialize)]
pub(super) struct ClaimItem {
    pub(super) index: LeafIndex,
    pub(super) timestamp: Millis,
    pub(super) claim_id: String,
    #[serde(rename = "type")]
    pub(super) claim_type: String,
    pub(super) rel: &'static str,
    pub(super) issuer: String,
    pub(super) role: &'static str,
    pub(super) replay: bool,
    pub(super) product: Option<Product>,
    pub(super) slot: Option<u64>,
    pub(super) slot_key: Option<String>,
    pub(super) target: Option<Target>,
    pub(super) status: Option<Status>,
    pub(super) asserted_at: String,
    pub(super) body: Box<RawValue>,
}

/// The claim that another one is about.
#[derive(Debug, Serialize)]
pub(super) struct Target {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Status {
    current: bool,
    head: bool,
    withdrawn: bool,
    contested: bool,
}

impl From<Standing> for Status {
    fn from(standing: Standing) -> Status {
        let Standing { current, head, withdrawn, contested } = standing;
        Status { current, head, withdrawn, contested }
    }
}

/// A product as answers name it: as spelled in a claim, and as it is compared.
#[derive(Debug, Serialize)]
pub(super) struct Product {
    pub(super) manufacturer: String,
    pub(super) model: String,
    pub(super) manufacturer_key: String,
    pub(super) model_key: String,
    pub(super) manufacturer_name: Option<String>,
    pub(super) model_name: Option<String>,
}

impl Product {
    pub(super) fn new(key: ProductKey, shown: ProductItem) -> Product {
        Product {
            manufacturer: shown.manufacturer,
            model: shown.model,
            manufacturer_key: key.manufacturer,
            model_key: key.model_normalised,
            manufacturer_name: shown.manufacturer_name,
            model_name: shown.model_name,
        }
    }
}

/// The three links of an entry.
#[derive(Debug, Serialize)]
pub(super) struct LinksJson {
    constitution: Option<LeafIndex>,
    registry: Option<LeafIndex>,
    previous: Option<LeafIndex>,
}

impl From<Links> for LinksJson {
    fn from(links: Links) -> LinksJson {
        LinksJson { constitution: links.constitution, registry: links.registry, previous: links.previous }
    }
}

/// A signature as envelopes carry it.
#[derive(Debug, Serialize)]
pub(super) struct SignatureJson {
    keyid: String,
    sig: String,
}

impl From<&SignatureBy> for SignatureJson {
    fn from(by: &SignatureBy) -> SignatureJson {
        SignatureJson { keyid: by.key_id.to_string(), sig: b64::encode(&by.signature.0) }
    }
}

/// The body of a payload, character for character: numbers and spellings stay as the issuer signed them.
#[derive(Deserialize)]
struct BodyOnly {
    body: Box<RawValue>,
}

impl ClaimItem {
    /// The item of a claim in the log.
    pub(super) fn new(logged: &Logged) -> Result<ClaimItem, Problem> {
        let claim = &logged.claim;
        let body: BodyOnly = serde_json::from_slice(&logged.entry.payload)
            .map_err(|error| Problem::internal(format_args!("entry {}: {error}", logged.index)))?;
        Ok(ClaimItem {
            index: logged.index,
            timestamp: logged.entry.timestamp,
            claim_id: logged.id.to_string(),
            claim_type: claim.claim_type.as_str().to_owned(),
            rel: claim.rel.kind.as_str(),
            issuer: claim.issuer.as_str().to_owned(),
            role: claim.role.as_str(),
            replay: logged.replay,
            product: product(logged),
            slot: logged.slot,
            slot_key: claim.slot_key(),
            target: claim.rel.target.as_ref().map(|target| Target {
                id: target.id.to_string(),
                origin: target.origin.as_ref().map(|origin| origin.as_str().to_owned()),
            }),
            status: logged.standing.map(Status::from),
            asserted_at: claim.asserted_at.as_str().to_owned(),
            body: body.body,
        })
    }

    pub(super) fn list(logged: &[Logged]) -> Result<Vec<ClaimItem>, Problem> {
        logged.iter().map(ClaimItem::new).collect()
    }
}

/// The product of a claim, as this claim spells it.
fn product(logged: &Logged) -> Option<Product> {
    let (key, subject) = logged.claim.product().zip(logged.claim.subject.as_ref())?;
    let shown = ProductItem {
        manufacturer: subject.manufacturer.to_string(),
        model: subject.model.clone(),
        manufacturer_name: subject.manufacturer_name.clone(),
        model_name: subject.model_name.clone(),
    };
    Some(Product::new(key, shown))
}

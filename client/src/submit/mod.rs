//! Submission: one envelope, or many in a stream that can be broken off and taken up again.
//!
//! The log answers a claim that it has already with its first receipt, so sending twice never makes two entries. A
//! journal of receipts makes it cheap: what has a receipt is not sent again.

mod answer;
mod journal;
mod reader;
mod receipts;
mod shown;
mod source;
mod stream;
mod summary;
#[cfg(test)]
mod tests;

pub use journal::{Journal, receipt_path};
pub use receipts::HeadCache;
pub use source::{Item, Source};
pub use stream::Bulk;
pub use summary::{Progress, Rejected, Summary};

use bytes::Bytes;
use proto::receipt::Receipt;

use crate::api::{Api, InTime};
use crate::error::Error;
use crate::trust::Trust;

/// Submits one envelope and checks the receipt under the reader's trust; also says whether the entry is new.
pub async fn submit_one(api: &Api, trust: &Trust, origin: &str, item: &Item) -> Result<(Receipt, bool), Error> {
    let (receipt, created) = api.submit(Bytes::from(item.envelope.to_json())).await?;
    HeadCache::new(trust, origin).check(item, &receipt)?;
    Ok((receipt, created))
}

/// The same, after a wait for a head that a quorum of witnesses cosigned.
pub async fn submit_witnessed(api: &Api, trust: &Trust, origin: &str, item: &Item) -> Result<(Receipt, InTime), Error> {
    let (receipt, in_time) = api.submit_witnessed(Bytes::from(item.envelope.to_json())).await?;
    HeadCache::new(trust, origin).check(item, &receipt)?;
    Ok((receipt, in_time))
}

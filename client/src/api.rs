//! The log's own endpoints under `/v1`, typed where the client works with the answer and plain JSON where it shows it.

use bytes::Bytes;
use proto::claim::ClaimId;
use proto::num::{LeafIndex, TreeSize};
use proto::receipt::{MAX_RECEIPT_BYTES, Receipt};
use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;
use crate::http::{ENVELOPE_TYPE, Http, encode_segment};

/// A checkpoint with many cosignatures stays below this.
pub const MAX_CHECKPOINT_BYTES: usize = 256 * 1024;
/// A page of claims with their payloads.
const MAX_PAGE_BYTES: usize = 64 * 1024 * 1024;

/// A page of 200 heads, each with a dozen of the longest cosignatures that are known.
const MAX_HEADS_BYTES: usize = 16 * 1024 * 1024;

/// A log, through its HTTP API.
#[derive(Debug, Clone)]
pub struct Api {
    http: Http,
}

/// The part of `/v1/log` that a first contact needs.
#[derive(Debug, Clone, Deserialize)]
pub struct LogInfo {
    /// The log's origin.
    pub origin: String,
    /// The key of its checkpoints.
    pub log_vkey: String,
    /// The key of its time.
    pub time_vkey: String,
}

/// Whether a quorum cosigned while the log waited for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InTime {
    /// It did.
    Yes {
        /// Whether the entry is new.
        created: bool,
    },
    /// It did not: the claim is in the log, the receipt is under the log's own head.
    No,
}

/// A head that the log published, from `/v1/heads`.
#[derive(Debug, Clone, Deserialize)]
pub struct PublishedHead {
    /// Its time, in seconds since 1970.
    pub time: u64,
    /// Its size.
    pub size: TreeSize,
    /// The signed note.
    pub checkpoint: String,
}

/// A part of the list of published heads.
#[derive(Debug, Clone, Deserialize)]
pub struct HeadsPage {
    /// The heads.
    pub heads: Vec<PublishedHead>,
    /// Where the next part begins, if there is one.
    pub next_cursor: Option<String>,
}

impl Api {
    /// The log behind this connection.
    pub fn new(http: Http) -> Api {
        Api { http }
    }

    /// The connection.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// The newest head, not verified.
    pub async fn checkpoint(&self) -> Result<Vec<u8>, Error> {
        Ok(self.http.get("/checkpoint", MAX_CHECKPOINT_BYTES).await?.body.to_vec())
    }

    /// What the log says of itself.
    pub async fn log(&self) -> Result<LogInfo, Error> {
        let value = self.json("/v1/log").await?;
        serde_json::from_value(value).map_err(|e| self.nonsense("/v1/log", &e))
    }

    /// Submits one envelope; also says whether the entry is new.
    pub async fn submit(&self, envelope: Bytes) -> Result<(Receipt, bool), Error> {
        let answer = self.http.post("/v1/claims", ENVELOPE_TYPE, envelope, MAX_RECEIPT_BYTES).await?;
        let receipt = Receipt::parse(&answer.body).map_err(|e| self.nonsense("/v1/claims", &e))?;
        Ok((receipt, answer.status == 201))
    }

    /// The same, after a wait for a head with a quorum of cosignatures. Whether one came in time is said beside the receipt;
    /// it is the log's word, and the reader's policy decides.
    pub async fn submit_witnessed(&self, envelope: Bytes) -> Result<(Receipt, InTime), Error> {
        let answer = self.http.post("/v1/claims?wait=witnessed", ENVELOPE_TYPE, envelope, MAX_RECEIPT_BYTES).await?;
        let receipt = Receipt::parse(&answer.body).map_err(|e| self.nonsense("/v1/claims", &e))?;
        let in_time = match answer.status {
            202 => InTime::No,
            status => InTime::Yes { created: status == 201 },
        };
        Ok((receipt, in_time))
    }

    /// A claim with its place and status.
    pub async fn claim(&self, id: &ClaimId) -> Result<Value, Error> {
        self.json(&format!("/v1/claims/{id}")).await
    }

    /// The receipt of a claim under the newest head.
    pub async fn receipt(&self, id: &ClaimId) -> Result<Receipt, Error> {
        let path = format!("/v1/claims/{id}/receipt");
        let answer = self.http.get(&path, MAX_RECEIPT_BYTES).await?;
        Receipt::parse(&answer.body).map_err(|e| self.nonsense(&path, &e))
    }

    /// An entry by its index.
    pub async fn entry(&self, index: LeafIndex) -> Result<Value, Error> {
        self.json(&format!("/v1/entries/{index}")).await
    }

    /// An issuer.
    pub async fn issuer(&self, id: &str) -> Result<Value, Error> {
        self.json(&format!("/v1/issuers/{}", encode_segment(id))).await
    }

    /// The trail of a product; `query` are the names and values of its parameters.
    pub async fn product(&self, manufacturer: &str, model: &str, query: &[(&str, String)]) -> Result<Value, Error> {
        let path = format!("/v1/products/{}/{}", encode_segment(manufacturer), encode_segment(model));
        self.json(&with_query(&path, query)).await
    }

    /// Claims and products by id, issuer, type or text.
    pub async fn find(&self, query: &[(&str, String)]) -> Result<Value, Error> {
        self.json(&with_query("/v1/find", query)).await
    }

    /// Heads that the log published, from the oldest to newer ones: those after this time, from a cursor of the list on.
    pub async fn heads_after(&self, after: u64, cursor: Option<&str>, limit: u32) -> Result<HeadsPage, Error> {
        let mut query = vec![("after", after.to_string()), ("limit", limit.to_string())];
        query.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
        let answer = self.http.get(&with_query("/v1/heads", &query), MAX_HEADS_BYTES).await?;
        serde_json::from_slice(&answer.body).map_err(|e| self.nonsense("/v1/heads", &e))
    }

    async fn json(&self, path: &str) -> Result<Value, Error> {
        let answer = self.http.get(path, MAX_PAGE_BYTES).await?;
        serde_json::from_slice(&answer.body).map_err(|e| self.nonsense(path, &e))
    }

    /// An answer that no log of ours gives.
    pub(crate) fn nonsense(&self, path: &str, error: &dyn std::fmt::Display) -> Error {
        let base = self.http.base();
        Error::unreachable(format!("{base}{path} does not answer as a Claimtrail log does: {error}; check the address"))
    }
}

/// A path with percent-encoded parameters.
fn with_query(path: &str, query: &[(&str, String)]) -> String {
    let mut out = path.to_owned();
    for (i, (name, value)) in query.iter().enumerate() {
        out.push(if i == 0 { '?' } else { '&' });
        out.push_str(&format!("{name}={}", encode_segment(value)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_encoded() {
        let query = [("id", "cve:CVE-1 &".to_owned()), ("limit", "5".to_owned())];
        assert_eq!(with_query("/v1/find", &query), "/v1/find?id=cve%3ACVE-1%20%26&limit=5");
        assert_eq!(with_query("/v1/find", &[]), "/v1/find");
    }
}

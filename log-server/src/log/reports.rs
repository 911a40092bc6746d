//! Fork reports: signed claims that name a head which is not this log's. Each proves that the log showed two histories, or
//! that its issuer lies; the operator has to look at it, so the whole envelope is kept.

use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use proto::claim::PAYLOAD_TYPE;
use proto::dsse::Envelope;
use proto::fold::Submission;

use super::Log;
use crate::store::StoreError;

/// Reports of one issuer that are kept in an hour: each is a synced write of up to 128 KiB, one is enough to see a fork, and
/// an issuer that means well has no more than a few.
const REPORTS_PER_HOUR: NonZeroU32 = NonZeroU32::new(10).expect("not zero");

/// Issuers that are remembered before those are forgotten that have their whole quota back; 6 MiB, as for their claims.
const MAX_ISSUERS: usize = 65_536;

pub(super) fn limiter() -> DefaultKeyedRateLimiter<String> {
    RateLimiter::keyed(Quota::per_hour(REPORTS_PER_HOUR))
}

impl Log {
    /// Keeps a report if its issuer's quota and the disk have room; says whether it did.
    pub(super) fn keep_report(&self, issuer: &str, submission: &Submission) -> Result<bool, StoreError> {
        let id = submission.id();
        let envelope = Envelope {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: submission.payload().to_vec(),
            signatures: submission.signatures().to_vec(),
        };
        if self.reports.len() >= MAX_ISSUERS {
            self.reports.retain_recent();
        }
        let kept = match self.reports.check_key(&issuer.to_owned()) {
            Err(_) => false,
            Ok(()) => match self.store.put_report(&id.0.0, envelope.to_json().as_bytes()) {
                Ok(()) => true,
                Err(StoreError::DiskLow { .. }) => false,
                Err(error) => return Err(error),
            },
        };
        self.stats.fork_report(kept);
        match kept {
            true => {
                tracing::warn!(claim = %id, issuer, "a claim names a head that is not this log's; kept as a report")
            }
            false => tracing::warn!(claim = %id, issuer, "a claim names a head that is not this log's; not kept"),
        }
        Ok(kept)
    }
}

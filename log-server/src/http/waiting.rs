//! Receipts for those who wait for witnesses: `?wait=witnessed`.
//!
//! The wait begins when the claim is in the log and holds nothing of the log's: a client that hangs up ends it.

use std::time::Duration;

use http::{StatusCode, Uri};
use proto::code::Code;
use proto::num::LeafIndex;
use proto::receipt::Receipt;
use service::problem::Problem;

use super::app::{App, Cost};
use super::claims::lookup_problem;
use super::params::{Params, invalid};

/// A log that starts asks its witnesses at once; a few requests while they do not answer cost nothing.
const NONE_YET_RETRY_AFTER_SECONDS: u64 = 1;

/// What a client wants to wait for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wait {
    /// Nothing: the receipt is under the newest head of the log.
    Nothing,
    /// A head with a quorum of cosignatures.
    Witnessed,
}

/// A receipt after the wait.
#[derive(Debug)]
pub(super) enum Waited {
    /// Under the head that was asked for.
    InTime(Receipt),
    /// Under the log's own head: no quorum had cosigned at the deadline.
    Late(Receipt),
}

impl Waited {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Waited::InTime(_) => StatusCode::OK,
            Waited::Late(_) => StatusCode::ACCEPTED,
        }
    }

    pub(super) fn into_receipt(self) -> Receipt {
        match self {
            Waited::InTime(receipt) | Waited::Late(receipt) => receipt,
        }
    }
}

impl Wait {
    /// The parameter `wait`; no other is taken.
    pub(super) fn parse(uri: &Uri, app: &App) -> Result<Wait, Problem> {
        let mut params = Params::parse(uri)?;
        let wait = params.take("wait");
        params.finish()?;
        match wait.as_deref() {
            None => Ok(Wait::Nothing),
            Some("witnessed") if app.witnesses().is_some() => Ok(Wait::Witnessed),
            Some("witnessed") => Err(invalid("This log asks no witnesses; leave `wait` out.")),
            Some(_) => Err(invalid("`wait` is `witnessed`, or left out.")),
        }
    }

    /// Waits, and gives the receipt under the head that was waited for.
    pub(super) async fn out(self, app: &App, receipt: Receipt) -> Result<Waited, Problem> {
        let (Wait::Witnessed, Some(witnesses)) = (self, app.witnesses()) else { return Ok(Waited::InTime(receipt)) };
        let index: LeafIndex = receipt.index;
        let Some(head) = witnesses.wait_for(index, app.stop()).await else { return Ok(Waited::Late(receipt)) };
        let made = app.read(Cost::Point, move |view| {
            let found = view.log.receipt_under(index, head.size, &head.note);
            let found = found.map_err(|error| lookup_problem(&*error))?;
            found.ok_or_else(|| Problem::internal(format_args!("entry {index} is not under its own head")).into())
        });
        Ok(Waited::InTime(made.await?.0))
    }
}

/// There is no head yet that may be shown.
pub(super) fn none_yet() -> Problem {
    let detail = "No head of this log has met the quorum of its witnesses yet; ask again.";
    Problem::new(Code::ModeUnwitnessed, detail).retry_after(Duration::from_secs(NONE_YET_RETRY_AFTER_SECONDS))
}

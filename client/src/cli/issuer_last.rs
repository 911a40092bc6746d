//! What a change of an issuer repeats: its last registry entry, proven before anybody signs it again.

use proto::entry::Links;
use proto::num::LeafIndex;
use serde_json::Value;

use super::check::Which;
use super::context::{Connection, Context};
use super::show;
use crate::error::Error;
use crate::verify::{Report, Verdict};

/// What belongs to one change only and is not repeated.
const OF_ONE_CHANGE: [&str; 6] = ["keys", "revoke", "admin_threshold", "recovery", "mandate", "successor_of"];

/// Role and body of the issuer's last registry entry: name, roles, identity. Shown, because you sign it again.
pub(super) fn last_body(context: &Context, issuer: &str) -> Result<(String, Value), Error> {
    let connection = context.connect()?;
    let answer = connection.wait(connection.api.issuer(issuer))?;
    let nonsense = || Error::unreachable(format!("the log does not say where the last registry entry of {issuer} is"));
    let mut index = answer["registry"]["last"].as_u64().map(LeafIndex);
    // An operator's revocation repeats nothing; the entry before it does.
    while let Some(at) = index {
        let (claim, links) = proven(context, &connection, at)?;
        if claim["role"] != "operator" && claim["issuer"] == issuer && claim["type"] == "issuer/v1" {
            let mut body = claim["body"].clone();
            if let Some(members) = body.as_object_mut() {
                OF_ONE_CHANGE.iter().for_each(|name| _ = members.remove(*name));
            }
            let shown = crate::plain::plain_json(&format!("{body:#}"));
            context.remark(format!("you sign this again, as entry {at} has it:\n{shown}"));
            return Ok((claim["role"].as_str().unwrap_or_default().to_owned(), body));
        }
        index = links.registry.filter(|before| *before < at);
    }
    Err(nonsense())
}

/// The claim at this place, proven under the trust file.
fn proven(context: &Context, connection: &Connection, at: LeafIndex) -> Result<(Value, Links), Error> {
    let found = show::fetch(connection, Which::Index(at))?;
    holds(at, found.receipt.index, &found.report(connection))?;
    connection.accept(context, found.receipt.checkpoint.as_bytes())?;
    let claim = serde_json::from_slice(&found.payload)
        .map_err(|e| Error::unreachable(format!("entry {at} is not JSON: {e}; it cannot be repeated")))?;
    Ok((claim, found.receipt.links))
}

/// Whether the receipt is for the entry that was asked for, and proves it.
fn holds(asked: LeafIndex, shown: LeafIndex, report: &Report) -> Result<(), Error> {
    if shown != asked {
        let message = format!("the log was asked for entry {asked} and proves entry {shown}; nothing is signed");
        return Err(Error::not_proven(message));
    }
    if report.verdict < Verdict::PolicyNotMet {
        let why = &report.reason;
        let message = format!("entry {asked}, which you would sign again, is not proven: {why}; nothing is signed");
        return Err(Error::not_proven(message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn nobody_signs_what_the_log_only_says() {
        let report = |verdict| Report::short(verdict, "so it is");
        let of = |shown, verdict| holds(LeafIndex(3), LeafIndex(shown), &report(verdict)).map_err(|e| e.kind);
        assert_eq!(of(3, Verdict::Proven), Ok(()));
        assert_eq!(of(3, Verdict::PolicyNotMet), Ok(()), "witnesses come after the log");
        assert_eq!(of(3, Verdict::NotProven), Err(ErrorKind::NotProven));
        assert_eq!(of(3, Verdict::Malformed), Err(ErrorKind::NotProven));
        assert_eq!(of(2, Verdict::Proven), Err(ErrorKind::NotProven), "another entry than the one asked for");
    }
}

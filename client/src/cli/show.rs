//! `claimtrail show`, `history` and `find`

use clap::Args;
use proto::claim::{ClaimId, Instant, PAYLOAD_TYPE};
use proto::entry::Entry;
use proto::receipt::Receipt;
use serde_json::{Value, json};

use super::check::Which;
use super::context::{Connection, Context};
use super::out;
use crate::error::Error;
use crate::plain::plain;
use crate::verify::{Content, Proof, Report, Verdict, judge};

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The claim's id, or the index of its entry
    which: Which,
}

#[derive(Debug, Args)]
pub(super) struct History {
    /// MANUFACTURER/MODEL
    product: String,
    /// As it was known at the end of this day, at this moment, or at this tree size
    #[arg(long, value_name = "YYYY-MM-DD | RFC 3339 | SIZE")]
    as_of: Option<String>,
    /// Only claims by this issuer
    #[arg(long)]
    issuer: Option<String>,
    /// Only claims of this type
    #[arg(long = "type", value_name = "TYPE")]
    claim_type: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Find {
    /// Beginning of a maker or model
    text: Option<String>,
    /// An id, scheme:value, such as gtin:4006381333931 or vulnerability:CVE-2022-1234
    #[arg(long)]
    id: Option<String>,
    /// Claims by this issuer
    #[arg(long)]
    issuer: Option<String>,
    /// Claims of this type
    #[arg(long = "type", value_name = "TYPE")]
    claim_type: Option<String>,
}

/// A claim that the log showed.
pub(super) struct Found {
    /// The log's answer.
    pub(super) answer: Value,
    /// Its exact payload.
    pub(super) payload: Vec<u8>,
    /// Its receipt.
    pub(super) receipt: Receipt,
}

/// Gets a claim and its receipt.
pub(super) fn fetch(connection: &Connection, which: Which) -> Result<Found, Error> {
    let id = match which {
        Which::Id(id) => id,
        Which::Index(index) => {
            let answer = connection.wait(connection.api.entry(index))?;
            let entry = answer["entry"].as_str().and_then(|text| proto::b64::decode(text).ok());
            let entry = entry.and_then(|bytes| Entry::decode(&bytes).ok());
            let entry =
                entry.ok_or_else(|| Error::unreachable(format!("the log shows no entry {index} that can be read")))?;
            ClaimId::of(&entry.payload_type, &entry.payload)
        }
    };
    let answer = connection.wait(connection.api.claim(&id))?;
    let payload = answer["payload"].as_str().and_then(|text| proto::b64::decode(text).ok());
    let payload = payload.filter(|payload| ClaimId::of(PAYLOAD_TYPE, payload) == id);
    let payload = payload.ok_or_else(|| Error::not_proven(format!("the log shows another claim than {id}")))?;
    let receipt = connection.wait(connection.api.receipt(&id))?;
    if let Which::Index(index) = which
        && receipt.index != index
    {
        // The answer about the entry is not proven itself; where its claim stands is.
        let message = format!("asked for entry {index}, got the claim of entry {}", receipt.index);
        return Err(Error::not_proven(message));
    }
    Ok(Found { answer, payload, receipt })
}

impl Found {
    /// What the receipt proves of it.
    pub(super) fn report(&self, connection: &Connection) -> Report {
        let content = Content::Payload(self.payload.clone(), None);
        judge(&Proof::Receipt(self.receipt.clone()), &content, Some(&connection.trust), &[])
    }
}

pub(super) fn show(context: &Context, command: &Show) -> Result<(), Error> {
    let connection = context.connect()?;
    let found = fetch(&connection, command.which)?;
    let report = found.report(&connection);
    if report.verdict < Verdict::PolicyNotMet {
        return Err(Error::not_proven(format!("the log's receipt does not hold: {}", report.reason)));
    }
    connection.accept(context, found.receipt.checkpoint.as_bytes())?;
    if context.json() {
        out::json(&json!({ "claim": found.answer, "report": report }));
        return Ok(());
    }
    let claim: Value = serde_json::from_slice(&found.payload).unwrap_or_default();
    let status = status(&found.answer);
    out::line(format!("entry {}  {}", found.receipt.index, found.receipt.claim_id));
    out::line(format!("status (the log's word): {}", if status.is_empty() { "-" } else { &status }));
    if is_replayed(&found.answer) {
        out::line(format!("{REPLAYED} (the log's word)"));
    }
    for statement in &report.statements {
        out::line(format!("  {:<11}  {}", statement.standing, statement.text));
    }
    out::json(&claim);
    Ok(())
}

pub(super) fn history(context: &Context, command: &History) -> Result<(), Error> {
    let (manufacturer, model) = command.product.split_once('/').ok_or_else(|| {
        Error::usage(format!("{:?} is not MANUFACTURER/MODEL, such as acme.example/CAM-3", command.product))
    })?;
    let connection = context.connect()?;
    let mut query = Vec::new();
    if let Some(as_of) = &command.as_of {
        query.push((as_of_name(as_of)?, as_of.clone()));
    }
    query.extend(command.issuer.as_ref().map(|issuer| ("issuer", issuer.clone())));
    query.extend(command.claim_type.as_ref().map(|kind| ("type", kind.clone())));
    let answer =
        pages(&query, |query| connection.wait(connection.api.product(manufacturer, model, query)), &["history"])?;
    if context.json() {
        out::json(&answer);
        return Ok(());
    }
    out::line(format!("{manufacturer} {model}, in a tree of {} entries", answer["size"]));
    for (title, list) in [("current", &answer["current"]), ("history", &answer["history"])] {
        out::line(format!("{title}:"));
        let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().for_each(|claim| item(claim, false));
        if items.is_empty() {
            out::line("  none");
        }
    }
    word_of_the_log(context);
    Ok(())
}

pub(super) fn find(context: &Context, command: &Find) -> Result<(), Error> {
    let given =
        [("text", &command.text), ("id", &command.id), ("issuer", &command.issuer), ("type", &command.claim_type)];
    let query: Vec<_> = given.iter().filter_map(|(name, value)| Some((*name, (*value).clone()?))).collect();
    if query.is_empty() {
        return Err(Error::usage("find what? Give the beginning of a maker or model, or --id, --issuer or --type"));
    }
    let connection = context.connect()?;
    let answer = pages(&query, |query| connection.wait(connection.api.find(query)), &["items", "products"])?;
    if context.json() {
        out::json(&answer);
        return Ok(());
    }
    for product in answer["products"].as_array().into_iter().flatten() {
        let text = |name: &str| plain(product[name].as_str().unwrap_or_default());
        out::line(format!("  {}/{}", text("manufacturer"), text("model")));
    }
    answer["items"].as_array().into_iter().flatten().for_each(|claim| item(claim, true));
    if ["products", "items"].iter().all(|list| answer[list].as_array().is_none_or(Vec::is_empty)) {
        out::line("  nothing found");
    }
    word_of_the_log(context);
    Ok(())
}

/// Which parameter a point in time is.
fn as_of_name(as_of: &str) -> Result<&'static str, Error> {
    if proto::num::parse_decimal(as_of).is_ok() {
        Ok("as_of_size")
    } else if Instant::parse(as_of).is_ok() {
        Ok("as_of_time")
    } else if Instant::parse(&format!("{as_of}T00:00:00Z")).is_ok() {
        Ok("as_of")
    } else {
        Err(Error::usage(format!(
            "{as_of:?} is no day (2027-02-01), no moment (2027-02-01T12:00:00Z) and no tree size"
        )))
    }
}

/// The most pages of one answer that are read.
const MAX_PAGES: usize = 10_000;

/// Reads every page and puts the lists of all of them into the first.
fn pages(
    query: &[(&str, String)],
    ask: impl Fn(&[(&str, String)]) -> Result<Value, Error>,
    lists: &[&str],
) -> Result<Value, Error> {
    let mut first = ask(query)?;
    let mut cursor = first["next_cursor"].as_str().map(str::to_owned);
    for _ in 0..MAX_PAGES {
        let Some(next) = cursor else { break };
        let mut query = query.to_vec();
        query.push(("cursor", next.clone()));
        let mut page = ask(&query)?;
        for list in lists {
            if let (Some(all), Some(more)) = (first[*list].as_array_mut(), page[*list].as_array_mut()) {
                all.append(more);
            }
        }
        cursor = page["next_cursor"].as_str().filter(|cursor| **cursor != next).map(str::to_owned);
    }
    if let Some(members) = first.as_object_mut() {
        members.remove("next_cursor");
    }
    Ok(first)
}

/// What a reader must know of public data under another's name.
const REPLAYED: &str = "replayed, not the maker's own statement";

fn is_replayed(item: &Value) -> bool {
    item["replay"].as_bool() == Some(true)
}

/// The words of the log for where a claim stands; a body in a slot that is no head and not withdrawn was replaced.
fn status(item: &Value) -> String {
    let is = |name: &str| item["status"][name].as_bool() == Some(true);
    let mut words = Vec::new();
    for name in ["current", "contested", "withdrawn"] {
        if is(name) {
            words.push(name);
        }
    }
    if is("head") && !is("current") {
        words.push("not replaced");
    }
    let is_body = matches!(item["rel"].as_str(), Some("new" | "amend" | "supersede")) && !item["slot"].is_null();
    if is_body && !is("head") && !is("withdrawn") {
        words.push("replaced");
    }
    words.join(", ")
}

/// One claim of a list; the product is said where the list is not about one.
fn item(item: &Value, with_product: bool) {
    let text = |name: &str| plain(item[name].as_str().unwrap_or("-"));
    let time = item["timestamp"].as_u64().map(|ms| crate::clock::rfc3339(proto::num::Millis(ms))).unwrap_or_default();
    let replay = if is_replayed(item) { format!("  ({REPLAYED})") } else { String::new() };
    let subject = &item["product"];
    let named = subject["manufacturer"].as_str().zip(subject["model"].as_str());
    let product = named
        .filter(|_| with_product)
        .map(|(maker, model)| format!("  about {}/{}", plain(maker), plain(model)))
        .unwrap_or_default();
    let target = item["target"]["id"].as_str().map(|id| format!("\n            on {}", plain(id))).unwrap_or_default();
    let status = match status(item) {
        none if none.is_empty() => none,
        status => format!("  ({status})"),
    };
    out::line(format!(
        "  {:>8}  {time}  {} {}  by {}{product}{status}{replay}\n            {}{target}",
        item["index"].to_string(),
        text("type"),
        text("rel"),
        text("issuer"),
        text("claim_id")
    ));
}

fn word_of_the_log(context: &Context) {
    context.remark(
        "This list is the log's word. `claimtrail show` checks one claim, `claimtrail audit` checks everything.",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_was_replaced_in_a_contested_slot_says_both() {
        let of = |head: bool, withdrawn: bool, current: bool| {
            status(&json!({
                "rel": "new", "slot": 3,
                "status": { "contested": true, "head": head, "withdrawn": withdrawn, "current": current },
            }))
        };
        assert_eq!(of(false, false, false), "contested, replaced");
        assert_eq!(of(true, false, false), "contested, not replaced");
        assert_eq!(of(true, false, true), "current, contested");
        assert_eq!(of(false, true, false), "contested, withdrawn");
        assert_eq!(status(&json!({ "rel": "confirm", "slot": 3, "status": {} })), "");
    }
}

//! The pages for people: `/`, how every log is, and `/log/{hash}`, one log with what was found.
//!
//! Plain HTML that was put together here: no script, nothing loaded from elsewhere, so that it shows the same in every browser
//! and the strictest content policy holds. Everything that came from a log is escaped by the templates.

mod parts;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue};
use maud::{DOCTYPE, Markup, html};
use proto::hash::Hash;
use proto::num::{Millis, Seconds, TreeSize};
use service::problem::Problem;

use super::{Shared, ShownHead};
use crate::finding::{Class, Event, Finding, Open, What};
use crate::follow::{FollowedLog, Seen};

/// Heads on a log's page; `/v1/heads` has them all.
const HEADS: usize = 20;
/// Events on a log's page.
const EVENTS: u8 = 50;
/// Findings on a log's page; a log can sign more contradictions than anybody reads.
const OPEN: usize = 100;
/// Seconds after which a browser may ask for the style again.
const STYLE_AGE: HeaderValue = HeaderValue::from_static("public, max-age=300");

const STYLE: &str = include_str!("page.css");

/// `GET /`
pub(super) async fn overview(State(shared): State<Shared>) -> Response {
    let now = crate::clock::now();
    let logs = &shared.0.logs;
    let body = html! {
        h1 { "Claimtrail monitor" }
        p {
            "This monitor reads every entry of these logs, hashes it to the signed root, and runs the log's rules again. What it \
             found, and every signed head that it saw, is here."
        }
        table {
            caption { "Logs" }
            thead {
                tr {
                    th scope="col" { "log" }
                    th scope="col" { "entries" }
                    th scope="col" { "checked" }
                    th scope="col" { "newest head" }
                    th scope="col" { "cosigned" }
                    th scope="col" { "state" }
                }
            }
            tbody {
                @for log in logs { (row(&shared, log, now)) }
            }
        }
        @if let Some(gossip) = shared.0.gossip.get() { (parts::peers(gossip)) }
    };
    page("Claimtrail monitor", &body)
}

fn row(shared: &Shared, log: &Arc<FollowedLog>, now: Millis) -> Markup {
    let seen = log.seen();
    html! {
        tr {
            th scope="row" { a href=(path_of(log)) { (log.origin()) } }
            td.number { (seen.size) }
            td.number { (seen.folded) }
            td { (head_time(&seen, now)) }
            td { (cosigned(shared, log)) }
            td { (state(&seen)) }
        }
    }
}

fn path_of(log: &FollowedLog) -> String {
    format!("/log/{}", Hash::of(log.origin().as_bytes()))
}

fn head_time(seen: &Seen, now: Millis) -> Markup {
    html! {
        @match seen.head {
            None => { "none yet" }
            Some((_, None)) => { "without a time" }
            Some((_, Some(time))) => { (moment(time.millis())) " (" (now.seconds().0.saturating_sub(time.0)) " s ago)" }
        }
    }
}

fn cosigned(shared: &Shared, log: &FollowedLog) -> Markup {
    let witness = shared.0.witness.as_deref();
    html! {
        @match witness {
            None => { "no witness here" }
            Some(witness) => {
                @match witness.size(log.origin()).filter(|size| *size > TreeSize(0)) {
                    Some(size) => { "at " (size) }
                    None => { "not yet" }
                }
                @if witness.needs_operator(log.origin()) || log.forked().is_some() { ", " strong.tamper { "stopped" } }
            }
        }
    }
}

fn state(seen: &Seen) -> Markup {
    html! {
        @let counting = seen.open.iter().filter(|open| open.counts()).count();
        @match seen.worst() {
            None => { span.good { "nothing is open" @if !seen.open.is_empty() { " that was not acknowledged" } } }
            Some(worst) => {
                strong class=(worst.name()) { (words(worst)) }
                @if counting > 1 { " and " (counting - 1) " more" }
            }
        }
        @let known = seen.open.len() - counting;
        @if known > 0 { "; acknowledged: " (known) }
    }
}

/// A class in words for people.
fn words(class: Class) -> &'static str {
    match class {
        Class::Tamper => "the log contradicts itself",
        Class::Claim => "a claim that the rules refuse",
        Class::Outage => "the log cannot be read",
        Class::Degraded => "not everything can be checked",
    }
}

fn moment(time: Millis) -> Markup {
    let text = time.to_rfc3339();
    html! { time datetime=(text) { (text) } }
}

/// `GET /log/{hash}`
pub(super) async fn one(State(shared): State<Shared>, Path(hex): Path<String>) -> Result<Response, Problem> {
    let log = shared.by_hash(&hex)?.clone();
    let read = log.clone();
    let (heads, events, evidence) = shared
        .blocking(move || {
            let heads = read.store.heads_before(None, HEADS)?;
            let last = read.store.last_event()?;
            let events = read.store.events_after(last.saturating_sub(EVENTS.into()), EVENTS.into())?;
            Ok::<_, client::Error>((heads, events, read.store.evidence_from(1, parts::EVIDENCE)?))
        })
        .await?
        .map_err(Problem::internal)?;
    let now = crate::clock::now();
    let seen = log.seen();
    let body = html! {
        p { a href="/" { "all logs" } }
        h1 { (log.origin()) }
        p { (state(&seen)) }
        dl {
            dt { "address" } dd { (log.config.url) }
            dt { "entries hashed to a signed root" } dd { (seen.size) }
            dt { "entries held against the rules" } dd { (seen.folded) }
            dt { "newest head" } dd { (head_time(&seen, now)) }
            dt { "last look that succeeded" }
            dd { @match seen.last_success { Some(time) => { (moment(time)) } None => { "none yet" } } }
            dt { "cosigned" } dd { (cosigned(&shared, &log)) }
            @if let Some(unread) = seen.unread { dt { "not held against the tree yet" } dd { (unread) } }
        }
        (open(&seen.open))
        (parts::evidence(&evidence, log.origin()))
        (happened(&events))
        (seen_heads(&heads, log.origin()))
    };
    Ok(page(log.origin(), &body))
}

fn open(open: &[Open]) -> Markup {
    html! {
        h2 { "What is open" }
        @if open.is_empty() { p { "Nothing." } } @else {
            table {
                thead { tr { th scope="col" { "since" } th scope="col" { "class" } th scope="col" { "what" } th scope="col" { "in words" } } }
                tbody {
                    @for Open { since, finding, acknowledged } in open.iter().take(OPEN) {
                        tr {
                            td { (moment(*since)) }
                            td class=(finding.class.name()) { (finding.class.name()) }
                            td { code { (finding.code) } }
                            td {
                                (finding.for_public())
                                @if let Some(known) = acknowledged { " " em { "Acknowledged by the operator of this monitor, " (moment(known.at)) "." } }
                                (signed(finding))
                            }
                        }
                    }
                }
            }
            @if open.len() > OPEN { p { "and " (open.len() - OPEN) " more" } }
        }
    }
}

/// The signed heads that show a finding.
fn signed(finding: &Finding) -> Markup {
    html! {
        @for head in &finding.heads {
            details { summary { "signed head" } pre { (head) } }
        }
    }
}

/// Beginnings and ends. Whom the operator watches is not for the public.
fn happened(events: &[Event]) -> Markup {
    let told = events.iter().rev().filter_map(|event| match &event.what {
        What::Began(finding) => Some((event.at, "began", finding)),
        What::Ended(finding) => Some((event.at, "ended", finding)),
        What::Proven(finding) => Some((event.at, "proven", finding)),
        What::Acknowledged { finding, .. } => Some((event.at, "acknowledged by the operator", finding)),
        What::Matched(_) => None,
    });
    html! {
        h2 { "What happened" }
        ul {
            @for (at, change, finding) in told {
                li { (moment(at)) ": " code { (finding.code) } " " (change) ": " (finding.for_public()) }
            }
        }
    }
}

fn seen_heads(heads: &[(crate::store::HeadKey, Vec<u8>)], origin: &str) -> Markup {
    html! {
        h2 { "Newest heads" }
        @if heads.is_empty() { p { "None yet." } } @else {
            table {
                thead { tr { th scope="col" { "time" } th scope="col" { "entries" } th scope="col" { "root" } th scope="col" { "signed note" } } }
                tbody {
                    @for (key, note) in heads {
                        @let head = ShownHead::new(*key, note);
                        tr {
                            td { (seconds(key.time)) }
                            td.number { (key.size) }
                            td { code { (key.root.to_base64()) } }
                            td { details { summary { "show" } pre { (head.note()) } } }
                        }
                    }
                }
            }
            p { "All of the last day, and one a minute before: " a href={ "/v1/heads?origin=" (client::http::encode_segment(origin)) } { "/v1/heads" } }
        }
    }
}

fn seconds(time: Seconds) -> Markup {
    moment(time.millis())
}

fn page(title: &str, body: &Markup) -> Response {
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href="/page.css";
            }
            body { main { (body) } }
        }
    };
    let headers: [(HeaderName, HeaderValue); 6] = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ),
        ),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, whole.into_string()).into_response()
}

/// `GET /page.css`
pub(super) async fn style() -> Response {
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8")), (CACHE_CONTROL, STYLE_AGE)];
    (headers, STYLE).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::code;

    #[test]
    fn what_a_log_says_cannot_become_markup() {
        let finding =
            Finding::new(Class::Tamper, code::FORK, "<script>alert(1)</script> & \"more\"").with_heads(&[b"<b>"]);
        let shown = open(&[Open::new(Millis(0), finding)]).into_string();
        assert!(!shown.contains("<script>") && !shown.contains("<b>"), "{shown}");
        assert!(shown.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;"), "{shown}");
    }

    #[test]
    fn own_faults_are_not_told_to_the_public() {
        let finding = Finding::new(Class::Degraded, code::OWN, "/secret/place is full");
        let event = Event { number: 1, at: Millis(0), origin: "o".into(), what: What::Began(finding.clone()) };
        let shown = open(&[Open::new(Millis(0), finding)]).into_string() + &happened(&[event]).into_string();
        assert!(!shown.contains("secret"), "{shown}");
    }
}

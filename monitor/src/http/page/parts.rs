//! The parts of the pages about evidence and peers.

use std::sync::Arc;

use maud::{Markup, html};

use super::moment;
use crate::evidence::Kept;
use crate::gossip::Gossip;
use crate::gossip::peer::Peer;

/// Misbehaviour files on a log's page; `/v1/evidence` has them all, and few are kept of each kind.
pub(super) const EVIDENCE: usize = 50;

/// The files that convict somebody, each with a link to its bytes.
pub(super) fn evidence(kept: &[Kept], origin: &str) -> Markup {
    html! {
        h2 { "Evidence" }
        @if kept.is_empty() { p { "None." } } @else {
            p { "Anybody can verify these files with no network: " code { "claimtrail misbehaviour verify FILE" } "." }
            table {
                thead { tr { th scope="col" { "found" } th scope="col" { "kind" } th scope="col" { "what it proves" } th scope="col" { "file" } } }
                tbody {
                    @for one in kept {
                        @let id = one.id.to_string();
                        tr {
                            td { (moment(one.found_at)) }
                            td { code { (one.kind) } }
                            td { (one.finding) }
                            td { a href={ "/v1/evidence/" (id) } { code { (id[..16]) "…" } } }
                        }
                    }
                }
            }
            p { "The list for programs: " a href={ "/v1/evidence?origin=" (client::http::encode_segment(origin)) } { "/v1/evidence" } }
        }
    }
}

/// The other monitors that this one exchanges heads and evidence with.
pub(super) fn peers(gossip: &Gossip) -> Markup {
    html! {
        h2 { "Peers" }
        @if gossip.peers().is_empty() { p { "None: what others were shown is not known here." } } @else {
            table {
                thead { tr { th scope="col" { "monitor" } th scope="col" { "last answered" } } }
                tbody { @for peer in gossip.peers() { (row(peer)) } }
            }
        }
    }
}

fn row(peer: &Arc<Peer>) -> Markup {
    let seen = peer.seen();
    html! {
        tr {
            th scope="row" { (peer.config.name) }
            td {
                @match seen.last_seen {
                    Some(time) => { (moment(time)) }
                    None => { "never" }
                }
                @if seen.failures > 0 { ", silent since " (seen.failures) " requests" }
            }
        }
    }
}

//! The senders of single requests: claims, and plain bytes to `/add`.

use std::sync::Arc;

use proto::hash::Hash;

use super::caller::Caller;
use super::check::{Job, Of};
use super::claims::Claims;
use super::random::Random;
use super::shared::Shared;
use super::tally::Kind;
use super::wire::broken;

/// Sends claims, one a request, as long as there are tickets.
pub(super) async fn claims(shared: Arc<Shared>, claims: Arc<Claims>, lane: usize) {
    let mut caller = Caller::new(shared.clone(), lane);
    while let Some(ticket) = shared.writes.next().await {
        let Some(request) = claims.whole(ticket.number) else { return };
        let Some(answer) = caller.call(Kind::Claim, request, ticket.intended).await else { return };
        if answer.is_good() && shared.sampler.takes() {
            let receipt = caller.body(&answer).to_vec();
            shared.check(Job::Receipt { of: Of::Sent(ticket.number), receipt }).await;
        }
    }
}

/// Sends random bytes to `/add`, as long as there are tickets, and keeps the places that are answered.
pub(super) async fn adds(shared: Arc<Shared>, bytes: usize, seed: u64, lane: usize) {
    let mut caller = Caller::new(shared.clone(), lane);
    let mut request = shared.options.target.post("/add", "application/octet-stream");
    request.extend_from_slice(format!("{bytes}\r\n\r\n").as_bytes());
    let head = request.len();
    request.resize(head + bytes, 0);
    while let Some(ticket) = shared.writes.next().await {
        Random::at(seed, ticket.number).fill(&mut request[head..]);
        let Some(answer) = caller.call(Kind::Add, &request, ticket.intended).await else { return };
        if !answer.is_good() {
            continue;
        }
        let text = std::str::from_utf8(caller.body(&answer)).ok().map(str::trim_ascii);
        match text.and_then(|text| proto::num::parse_decimal(text).ok()) {
            Some(index) => shared.lane(lane).added.push((index, Hash::leaf(&request[head..]))),
            None => shared.failed(lane, Kind::Add, &broken("an answer that is not an index in decimal digits")),
        }
    }
}
